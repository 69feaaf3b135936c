/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of kernel functions, from the kernel that runs this. */
#include "probe/btf_type.h"
#include "probe_signature_help.h"

TestSuite(probe_btf, .timeout = 120);

static struct btf_types *open_btf(void)
{
	struct btf_types *t = NULL;
	struct error e = {};

	if (btf_types_open(&e, &t) < 0)
		cr_skip_test("%s", e.message);
	return t;
}

static const struct function_type *kernel_function(struct btf_types *t, const char *name)
{
	const struct function_type *f = NULL;

	cr_assert_eq(btf_types_find(t, name, &f), 0, "%s", name);
	return f;
}

Test(probe_btf, vfs_read)
{
	struct btf_types *t _cleanup_(btf_types_freep) = open_btf();
	const struct function_type *f = kernel_function(t, "vfs_read");
	struct signature *s _cleanup_(signature_freep) = signature_of(f);
	struct expr_binding b;
	const struct fetch *fetches;
	size_t n;

	cr_expect_str_eq(describe(f), "ssize_t vfs_read(struct file * file@r0, char * buf@r1, "
				      "size_t count@r2, loff_t * pos@r3)");
	cr_expect_eq(f, kernel_function(t, "vfs_read"));
	b = bound_to(s, "args.file->f_inode->i_ino");
	cr_expect(b.kind == EXPR_UINT && b.place == EXPR_IN_VALUES);
	fetches = signature_fetches(s, &n);
	cr_assert_eq(n, 1);
	cr_expect(fetches[0].kind == FETCH_NUMBER && fetches[0].n_steps == 2 &&
		  fetches[0].arg == 0 && fetches[0].size == 8);
	/* Members of anonymous unions, typedefs, arrays of characters, names of enums. */
	bound_to(s, "args.file->f_inode->i_nlink");
	cr_expect_eq(bound_to(s, "args.file.f_inode.i_sb.s_id").kind, EXPR_STRING);
	cr_expect_eq(bound_to(s, "str(args.file.f_path.dentry.d_name.name)").kind, EXPR_STRING);
	cr_expect_eq(bound_to(s, "args.pos[0]").kind, EXPR_INT);
	b = bound_to(s, "args.count");
	cr_expect(b.kind == EXPR_UINT && b.place == EXPR_IN_ARG && b.size == 8);
	b = bound_to(s, "ret");
	cr_expect(b.kind == EXPR_INT && b.size == 8);
	expect_refused(s, "args.file.f_nothing", "struct file has no member f_nothing");
	cr_expect_eq(btf_types_find(t, "no_such_function", &f), -ENOENT);
}

static int walk(const struct ctype *t, int depth)
{
	int n = (int)strlen(t->name);

	if (depth == 0)
		return n;
	ctype_complete(t);
	if (t->target)
		n += walk(t->target, depth - 1);
	for (size_t i = 0; i < t->n_members; i++)
		n += walk(t->members[i].type, depth - 1);
	return n;
}

/* Whatever a function is given, its types can be walked; flags of an open file are bit by bit. */
Test(probe_btf, other_functions)
{
	static const char *const names[] = {"vfs_write", "do_sys_openat2",  "tcp_sendmsg",
					    "schedule",	 "kmem_cache_free", "__x64_sys_read",
					    "do_mmap",	 "vprintk",	    "vfs_statx"};
	struct btf_types *t _cleanup_(btf_types_freep) = open_btf();
	int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct function_type *f;

		if (btf_types_find(t, names[i], &f) < 0)
			continue;
		found++;
		for (size_t j = 0; j < f->n_params; j++)
			walk(f->params[j].type, 5);
		signature_free(signature_of(f));
		cr_expect_neq(f->n_params && f->params[0].place != PARAM_IN_REGISTER, 1, "%s",
			      describe(f));
	}
	cr_expect_gt(found, 4);
}

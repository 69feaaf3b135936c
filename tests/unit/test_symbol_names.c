/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names: demangled, of the kernel, and what the symbolizer makes of files that come and go. */
#include <limits.h>
#include <pthread.h>
#include <sys/auxv.h>

#include "sonde/base/strbuf.h"
#include "symbol/demangle.h"
#include "symbol/kallsyms.h"
#include "symbol/symbolizer.h"
#include "symbol_help.h"

TestSuite(symbol_names, .init = setup, .fini = teardown, .timeout = 120);

static void check_name(char *(*fn)(const char *), const char *mangled, const char *expected)
{
	char *name _cleanup_(freep) = fn(mangled);

	if (expected)
		cr_assert_str_eq(name ? name : "(none)", expected);
	else
		cr_assert_null(name, "%s", mangled);
}

Test(symbol_names, demangles)
{
	char *deep _cleanup_(freep) = malloc(10001);
	struct strbuf b _cleanup_(strbuf_release) = {};

	check_name(demangle_short, "_ZN3foo3barEiPKc", "foo::bar");
	check_name(demangle_full, "_ZN3foo3barEiPKc", "foo::bar(int, char const*)");
	check_name(demangle_short, "_ZNSt6vectorIiSaIiEE9push_backEOi",
		   "std::vector<int, std::allocator<int> >::push_back");
	check_name(demangle_short, "_ZN3fooC2Ev", "foo::foo");
	check_name(demangle_short, "_ZN3foo3barEi.cold", "foo::bar [clone .cold]");
	check_name(demangle_full, "_ZN3foo3barEi.cold", "foo::bar(int) [clone .cold]");
	check_name(demangle_short, "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		   "core::fmt::Write::write_fmt");
	check_name(demangle_short, "_RNvC6_123foo3bar", "123foo::bar");
	check_name(demangle_short, "_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar");
	check_name(demangle_short, "main", NULL);
	check_name(demangle_short, "", NULL);
	check_name(demangle_short, "_", NULL);
	check_name(demangle_short, "_Z", NULL);
	check_name(demangle_short, "_ZN3fo", NULL);
	check_name(demangle_short, "_start", NULL);

	memset(deep, 'P', 10000);
	memcpy(deep, "_Z1fP", 5);
	deep[10000] = '\0';
	check_name(demangle_full, deep, NULL);
	deep[4000] = '\0';
	check_name(demangle_full, deep, NULL);

	/* Each parameter doubles the text by a substitution: 2^34 letters if nothing stops it. */
	strbuf_puts(&b, "_Z1f1A1BIS_S_E");
	check_name(demangle_full, b.data, "f(A, B<A, A>)");
	for (int i = 1; i <= 34; i++) {
		char digit = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i];

		strbuf_printf(&b, "S0_IS%c_S%c_E", digit, digit);
		if (i == 1)
			check_name(demangle_full, b.data, "f(A, B<A, A>, B<B<A, A>, B<A, A> >)");
	}
	check_name(demangle_full, b.data, NULL);
}

static struct kallsyms *kallsyms_of(const char *text, int expected, struct error *error)
{
	struct kallsyms *ks = NULL;

	write_file(path_of("kallsyms"), text, strlen(text));
	cr_assert_eq(kallsyms_load(path_of("kallsyms"), error, &ks), expected);
	return ks;
}

Test(symbol_names, kernel_functions)
{
	struct error error = {};
	struct kallsyms *ks _cleanup_(kallsyms_freep) =
		kallsyms_of("ffffffff81000200 T do_work\n"
			    "ffffffff81000200 D same_place\n"
			    "ffffffff81000000 T _stext\n"
			    "ffffffff81000000 T first\n"
			    "ffffffff81000100 t helper\n"
			    "ffffffff81000100 t __helper_alias\n"
			    "ffffffff81000300 D some_data\n"
			    "ffffffff81000400 D more_data\n"
			    "junk\n\nffffffff8100 T\n zz T nothing\n"
			    "ffffffffc0000000 t init_once\t[ext4]\n"
			    "ffffffffc0000080 T ext4_read\t[ext4]\n"
			    "ffffffffc0001000 t bpf_prog_1234_f\t[bpf]\n",
			    0, &error);
	char name[64];
	uint64_t offset;

	cr_assert_eq(kallsyms_len(ks), 8);
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffff81000010, name, sizeof(name), &offset), 0);
	cr_assert_str_eq(name, "first");
	cr_assert_eq(offset, 0x10);
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffff81000100, name, sizeof(name), &offset), 0);
	cr_assert_str_eq(name, "helper");
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffff810002ff, name, sizeof(name), &offset), 0);
	cr_assert_str_eq(name, "do_work");
	cr_assert_eq(offset, 0xff);
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffff81000300, name, sizeof(name), &offset), -ENOENT);
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffff81000500, name, sizeof(name), &offset), -ENOENT);
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffffc0000090, name, sizeof(name), &offset), 0);
	cr_assert_str_eq(name, "ext4_read [ext4]");
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffffc0001001, name, sizeof(name), &offset), 0);
	cr_assert_str_eq(name, "bpf_prog_1234_f [bpf]");
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffffc0101000, name, sizeof(name), &offset), -ENOENT);
	cr_assert_eq(kallsyms_lookup(ks, 0x1000, name, sizeof(name), &offset), -ENOENT);
	cr_assert_eq(kallsyms_lookup(ks, 0xffffffffc0000090, name, 6, &offset), 0);
	cr_assert_str_eq(name, "ext4_");

	kallsyms_of("0000000000000000 T a\n0000000000000000 t b\n", -EPERM, &error);
	cr_assert_not_null(strstr(error.fix, "CAP_SYSLOG"));
	kallsyms_of("", -ENODATA, NULL);
	cr_assert_eq(kallsyms_load(path_of("none"), NULL, &ks), -ENOENT);
}

Test(symbol_names, own_kernel)
{
	struct kallsyms *ks _cleanup_(kallsyms_freep) = NULL;
	struct error error = {};
	int r = kallsyms_load(NULL, &error, &ks);

	if (r == -EPERM || r == -ENOENT)
		cr_skip_test("%s", error.message);
	cr_assert_eq(r, 0, "%s", error.message);
	cr_assert_gt(kallsyms_len(ks), 10000);
	cr_assert_lt(kallsyms_memory(ks), 32 << 20);
}

static const uint8_t unknown[BUILD_ID_SIZE];

static void get_id(const char *path, uint8_t *id)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);

	memcpy(id, elf_image_build_id(image), BUILD_ID_SIZE);
}

static uint64_t offset_of(const char *path, const char *name)
{
	struct symtab *st _cleanup_(symtab_freep) = load(path);
	struct wanted w = find(st, name);

	cr_assert_eq(w.count, 1, "%s", name);
	return w.found.file_offset;
}

static const char *resolve(struct symbolizer *s, const uint8_t *id, const char *path, uint64_t at)
{
	static char name[256];
	uint64_t offset;

	return symbolizer_resolve(s, id, path, at, DEMANGLE_SHORT, name, sizeof(name), &offset) == 0
		       ? name
		       : "";
}

Test(symbol_names, resolves_deleted_and_replaced_files)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	char *a = compile("a", ""), *b = compile("b", "-O0 -DOTHER=1"), text[256];
	uint8_t a_id[BUILD_ID_SIZE], b_id[BUILD_ID_SIZE];
	uint64_t helper = offset_of(a, "hidden_helper"), b_main = offset_of(b, "main");
	struct symbolizer_stats stats;

	get_id(a, a_id);
	get_id(b, b_id);
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_eq(symbolizer_set_sources(s, NULL, "/nonexistent"), 0);
	cr_assert_eq(symbolizer_add_file(s, a_id, a, open(a, O_RDONLY | O_CLOEXEC)), 0);
	run("mv %s %s", b, a);

	/* The path holds another program by now; the descriptor still holds the one that ran. */
	cr_assert_str_eq(resolve(s, a_id, a, helper + 2), "hidden_helper");
	cr_assert_str_eq(resolve(s, b_id, a, b_main), "main");
	cr_assert_str_eq(resolve(s, a_id, "/other/path", helper), "hidden_helper");
	cr_assert_str_eq(resolve(s, a_id, a, 1 << 30), "");

	/* Known by build-id alone: what is at the path is not it, so there is no name. */
	a_id[0] ^= 1;
	cr_assert_eq(symbolizer_add_file(s, a_id, a, -1), 0);
	cr_assert_str_eq(resolve(s, a_id, a, helper), "");
	cr_assert_eq(symbolizer_failure(s, a_id, a, text, sizeof(text)), 0);
	cr_assert_not_null(strstr(text, "build-id"));
	cr_assert_str_eq(resolve(s, unknown, a, helper), "");
	cr_assert_str_eq(resolve(s, unknown, "[heap]", 0), "");
	cr_assert_str_eq(resolve(s, unknown, "[uprobes]", 0), "[uprobes]");
	symbolizer_get_stats(s, &stats);
	cr_assert_eq(stats.loaded_tables, 2);
	cr_assert_eq(stats.open_fds, 1);
}

Test(symbol_names, remembers_failures_until_added_anew)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	char *a = compile("a", ""), text[256], *gone = path_of("gone");
	uint64_t at = offset_of(a, "main");
	uint8_t id[BUILD_ID_SIZE];

	get_id(a, id);
	cr_assert_eq(symbolizer_new(&s), 0);
	cr_assert_str_eq(resolve(s, id, gone, at), "");
	cr_assert_eq(symbolizer_failure(s, id, gone, text, sizeof(text)), 0);
	run("cp %s %s", a, gone);
	cr_assert_str_eq(resolve(s, id, gone, at), "", "not tried again");
	cr_assert_eq(symbolizer_add_file(s, id, gone, open(gone, O_RDONLY | O_CLOEXEC)), 0);
	cr_assert_str_eq(resolve(s, id, gone, at), "main");
	cr_assert_eq(symbolizer_failure(s, id, gone, text, sizeof(text)), -ENOENT);
}

Test(symbol_names, caches_are_bounded)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	char *a = compile("a", ""), path[128];
	uint64_t at = offset_of(a, "main");
	struct symbolizer_stats stats;
	uint8_t ids[12][BUILD_ID_SIZE];

	cr_assert_eq(symbolizer_new(&s), 0);
	symbolizer_set_limits(s, 1, 4, 8);
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "%s/copy%d", dir, i);
		run("gcc -O2 -o %s %s/p.c -Wl,--build-id=0x%040d", path, dir, i + 1);
		get_id(path, ids[i]);
		cr_assert_eq(symbolizer_add_file(s, ids[i], path, open(path, O_RDONLY | O_CLOEXEC)),
			     0);
		if (i == 0)
			run("rm %s", path);
		cr_assert_str_eq(resolve(s, ids[i], path, at), "main");
		if (i == 5) /* closed would be copy1 and copy2, but not the deleted one */
			cr_assert_str_eq(resolve(s, ids[0], "", at), "main");
		symbolizer_get_stats(s, &stats);
		cr_assert_leq(stats.open_fds, 4);
		cr_assert_leq(stats.files, 8);
		cr_assert_eq(stats.loaded_tables, 1);
	}
	cr_assert_eq(stats.table_evictions, stats.table_loads - 1);
	snprintf(path, sizeof(path), "%s/copy11", dir);
	cr_assert_str_eq(resolve(s, ids[11], path, at), "main");
}

Test(symbol_names, vdso)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	const uint8_t wrong[BUILD_ID_SIZE] = {1};
	bool seen = false;

	if (!getauxval(AT_SYSINFO_EHDR))
		cr_skip_test("the kernel gives this process no vDSO");
	cr_assert_eq(symbolizer_new(&s), 0);
	for (uint64_t at = 0; at < 16384 && !seen; at += 16)
		seen = strstr(resolve(s, unknown, "[vdso]", at), "clock_gettime") != NULL;
	cr_assert(seen);
	for (uint64_t at = 0; at < 16384; at += 16)
		cr_assert_str_eq(resolve(s, wrong, "[vdso]", at), "");
}

Test(symbol_names, kernel_by_symbolizer)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	const char hidden[] = "0000000000000000 T a\n", shown[] = "ffffffff81000000 T a_function\n";
	char name[64];
	uint64_t offset;

	cr_assert_eq(symbolizer_new(&s), 0);
	write_file(path_of("k"), hidden, sizeof(hidden) - 1);
	cr_assert_eq(symbolizer_set_sources(s, path_of("k"), NULL), 0);
	cr_assert_eq(symbolizer_resolve_kernel(s, 0xffffffff81000004, name, 64, &offset), -ENOENT);
	cr_assert_eq(symbolizer_kernel_failure(s, name, sizeof(name)), 0);
	write_file(path_of("k"), shown, sizeof(shown) - 1);
	symbolizer_reload_kernel(s);
	cr_assert_eq(symbolizer_resolve_kernel(s, 0xffffffff81000004, name, 64, &offset), 0);
	cr_assert_str_eq(name, "a_function");
	cr_assert_eq(offset, 4);
}

struct worker {
	struct symbolizer *s;
	const uint8_t *id;
	const char *path;
	uint64_t at;
	int wrong;
};

static void *work(void *data)
{
	struct worker *w = data;
	uint64_t offset;
	char name[64];

	for (int i = 0; i < 2000; i++)
		w->wrong += symbolizer_resolve(w->s, w->id, w->path, w->at, DEMANGLE_SHORT, name,
					       sizeof(name), &offset) < 0 ||
			    !streq(name, "main");
	return NULL;
}

Test(symbol_names, many_threads)
{
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	char *a = compile("a", "");
	uint8_t id[BUILD_ID_SIZE];
	struct worker workers[4];
	pthread_t threads[4];

	get_id(a, id);
	cr_assert_eq(symbolizer_new(&s), 0);
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){s, id, a, offset_of(a, "main")};
		cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
		cr_assert_eq(workers[i].wrong, 0);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/kernel_match.h"

#include <fnmatch.h>

#include "probe/kernel_attach.h"
#include "symbol/near.h"

static const char ambiguous_fentry[] =
	"several kernel functions have that name, which fentry cannot tell apart (kprobe: can)";
static const char module_fentry[] = "fentry is for functions of the kernel itself (kprobe: does)";

enum { NEAR_NAMES = 3 };

bool kernel_match_module(const struct spec *s, const char *module)
{
	return !s->binary || fnmatch(s->binary, module[0] ? module : "vmlinux", 0) == 0;
}

static bool matches(const struct spec *s, const struct kernel_function *f)
{
	return s->kind == SPEC_KERNEL && kernel_match_module(s, f->module) &&
	       fnmatch(s->pattern, f->name, 0) == 0;
}

/* The first specification that includes the function, or -ENOENT. Gates come last. */
static int find_spec(struct resolver *r, const struct kernel_function *f, bool *ret_gate)
{
	int found = -ENOENT;

	*ret_gate = false;
	for (size_t i = 0; i < r->n_specs; i++) {
		bool gate = match_is_gate(r, i);

		if ((found >= 0 && !gate) || r->specs[i]->exclude || !matches(r->specs[i], f))
			continue;
		*ret_gate |= gate;
		r->matched[i]++;
		found = found < 0 ? (int)i : found;
	}
	return found;
}

/* An exclusion that says nothing of a binary holds for the kernel as well. */
static bool is_excluded(const struct resolver *r, const struct kernel_function *f)
{
	for (size_t i = 0; i < r->n_specs; i++) {
		const struct spec *s = r->specs[i];

		if (s->exclude &&
		    (matches(s, f) || (s->kind == SPEC_EXECUTABLE && !s->is_static &&
				       !s->is_source && fnmatch(s->pattern, f->name, 0) == 0)))
			return true;
	}
	return false;
}

/* The index of the pseudo file of a module, which the set gets when it has none. */
static int find_file(struct resolver *r, const char *module)
{
	struct probe_set *set = r->set;
	_cleanup_(freep) char *path = NULL;
	size_t i = set->n_files;
	int x;

	if (asprintf(&path, "[%s]", module[0] ? module : "kernel") < 0) {
		path = NULL;
		return -ENOMEM;
	}
	/* The functions of a module are together, so it is nearly always the last one. */
	for (size_t k = set->n_files; k-- > 0;)
		if (set->files[k].fd < 0 && streq(set->files[k].path, path))
			return (int)k;
	if (i >= PROBE_MAX_FILES)
		return error_set(r->e, E2BIG, "TooMany", "functions of more than %d modules match",
				 PROBE_MAX_FILES);
	x = array_reserve(&set->files, &set->files_cap, i + 1, sizeof(*set->files));
	if (x >= 0)
		x = array_reserve(&r->files, &r->files_cap, i + 1, sizeof(*r->files));
	if (x < 0)
		return x;
	r->files[i] = (struct match_file){.wanted = calloc(r->n_specs, sizeof(bool))};
	set->files[i] = (struct probe_file){.path = TAKE_PTR(path), .fd = -EBADF};
	set->n_files++;
	r->n_files = set->n_files;
	return r->files[i].wanted ? (int)i : -ENOMEM;
}

/* Of the kernel itself only: modules have BTF of their own. */
static const struct function_type *find_type(struct resolver *r, const struct kernel_function *f)
{
	const struct function_type *type;

	if (!r->options->want_types || f->module[0])
		return NULL;
	if (!r->kernel_types && btf_types_open(NULL, &r->kernel_types) < 0)
		return NULL;
	return btf_types_find(r->kernel_types, f->name, &type) < 0 ? NULL : type;
}

static int add_point(struct resolver *r, const struct kernel_function *f, size_t spec, bool gate)
{
	struct probe_set *set = r->set;
	struct probe_point *p;
	uint8_t needed = 0;
	int x, file;

	r->total++;
	if (set->n >= PROBE_MAX_POINTS)
		return 0;
	file = find_file(r, f->module);
	if (file < 0)
		return file;
	x = array_reserve(&set->points, &set->cap, set->n + 1, sizeof(*set->points));
	if (x < 0)
		return x;
	p = &set->points[set->n];
	*p = (struct probe_point){
		.symbol = strdup(f->name),
		.offset = f->address,
		.file = (uint32_t)file,
		.spec = (uint32_t)spec,
		.role = match_is_gate(r, spec) ? ROLE_GATE : ROLE_SPAN,
		.kernel = true,
		.fentry = r->specs[spec]->fentry,
		/* Of many it does not matter: they do not get fentry. */
		.ambiguous = set->n < KERNEL_FEW && kernel_functions_is_ambiguous(r->kernel, f),
		.gate = gate,
		.ret = RETURN_PROBE,
		.hit = HIT_EMULATED,
	};
	if (!p->symbol)
		return -ENOMEM;
	x = match_describe(r, p, find_type(r, f), &needed);
	if (x == 0) {
		set->n++;
		return 0;
	}
	free(p->symbol);
	*p = (struct probe_point){};
	r->total--;
	return MIN(x, 0);
}

static const char *reason_of(const struct resolver *r, const struct kernel_function *f,
			     const struct spec *s)
{
	const char *reason = kernel_functions_reason(r->kernel, f);

	if (reason || !s->fentry)
		return reason;
	if (f->module[0])
		return module_fentry;
	return kernel_functions_is_ambiguous(r->kernel, f) ? ambiguous_fentry : NULL;
}

static int check_fentry(struct resolver *r, size_t n)
{
	int x;

	if (n <= PROBE_MAX_FENTRY)
		return 0;
	x = error_set(r->e, E2BIG, "TooMany",
		      "%zu functions match fentry: specifications, more than the limit of %d", n,
		      PROBE_MAX_FENTRY);
	error_fix(r->e, "narrow the glob, or write kprobe:, which takes one link for all");
	return x;
}

static int match_all(struct resolver *r)
{
	size_t n, n_fentry = 0;
	const struct kernel_function *all = kernel_functions_all(r->kernel, &n);
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		const struct kernel_function *f = &all[i];
		const char *reason;
		bool gate;
		int x, spec = f->address == last ? -ENOENT : find_spec(r, f, &gate);

		if (spec < 0)
			continue;
		if (is_excluded(r, f)) {
			r->excluded++;
			continue;
		}
		if (r->specs[spec]->fentry && ++n_fentry > PROBE_MAX_FENTRY)
			continue;
		reason = reason_of(r, f, r->specs[spec]);
		if (reason) {
			match_leave_out(r, f->name, reason);
			continue;
		}
		/* Of aliases the first that matches. */
		last = f->address;
		x = add_point(r, f, (size_t)spec, gate);
		if (x < 0)
			return x;
	}
	return check_fentry(r, n_fentry);
}

int kernel_match(struct resolver *r)
{
	bool wanted = false;
	size_t before = r->total;
	int x;

	for (size_t i = 0; i < r->n_specs; i++)
		wanted |= r->specs[i]->kind == SPEC_KERNEL && !r->specs[i]->exclude;
	if (!wanted)
		return 0;
	x = kernel_functions_load(NULL, r->e, &r->kernel);
	if (x >= 0)
		x = match_all(r);
	if (x < 0)
		return x;
	if (r->total > before && !kernel_functions_are_certain(r->kernel))
		return match_note(r,
				  "what the kernel can trace is not known, so that it may refuse "
				  "some functions: mount -t tracefs tracefs /sys/kernel/tracing");
	return 0;
}

int kernel_match_explain(struct resolver *r, const struct spec *s)
{
	size_t n = 0;
	const struct kernel_function *all = kernel_functions_all(r->kernel, &n);
	_cleanup_(strbuf_release) struct strbuf list = {};
	bool module_found = !s->binary;
	struct near near;

	near_init(&near, s->pattern, NEAR_NAMES);
	for (size_t i = 0; i < n; i++) {
		bool same = kernel_match_module(s, all[i].module);

		module_found |= same;
		if (same)
			near_offer(&near, all[i].name);
	}
	for (size_t i = 0; i < near.n; i++)
		strbuf_printf(&list, "%s%.100s", i ? ", " : "", near.names[i]);
	if (!module_found) {
		error_set(r->e, ENOENT, "NothingMatches", "'%s': no module called %s is loaded",
			  s->text, s->binary);
		error_fix(r->e, "load it (modprobe), or leave its name out: lsmod lists what is "
				"loaded, and vmlinux is the kernel itself");
	} else {
		error_set(r->e, ENOENT, "NothingMatches", "'%s' matches no kernel function%s%s",
			  s->text, list.len ? "; did you mean " : "", list.len ? list.data : "");
		error_fix(r->e, "%s",
			  list.len ? "use one of these names"
				   : "/proc/kallsyms lists the names; functions that the compiler "
				     "has inlined have none");
	}
	return -ENOENT;
}

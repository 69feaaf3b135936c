/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/kernel_functions.h"

#include <fnmatch.h>

#include "symbol/kallsyms.h"

static const char not_traced[] = "the kernel does not let it be traced";
static const char forbidden[] = "the kernel forbids probes in it";
static const char no_return[] = "it never returns";
static const char other_thread[] = "it returns on another thread";
static const char of_probes[] = "probes themselves call it";

/* From a function's first byte to where the tracer's call is: behind an endbr64 or a landing pad.
 */
enum { CALL_DISTANCE = 16, FILE_MAX = 64 << 20 };

/* Globs over names. What probes call would be probed from within a probe, which the kernel drops.
 */
static const struct {
	const char *glob, *reason;
} unsafe[] = {
	{"*.cold", forbidden},
	{"*.cold.*", forbidden},
	{"do_exit", no_return},
	{"do_group_exit", no_return},
	{"make_task_dead", no_return},
	{"kthread_exit", no_return},
	{"kthread_complete_and_exit", no_return},
	{"__module_put_and_kthread_exit", no_return},
	{"__*_sys_exit", no_return},
	{"__*_sys_exit_group", no_return},
	{"panic", no_return},
	{"nmi_panic", no_return},
	{"*_play_dead", no_return},
	{"machine_halt", no_return},
	{"machine_restart", no_return},
	{"cpu_startup_entry", no_return},
	{"ret_from_fork*", no_return},
	{"__switch_to*", other_thread},
	{"schedule_tail", other_thread},
	{"finish_task_switch*", other_thread},
	{"bpf_*", of_probes},
	{"__bpf_*", of_probes},
	{"____bpf_*", of_probes},
	{"trace_call_bpf", of_probes},
	{"htab_*", of_probes},
	{"__htab_*", of_probes},
	{"array_map_*", of_probes},
	{"percpu_array_*", of_probes},
	{"kprobe*", of_probes},
	{"kretprobe*", of_probes},
	{"fprobe_*", of_probes},
	{"rethook_*", of_probes},
	{"arch_rethook*", of_probes},
	{"ftrace_*", of_probes},
	{"perf_trace_*", of_probes},
	{"rcu_read_*", of_probes},
	{"__rcu_read_*", of_probes},
	{"rcu_is_watching", of_probes},
	{"migrate_disable", of_probes},
	{"migrate_enable", of_probes},
	{"preempt_count_*", of_probes},
	{"_raw_spin_*", of_probes},
	{"ktime_get*", of_probes},
	{"sched_clock*", of_probes},
	{"local_clock*", of_probes},
	{"copy_from_kernel_nofault*", of_probes},
	{"copy_from_user_nofault", of_probes},
	{"irq_work_queue*", of_probes},
};

static const char *unsafe_reason(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
		if (fnmatch(unsafe[i].glob, name, 0) == 0)
			return unsafe[i].reason;
	return NULL;
}

/* A line of one of the lists. What it does not have is 0 or "". */
struct line {
	uint64_t start, end;
	const char *name, *module;
};

struct list {
	char *text;
	struct line *lines;
	size_t n, cap;
	bool known, has_addresses;
};

struct kernel_functions {
	struct kallsyms *symbols;
	struct kernel_function *all;
	size_t n, cap;
	struct list traced, blacklist;
};

static void list_release(struct list *l)
{
	free(l->text);
	free(l->lines);
}

/*
 * Lines of three files: "NAME" and "NAME [MODULE]", the same behind a hexadecimal address, and
 * "0xSTART-0xEND\tNAME".
 */
static int add_line(struct list *l, char *text, bool addresses)
{
	struct line line = {.module = ""};
	char *name = text, *module;
	int r;

	if (addresses) {
		line.start = strtoull(text, &name, 16);
		line.end = *name == '-' ? strtoull(name + 1, &name, 16) : line.start;
		l->has_addresses |= line.start != 0;
	}
	name += strspn(name, " \t");
	module = name + strcspn(name, " \t");
	if (module == name)
		return 0;
	if (*module) {
		*module++ = '\0';
		module += strspn(module, " \t[");
		module[strcspn(module, "]")] = '\0';
		line.module = module;
	}
	line.name = name;
	r = array_reserve(&l->lines, &l->cap, l->n + 1, sizeof(*l->lines));
	if (r >= 0)
		l->lines[l->n++] = line;
	return r;
}

static int compare_names(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : strcmp(a->module, b->module);
}

static int compare_addresses(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* A list that cannot be read is not known; only memory that is short is an error. */
static int list_load(struct list *l, const char *root, const char *path, bool addresses)
{
	_cleanup_(freep) char *full = NULL;
	char *rest;
	int r;

	if (l->known)
		return 0;
	if (asprintf(&full, "%s%s", root ? root : "", path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	r = read_file(full, FILE_MAX, &l->text, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	rest = l->text;
	for (char *line; r >= 0 && (line = strsep(&rest, "\n"));)
		r = add_line(l, line, addresses);
	if (r < 0)
		return r;
	qsort(l->lines, l->n, sizeof(*l->lines),
	      l->has_addresses ? compare_addresses : compare_names);
	l->known = l->n > 0;
	if (!l->known) {
		list_release(l);
		*l = (struct list){};
	}
	return 0;
}

/* The last line that begins at or before the address. */
static const struct line *find_before(const struct list *l, uint64_t address)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->lines[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &l->lines[low - 1] : NULL;
}

static bool has_name(const struct list *l, const struct kernel_function *f)
{
	const struct line key = {.name = f->name, .module = f->module};

	return l->n && bsearch(&key, l->lines, l->n, sizeof(key), compare_names);
}

static bool is_traced(const struct list *l, const struct kernel_function *f)
{
	const struct line *line;

	if (!l->known)
		return true;
	if (!l->has_addresses)
		return has_name(l, f);
	line = find_before(l, f->address + CALL_DISTANCE);
	return line && line->start >= f->address;
}

static bool is_forbidden(const struct list *l, const struct kernel_function *f)
{
	const struct line *line;

	if (!l->known)
		return false;
	if (!l->has_addresses)
		return has_name(l, f);
	line = find_before(l, f->address);
	return line && f->address < line->end;
}

static int add_function(const char *name, const char *module, uint64_t address, void *data)
{
	/* Made at run time, or the padding before functions. */
	static const char *const no_modules[] = {"bpf", "__builtin__kprobes", "__builtin__ftrace"};
	struct kernel_functions *f = data;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(no_modules); i++)
		if (streq(module, no_modules[i]))
			return 0;
	if (startswith(name, "__pfx_") || startswith(name, "__cfi_"))
		return 0;
	r = array_reserve(&f->all, &f->cap, f->n + 1, sizeof(*f->all));
	if (r < 0)
		return r;
	f->all[f->n++] =
		(struct kernel_function){.name = name, .module = module, .address = address};
	return 0;
}

static int load_lists(struct kernel_functions *f, const char *root)
{
	static const struct {
		const char *path;
		bool addresses;
	} lists[] = {
		/* With addresses since Linux 6.5. */
		{"/sys/kernel/tracing/available_filter_functions_addrs", true},
		{"/sys/kernel/debug/tracing/available_filter_functions_addrs", true},
		{"/sys/kernel/tracing/available_filter_functions", false},
		{"/sys/kernel/debug/tracing/available_filter_functions", false},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lists); i++)
		r = list_load(&f->traced, root, lists[i].path, lists[i].addresses);
	if (r < 0)
		return r;
	return list_load(&f->blacklist, root, "/sys/kernel/debug/kprobes/blacklist", true);
}

int kernel_functions_load(const char *root, struct error *e, struct kernel_functions **ret)
{
	_cleanup_(kernel_functions_freep) struct kernel_functions *f = calloc(1, sizeof(*f));
	_cleanup_(freep) char *path = NULL;
	int r;

	if (!f)
		return -ENOMEM;
	if (root && asprintf(&path, "%s/proc/kallsyms", root) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = kallsyms_load(path, e, &f->symbols);
	if (r >= 0)
		r = kallsyms_each(f->symbols, add_function, f);
	if (r >= 0)
		r = load_lists(f, root);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

struct kernel_functions *kernel_functions_free(struct kernel_functions *f)
{
	if (!f)
		return NULL;
	kallsyms_free(f->symbols);
	list_release(&f->traced);
	list_release(&f->blacklist);
	free(f->all);
	free(f);
	return NULL;
}

const struct kernel_function *kernel_functions_all(const struct kernel_functions *f, size_t *ret_n)
{
	*ret_n = f->n;
	return f->all;
}

bool kernel_functions_are_certain(const struct kernel_functions *f)
{
	return f->traced.known;
}

/* The list has one name of an address: its aliases are traced as well. */
static bool any_alias_is_traced(const struct kernel_functions *f, const struct kernel_function *k)
{
	const struct kernel_function *end = f->all + f->n, *alias = k;

	while (alias > f->all && alias[-1].address == k->address)
		alias--;
	for (; alias < end && alias->address == k->address; alias++)
		if (is_traced(&f->traced, alias))
			return true;
	return false;
}

const char *kernel_functions_reason(const struct kernel_functions *f,
				    const struct kernel_function *function)
{
	const char *reason = unsafe_reason(function->name);

	if (reason)
		return reason;
	if (is_forbidden(&f->blacklist, function))
		return forbidden;
	return any_alias_is_traced(f, function) ? NULL : not_traced;
}

bool kernel_functions_is_ambiguous(const struct kernel_functions *f,
				   const struct kernel_function *function)
{
	for (size_t i = 0; i < f->n; i++)
		if (streq(f->all[i].name, function->name) && &f->all[i] != function)
			return true;
	return false;
}

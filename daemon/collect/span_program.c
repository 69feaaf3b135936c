/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "span_program_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "flat.skel.h"
#include "span.skel.h"

/* Not in the uapi headers of Debian 12; numbers of Linux 6.6 and 6.13 (include/uapi/linux/bpf.h).
 */
#define ATTACH_UPROBE_MULTI   ((enum bpf_attach_type)48)
#define ATTACH_UPROBE_SESSION ((enum bpf_attach_type)57)

/* Per-CPU statistics are memory of the kernel: a limit for what one session may take. */
enum { MAX_STATS_BYTES = 512 << 20, MAX_GOROUTINES = 8192 };

static int load_error(struct error *error, int r)
{
	error_set(error, -r, r == -EPERM || r == -EACCES ? "PermissionDenied" : "NotSupported",
		  "the kernel refused the span programs: %s", strerror(-r));
	error_fix(error,
		  "run sonde doctor to see what this kernel lacks; SONDE_LOG_LEVEL=debug shows the "
		  "verifier's reason");
	return r;
}

static int size_stats(struct span_program *p, struct bpf_map *map, const struct span_options *o,
		      struct error *error)
{
	uint64_t bytes = (uint64_t)o->n_probes * sizeof(struct kernel_stat) * (uint64_t)p->n_cpus;
	int r;

	p->stats = map;
	if (!o->stats_only)
		return 0;
	if (bytes > MAX_STATS_BYTES) {
		error_set(
			error, E2BIG, "TooMany",
			"statistics of %u functions on %d CPUs would take %llu MB of kernel memory",
			o->n_probes, p->n_cpus, (unsigned long long)(bytes >> 20));
		error_fix(error, "narrow the probe specification, or leave out --stats-only");
		return -E2BIG;
	}
	r = bpf_map__set_max_entries(map, MAX(o->n_probes, 1U));
	if (r < 0)
		return r;
	p->scratch = calloc((size_t)p->n_cpus, sizeof(*p->scratch));
	return p->scratch ? 0 : -ENOMEM;
}

static int load_flat(struct span_program *p, const struct kernel_side *kernel,
		     const struct span_options *o, struct error *error)
{
	int r;

	p->flat = flat_bpf__open();
	if (!p->flat)
		return load_error(error, -errno);
	p->flat->rodata->session = o->slot;
	p->flat->rodata->filter_targets = o->filter_targets;
	p->flat->rodata->errors_only = o->errors_only;
	p->flat->rodata->null_is_error = o->null_is_error;
	p->flat->bss->min_duration_ns = o->min_duration_ns;
	bpf_program__set_expected_attach_type(p->flat->progs.flat_session, ATTACH_UPROBE_SESSION);
	r = size_stats(p, p->flat->maps.stats, o, error);
	if (r < 0)
		return r;
	r = kernel_side_share_maps(kernel, p->flat->obj);
	if (r < 0)
		return r;
	r = flat_bpf__load(p->flat);
	return r < 0 ? load_error(error, r) : 0;
}

/* Which programs a session needs, and as what they are attached. */
static const struct {
	const char *name;
	enum { BY_UPROBE, BY_KPROBE, BY_TRACING, WHEN_ASKED } by;
	size_t wanted; /* offset of the option that asks for it */
} parts[] = {
	{"span_entry", BY_UPROBE, SIZE_MAX},
	{"span_return", BY_UPROBE, SIZE_MAX},
	{"span_site", BY_UPROBE, offsetof(struct span_options, sites)},
	{"span_throw", BY_UPROBE, offsetof(struct span_options, throws)},
	{"span_catch", BY_UPROBE, offsetof(struct span_options, throws)},
	{"span_emit", BY_UPROBE, offsetof(struct span_options, rich)},
	{"span_reject", BY_UPROBE, offsetof(struct span_options, rich)},
	{"span_hide", BY_UPROBE, offsetof(struct span_options, rich)},
	{"span_emit_stack", BY_UPROBE, offsetof(struct span_options, stacks)},
	{"kernel_entry", BY_KPROBE, offsetof(struct span_options, kernel)},
	{"kernel_return", BY_KPROBE, offsetof(struct span_options, kernel)},
	{"kernel_emit", BY_KPROBE, offsetof(struct span_options, rich)},
	{"kernel_reject", BY_KPROBE, offsetof(struct span_options, rich)},
	{"kernel_hide", BY_KPROBE, offsetof(struct span_options, rich)},
	{"kernel_emit_stack", BY_KPROBE, offsetof(struct span_options, stacks)},
	{"static_entry", BY_UPROBE, offsetof(struct span_options, statics)},
	{"static_return", BY_UPROBE, offsetof(struct span_options, statics)},
	{"static_instant", BY_UPROBE, offsetof(struct span_options, statics)},
	{"source_batch", BY_UPROBE, offsetof(struct span_options, sources)},
	{"source_thread", BY_UPROBE, offsetof(struct span_options, sources)},
	{"source_single", BY_UPROBE, offsetof(struct span_options, sources)},
	{"source_exit", BY_TRACING, offsetof(struct span_options, sources)},
	{"source_exec", BY_TRACING, offsetof(struct span_options, sources)},
	{"source_look", WHEN_ASKED, offsetof(struct span_options, sources)},
	{"span_switch", BY_TRACING, offsetof(struct span_options, offcpu)},
	{"span_exit", BY_TRACING, SIZE_MAX},
	{"span_exec", BY_TRACING, SIZE_MAX},
};

/* Since Linux 6.10. Looked for once, as that takes a while. */
static bool has_prepare_exec(void)
{
	static int known = -1;

	if (known < 0)
		known = libbpf_find_vmlinux_btf_id("sched_prepare_exec", BPF_TRACE_RAW_TP) > 0;
	return known;
}

static bool is_wanted(const struct span_options *o, size_t part)
{
	bool wanted = parts[part].wanted == SIZE_MAX ||
		      *(const bool *)((const char *)o + parts[part].wanted);

	if (o->only_sources && parts[part].wanted != offsetof(struct span_options, sources))
		return false;
	if (streq(parts[part].name, "source_exec") && !has_prepare_exec())
		return false;
	return wanted && (parts[part].by != BY_KPROBE || o->kernel);
}

static void choose_programs(struct span_program *p, const struct span_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(p->span->obj, parts[i].name);

		if (!program)
			continue;
		bpf_program__set_autoload(program, is_wanted(o, i));
		if (parts[i].by == BY_UPROBE && o->multi)
			bpf_program__set_expected_attach_type(program, ATTACH_UPROBE_MULTI);
		if (parts[i].by == BY_KPROBE && o->kernel_multi)
			bpf_program__set_expected_attach_type(program, BPF_TRACE_KPROBE_MULTI);
	}
}

static void set_constants(struct span_program *p, const struct span_options *o)
{
	p->span->rodata->session = o->slot;
	p->span->rodata->path_seed = o->path_seed;
	p->span->rodata->filter_targets = o->filter_targets;
	p->span->rodata->errors_only = o->errors_only;
	p->span->rodata->unwound_only = o->unwound_only;
	p->span->rodata->null_is_error = o->null_is_error;
	p->span->rodata->stats_only = o->stats_only;
	p->span->rodata->rich = o->rich;
	p->span->rodata->use_info = o->use_info;
	p->span->rodata->has_gates = o->has_gates;
	p->span->rodata->goroutines = o->goroutines;
	p->span->rodata->in_sources =
		o->sources && !o->only_sources && !o->stats_only && !o->goroutines;
	if (o->max_depth > 0)
		p->span->rodata->max_depth = o->max_depth;
	p->span->bss->min_duration_ns = o->min_duration_ns;
}

static int size_maps(struct span_program *p, const struct span_options *o, struct error *error)
{
	uint32_t n = MAX(o->n_probes, 1U);
	int r = size_stats(p, p->span->maps.stats, o, error);

	if (r >= 0 && (o->rich || o->use_info || o->sites))
		r = bpf_map__set_max_entries(p->span->maps.infos, n);
	if (r >= 0 && (o->rich || o->statics))
		r = bpf_map__set_max_entries(p->span->maps.fetches, n);
	if (r >= 0 && o->goroutines)
		r = bpf_map__set_max_entries(p->span->maps.goroutine_threads, MAX_GOROUTINES);
	if (r >= 0 && o->goroutines && o->rich)
		r = bpf_map__set_max_entries(p->span->maps.goroutine_calls, MAX_GOROUTINES);
	return r;
}

/* What conditions end in, at the start of a program array. */
static int fill_outcomes(int array, struct bpf_program *const outcomes[4])
{
	for (uint32_t i = 0; i < 4; i++) {
		int fd = bpf_program__fd(outcomes[i]);

		if (fd >= 0 && bpf_map_update_elem(array, &i, &fd, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int fill_programs(struct span_program *p, const struct span_options *o)
{
	struct bpf_program *const user[4] = {
		[PROGRAM_EMIT] = p->span->progs.span_emit,
		[PROGRAM_REJECT] = p->span->progs.span_reject,
		[PROGRAM_EMIT_STACK] = p->span->progs.span_emit_stack,
		[PROGRAM_HIDE] = p->span->progs.span_hide,
	};
	struct bpf_program *const kernel[4] = {
		[PROGRAM_EMIT] = p->span->progs.kernel_emit,
		[PROGRAM_REJECT] = p->span->progs.kernel_reject,
		[PROGRAM_EMIT_STACK] = p->span->progs.kernel_emit_stack,
		[PROGRAM_HIDE] = p->span->progs.kernel_hide,
	};
	int r = 0;

	if (o->rich)
		r = fill_outcomes(bpf_map__fd(p->span->maps.programs), user);
	if (r >= 0 && o->rich && o->kernel)
		r = fill_outcomes(bpf_map__fd(p->span->maps.kernel_programs), kernel);
	return r;
}

/* Unless choose_programs() has left it out. */
static int attach_one(const struct bpf_program *program, struct bpf_link **ret)
{
	if (!bpf_program__autoload(program))
		return 0;
	*ret = bpf_program__attach(program);
	return *ret ? 0 : -errno;
}

static int attach_tracing(struct span_program *p)
{
	int r = attach_one(p->span->progs.span_exit, &p->exit);

	if (r >= 0)
		r = attach_one(p->span->progs.span_exec, &p->exec);
	if (r >= 0)
		r = attach_one(p->span->progs.span_switch, &p->offcpu);
	if (r >= 0)
		r = attach_one(p->span->progs.source_exit, &p->source_exit);
	if (r >= 0)
		r = attach_one(p->span->progs.source_exec, &p->source_exec);
	return r;
}

static int load_span(struct span_program *p, const struct kernel_side *kernel,
		     const struct span_options *o, struct error *error)
{
	int r;

	p->span = span_bpf__open();
	if (!p->span)
		return load_error(error, -errno);
	set_constants(p, o);
	choose_programs(p, o);
	r = size_maps(p, o, error);
	if (r < 0)
		return r;
	r = kernel_side_share_maps(kernel, p->span->obj);
	if (r < 0)
		return r;
	r = span_bpf__load(p->span);
	if (r >= 0)
		r = fill_programs(p, o);
	if (r >= 0)
		r = attach_tracing(p);
	return r < 0 ? load_error(error, r) : 0;
}

/* What has been loaded, so that something else can be. */
static void span_program_release(struct span_program *p)
{
	bpf_link__destroy(p->offcpu);
	bpf_link__destroy(p->exit);
	bpf_link__destroy(p->exec);
	bpf_link__destroy(p->source_exit);
	bpf_link__destroy(p->source_exec);
	p->offcpu = p->exit = p->exec = p->source_exit = p->source_exec = NULL;
	span_bpf__destroy(p->span);
	flat_bpf__destroy(p->flat);
	free(p->scratch);
	p->span = NULL;
	p->flat = NULL;
	p->scratch = NULL;
}

int span_program_load(const struct kernel_side *kernel, const struct span_options *options,
		      struct error *error, struct span_program **ret)
{
	_cleanup_(span_program_freep) struct span_program *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->n_cpus = libbpf_num_possible_cpus();
	p->attach_type = options->multi ? (int)ATTACH_UPROBE_MULTI : 0;
	p->kernel_attach_type = options->kernel_multi ? BPF_TRACE_KPROBE_MULTI : 0;
	r = -EOPNOTSUPP;
	if (options->stats_only && options->session_link && !options->rich && !options->use_info &&
	    !options->sites && !options->has_gates && !options->kernel && !options->unwound_only &&
	    !options->statics && !options->sources)
		r = load_flat(p, kernel, options, NULL);
	/* The kfuncs of session links have changed before (7.0): the pair of probes always works.
	 */
	if (r < 0) {
		span_program_release(p);
		r = load_span(p, kernel, options, error);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

struct span_program *span_program_free(struct span_program *p)
{
	if (!p)
		return NULL;
	span_program_release(p);
	free(p);
	return NULL;
}

static int fd_of(const struct bpf_program *program)
{
	int fd = bpf_program__fd(program);

	return fd < 0 ? -1 : fd;
}

int span_program_fd(const struct span_program *p, enum span_part part)
{
	if (part == SPAN_PART_SESSION)
		return p->flat ? fd_of(p->flat->progs.flat_session) : -1;
	if (!p->span)
		return -1;
	switch (part) {
	case SPAN_PART_ENTRY:
		return fd_of(p->span->progs.span_entry);
	case SPAN_PART_RETURN:
		return fd_of(p->span->progs.span_return);
	case SPAN_PART_SITE:
		return fd_of(p->span->progs.span_site);
	case SPAN_PART_THROW:
		return fd_of(p->span->progs.span_throw);
	case SPAN_PART_CATCH:
		return fd_of(p->span->progs.span_catch);
	case SPAN_PART_STATIC_ENTRY:
		return fd_of(p->span->progs.static_entry);
	case SPAN_PART_STATIC_RETURN:
		return fd_of(p->span->progs.static_return);
	case SPAN_PART_STATIC_INSTANT:
		return fd_of(p->span->progs.static_instant);
	case SPAN_PART_SOURCE_BATCH:
		return fd_of(p->span->progs.source_batch);
	case SPAN_PART_SOURCE_THREAD:
		return fd_of(p->span->progs.source_thread);
	case SPAN_PART_SOURCE_SINGLE:
		return fd_of(p->span->progs.source_single);
	case SPAN_PART_KERNEL_ENTRY:
		return fd_of(p->span->progs.kernel_entry);
	case SPAN_PART_KERNEL_RETURN:
		return fd_of(p->span->progs.kernel_return);
	default:
		return -1;
	}
}

static int update(const struct bpf_map *map, uint32_t key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY) < 0 ? -errno : 0;
}

int span_program_set_info(struct span_program *p, uint32_t probe, const struct probe_info *info)
{
	return p->span ? update(p->span->maps.infos, probe, info) : -EINVAL;
}

int span_program_set_fetches(struct span_program *p, uint32_t probe, const struct fetch *fetches,
			     size_t n)
{
	struct fetch row[RECORD_MAX_CAPTURES] = {0};

	if (!p->span || n > RECORD_MAX_CAPTURES)
		return -EINVAL;
	memcpy(row, fetches, n * sizeof(*fetches));
	return update(p->span->maps.fetches, probe, row);
}

void span_program_set_wants(struct span_program *p, uint32_t wants, bool send_calls)
{
	if (!p->span)
		return;
	__atomic_store_n(&p->span->bss->wants, wants, __ATOMIC_RELAXED);
	__atomic_store_n(&p->span->bss->send_calls, send_calls, __ATOMIC_RELAXED);
}

void span_program_condition_target(const struct span_program *p, bool kernel,
				   struct span_condition_target *ret)
{
	const struct bpf_map *array =
		kernel ? p->span->maps.kernel_programs : p->span->maps.programs;

	*ret = (struct span_condition_target){
		.facts_fd = bpf_map__fd(p->span->maps.pending),
		.verdict_fd = bpf_map__fd(array),
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.attach_type = kernel ? p->kernel_attach_type : p->attach_type,
	};
}

int span_program_set_condition(struct span_program *p, bool kernel, uint32_t index, int fd)
{
	const struct bpf_map *array;

	if (!p->span || index < PROGRAM_FIRST || index >= PROGRAMS_MAX)
		return -EINVAL;
	array = kernel ? p->span->maps.kernel_programs : p->span->maps.programs;
	if (fd >= 0)
		return update(array, index, &fd);
	return bpf_map_delete_elem(bpf_map__fd(array), &index) < 0 && errno != ENOENT ? -errno : 0;
}

void span_program_share_condition(struct span_program *p, bool shared)
{
	if (p->span)
		__atomic_store_n(&p->span->bss->shared_end, shared, __ATOMIC_RELAXED);
}

void span_program_set_active(struct span_program *p, bool active)
{
	if (p->span)
		__atomic_store_n(&p->span->bss->active, active, __ATOMIC_RELAXED);
}

void span_program_set_first_target(struct span_program *p, uint32_t pid)
{
	if (p->span)
		__atomic_store_n(&p->span->bss->first_target, pid, __ATOMIC_RELAXED);
	if (p->flat)
		__atomic_store_n(&p->flat->bss->first_target, pid, __ATOMIC_RELAXED);
}

int span_program_stat(const struct span_program *p, uint32_t probe, struct kernel_stat *ret)
{
	if (!p->scratch)
		return -EINVAL;
	if (bpf_map_lookup_elem(bpf_map__fd(p->stats), &probe, p->scratch) < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	for (int cpu = 0; cpu < p->n_cpus; cpu++) {
		const struct kernel_stat *s = &p->scratch[cpu];

		ret->errors += s->errors;
		ret->total_ns += s->total_ns;
		ret->max_ns = MAX(ret->max_ns, s->max_ns);
		for (size_t b = 0; b < HIST_BUCKETS; b++)
			ret->buckets[b] += s->buckets[b];
	}
	return 0;
}

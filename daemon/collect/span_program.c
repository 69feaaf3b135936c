/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "span_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "flat.skel.h"
#include "span.skel.h"

/* Not in the uapi headers of Debian 12; numbers of Linux 6.6 and 6.13 (include/uapi/linux/bpf.h).
 */
#define ATTACH_UPROBE_MULTI   ((enum bpf_attach_type)48)
#define ATTACH_UPROBE_SESSION ((enum bpf_attach_type)57)

/* Per-CPU statistics are memory of the kernel: a limit for what one session may take. */
enum { MAX_STATS_BYTES = 512 << 20 };

struct span_program {
	struct span_bpf *span;
	struct flat_bpf *flat;
	struct bpf_map *stats;
	int n_cpus;
	struct kernel_stat *scratch; /* n_cpus of them, for stats-only sessions */
};

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

static int load_span(struct span_program *p, const struct kernel_side *kernel,
		     const struct span_options *o, struct error *error)
{
	int r;

	p->span = span_bpf__open();
	if (!p->span)
		return load_error(error, -errno);
	p->span->rodata->session = o->slot;
	p->span->rodata->path_seed = o->path_seed;
	p->span->rodata->filter_targets = o->filter_targets;
	p->span->rodata->want_args = o->want_args;
	p->span->rodata->errors_only = o->errors_only;
	p->span->rodata->null_is_error = o->null_is_error;
	p->span->rodata->stats_only = o->stats_only;
	if (o->max_depth > 0)
		p->span->rodata->max_depth = o->max_depth;
	p->span->bss->min_duration_ns = o->min_duration_ns;
	if (o->multi) {
		bpf_program__set_expected_attach_type(p->span->progs.span_entry,
						      ATTACH_UPROBE_MULTI);
		bpf_program__set_expected_attach_type(p->span->progs.span_return,
						      ATTACH_UPROBE_MULTI);
	}
	r = size_stats(p, p->span->maps.stats, o, error);
	if (r < 0)
		return r;
	r = kernel_side_share_maps(kernel, p->span->obj);
	if (r < 0)
		return r;
	r = span_bpf__load(p->span);
	return r < 0 ? load_error(error, r) : 0;
}

/* What has been loaded, so that something else can be. */
static void span_program_release(struct span_program *p)
{
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
	r = -EOPNOTSUPP;
	if (options->stats_only && options->session_link)
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

int span_program_entry_fd(const struct span_program *p)
{
	return p->span ? bpf_program__fd(p->span->progs.span_entry) : -1;
}

int span_program_return_fd(const struct span_program *p)
{
	return p->span ? bpf_program__fd(p->span->progs.span_return) : -1;
}

int span_program_session_fd(const struct span_program *p)
{
	return p->flat ? bpf_program__fd(p->flat->progs.flat_session) : -1;
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

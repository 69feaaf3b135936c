/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics that the kernel keeps (stats_only): they only grow, so what is of one window is what
 * has come since the one before.
 */
#include "control/session.h"

#include "sonde/base/format.h"

static uint64_t count_at(const struct hist *h, uint32_t bucket)
{
	return bucket - h->first < h->len ? h->counts[bucket - h->first] : 0;
}

/*
 * Of one probe; seen: what is not of interest any more, NULL for nothing. The kernel's counters of
 * 32 bits may have gone round. The longest call is known of all calls only: of some it is no longer
 * than their highest bucket.
 */
static int read_probe(struct session *s, uint32_t i, struct kernel_stat *k,
		      const struct span_stat *seen, struct span_stat *ret)
{
	uint32_t highest = 0;
	int r = span_program_stat(s->program, i, k);

	*ret = (struct span_stat){};
	for (uint32_t b = 0; b < HIST_BUCKETS && r >= 0; b++) {
		uint32_t n = k->buckets[b] - (uint32_t)(seen ? count_at(&seen->hist, b) : 0);

		if (!n)
			continue;
		if (!ret->calls)
			ret->min_ns = hist_lower(b);
		ret->calls += n;
		highest = b;
		r = hist_add_bucket(&ret->hist, b, n);
	}
	ret->process = s->options.n_pids == 1
			       ? processes_find(s->context->processes, s->options.pids[0])
			       : processes_anyone(s->context->processes);
	ret->path = model_path(s->context->model, 0, s->first_probe + i);
	ret->errors = k->errors - (seen ? seen->errors : 0);
	ret->total_ns = ret->self_ns = k->total_ns - (seen ? seen->total_ns : 0);
	ret->max_ns = seen ? MIN(k->max_ns, hist_lower(highest + 1) - 1) : k->max_ns;
	return r;
}

static int see(struct span_stat *seen, const struct kernel_stat *k, const struct span_stat *stat)
{
	seen->errors = k->errors;
	seen->total_ns = k->total_ns;
	return hist_merge(&seen->hist, &stat->hist);
}

static int read_probes(struct session *s, struct span_stat *seen, struct window *ret)
{
	_cleanup_(window_release) struct window w = {.start_ns = s->total.start_ns,
						     .end_ns = now_monotonic_ns()};
	_cleanup_(freep) struct kernel_stat *k = malloc(sizeof(*k));
	int r = k ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < s->probes->n && r >= 0; i++) {
		struct span_stat stat;

		r = read_probe(s, i, k, seen ? &seen[i] : NULL, &stat);
		if (r >= 0 && stat.calls > 0)
			r = window_add_stat(&w, &stat);
		if (r >= 0 && seen)
			r = see(&seen[i], k, &stat);
		hist_release(&stat.hist);
	}
	if (r >= 0)
		window_move(ret, &w);
	return r;
}

int session_kernel_window(struct session *s, struct window *ret)
{
	if (!s->options.stats_only || !s->program || !s->probes)
		return -ENODATA;
	*ret = (struct window){};
	return read_probes(s, NULL, ret);
}

int session_take_kernel_window(struct session *s, struct window *ret)
{
	if (!s->options.stats_only || !s->program || !s->probes)
		return -ENODATA;
	if (!s->kernel_seen)
		s->kernel_seen = calloc(MAX(s->probes->n, 1U), sizeof(*s->kernel_seen));
	*ret = (struct window){};
	return s->kernel_seen ? read_probes(s, s->kernel_seen, ret) : -ENOMEM;
}

void session_release_kernel_seen(struct session *s)
{
	for (uint32_t i = 0; s->kernel_seen && i < s->probes->n; i++)
		hist_release(&s->kernel_seen[i].hist);
	free(s->kernel_seen);
	s->kernel_seen = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/span_samples.h"

#include "control/raw_samples.h"
#include "control/raw_spans.h"
#include "sonde/base/table.h"

enum { MAX_SPANS = 1000000 };

struct span_samples {
	struct raw_samples samples;
	struct raw_spans spans;
	struct span_condition *condition; /* that the answer is for; NULL: none */
	struct sample_times *times;
	struct table counts; /* by (process, path) of the model */
	size_t i;	     /* how many samples a pass has gone through */
};

struct span_samples *span_samples_free(struct span_samples *s)
{
	if (!s)
		return NULL;
	raw_samples_release(&s->samples);
	raw_spans_release(&s->spans);
	span_condition_free(s->condition);
	sample_times_free(s->times);
	table_release(&s->counts);
	free(s);
	return NULL;
}

/* Views, parts of a file, have no samples where they have spans. */
static bool is_worth_it(const struct asked *asked)
{
	const struct session *s = asked->session;

	return asked->kind == QUERY_SPAN && !asked->since_us && !asked->until_us &&
	       !asked->of_times && s->options.frequency_hz && s->n_samples && s->n_spans &&
	       s->n_spans <= MAX_SPANS && !s->options.stats_only && s->kind != SESSION_KEPT &&
	       s->kind != SESSION_RECORD;
}

int span_samples_take(struct daemon *d, const struct asked *asked, struct span_samples **ret)
{
	_cleanup_(span_samples_freep) struct span_samples *s = NULL;
	struct error error = {}; /* what is not there is not counted */
	struct session_context *context = asked->session->context;
	struct asked cpu = *asked;
	int r;

	*ret = NULL;
	if (!is_worth_it(asked))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cpu.kind = QUERY_CPU;
	r = raw_samples_take(d, &cpu, &s->samples, &error);
	if (r >= 0)
		r = raw_spans_take(d, asked->session, &asked->selectors, NULL, NULL, &s->spans,
				   &error);
	if (r >= 0 && asked->where)
		r = span_condition_new(asked->where, context->model, context->monotonic_to_epoch_ns,
				       &s->condition, &error);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	*ret = TAKE_PTR(s);
	return 0;
}

static int claim(void *arg, const struct span_row *row)
{
	struct span_samples *s = arg;
	struct raw_span span = row->span;

	/* What is in a call inside is not in the one around it, whether that matches or not. */
	if (s->condition && !span_condition_match(s->condition, row))
		span.path = 0;
	return sample_times_claim(s->times, &span);
}

static uint64_t key_of(uint32_t process, uint32_t path)
{
	return (uint64_t)process << 32 | path;
}

static int count(void *arg, const struct raw_sample *sample)
{
	struct span_samples *s = arg;
	uint32_t path = sample_times_path(s->times, s->i++), *slot;

	if (!path)
		return 0;
	slot = table_put(&s->counts, key_of(sample->process, path), NULL);
	if (!slot)
		return -ENOMEM;
	*slot += sample->count;
	return 0;
}

int span_samples_count(struct span_samples *s, struct error *error)
{
	const struct spans_filter filter = {.each = claim, .arg = s};
	_cleanup_(spans_query_freep) struct spans_query *query = NULL;
	int r = raw_samples_times(&s->samples, &s->times, error);

	/* Too many to be counted: the answer is as good as any without them. */
	if (r == -E2BIG)
		return 0;
	if (r >= 0 && s->samples.n)
		r = raw_spans_ask(&s->spans, &filter, &query, error);
	if (r >= 0 && s->samples.n)
		r = raw_samples_each(&s->samples, count, s, error);
	return r < 0 ? error_set(error, -r, "Internal", "counting the samples in spans failed: %s",
				 strerror(-r))
		     : 0;
}

void span_samples_give(const struct span_samples *s, struct snapshot *to)
{
	for (size_t i = 0; i < to->n_stats; i++) {
		struct snapshot_stat *stat = &to->stats[i];
		const uint32_t *slot =
			table_get(&s->counts, key_of(stat->stat.process, stat->stat.path));

		stat->samples = slot ? *slot : 0;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/samples_in.h"

#include <inttypes.h>
#include <stdarg.h>

#include "expr/within.h"

enum { MAX_NOTES = 2 };

struct samples_in {
	struct raw_samples samples;
	struct raw_spans spans;
	bool by_span;
	struct sample_times *times; /* NULL until then, and when all samples are meant */
	uint64_t n_spans;	    /* that the question is about */
	struct window sums;
	size_t i; /* how many samples a pass has gone through */
	int (*each)(void *arg, const struct raw_sample *sample);
	void *arg;
	char *notes[MAX_NOTES];
	size_t n_notes;
};

struct samples_in *samples_in_free(struct samples_in *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_notes; i++)
		free(s->notes[i]);
	raw_samples_release(&s->samples);
	raw_spans_release(&s->spans);
	sample_times_free(s->times);
	window_release(&s->sums);
	free(s);
	return NULL;
}

static const char *what(const struct samples_in *s)
{
	return s->samples.kind == SAMPLE_CPU ? "CPU samples" : "waits";
}

static _printf_(2, 3) void note(struct samples_in *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&s->notes[s->n_notes], format, ap) >= 0)
		s->n_notes++;
	va_end(ap);
}

/* What else raw_spans_take() would let through: an answer without spans, which is none here. */
static int check_spans(const struct session *s, struct error *error)
{
	if (s->options.stats_only) {
		error_set(
			error, EINVAL, "BadArgument",
			"session \"%s\" kept statistics only: there are no raw spans that samples "
			"could be in",
			s->name);
		error_fix(error, "make the session without --stats-only");
		return -EINVAL;
	}
	if (s->options.n_specs || s->n_spans)
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "session \"%s\" has no spans that samples could be in", s->name);
	error_fix(error, "probe functions, too: sonde record -F 99 … 'parse_*'");
	return -EINVAL;
}

static int check_samples_taken(const struct samples_in *s, const struct session *session,
			       struct error *error)
{
	bool cpu = s->samples.kind == SAMPLE_CPU;

	if (s->samples.counted ||
	    (cpu ? session->options.frequency_hz > 0 : session->options.offcpu))
		return 0;
	error_set(error, EINVAL, "BadArgument", "session \"%s\" has no %s", session->name, what(s));
	error_fix(error, cpu ? "take some, too: sonde record -F 99 … 'parse_*'"
			     : "keep them, too: sonde record --off-cpu … 'parse_*'");
	return -EINVAL;
}

static int take_spans(struct daemon *d, const struct asked *asked, struct samples_in *s,
		      struct error *error)
{
	_cleanup_(within_release) struct within within = {};
	int r = within_parse(asked->in, &within, error);

	if (r >= 0)
		r = check_spans(asked->session, error);
	if (r >= 0)
		r = check_samples_taken(s, asked->session, error);
	if (r < 0)
		return r;
	s->by_span = true;
	s->spans.is_needed = true;
	return raw_spans_take(d, asked->session, &asked->selectors, within.glob, within.condition,
			      &s->spans, error);
}

int samples_in_take(struct daemon *d, const struct asked *asked, struct samples_in **ret,
		    struct error *error)
{
	_cleanup_(samples_in_freep) struct samples_in *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (r >= 0)
		r = raw_samples_take(d, asked, &s->samples, error);
	if (r >= 0 && asked->in)
		r = take_spans(d, asked, s, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

static int failed(int r, struct error *error)
{
	return error_set(error, -r, "Internal", "bringing samples and spans together failed: %s",
			 strerror(-r));
}

static int note_span(void *arg, const struct span_row *row)
{
	struct samples_in *s = arg;

	s->n_spans++;
	sample_times_note(s->times, &row->span);
	return 0;
}

static int add_row(void *arg, const struct raw_sample *sample)
{
	struct samples_in *s = arg;
	const struct sample_row row = {
		.process = sample->process,
		.thread = sample->thread,
		.stack = sample->stack,
		.kind = sample->kind,
		.count = sample->count,
		.total_ns = sample->total_ns,
	};

	return window_add_row(&s->sums, &row);
}

static int find_times(struct samples_in *s, struct error *error)
{
	int r = raw_samples_times(&s->samples, &s->times, error);

	if (r == -E2BIG) {
		error_set(error, E2BIG, "TooMany",
			  "there are more than %d %s that spans could hold", SAMPLE_TIMES_MAX,
			  what(s));
		error_fix(error, "ask about less at a time, by --since and --until, -p or -c");
	}
	return r;
}

static int find_spans(struct samples_in *s, struct error *error)
{
	const struct spans_filter filter = {.each = note_span, .arg = s};
	_cleanup_(spans_query_freep) struct spans_query *query = NULL;
	int r = raw_spans_ask(&s->spans, &filter, &query, error);

	if (r >= 0 && !s->n_spans)
		note(s, "none of the %" PRIu64 " raw spans is one that was asked for", s->spans.n);
	return r;
}

/* Samples that are not raw could be anywhere. */
static int check_samples(struct samples_in *s, struct error *error)
{
	const struct raw_samples *raw = &s->samples;

	if (raw->n >= raw->counted)
		return 0;
	if (raw->n) {
		note(s,
		     "of %" PRIu64 " %s only %" PRIu64 " were kept with their times: the others "
		     "are left out",
		     raw->counted, what(s), raw->n);
		return 0;
	}
	error_set(error, EINVAL, "BadArgument",
		  "the times of the %" PRIu64 " %s were not kept: nobody knows what they were in",
		  raw->counted, what(s));
	error_fix(error, "recordings of sonde record have them, unless an older sonde has made "
			 "them; what sonde diff and sonde baseline save of a session has not");
	return -EINVAL;
}

int samples_in_find(struct samples_in *s, struct error *error)
{
	int r = 0;

	if (s->by_span)
		r = find_times(s, error);
	if (r >= 0 && s->by_span)
		r = find_spans(s, error);
	for (size_t i = 0; i < samples_in_parts(s) && r >= 0; i++)
		r = samples_in_part(s, i, add_row, s, error);
	if (r >= 0)
		r = check_samples(s, error);
	s->i = 0;
	return r < 0 ? failed(r, error) : 0;
}

const struct window *samples_in_sums(const struct samples_in *s)
{
	return &s->sums;
}

size_t samples_in_parts(const struct samples_in *s)
{
	return raw_samples_parts(&s->samples);
}

static int hand_on(void *arg, const struct raw_sample *sample)
{
	struct samples_in *s = arg;
	size_t i = s->i++;

	return s->by_span && !sample_times_noted(s->times, i) ? 0 : s->each(s->arg, sample);
}

int samples_in_part(struct samples_in *s, size_t i,
		    int (*each)(void *arg, const struct raw_sample *sample), void *arg,
		    struct error *error)
{
	s->each = each;
	s->arg = arg;
	return raw_samples_part(&s->samples, i, hand_on, s, error);
}

void samples_in_add_coverage(const struct samples_in *s, struct coverage *c)
{
	if (s->by_span)
		coverage_add_raw(c, s->spans.n, s->spans.dropped);
}

void samples_in_write_notes(const struct samples_in *s, struct json_writer *w)
{
	size_t n = 0;
	const char *const *notes =
		s->spans.condition ? span_condition_notes(s->spans.condition, &n) : NULL;

	if (n + s->n_notes == 0)
		return;
	json_array_begin(w, "notes");
	for (size_t i = 0; i < n; i++)
		json_string(w, NULL, notes[i]);
	for (size_t i = 0; i < s->n_notes; i++)
		json_string(w, NULL, s->notes[i]);
	json_array_end(w);
}

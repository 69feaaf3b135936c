/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OpenMetrics text: durations of spans as histograms, with a span as the exemplar of each bucket;
 * errors, CPU time and waits as counters. A metric stands for all processes of a name (and
 * container): numbers of processes would make new series without end.
 *
 * Bucket borders are powers of two of a nanosecond, as those of the histograms that are kept
 * (sonde/hist.h): so counts are exact but for durations of exactly that many nanoseconds, which are
 * in the next bucket.
 */
#include "formats.h"
#include "intern.h"
#include "sonde/hist.h"
#include "stacks.h"

enum {
	FIRST_OCTAVE = 10, /* 1.024 us */
	OCTAVE_STEP = 2,
	BOUNDS = 14, /* up to 68.7 s; then +Inf */
};

struct exemplar {
	uint64_t duration_ns, start_ns; /* start 0: there is none */
	uint32_t pid, tid;
};

struct series {
	uint64_t buckets[BOUNDS + 1]; /* of each alone */
	uint64_t calls, errors, unwound, total_ns, self_ns, cpu_ns, wait_ns;
	bool has_calls, has_cpu, has_waits;
	struct exemplar exemplars[BOUNDS + 1];
};

struct prometheus {
	struct intern labels; /* of each series: what stands in its braces */
	struct series *series;
	size_t series_cap;
	struct table of_spans; /* by process and function of spans: the series */
	uint64_t spans_lost, samples_lost;
	struct strbuf text;
};

static int prometheus_begin(struct export *x)
{
	struct prometheus *p = calloc(1, sizeof(*p));
	reply_t *coverage = reply_get(x->session, "coverage");

	x->state = p;
	if (!p)
		return -ENOMEM;
	p->spans_lost = reply_u64(coverage, "spans_lost");
	p->samples_lost = reply_u64(coverage, "samples_lost");
	return 0;
}

static void put_label(struct strbuf *out, const char *name, const char *value)
{
	size_t len = strlen(value);

	if (out->len)
		strbuf_putc(out, ',');
	strbuf_printf(out, "%s=\"", name);
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = utf8_sequence(value + i, len - i);
		if (!n)
			strbuf_puts(out, "\xef\xbf\xbd");
		else if (value[i] == '\n')
			strbuf_puts(out, "\\n");
		else if (value[i] == '"' || value[i] == '\\')
			strbuf_printf(out, "\\%c", value[i]);
		else
			strbuf_append(out, value + i, n);
	}
	strbuf_putc(out, '"');
}

/* NULL: out of memory. function NULL: of samples. */
static struct series *series_of(struct prometheus *p, const char *function, const char *binary,
				const char *comm, const char *container)
{
	uint32_t i;

	strbuf_reset(&p->text);
	if (function) {
		put_label(&p->text, "function", function);
		put_label(&p->text, "binary", binary);
	}
	put_label(&p->text, "comm", comm);
	if (*container)
		put_label(&p->text, "container", container);
	if (strbuf_error(&p->text) < 0 || intern_put(&p->labels, p->text.data, &i) < 0 ||
	    array_reserve(&p->series, &p->series_cap, (size_t)i + 1, sizeof(*p->series)) < 0)
		return NULL;
	return &p->series[i];
}

static size_t bound_of(uint64_t ns)
{
	size_t i = 0;

	while (i < BOUNDS && ns >= 1ULL << (FIRST_OCTAVE + OCTAVE_STEP * i))
		i++;
	return i;
}

static void add_calls(struct series *s, reply_t *calls)
{
	reply_t *count;

	s->has_calls = true;
	s->calls += reply_u64(calls, "calls");
	s->errors += reply_u64(calls, "errors");
	s->unwound += reply_u64(calls, "unwound");
	s->total_ns += reply_u64(calls, "total_ns");
	s->self_ns += reply_u64(calls, "self_ns");
	for (reply_t *bucket = reply_first(calls, "histogram"); bucket;
	     bucket = reply_next(count)) {
		uint64_t i = reply_value(bucket);

		count = reply_next(bucket);
		if (!count || i >= HIST_BUCKETS)
			break;
		s->buckets[bound_of(hist_lower((unsigned int)i))] += reply_value(count);
	}
}

static int prometheus_stacks(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	int r = stacks_read(reply, &s, x->error);

	for (size_t i = 0; i < s.n_samples && r >= 0; i++) {
		const struct stacks_sample *sample = &s.samples[i];
		const struct stacks_process *p = &s.processes[sample->process];
		const struct stacks_frame *f = &s.frames[s.leaves[sample->stack]];
		bool spans = s.kind == ANSWER_SPANS;
		struct series *to = series_of(x->state, spans ? f->func : NULL, stacks_binary(f),
					      p->comm, p->container);

		if (!to)
			return -ENOMEM;
		if (spans) {
			add_calls(to, sample->calls);
		} else if (s.kind == ANSWER_CPU) {
			to->has_cpu = true;
			to->cpu_ns += sample->ns;
		} else {
			to->has_waits = true;
			to->wait_ns += sample->ns;
		}
	}
	return r;
}

/* The exemplar of a bucket is the latest span in it. */
static int prometheus_span(struct export *x, const struct exported_span *span)
{
	const struct exported_thread *t = &x->source->threads[span->thread];
	const struct exported_process *process = &x->source->processes[t->process];
	const struct exported_function *f = &x->source->functions[span->function];
	struct prometheus *p = x->state;
	struct exemplar *to;
	uint32_t *slot;
	bool is_new;

	if (span->flags & EXPORTED_COUNTER)
		return 0;
	slot = table_put(&p->of_spans, (uint64_t)t->process << 32 | span->function, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		struct series *s =
			series_of(p, f->name, f->binary, process->comm, process->container);

		if (!s)
			return -ENOMEM;
		*slot = (uint32_t)(s - p->series);
	}
	to = &p->series[*slot].exemplars[bound_of(span->duration_ns)];
	if (span->start_ns >= to->start_ns)
		*to = (struct exemplar){span->duration_ns, span->start_ns, process->pid, t->tid};
	return 0;
}

/* Nanoseconds as seconds, exactly. */
static void put_seconds(struct strbuf *out, uint64_t ns)
{
	strbuf_printf(out, "%llu.%09llu", (unsigned long long)(ns / NSEC_PER_SEC),
		      (unsigned long long)(ns % NSEC_PER_SEC));
}

static void put_exemplar(struct strbuf *out, const struct exemplar *e)
{
	if (!e->start_ns)
		return;
	strbuf_printf(out, " # {pid=\"%u\",tid=\"%u\",start_ns=\"%llu\"} ", e->pid, e->tid,
		      (unsigned long long)e->start_ns);
	put_seconds(out, e->duration_ns);
	strbuf_putc(out, ' ');
	put_seconds(out, e->start_ns + e->duration_ns < e->start_ns ? e->start_ns
								    : e->start_ns + e->duration_ns);
}

static void put_histogram(struct strbuf *out, const char *name, const char *labels,
			  const struct series *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= BOUNDS; i++) {
		n += s->buckets[i];
		strbuf_printf(out, "%s_bucket{%s,le=\"", name, labels);
		if (i == BOUNDS)
			strbuf_puts(out, "+Inf");
		else
			put_seconds(out, 1ULL << (FIRST_OCTAVE + OCTAVE_STEP * i));
		strbuf_printf(out, "\"} %llu", (unsigned long long)n);
		put_exemplar(out, &s->exemplars[i]);
		strbuf_putc(out, '\n');
	}
	/* The buckets say how many there are: a count that differs would be refused. */
	strbuf_printf(out, "%s_count{%s} %llu\n", name, labels, (unsigned long long)n);
	strbuf_printf(out, "%s_sum{%s} ", name, labels);
	put_seconds(out, s->total_ns);
	strbuf_putc(out, '\n');
}

static void put_head(struct strbuf *out, const char *name, const char *type, const char *unit,
		     const char *help)
{
	strbuf_printf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		strbuf_printf(out, "# UNIT %s %s\n", name, unit);
	strbuf_printf(out, "# HELP %s %s\n", name, help);
}

enum counter { ERRORS, UNWOUND, SELF, CPU, WAITS, COUNTERS };

static bool counter_value(const struct series *s, enum counter c, uint64_t *ret)
{
	const struct {
		bool has;
		uint64_t value;
	} values[COUNTERS] = {
		[ERRORS] = {s->has_calls, s->errors}, [UNWOUND] = {s->has_calls, s->unwound},
		[SELF] = {s->has_calls, s->self_ns},  [CPU] = {s->has_cpu, s->cpu_ns},
		[WAITS] = {s->has_waits, s->wait_ns},
	};

	*ret = values[c].value;
	return values[c].has;
}

static void put_counters(struct strbuf *out, const struct prometheus *p, enum counter c)
{
	static const struct {
		const char *name, *help;
		bool seconds;
	} names[COUNTERS] = {
		[ERRORS] = {"sonde_span_errors", "Calls that returned an error.", false},
		[UNWOUND] = {"sonde_span_unwound",
			     "Calls that an exception, a longjmp or the thread's end has ended.",
			     false},
		[SELF] = {"sonde_span_self_seconds",
			  "Time in calls and in none of those that they made.", true},
		[CPU] = {"sonde_cpu_seconds", "CPU time, estimated from samples.", true},
		[WAITS] = {"sonde_offcpu_seconds", "Time that threads waited.", true},
	};
	bool first = true;
	uint64_t value;

	for (size_t i = 0; i < p->labels.n; i++) {
		if (!counter_value(&p->series[i], c, &value))
			continue;
		if (first)
			put_head(out, names[c].name, "counter", names[c].seconds ? "seconds" : NULL,
				 names[c].help);
		first = false;
		strbuf_printf(out, "%s_total{%s} ", names[c].name, p->labels.strings[i]);
		if (names[c].seconds)
			put_seconds(out, value);
		else
			strbuf_u64(out, value);
		strbuf_putc(out, '\n');
	}
}

static int prometheus_end(struct export *x)
{
	static const char durations[] = "sonde_span_duration_seconds";
	struct prometheus *p = x->state;
	struct strbuf *out = x->out;
	bool first = true;
	int r = 0;

	for (size_t i = 0; i < p->labels.n && r >= 0; i++) {
		if (!p->series[i].has_calls)
			continue;
		if (first)
			put_head(out, durations, "histogram", "seconds", "How long calls took.");
		first = false;
		put_histogram(out, durations, p->labels.strings[i], &p->series[i]);
		r = export_relieve(x);
	}
	for (enum counter c = 0; c < COUNTERS; c++)
		put_counters(out, p, c);
	put_head(out, "sonde_spans_lost", "counter", NULL, "Spans of the session that were lost.");
	strbuf_printf(out, "sonde_spans_lost_total %llu\n", (unsigned long long)p->spans_lost);
	put_head(out, "sonde_samples_lost", "counter", NULL,
		 "Samples of the session that were lost.");
	strbuf_printf(out, "sonde_samples_lost_total %llu\n# EOF\n",
		      (unsigned long long)p->samples_lost);
	return r;
}

static void prometheus_free(struct export *x)
{
	struct prometheus *p = x->state;

	if (!p)
		return;
	intern_release(&p->labels);
	table_release(&p->of_spans);
	strbuf_release(&p->text);
	free(p->series);
	free(p);
}

const struct export_format export_prometheus = {
	.name = "prometheus",
	.extensions = ".prom|.openmetrics",
	.summary = "OpenMetrics text: histograms of spans with exemplars, CPU time, waits",
	.carries = EXPORT_SPANS | EXPORT_STACKS,
	.everything = true,
	.begin = prometheus_begin,
	.span = prometheus_span,
	.stacks = prometheus_stacks,
	.end = prometheus_end,
	.free = prometheus_free,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_page.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "connect.h"
#include "export/span_source.h"
#include "render/output.h"
#include "render/session.h"
#include "render/timeline_html.h"
#include "request.h"
#include "sonde/base/table.h"
#include "timeline_samples.h"

/* So many take a browser a second to open, and a gigabyte of memory. The oldest are shown. */
enum { PAGE_MAX_SPANS = 5000000 };

struct page {
	struct cli *cli;
	struct connection *connection;
	struct span_source source;
	struct timeline timeline;
	struct table pids; /* the process of each; the last one, where a number was used again */
	struct strbuf session, target;
	/* When the first span of all began: as it is known before they come, and exactly. */
	uint64_t zero_us, first_ns;
	uint64_t lost;
	struct timeline_kinds kinds;
	bool quiet; /* another answer has the notes */
};

static void page_release(struct page *p)
{
	span_source_release(&p->source);
	timeline_release(&p->timeline);
	table_release(&p->pids);
	strbuf_release(&p->session);
	strbuf_release(&p->target);
}

bool timeline_is_page(const char *path)
{
	const char *dot = path ? strrchr(path, '.') : NULL;

	return dot && (streq(dot, ".html") || streq(dot, ".htm"));
}

/* The tables of the source and of the timeline have the same numbers. */
static int take_names(struct page *p)
{
	const struct span_source *s = &p->source;
	struct timeline *t = &p->timeline;
	int r = 0;

	for (size_t i = t->n_processes; i < s->n_processes && r >= 0; i++) {
		uint32_t *process = table_put(&p->pids, s->processes[i].pid, NULL);

		if (!process)
			return -ENOMEM;
		*process = (uint32_t)i;
		r = timeline_add_process(t, s->processes[i].pid, s->processes[i].comm);
	}
	for (size_t i = t->n_threads; i < s->n_threads && r >= 0; i++)
		r = timeline_add_thread(t, s->threads[i].process, s->threads[i].tid);
	for (size_t i = t->n_functions; i < s->n_functions && r >= 0; i++)
		r = timeline_add_function(t, s->functions[i].name, s->functions[i].binary);
	return MIN(r, 0);
}

static uint16_t flags_of(uint32_t flags)
{
	return (flags & EXPORTED_ERROR ? TIMELINE_ERROR : 0) |
	       (flags & EXPORTED_UNWOUND ? TIMELINE_UNWOUND : 0) |
	       (flags & EXPORTED_KERNEL ? TIMELINE_KERNEL : 0) |
	       (flags & EXPORTED_INSTANT ? TIMELINE_INSTANT : 0);
}

/* Numbers that JSON has none for come as texts, which strtod() reads in any locale. */
static int add_value(struct page *p, const struct exported_span *span)
{
	const char *category = reply_str(span->details, "cat");
	_cleanup_(strbuf_release) struct strbuf name = {0};
	double value = reply_double(span->details, "value");

	if (isnan(value))
		value = strtod(reply_str(span->details, "value"), NULL);
	strbuf_printf(&name, "%s%s%s", category, *category ? "/" : "",
		      p->source.functions[span->function].name);
	if (strbuf_error(&name) < 0)
		return -ENOMEM;
	return timeline_add_value(&p->timeline, p->source.threads[span->thread].process, name.data,
				  span->start_ns, value);
}

static int add_span(void *arg, const struct exported_span *span)
{
	struct page *p = arg;
	int r = take_names(p);

	if (r < 0)
		return r;
	p->first_ns = p->source.n_spans > 1 ? MIN(p->first_ns, span->start_ns) : span->start_ns;
	if (span->flags & EXPORTED_COUNTER && reply_get(span->details, "value"))
		return add_value(p, span);
	return timeline_add_span(
		&p->timeline,
		&(struct timeline_span){
			.start_ns = span->start_ns,
			.duration_ns = span->duration_ns,
			.offcpu_ns = span->details ? reply_u64(span->details, "offcpu_ns") : 0,
			.thread = span->thread,
			.function = span->function,
			.depth = (uint16_t)MIN(span->depth, (uint32_t)UINT16_MAX),
			.flags = flags_of(span->flags),
		});
}

static int no_memory(struct cli *cli)
{
	return error_set(&cli->error, ENOMEM, "Internal", "out of memory");
}

static int take_spans(void *arg, reply_t *reply, bool last)
{
	struct page *p = arg;
	reply_t *session = reply_get(reply, "session");
	int r;

	if (session && !p->session.len) {
		strbuf_puts(&p->session, reply_str(session, "name"));
		strbuf_puts(&p->target, reply_str(session, "targets"));
		p->kinds.cpu = reply_has_text(session, "kinds", "cpu");
		p->kinds.waits = reply_has_text(session, "kinds", "offcpu");
	}
	r = span_source_take(&p->source, reply, add_span, p, &p->cli->error);
	if (r == -ENOMEM)
		return no_memory(p->cli);
	if (last && r >= 0 && !p->quiet) {
		p->lost = reply_u64(reply_get(reply, "coverage"), "spans_lost");
		notes_note(p->cli->output, reply);
		coverage_note(p->cli->output, reply);
	}
	return r;
}

static int ask_spans(struct page *p)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	p->timeline.most = PAGE_MAX_SPANS;
	request_begin(&w, &params);
	request_spans(&w, p->cli->options);
	json_bool(&w, "details", true);
	r = request_end(&w, &p->cli->error);
	return r < 0 ? r
		     : connection_each(p->connection, "ExportSpans", params.data, take_spans, p,
				       &p->cli->error);
}

static int take_zero(void *arg, reply_t *reply, bool last)
{
	struct page *p = arg;
	reply_t *first = reply_first(reply, "spans");

	(void)last;
	if (first)
		p->zero_us = reply_u64(first, "time_us");
	return 0;
}

static int ask_zero(struct page *p)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_spans(&w, p->cli->options);
	json_string(&w, "sort", "oldest");
	json_u64(&w, "limit", 1);
	r = request_end(&w, &p->cli->error);
	return r < 0 ? r
		     : connection_each(p->connection, "Spans", params.data, take_zero, p,
				       &p->cli->error);
}

static uint64_t side_ns(const struct range_side *side, uint64_t zero_ns)
{
	return side->kind == RANGE_OFFSET ? zero_ns + side->value : side->value * NSEC_PER_USEC;
}

/*
 * Spans that are not in the range take no room of those that are. What offsets mean is known to the
 * microsecond before they come: what that leaves over is for cut_range().
 */
static int bound_range(struct page *p)
{
	const struct range *range = &p->cli->options->range;
	bool offsets = range->from.kind == RANGE_OFFSET || range->to.kind == RANGE_OFFSET;
	int r = range->set && offsets ? ask_zero(p) : 0;

	if (!range->set || r < 0)
		return r;
	if (range->from.kind)
		p->timeline.from_ns = side_ns(&range->from, p->zero_us * NSEC_PER_USEC);
	if (range->to.kind)
		p->timeline.until_ns = side_ns(&range->to, (p->zero_us + 1) * NSEC_PER_USEC);
	return 0;
}

/* Offsets are from the first span of all on. */
static int cut_range(struct page *p)
{
	const struct range *range = &p->cli->options->range;
	uint64_t from = range->from.kind ? side_ns(&range->from, p->first_ns) : p->first_ns;
	uint64_t until = range->to.kind ? side_ns(&range->to, p->first_ns) : UINT64_MAX;

	if (!range->set || !p->source.n_spans)
		return 0;
	if (until <= from)
		return usage_error(p->cli->options, &p->cli->error,
				   "the range ends before it begins, %s",
				   range->from.kind ? "as the first span says what its offsets mean"
						    : "at the first span");
	timeline_cut(&p->timeline, from, until);
	p->timeline.from_ns = from;
	p->timeline.until_ns = until == UINT64_MAX ? 0 : until;
	return 0;
}

static uint64_t cell(const cJSON *row, int i)
{
	return reply_value(cJSON_GetArrayItem(row, i));
}

/* pid, from, to, on a CPU, waiting */
static int take_uses(void *arg, reply_t *reply, bool last)
{
	struct page *p = arg;

	(void)last;
	reply_foreach(row, reply, "rows")
	{
		const uint32_t *process = table_get(&p->pids, cell(row, 0));
		struct timeline_use use = {
			.start_us = cell(row, 1),
			.end_us = cell(row, 2),
			.cpu_ns = cell(row, 3),
			.wait_ns = cell(row, 4),
		};

		if (!process)
			continue;
		use.process = *process;
		if (timeline_add_use(&p->timeline, &use) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static void append_quoted(struct strbuf *out, const char *text)
{
	strbuf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			strbuf_putc(out, '\'');
		strbuf_putc(out, *text);
	}
	strbuf_putc(out, '\'');
}

/*
 * What samples say of the processes, window by window, is kept where SQL can be asked: in
 * recordings and in the history. Where it cannot be asked the page goes without.
 */
static int ask_uses(struct page *p)
{
	_cleanup_(strbuf_release) struct strbuf params = {0}, query = {0};
	const struct timeline *t = &p->timeline;
	struct error ignored = {0};
	struct json_writer w;
	int r;

	strbuf_puts(&query, "SELECT s.pid, w.start_us, w.end_us, "
			    "sum(iif(s.kind = 'cpu', s.total_ns, 0)), "
			    "sum(iif(s.kind = 'offcpu', s.total_ns, 0)) FROM sample s "
			    "JOIN window w ON w.id = s.window JOIN session n ON n.id = w.session "
			    "WHERE n.name = ");
	append_quoted(&query, p->session.data);
	strbuf_printf(&query, " AND w.start_us <= %llu AND w.end_us >= %llu GROUP BY w.id, s.pid",
		      (unsigned long long)(t->end_ns / NSEC_PER_USEC),
		      (unsigned long long)(t->zero_ns / NSEC_PER_USEC));
	if (strbuf_error(&query) < 0)
		return -ENOMEM;
	request_begin(&w, &params);
	json_string(&w, "query", query.data);
	r = request_end(&w, &ignored);
	if (r >= 0)
		r = connection_each(p->connection, "Sql", params.data, take_uses, p, &ignored);
	return r == -ENOMEM ? r : 0;
}

static bool is_empty(const struct timeline *t)
{
	return !t->n_spans && !t->counters.n_values && !timeline_samples_count(&t->samples);
}

static int write_page(struct page *p)
{
	struct output *o = p->cli->output;
	const struct timeline_info info = {
		.title = p->cli->options->title,
		.target = p->target.data,
		.lost = p->lost,
		.more = p->timeline.more,
	};
	int r = timeline_html_write(output_data(o), &p->timeline, &info);

	if (r < 0)
		return no_memory(p->cli);
	r = output_finish(o, &p->cli->error);
	if (r < 0)
		return r;
	if (is_empty(&p->timeline))
		output_note(o, "sonde: no such spans in this session");
	if (p->timeline.more_samples)
		output_note(o,
			    "sonde: these are the first %d samples and waits: there are more, look "
			    "at a part of them by --since and --until",
			    PAGE_MAX_SPANS);
	if (p->timeline.more)
		output_note(o,
			    "sonde: these are the first %d spans: there are more, look at a part "
			    "of them by --since and --until, or choose by --where",
			    PAGE_MAX_SPANS);
	return EXIT_OK;
}

int timeline_page(struct cli *cli, struct connection *c)
{
	_cleanup_(page_release) struct page p = {.cli = cli, .connection = c};
	int r = bound_range(&p);

	if (r >= 0)
		r = ask_spans(&p);
	if (r >= 0)
		r = cut_range(&p);
	if (r >= 0)
		r = timeline_ask_samples(cli, c, p.kinds, &p.source, &p.pids, &p.timeline);
	if (r >= 0 && !is_empty(&p.timeline) && p.session.len && ask_uses(&p) < 0)
		r = no_memory(cli);
	if (r >= 0 && cli->options->count.set)
		p.timeline.limit = cli->options->count.value;
	return r < 0 ? r : write_page(&p);
}

int timeline_collect(struct cli *cli, struct connection *c, struct timeline *ret)
{
	_cleanup_(page_release) struct page p = {.cli = cli, .connection = c, .quiet = true};
	int r = ask_spans(&p);

	if (r < 0)
		return r;
	*ret = p.timeline;
	p.timeline = (struct timeline){};
	return 0;
}

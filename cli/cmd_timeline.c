/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"
#include "query.h"
#include "render/lanes.h"
#include "render/session.h"
#include "sonde/base/format.h"
#include "timeline_page.h"

/* As many as the daemon answers with at most; said, so that it is known when there are more. */
enum { MAX_SPANS = 1000000 };

struct spans_in_time {
	struct cli *cli;
	struct connection *connection;
	bool has_zero;
	uint64_t zero_us;	    /* when the first span of all began */
	uint64_t from_us, until_us; /* what is looked at; 0: to the last span */
	struct lanes *lanes;
	uint64_t spans;
};

/* What was going on between two times, 0 for no limit; the oldest. */
static int ask(struct spans_in_time *t, const struct options *o, uint64_t from_us,
	       uint64_t until_us, uint64_t limit, int (*each)(void *arg, reply_t *reply, bool last))
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_spans(&w, o);
	json_string(&w, "sort", "oldest");
	json_u64(&w, "limit", limit);
	if (from_us)
		json_u64(&w, "ends_after_us", from_us);
	if (until_us)
		json_u64(&w, "starts_before_us", until_us);
	r = request_end(&w, &t->cli->error);
	return r < 0 ? r
		     : connection_each(t->connection, "Spans", params.data, each, t,
				       &t->cli->error);
}

static int take_zero(void *arg, reply_t *reply, bool last)
{
	struct spans_in_time *t = arg;
	reply_t *first = reply_first(reply, "spans");

	(void)last;
	if (first && !t->has_zero) {
		t->has_zero = true;
		t->zero_us = reply_u64(first, "time_us");
	}
	return 0;
}

static uint64_t side_us(const struct spans_in_time *t, const struct range_side *side)
{
	return side->kind == RANGE_OFFSET ? t->zero_us + side->value / NSEC_PER_USEC : side->value;
}

/* The range as points in time, which needs the first span of all. */
static int resolve_range(struct spans_in_time *t, const struct options *o)
{
	const struct range *range = &o->range;
	int r = ask(t, o, 0, 0, 1, take_zero);

	if (r < 0 || !t->has_zero)
		return r;
	t->from_us = range->from.kind ? side_us(t, &range->from) : t->zero_us;
	t->until_us = range->to.kind ? side_us(t, &range->to) : 0;
	if (range->to.kind && t->until_us <= t->from_us)
		return usage_error(o, &t->cli->error, "the range ends before it begins, %s",
				   range->from.kind ? "as the first span says what its offsets mean"
						    : "at the first span");
	return 0;
}

static int show_spans(void *arg, reply_t *reply, bool last)
{
	struct spans_in_time *t = arg;
	struct cli *cli = t->cli;
	int r = 0;

	take_zero(t, reply, last);
	if (!t->lanes && t->has_zero) {
		const struct lanes_options options = {
			.zero_us = t->zero_us,
			.from_us = t->from_us ? t->from_us : t->zero_us,
			.until_us = t->until_us,
			.limit = cli->options->count.set ? cli->options->count.value : 0,
		};

		t->lanes = lanes_new(cli->output, &options);
		if (!t->lanes)
			return error_set(&cli->error, ENOMEM, "Internal", "out of memory");
	}
	reply_foreach(span, reply, "spans")
	{
		lanes_add(t->lanes, span);
		t->spans++;
	}
	/* Text comes when all lanes are known. */
	if (!last)
		return output_is_json(cli->output) ? output_flush(cli->output, &cli->error) : 0;
	if (t->lanes)
		lanes_print(t->lanes);
	r = output_finish(cli->output, &cli->error);
	if (r < 0)
		return r;
	if (!t->spans)
		output_note(cli->output, "sonde: no such spans in this session");
	if (t->spans >= MAX_SPANS)
		output_note(cli->output,
			    "sonde: these are the first %d spans: there may be more, look at a "
			    "part of them by -r, or choose by --where",
			    MAX_SPANS);
	notes_note(cli->output, reply);
	coverage_note(cli->output, reply);
	return 0;
}

static int show(struct spans_in_time *t)
{
	const struct options *o = t->cli->options;
	int r = o->range.set ? resolve_range(t, o) : 0;

	return r < 0 ? r : ask(t, o, t->from_us, t->until_us, MAX_SPANS, show_spans);
}

int cmd_timeline(struct cli *cli)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	struct spans_in_time t = {.cli = cli};
	int r = connection_open(cli->options, &c, &cli->error);

	if (r >= 0 && !cli->options->json && timeline_is_page(cli->options->output))
		return timeline_page(cli, c);
	t.connection = c;
	if (r >= 0)
		r = show(&t);
	lanes_free(t.lanes);
	return r < 0 ? r : EXIT_OK;
}

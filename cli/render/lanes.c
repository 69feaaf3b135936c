/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lanes.h"

#include <inttypes.h>
#include <math.h>

#include "sonde/base/format.h"
#include "sonde/base/table.h"
#include "span.h"
#include "text.h"

enum { DURATION_WIDTH = 9, START_WIDTH = 12, INDENT_MAX = 40, BAR_MIN = 10, LEVELS = 8 };

/* When a thread was in any span; ns since the range's begin. */
struct stretch {
	int64_t start_ns, end_ns;
};

struct lane {
	uint64_t pid, tid;
	char *comm;
	struct stretch *stretches; /* in order, apart from each other */
	size_t n_stretches, cap;
	uint64_t spans, shown;
	struct strbuf lines;
};

struct lanes {
	struct output *output;
	struct lanes_options options;
	struct table by_thread; /* 1 + index into items */
	struct lane *items;
	size_t n, cap;
	uint64_t spans;
	int64_t last_ns; /* the latest end, since the range's begin */
};

struct lanes *lanes_new(struct output *o, const struct lanes_options *options)
{
	struct lanes *l = calloc(1, sizeof(*l));

	if (l) {
		l->output = o;
		l->options = *options;
	}
	return l;
}

struct lanes *lanes_free(struct lanes *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].comm);
		free(l->items[i].stretches);
		strbuf_release(&l->items[i].lines);
	}
	free(l->items);
	table_release(&l->by_thread);
	free(l);
	return NULL;
}

static struct lane *find_lane(struct lanes *l, reply_t *span)
{
	uint64_t pid = reply_u64(span, "pid"), tid = reply_u64(span, "tid");
	_cleanup_(strbuf_release) struct strbuf comm = {0};
	struct lane *lane;
	uint32_t *slot;
	bool is_new;

	slot = table_put(&l->by_thread, pid << 32 | (tid & UINT32_MAX), &is_new);
	if (!slot)
		return NULL;
	if (!is_new && *slot)
		return &l->items[*slot - 1];
	if (array_reserve(&l->items, &l->cap, l->n + 1, sizeof(*l->items)) < 0)
		return NULL;
	text_append_safe(&comm, reply_str(span, "comm"));
	lane = &l->items[l->n];
	*lane = (struct lane){.pid = pid, .tid = tid, .comm = strdup(comm.data ? comm.data : "")};
	if (!lane->comm)
		return NULL;
	*slot = (uint32_t)++l->n;
	return lane;
}

/* As they come by start, a span either goes on with the last stretch or begins a new one. */
static int add_stretch(struct lane *lane, int64_t start_ns, int64_t end_ns)
{
	struct stretch *last = lane->n_stretches ? &lane->stretches[lane->n_stretches - 1] : NULL;

	if (last && start_ns <= last->end_ns) {
		last->end_ns = MAX(last->end_ns, end_ns);
		return 0;
	}
	if (array_reserve(&lane->stretches, &lane->cap, lane->n_stretches + 1,
			  sizeof(*lane->stretches)) < 0)
		return -ENOMEM;
	lane->stretches[lane->n_stretches++] = (struct stretch){start_ns, end_ns};
	return 0;
}

/* "       1.234    30.2 ms    handle(fd=7) = 0" */
static void add_line(struct lanes *l, struct lane *lane, reply_t *span, int64_t offset_us)
{
	_cleanup_(strbuf_release) struct strbuf call = {0};
	struct strbuf *out = &lane->lines;
	size_t indent = 2 * MIN(reply_u64(span, "depth"), (uint64_t)INDENT_MAX);
	size_t taken = START_WIDTH + 2 + DURATION_WIDTH + 2, width = output_width(l->output);
	char buf[FORMAT_MAX];

	strbuf_printf(out, "%*.3f  %*s  ", START_WIDTH, (double)offset_us / 1000, DURATION_WIDTH,
		      format_duration(buf, reply_u64(span, "duration_ns")));
	text_spaces(&call, indent);
	span_call(l->output, &call, span, true);
	/* A span may have no name at all. */
	strbuf_puts(&call, "");
	if (strbuf_error(&call) < 0)
		out->failed = true;
	/* On a very narrow terminal wrapping is better than nothing at all. */
	else if (width > taken + 10)
		text_append_cut(out, call.data, width - taken);
	else
		strbuf_puts(out, call.data);
	strbuf_putc(out, '\n');
}

static void add_json(struct lanes *l, const struct lane *lane, reply_t *span, int64_t offset_us)
{
	struct json_writer w;

	json_begin(&w, output_data(l->output));
	json_object_begin(&w, NULL);
	json_u64(&w, "lane", (uint64_t)(lane - l->items) + 1);
	json_i64(&w, "offset_us", offset_us);
	reply_write_members(&w, span, NULL, NULL);
	json_object_end(&w);
	strbuf_putc(w.out, '\n');
}

void lanes_add(struct lanes *l, reply_t *span)
{
	int64_t time_us = (int64_t)reply_u64(span, "time_us");
	int64_t offset_us = time_us - (int64_t)l->options.zero_us;
	int64_t start_ns = (time_us - (int64_t)l->options.from_us) * (int64_t)NSEC_PER_USEC;
	/* Something that took no time, or less than can be told, shows all the same. */
	int64_t end_ns = start_ns + (int64_t)MAX(reply_u64(span, "duration_ns"), 1U);
	struct lane *lane = find_lane(l, span);

	if (!lane || add_stretch(lane, start_ns, end_ns) < 0) {
		output_data(l->output)->failed = true;
		return;
	}
	l->spans++;
	lane->spans++;
	l->last_ns = MAX(l->last_ns, end_ns);
	if (l->options.limit && lane->shown >= l->options.limit)
		return;
	lane->shown++;
	if (output_is_json(l->output))
		add_json(l, lane, span, offset_us);
	else
		add_line(l, lane, span, offset_us);
}

/* The share of each of n parts of a range that the stretches cover; what they cover in all. */
static int64_t add_shares(const struct lane *lane, int64_t range_ns, double *shares, size_t n)
{
	double part_ns = (double)range_ns / (double)n;
	int64_t total = 0;

	for (size_t i = 0; i < lane->n_stretches; i++) {
		int64_t start = MAX(lane->stretches[i].start_ns, 0);
		int64_t end = MIN(lane->stretches[i].end_ns, range_ns);

		if (start >= end)
			continue;
		total += end - start;
		for (size_t at = MIN((size_t)((double)start / part_ns), n - 1); at < n; at++) {
			double from = (double)at * part_ns, to = (double)(at + 1) * part_ns;

			if (from >= (double)end)
				break;
			from = MAX(from, (double)start);
			to = MIN(to, (double)end);
			shares[at] += MAX(to - from, 0) / part_ns;
		}
	}
	return total;
}

void lanes_bar(struct strbuf *out, const double *shares, size_t width, bool plain)
{
	static const char ascii[LEVELS + 1] = ".:-=+*#@";

	for (size_t i = 0; i < width; i++) {
		/* Sums of fractions come out a bit above what they should be. */
		int level = (int)ceil(shares[i] * LEVELS - 1e-9);

		level = shares[i] > 0 ? MAX(1, MIN(level, (int)LEVELS)) : 0;
		if (!level)
			strbuf_putc(out, ' ');
		else if (plain)
			strbuf_putc(out, ascii[level - 1]);
		else
			strbuf_printf(out, "\xe2\x96%c", 0x80 + level); /* U+2581 to U+2588 */
	}
}

static void print_head(struct lanes *l, const struct lane *lane, double percent)
{
	struct output *o = l->output;
	struct strbuf *out = output_data(o);

	strbuf_printf(out, "\n%s%s%s  pid %" PRIu64 "  tid %" PRIu64 "  ",
		      output_style(o, STYLE_HEAD), lane->comm, output_style_end(o, STYLE_HEAD),
		      lane->pid, lane->tid);
	text_counted(out, lane->spans, "span");
	strbuf_printf(out, ", in spans %.1f %% of the time\n", percent);
}

static void print_lane(struct lanes *l, const struct lane *lane, int64_t range_ns, double *shares,
		       size_t width)
{
	struct output *o = l->output;
	struct strbuf *out = output_data(o);
	char buf[FORMAT_MAX];
	int64_t total;

	memset(shares, 0, width * sizeof(*shares));
	total = add_shares(lane, range_ns, shares, width);
	print_head(l, lane, text_percent((uint64_t)total, (uint64_t)range_ns));
	strbuf_putc(out, '|');
	lanes_bar(out, shares, width, output_is_plain(o));
	strbuf_printf(out, "|\n%s%*s  %*s  %s%s\n", output_style(o, STYLE_HEAD), START_WIDTH,
		      "START ms", DURATION_WIDTH, "DURATION", "FUNCTION",
		      output_style_end(o, STYLE_HEAD));
	if (strbuf_error(&lane->lines) < 0)
		out->failed = true;
	else if (lane->lines.len)
		strbuf_append(out, lane->lines.data, lane->lines.len);
	if (lane->spans > lane->shown)
		strbuf_printf(out, "%*s  %s more\n", START_WIDTH, "...",
			      format_count(buf, lane->spans - lane->shown));
}

void lanes_print(struct lanes *l)
{
	struct strbuf *out = output_data(l->output);
	size_t width = MAX(output_columns(l->output), (size_t)BAR_MIN + 2) - 2;
	_cleanup_(freep) double *shares = calloc(width, sizeof(*shares));
	char clock[FORMAT_MAX], length[FORMAT_MAX];
	int64_t range_ns = l->last_ns;

	if (!l->n || output_is_json(l->output))
		return;
	if (!shares) {
		out->failed = true;
		return;
	}
	if (l->options.until_us > l->options.from_us)
		range_ns = (int64_t)((l->options.until_us - l->options.from_us) * NSEC_PER_USEC);
	range_ns = MAX(range_ns, 1);
	strbuf_printf(out, "%s and %s from there: ", format_clock(clock, l->options.from_us),
		      format_duration(length, (uint64_t)range_ns));
	text_counted(out, l->spans, "span");
	strbuf_puts(out, " of ");
	text_counted(out, l->n, "thread");
	strbuf_putc(out, '\n');
	for (size_t i = 0; i < l->n; i++)
		print_lane(l, &l->items[i], range_ns, shares, width);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session.h"

#include "grid.h"
#include "sonde/base/format.h"
#include "text.h"

enum { LEFT_OUT_SHOWN = 10 };

/* The kinds of io.sonde.varlink in words. What is no lost span or sample is told apart. */
static const struct {
	const char *kind, *words;
	bool remark;
} kinds[] = {
	{"ring_span", "ring full"},
	{"ring_sample", "ring full for samples"},
	{"ring_event", "ring full for events"},
	{"too_deep", "nested too deep"},
	{"program", "no room in the program"},
	{"batch", "batches of spans that did not come"},
	{"return", "calls had begun before the probes", true},
	{"stack", "stacks cut short", true},
	{"paths_full", "call paths announced again", true},
};

static bool is_remark(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].kind, kind))
			return kinds[i].remark;
	return false;
}

uint64_t losses_total(reply_t *object, const char *key)
{
	uint64_t total = 0;

	reply_foreach(loss, object, key)
	{
		if (!is_remark(reply_str(loss, "kind")))
			total += reply_u64(loss, "count");
	}
	return total;
}

/* One that is new is shown as it is called. */
static void append_kind(struct strbuf *out, const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].kind, kind)) {
			strbuf_puts(out, kinds[i].words);
			return;
		}
	for (; *kind; kind++)
		strbuf_putc(out, *kind == '_' ? ' ' : *kind);
}

void losses_text(struct strbuf *out, reply_t *object, const char *key)
{
	char buf[FORMAT_MAX];
	bool first = true;

	strbuf_printf(out, "%s lost", format_count(buf, losses_total(object, key)));
	reply_foreach(loss, object, key)
	{
		if (!reply_u64(loss, "count") || is_remark(reply_str(loss, "kind")))
			continue;
		strbuf_puts(out, first ? " (" : ", ");
		append_kind(out, reply_str(loss, "kind"));
		strbuf_printf(out, " %s", format_count(buf, reply_u64(loss, "count")));
		first = false;
	}
	if (!first)
		strbuf_putc(out, ')');
	reply_foreach(remark, object, key)
	{
		if (!reply_u64(remark, "count") || !is_remark(reply_str(remark, "kind")))
			continue;
		strbuf_printf(out, "; %s ", format_count(buf, reply_u64(remark, "count")));
		append_kind(out, reply_str(remark, "kind"));
	}
}

static void join_cell(struct grid *g, reply_t *object, const char *key, const char *separator)
{
	_cleanup_(strbuf_release) struct strbuf b = {0};

	reply_join(object, key, separator, &b);
	grid_text(g, b.len ? b.data : "-");
}

/* What a recording does not tell is not 0. */
static void stacks_cell(struct grid *g, reply_t *coverage, const char *key)
{
	if (reply_get(coverage, key))
		grid_count(g, reply_u64(coverage, key));
	else
		grid_text(g, "-");
}

/* Only recordings say on which machine they were made. */
static bool has_hosts(reply_t *reply, const char *key)
{
	reply_foreach(session, reply, key) if (*reply_str(session, "host")) return true;
	return false;
}

static void session_row(struct grid *g, reply_t *session)
{
	uint64_t lost = losses_total(session, "losses");
	reply_t *coverage = reply_get(session, "coverage");
	bool active = streq(reply_str(session, "state"), "active");

	grid_text(g, reply_str(session, "name"));
	grid_text(g, reply_str(session, "state"));
	grid_style(g, active ? STYLE_GOOD : STYLE_DIM);
	join_cell(g, session, "kinds", ",");
	grid_text(g, reply_str(session, "targets"));
	grid_count(g, reply_u64(session, "probes"));
	grid_count(g, reply_u64(session, "frequency"));
	grid_count(g, reply_u64(session, "spans"));
	grid_count(g, reply_u64(session, "samples"));
	stacks_cell(g, coverage, "samples_partial");
	stacks_cell(g, coverage, "samples_pointers");
	grid_count(g, lost);
	grid_style(g, lost ? STYLE_BAD : STYLE_NONE);
	grid_text(g, *reply_str(session, "host") ? reply_str(session, "host") : "-");
	join_cell(g, session, "specs", " ");
}

void sessions_table(struct output *o, reply_t *reply, const char *key)
{
	const struct grid_column columns[] = {
		{"SESSION"},	    {"STATE"},	       {"KINDS"},
		{"TARGETS"},	    {"PROBES", true},  {"HZ", true},
		{"SPANS", true},    {"SAMPLES", true}, {"PARTIAL", true},
		{"POINTERS", true}, {"LOST", true},    {has_hosts(reply, key) ? "HOST" : NULL},
		{"SPECS"},
	};
	_cleanup_(grid_freep) struct grid *g = grid_new(columns, ARRAY_SIZE(columns));

	if (!g) {
		output_data(o)->failed = true;
		return;
	}
	reply_foreach(session, reply, key)
	{
		session_row(g, session);
	}
	grid_print(g, o);
}

static void coverage_kind(struct output *o, reply_t *coverage, const char *seen_key,
			  const char *lost_key, const char *what)
{
	uint64_t seen = reply_u64(coverage, seen_key), lost = reply_u64(coverage, lost_key);
	char a[FORMAT_MAX], b[FORMAT_MAX];

	if (!lost || text_percent(lost, seen) <= 1)
		return;
	output_note(o, "sonde: coverage %.1f %%: %s of %s %s were lost, the figures are too low",
		    100 - MIN(100, text_percent(lost, seen)), format_count(a, lost),
		    format_count(b, seen), what);
}

/* About answers that are made of samples. */
static void stacks_note(struct output *o, reply_t *reply, reply_t *coverage)
{
	uint64_t samples = reply_u64(coverage, "samples_seen");
	uint64_t partial = reply_u64(coverage, "samples_partial");
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

	samples -= MIN(samples, reply_u64(coverage, "samples_lost"));
	if (!reply_get(reply, "kind") || answer_kind(reply) == ANSWER_SPANS || !partial ||
	    text_percent(partial, samples) <= 1)
		return;
	output_note(
		o,
		"sonde: the stacks of %s of %s samples (%.1f %%) may lack callers; %s have frames "
		"found by frame pointers",
		format_count(a, partial), format_count(b, samples), text_percent(partial, samples),
		format_count(c, reply_u64(coverage, "samples_pointers")));
}

void coverage_note(struct output *o, reply_t *reply)
{
	reply_t *coverage = reply_get(reply, "coverage");
	uint64_t missing = reply_u64(coverage, "windows_missing");
	char a[FORMAT_MAX], b[FORMAT_MAX];

	coverage_kind(o, coverage, "spans_seen", "spans_lost", "spans");
	coverage_kind(o, coverage, "samples_seen", "samples_lost", "samples");
	stacks_note(o, reply, coverage);
	if (missing)
		output_note(o, "sonde: %s of %s windows are missing", format_count(a, missing),
			    format_count(b, missing + reply_u64(coverage, "windows")));
}

enum answer_kind answer_kind(reply_t *reply)
{
	const char *kind = reply_str(reply, "kind");

	return streq(kind, "cpu")      ? ANSWER_CPU
	       : streq(kind, "offcpu") ? ANSWER_WAITS
				       : ANSWER_SPANS;
}

const char *answer_kind_plural(enum answer_kind kind)
{
	return kind == ANSWER_CPU ? "samples" : kind == ANSWER_WAITS ? "waits" : "spans";
}

void raw_note(struct output *o, const char *of, reply_t *coverage)
{
	uint64_t dropped = reply_u64(coverage, "raw_dropped");

	if (dropped > 0)
		output_note(o,
			    "sonde: %s%sthe condition was asked about %llu spans; %llu others were "
			    "not kept as raw spans: memory keeps the newest, the history the "
			    "slowest",
			    of, *of ? ": " : "",
			    (unsigned long long)reply_u64(coverage, "raw_spans"),
			    (unsigned long long)dropped);
}

void notes_note(struct output *o, reply_t *reply)
{
	reply_foreach(note, reply, "notes") output_note(o, "sonde: %s", reply_text(note));
	raw_note(o, "", reply_get(reply, "coverage"));
}

void left_out_note(struct output *o, reply_t *reply)
{
	size_t n = 0, total = reply_count(reply, "left_out");

	reply_foreach(reason, reply, "left_out")
	{
		if (n++ == LEFT_OUT_SHOWN) {
			output_note(o, "sonde: left out: %zu more (sonde probes --json lists all)",
				    total - LEFT_OUT_SHOWN);
			return;
		}
		output_note(o, "sonde: left out: %s", reply_text(reason));
	}
}

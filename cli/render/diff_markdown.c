/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Markdown (with the tables of GitHub): summary, gates with their evidence, table, how it was done.
 */
#include "diff_report.h"
#include "flame_tree.h"

enum { MAX_ROWS = 50 };

/* Text of a cell: nothing in it is markup, and it stays in its cell. */
static void put_plain(struct strbuf *out, const char *text)
{
	_cleanup_(strbuf_release) struct strbuf clean = {0};

	flame_clean(&clean, text ? text : "");
	for (const char *s = clean.data; s && *s; s++) {
		if (strchr("\\`*_[]<>|~&", *s))
			strbuf_putc(out, '\\');
		strbuf_putc(out, *s);
	}
}

static void put_cell(struct strbuf *out, struct strbuf *text)
{
	put_plain(out, text->data);
	strbuf_puts(out, " | ");
	strbuf_release(text);
}

static void put_text_cell(struct strbuf *out, const char *text)
{
	put_plain(out, text);
	strbuf_puts(out, " | ");
}

/* before, after, change, interval of a metric; a change that may be chance in plain, else bold. */
static void put_value(struct strbuf *out, reply_t *value, const char *metric)
{
	struct strbuf before = {0}, after = {0}, change = {0}, interval = {0};
	const char *mark = reply_bool(value, "significant") ? "**" : "";

	diff_figure(&before, metric, reply_double(value, "before"));
	diff_figure(&after, metric, reply_double(value, "after"));
	diff_change(&change, value);
	diff_interval(&interval, value);
	put_cell(out, &before);
	put_cell(out, &after);
	if (change.len) {
		strbuf_puts(out, mark);
		put_plain(out, change.data);
		strbuf_puts(out, mark);
	}
	strbuf_puts(out, " | ");
	strbuf_release(&change);
	put_cell(out, &interval);
}

static void put_summary(struct strbuf *out, reply_t *reply)
{
	size_t failed = 0, passed = 0, undecided = 0;

	reply_foreach(gate, reply, "gates")
	{
		const char *verdict = reply_str(gate, "verdict");

		failed += streq(verdict, "failed");
		passed += streq(verdict, "passed");
		undecided += streq(verdict, "undecided");
	}
	strbuf_puts(out, "# sonde diff\n\n## Summary\n\n");
	if (reply_get(reply, "refused")) {
		strbuf_puts(out, "**Not judged**: ");
		put_plain(out, reply_str(reply, "refused"));
		strbuf_puts(out, ".\n\n");
	} else if (reply_get(reply, "gates")) {
		strbuf_printf(out,
			      "**%s**: %zu gates failed, %zu passed, %zu could not be judged.\n\n",
			      failed	  ? "Failed"
			      : undecided ? "Not judged"
					  : "Passed",
			      failed, passed, undecided);
	}
}

static void put_gates(struct strbuf *out, reply_t *reply)
{
	if (!reply_first(reply, "gates"))
		return;
	strbuf_puts(out, "## Gates\n\n");
	reply_foreach(gate, reply, "gates")
	{
		strbuf_puts(out, "- ");
		put_plain(out, reply_str(gate, "gate"));
		strbuf_printf(out, ": **%s**\n\n", reply_str(gate, "verdict"));
		strbuf_puts(out, "  | comparison | function | binary | before | after | change | "
				 "interval | verdict |\n"
				 "  |---|---|---|---:|---:|---:|---:|---|\n");
		reply_foreach(finding, gate, "findings")
		{
			struct strbuf verdict = {0};

			strbuf_puts(out, "  | ");
			put_text_cell(out, reply_str(finding, "comparison"));
			put_text_cell(out, reply_str(finding, "function"));
			put_text_cell(out, reply_str(finding, "binary"));
			put_value(out, reply_get(finding, "value"), reply_str(finding, "metric"));
			diff_verdict(&verdict, finding);
			put_plain(out, verdict.data);
			strbuf_puts(out, " |\n");
			strbuf_release(&verdict);
		}
		strbuf_putc(out, '\n');
	}
}

static void put_evidence(struct strbuf *out, reply_t *reply, const struct diff_view *view)
{
	const char *first = diff_is_spans(reply) ? "mean" : "share";
	size_t n = 0;

	strbuf_printf(out,
		      "## Evidence\n\n| %s | binary | %s | after | change | interval | total a "
		      "second | after | change | interval |\n"
		      "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
		      streq(view->key_title, "PATH") ? "path" : "function", first);
	reply_foreach(row, reply, "rows")
	{
		reply_t *values = reply_get(row, "values");

		if (n++ == MAX_ROWS)
			break;
		strbuf_puts(out, "| ");
		put_text_cell(out, reply_str(row, "key"));
		put_text_cell(out, reply_str(row, "binary"));
		put_value(out, reply_get(values, first), first);
		put_value(out, reply_get(values, "total"), "total");
		/* The last cell has ended with a bar already. */
		strbuf_putc(out, '\n');
	}
	strbuf_printf(out,
		      "\n%zu of %llu rows, what has changed significantly first. Bold: the "
		      "interval leaves out no change at all.\n\n",
		      MIN(n, (size_t)MAX_ROWS), (unsigned long long)reply_u64(reply, "total_rows"));
}

void diff_report_markdown(struct strbuf *out, reply_t *reply, const struct diff_view *view)
{
	struct report_facts facts[REPORT_FACTS];
	size_t n = diff_report_facts(reply, view, facts);

	put_summary(out, reply);
	put_gates(out, reply);
	put_evidence(out, reply, view);
	strbuf_puts(out, "## Method, machine, coverage\n\n| | |\n|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		strbuf_puts(out, "| ");
		put_text_cell(out, facts[i].name);
		put_plain(out, facts[i].text.data);
		strbuf_puts(out, " |\n");
		strbuf_release(&facts[i].text);
	}
}

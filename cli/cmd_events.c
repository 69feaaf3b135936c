/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/grid.h"
#include "render/text.h"
#include "sonde/base/format.h"

#include <signal.h>
#include <sys/wait.h>

/* "2026-11-30 14:03:07.123", local time. */
static void put_time(struct strbuf *out, uint64_t time_us)
{
	char date[FORMAT_MAX];

	strbuf_printf(out, "%s.%03llu", format_date(date, time_us),
		      (unsigned long long)(time_us / 1000 % 1000));
}

/* What the kind and its number mean, in words. */
static void put_what(struct strbuf *out, reply_t *event)
{
	const char *kind = reply_str(event, "kind"), *text = reply_str(event, "text");
	uint64_t detail = reply_u64(event, "detail");
	int status = (int)detail;
	char count[FORMAT_MAX];

	if (streq(kind, "exit") && WIFSIGNALED(status))
		strbuf_printf(out, "signal %d (%s)", WTERMSIG(status),
			      sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status))
							     : "?");
	else if (streq(kind, "exit"))
		strbuf_printf(out, "status %d", WEXITSTATUS(status));
	else if (streq(kind, "more"))
		strbuf_printf(out, "%s more starts and ends of processes",
			      format_count(count, detail));
	else if (streq(kind, "lost"))
		strbuf_printf(out, "%s windows in all: ", format_count(count, detail));
	else if (streq(kind, "attach"))
		strbuf_printf(out, "by uid %llu: ", (unsigned long long)detail);
	else if (streq(kind, "loss"))
		strbuf_printf(out, "%s spans, samples or events in a window: ",
			      format_count(count, detail));
	else if (streq(kind, "start") || streq(kind, "stop"))
		strbuf_printf(out, "PID %llu ", (unsigned long long)detail);
	text_append_safe(out, text);
}

static void put_process(struct strbuf *out, reply_t *event)
{
	if (!reply_u64(event, "pid"))
		return;
	strbuf_printf(out, "%llu ", (unsigned long long)reply_u64(event, "pid"));
	text_append_safe(out, reply_str(event, "comm"));
}

static void events_text(struct output *o, reply_t *reply, const void *arg)
{
	static const struct grid_column columns[] = {{"TIME"}, {"EVENT"}, {"PROCESS"}, {"WHAT"}};
	_cleanup_(grid_freep) struct grid *g = grid_new(columns, ARRAY_SIZE(columns));

	(void)arg;
	if (!g) {
		output_data(o)->failed = true;
		return;
	}
	reply_foreach(event, reply, "events")
	{
		_cleanup_(strbuf_release) struct strbuf time = {}, process = {}, what = {};

		put_time(&time, reply_u64(event, "time_us"));
		put_process(&process, event);
		put_what(&what, event);
		grid_text(g, time.data ? time.data : "");
		grid_text(g, reply_str(event, "kind"));
		grid_text(g, process.data ? process.data : "");
		grid_text(g, what.data ? what.data : "");
	}
	grid_print(g, o);
	if (!reply_first(reply, "events"))
		output_note(o, "sonde: no events of that time");
}

int cmd_events(struct cli *cli)
{
	static const struct view view = {.text = events_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	if (o->since.set)
		json_u64(&w, "since_us", o->since.value);
	if (o->until.set)
		json_u64(&w, "until_us", o->until.value);
	if (o->count.set)
		json_u64(&w, "limit", o->count.value);
	if (o->host)
		json_string(&w, "host", o->host);
	if (o->session)
		json_string(&w, "session", o->session);
	request_selectors(&w, o);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run(cli, "Events", params.data, &view, NULL);
}

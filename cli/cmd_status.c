/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/session.h"
#include "render/text.h"
#include "sonde/base/format.h"

static void put_processes(struct strbuf *out, uint64_t n)
{
	char text[FORMAT_MAX];

	strbuf_printf(out, "%s process%s", format_count(text, n), n == 1 ? "" : "es");
}

static void daemon_text(struct output *o, reply_t *d)
{
	struct strbuf *out = output_data(o);
	uint64_t now = now_epoch_us(), started = reply_u64(d, "started_us");
	uint64_t up_ns = now > started ? (now - started) * NSEC_PER_USEC : 0;
	const char *recording = reply_str(d, "recording");
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

	strbuf_printf(out, "%ssonded ", output_style(o, STYLE_HEAD));
	text_append_safe(out, reply_str(d, "version"));
	strbuf_printf(out, "%s, PID %llu, up %s", output_style_end(o, STYLE_HEAD),
		      (unsigned long long)reply_u64(d, "pid"), format_duration(a, up_ns));
	if (*recording) {
		strbuf_puts(out, ", recording ");
		text_append_safe(out, recording);
	}
	strbuf_printf(out, "\ncost     %.2f %% CPU (%s), %s resident,",
		      text_percent(reply_u64(d, "cpu_ns"), up_ns),
		      format_duration(a, reply_u64(d, "cpu_ns")),
		      format_size(b, reply_u64(d, "rss_bytes")));
	strbuf_printf(out, " %s of BPF maps\n", format_size(a, reply_u64(d, "bpf_bytes")));
	strbuf_printf(
		out, "records  %s (%s), %s wakeups, %s\n", format_count(a, reply_u64(d, "records")),
		format_size(b, reply_u64(d, "bytes")), format_count(c, reply_u64(d, "wakeups")),
		reply_u64(d, "queue_full") ? "queue full:" : "queue never full");
	if (reply_u64(d, "queue_full")) {
		out->len--;
		strbuf_printf(out, " %s times\n", format_count(a, reply_u64(d, "queue_full")));
	}
	strbuf_puts(out, "known    ");
	put_processes(out, reply_u64(d, "processes"));
	strbuf_puts(out, "\nunwind   ");
	text_counted(out, reply_u64(d, "unwind_tables"), "table");
	strbuf_printf(out, " (%s of BPF maps), ", format_size(a, reply_u64(d, "unwind_bytes")));
	put_processes(out, reply_u64(d, "unwind_processes"));
	strbuf_putc(out, '\n');
}

static void history_text(struct output *o, reply_t *h)
{
	struct strbuf *out = output_data(o);
	uint64_t first = reply_u64(h, "first_us"), last = reply_u64(h, "last_us");
	const char *problem = reply_str(h, "problem");
	char a[FORMAT_MAX], b[FORMAT_MAX];

	strbuf_printf(out, "history  %s in %s windows", format_size(a, reply_u64(h, "bytes")),
		      format_count(b, reply_u64(h, "windows")));
	if (first && last > first)
		strbuf_printf(out, " of %s", format_duration(a, (last - first) * NSEC_PER_USEC));
	if (reply_u64(h, "waiting"))
		strbuf_printf(out, ", %s waiting", format_count(a, reply_u64(h, "waiting")));
	if (reply_u64(h, "lost"))
		strbuf_printf(out, ", %s lost", format_count(a, reply_u64(h, "lost")));
	if (*problem) {
		strbuf_printf(out, ": %s", output_style(o, STYLE_BAD));
		text_append_safe(out, problem);
		strbuf_puts(out, output_style_end(o, STYLE_BAD));
	}
	strbuf_putc(out, '\n');
}

static void status_text(struct output *o, reply_t *reply, const void *arg)
{
	struct strbuf *out = output_data(o);
	bool lost = losses_total(reply, "losses") > 0;

	(void)arg;
	daemon_text(o, reply_get(reply, "daemon"));
	if (reply_get(reply, "history"))
		history_text(o, reply_get(reply, "history"));
	strbuf_printf(out, "losses   %s", output_style(o, lost ? STYLE_BAD : STYLE_NONE));
	losses_text(out, reply, "losses");
	strbuf_printf(out, "%s\n\n", output_style_end(o, lost ? STYLE_BAD : STYLE_NONE));
	if (reply_first(reply, "sessions"))
		sessions_table(o, reply, "sessions");
	else
		strbuf_puts(out, "no sessions; start one with sonde attach\n");
}

int cmd_status(struct cli *cli)
{
	static const struct view view = {.text = status_text};

	return query_run(cli, "Status", NULL, &view, NULL);
}

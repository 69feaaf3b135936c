/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diff_report.h"

#include <sys/utsname.h>
#include <time.h>

#include "sink.h"
#include "sonde/base/format.h"
#include "text.h"

enum report_format diff_report_format(const char *path)
{
	const char *dot = strrchr(path, '.');

	return !dot			 ? REPORT_NONE
	       : streq(dot, ".xml")	 ? REPORT_JUNIT
	       : streq(dot, ".md")	 ? REPORT_MARKDOWN
	       : streq(dot, ".markdown") ? REPORT_MARKDOWN
					 : REPORT_NONE;
}

static void side_fact(struct strbuf *out, reply_t *reply, const char *side, const char *name)
{
	reply_t *s = reply_get(reply, side), *session = reply_get(s, "session");
	bool span = diff_is_spans(reply);
	time_t started = (time_t)(reply_u64(session, "started_us") / 1000000);
	char clock[FORMAT_MAX] = "";
	struct tm tm;

	if (gmtime_r(&started, &tm))
		strftime(clock, sizeof(clock), "%Y-%m-%dT%H:%M:%SZ", &tm);
	strbuf_printf(out, "%s, recorded %s, %s, %.1f s, %llu %s, %llu blocks", name, clock,
		      reply_str(session, "targets"), reply_double(s, "seconds"),
		      (unsigned long long)reply_u64(s, span ? "calls" : "samples"),
		      span ? "spans" : "samples", (unsigned long long)reply_u64(s, "blocks"));
}

static void coverage_fact(struct strbuf *out, reply_t *reply, const char *side)
{
	uint64_t seen, lost;

	diff_coverage(reply, side, &seen, &lost);
	strbuf_printf(out, "%.2f %%: %llu of %llu lost", 100 - text_percent(lost, seen),
		      (unsigned long long)lost, (unsigned long long)seen);
}

/* "model name : AMD EPYC" of /proc/cpuinfo. */
static void processor_fact(struct strbuf *out)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	strbuf_printf(out, "%ld CPUs", sysconf(_SC_NPROCESSORS_ONLN));
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!startswith(line, "model name") || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		strbuf_printf(out, ",%s", colon + 1);
		return;
	}
}

size_t diff_report_facts(reply_t *reply, const struct diff_view *view,
			 struct report_facts ret[static REPORT_FACTS])
{
	struct utsname u = {0};
	size_t n = 0;

	for (size_t i = 0; i < REPORT_FACTS; i++)
		ret[i] = (struct report_facts){0};
	(void)uname(&u);
	ret[n].name = "before";
	side_fact(&ret[n++].text, reply, "before", view->before);
	ret[n].name = "after";
	side_fact(&ret[n++].text, reply, "after", view->after);
	ret[n].name = "coverage before";
	coverage_fact(&ret[n++].text, reply, "before");
	ret[n].name = "coverage after";
	coverage_fact(&ret[n++].text, reply, "after");
	ret[n].name = "kind";
	strbuf_puts(&ret[n++].text, reply_str(reply, "kind"));
	ret[n].name = "confidence";
	strbuf_printf(&ret[n++].text, "%.4g %%", 100 * reply_double(reply, "confidence"));
	ret[n].name = "drift";
	strbuf_printf(&ret[n++].text, "%.4g %%", 100 * reply_double(reply, "drift"));
	ret[n].name = "method";
	strbuf_puts(&ret[n++].text, reply_str(reply, "method"));
	ret[n].name = "compared on";
	strbuf_printf(&ret[n++].text, "%s, %s %s %s", u.nodename, u.sysname, u.release, u.machine);
	ret[n].name = "processor";
	processor_fact(&ret[n++].text);
	ret[n].name = "sonde";
	strbuf_puts(&ret[n++].text, SONDE_VERSION);
	return n;
}

int diff_report_write(const char *path, reply_t *reply, const struct diff_view *view,
		      struct error *e)
{
	_cleanup_(sink_freep) struct sink *sink = sink_new(path);
	_cleanup_(strbuf_release) struct strbuf out = {0};
	int r;

	if (diff_report_format(path) == REPORT_JUNIT)
		diff_report_junit(&out, reply, view);
	else
		diff_report_markdown(&out, reply, view);
	if (!sink || strbuf_error(&out) < 0)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	r = sink_write(sink, out.data, out.len, false, e);
	return r < 0 ? r : sink_finish(sink, e);
}

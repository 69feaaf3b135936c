/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JUnit XML as build servers read it: a test case a gate. */
#include <sys/utsname.h>
#include <time.h>

#include "diff_report.h"
#include "flame_tree.h"

/* Without what XML cannot have, quoted for attributes and text alike. */
static void put_xml(struct strbuf *out, const char *text)
{
	_cleanup_(strbuf_release) struct strbuf clean = {0};

	flame_clean(&clean, text ? text : "");
	flame_escape(out, clean.data, clean.len);
}

static void put_attribute(struct strbuf *out, const char *name, const char *value)
{
	strbuf_printf(out, " %s=\"", name);
	put_xml(out, value);
	strbuf_putc(out, '"');
}

static void put_finding(struct strbuf *out, reply_t *finding)
{
	_cleanup_(strbuf_release) struct strbuf line = {0};
	reply_t *value = reply_get(finding, "value");

	strbuf_puts(&line, reply_str(finding, "comparison"));
	if (value) {
		strbuf_printf(&line, ": %s [%s]: ", reply_str(finding, "function"),
			      reply_str(finding, "binary"));
		diff_evidence(&line, reply_str(finding, "metric"), value);
	}
	strbuf_puts(&line, ": ");
	diff_verdict(&line, finding);
	put_xml(out, line.data);
	strbuf_putc(out, '\n');
}

static void put_case(struct strbuf *out, reply_t *gate)
{
	const char *verdict = reply_str(gate, "verdict");
	bool passed = streq(verdict, "passed"), failed = streq(verdict, "failed");
	const char *element = passed ? "system-out" : failed ? "failure" : "error";

	strbuf_puts(out, "    <testcase classname=\"sonde.diff\"");
	put_attribute(out, "name", reply_str(gate, "gate"));
	strbuf_printf(out, ">\n      <%s", element);
	if (!passed) {
		put_attribute(out, "type", failed ? "gate" : "undecided");
		put_attribute(out, "message",
			      failed ? "the gate holds" : "the gate cannot be judged");
	}
	strbuf_putc(out, '>');
	reply_foreach(finding, gate, "findings") put_finding(out, finding);
	strbuf_printf(out, "</%s>\n    </testcase>\n", element);
}

static size_t count(reply_t *reply, const char *verdict)
{
	size_t n = 0;

	reply_foreach(gate, reply, "gates") n += streq(reply_str(gate, "verdict"), verdict);
	return n;
}

static void put_head(struct strbuf *out, reply_t *reply)
{
	bool refused = reply_get(reply, "refused");
	struct utsname u = {0};
	char clock[40] = "";
	time_t now = time(NULL);
	struct tm tm;

	(void)uname(&u);
	if (gmtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%Y-%m-%dT%H:%M:%S", &tm);
	strbuf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
			 "  <testsuite name=\"sonde diff\"");
	strbuf_printf(out,
		      " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" time=\"0\"",
		      reply_count(reply, "gates") + refused, count(reply, "failed"),
		      count(reply, "undecided") + refused);
	put_attribute(out, "timestamp", clock);
	put_attribute(out, "hostname", u.nodename);
	strbuf_puts(out, ">\n");
}

void diff_report_junit(struct strbuf *out, reply_t *reply, const struct diff_view *view)
{
	struct report_facts facts[REPORT_FACTS];
	size_t n = diff_report_facts(reply, view, facts);

	put_head(out, reply);
	strbuf_puts(out, "    <properties>\n");
	for (size_t i = 0; i < n; i++) {
		strbuf_puts(out, "      <property");
		put_attribute(out, "name", facts[i].name);
		put_attribute(out, "value", facts[i].text.data);
		strbuf_puts(out, "/>\n");
		strbuf_release(&facts[i].text);
	}
	strbuf_puts(out, "    </properties>\n");
	reply_foreach(gate, reply, "gates") put_case(out, gate);
	if (reply_get(reply, "refused")) {
		strbuf_puts(out, "    <testcase classname=\"sonde.diff\" name=\"coverage\">\n"
				 "      <error type=\"coverage\"");
		put_attribute(out, "message", reply_str(reply, "refused"));
		strbuf_puts(out, "/>\n    </testcase>\n");
	}
	strbuf_puts(out, "  </testsuite>\n</testsuites>\n");
}

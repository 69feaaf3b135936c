/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples and waits one by one, as commands ask for them and what they make of them. */
#include <criterion/criterion.h>
#include "cli_run.h"

TestSuite(cli_samples, .init = setup, .fini = teardown, .timeout = 60);

Test(cli_samples, a_chrome_trace_has_them_behind_the_spans)
{
	check("export --format chrome", "export-samples.json", 0);
	expect_asked("\"method\":\"io.sonde.ExportSpans\"");
	expect_asked("\"method\":\"io.sonde.ExportSamples\",\"parameters\":{"
		     "\"query\":{\"kind\":\"offcpu\"}},\"more\":true");
}

Test(cli_samples, a_kind_is_alone)
{
	RESULT spans = sonde("export --format chrome --kind span");
	RESULT cpu;

	cr_expect_eq(spans.status, 0, "%s", spans.err);
	cr_expect_null(strstr(spans.out, "stackFrames"));
	cpu = sonde("export --format chrome --kind cpu");
	cr_expect_eq(cpu.status, 0, "%s", cpu.err);
	cr_expect_null(strstr(cpu.out, "handle"));
	cr_expect(
		strstr(cpu.out, "\"ph\":\"i\",\"s\":\"t\",\"name\":\"work<int>\",\"cat\":\"cpu\""));
}

Test(cli_samples, they_are_those_in_the_spans_that_are_chosen)
{
	sonde_ok("export --format chrome --name 'h*' --min-duration 10ms");
	expect_asked("\"kind\":\"offcpu\",\"in\":\"h*: duration >= 10000000ns\"");
	sonde_ok("export --format chrome --where 'ret < 0 || error' --errors");
	expect_asked("\"kind\":\"cpu\",\"in\":\"(ret < 0 || error) && error\"");
	sonde_ok("export --format chrome --in 'load: ret < 0' --name x");
	expect_asked("{\"query\":{\"kind\":\"cpu\",\"in\":\"load: ret < 0\"}}");
	expect_asked("{\"query\":{},\"name\":\"x\",\"details\":true}");
}

Test(cli_samples, formats_of_spans_have_none)
{
	expect_error("export --format dftracer --kind cpu", 2, "carries spans and no samples");
	expect_error("export --format dftracer --in x", 2, "of which dftracer has none");
	expect_error("export --format csv --answer spans --in x", 2, "--answer spans has none");
}

/* Those of threads that have spans are below these; other threads are added. */
Test(cli_samples, a_page_has_them_by_thread)
{
	_cleanup_(freep) char *page = NULL;

	sonde_ok("timeline -o t.html");
	page = slurp("t.html");
	cr_expect(strstr(page, "\"samples\":[{\"thread\":0,\"cpu\":2,\"waits\":2},"
			       "{\"thread\":1,\"cpu\":1,\"waits\":0},"
			       "{\"thread\":2,\"cpu\":1,\"waits\":0}],\"stacks\":5,"));
	cr_expect(strstr(page, "[\"work\\u003cint>\",\"app\",\"work.cc:12\"]"));
	cr_expect(strstr(page, "{\"process\":0,\"tid\":4713,\"name\":\"wor\\\"ker\"},"
			       "{\"process\":1,\"tid\":4720}]"));
	sonde_ok("timeline -o t.html --since '@1763728387' --name 'handle'");
	expect_asked("\"kind\":\"cpu\",\"in\":\"handle: duration >= 0ns\",\"since_us\":");
}

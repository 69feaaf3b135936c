/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export_help.h"

Test(export_prometheus, is_as_it_was)
{
	check_format(&export_prometheus, odd_calls, "span.prom");
	check_format(&export_prometheus, odd_stacks, "cpu.prom");
}

/* Spans are taken before stacks here, so that each is a series that stacks find again. */
Test(export_prometheus, a_bucket_takes_what_is_below_its_border)
{
	static const char calls[] =
		"{\"kind\":\"span\",\"processes\":[{\"pid\":1,\"comm\":\"a\"}],"
		"\"frames\":[{\"func\":\"f\",\"path\":\"/x\",\"kind\":\"span\"}],"
		"\"parents\":[0],\"leaves\":[0],\"calls\":[{\"process\":0,\"stack\":0,\"calls\":3,"
		"\"total_ns\":3071,\"histogram\":[191,2,192,1]}]}";
	_cleanup_(strbuf_release) struct strbuf out = {};

	/* Buckets 191 and 192 end and begin at 1,024 ns. */
	run_format(&export_prometheus, NULL, 0, calls, &out);
	cr_assert(strstr(out.data, "le=\"0.000001024\"} 2\n"), "%s", out.data);
	cr_assert(strstr(out.data, "le=\"0.000004096\"} 3\n"));
	cr_assert(strstr(out.data, "le=\"+Inf\"} 3\n"));
	cr_assert(strstr(out.data, "_sum{function=\"f\",binary=\"x\",comm=\"a\"} 0.000003071\n"));
}

Test(export_prometheus, nothing_is_an_exposition_too)
{
	_cleanup_(strbuf_release) struct strbuf out = {};

	run_format(&export_prometheus, NULL, 0, NULL, &out);
	cr_assert(strstr(out.data, "# EOF\n"));
	cr_assert_not(strstr(out.data, "duration"));
}

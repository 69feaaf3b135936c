/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export_help.h"

Test(export_chrome, is_as_it_was)
{
	check_format(&export_chrome, NULL, "chrome.json");
}

Test(export_chrome, nothing_is_a_trace_too)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	cJSON *trace;

	run_format(&export_chrome, NULL, 0, NULL, &out);
	trace = cJSON_Parse(out.data);
	cr_assert(trace);
	cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(trace, "traceEvents")), 0);
	cJSON_Delete(trace);
}

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

/* Of counters a process is told apart by the name alone. */
Test(export_chrome, counters_have_their_value)
{
	static const char *const values[][2] = {
		{"-0.0", "-0.0"}, {"9007199254740993", "9007199254740992"}, {"\"nan\"", "\"nan\""}};
	cJSON *session = cJSON_Parse(odd_session);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {};
		struct export x = {.out = &out, .source = &odd_source, .session = session};
		struct exported_span span = {.start_ns = ODD_NS + 1500,
					     .flags = EXPORTED_INSTANT | EXPORTED_COUNTER};
		char text[128];

		snprintf(text, sizeof(text), "{\"at\":0,\"args\":{},\"cat\":\"q\",\"value\":%s}",
			 values[i][0]);
		span.details = cJSON_Parse(text);
		cr_assert_eq(export_chrome.begin(&x), 0);
		cr_assert_eq(export_chrome.span(&x, &span), 0);
		export_chrome.free(&x);
		snprintf(text, sizeof(text),
			 "{\"ph\":\"C\",\"name\":\"q/"
			 "handle\",\"cat\":\"app\",\"pid\":4711,\"tid\":4711,"
			 "\"ts\":1.500,\"args\":{\"value\":%s}}",
			 values[i][1]);
		cr_expect_not_null(strstr(out.data, text), "%s in %s", text, out.data);
		cJSON_Delete((cJSON *)span.details);
	}
	cJSON_Delete(session);
}

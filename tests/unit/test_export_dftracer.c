/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export_help.h"

Test(export_dftracer, legacy_framing)
{
	const struct options options = {.inputs = {.n = 1}};
	_cleanup_(strbuf_release) struct strbuf out = {};

	run_format(&export_dftracer, &options, ARRAY_SIZE(odd_spans), NULL, &out);
	check_golden("legacy.pfw", &out);
}

Test(export_dftracer, new_framing)
{
	const struct options options = {.framing = "new", .inputs = {.n = 1}};
	_cleanup_(strbuf_release) struct strbuf out = {};

	run_format(&export_dftracer, &options, ARRAY_SIZE(odd_spans), NULL, &out);
	check_golden("new.pfw", &out);
}

/* A name that is a file's is there once, by its number. */
Test(export_dftracer, files_have_numbers)
{
	static const struct exported_function functions[] = {
		{(char *)"open", (char *)"libc.so.6"},
		{(char *)"fread", (char *)"libc.so.6"},
		{(char *)"qsort", (char *)"libc.so.6"}};
	const struct span_source source = {
		.processes = (struct exported_process *)odd_processes,
		.threads = (struct exported_thread *)odd_threads,
		.functions = (struct exported_function *)functions,
		.n_processes = 1,
		.n_threads = 1,
		.n_functions = 3,
	};
	cJSON *details =
		cJSON_Parse("{\"args\":{\"file\":\"\\\"/etc/a \\\\\\\"b\\\"\",\"level\":\"1\"}}");
	const struct options options = {.framing = "new", .inputs = {.n = 1}};
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct export x = {.options = &options, .out = &out, .source = &source};

	cr_assert(details);
	cr_assert_eq(export_dftracer.begin(&x), 0);
	for (uint32_t i = 0; i < 6; i++) {
		struct exported_span span = {.start_ns = ODD_NS, .function = i % 3};

		span.details = i % 3 == 0 ? details : NULL;
		cr_assert_eq(export_dftracer.span(&x, &span), 0);
	}
	cr_assert_eq(export_dftracer.end(&x), 0);
	export_dftracer.free(&x);
	cJSON_Delete(details);
	check_golden("files.pfw", &out);
}

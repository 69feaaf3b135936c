/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats made of answers: json, csv, md. */
#include "export_help.h"

static const char odd_report[] =
	"{\"kind\":\"span\",\"rows\":[{\"key\":\"a|b, "
	"\\\"c\\\"\",\"binary\":\"lib<x>.so\",\"calls\":3,"
	"\"errors\":1,\"total_ns\":9007199254740991,\"self_ns\":1234567,\"avg_ns\":1,\"p50_ns\":0,"
	"\"p99_ns\":999,\"max_ns\":60000000000,\"samples\":0,\"self_samples\":0},"
	"{\"key\":\"_line\\nbreak*\",\"binary\":\"\",\"calls\":1}],\"total_ns\":5}";
static const char odd_graph[] = "{\"kind\":\"cpu\",\"rows\":[{\"id\":1,\"parent\":0,\"depth\":0,"
				"\"func\":\"main\",\"binary\":\"app\","
				"\"kind\":\"user\",\"samples\":12},{\"id\":2,\"parent\":1,"
				"\"depth\":1,\"func\":\"do_syscall_64\","
				"\"binary\":\"[kernel]\",\"kind\":\"kernel\",\"samples\":5}]}";

static void check_answer(const struct export_format *format, const struct options *options,
			 const char *reply, const char *golden)
{
	_cleanup_(strbuf_release) struct strbuf out = {};

	run_format(format, options, 0, reply, &out);
	check_golden(golden, &out);
}

Test(export_answers, csv)
{
	const struct options by_comm = {.by = "comm"};

	check_answer(&export_csv, &by_comm, odd_report, "report.csv");
	check_answer(&export_csv, NULL, odd_graph, "graph.csv");
	check_format(&export_csv, NULL, "spans.csv");
}

Test(export_answers, markdown)
{
	check_answer(&export_markdown, NULL, odd_report, "report.md");
	check_answer(&export_markdown, NULL, odd_graph, "graph.md");
	check_format(&export_markdown, NULL, "spans.md");
}

Test(export_answers, json)
{
	check_answer(&export_json, NULL, odd_report, "report.json");
	check_format(&export_json, NULL, "spans.jsonl");
}

Test(export_answers, a_table_of_nothing_has_a_head)
{
	check_answer(&export_csv, NULL, "{\"rows\":[]}", "empty.csv");
	check_answer(&export_markdown, NULL, "{\"rows\":[]}", "empty.md");
}

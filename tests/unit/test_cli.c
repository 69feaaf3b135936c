/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command as its users meet it: it is executed, against a daemon that answers from files, and
 * what it prints is compared with golden files (SONDE_UPDATE_GOLDEN=1 writes them anew). The
 * binary is $SONDE_BINARY, else ../../cli/sonde beside this program in the build tree.
 */
#include <criterion/criterion.h>
#include "cli_run.h"

TestSuite(cli, .init = setup, .fini = teardown, .timeout = 60);

Test(cli, answers_as_text)
{
	RESULT partial;

	setenv("LC_ALL", "C.UTF-8", 1);
	check("status", "status.txt", 0);
	check("doctor", "doctor.txt", 0);
	check("list", "list.txt", 0);
	check("report", "report.txt", 0);
	check("report --by-category", "report-by-category.txt", 0);
	check("report --kind cpu", "report-cpu.txt", 0);
	partial = sonde("report --kind cpu");
	cr_expect(strstr(partial.err, "stacks of 99 of 990 samples (10.0 %) may lack callers; "
				      "50 have frames found by frame pointers\n"),
		  "%s", partial.err);
	check("graph", "graph.txt", 0);
	check("graph --kind cpu --color always", "graph-cpu-color.txt", 0);
	check("flame", "flame.folded", 0);
	check("debuginfo", "debuginfo.txt", 0);
	check("spans", "spans.txt", 0);
	check("sql 'SELECT 1'", "sql.txt", 0);
	check("sql --csv 'SELECT 1'", "sql.csv", 0);
	check("probes -p 1 'sqlite3_s*' -n 2", "probes.txt", 0);
	check("attach -p 1 x", "attach.txt", 0);
	check("detach api", "detach.txt", 0);
}

Test(cli, sql_is_asked_as_it_stands)
{
	RESULT r = sonde("sql --timeout 1500ms -n 7 'SELECT 1'");
	RESULT both = sonde("sql --csv 'SELECT 1' --json");

	cr_expect_str_eq(r.err, "sonde: cut after 3 rows; --limit N shows more\n");
	expect_asked("\"query\":\"SELECT 1\",\"timeout_ms\":1500,\"limit\":7");
	sonde_ok("sql - </dev/null");
	expect_asked("\"query\":\"\"");
	cr_assert_eq(system("printf 'SELECT\\n2' >q"), 0);
	sonde_ok("sql -q - <q");
	expect_asked("\"query\":\"SELECT\\n2\"");
	cr_assert_eq(system("printf 'a\\0b' >q"), 0);
	expect_error("sql - <q", 2, "is no query");
	expect_error("sql", 2, "give one query in quotes");
	expect_error("sql SELECT 1", 2, "give one query in quotes");
	cr_expect(both.status == 2 && strstr(both.out, "either --csv or --json"), "%s", both.out);
	expect_error("report --csv", 2, "report does not take --csv");
}

Test(cli, answers_as_json)
{
	setenv("FAKE_FIXED_TIME", "1", 1);
	stop_server();
	server = fake_listen(socket_path);
	check("status --json", "status.json", 0);
	check("doctor --json", "doctor.json", 0);
	check("report --json", "report.json", 0);
	check("report --json --by comm", "report-by-comm.json", 0);
	check("report --json --by-category", "report-by-category.json", 0);
	check("report --json --by category", "report-by-category.json", 0);
	check("graph --flat --json --by-category", "report-by-category.json", 0);
	expect_error("report --by comm --by-category", 2, "either --by comm or --by-category");
	expect_error("graph --by-category", 2, "give --flat");
	expect_error("report --tree --by-category", 2, "a tree (--tree) has no --by");
	check("graph --json", "graph.json", 0);
	check("flame --json", "flame.json", 0);
	check("debuginfo --json -n 2", "debuginfo.json", 0);
	check("spans --json", "spans.json", 0);
	check("sql --json 'SELECT 1'", "sql.json", 0);
	check("attach --json -p 1 x", "attach.json", 0);
}

Test(cli, times_travel_as_microseconds_since_the_epoch)
{
	static const char *const verbs[] = {"report", "graph", "flame", "spans"};
	char arguments[128];

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		snprintf(arguments, sizeof(arguments),
			 "%s --since 2026-11-30T14:30:00+02:00 --until @1796049000.5", verbs[i]);
		sonde_ok(arguments);
		expect_asked("\"query\":{\"since_us\":1796041800000000,\"until_us\":"
			     "1796049000500000}");
		cr_assert_eq(truncate(log_path, 0), 0);
	}
	sonde_ok("report --since '2 hours ago'");
	sonde_ok("spans --until yesterday");
	expect_error("report --since 10", 2, "--since 10: has no unit: write 10m");
	expect_error("spans --until tomorrow", 2, "'2 hours ago', yesterday, 14:30, 2026-11-30T");
	expect_error("spans --until 2026-02-30", 2, "there is no such day");
	expect_error("list --since 1h", 2, "list does not take --since");
}

Test(cli, timelines_have_a_lane_a_thread)
{
	setenv("COLUMNS", "42", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	check("timeline", "timeline.txt", 0);
	expect_asked("\"query\":{},\"sort\":\"oldest\",\"limit\":1000000}");
	check("timeline --json", "timeline.json", 0);
	check("timeline --color always -n 1", "timeline-color.txt", 0);
	check("timeline --color never -n 2", "timeline-plain.txt", 0);
	setenv("LC_ALL", "C", 1);
	check("timeline -n 2", "timeline-plain.txt", 0);
}

/* The first span of all says what offsets mean; the daemon is then asked for what is between. */
Test(cli, timelines_of_a_range)
{
	setenv("COLUMNS", "42", 1);
	setenv("LC_ALL", "C", 1);
	check("timeline -r 1ms~5.0005ms", "timeline-range.txt", 0);
	expect_asked("\"sort\":\"oldest\",\"limit\":1}");
	expect_asked("\"query\":{},\"sort\":\"oldest\",\"limit\":1000000,"
		     "\"ends_after_us\":1763728387124456,\"starts_before_us\":1763728387128456}");
	sonde_ok("timeline -r @1763728387.5~ --until @1763728389 -p 4711 --name 'h*' --errors "
		 "--min-duration 1ms --where true");
	expect_asked("{\"where\":\"true\",\"until_us\":1763728389000000,\"selectors\":{\"pids\":["
		     "4711]}},\"min_duration_ns\":1000000,\"name\":\"h*\",\"errors_only\":true,"
		     "\"sort\":\"oldest\",\"limit\":1000000,\"ends_after_us\":1763728387500000}");
	sonde_ok("timeline -r ~2s --until @1763728389");
	expect_asked("\"until_us\":1763728389000000},\"sort\":\"oldest\",\"limit\":1000000,"
		     "\"ends_after_us\":1763728387123456,\"starts_before_us\":1763728389123456}");
	expect_error("timeline -r 1s", 2, "not a range such as 1.5s~2s");
	expect_error("timeline -r 2s~1s", 2, "ends before it begins");
	expect_error("timeline -r ~@1763728387", 2, "ends before it begins, at the first span");
	expect_error("timeline -r 5s~@1763728388", 2, "as the first span says");
	expect_error("spans -r 1s~2s", 2, "spans does not take -r");
}

Test(cli, names_of_functions_are_asked_for_as_they_are_wanted)
{
	static const char *const verbs[] = {"flame", "report", "graph"};
	char arguments[64];

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		snprintf(arguments, sizeof(arguments), "%s --demangle full", verbs[i]);
		RESULT r = sonde(arguments);

		cr_expect_eq(r.status, 0, "%s", r.err);
		expect_asked("\"query\":{\"demangle\":\"full\"}");
		cr_assert_eq(truncate(log_path, 0), 0);
	}
	RESULT plain = sonde("graph --no-inline");

	cr_expect_eq(plain.status, 0, "%s", plain.err);
	expect_asked("\"query\":{\"inlined\":false}");
	expect_error("flame --demangle long", 2, "must be one of full|short|none");
	expect_error("spans --demangle full", 2, "spans does not take --demangle");
}

Test(cli, debug_files_are_fetched_on_demand)
{
	RESULT plain, on;

	unsetenv("DEBUGINFOD_URLS");
	plain = sonde("debuginfo -p 7 --session api");
	expect_asked(
		"\"query\":{\"session\":\"api\",\"kind\":\"cpu\",\"selectors\":{\"pids\":[7]}}");
	cr_expect(strstr(plain.err, "--fetch downloads"), "%s", plain.err);
	cr_assert_eq(truncate(log_path, 0), 0);
	expect_error("debuginfo --fetch", 2, "$DEBUGINFOD_URLS is not set");
	expect_error("debuginfo --fetch --urls ' '", 2, "no debuginfod server");
	expect_error("debuginfo --max-size 1MB", 2, "are about --fetch");
	expect_error("debuginfo --fetch --max-size 1parsec", 2, "not a size such as 100MB");
	expect_error("debuginfo --fetch --cache-size 0", 2, "out of range");
	expect_error("spans --debuginfod", 2, "spans does not take --debuginfod");
	setenv("DEBUGINFOD_URLS", "", 1);
	expect_error("debuginfo --fetch", 2, "$DEBUGINFOD_URLS is empty");
	/* Nothing was asked until there was a server to ask then. */
	result_release(&plain);
	plain = sonde("report --kind cpu");
	on = sonde("report --kind cpu --debuginfod");
	cr_expect_str_eq(on.out, plain.out);
	cr_expect(strstr(on.err, "$DEBUGINFOD_URLS is not set"), "%s", on.err);
	_cleanup_(freep) char *asked = slurp(log_path);

	cr_expect_null(strstr(asked, "MissingDebugInfo"), "%s", asked);
	/* The directory that the daemon names cannot be made: said, and asked all the same. */
	setenv("SONDE_DEBUGINFOD", "yes", 1);
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:1", 1);
	result_release(&on);
	on = sonde("report --kind cpu");
	cr_expect_str_eq(on.out, plain.out);
	cr_expect(strstr(on.err, "debug files are not fetched: cannot write to /proc/none/debug"),
		  "%s", on.err);
	expect_error("debuginfo --fetch", 1, "cannot write to /proc/none/debug");
}

Test(cli, trace_ends_by_count_and_by_itself)
{
	RESULT few = sonde("trace -p 1 'f*' -n 4 --args --min-duration 1ms");
	RESULT all = sonde("trace -p 1 ends-itself --json");

	cr_expect_eq(few.status, 0, "%s", few.err);
	golden("trace.txt", few.out);
	golden("trace-notes.txt", few.err);
	expect_asked("\"specs\":[\"f*\"],\"selectors\":{\"pids\":[1]},\"min_duration_ns\":1000000,"
		     "\"args\":true");
	expect_asked("Stop");
	cr_expect_eq(all.status, 0, "%s", all.err);
	golden("trace.json", all.out);
}

Test(cli, trace_ends_by_time_signal_and_target)
{
	uint64_t began = now_monotonic_ns();
	RESULT time = sonde("trace -p 1 'f*' -d 100ms");
	RESULT signal = sonde("version; $BINARY trace -p 1 'f*' -d 9 >sig.out 2>sig.err & "
			      "sleep 0.5; kill -INT $!; wait $!");
	_cleanup_(freep) char *signal_err = slurp("sig.err");
	RESULT target;

	cr_expect_eq(time.status, 0, "%s", time.err);
	cr_expect(
		strstr(time.err, "8 spans, 3 not shown, 14 lost (ring full 12, nested too deep 2)"),
		"%s", time.err);
	cr_expect_eq(signal.status, 0);
	cr_expect(strstr(signal_err, "8 spans"), "%s", signal_err);
	cr_expect_lt(now_monotonic_ns() - began, 5 * NSEC_PER_SEC, "Ctrl-C did not end it");
	target = sonde("trace 'f*' -- sleep 0.2");
	cr_expect_eq(target.status, 0, "%s", target.err);
	expect_asked("\"files\":[\"/");
	expect_asked("libc.so.6");
	result_release(&target);
	target = sonde("trace 'f*' -p $(sleep 0.3 >/dev/null & echo $!)");
	cr_expect_eq(target.status, 0, "%s", target.err);
}

Test(cli, spans_are_followed)
{
	uint64_t began = now_monotonic_ns();
	RESULT all = sonde("spans -f --session ends-itself");
	RESULT signal =
		sonde("version; $BINARY spans -f --session x --since @1 >sig.out 2>sig.err & "
		      "sleep 0.5; kill -INT $!; wait $!");
	_cleanup_(freep) char *signal_out = slurp("sig.out"), *signal_err = slurp("sig.err");

	cr_expect_eq(all.status, 0, "%s", all.err);
	golden("follow.txt", all.out);
	cr_expect_str_eq(all.err,
			 "sonde: args.len was not kept in this session\n4 spans, 1,235 more "
			 "were skipped: they came faster than they were read\n");
	expect_asked("{\"session\":\"ends-itself\"},\"limit\":10,\"follow\":true}");
	expect_asked("{\"session\":\"x\",\"since_us\":1000000},\"follow\":true}");
	cr_expect_eq(signal.status, 0);
	cr_expect(strstr(signal_out, " second") && !strstr(signal_out, " last"), "%s", signal_out);
	cr_expect_str_eq(signal_err, "3 spans, 1,234 more were skipped: they came faster than they "
				     "were read\n");
	cr_expect_lt(now_monotonic_ns() - began, 9 * NSEC_PER_SEC, "Ctrl-C did not end it");
	sonde_ok("spans -f --session ends-itself -n 3 --json");
	expect_asked("\"limit\":3,\"follow\":true}");
	expect_error("spans -f -i /etc/passwd", 2, "a recording does not go on");
	expect_error("spans -f --until now", 2, "has no end");
	expect_error("spans -f --sort duration", 2, "in the order of time");
	expect_error("report -f", 2, "report does not take -f");
}

Test(cli, record_exits_as_its_command)
{
	RESULT r = sonde("record -o x.sonde 'f*' -- sh -c 'exit 7'");

	cr_expect_eq(r.status, 7, "%s", r.err);
	cr_expect_str_eq(r.err, "x.sonde: 12,345 spans, 99 samples, 1.2 MiB, 0 lost\n");
	cr_expect_str_empty(r.out);
	expect_asked("/x.sonde\"");
	expect_error("record -- sh -c 'kill -9 $$'", 137, "out.sonde");
	expect_asked("\"frequency\":99");
	expect_error("record -- no-such-command", 127, "no such command");
	expect_error("record -- /etc/passwd", 126, "ermission denied");
	expect_error("record -p 1 -d 0.1s", 0, "12,345 spans");
	expect_error("record -d 100ms -- sleep 60", 143, "12,345 spans");
	/* timeout(1) sends the signal twice: to the process and to its group. */
	expect_error("version >/dev/null; timeout 0.5 $BINARY record -p 1", 124, "12,345 spans");
}

Test(cli, private_daemon)
{
	stop_server();
	check("doctor", "doctor.txt", 0);
	check("report -i /etc/passwd", "report.txt", 0);
	check("trace -p 1 'f*' -n 4 --args", "trace.txt", 0);
	expect_error("report", 3, "-i FILE");
	expect_error("attach -p 1 x", 3, "systemctl start sonded");
	expect_error("trace --socket /nowhere/s -p 1 x", 3, "no daemon is running at /nowhere/s");
	expect_error("report -i no-such.sonde", 4, "no-such.sonde");
	setenv("FAKE_EXIT", "1", 1);
	expect_error("trace -p 1 x", 3, "exit status 1");
	expect_error("report -i /etc/passwd", 1, "cannot read the recording /etc/passwd");
	setenv("FAKE_EXIT", "77", 1);
	expect_error("trace -p 1 x", 77, "exit status 77");
	setenv("SONDE_SONDED", "/no/such/sonded", 1);
	expect_error("trace -p 1 x", 3, "/no/such/sonded");
}

Test(cli, errors)
{
	RESULT r = sonde("report --json --session missing");

	cr_expect_eq(r.status, 4);
	golden("error.json", r.out);
	cr_expect_str_empty(r.err);
	expect_error("report --session missing", 4, "sonde list shows the sessions");
	setenv("FAKE_MISSING", "1", 1);
	stop_server();
	server = fake_listen(socket_path);
	check("doctor", "doctor-missing.txt", 77);
}

Test(cli, conditions)
{
	RESULT spans = sonde("spans --where 'ret < 0'"), quiet;

	expect_asked("\"where\":\"ret < 0\"");
	cr_expect(strstr(spans.err, "sonde: args.len was not kept in this session: conditions on"));
	cr_expect(strstr(spans.err, "was asked about 900 spans; 1200 others were not kept as raw "
				    "spans"));
	quiet = sonde("spans -q --where 'ret < 0'");
	cr_expect_str_empty(quiet.err);
	sonde_ok("report --where 'duration > 1ms' --by comm");
	expect_asked("\"query\":{\"where\":\"duration > 1ms\"},\"by\":\"comm\"");
	/* The daemon's complaint about the text, with a mark below the column. */
	expect_error("flame --session bad-condition --where 'duration > 10'", 2,
		     "column 12: expected a duration");
	expect_error("flame --session bad-condition --where 'duration > 10'", 2,
		     "\n  duration > 10\n             ^\n");
	expect_error("trace -p 1 x --where", 2, "needs a value");
	sonde_ok("graph --in 'f: duration > 1ms' --kind offcpu");
	expect_asked("\"query\":{\"kind\":\"offcpu\",\"in\":\"f: duration > 1ms\"}");
	expect_error("report --session bad-condition --in 'ff: d > 100'", 2,
		     "\n  ff: d > 100\n             ^\n");
	expect_error("spans --in f", 2, "spans does not take --in");
	/* A name and a condition, and nothing to probe: of the session of that name. */
	check("attach --name api --where 'ret < 0' --begin 'arg0 > 1'", "set-conditions.txt", 0);
	expect_asked(
		"\"io.sonde.SetConditions\",\"parameters\":{\"name\":\"api\",\"where\":\"ret < 0\","
		"\"begin\":\"arg0 > 1\"}");
}

Test(cli, processes_by_where_they_are)
{
	sonde_ok("report --by container --cgroup '/system.slice/*' --container 9ec39b91f3d7");
	expect_asked("\"query\":{\"selectors\":{\"cgroup\":\"/system.slice/*\","
		     "\"container\":\"9ec39b91f3d7\"}},\"by\":\"container\"");
	sonde_ok("attach --container 'web*' -p 1 x");
	expect_asked("\"selectors\":{\"pids\":[1],\"container\":\"web*\"}");
	/* They say whom to sample, and not everybody. */
	sonde_ok("attach --cgroup '/a/*' -F 99");
	expect_error("attach -a --container web -F 99", 2, "-a means every process");
	expect_error("record --cgroup '/a/*' -- true", 2, "either a command behind --");
	expect_error("attach -F 99", 2, "--cgroup GLOB, --container ID or -a");
	expect_error("report --container ''", 2, "needs a value that is not empty");
}

Test(cli, what_is_kept_of_calls)
{
	RESULT r =
		sonde("probes -p 1 'sqlite3_s*' --inside main,'f(a, b)' --inside handle --stack-if "
		      "'error' --capture 'str(args.a[0]),args.b' --redact 'pass*,key' --exceptions "
		      "--return sites");

	cr_expect_eq(r.status, 0, "%s", r.err);
	expect_asked("\"exceptions\":true,\"stack_if\":\"error\",\"inside\":[\"main\",\"f(a, "
		     "b)\",\"handle\"],\"capture\":[\"str(args.a[0])\",\"args.b\"],"
		     "\"redact\":[\"pass*\",\"key\"],\"returns\":\"sites\"");
	/* Each reason once, however many functions have it. */
	cr_expect_str_eq(r.err,
			 "sonde: libsqlite3.so.0.8.6: the ends of calls are probed at their sites, "
			 "as the program maps an unwinder, which exceptions and panics use\n"
			 "sonde: left out: sqlite3_str_vappendf: not a function\n");
	expect_error("trace -p 1 x --capture a,,b", 2, "has an empty part");
	expect_error("trace -p 1 x --return never", 2, "must be one of auto|uretprobe|sites");
	expect_error("attach -p 1 x --stats-only --capture arg0", 2, "--stats-only keeps none");
	expect_error("spans --begin true", 2, "spans does not take --begin");
}

Test(cli, wrong_usage)
{
	expect_error("", 2, "see sonde --help");
	expect_error("trcae", 2, "did you mean trace?");
	expect_error("trace --min-duratoin 1ms x", 2, "did you mean --min-duration?");
	expect_error("trace -p 1 x --min-duration 10", 2, "write 10ms");
	expect_error("trace -p 1,x y", 2, "not a process ID");
	expect_error("trace -p 1", 2, "say what to probe");
	expect_error("record -F 99", 2, "say whom to sample");
	expect_error("report --sort size", 2, "must be one of total|self");
	expect_error("report -F 3", 2, "report does not take -F");
	expect_error("-p 1 report", 2, "belongs behind the verb");
	expect_error("trace -p", 2, "needs a value");
	expect_error("trace -a -p 1 x", 2, "leave out -p");
	expect_error("report -- ls", 2, "runs no command");
	expect_error("flame -o x.png", 2, ".html, .svg");
	expect_error("report --json=1", 2, "takes no value");
	expect_error("status extra", 2, "takes no operand");
}

Test(cli, files_appear_whole_or_not_at_all)
{
	RESULT r = sonde("flame -o x.svg --title 'a & b'");
	_cleanup_(freep) char *svg = slurp("x.svg");
	RESULT html = sonde("flame -o x.html");

	cr_expect_eq(r.status, 0, "%s", r.err);
	cr_expect(strstr(svg, "a &amp; b"));
	cr_expect_eq(html.status, 0);
	cr_expect_eq(access("x.html", F_OK), 0);
	cr_expect_neq(access("x.svg.tmp", F_OK), 0);
	expect_error("report -o no/such/dir", 1, "cannot write no/such/dir");
	expect_error("report -o /dev/full", 1, "No space left");
	expect_error("report --session missing -o y.txt", 4, "no session");
	cr_expect_neq(access("y.txt", F_OK), 0);
	cr_expect_neq(access("y.txt.tmp", F_OK), 0);
	result_release(&r);
	r = sonde("report | true");
	cr_expect_eq(r.status, 0);
}

Test(cli, help_and_completion)
{
	RESULT all = sonde("--help"), json = sonde("version --json"), bash;

	bash = sonde("completion bash");
	cr_expect_eq(system("bash -n out"), 0);

#define VERB(name, function, needs, operands, summary)                                             \
	{                                                                                          \
		RESULT r = sonde(#name " --help");                                                 \
                                                                                                   \
		cr_expect(r.status == 0 && !strstr(r.out, "(null)"));                              \
		cr_expect(strstr(r.out, "man sonde-" #name) && strstr(r.out, summary));            \
		cr_expect(strstr(all.out, "  " #name " "));                                        \
		cr_expect(strstr(bash.out, "\t" #name ") words="));                                \
	}
#include "../../cli/verbs.def"
#undef VERB
	cr_expect_str_eq(json.out, "{\"schema\":1,\"version\":\"" SONDE_VERSION "\"}\n");
}

Test(cli, bash_completes)
{
	RESULT r = sonde("completion bash");
	_cleanup_(freep) char *done = NULL;

	cr_expect_eq(r.status, 0);
	cr_assert_eq(system("mv out c.sh; bash -c '. ./c.sh; COMP_WORDS=(sonde report --sort p);"
			    " COMP_CWORD=3; _sonde; echo ${COMPREPLY[*]};"
			    " COMP_WORDS=(sonde tr); COMP_CWORD=1; _sonde; echo ${COMPREPLY[*]};"
			    " COMP_WORDS=(sonde attach --stats); COMP_CWORD=2; _sonde;"
			    " echo ${COMPREPLY[*]}; COMP_WORDS=(sonde record --ca); _sonde;"
			    " echo ${COMPREPLY[*]}; COMP_WORDS=(sonde trace --return s);"
			    " COMP_CWORD=3; _sonde; echo ${COMPREPLY[*]};"
			    " COMP_WORDS=(sonde trace --redact r); _sonde;"
			    " echo ${#COMPREPLY[*]}' > done"),
		     0);
	done = slurp("done");
	cr_expect_str_eq(done, "p50 p99\ntrace\n--stats-only\n--capture\nsites\n0\n");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#define V(name)	   (1ULL << VERB_##name)
#define AT(member) offsetof(struct options, member)

#define WHOM	(V(probes) | V(trace) | V(record) | V(attach))
#define COLLECT WHOM
#define QUERY	(V(report) | V(graph) | V(flame) | V(spans))

/* In the order in which help shows them. */
const struct option_def option_defs[] = {
	{'p', "pid", OPTION_PIDS, "PID[,PID]", "these processes (may be repeated)", NULL,
	 WHOM | QUERY, AT(pids)},
	{'c', "comm", OPTION_TEXT, "GLOB", "processes whose name matches", NULL, WHOM | QUERY,
	 AT(comm)},
	{0, "uid", OPTION_UID, "UID", "processes of this user (number or name)", NULL, WHOM | QUERY,
	 AT(uid)},
	{'a', "all", OPTION_FLAG, NULL, "every process, those that start later too", NULL,
	 WHOM | QUERY, AT(all)},

	{'i', "input", OPTION_TEXT, "FILE", "answer from a recording instead of the daemon", NULL,
	 QUERY | V(list), AT(input)},
	{0, "session", OPTION_TEXT, "NAME", "of this session (default: the newest)", NULL, QUERY,
	 AT(session)},

	{0, "min-duration", OPTION_DURATION, "TIME",
	 "only spans that took at least this long: 250us, 10ms, 1s", NULL, COLLECT | V(spans),
	 AT(min_duration)},
	{0, "max-depth", OPTION_NUMBER, "N", "only spans nested at most N deep", NULL, COLLECT,
	 AT(max_depth)},
	{0, "errors", OPTION_FLAG, NULL, "only spans that returned an error (a value below 0)",
	 NULL, COLLECT | V(spans), AT(errors)},
	{0, "null-is-error", OPTION_FLAG, NULL, "an error is a return value of 0 (NULL)", NULL,
	 COLLECT, AT(null_is_error)},
	{0, "args", OPTION_FLAG, NULL, "keep the six integer arguments", NULL, COLLECT, AT(args)},
	{0, "stats-only", OPTION_FLAG, NULL,
	 "only statistics by function, at the lowest cost: no raw spans, no nesting", NULL,
	 V(attach) | V(probes), AT(stats_only)},
	{'F', "frequency", OPTION_NUMBER, "HZ", "CPU samples a second on each CPU", NULL,
	 V(record) | V(attach), AT(frequency)},
	{'d', "duration", OPTION_SECONDS, "TIME", "stop after that time: 10 (seconds), 500ms, 2m",
	 NULL, V(trace) | V(record), AT(duration)},
	{'n', "count", OPTION_NUMBER, "N", "stop after N spans", NULL, V(trace), AT(count)},
	{'n', "limit", OPTION_NUMBER, "N", "show at most N lines", NULL, V(probes) | V(report),
	 AT(count)},
	{'n', "limit", OPTION_NUMBER, "N", "show the newest (with --sort duration: the longest) N",
	 NULL, V(spans), AT(count)},
	{0, "name", OPTION_TEXT, "NAME", "name of the session", NULL,
	 V(trace) | V(record) | V(attach), AT(name)},
	{0, "name", OPTION_TEXT, "GLOB", "only spans of functions whose name matches", NULL,
	 V(spans), AT(name)},

	{0, "kind", OPTION_CHOICE, "KIND", "spans or CPU samples", "span|cpu",
	 V(report) | V(graph) | V(flame), AT(kind)},
	{0, "by", OPTION_CHOICE, "KEY", "group by", "func|probe|comm|pid|thread", V(report),
	 AT(by)},
	{0, "sort", OPTION_CHOICE, "KEY", "order by",
	 "total|self|calls|errors|avg|p50|p99|max|samples", V(report), AT(sort)},
	{0, "sort", OPTION_CHOICE, "KEY", "order by", "time|duration", V(spans), AT(sort)},
	{0, "min-percent", OPTION_PERCENT, "PERCENT", "leave out what is below that share", NULL,
	 V(graph), AT(min_percent)},
	{0, "depth", OPTION_NUMBER, "N", "show at most N levels", NULL, V(graph), AT(depth)},
	{0, "title", OPTION_TEXT, "TEXT", "title of the picture", NULL, V(flame), AT(title)},

	{'o', "output", OPTION_TEXT, "FILE", "write there instead of to standard output", NULL,
	 OPTION_GLOBAL, AT(output)},
	{0, "json", OPTION_FLAG, NULL, "answer as JSON", NULL, OPTION_GLOBAL, AT(json)},
	{0, "socket", OPTION_TEXT, "PATH",
	 "socket of the daemon (default: $SONDE_SOCKET or /run/sonde/sonde.sock)", NULL,
	 OPTION_GLOBAL, AT(socket)},
	{0, "color", OPTION_CHOICE, "WHEN", "colour", "auto|always|never", OPTION_GLOBAL,
	 AT(color)},
	{0, "no-pager", OPTION_FLAG, NULL, "do not start a pager", NULL, OPTION_GLOBAL,
	 AT(no_pager)},
	{'q', "quiet", OPTION_FLAG, NULL, "no totals and notes on standard error", NULL,
	 OPTION_GLOBAL, AT(quiet)},
	{'h', "help", OPTION_FLAG, NULL, "explain and exit", NULL, OPTION_GLOBAL, AT(help)},
	{0, "version", OPTION_FLAG, NULL, "print the version and exit", NULL, OPTION_GLOBAL,
	 AT(version)},
};

const size_t option_defs_count = ARRAY_SIZE(option_defs);

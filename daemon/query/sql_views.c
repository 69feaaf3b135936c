/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The documented views: names, units and joins as people want them. Joins are outer ones, so that
 * no row is lost where a file lacks what it names. sonde-sql(1) explains every column. In braces
 * are tables, as the newest version has them, and what comes often:
 *
 *   {us X}       the time X, of the clock of the session s, in microseconds since the epoch
 *   {start}      the same of the start of the window w
 *   {rows T r}   the rows r of the table T, with their window w and its session s
 *   {of r}       joins the process p of a row r, and its name c
 */
#include "sql_private.h"

/* Tables of older versions, made to look like those of the newest. */
static const struct {
	const char *table;
	int until; /* the last version that needs it */
	const char *sql;
} old_tables[] = {
	{"session", 1, "(SELECT *, NULL AS where_text, NULL AS begin_text FROM main.session)"},
	{"process", 2,
	 "(SELECT *, (SELECT min(id) FROM main.session) AS session, 0 AS ns_pid, 0 AS container"
	 " FROM main.process)"},
	{"frame_line", 2,
	 "(SELECT 0 AS frame, 0 AS level, 0 AS function, 0 AS source, 0 AS line WHERE 0)"},
	{"probe", 1, "(SELECT *, 0 AS signature FROM main.probe)"},
	{"sample", 2, "(SELECT *, 0 AS kind, 0 AS total_ns FROM main.sample)"},
	{"sample", 3, "main.sample"},
	{"sample_chunk", 2, "(SELECT window, 0 AS kind, count AS samples FROM main.sample)"},
	{"sample_chunk", 3, "(SELECT window, kind, count AS samples FROM main.sample)"},
	{"event", 2,
	 "(SELECT *, '' AS text, (SELECT min(id) FROM main.session) AS session FROM main.event)"},
};

static const struct {
	const char *name, *sql;
	const char *indexed; /* of files with an index of what is of a window; NULL: the same */
} views[] = {
	{"event",
	 "SELECT {us e.time_ns} AS time_us, e.session, nullif(e.process, 0) AS process, p.pid,"
	 " c.value AS comm, e.kind, e.detail, nullif(e.text, '') AS text"
	 " FROM {event} e LEFT JOIN {session} s ON s.id = e.session {of e}"},
	{"frame", "SELECT f.id, frame_name(f.id) AS function, d.value AS file,"
		  " CASE WHEN NOT b.flags & 8 OR f.file = 0 THEN f.offset END AS offset,"
		  " nullif(lower(hex(b.build_id)), '') AS build_id,"
		  " CASE WHEN b.flags & 8 THEN nullif(f.offset, 0) ELSE l.line END AS line,"
		  " CASE WHEN b.flags & 8 THEN d.value ELSE y.name END AS source"
		  " FROM main.frame f LEFT JOIN main.file b ON b.id = f.file"
		  " LEFT JOIN main.string d ON d.id = b.path"
		  " LEFT JOIN {frame_line} l ON l.frame = f.id AND l.level = 0"
		  " LEFT JOIN main.symbol y ON y.id = l.source"},
	{"loss",
	 "SELECT l.window, {start} AS time_us, w.session, loss_name(l.kind) AS kind, l.count"
	 " FROM {rows loss l} WHERE loss_name(l.kind) IS NOT NULL"},
	{"process",
	 "SELECT p.id, p.session, p.pid, nullif(p.ns_pid, 0) AS ns_pid,"
	 " nullif(n.value, '') AS container, p.ppid, p.uid, c.value AS comm, x.value AS exe,"
	 " a.value AS cmdline, g.value AS cgroup, {us nullif(p.start_ns, 0)} AS start_us,"
	 " {us nullif(p.exit_ns, 0)} AS exit_us,"
	 " CASE WHEN NOT p.flags & 1 THEN NULL WHEN p.exit_status & 127"
	 " THEN 128 + (p.exit_status & 127) ELSE p.exit_status >> 8 & 255 END AS exit_status"
	 " FROM {process} p LEFT JOIN {session} s ON s.id = p.session"
	 " LEFT JOIN main.string c ON c.id = p.comm LEFT JOIN main.string x ON x.id = p.exe"
	 " LEFT JOIN main.string a ON a.id = p.cmdline"
	 " LEFT JOIN main.string g ON g.id = p.cgroup"
	 " LEFT JOIN main.string n ON n.id = p.container"},
	{"sample",
	 "SELECT m.window, {start} AS time_us, w.session, m.process, p.pid, c.value AS comm,"
	 " t.value AS thread,"
	 " CASE m.kind WHEN 0 THEN 'cpu' WHEN 1 THEN 'offcpu' ELSE m.kind END AS kind,"
	 " nullif(m.stack, 0) AS stack, frame_name(k.frame) AS function,"
	 " frame_binary(k.frame) AS binary, m.count,"
	 " CASE m.kind WHEN 0 THEN m.count * 1000000000 / nullif(s.frequency, 0) ELSE m.total_ns"
	 " END AS total_ns FROM {rows sample m} {of m}"
	 " LEFT JOIN main.string t ON t.id = m.thread LEFT JOIN main.stack k ON k.id = m.stack"},
	{"session",
	 "SELECT s.id, s.name, s.targets, (SELECT group_concat(spec, ' ') FROM main.session_spec"
	 " WHERE session = s.id) AS specs, s.frequency, s.started_us,"
	 " nullif(s.ended_us, 0) AS ended_us, (s.flags & 1) <> 0 AS args,"
	 " (s.flags & 2) <> 0 AS stats_only, (s.flags & 4) <> 0 AS off_cpu,"
	 " s.where_text, s.begin_text FROM {session} s"},
	{"span",
	 "SELECT t.window, {start} AS time_us, w.session, t.process, p.pid, c.value AS comm,"
	 " t.path, nullif(h.parent, 0) AS parent, path_function(t.path) AS function,"
	 " path_binary(t.path) AS binary, path_function(h.parent) AS caller, t.calls, t.errors,"
	 " t.unwound, t.total_ns, t.self_ns, t.min_ns, t.max_ns,"
	 " max(min(histogram_quantile(t.histogram, 0.5), t.max_ns), t.min_ns) AS p50_ns,"
	 " max(min(histogram_quantile(t.histogram, 0.99), t.max_ns), t.min_ns) AS p99_ns,"
	 " t.histogram FROM {rows span_stat t} {of t} LEFT JOIN main.path h ON h.id = t.path"
	 /* Rows without calls only say where values of a counter are. */
	 " WHERE t.calls > 0"},
	{"stack", "SELECT k.id, nullif(k.parent, 0) AS parent, stack_depth(k.id) AS depth, k.frame,"
		  " frame_name(k.frame) AS function FROM main.stack k"},
	{"window",
	 "SELECT w.id, w.session, {start} AS start_us, {us w.end_ns} AS end_us,"
	 " coalesce(m.samples, 0) AS samples, coalesce(m.waits, 0) AS waits,"
	 " coalesce(t.calls, 0) AS spans, coalesce(l.lost, 0) AS lost"
	 " FROM main.window w LEFT JOIN {session} s ON s.id = w.session"
	 " LEFT JOIN (SELECT window, sum(samples) FILTER (WHERE kind = 0) AS samples,"
	 " sum(samples) FILTER (WHERE kind = 1) AS waits FROM {sample_chunk} GROUP BY window) m"
	 " ON m.window = w.id"
	 " LEFT JOIN (SELECT window, sum(calls) AS calls FROM main.span_stat GROUP BY window) t"
	 " ON t.window = w.id"
	 " LEFT JOIN (SELECT window, sum(count) AS lost FROM main.loss WHERE loss_name(kind) IN"
	 " ('ring_span', 'too_deep', 'no_memory', 'program', 'ring_sample') GROUP BY window) l"
	 " ON l.window = w.id",
	 "SELECT w.id, w.session, {start} AS start_us, {us w.end_ns} AS end_us,"
	 " (SELECT coalesce(sum(samples), 0) FROM {sample_chunk} WHERE window = w.id AND kind = 0)"
	 " AS samples,"
	 " (SELECT coalesce(sum(samples), 0) FROM {sample_chunk} WHERE window = w.id AND kind = 1)"
	 " AS waits,"
	 " (SELECT coalesce(sum(calls), 0) FROM main.span_stat WHERE window = w.id) AS spans,"
	 " (SELECT coalesce(sum(count), 0) FROM main.loss WHERE window = w.id AND loss_name(kind)"
	 " IN ('ring_span', 'too_deep', 'no_memory', 'program', 'ring_sample')) AS lost"
	 " FROM main.window w LEFT JOIN {session} s ON s.id = w.session"},
};

const char *sql_view_name(size_t i)
{
	/* The tables of what is raw are at their place in the alphabet. */
	static const char *const raw[] = {"raw_sample", "raw_span"};

	if (i >= 4 && i < 4 + ARRAY_SIZE(raw))
		return raw[i - 4];
	i -= i > 4 ? ARRAY_SIZE(raw) : 0;
	return i < ARRAY_SIZE(views) ? views[i].name : NULL;
}

/* A table as the newest version has it, followed by what is behind its name. */
static void put_table(const struct sql *q, const char *table, struct strbuf *out)
{
	size_t len = strcspn(table, " ");

	for (size_t i = 0; i < ARRAY_SIZE(old_tables); i++)
		if (q->version <= old_tables[i].until && strlen(old_tables[i].table) == len &&
		    strncmp(old_tables[i].table, table, len) == 0) {
			strbuf_printf(out, "%s%s", old_tables[i].sql, table + len);
			return;
		}
	if (len == strlen("sample") && startswith(table, "sample"))
		strbuf_printf(out, "temp.\"sample_row%s\"%s", q->secret, table + len);
	else
		strbuf_printf(out, "main.%s", table);
}

/*
 * With an index a question about some time looks at the windows of that time only: the windows come
 * first, however SQLite would have it. Without, each row looks for its window.
 */
static void put_rows(const struct sql *q, const char *table, struct strbuf *out)
{
	const char *row = strchr(table, ' ') + 1;

	if (q->indexed) {
		strbuf_puts(out, "main.window w CROSS JOIN ");
		put_table(q, "session s", out);
		strbuf_puts(out, " ON s.id = w.session CROSS JOIN ");
		put_table(q, table, out);
		strbuf_printf(out, " ON %s.window = w.id", row);
		return;
	}
	put_table(q, table, out);
	strbuf_printf(out, " LEFT JOIN main.window w ON w.id = %s.window LEFT JOIN ", row);
	put_table(q, "session s", out);
	strbuf_puts(out, " ON s.id = w.session");
}

static void put(const struct sql *q, const char *what, struct strbuf *out)
{
	if (startswith(what, "us ")) {
		strbuf_printf(out, "(%s + s.monotonic_to_epoch_ns) / 1000", what + 3);
	} else if (streq(what, "start")) {
		/* Sonde 0.1.0 began all windows of a recording but the first one at 0. */
		strbuf_puts(out,
			    "max((w.start_ns + s.monotonic_to_epoch_ns) / 1000, s.started_us)");
	} else if (startswith(what, "rows ")) {
		put_rows(q, what + 5, out);
	} else if (startswith(what, "of ")) {
		strbuf_puts(out, " LEFT JOIN ");
		put_table(q, "process p", out);
		strbuf_printf(out, " ON p.id = %s.process LEFT JOIN main.string c ON c.id = p.comm",
			      what + 3);
	} else {
		put_table(q, what, out);
	}
}

char *sql_for_version(const struct sql *q, const char *text)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	char what[64];

	while (*text) {
		size_t len = strcspn(text, "{");

		strbuf_append(&out, text, len);
		text += len;
		if (*text) {
			len = strcspn(++text, "}");
			snprintf(what, sizeof(what), "%.*s", (int)len, text);
			put(q, what, &out);
			text += len + 1;
		}
	}
	return strbuf_error(&out) < 0 ? NULL : TAKE_PTR(out.data);
}

/* NULL: rows of that view are of no process. */
static const char *process_column(const char *view)
{
	static const char *const of_processes[] = {"event", "sample", "span"};

	for (size_t i = 0; i < ARRAY_SIZE(of_processes); i++)
		if (streq(of_processes[i], view))
			return "process";
	return streq(view, "process") ? "id" : NULL;
}

int sql_make_views(struct sql *q)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_SIZE(views) && code == SQLITE_OK; i++) {
		bool indexed = q->indexed && views[i].indexed;
		_cleanup_(freep) char *select =
			sql_for_version(q, indexed ? views[i].indexed : views[i].sql);
		_cleanup_(strbuf_release) struct strbuf sql = {};
		const char *name = views[i].name;

		strbuf_printf(&sql,
			      "CREATE TEMP VIEW \"%s%s\" AS %s; CREATE TEMP VIEW \"%s\" AS "
			      "SELECT * FROM temp.\"%s%s\"",
			      name, q->secret, select ? select : "", name, name, q->secret);
		if (q->options.selectors && process_column(name))
			strbuf_printf(&sql, " WHERE \"" SQL_WANTED "%s\"(%s)", q->secret,
				      process_column(name));
		if (!select || strbuf_error(&sql) < 0)
			return SQLITE_NOMEM;
		code = sqlite3_exec(q->db, sql.data, NULL, NULL, NULL);
	}
	return code;
}

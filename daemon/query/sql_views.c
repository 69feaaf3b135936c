/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The documented views: names, units and joins as people want them. Names in braces are tables, as
 * the newest version has them; joins are outer ones, so that no row is lost where a file lacks what
 * it names. sonde-sql(1) explains every column.
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
	{"event", 2,
	 "(SELECT *, '' AS text, (SELECT min(id) FROM main.session) AS session FROM main.event)"},
};

#define EPOCH_US(time_ns) "(" time_ns " + s.monotonic_to_epoch_ns) / 1000"
/* Sonde 0.1.0 began all windows of a recording but the first one at 0. */
#define WINDOW_START "max(" EPOCH_US("w.start_ns") ", s.started_us)"
#define WINDOW_OF(row)                                                                             \
	" LEFT JOIN main.window w ON w.id = " row ".window"                                        \
	" LEFT JOIN {session} s ON s.id = w.session"
#define PROCESS_OF(row)                                                                            \
	" LEFT JOIN {process} p ON p.id = " row ".process LEFT JOIN main.string c ON c.id = "      \
	"p.comm"

static const struct {
	const char *name, *sql;
} views[] = {
	{"event",
	 "SELECT " EPOCH_US("e.time_ns") " AS time_us, e.session, nullif(e.process, 0) AS process,"
					 " p.pid, c.value AS comm, e.kind, e.detail, "
					 "nullif(e.text, '') AS text"
					 " FROM {event} e LEFT JOIN {session} s ON s.id = "
					 "e.session" PROCESS_OF("e")},
	{"frame", "SELECT f.id, frame_name(f.id) AS function, d.value AS file,"
		  " CASE WHEN NOT b.flags & 8 OR f.file = 0 THEN f.offset END AS offset,"
		  " nullif(lower(hex(b.build_id)), '') AS build_id,"
		  " CASE WHEN b.flags & 8 THEN nullif(f.offset, 0) ELSE l.line END AS line,"
		  " CASE WHEN b.flags & 8 THEN d.value ELSE y.name END AS source"
		  " FROM main.frame f LEFT JOIN main.file b ON b.id = f.file"
		  " LEFT JOIN main.string d ON d.id = b.path"
		  " LEFT JOIN {frame_line} l ON l.frame = f.id AND l.level = 0"
		  " LEFT JOIN main.symbol y ON y.id = l.source"},
	{"loss", "SELECT l.window, " WINDOW_START " AS time_us, w.session,"
		 " loss_name(l.kind) AS kind, l.count FROM main.loss l" WINDOW_OF(
			 "l") " WHERE loss_name(l.kind) IS NOT NULL"},
	{"process",
	 "SELECT p.id, p.session, p.pid, nullif(p.ns_pid, 0) AS ns_pid, nullif(n.value, '') AS "
	 "container,"
	 " p.ppid, p.uid, c.value AS comm, x.value AS exe, a.value AS cmdline, g.value AS cgroup,"
	 " " EPOCH_US(
		 "nullif(p.start_ns, 0)") " AS start_us,"
					  " " EPOCH_US(
						  "nullif(p.exit_ns, 0)") " AS exit_us,"
									  " CASE WHEN NOT p.flags "
									  "& 1 THEN NULL WHEN "
									  "p.exit_status & 127"
									  " THEN 128 + "
									  "(p.exit_status & 127) "
									  "ELSE p.exit_status >> 8 "
									  "& 255 END AS exit_status"
									  " FROM {process} p LEFT "
									  "JOIN {session} s ON "
									  "s.id = p.session"
									  " LEFT JOIN main.string "
									  "c ON c.id = p.comm"
									  " LEFT JOIN main.string "
									  "x ON x.id = p.exe LEFT "
									  "JOIN main.string a ON "
									  "a.id = p.cmdline"
									  " LEFT JOIN main.string "
									  "g ON g.id = p.cgroup"
									  " LEFT JOIN main.string "
									  "n ON n.id = "
									  "p.container"},
	{"sample",
	 "SELECT m.window, " WINDOW_START " AS time_us, w.session, m.process, p.pid,"
	 " c.value AS comm, t.value AS thread,"
	 " CASE m.kind WHEN 0 THEN 'cpu' WHEN 1 THEN 'offcpu' ELSE m.kind END AS kind,"
	 " nullif(m.stack, 0) AS stack, frame_name(k.frame) AS function,"
	 " frame_binary(k.frame) AS binary, m.count,"
	 " CASE m.kind WHEN 0 THEN m.count * 1000000000 / nullif(s.frequency, 0) ELSE m.total_ns"
	 " END AS total_ns"
	 " FROM {sample} m" WINDOW_OF("m")
		 PROCESS_OF("m") " LEFT JOIN main.string t ON t.id = m.thread LEFT JOIN main.stack "
				 "k ON k.id = m.stack"},
	{"session",
	 "SELECT s.id, s.name, s.targets, (SELECT group_concat(spec, ' ') FROM main.session_spec"
	 " WHERE session = s.id) AS specs, s.frequency, s.started_us,"
	 " nullif(s.ended_us, 0) AS ended_us, (s.flags & 1) <> 0 AS args,"
	 " (s.flags & 2) <> 0 AS stats_only, (s.flags & 4) <> 0 AS off_cpu,"
	 " s.where_text, s.begin_text FROM {session} s"},
	{"span",
	 "SELECT t.window, " WINDOW_START " AS time_us, w.session, t.process, p.pid,"
	 " c.value AS comm, t.path, nullif(h.parent, 0) AS parent,"
	 " path_function(t.path) AS function, path_binary(t.path) AS binary,"
	 " path_function(h.parent) AS caller, t.calls, t.errors, t.unwound, t.total_ns, t.self_ns,"
	 " t.min_ns, t.max_ns,"
	 " max(min(histogram_quantile(t.histogram, 0.5), t.max_ns), t.min_ns) AS p50_ns,"
	 " max(min(histogram_quantile(t.histogram, 0.99), t.max_ns), t.min_ns) AS p99_ns,"
	 " t.histogram FROM main.span_stat t" WINDOW_OF("t")
		 PROCESS_OF("t") " LEFT JOIN main.path h ON h.id = t.path"},
	{"stack", "SELECT k.id, nullif(k.parent, 0) AS parent, stack_depth(k.id) AS depth, k.frame,"
		  " frame_name(k.frame) AS function FROM main.stack k"},
	{"window",
	 "SELECT w.id, w.session, " WINDOW_START " AS start_us,"
	 " " EPOCH_US("w.end_ns") " AS end_us, coalesce(m.samples, 0) AS samples,"
				  " coalesce(m.waits, 0) AS waits, coalesce(t.calls, 0) AS spans,"
				  " coalesce(l.lost, 0) AS lost"
				  " FROM main.window w LEFT JOIN {session} s ON s.id = w.session"
				  " LEFT JOIN (SELECT window, sum(count) FILTER (WHERE kind = 0) "
				  "AS samples,"
				  " sum(count) FILTER (WHERE kind = 1) AS waits FROM {sample} "
				  "GROUP BY window) m"
				  " ON m.window = w.id"
				  " LEFT JOIN (SELECT window, sum(calls) AS calls FROM "
				  "main.span_stat GROUP BY window) t"
				  " ON t.window = w.id"
				  " LEFT JOIN (SELECT window, sum(count) AS lost FROM main.loss "
				  "WHERE loss_name(kind) IN"
				  " ('ring_span', 'too_deep', 'no_memory', 'ring_sample') GROUP BY "
				  "window) l"
				  " ON l.window = w.id"},
};

const char *sql_view_name(size_t i)
{
	/* The table of raw spans is at its place in the alphabet. */
	if (i == 4)
		return "raw_span";
	i -= i > 4;
	return i < ARRAY_SIZE(views) ? views[i].name : NULL;
}

static void put_table(const struct sql *q, const char *table, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(old_tables); i++)
		if (q->version <= old_tables[i].until && strlen(old_tables[i].table) == len &&
		    strncmp(old_tables[i].table, table, len) == 0) {
			strbuf_puts(out, old_tables[i].sql);
			return;
		}
	strbuf_puts(out, "main.");
	strbuf_append(out, table, len);
}

char *sql_for_version(const struct sql *q, const char *text)
{
	_cleanup_(strbuf_release) struct strbuf out = {};

	while (*text) {
		size_t len = strcspn(text, "{");

		strbuf_append(&out, text, len);
		text += len;
		if (*text) {
			len = strcspn(++text, "}");
			put_table(q, text, len, &out);
			text += len + 1;
		}
	}
	return strbuf_error(&out) < 0 ? NULL : TAKE_PTR(out.data);
}

int sql_make_views(struct sql *q)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_SIZE(views) && code == SQLITE_OK; i++) {
		_cleanup_(freep) char *select = sql_for_version(q, views[i].sql);
		_cleanup_(strbuf_release) struct strbuf sql = {};
		const char *name = views[i].name;

		strbuf_printf(&sql,
			      "CREATE TEMP VIEW \"%s%s\" AS %s; CREATE TEMP VIEW \"%s\" AS "
			      "SELECT * FROM temp.\"%s%s\";",
			      name, q->secret, select ? select : "", name, name, q->secret);
		if (!select || strbuf_error(&sql) < 0)
			return SQLITE_NOMEM;
		code = sqlite3_exec(q->db, sql.data, NULL, NULL, NULL);
	}
	return code;
}

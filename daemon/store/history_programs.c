/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs in place of processes. A machine that builds or runs scripts starts hundreds of
 * thousands of processes a day that live for a moment each: kept one by one they would be most of
 * the file, and nobody asks for one of them hours later. When windows are merged for good, those
 * that lived for less than a minute are added up by program, user, cgroup and container: in a
 * process of session 0 and PID 0 that has no times. Their own rows are then named by nothing and
 * are collected, and their starts and ends are counted in one event `more`. A process whose calls
 * were traced stays itself.
 */
#include "history_private.h"

#define SHORT_LIFE_NS "60000000000"

#define SAME_PROGRAM                                                                               \
	" q.session = 0 AND q.comm = p.comm AND q.exe = p.exe AND q.uid = p.uid"                   \
	" AND q.cgroup = p.cgroup AND q.container = p.container"

/* Of the session ?1, from ?2 to ?3 microseconds since the epoch. */
#define ITS_TIME                                                                                   \
	" session = ?1 AND time_ns >= ?2 * 1000 - (SELECT monotonic_to_epoch_ns FROM session"      \
	" WHERE id = ?1) AND time_ns < ?3 * 1000 - (SELECT monotonic_to_epoch_ns FROM session"     \
	" WHERE id = ?1)"

#define COUNTED                                                                                    \
	" (kind = 'more' OR (kind IN ('exec', 'exit') AND process IN"                              \
	" (SELECT process FROM temp.program)))"

bool history_make_program_tables(struct history *h)
{
	return history_exec(h, "CREATE TEMP TABLE IF NOT EXISTS program("
			       "process INTEGER PRIMARY KEY, program INTEGER);"
			       "CREATE TEMP TABLE IF NOT EXISTS life(time_ns, n);");
}

/* Processes that the rows name, into temp.program. */
static int name_processes(struct history *h, const struct window *sum)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;

	if (!history_exec(h, "DELETE FROM temp.program; DELETE FROM temp.life") ||
	    sqlite3_prepare_v2(h->db, "INSERT OR IGNORE INTO temp.program VALUES(?, NULL)", -1, &s,
			       NULL) != SQLITE_OK)
		return -1;
	for (size_t i = 0; i < sum->n_samples; i++) {
		if (i > 0 && sum->samples[i].process == sum->samples[i - 1].process)
			continue;
		sqlite3_bind_int64(s, 1, sum->samples[i].process);
		if (history_run(s) < 0)
			return -1;
	}
	return 0;
}

static int read_programs(struct history *h, struct table *ret)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int code;

	if (sqlite3_prepare_v2(h->db, "SELECT process, program FROM temp.program", -1, &s, NULL) !=
	    SQLITE_OK)
		return -1;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		uint32_t *program = table_put(ret, (uint64_t)sqlite3_column_int64(s, 0), NULL);

		if (!program)
			return HISTORY_NO_MEMORY;
		*program = (uint32_t)sqlite3_column_int64(s, 1);
		h->n_replaced++;
	}
	return code == SQLITE_DONE ? 0 : -1;
}

int history_find_programs(struct history *h, const struct window *sum, int64_t session,
			  int64_t from_us, int64_t to_us, struct table *ret)
{
	static const char *const steps[] = {
		("INSERT OR IGNORE INTO temp.program SELECT process, NULL FROM event WHERE" ITS_TIME
		 " AND kind IN ('exec', 'exit')"),
		("DELETE FROM temp.program WHERE process IN"
		 " (SELECT process FROM span_stat WHERE window IN temp.part)"),
		("DELETE FROM temp.program WHERE NOT EXISTS (SELECT 1 FROM process p"
		 " WHERE p.id = program.process AND p.session > 0 AND p.flags & 1"
		 " AND p.exit_ns BETWEEN p.start_ns AND p.start_ns + " SHORT_LIFE_NS
		 " AND p.exec_ns <= p.exit_ns)"),
		("INSERT INTO process(session, pid, ppid, uid, flags, exit_status, ns_pid,"
		 " start_ns, exec_ns, exit_ns, comm, exe, cmdline, cgroup, container)"
		 " SELECT DISTINCT 0, 0, 0, uid, 0, 0, 0, 0, 0, 0, comm, exe, 0, cgroup, container"
		 " FROM temp.program g JOIN process p ON p.id = g.process"
		 " WHERE NOT EXISTS (SELECT 1 FROM process q WHERE" SAME_PROGRAM ")"),
		("UPDATE temp.program SET program = (SELECT q.id FROM process p JOIN process q"
		 " ON" SAME_PROGRAM " WHERE p.id = program.process)"),
		/* Their starts and ends are counted, with those that were before. */
		("INSERT INTO temp.life SELECT max(time_ns), sum(iif(kind = 'more', detail, 1))"
		 " FROM event WHERE" ITS_TIME " AND" COUNTED),
		"DELETE FROM event WHERE" ITS_TIME " AND" COUNTED,
		("INSERT INTO event(session, time_ns, process, kind, detail, text)"
		 " SELECT ?1, time_ns, 0, 'more', n, '' FROM temp.life WHERE n > 0"),
	};
	int r = name_processes(h, sum);

	if (r == 0)
		r = history_run_steps(h, steps, ARRAY_SIZE(steps), session, from_us, to_us);
	return r == 0 ? read_programs(h, ret) : r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables, by version: what this sonde writes and what older ones wrote. */
#include "schema.h"
#include "store.h"

/*
 * Ids are those of the writer's model: dense, from 1 on in order of rows; 0 stands for none.
 * Times are nanoseconds of CLOCK_MONOTONIC unless the name says otherwise (session.monotonic_to_
 * epoch_ns makes them times of day). Unsigned 64-bit numbers are kept as SQLite's signed ones:
 * kernel addresses are negative. A process of session 0 and PID 0 stands for several: see
 * history_programs.c. The reader compares these texts with those in the file, so any
 * change needs a new STORE_VERSION and a row of its own; the texts of old versions stay.
 */
static const struct {
	int first, last; /* versions whose text it is; last 0: the newest's */
	const char *sql;
} tables[] = {
	{1, 0,
	 "CREATE TABLE meta(\n"
	 "  key TEXT PRIMARY KEY, -- 'sonde': the version that wrote the file\n"
	 "  value TEXT NOT NULL\n"
	 ") STRICT;\n"},
	{1, 1,
	 "CREATE TABLE session(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  name TEXT NOT NULL, targets TEXT NOT NULL,\n"
	 "  frequency INTEGER NOT NULL, -- CPU samples a second on a CPU, 0: none\n"
	 "  started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, -- since the epoch; 0: no end\n"
	 "  flags INTEGER NOT NULL, -- 1: arguments are kept, 2: no raw spans\n"
	 "  monotonic_to_epoch_ns INTEGER NOT NULL\n"
	 ") STRICT;\n"},
	{2, 0,
	 "CREATE TABLE session(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  name TEXT NOT NULL, targets TEXT NOT NULL,\n"
	 "  frequency INTEGER NOT NULL, -- CPU samples a second on a CPU, 0: none\n"
	 "  started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, -- since the epoch; 0: no end\n"
	 "  flags INTEGER NOT NULL, -- 1: arguments are kept, 2: no raw spans\n"
	 "  monotonic_to_epoch_ns INTEGER NOT NULL,\n"
	 "  where_text TEXT, begin_text TEXT -- conditions; NULL: none\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE session_spec(\n"
	 "  session INTEGER NOT NULL, spec TEXT NOT NULL -- probe specifications, in their order\n"
	 ") STRICT;\n"},
	{1, 0, "CREATE TABLE string(id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;\n"},
	{1, 0,
	 "CREATE TABLE file(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  build_id BLOB, path INTEGER NOT NULL, -- string\n"
	 "  flags INTEGER NOT NULL -- 1: the kernel, 2: no file, 4: build_id is a hash of the "
	 "content\n"
	 ") STRICT;\n"},
	{1, 2,
	 "CREATE TABLE process(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  pid INTEGER NOT NULL, ppid INTEGER NOT NULL, uid INTEGER NOT NULL,\n"
	 "  flags INTEGER NOT NULL, exit_status INTEGER NOT NULL, -- 1: exited; as wait(2) gives "
	 "it\n"
	 "  start_ns INTEGER NOT NULL, -- CLOCK_BOOTTIME\n"
	 "  exec_ns INTEGER NOT NULL, exit_ns INTEGER NOT NULL,\n"
	 "  comm INTEGER NOT NULL, exe INTEGER NOT NULL, -- strings\n"
	 "  cmdline INTEGER NOT NULL, cgroup INTEGER NOT NULL\n"
	 ") STRICT;\n"},
	{3, 0,
	 "CREATE TABLE process(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  session INTEGER NOT NULL, -- that its times are of\n"
	 "  pid INTEGER NOT NULL, ppid INTEGER NOT NULL, uid INTEGER NOT NULL,\n"
	 "  flags INTEGER NOT NULL, exit_status INTEGER NOT NULL, -- 1: exited; as wait(2) gives "
	 "it\n"
	 "  ns_pid INTEGER NOT NULL, -- in its own PID namespace; 0: the same, or not known\n"
	 "  start_ns INTEGER NOT NULL, -- CLOCK_BOOTTIME\n"
	 "  exec_ns INTEGER NOT NULL, exit_ns INTEGER NOT NULL,\n"
	 "  comm INTEGER NOT NULL, exe INTEGER NOT NULL, -- strings\n"
	 "  cmdline INTEGER NOT NULL, cgroup INTEGER NOT NULL,\n"
	 "  container INTEGER NOT NULL -- string: its id, '' when it is in none\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE symbol(\n"
	 "  id INTEGER PRIMARY KEY, name TEXT NOT NULL -- names that only this file has resolved\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE frame(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  file INTEGER NOT NULL, offset INTEGER NOT NULL,\n"
	 "  function INTEGER NOT NULL -- symbol\n"
	 ") STRICT;\n"},
	{3, 0,
	 "CREATE TABLE frame_line(\n"
	 "  frame INTEGER NOT NULL,\n"
	 "  level INTEGER NOT NULL, -- 0: the frame itself, 1: what is inlined into it, and so on\n"
	 "  function INTEGER NOT NULL, -- symbol; of level 0: the frame's\n"
	 "  source INTEGER NOT NULL, line INTEGER NOT NULL -- symbol: the file's path; from 1 on\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE stack(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  parent INTEGER NOT NULL, frame INTEGER NOT NULL -- the caller's stack; below id\n"
	 ") STRICT;\n"},
	{1, 1,
	 "CREATE TABLE probe(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  spec INTEGER NOT NULL, symbol INTEGER NOT NULL, name INTEGER NOT NULL, -- strings\n"
	 "  file INTEGER NOT NULL, offset INTEGER NOT NULL,\n"
	 "  strategy INTEGER NOT NULL, -- string\n"
	 "  skipped INTEGER NOT NULL -- bytes between the function's start and the probe\n"
	 ") STRICT;\n"},
	{2, 0,
	 "CREATE TABLE probe(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  spec INTEGER NOT NULL, symbol INTEGER NOT NULL, name INTEGER NOT NULL, -- strings\n"
	 "  file INTEGER NOT NULL, offset INTEGER NOT NULL,\n"
	 "  strategy INTEGER NOT NULL, -- string\n"
	 "  skipped INTEGER NOT NULL, -- bytes between the function's start and the probe\n"
	 "  signature INTEGER NOT NULL -- string: of its arguments and result\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE path(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  parent INTEGER NOT NULL, probe INTEGER NOT NULL -- the calling path; below id\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE window(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  session INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL\n"
	 ") STRICT;\n"},
	{1, 2,
	 "CREATE TABLE sample(\n"
	 "  window INTEGER NOT NULL, process INTEGER NOT NULL,\n"
	 "  thread INTEGER NOT NULL, -- string: its name\n"
	 "  stack INTEGER NOT NULL, count INTEGER NOT NULL\n"
	 ") STRICT;\n"},
	{3, 3,
	 "CREATE TABLE sample(\n"
	 "  window INTEGER NOT NULL, process INTEGER NOT NULL,\n"
	 "  thread INTEGER NOT NULL, -- string: its name\n"
	 "  kind INTEGER NOT NULL, -- 0: on the CPU, 1: waiting\n"
	 "  stack INTEGER NOT NULL, count INTEGER NOT NULL,\n"
	 "  total_ns INTEGER NOT NULL -- what they stand for; of CPU samples 0: it is count / "
	 "frequency\n"
	 ") STRICT;\n"},
	{4, 0,
	 "CREATE TABLE sample_chunk(\n"
	 "  id INTEGER PRIMARY KEY, window INTEGER NOT NULL,\n"
	 "  kind INTEGER NOT NULL, -- 0: on the CPU, 1: waiting\n"
	 "  count INTEGER NOT NULL, -- of rows: process, thread (string), stack, count, total_ns\n"
	 "  samples INTEGER NOT NULL, -- the sum of their counts\n"
	 "  data BLOB NOT NULL -- daemon/store/sample_chunk.c\n"
	 ") STRICT;\n"},
	{1, 0,
	 "CREATE TABLE span_stat(\n"
	 "  window INTEGER NOT NULL, process INTEGER NOT NULL, path INTEGER NOT NULL,\n"
	 "  calls INTEGER NOT NULL, errors INTEGER NOT NULL, unwound INTEGER NOT NULL,\n"
	 "  total_ns INTEGER NOT NULL, self_ns INTEGER NOT NULL,\n"
	 "  min_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL,\n"
	 "  histogram BLOB NOT NULL -- varint pairs: buckets skipped, count (sonde/hist.h)\n"
	 ") STRICT;\n"},
	{1, 1,
	 "CREATE TABLE span_chunk(\n"
	 "  id INTEGER PRIMARY KEY, window INTEGER NOT NULL,\n"
	 "  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, -- lowest start, highest end\n"
	 "  count INTEGER NOT NULL, data BLOB NOT NULL -- daemon/store/chunk.c\n"
	 ") STRICT;\n"},
	{2, 0,
	 "CREATE TABLE span_chunk(\n"
	 "  id INTEGER PRIMARY KEY, window INTEGER NOT NULL,\n"
	 "  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, -- lowest start, highest end\n"
	 "  count INTEGER NOT NULL, data BLOB NOT NULL -- daemon/store/chunk_format.h\n"
	 ") STRICT;\n"},
	{5, 0,
	 "CREATE TABLE raw_sample_chunk(\n"
	 "  id INTEGER PRIMARY KEY, window INTEGER NOT NULL,\n"
	 "  kind INTEGER NOT NULL, -- 0: on the CPU, 1: waiting\n"
	 "  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, -- lowest start, highest end\n"
	 "  count INTEGER NOT NULL, data BLOB NOT NULL -- daemon/store/raw_sample_chunk.c\n"
	 ") STRICT;\n"},
	{1, 2,
	 "CREATE TABLE event(\n"
	 "  time_ns INTEGER NOT NULL, process INTEGER NOT NULL,\n"
	 "  kind TEXT NOT NULL, -- 'exec', 'exit'\n"
	 "  detail INTEGER NOT NULL, -- exit: the status as wait(2) gives it\n"
	 "  PRIMARY KEY(time_ns, process, kind)\n"
	 ") STRICT, WITHOUT ROWID;\n"},
	{3, 0,
	 "CREATE TABLE event(\n"
	 "  session INTEGER NOT NULL, time_ns INTEGER NOT NULL,\n"
	 "  process INTEGER NOT NULL, -- 0: of none\n"
	 "  kind TEXT NOT NULL, -- 'exec', 'exit', ...\n"
	 "  detail INTEGER NOT NULL, -- exit: the status as wait(2) gives it\n"
	 "  text TEXT NOT NULL,\n"
	 "  PRIMARY KEY(session, time_ns, process, kind)\n"
	 ") STRICT, WITHOUT ROWID;\n"},
	{1, 0,
	 "CREATE TABLE loss(\n"
	 "  window INTEGER NOT NULL, kind INTEGER NOT NULL, -- enum loss_kind of sonde/record.h\n"
	 "  count INTEGER NOT NULL\n"
	 ") STRICT;\n"},
};

bool schema_create_since(sqlite3 *db, int since, int version)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (since < tables[i].first && tables[i].first <= version &&
		    (!tables[i].last || version <= tables[i].last) &&
		    sqlite3_exec(db, tables[i].sql, NULL, NULL, NULL) != SQLITE_OK)
			return false;
	return true;
}

bool schema_create(sqlite3 *db, int version)
{
	return schema_create_since(db, 0, version);
}

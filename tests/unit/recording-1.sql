-- SPDX-License-Identifier: GPL-2.0-or-later
-- A recording of format 1, as sonde 0.1.0 wrote it: 20 calls of look_up inside 20 of open_table on thread
-- 4712 (start 1.1 s + i 10 ms, duration 2(i + 1) and (i + 1) us, every fifth inner one returns -2), one
-- that was unwound on 4713, and 7 samples.
PRAGMA application_id = 0x736f6e64;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta(
  key TEXT PRIMARY KEY, -- 'sonde': the version that wrote the file
  value TEXT NOT NULL
) STRICT;
INSERT INTO meta VALUES('sonde','0.1.0');
CREATE TABLE session(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, targets TEXT NOT NULL,
  frequency INTEGER NOT NULL, -- CPU samples a second on a CPU, 0: none
  started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, -- since the epoch; 0: no end
  flags INTEGER NOT NULL, -- 1: arguments are kept, 2: no raw spans
  monotonic_to_epoch_ns INTEGER NOT NULL
) STRICT;
INSERT INTO session VALUES(1,'api','pid 4711',99,1700000000000000,1700000001000000,1,1700000000000000000);
CREATE TABLE session_spec(
  session INTEGER NOT NULL, spec TEXT NOT NULL -- probe specifications, in their order
) STRICT;
INSERT INTO session_spec VALUES(1,'open_*');
INSERT INTO session_spec VALUES(1,'look_up');
CREATE TABLE string(id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO string VALUES(1,'[kernel]');
INSERT INTO string VALUES(2,'/usr/bin/app');
INSERT INTO string VALUES(3,'app');
INSERT INTO string VALUES(4,'/system.slice/app.service');
INSERT INTO string VALUES(5,'open_*');
INSERT INTO string VALUES(6,'open_table');
INSERT INTO string VALUES(7,'multi');
INSERT INTO string VALUES(8,'look_up');
INSERT INTO string VALUES(9,'worker');
CREATE TABLE file(
  id INTEGER PRIMARY KEY,
  build_id BLOB, path INTEGER NOT NULL, -- string
  flags INTEGER NOT NULL -- 1: the kernel, 2: no file, 4: build_id is a hash of the content
) STRICT;
INSERT INTO file VALUES(1,NULL,1,1);
INSERT INTO file VALUES(2,NULL,2,0);
CREATE TABLE process(
  id INTEGER PRIMARY KEY,
  pid INTEGER NOT NULL, ppid INTEGER NOT NULL, uid INTEGER NOT NULL,
  flags INTEGER NOT NULL, exit_status INTEGER NOT NULL, -- 1: exited; as wait(2) gives it
  start_ns INTEGER NOT NULL, -- CLOCK_BOOTTIME
  exec_ns INTEGER NOT NULL, exit_ns INTEGER NOT NULL,
  comm INTEGER NOT NULL, exe INTEGER NOT NULL, -- strings
  cmdline INTEGER NOT NULL, cgroup INTEGER NOT NULL
) STRICT;
INSERT INTO process VALUES(1,4711,0,1000,0,0,5000000000,0,0,3,0,0,4);
CREATE TABLE symbol(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL -- names that only this file has resolved
) STRICT;
INSERT INTO symbol VALUES(1,'app+4096');
INSERT INTO symbol VALUES(2,'app+4352');
CREATE TABLE frame(
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL, offset INTEGER NOT NULL,
  function INTEGER NOT NULL -- symbol
) STRICT;
INSERT INTO frame VALUES(1,2,4096,1);
INSERT INTO frame VALUES(2,2,4352,2);
CREATE TABLE stack(
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL, frame INTEGER NOT NULL -- the caller's stack; below id
) STRICT;
INSERT INTO stack VALUES(1,0,1);
INSERT INTO stack VALUES(2,1,2);
CREATE TABLE probe(
  id INTEGER PRIMARY KEY,
  spec INTEGER NOT NULL, symbol INTEGER NOT NULL, name INTEGER NOT NULL, -- strings
  file INTEGER NOT NULL, offset INTEGER NOT NULL,
  strategy INTEGER NOT NULL, -- string
  skipped INTEGER NOT NULL -- bytes between the function's start and the probe
) STRICT;
INSERT INTO probe VALUES(1,5,6,6,2,4096,7,4);
INSERT INTO probe VALUES(2,8,8,8,2,4352,7,4);
CREATE TABLE path(
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL, probe INTEGER NOT NULL -- the calling path; below id
) STRICT;
INSERT INTO path VALUES(1,0,1);
INSERT INTO path VALUES(2,1,2);
INSERT INTO path VALUES(3,0,2);
CREATE TABLE window(
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL
) STRICT;
INSERT INTO "window" VALUES(1,1,1000000000,2000000000);
CREATE TABLE sample(
  window INTEGER NOT NULL, process INTEGER NOT NULL,
  thread INTEGER NOT NULL, -- string: its name
  stack INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT;
INSERT INTO sample VALUES(1,1,9,2,7);
CREATE TABLE span_stat(
  window INTEGER NOT NULL, process INTEGER NOT NULL, path INTEGER NOT NULL,
  calls INTEGER NOT NULL, errors INTEGER NOT NULL, unwound INTEGER NOT NULL,
  total_ns INTEGER NOT NULL, self_ns INTEGER NOT NULL,
  min_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL,
  histogram BLOB NOT NULL -- varint pairs: buckets skipped, count (sonde/hist.h)
) STRICT;
INSERT INTO span_stat VALUES(1,1,2,20,4,0,210000,210000,1000,20000,X'be01011f010f010f010801060107010701040103010201030103010301030103010201010101010101');
INSERT INTO span_stat VALUES(1,1,1,20,0,0,420000,210000,2000,40000,X'de01011f010f010f010801060107010701040103010201030103010301030103010201010101010101');
INSERT INTO span_stat VALUES(1,1,3,1,0,1,5000000,5000000,5000000,5000000,X'c60401');
CREATE TABLE span_chunk(
  id INTEGER PRIMARY KEY, window INTEGER NOT NULL,
  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, -- lowest start, highest end
  count INTEGER NOT NULL, data BLOB NOT NULL -- daemon/store/chunk.c
) STRICT;
INSERT INTO span_chunk VALUES(1,1,1100000000,1505000000,41,X'0129d00428b52ffd605001bd0a00141301e8ddc28c040202d049000203040104010001010002010200000104060406040604060401010000b0cac409d00f90abc409a01ff08bc409f02ed0ecc309c03eb0cdc309904e90aec309e05df08ec309b06dd0efc209807db0d0c209d08c0190b1c209a09c01f091c209f0ab01d0f2c109c0bb01b0d3c10990cb0190b4c109e0da01f094c109b0ea01d0f5c00980fa01b0d6c009d0890290b7c009a09902f097c009f0a802b080bcfd0201e807d00fd00fa01fb817f02ea01fc03e8827904ef02ee05dd836b06dc03e807da846d08c01904ea09c01f855f0ab01e05dc0bb01c86590cb01b06de0da019875b0ea01807d80fa01e88401d08902d08c01a09902b89401f0a802a09c01c0b802c096b102000100000209000e020013001802001d002202002700000180c002000200010600000f0086173439862cc000ee3d380d9a5e9121cf5d090806040382f18cb4c233e4ca4109c2');
CREATE TABLE event(
  time_ns INTEGER NOT NULL, process INTEGER NOT NULL,
  kind TEXT NOT NULL, -- 'exec', 'exit'
  detail INTEGER NOT NULL, -- exit: the status as wait(2) gives it
  PRIMARY KEY(time_ns, process, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE loss(
  window INTEGER NOT NULL, kind INTEGER NOT NULL, -- enum loss_kind of sonde/record.h
  count INTEGER NOT NULL
) STRICT;
INSERT INTO loss VALUES(1,6,3);
COMMIT;

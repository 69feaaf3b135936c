# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings: how long a report on 1,000,000 spans takes, what a raw span takes on disk, and a raw
sample or wait."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time

from common import BenchError, Daemon, Figure, Spin, end_process, median, run, say, started

SPANS = 1000000
PORT = "16398"
# Many statements, so many calls of the library: a table is filled and read back row by row.
QUERY = ("create table t(a, b); "
         "with recursive c(x) as (select 1 union all select x + 1 from c where x < 200000) "
         "insert into t select x, 'row ' || x from c; "
         "select a, b, a * 2, length(b) from t where a % 3 = 0 order by b;")


@contextlib.contextmanager
def recording(daemon, path, *what):
    client = subprocess.Popen(daemon.sonde("record", "-q", "-o", path, *what),
                              stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        end_process(client, signal.SIGINT)


def million(env, daemon, path):
    with Spin(env) as spin, recording(daemon, path, "-p", str(spin.pid), "spin_push"):
        spin.wait_probed("spin_push", True)
        spin.ask(f"run spin_push 200000 {SPANS} 1")
        time.sleep(0.5)


def report_time(env, path, rounds):
    times = []
    for _ in range(rounds):
        begin = time.monotonic()
        run([env.sonde, "report", "-i", path])
        times.append(time.monotonic() - begin)
    return median(times)


def bytes_a_span(path):
    """(spans, packed bytes a span, bytes of the file a span)"""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        spans, packed = db.execute("select sum(count), sum(length(data)) from span_chunk").fetchone()
    if not spans:
        raise BenchError(f"{path} has no raw spans")
    return spans, packed / spans, os.path.getsize(path) / spans


def record_sqlite(env, daemon, path):
    run(daemon.sonde("record", "-q", "-o", path, "libsqlite3:sqlite3_*", "--", "sqlite3",
                     os.path.join(env.dir, "t.db"), QUERY), timeout=300)


def record_redis(env, daemon, path):
    server = ["redis-server", "--port", PORT, "--save", "", "--dir", env.dir]
    with started(server, stdout=subprocess.DEVNULL) as redis:
        time.sleep(0.5)
        with recording(daemon, path, "-p", str(redis.pid), "*Command", "call", "lookupKey*",
                       "addReply*", "dict*", "sds*"):
            time.sleep(1)
            run(["redis-benchmark", "-p", PORT, "-q", "-n", "20000", "-t", "set,get,lpush,hset"])


def bytes_a_sample(path):
    """By kind: (samples, packed bytes each); what they make of the file, %"""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        kinds = dict((kind, (n, packed / n)) for kind, n, packed in db.execute(
            "select kind, sum(count), sum(length(data)) from raw_sample_chunk group by kind"))
        packed, = db.execute("select sum(length(data)) from raw_sample_chunk").fetchone()
    if len(kinds) != 2:
        raise BenchError(f"{path} has no samples, or no waits")
    return kinds, 100 * packed / os.path.getsize(path)


def samples(env, daemon):
    """Of everything that runs here, with a program of many stacks."""
    path = os.path.join(env.dir, "samples.sonde")
    with recording(daemon, path, "-a", "-F", "997", "--off-cpu"):
        for _ in range(3):
            run(["sqlite3", ":memory:", QUERY], timeout=60)
    kinds, share = bytes_a_sample(path)
    for kind, name in enumerate(("sample", "wait")):
        n, each = kinds[kind]
        yield Figure(f"a raw {name} at 997 Hz, packed", each, "bytes", 12, note=f"{n} of them")
    yield Figure("raw samples and waits, of such a file", share, "%", 25)


def figures(env):
    path = os.path.join(env.dir, "million.sonde")
    with Daemon(env, "recording") as daemon:
        million(env, daemon, path)
        spans, packed, size = bytes_a_span(path)
        if spans < SPANS:
            raise BenchError(f"{spans} spans were recorded, not {SPANS}")
        yield Figure(f"sonde report -i, {spans} spans", report_time(env, path, env.rounds), "s", 1)
        for name, record in (("sqlite3", record_sqlite), ("redis-server", record_redis)):
            path = os.path.join(env.dir, name + ".sonde")
            record(env, daemon, path)
            spans, packed, size = bytes_a_span(path)
            say(f"  {name}: {spans} spans")
            yield Figure(f"a raw span of {name}, packed", packed, "bytes", 8,
                         note=f"{spans} spans")
            yield Figure(f"a raw span of {name}, of the file", size, "bytes", 8)
        yield from samples(env, daemon)

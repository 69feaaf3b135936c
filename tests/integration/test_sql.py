#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SQL: the queries of its manual page, recordings of workloads whose answers are known, what is
refused and what ends a query, as a user meets it."""
import csv
import json
import os
import re
import select
import shlex
import signal
import sqlite3
import subprocess
import time

os.environ["TZ"] = "UTC"  # of the times on the page
import harness as h  # noqa: E402, as it takes the environment

PAGE = h.ROOT / "cli/man/sonde-sql.1.scd"
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT "
CALLS = {"alpha": 10000, "beta": 5000, "gamma_fail": 1000, "delta_null": 400, "outer": 300, "middle": 300,
         "inner": 600, "six": 100}


def shop():
    return h.recording_of_format(3, "shop")


def ask(path, query, *args):
    """The rows as tuples, and the names of the columns."""
    reply = h.run(h.SONDE, "sql", "-i", path, "--json", query, *args).json
    h.equal(reply["schema"], 1, "schema")
    h.check(all(list(row) == reply["columns"] for row in reply["rows"]), f"{query}: columns")
    return [tuple(row.values()) for row in reply["rows"]], reply["columns"]


def examples():
    """Each block of the page: a command, which goes on while a quote is open, and what it prints."""
    for block in re.findall(r"^```\n\$ (.*?)^```$", PAGE.read_text(), re.M | re.S):
        lines = block.splitlines()
        for n in range(1, len(lines) + 1):
            try:
                words = shlex.split("\n".join(lines[:n]))
            except ValueError:
                continue
            yield words, "\n".join(lines[n:])
            break


@h.test(smoke=True, own_daemon=True)
def examples_print_what_the_page_shows():
    shop()
    n = 0
    for words, shown in examples():
        h.equal(words[:2], ["sonde", "sql"], "an example")
        result = h.run(h.SONDE, *words[1:], cwd=h.TMP, env=dict(h.ENV, TZ="UTC"))
        h.equal((result.out + result.err).rstrip(), shown.rstrip(), " ".join(words))
        n += 1
    h.equal(n, 10, "examples")


@h.test(smoke=True, own_daemon=True)
def every_column_is_on_the_page():
    text = re.sub(r"\\(.)", r"\1", PAGE.read_text())
    tables = re.search(r"^# TABLES$(.*?)^# FUNCTIONS$", text, re.M | re.S)[1]
    found = re.findall(r"^\*(\w+)\*(?:: .*)?\n\t(.*)", tables, re.M)
    h.equal(len(found), 11, "tables of the page")
    for table, columns in found:
        columns = columns.replace("*arg0* … *arg5*", " ".join(f"*arg{i}*" for i in range(6)))
        documented = re.findall(r"\*([a-z]\w*)\*(?!\()", re.sub(r"\([^)]*\)", "", columns))
        for format in (1, 4):
            _, real = ask(h.recording_of_format(format), f"SELECT * FROM {table} LIMIT 1")
            h.equal(sorted(real), sorted(documented), f"{table} of format {format}")


@h.test(smoke=True)
def calls_are_as_many_as_were_made(daemon):
    path = h.TMP / "calls.sonde"
    daemon.sonde("record", "--args", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    rows, _ = ask(path, "SELECT function, sum(calls), sum(errors) FROM span GROUP BY function")
    h.equal({f: n for f, n, _ in rows}, CALLS, "statistics")
    h.equal({f: e for f, _, e in rows if e}, {"gamma_fail": 100}, "errors")
    rows, _ = ask(path, "SELECT function, count(*) FROM raw_span GROUP BY function")
    h.equal(dict(rows), CALLS, "raw spans")
    rows, _ = ask(path, "SELECT caller, function, sum(calls) FROM span WHERE caller IS NOT NULL GROUP BY 1, 2")
    h.equal(sorted(rows), [("middle", "inner", 600), ("outer", "middle", 300)], "callers")
    # By the types of the arguments, and by registers.
    rows, _ = ask(path, "SELECT sum(args ->> 'a'), sum(arg0), sum(ret), sum(result), min(args ->> 'f') FROM raw_span"
                  " WHERE function = 'six'")
    h.equal(rows, [(5050, 5050, 7050, 7050, "6")], "six(1 + i, 2, 3, 4, 5, 6)")
    rows, _ = ask(path, "SELECT sum(error), sum(result = '-1') FROM raw_span WHERE function = 'gamma_fail'")
    h.equal(rows, [(100, 100)], "results of gamma_fail")
    # The same figures as report's, and one answer in several replies.
    report = {r["func"]: r for r in daemon.json("report", "-i", path)["rows"]}
    rows, _ = ask(path, "SELECT function, sum(total_ns), sum(self_ns), quantile(histogram, 0.5), max(max_ns),"
                  " min(min_ns) FROM span GROUP BY function")
    for function, total, own, p50, longest, shortest in rows:
        r = report[function]
        h.equal((total, own, min(max(p50, shortest), longest), longest),
                (r["total_ns"], r["self_ns"], r["p50_ns"], r["max_ns"]), f"report's {function}")
    spans = daemon.sonde("spans", "-i", path, "--json").lines
    rows, _ = ask(path, "SELECT time_us, duration_ns, function, pid, tid, comm FROM raw_span ORDER BY time_us, depth")
    h.equal(sorted(rows), sorted((s["time_us"], s["duration_ns"], s["name"], s["pid"], s["tid"], s["comm"])
                                 for s in spans), "spans")
    rows, _ = ask(path, "SELECT exit_status, comm, exit_us > start_us FROM process WHERE comm = 'wl_calls'")
    h.equal(rows, [(0, "wl_calls", 1)], "process")


@h.test
def waits_are_as_long_as_in_the_report(daemon):
    path = h.TMP / "waits.sonde"
    daemon.sonde("record", "-F", "997", "--off-cpu", "-o", path, "--", f"{h.WORKLOADS}/wl_waits")
    want = {r["func"]: r["total_ns"] for r in
            daemon.json("report", "-i", path, "--kind", "offcpu", "--no-inline")["rows"]}
    for function in ("long_wait", "short_wait", "stuck"):
        rows, _ = ask(path, f"""SELECT sum(total_ns) FROM sample WHERE kind = 'offcpu'
            AND ';' || stack_text(stack) || ';' LIKE '%;{function};%'""")
        h.equal(rows[0][0], want.get(function), function)
    h.between(want["long_wait"], 20 * 25e6 * 0.8, 1e12, "20 waits of 25 ms")
    # Stacks are those of the flame graph, inlined functions included.
    folded = dict(line.rsplit(" ", 1) for line in daemon.sonde("flame", "-i", path, "--kind", "cpu").out.splitlines())
    rows, _ = ask(path, "SELECT comm || ';' || stack_text(stack) AS stack, sum(count) FROM sample WHERE kind = 'cpu'"
                  " GROUP BY comm || ';' || stack_text(stack)")
    h.equal({stack: str(n) for stack, n in rows}, folded, "stacks of the flame graph")
    rows, _ = ask(path, "SELECT sum(samples), sum(waits) FROM window UNION ALL SELECT"
                  " sum(count) FILTER (WHERE kind = 'cpu'), sum(count) FILTER (WHERE kind = 'offcpu') FROM sample")
    h.equal(rows[0], rows[1], "windows")
    # A window begins where the one before has ended.
    rows, _ = ask(path, "SELECT start_us, end_us FROM window ORDER BY id")
    h.equal([r[0] for r in rows[1:]], [r[1] for r in rows[:-1]], "windows follow one another")
    raw = sqlite3.connect(path).execute("SELECT start_ns, end_ns FROM window ORDER BY id").fetchall()
    h.check(all(0 < start <= end for start, end in raw), f"windows: {raw}")


@h.test(own_daemon=True)
def forms_of_answers():
    path = shop()
    out = h.TMP / "out.csv"
    h.run(h.SONDE, "sql", "-i", path, "--csv", "-o", out,
          "SELECT 'a,b' AS \"x \"\"y\"\"\", 'line' || char(10) || 'two' AS z, NULL, x'0aff', 9223372036854775807")
    data = out.read_bytes()
    h.check(data.count(b"\r\n") == 2 and data.endswith(b"\r\n"), f"line ends: {data}")
    with open(out, newline="") as f:
        rows = list(csv.reader(f))
    h.equal(rows[1], ["a,b", "line\ntwo", "", "0aff", "9223372036854775807"], "CSV")
    h.equal(rows[0][:2], ['x "y"', "z"], "names in CSV")
    rows, columns = ask(path, "SELECT 1 AS a, 2 AS a, 9007199254740993, -9007199254740991, 0.5, NULL, x'00ff', 'é'")
    h.equal(columns[:2], ["a", "a_2"], "two columns of one name")
    h.equal(rows[0], (1, 2, "9007199254740993", -9007199254740991, 0.5, None, "00ff", "é"), "JSON")
    # Many replies.
    rows, _ = ask(path, ENDLESS + "n, printf('%030d', n) AS s FROM t LIMIT 60000")
    h.equal((len(rows), sum(r[0] for r in rows), rows[-1][1]), (60000, 1800030000, "%030d" % 60000), "a long answer")
    result = h.run(h.SONDE, "sql", "-i", path, "-n", "3", ENDLESS + "n FROM t")
    h.equal((result.out, result.err), ("n\n1\n2\n3\n", "sonde: cut after 3 rows; --limit N shows more\n"), "--limit")
    result = h.run(h.SONDE, "sql", "-i", path, "--json", "-n", "1", ENDLESS + "n FROM t").json
    h.equal((result["rows"], result["truncated"]), ([{"n": 1}], "rows"), "--limit in JSON")
    result = h.run(h.SONDE, "sql", "-i", path, "SELECT pid FROM process WHERE 0")
    h.equal((result.out, result.err), ("", "sonde: no rows\n"), "no rows")
    result = h.run("sh", "-c", f"echo 'SELECT sum(calls) AS n FROM span' | {h.SONDE} sql -i {path} -")
    h.equal(result.out, "  n\n680\n", "standard input")


@h.test(smoke=True, own_daemon=True)
def bad_queries_and_long_ones():
    path = shop()

    def wrong(query, status, name, words, *args):
        plain = h.run(h.SONDE, "sql", "-i", path, query, *args, status=status)
        h.equal(plain.out, "", f"{query}: standard output")
        h.contains(plain.err, words, query)
        error = h.run(h.SONDE, "sql", "-i", path, query, "--json", *args, status=status).json["error"]
        h.equal(error["name"], name, query)
        h.check(error["fix"], f"{query}: no fix")
        return plain.err

    err = wrong("SELECT foo FROM span", 2, "BadQuery", "column 8: no such column: foo")
    h.contains(err, "  SELECT foo FROM span\n         ^\n", "the place")
    wrong("SELECT 1 FROM spans", 2, "BadQuery", "no such table: spans")
    wrong("DELETE FROM main.string", 2, "BadQuery", "this only reads: no DELETE")
    wrong("SELECT * FROM string", 2, "BadQuery", "main.string is no table that can be asked")
    wrong("PRAGMA user_version", 2, "BadQuery", "this only reads: no PRAGMA")
    wrong("SELECT load_extension('x')", 2, "BadQuery", "load_extension may not be used")
    wrong("", 2, "BadQuery", "there is no query")
    wrong(ENDLESS + "count(*) FROM t", 1, "TooMany", "ended after 0.05 s", "--timeout", "50ms")
    wrong("SELECT 1", 2, "BadArgument", "at most 10m", "--timeout", "1h")
    before = path.read_bytes()
    h.equal(sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone(), ("ok",), "the file")
    h.equal(path.read_bytes(), before, "the file")
    bad = h.TMP / "bad.sonde"
    bad.write_bytes(before[:20000])
    h.contains(h.run(h.SONDE, "sql", "-i", bad, "SELECT 1", status=1).err, "bad.sonde", "a file that is cut off")


@h.test(smoke=True)
def a_daemon_without_history_says_so(daemon):
    error = daemon.error(77, "NotSupported", "sql", "SELECT 1")
    h.contains(error["fix"], "sonde sql -i FILE", "what to do")


@h.test(own_daemon=True)
def the_history_of_a_daemon_is_asked():
    """Of two daemons after one another: each is a session, and the windows of both are there."""
    store = h.TMP / "store"
    history = {"store": store, "sessions": h.TMP / "none.d", "frequency": "199"}
    sampled = []
    for n in (1, 2):
        daemon = h.Daemon(history=history)
        w = h.Workload("hot", "--seconds", "1")
        w.go()
        w.finish()
        query = f"SELECT sum(s.count), count(DISTINCT s.session) FROM sample s WHERE s.pid = {w.pid} AND s.kind = 'cpu'"
        (count, sessions), = (tuple(r.values()) for r in daemon.json("sql", query)["rows"])
        h.check(count > 50 and sessions == 1, f"samples of run {n}: {count} in {sessions} sessions")
        rows = daemon.json("report", "--kind", "cpu", "-p", w.pid, "--by", "pid")["rows"]
        h.equal([r["samples"] for r in rows], [count], "the report's samples")
        sampled.append((w.pid, count))
        rows = daemon.json("sql", f"SELECT comm, end_us - start_us AS us FROM (SELECT comm, start_us,"
                           f" coalesce(exit_us, start_us) AS end_us FROM process WHERE pid = {w.pid})")["rows"]
        h.equal(rows[0]["comm"], "wl_hot", "process")
        if n == 1:
            daemon.stop()
    pids = ", ".join(str(pid) for pid, _ in sampled)  # other tests may run the same program
    rows = daemon.json("sql", f"SELECT pid, sum(count) AS n FROM sample WHERE comm = 'wl_hot' AND pid IN ({pids})"
                       " AND kind = 'cpu' GROUP BY pid, session ORDER BY session")["rows"]
    h.equal([(r["pid"], r["n"]) for r in rows], sampled, "samples of both runs")
    rows = daemon.json("sql", "SELECT s.id, s.ended_us IS NULL AS runs, min(w.start_us) >= s.started_us AS begins,"
                       " max(w.end_us) <= unixepoch('now') * 1000000 + 2000000 AS ends"
                       " FROM session s JOIN window w ON w.session = s.id GROUP BY s.id ORDER BY s.id")["rows"]
    h.equal([(r["runs"], r["begins"], r["ends"]) for r in rows], [(0, 1, 1), (1, 1, 1)], f"sessions: {rows}")
    # The store is a file as any other: for -i, too, while the daemon writes it.
    rows, _ = ask(store / "history.sonde", "SELECT count(*) FROM session")
    h.equal(rows, [(2,)], "by -i")
    daemon.stop()


@h.test(own_daemon=True)
def one_reply_or_more():
    _, process, c = h.replay(shop())
    many = ENDLESS + "n, printf('%01000d', n) FROM t LIMIT 1000"
    c.sendall(json.dumps({"method": "io.sonde.Sql", "parameters": {"query": many}}).encode() + b"\0")
    one = h.receive(c)["parameters"]
    h.equal((one["columns"], len(one["rows"]), one.get("truncated")), (["n", "printf('%01000d', n)"], 1000, None), "one")
    c.sendall(json.dumps({"method": "io.sonde.Sql", "more": True, "parameters": {"query": many}}).encode() + b"\0")
    data, replies = b"", []
    while not replies or replies[-1].get("continues"):
        data += c.recv(65536)
        *whole, data = data.split(b"\0")
        replies += [json.loads(w) for w in whole]
    h.check(len(replies) > 2, f"replies: {len(replies)}")
    h.equal([r for reply in replies for r in reply["parameters"]["rows"]], one["rows"], "rows of several replies")
    h.equal(["columns" in r["parameters"] for r in replies], [True] + [False] * (len(replies) - 1), "columns")
    reply = h.call(c, "io.sonde.Sql", {"query": "SELECT 1, x'00ff', 9223372036854775807, NULL, 'a'"})
    h.equal(reply["parameters"]["rows"], [[1, {"blob": "00ff"}, {"int": "9223372036854775807"}, None, "a"]], "cells")
    h.equal(h.call(c, "io.sonde.Sql", {"query": "SELECT"})["error"], "io.sonde.BadQuery", "an error")
    h.equal(h.stop(process), 0, "exit status")


@h.test(own_daemon=True)
def short_questions_pass_a_long_one():
    """While a query runs that has no end, everything else is answered at once."""
    connect, process, c = h.replay(shop())
    endless = {"query": ENDLESS + "count(*) FROM t", "timeout_ms": 600000}
    c.sendall(json.dumps({"method": "io.sonde.Sql", "parameters": endless}).encode() + b"\0")
    time.sleep(0.2)
    other, begun = connect(), time.monotonic()
    for method, parameters in (
            ("Status", {}), ("List", {}), ("Events", {}), ("Report", {"query": {}}),
            ("Report", {"query": {"where": "duration > 0ns"}}),
            ("Report", {"query": {"since_us": 1}}), ("Graph", {"query": {}}),
            ("Stacks", {"query": {"kind": "cpu"}}), ("Spans", {"query": {}, "limit": 5})):
        reply = h.call(other, f"io.sonde.{method}", parameters)
        h.check("parameters" in reply and "error" not in reply, f"{method} {parameters}: {reply}")
    h.between(time.monotonic() - begun, 0, 5, "seconds for nine questions")
    h.check(not select.select([c], [], [], 0)[0], "the long query has been answered")
    c.close()
    h.equal(h.call(other, "io.sonde.Sql", {"query": "SELECT 7"})["parameters"]["rows"], [[7]], "the next query")
    h.equal(h.stop(process), 0, "exit status")


@h.test(own_daemon=True)
def nobody_waits_for_who_has_gone():
    """A query ends with its caller, and with the daemon, however much time it was given."""
    connect, process, c = h.replay(shop())
    endless = {"query": ENDLESS + "count(*) FROM t", "timeout_ms": 600000}
    c.sendall(json.dumps({"method": "io.sonde.Sql", "parameters": endless}).encode() + b"\0")
    time.sleep(0.2)
    c.close()
    other = connect()
    h.equal(h.call(other, "io.sonde.Sql", {"query": "SELECT 7"})["parameters"]["rows"], [[7]], "the next query")
    other.sendall(json.dumps({"method": "io.sonde.Sql", "parameters": endless}).encode() + b"\0")
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    try:
        h.equal(process.wait(h.PATIENCE), 0, "exit status")
    except subprocess.TimeoutExpired as e:
        raise h.Failed("the daemon does not end while a query runs") from e


h.main()

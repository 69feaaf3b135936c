#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sonde replay: what comes of a recording that is fed through the daemon again is what came of it
the first time, to the last bit; conditions, pace and ends are those of live data."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import harness as h

SQLITE = "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0"
SQL = """create table t(a integer primary key, b text);
insert into t values (1, 'one'), (2, 'two'), (3, null);
select count(*), max(b) from t where a > 1;
select * from missing;
"""
# Everything that a file is asked, with what tells one recording from another left in.
QUESTIONS = ["list", "report", "report --by pid", "report --kind cpu --demangle full",
             "report --kind offcpu --by thread", "graph", "graph --kind cpu", "flame",
             "flame --kind cpu", "flame --kind offcpu", "spans", "debuginfo"]


def original(daemon):
    """sqlite3, a C and a C++ program: arguments, errors, exceptions, nesting, captures, stacks,
    samples and waits."""
    path = h.TMP / "original.sonde"
    if path.exists():
        return path
    if not pathlib.Path(SQLITE).exists():
        raise h.Skip(f"{SQLITE} is not installed")
    args, thrower = h.Workload("args"), h.Workload("throw")
    shell = h.spawn("sqlite3", h.TMP / "q.db", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, text=True)
    h.wait_until(lambda: "libsqlite3" in pathlib.Path(f"/proc/{shell.pid}/maps").read_text(),
                 "sqlite3")
    p = daemon.start("record", "--name", "r", "-F", "199", "--off-cpu", "--args", "--capture",
                     "str(args.name)", "--stack-if", "error", "-o", path,
                     "-p", f"{args.pid},{thrower.pid},{shell.pid}",
                     *(f"uprobe:{h.WORKLOADS}/wl_args:{f}" for f in (
                         "open_table", "handle", "gate", "lookup", "escape", "nap")),
                     f"uprobe:{h.WORKLOADS}/wl_throw:*throw_*", f"uprobe:{SQLITE}:sqlite3_*",
                     "!sqlite3_mutex_*")
    h.wait_until(lambda: p.poll() is not None or daemon.active("r"), "the session")
    for w in (args, thrower):
        w.go()
        w.finish()
    shell.communicate(SQL)
    h.finish(p)
    return path


def answer(daemon, question, path):
    return daemon.sonde(*question.split(), "-q", "-i", path, "--json").out


def lines(result):
    return sorted(json.dumps(line, sort_keys=True) for line in result.lines)


def tables(path):
    """What the file holds, but the order in which strings and files were first named."""
    with sqlite3.connect(path) as db:
        kept = {t: db.execute(f"select * from {t}").fetchall() for t in (
            "session", "session_spec", "window", "loss", "stack")}
        kept["meta"] = sorted(db.execute("select * from meta").fetchall())
        kept["event"] = db.execute(
            "select time_ns, process, kind, detail, text from event").fetchall()
    db.close()
    return kept


@h.test(smoke=True)
def everything_is_the_same_to_the_last_bit(daemon):
    before, after = original(daemon), h.TMP / "again.sonde"
    daemon.sonde("replay", before, "-o", after)
    spans = daemon.sonde("spans", "-i", before, "--json").lines
    for what, there in (("args", any(s["args"] for s in spans)),
                        ("captures", any("str(args.name)" in s["args"] for s in spans)
                         or any('name="orders"' in s.get("call", "") for s in spans)),
                        ("errors", any("error" in s["flags"] for s in spans)),
                        ("nesting", any(s["depth"] > 1 for s in spans)),
                        ("exceptions", any(s.get("exception") for s in spans)),
                        ("stacks", any(s.get("stack") for s in spans)),
                        ("sqlite3", any(s["comm"] == "sqlite3" for s in spans))):
        h.check(there, f"the recording has {what}")
    for question in QUESTIONS:
        first, again = answer(daemon, question, before), answer(daemon, question, after)
        h.check(len(first) > 100, f"{question}: {first}")
        h.check(first == again, f"{question} differs")
    for table, rows in tables(before).items():
        h.check(rows == tables(after)[table], f"table {table} differs")


@h.test
def again_from_what_is_replayed(daemon):
    """A replay of a replay, over the file that it reads."""
    path = h.TMP / "twice.sonde"
    daemon.sonde("replay", original(daemon), "-o", path)
    daemon.sonde("replay", path, "-o", path)
    for question in ("report", "flame --kind cpu", "spans"):
        h.check(answer(daemon, question, original(daemon)) == answer(daemon, question, path),
                f"{question} differs")


@h.test(smoke=True)
def spans_are_printed_as_they_ended(daemon):
    path = original(daemon)
    printed = daemon.sonde("replay", path, "--json")
    h.check(lines(printed) == lines(daemon.sonde("spans", "-i", path, "--json")), "the spans")
    ends = [s["time_us"] * 1000 + s["duration_ns"] for s in printed.lines]
    late = sum(b < a - 1000 for a, b in zip(ends, ends[1:]))
    h.check(late < len(ends) / 100, f"{late} of {len(ends)} are out of order")
    text = daemon.sonde("replay", path, "--args", "-n", "3")
    h.contains(text.out, 'open_table(name="orders"', "arguments")
    h.equal(sum("wl_args  " in line for line in text.out.splitlines()), 3, "-n 3")
    h.contains(text.err, "not shown", "totals")


@h.test(smoke=True)
def conditions_decide_as_they_do_afterwards(daemon):
    path, out = original(daemon), h.TMP / "part.sonde"
    for options, like in ((["--where", 'str(args.name) == "orders" && ret < 0'],) * 2,
                          (["--where", 'caller =~ "gate*" && comm == "wl_args"'],) * 2,
                          (["--errors", "--name", "*o*", "--min-duration", "1us"],) * 2,
                          (["-c", "sqlite3"],) * 2,
                          (["--exceptions"], ["--where", "unwound"]),
                          (["--max-depth", "1"], ["--where", "depth < 1"])):
        wanted = lines(daemon.sonde("spans", "-i", path, "--json", *like))
        h.check(wanted, f"{like}: nothing")
        h.check(lines(daemon.sonde("replay", path, "--json", *options)) == wanted,
                f"{options}: the spans")
        if "--where" not in options:
            continue
        daemon.sonde("replay", path, *options, "-o", out)
        h.check(lines(daemon.sonde("spans", "-i", out, "--json")) == wanted,
                f"{options}: the spans that are recorded")
        h.equal(daemon.json("report", "-i", out)["rows"],
                daemon.json("report", "-i", path, *like)["rows"], f"{options}: the report")
    # What was left out is not in the file.
    daemon.sonde("replay", path, "-c", "sqlite3", "-o", out)
    h.check(b"wl_throw.cpp" not in out.read_bytes(), "stacks of others are in the file")
    with sqlite3.connect(out) as db:
        comms = db.execute("SELECT value FROM string JOIN process ON comm = string.id").fetchall()
    db.close()
    h.equal(comms, [("sqlite3",)], "processes in the file")
    daemon.error(2, "BadCondition", "replay", path, "--where", "no_such > 1")
    daemon.error(2, "BadArgument", "replay", path, "--speed", "0")
    daemon.error(2, "BadArgument", "replay", path, "-n", "1", "-o", out)
    daemon.error(2, "BadArgument", "replay")


def several(paths):
    return [word for path in paths for word in ("-i", path)]


@h.test(smoke=True)
def parts_are_the_whole_again(daemon):
    """What a recording is split into merges into what it was."""
    path, comms = original(daemon), ("wl_args", "wl_throw", "sqlite3")
    parts = [h.TMP / f"part-{comm}.sonde" for comm in comms]
    for comm, part in zip(comms, parts):
        daemon.sonde("replay", path, "-c", comm, "-o", part)

    def asked(verb, *args, of):
        return daemon.json(verb, *args, *(several(parts) if of == "parts" else ["-i", path]))
    for verb, *args in (["report"], ["report", "--kind", "cpu"], ["report", "--by", "pid"],
                        ["graph"], ["report", "--where", "ret < 0"]):
        whole, merged = (sorted(json.dumps({k: v for k, v in row.items() if k not in ("id", "parent")})
                                for row in asked(verb, *args, of=of)["rows"])
                         for of in ("file", "parts"))
        h.check(whole == merged, f"{verb} {args}: {merged[:2]} instead of {whole[:2]}")
    for verb, *args in (["spans"], ["spans", "--where", "ret < 0", "--name", "*o*"]):
        h.check(lines(daemon.sonde(verb, *args, "--json", "-i", path)) ==
                lines(daemon.sonde(verb, *args, "--json", *several(parts))), f"{verb} {args}")
    session, = asked("list", of="parts")["sessions"]
    whole, = asked("list", of="file")["sessions"]
    for key in ("name", "kinds", "specs", "frequency", "spans", "samples", "started_us"):
        h.equal(session[key], whole[key], f"{key} of the session")
    h.equal(session["coverage"]["windows"], 3 * whole["coverage"]["windows"], "windows")
    h.equal(sorted(map(str, asked("events", of="parts")["events"])),
            sorted(str(e) for e in asked("events", of="file")["events"] if e["comm"] in comms),
            "events")
    stacks = [sorted((s["value"], [(r["frames"][i]["func"], r["frames"][i].get("line"))
                                   for i in s["frames"]]) for s in r["stacks"])
              for r in (asked("flame", "--kind", "cpu", of=of) for of in ("file", "parts"))]
    h.check(stacks[0] == stacks[1], "flame")


@h.test
def several_recordings_have_their_sessions(daemon):
    files = [h.TMP / f"{name}.sonde" for name in ("one", "two", "three")]
    for i, (path, name) in enumerate(zip(files, ("a", "b", "a"))):
        daemon.sonde("record", "--name", name, "-F", str(99 + 100 * i), "-o", path, "outer", "inner",
                     "--", f"{h.WORKLOADS}/wl_calls")
    merged = several(files)
    h.equal({s["name"]: s["spans"] for s in daemon.json("list", *merged)["sessions"]},
            {"a": 1800, "b": 900}, "sessions")
    for args, n in (([], 3), (["--session", "a"], 2), (["--session", "b"], 1),
                    (["--since", "1h"], 3), (["--where", "duration > 0ns"], 3)):
        h.equal(daemon.calls(*merged, *args), {"outer": 300 * n, "inner": 600 * n}, f"{args}")
    whole = daemon.json("report", *merged)
    h.equal((whole["session"]["name"], whole["coverage"]["spans_seen"]), ("a, b", 2700), "all")
    # Each sample stands for what its own recording says.
    samples = [daemon.json("report", "-i", path, "--kind", "cpu") for path in files]
    h.equal(daemon.json("report", *merged, "--kind", "cpu")["total_ns"],
            sum(r["total_ns"] for r in samples), "time of samples of three frequencies")
    pids = daemon.rows(*merged, key="pid")
    h.equal([r["calls"] for r in pids.values()], [900] * 3, "by process")
    daemon.error(4, "NoSuchSession", "report", *merged, "--session", "c")
    daemon.error(4, "NoSuchFile", "report", *merged, "-i", h.TMP / "none.sonde")
    daemon.error(2, "BadArgument", "report", *merged, "-i", f"{files[0].parent}/./one.sonde")
    h.contains(daemon.error(77, "NotSupported", "sql", *merged, "SELECT 1")["fix"], "one -i", "fix")
    (h.TMP / "cut.sonde").write_bytes(files[1].read_bytes()[:30000])
    error = daemon.error(1, "BadFile", "report", *merged, "-i", h.TMP / "cut.sonde")
    h.contains(error["message"], "cut.sonde", "which one")


@h.test
def hosts_stay_apart(daemon):
    """One recording, and the same as if another machine had made it."""
    ours, theirs, old = (h.TMP / f"{name}-host.sonde" for name in ("our", "their", "no"))
    daemon.sonde("record", "-F", "99", "-o", ours, "outer", "--", f"{h.WORKLOADS}/wl_calls")
    for path, sql in ((theirs, "UPDATE meta SET value = 'db-2' WHERE key = 'host'"),
                      (old, "DELETE FROM meta WHERE key IN ('host', 'boot')")):
        path.write_bytes(ours.read_bytes())
        with sqlite3.connect(path) as db:
            db.execute(sql)
        db.close()
    both, own = several([ours, theirs]), os.uname().nodename
    h.equal(daemon.json("list", "-i", ours)["sessions"][0]["host"], own, "host of a recording")
    h.equal(daemon.json("list", *both)["sessions"][0]["host"], f"{own}, db-2", "hosts")
    h.contains(daemon.sonde("list", *both).out, f"{own}, db-2", "list")
    for args in ([], ["--where", "duration > 0ns"], ["--since", "1h"]):
        h.equal({k: r["calls"] for k, r in daemon.rows(*both, *args, key="host").items()},
                {own: 300, "db-2": 300}, f"--by host {args}")
        h.equal(daemon.calls(*both, "--host", "db-*", *args), {"outer": 300}, f"--host {args}")
    pids = daemon.rows(*both, key="pid")
    h.equal(sorted(p.split(" on ")[1] for p in pids), sorted([own, "db-2"]), "processes")
    h.equal(len({p.split()[0] for p in pids}), 1, "numbers of processes")
    spans = daemon.sonde("spans", *both, "--json").lines
    h.equal(sorted({s["host"] for s in spans}), sorted([own, "db-2"]), "hosts of spans")
    h.check("host" not in daemon.sonde("spans", "-i", ours, "--json", "-n", "1").lines[0], "one host")
    h.equal({e["host"] for e in daemon.json("events", *both)["events"]}, {own, "db-2"}, "events")
    h.equal({e["host"] for e in daemon.json("events", *both, "--host", "db*")["events"]},
            {"db-2"}, "events of one host")
    h.equal(daemon.calls("-i", ours, "--host", "db-*"), {}, "--host of another")
    # What does not say where it was made matches no name.
    h.equal(daemon.calls("-i", old, "--host", "*"), {}, "--host of an old recording")
    h.equal(list(daemon.rows("-i", old, key="host")), ["[unknown]"], "--by host of an old one")
    again = h.TMP / "no-host-again.sonde"
    daemon.sonde("replay", old, "-o", again)
    h.check("host" not in daemon.json("list", "-i", again)["sessions"][0], "host of its replay")
    h.equal(list(daemon.rows("-i", again, key="host")), ["[unknown]"], "--by host of its replay")
    daemon.sonde("replay", theirs, "-o", old)
    h.equal(daemon.json("list", "-i", old)["sessions"][0]["host"], "db-2", "of a replay")
    daemon.sonde("replay", theirs, "--host", own, "-o", old)
    h.equal(daemon.calls("-i", old), {}, "replay --host")
    # Of a daemon it is this machine.
    w = h.Workload("calls")
    daemon.sonde("attach", "--name", "here", "-p", w.pid, "outer")
    w.go()
    w.finish()
    here = ["--session", "here"]
    h.equal({k: r["calls"] for k, r in daemon.rows(*here, key="host").items()}, {own: 300}, "live")
    h.equal(daemon.calls(*here, "--host", "db-*"), {}, "--host of a live session")
    h.equal(daemon.calls(*here, "--host", own), {"outer": 300}, "--host of a live session")
    daemon.sonde("detach", "here")


@h.test
def the_pace_is_what_was_asked_for(daemon):
    path = original(daemon)
    naps = daemon.sonde("spans", "-i", path, "--json", "--name", "nap").lines
    h.equal(len(naps), 10, "calls of nap")
    ends = [s["time_us"] / 1e6 + s["duration_ns"] / 1e9 for s in naps]
    length = max(ends) - min(ends)
    for speed in (1, 10):
        begun = time.monotonic()
        spans = daemon.sonde("replay", path, "--json", "--name", "nap", "--speed", str(speed)).lines
        h.equal(len(spans), 10, "spans")
        h.between(time.monotonic() - begun, length / speed, length / speed + 5, f"--speed {speed}")


@h.test
def two_at_the_same_time(daemon):
    """Each is sent its own spans, though both are of one daemon."""
    path = original(daemon)
    wanted = len(lines(daemon.sonde("replay", path, "--json")))
    connect, server, first = h.replay(path)
    request = json.dumps({"method": "io.sonde.Replay", "parameters": {"query": {}}, "more": True})
    two = []
    for s in (first, connect()):
        s.sendall(request.encode() + b"\0")
        two.append(s.makefile("rb"))
    got = []
    for f in two:
        data = b""
        while not data.endswith(b"\0") or '"continues":true' in data[data[:-1].rfind(b"\0") + 1:].decode():
            data += f.read1(1 << 20)
        got.append(sum(len(json.loads(r)["parameters"].get("spans", []))
                       for r in data.split(b"\0")[:-1]))
    h.equal(got, [wanted, wanted], "spans of each")
    server.terminate()
    server.wait()


@h.test
def an_interrupt_ends_it_cleanly(daemon):
    path, out = original(daemon), h.TMP / "half.sonde"
    p = daemon.start("replay", path, "--speed", "0.001", "-o", out)
    h.wait_until(out.exists, "the recording")
    time.sleep(0.2)
    h.finish(p, 0, signal.SIGINT)
    spans = daemon.sonde("spans", "-i", out, "--json").lines
    h.check(len(spans) < 10000, f"{len(spans)} spans")
    h.equal(daemon.json("list", "-i", out)["sessions"][0]["state"], "closed", "state")
    p = daemon.start("replay", path, "--speed", "0.001", "--json")
    h.check(json.loads(p.stdout.readline())["name"], "a span")
    h.contains(h.finish(p, 0, signal.SIGINT).err, "span", "totals")


@h.test
def old_recordings_are_replayed(daemon):
    """Of formats that had less: what they did not tell is not made up."""
    for version in (1, 2):
        path, out = h.recording_of_format(version), h.TMP / f"v{version}-again.sonde"
        daemon.sonde("replay", path, "-o", out)
        for question in ("report", "report --kind cpu"):
            before, after = (json.loads(answer(daemon, question, p)) for p in (path, out))
            h.check(before["rows"] and before["rows"] == after["rows"], f"{question} differs")
        h.check("samples_partial" not in before["coverage"], "the old one does not tell")
        h.equal(after["coverage"]["samples_partial"], after["coverage"]["samples_seen"],
                "samples of which it is not known whether their stacks are whole")


@h.test
def statistics_are_said_not_to_be_spans(daemon):
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "sums", "-p", w.pid, "open_table")
    w.go()
    w.finish()
    daemon.sonde("detach", "sums")
    env = dict(daemon.env(), SONDE_BASELINES=str(h.TMP / "baselines"))
    h.run(h.SONDE, "baseline", "save", "sums", "--session", "sums", env=env)
    saved = next(pathlib.Path(h.TMP / "baselines").glob("sums*"))
    result = daemon.sonde("replay", saved)
    h.contains(result.err, "400 calls were recorded as statistics only", "note")
    h.contains(result.err, "0 spans", "totals")
    daemon.sonde("detach", "sums")


@h.test(smoke=True)
def bad_recordings_have_one_message(daemon):
    data = original(daemon).read_bytes()
    bad, out = h.TMP / "bad.sonde", h.TMP / "of-bad.sonde"
    bad.write_bytes(data[:len(data) * 2 // 3])
    daemon.error(1, "BadFile", "replay", bad)
    bad.write_bytes(b"no recording at all")
    daemon.error(1, "BadFile", "replay", bad)
    daemon.error(4, "NoSuchFile", "replay", h.TMP / "none.sonde")
    # Found out in the middle: what was written until then is no recording.
    bad.write_bytes(data)
    with sqlite3.connect(bad) as db:
        db.execute("UPDATE span_chunk SET data = zeroblob(length(data))"
                   " WHERE id = (SELECT max(id) FROM span_chunk)")
    db.close()
    error = daemon.error(1, "BadFile", "replay", bad, "-o", out)
    h.contains(error["message"], "raw spans cannot be unpacked", "message")
    h.check(not out.exists(), "a part of a recording was left")
    result = daemon.sonde("replay", bad, status=1)
    h.contains(result.err, "raw spans cannot be unpacked", "message")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--in: samples and waits that were taken in spans of some kind, against what wl_moments.c plants."""
import base64
import json
import math
import re

import harness as h

FREQUENCY = 997
PARTS = {"fast_part", "slow_part", "between", "aside"}
_measured = {}


def measured(text):
    return {name: int(ns) for name, ns in re.findall(r"^(\w+)_ns (\d+)$", text, re.MULTILINE)}


def recording(daemon):
    """Of wl_moments, made once: spans of a function with its argument and of source code, samples, waits."""
    path = h.TMP / "moments.sonde"
    if not path.exists():
        w = h.Workload("moments")
        recorder = daemon.start("record", "-F", FREQUENCY, "--off-cpu", "--args", "-p", w.pid, "-o", path,
                                "request", "span:io/*")
        # Stacks are whole from then on: before, they are walked by frame pointers.
        h.wait_until(lambda: daemon.json("status")["daemon"]["unwind_processes"], "unwind tables")
        w.go()
        _measured.update(measured(w.finish()))
        h.finish(recorder)
    return path


def parts(daemon, *args, names=PARTS):
    """Samples by the functions of the workload that they are in."""
    rows = daemon.json("report", *args)["rows"]
    return {r["func"]: r for r in rows if r["func"] in names}


def sampled(row, cpu_ns, what):
    """Five sigma, and what a loaded machine makes of the period."""
    wanted = cpu_ns * FREQUENCY / 1e9
    off = 5 * math.sqrt(wanted) + 0.1 * wanted
    h.between(row["samples"], wanted - off, wanted + off, what)


def slow_only(daemon, path, duration):
    """Whether the machine let no fast request take that long, too."""
    spans = daemon.sonde("spans", "--json", "-i", path, "--where", f"name == 'request' && duration > {duration}").lines
    which = [int(s["args"]["i"] if "i" in s["args"] else s["args"]["arg0"], 0) for s in spans]
    h.check({i for i in which if i % 10 == 9} == set(range(9, 120, 10)), f"slow requests: {which}")
    return len(which) == 12


@h.test(smoke=True)
def slow_calls_and_nothing_else(daemon):
    path = recording(daemon)
    everything = parts(daemon, "-i", path, "--kind", "cpu")
    h.check({"fast_part", "slow_part", "between", "aside"} <= set(everything), f"all samples: {everything}")
    of_requests = parts(daemon, "-i", path, "--in", "request")
    h.equal(set(of_requests), {"fast_part", "slow_part"}, "in requests")
    for name in of_requests:
        sampled(of_requests[name], _measured[name.removesuffix("_part")], name)
        h.equal(of_requests[name]["samples"], everything[name]["samples"], f"{name}: nothing of it is elsewhere")
    if slow_only(daemon, path, "20ms"):
        folded = daemon.sonde("flame", "-i", path, "--in", "request: duration > 20ms").out
        h.contains(folded, "request;slow_part", "slow calls")
        h.check(not re.search("fast_part|between|aside", folded), folded)
    # Whatever the machine does, it is the argument that makes them slow.
    for by in ("request: arg0 % 10 == 9", "name == 'request' && arg0 % 10 == 9", 'cat == "io" && attr.rows > 1000',
               "batch: attr.rows > 1000"):
        found = parts(daemon, "-i", path, "--in", by)
        h.equal({n: r["samples"] for n, r in found.items()}, {"slow_part": everything["slow_part"]["samples"]}, by)


@h.test
def the_answers_of_all_verbs_agree(daemon):
    source = ("-i", recording(daemon), "--in", "request: arg0 % 10 != 9")
    report, graph, flame = (daemon.json(verb, *source) for verb in ("report", "graph", "flame"))
    n = report["total_samples"]
    h.check(n > 0, "no samples")
    h.equal((graph["total_samples"], flame["count"]), (n, n), "samples")
    h.equal(sum(s["value"] for s in flame["stacks"]), n, "in stacks")
    for reply in (report, graph, flame):
        h.equal(reply["kind"], "cpu", "kind")
        h.equal(reply["coverage"]["raw_spans"], 240, "spans that were asked")
        h.check("notes" not in reply, f"notes: {reply.get('notes')}")
    names = {r["func"] for r in graph["rows"]}
    h.check({"request", "fast_part"} <= names and "slow_part" not in names, f"{names}")


@h.test
def spans_have_the_samples_in_them(daemon):
    """Each is one of the innermost span's own; spans of source code have call paths of their own."""
    path = recording(daemon)
    n = daemon.json("report", "-i", path, "--in", "request")["total_samples"]
    for reply in (daemon.json("report", "-i", path), daemon.json("graph", "-i", path)):
        rows = {r["func"]: r for r in reply["rows"]}
        h.equal((reply["kind"], reply["total_samples"]), ("span", n), "all")
        h.equal({r["calls"] for r in rows.values()}, {120}, "rows of calls")
        h.equal(rows["request"]["self_samples"] + rows["batch"]["self_samples"], n, "each is of one span")
        h.check(rows["batch"]["samples"] > 0.9 * n, f"batches are nearly all of requests: {rows}")
    h.contains(daemon.sonde("report", "-i", path, "--sort", "samples").out.split("\n")[0], "SAMPLES", "a column")
    both = daemon.rows("-i", path)
    every = daemon.rows("-i", path, "--where", "duration >= 0ns")
    h.equal({f: r["self_samples"] for f, r in every.items()}, {f: r["self_samples"] for f, r in both.items()},
            "a condition that always holds")
    slow = parts(daemon, "-i", path, "--in", "batch: attr.rows > 1000")["slow_part"]["samples"]
    some = daemon.rows("-i", path, "--where", "attr.rows > 1000")
    h.equal(set(some), {"batch"}, "slow ones")
    h.between(some["batch"]["self_samples"], slow, both["batch"]["self_samples"] - 1, "samples of the slow ones")
    outer = daemon.rows("-i", path, "--where", "name == 'request'")
    h.equal(outer["request"]["self_samples"], both["request"]["self_samples"], "what is in batches is not theirs")


@h.test
def waits_in_spans(daemon):
    """Waiting for a CPU, which they all do on a loaded machine, is a wait, too."""
    source = ("-i", recording(daemon), "--kind", "offcpu")
    slow = parts(daemon, *source, "--in", "batch: attr.rows > 1000", names=PARTS | {"slow_nap"})
    h.check("slow_nap" in slow and not {"fast_part", "between", "aside"} & set(slow), f"slow requests: {slow}")
    h.between(slow["slow_nap"]["total_ns"], 11 * 12e6, 12 * 60e6, "as long as they were")
    # Now and then the kernel runs no tracing program at a switch, see bpf/span_call.bpf.h.
    h.between(slow["slow_nap"]["samples"], 11, 20, "each is longer than the period")
    fast = parts(daemon, *source, "--in", "batch: attr.rows < 1000", names=PARTS | {"slow_nap"})
    h.check(not set(fast) - {"fast_part"}, f"fast ones do not sleep: {fast}")


def column(text, folded=False):
    """Variable-length integers, as io.sonde.varlink has them."""
    values, value, shift = [], 0, 0
    for byte in base64.b64decode(text):
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            values.append((value >> 1 ^ -(value & 1)) if folded else value)
            value = shift = 0
    return values


def stream(connection, method, query):
    """All replies of a call with more."""
    connection.sendall(json.dumps({"method": f"io.sonde.{method}", "more": True,
                                   "parameters": {"query": query}}).encode() + b"\0")
    data, replies = b"", []
    while not replies or replies[-1].get("continues"):
        while b"\0" not in data:
            data += connection.recv(1 << 16)
        one, data = data.split(b"\0", 1)
        replies.append(json.loads(one))
        h.check("error" not in replies[-1], f"{replies[-1]}")
    return [r["parameters"] for r in replies]


def decoded(replies, names, folded):
    """Rows of a stream of columns, with the tables that it has: times are added up."""
    tables, rows = {}, []
    for reply in replies:
        for key in ("processes", "threads", "functions", "frames", "parents", "leaves"):
            tables.setdefault(key, []).extend(reply.get(key, []))
        columns = {name: column(reply["columns"][name], name in folded) for name in names}
        h.equal({len(c) for c in columns.values()}, {reply["columns"]["count"]}, "lengths of columns")
        time, (first, *rest) = 0, names
        for i, delta in enumerate(columns[first]):
            time += delta
            rows.append((time, *(columns[name][i] for name in rest)))
    return rows, tables


def functions(tables, stack):
    """Of a stack, leaf first."""
    while stack:
        yield tables["frames"][tables["leaves"][stack - 1]]["func"]
        stack = tables["parents"][stack - 1]


@h.test
def samples_are_exported_with_their_times(daemon):
    """Brought together here once more, from the columns of both."""
    path = recording(daemon)
    _, process, connection = h.replay(path)
    try:
        spans, t = decoded(stream(connection, "ExportSpans", {}), ["start", "duration", "thread", "function"], {"start"})
        by_thread = {}
        for start, duration, thread, function in spans:
            if t["functions"][function]["name"] == "request":
                by_thread.setdefault(t["threads"][thread]["tid"], []).append((start, start + duration))
        all_samples, _ = decoded(stream(connection, "ExportSamples", {"kind": "cpu"}),
                                 ["time", "thread", "stack", "ns"], {"time"})
        replies = stream(connection, "ExportSamples", {"in": "request"})
        samples, t = decoded(replies, ["time", "thread", "stack", "ns"], {"time"})
        waits, w = decoded(stream(connection, "ExportSamples", {"in": "request", "kind": "offcpu"}),
                           ["time", "thread", "stack", "ns"], {"time"})
    finally:
        h.stop(process)
    h.equal((replies[0]["kind"], replies[0]["period_ns"]), ("cpu", 1000000000 // FREQUENCY), "what they are")
    h.check("session" in replies[0] and "coverage" in replies[-1], "session and coverage")
    report = daemon.json("report", "-i", path, "--in", "request")
    h.equal(len(samples), report["total_samples"], "as many as are added up")
    h.equal(len(all_samples), daemon.json("report", "-i", path, "--kind", "cpu")["total_samples"], "all")
    for time, thread, stack, ns in samples:
        tid = t["threads"][thread]["tid"]
        h.check(any(a <= time < b for a, b in by_thread[tid]), f"{time} of {tid} is in no request")
        h.check(1 <= stack <= len(t["leaves"]) and ns == 0, "stack")
    seen = {f for _, _, stack, _ in samples for f in functions(t, stack)}
    h.check({"fast_part", "slow_part"} <= seen and not {"between", "aside"} & seen, f"functions: {seen}")
    h.equal({x["name"] for x in t["threads"]}, {"wl_moments"}, "names of threads")
    naps = [ns for _, _, stack, ns in waits if "slow_nap" in functions(w, stack)]
    h.between(len([ns for ns in naps if ns >= 12e6]), 11, 12, f"naps: {naps}")


def in_memory(daemon):
    """A session "now" of wl_moments, made once."""
    if not daemon.session("now"):
        w = h.Workload("moments")
        daemon.sonde("attach", "--name", "now", "-F", FREQUENCY, "--args", "-p", w.pid, "request")
        w.go()
        _measured["now"] = measured(w.finish())["slow"]


@h.test
def sessions_in_memory(daemon):
    in_memory(daemon)
    source = ("--session", "now", "--in")
    slow = parts(daemon, *source, "request: arg0 % 10 == 9")
    h.equal(set(slow), {"slow_part"}, "in memory, of the open window")
    sampled(slow["slow_part"], _measured["now"], "in memory")
    daemon.sonde("detach", "now")
    again = parts(daemon, *source, "request: arg0 % 10 == 9")
    h.equal(again["slow_part"]["samples"], slow["slow_part"]["samples"], "of windows that are packed")


@h.test
def several_recordings_are_one(daemon):
    one = recording(daemon)
    two = h.TMP / "moments-2.sonde"
    two.write_bytes(one.read_bytes())
    asked = ("--in", "request: arg0 % 10 == 9")
    single = parts(daemon, "-i", one, *asked)["slow_part"]["samples"]
    both = parts(daemon, "-i", one, "-i", two, *asked)
    h.equal({n: r["samples"] for n, r in both.items()}, {"slow_part": 2 * single}, "of two recordings")
    daemon.sonde("replay", one, "-o", h.TMP / "again.sonde")
    again = parts(daemon, "-i", h.TMP / "again.sonde", *asked)
    h.equal({n: r["samples"] for n, r in again.items()}, {"slow_part": single}, "of one that was replayed")


@h.test
def times_choose_samples(daemon):
    path = recording(daemon)
    spans = daemon.sonde("spans", "--json", "-i", path, "--where", "name == 'request' && arg0 % 10 == 9").lines
    middle = spans[5]["time_us"] + spans[5]["duration_ns"] // 2000  # inside of one
    at = f"@{middle // 1000000}.{middle % 1000000:06}"
    counts = [parts(daemon, "-i", path, "--in", "request: arg0 % 10 == 9", *more)["slow_part"]["samples"]
              for more in ((), ("--until", at), ("--since", at))]
    h.equal(counts[0], counts[1] + counts[2], "before and after")
    h.check(min(counts) > 0, f"{counts}")


@h.test
def what_cannot_be_asked_is_said(daemon):
    path = recording(daemon)
    for verb in ("report", "graph", "flame"):
        e = daemon.error(2, "BadCondition", verb, "-i", path, "--in", "request: duration > 20")
        h.contains(e["message"], "column 21", "column of the whole text")
        h.contains(e["fix"], "20ms", "what to write")
        daemon.error(2, "BadCondition", verb, "-i", path, "--in", "request:")
        daemon.error(2, "BadArgument", verb, "-i", path, "--in", "request", "--kind", "span")
        daemon.error(2, "BadArgument", verb, "-i", path, "--in", "request", "--where", "depth == 0")
        h.contains(daemon.error(2, "BadArgument", verb, "-i", h.recording_of_format(1), "--in", "*")["message"],
                   "times", "a recording of an older sonde")
    h.contains(daemon.sonde("report", "-i", path, "--in", "request: duration > 20", status=2).err,
               "\n  request: duration > 20\n                      ^\n", "a mark")
    nothing = daemon.sonde("report", "-i", path, "--in", "nosuch*")
    h.contains(nothing.err, "none of the 240 raw spans is one that was asked for", "note")
    h.contains(nothing.err, "no samples in such spans", "nothing found")
    only = h.TMP / "only.sonde"
    daemon.sonde("record", "-F", FREQUENCY, "-o", only, "--", f"{h.WORKLOADS}/wl_calls")
    h.contains(daemon.error(2, "BadArgument", "report", "-i", only, "--in", "*")["message"], "no spans", "samples only")
    daemon.sonde("record", "-o", only, "alpha", "--", f"{h.WORKLOADS}/wl_calls")
    for kind, name in (("cpu", "CPU samples"), ("offcpu", "waits")):
        h.contains(daemon.error(2, "BadArgument", "report", "-i", only, "--in", "*", "--kind", kind)["message"],
                   f"has no {name}", "spans only")
    w = h.Workload("moments")
    daemon.sonde("attach", "--name", "stats", "--stats-only", "-F", FREQUENCY, "-p", w.pid, "request")
    h.contains(daemon.error(2, "BadArgument", "report", "--session", "stats", "--in", "*")["message"],
               "statistics only", "no raw spans")
    daemon.sonde("detach", "stats")


@h.test
def the_stream_is_for_those_who_read_it(daemon):
    in_memory(daemon)
    query = {"session": "now", "in": "request"}
    connection = h.connect(daemon)
    h.equal(h.call(connection, "io.sonde.ExportSamples", {"query": query})["error"], "io.sonde.BadArgument", "one answer")
    for method in ("Spans", "ExportSpans"):
        reply = h.call(h.connect(daemon), f"io.sonde.{method}", {"query": query}, more=True)
        h.equal(reply["error"], "io.sonde.BadArgument", f"{method} is not about samples")
    message = json.dumps({"method": "io.sonde.ExportSamples", "more": True, "parameters": {"query": query}}).encode()
    for _ in range(20):  # each goes away at another moment
        c = h.connect(daemon)
        c.sendall(message + b"\0")
        c.recv(1000)
        c.close()
    rows, _ = decoded(stream(connection, "ExportSamples", query), ["time", "thread", "stack", "ns"], {"time"})
    h.equal(len(rows), daemon.json("report", "--session", "now", "--in", "request")["total_samples"], "samples")


@h.test(own_daemon=True)
def the_history_has_no_times():
    daemon = h.Daemon(history={"keep": "yes", "store": h.TMP / "kept", "sessions": h.TMP / "sessions"})
    h.wait_until(lambda: daemon.json("list")["sessions"], "the session of the history")
    h.contains(daemon.error(2, "BadArgument", "report", "--in", "*")["message"], "history keeps no times", "history")
    daemon.stop()


if __name__ == "__main__":
    h.main()

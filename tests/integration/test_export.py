#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans and samples in the formats of other tools, against what spans and report say of them."""
import csv
import gzip
import json
import os
import re
import signal
import sqlite3
import subprocess

import harness as h
from profiles import folded, pprof_top

CALLS = ["beta", "gamma_fail", "outer", "middle", "inner", "six"]


def recording(daemon):
    """A recording of wl_calls, made once."""
    path = h.TMP / "export.sonde"
    if not path.exists():
        daemon.sonde("record", "--args", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    return path


def sqlite(daemon):
    """A recording of a program that nobody here wrote: spans, CPU samples and waits, made once."""
    path = h.TMP / "sqlite.sonde"
    if not path.exists():
        query = ("with recursive c(x) as (select 1 union all select x + 1 from c where x < 4000) "
                 "select count(*), sum(length(hex(x))) from c where abs(x) % 3 > 0;")
        daemon.sonde("record", "-q", "-F", "999", "--off-cpu", "-o", path, "libsqlite3:sqlite3_step",
                     "libsqlite3:sqlite3_value_*", "--", "sqlite3", ":memory:", query, query)
    return path


def export(daemon, name, *args):
    """What the file holds that was exported to it."""
    path = h.TMP / name
    done = daemon.sonde("export", "-o", path, *args)
    h.equal(done.out, "", "standard output")
    data = path.read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


def by_time(spans):
    return sorted(spans, key=lambda s: (s["time_us"], s["depth"], s["name"]))


@h.test(smoke=True)
def a_chrome_trace_has_every_span(daemon):
    path = recording(daemon)
    trace = json.loads(export(daemon, "t.json", "-i", path))
    spans = daemon.sonde("spans", "--json", "-i", path).lines
    base_us = trace["otherData"]["epoch_us"]
    events = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    h.equal(len(events), len(spans), "events")
    got = sorted((base_us + int(e["ts"]), round(e["dur"] * 1000), e["pid"], e["tid"], e["name"], e["cat"],
                  e["args"].get("ret"), json.dumps(e["args"].get("args", {})), e["args"].get("error", False))
                 for e in events)
    wanted = sorted((s["time_us"], s["duration_ns"], s["pid"], s["tid"], s["name"], s["binary"],
                     s["ret"], json.dumps(s["args"]), "error" in s["flags"]) for s in spans)
    h.equal(got, wanted, "what they say")
    starts = [e["ts"] for e in events]
    h.equal(starts, sorted(starts), "order")
    open_until = []
    for e in events:  # one thread: whatever begins inside of another ends inside of it
        while open_until and open_until[-1] <= e["ts"]:
            open_until.pop()
        end = round(e["ts"] + e["dur"], 3)
        h.check(not open_until or end <= open_until[-1] + 0.002, f"{e} ends behind {open_until}")
        open_until.append(end)
    names = {e["name"]: e["args"]["name"] for e in trace["traceEvents"] if e["ph"] == "M"}
    h.equal(names, {"process_name": "wl_calls", "thread_name": "wl_calls"}, "names")
    packed = json.loads(export(daemon, "t.json.gz", "-i", path))
    h.equal(packed, trace, "compressed")


def moments(daemon):
    """A session of wl_moments.c with spans, samples and waits, made once, and its trace."""
    path = h.TMP / "moments.json"
    if not path.exists():
        w = h.Workload("moments")
        daemon.sonde("attach", "--name", "moments", "-F", "997", "--off-cpu", "-p", w.pid, "span:io/*", "request",
                     "fast_part", "slow_part", "slow_nap", "between", "aside")
        w.go()
        w.finish()
        daemon.sonde("detach", "moments")
        export(daemon, "moments.json", "--session", "moments")
    return json.loads(path.read_text())


@h.test
def samples_outlive_a_chrome_trace(daemon):
    back = h.TMP / "back.sonde"
    moments(daemon)
    daemon.sonde("import", h.TMP / "moments.json", "-o", back)
    for kind in ("cpu", "offcpu"):
        was, now = (report(daemon, *source, "--kind", kind) for source in (("--session", "moments"), ("-i", back)))
        # Of waits what is known is the length of each, and not what short ones stand for.
        h.equal({k: r["samples"] for k, r in now.items()}, {k: r["samples"] for k, r in was.items()}, kind)
    h.equal({k: r["total_ns"] for k, r in report(daemon, "-i", back).items()},
            {k: r["total_ns"] for k, r in report(daemon, "--session", "moments").items()}, "spans")
    was, now = (daemon.json("report", *source, "--kind", "cpu", "--in", "slow_part")["total_samples"]
                for source in (("--session", "moments"), ("-i", back)))
    # Times of samples are imported to the microsecond.
    h.between(now, was - 2, was + 2, "samples in slow_part")


def report(daemon, *source):
    return {r["func"]: r for r in daemon.json("report", *source)["rows"]}


def names(frames, event):
    """The functions of an event's stack, innermost first."""
    out, at = [], event.get("sf")
    while at:
        out.append(frames[str(at)]["name"])
        at = frames[str(at)].get("parent")
    return out


def during(event, spans, name):
    return any(s["ph"] == "X" and s["name"] == name and s["tid"] == event["tid"] and
               s["ts"] <= event["ts"] <= s["ts"] + s["dur"] for s in spans)


@h.test
def a_chrome_trace_has_samples_and_waits_in_their_spans(daemon):
    trace = moments(daemon)
    events, frames = [e for e in trace["traceEvents"] if e["ph"] != "M"], trace["stackFrames"]
    cpu = [e for e in events if e["cat"] == "cpu"]
    waits = [e for e in events if e["cat"] == "offcpu"]
    h.equal({e["ph"] for e in cpu}, {"i"}, "samples are instants")
    for kind, found in (("cpu", cpu), ("offcpu", waits)):
        h.equal(len(found), daemon.json("report", "--session", "moments", "--kind", kind)["total_samples"], kind)
    for function in ("fast_part", "slow_part", "between", "aside"):
        mine = [e for e in cpu if function in names(frames, e)]
        h.check(len(mine) > 10, f"{function}: {len(mine)} samples")
        outside = [e for e in mine if not during(e, events, function)]
        # The function's own last instructions come behind its end, as probes see it.
        h.check(len(outside) <= 1 + len(mine) // 50, f"{function}: {outside}")
    naps = [e for e in waits if "slow_nap" in names(frames, e)]
    h.equal(len(naps), 12, "naps")
    for nap in naps:
        h.check(nap["dur"] >= 12000, f"a nap: {nap}")
        h.equal(nap["args"]["in"], "clock_nanosleep", "where it waits")
        h.check(during(nap, events, "slow_nap"), "in its span")
    only = json.loads(export(daemon, "slow.json", "--session", "moments", "--name", "slow_part"))["traceEvents"]
    h.equal({e["name"] for e in only if e["ph"] == "X" and e["cat"] != "offcpu"}, {"slow_part"}, "spans by name")
    h.equal({e["ts"] for e in only if e.get("cat") == "cpu"},
            {e["ts"] for e in cpu if during(e, events, "slow_part")}, "samples in them")


@h.test
def stacks_are_those_of_flame(daemon):
    path = sqlite(daemon)
    for kind in ("cpu", "offcpu", "span"):
        source = ("-i", path, "--kind", kind)
        wanted = daemon.sonde("flame", *source).out
        h.check(wanted, f"{kind}: no stacks")
        h.equal(export(daemon, "s.folded", *source).decode(), wanted, kind)
        h.equal(from_perf(export(daemon, "s.perf", *source).decode(), kind), folded(wanted), kind)


def from_perf(text, kind):
    """What stackcollapse-perf.pl makes of it: a count an event, of times their period."""
    stacks = {}
    for event in text.split("\n\n"):
        if not event.strip():
            continue
        head, *frames = event.strip().split("\n")
        found = re.fullmatch(r"(\S+) +(\d+) (\d+\.\d{6}): (\d+) ([a-z-]+): ", head)
        h.check(found, f"no event: {head!r}")
        names = []
        for frame in frames:
            m = re.fullmatch(r"\t *([0-9a-f]+) (.*) \(([^()]*)\)", frame)
            h.check(m, f"no frame: {frame!r}")
            names.insert(0, m[2].replace(";", ":"))
        key = ";".join(["sqlite3", *names])
        stacks[key] = stacks.get(key, 0) + (1 if kind == "cpu" else int(found[4]))
    return stacks


@h.test
def pprof_says_what_report_says(daemon):
    path = sqlite(daemon)
    for kind, index, unit, columns in (("cpu", "samples", "count", ("self_samples", "samples")),
                                       ("cpu", "cpu", "ns", ("self_ns", "total_ns")),
                                       ("offcpu", "offcpu", "ns", ("self_ns", "total_ns")),
                                       ("span", "self", "ns", ("self_ns", "total_ns"))):
        profile = h.TMP / f"{kind}.pb.gz"
        daemon.sonde("export", "-i", path, "--kind", kind, "-o", profile)
        rows = daemon.json("report", "-i", path, "--kind", kind)["rows"]
        wanted = {}
        for row in rows:  # a function of two files is one to pprof
            name = row["func"]
            have = wanted.get(name, (0, 0))
            wanted[name] = (have[0] + row[columns[0]], have[1] + row[columns[1]])
        got = pprof_top(profile, index, unit)
        h.equal(sorted(got), sorted(wanted), f"functions by {index}")
        for name, (flat, total) in wanted.items():
            h.equal(got[name][0], flat, f"{name} alone by {index}")
            if kind != "span":  # the total of spans has what no span of its own was in
                h.equal(got[name][1], total, f"{name} by {index}")
    raw = h.run("go", "tool", "pprof", "-raw", h.TMP / "cpu.pb.gz", timeout=60,
                env={**os.environ, "HOME": str(h.TMP)}).out
    h.contains(raw, "comm:[sqlite3]", "labels")
    h.check(re.search(r"/libsqlite3\.so\S* [0-9a-f]{40} ", raw), "build-id")


@h.test
def speedscope_has_spans_or_samples(daemon):
    path = sqlite(daemon)
    cpu = json.loads(export(daemon, "c.speedscope.json", "-i", path, "--kind", "cpu"))
    report = daemon.json("report", "-i", path, "--kind", "cpu")
    h.equal(sum(sum(p["weights"]) for p in cpu["profiles"]), report["total_ns"], "time")
    for p in cpu["profiles"]:
        h.equal((p["type"], len(p["samples"]), p["endValue"]), ("sampled", len(p["weights"]), sum(p["weights"])),
                "a profile")
    spans = json.loads(export(daemon, "s.speedscope.json", "-i", path))
    wanted = {}
    for s in daemon.sonde("spans", "-i", path, "--json").lines:
        wanted[s["name"]] = wanted.get(s["name"], 0) + 1
    got = {}
    for p in spans["profiles"]:
        stack, last = [], p["startValue"]
        for e in p["events"]:
            h.check(e["at"] >= last, f"{e} goes back")
            last = e["at"]
            name = spans["shared"]["frames"][e["frame"]]["name"]
            if e["type"] == "O":
                stack.append(e["frame"])
                got[name] = got.get(name, 0) + 1
            else:
                h.equal(stack.pop(), e["frame"], "what ends")
        h.equal((stack, p["endValue"]), ([], last), "the end")
    h.equal(got, wanted, "calls")
    # Nobody has said what: of a session without spans it is samples.
    samples_only = h.TMP / "samples.sonde"
    daemon.sonde("record", "-q", "-F", "999", "-o", samples_only, "--", "sqlite3", ":memory:",
                 "with recursive c(x) as (select 1 union all select x + 1 from c where x < 300000) select sum(x) from c")
    h.equal(json.loads(export(daemon, "h.speedscope.json", "-i", samples_only))["profiles"][0]["type"], "sampled", "kind")
    done = daemon.sonde("export", "-i", samples_only, "--format", "chrome")
    h.equal(len([e for e in done.json["traceEvents"] if e["ph"] == "i"]),
            daemon.json("report", "-i", samples_only)["total_samples"], "a trace of samples")


@h.test
def answers_are_tables(daemon):
    path = sqlite(daemon)
    for args in ([], ["--by", "comm"], ["--kind", "cpu", "--sort", "total", "-n", "3"]):
        wanted = daemon.json("report", "-i", path, *args)
        h.equal(json.loads(export(daemon, "r.report.json", "-i", path, *args)), wanted, f"json {args}")
        rows = list(csv.DictReader(export(daemon, "r.csv", "-i", path, *args).decode().splitlines()))
        h.equal(rows, [{k: str(v) for k, v in r.items() if k not in ("inlined_samples", "histogram")}
                       for r in wanted["rows"]], f"csv {args}")
        md = export(daemon, "r.md", "-i", path, *args).decode().splitlines()
        h.equal(len(md), 2 + len(wanted["rows"]), f"md {args}")
        h.equal({len(re.findall(r"(?<!\\)\|", line)) for line in md}, {13}, f"cells {args}")
    wanted = daemon.json("graph", "-i", path)["rows"]
    rows = list(csv.DictReader(daemon.sonde("export", "-i", path, "--answer", "graph", "--format", "csv").out.splitlines()))
    h.equal([(r["func"], r["calls"]) for r in rows], [(r["func"], str(r["calls"])) for r in wanted], "graph")
    spans = daemon.sonde("spans", "--json", "-i", recording(daemon)).lines
    got = [json.loads(line) for line in export(daemon, "s.jsonl", "--answer", "spans", "-i", recording(daemon)).splitlines()]
    h.equal(len(got), len(spans), "spans")
    for a, b in zip(by_time(got), by_time(spans)):
        if "call" not in b:  # as text results come with the arguments only
            b.pop("result", None)
        h.equal(a, b, "a span")
    rows = list(csv.DictReader(export(daemon, "s.csv", "--answer", "spans", "-i", recording(daemon)).decode().splitlines()))
    h.equal([(int(r["start_ns"]) // 1000, r["name"], r["ret"], r["call"]) for r in rows],
            [(s["time_us"], s["name"], s["ret"], s.get("call", "")) for s in got], "spans as csv")


def load_dftracer(text, one_host=True):
    """Events and names by their numbers, as DFTracer's description has them: brackets mean nothing."""
    events, names, ids = [], {}, {}
    for line in text.splitlines():
        if line[:1] in ("[", "]"):
            continue
        e = json.loads(line)
        if one_host:  # of several a number may be that of two processes
            h.equal(e["id"], ids.get(e["pid"], 0), "the index of an event in its process")
        ids[e["pid"]] = e["id"] + 1
        if e["ph"] == "M":
            h.equal(e["cat"], "dftracer", "metadata")
            names[e["name"], e["args"]["value"]] = e["args"]["name"]
        else:
            events.append(e)
    return events, names


@h.test
def a_dftracer_trace_has_every_span(daemon):
    path = recording(daemon)
    spans = daemon.sonde("spans", "--json", "-i", path).lines
    plain = export(daemon, "t.pfw", "-i", path).decode()
    events, names = load_dftracer(plain)
    h.equal((plain.splitlines()[0], plain.splitlines()[-1]), ("[", "]"), "framing")
    got = sorted((e["ts"], e["dur"], e["args"]["dur_ns"], e["pid"], e["tid"], e["name"], e["cat"],
                  e["args"].get("ret"), e["args"]["level"]) for e in events)
    wanted = sorted((s["time_us"], s["duration_ns"] // 1000, s["duration_ns"], s["pid"], s["tid"], s["name"],
                     s["binary"], s["ret"], s["depth"]) for s in spans)
    h.check(got == wanted, f"{got[:2]}, not {wanted[:2]}")
    h.equal({names["HH", e["args"]["hhash"]] for e in events}, {os.uname().nodename}, "the host of a recording")
    h.equal(names["PR", spans[0]["pid"]], "wl_calls", "the process")
    packed = export(daemon, "t.pfw.gz", "-i", path, "--framing", "new").decode()
    h.check(packed == plain.removeprefix("[\n").removesuffix("]\n"), "new framing")


@h.test
def each_process_has_its_host(daemon):
    """One recording, and the same as if another machine, or an old sonde, had made it."""
    ours = h.TMP / "host.sonde"
    daemon.sonde("record", "-F", "999", "-o", ours, "outer", "--", f"{h.WORKLOADS}/wl_calls")
    wanted = {ours: {os.uname().nodename}}
    for name, sql in (("db-2", "UPDATE meta SET value = 'db-2' WHERE key = 'host'"),
                      ("", "DELETE FROM meta WHERE key IN ('host', 'boot')")):
        path = h.TMP / f"host-{name}.sonde"
        path.write_bytes(ours.read_bytes())
        with sqlite3.connect(path) as db:
            db.execute(sql)
        db.close()
        wanted[path] = {name}
    _, theirs, old = wanted
    for files in ([ours], [theirs], [old], [ours, theirs], [ours, theirs, old]):
        inputs = [word for path in files for word in ("-i", path)]
        hosts = set().union(*(wanted[path] for path in files))
        events, names = load_dftracer(export(daemon, "h.pfw", *inputs).decode(), len(files) == 1)
        h.equal({names["HH", e["args"]["hhash"]] for e in events}, {n or "unknown" for n in hosts}, f"{files}")
        for kind in ("span", "cpu"):
            otlp = json.loads(export(daemon, "h.otlp.json", *inputs, "--kind", kind))
            got = {a["value"]["stringValue"] for r in otlp["resourceSpans" if kind == "span" else "resourceProfiles"]
                   for a in r["resource"]["attributes"] + [{"key": "host.name", "value": {"stringValue": ""}}]
                   if a["key"] == "host.name"}
            h.equal(got - {""}, hosts - {""}, f"{kind}: {files}")


@h.test
def spans_are_chosen_as_by_spans(daemon):
    path = recording(daemon)
    for args in (["--name", "in*"], ["--where", "ret < 0 && name == \"gamma_fail\""], ["--errors"],
                 ["--min-duration", "2us"], ["-p", "1"], ["-c", "wl_c*"], ["--where", "arg0 == 7"]):
        out = daemon.sonde("export", "--format", "chrome", "-i", path, *args)
        events = [e for e in out.json["traceEvents"] if e["ph"] == "X"]
        wanted = daemon.sonde("spans", "--json", "-i", path, *args).lines
        h.equal(len(events), len(wanted), f"{args}")
        h.equal("no such spans" in out.err, not wanted, f"{args}: {out.err}")


@h.test
def a_live_session_and_its_times(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "live", *CALLS)
    w.go()
    w.finish()
    daemon.sonde("detach", "live")
    spans = daemon.sonde("spans", "--json", "--session", "live").lines
    middle = spans[len(spans) // 2]["time_us"]
    for args, wanted in (([], spans),
                         (["--since", f"@{middle // 1000000}.{middle % 1000000:06}"],
                          [s for s in spans if s["time_us"] >= middle])):
        trace = daemon.sonde("export", "--format", "chrome", "--session", "live", *args).json
        h.equal(len([e for e in trace["traceEvents"] if e["ph"] == "X"]), len(wanted), f"{args}")


@h.test
def times_of_a_recording(daemon):
    path = recording(daemon)
    spans = daemon.sonde("spans", "--json", "-i", path).lines
    middle = spans[len(spans) // 2]["time_us"]
    at = f"@{middle // 1000000}.{middle % 1000000:06}"
    for option, wanted in (("--since", [s for s in spans if s["time_us"] >= middle]),
                           ("--until", [s for s in spans if s["time_us"] < middle])):
        got = daemon.sonde("export", "--format", "json", "--answer", "spans", "-i", path, option, at).lines
        h.equal([(s["time_us"], s["name"]) for s in by_time(got)], [(s["time_us"], s["name"]) for s in by_time(wanted)],
                option)
        folded_stacks = daemon.sonde("export", "--format", "folded", "-i", path, option, at).out
        h.equal(folded_stacks, daemon.sonde("flame", "-i", path, option, at).out, f"folded {option}")


@h.test
def the_stream_is_for_those_who_read_it(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "stream", *CALLS)
    w.go()
    w.finish()
    daemon.sonde("detach", "stream")
    c = h.connect(daemon)
    query = {"query": {"session": "stream"}}
    reply = h.call(c, "io.sonde.ExportSpans", query)
    h.equal(reply["error"], "io.sonde.BadArgument", "one answer")
    message = json.dumps({"method": "io.sonde.ExportSpans", "more": True, "parameters": query}).encode() + b"\0"
    for _ in range(20):  # each goes away at another moment
        c = h.connect(daemon)
        c.sendall(message)
        c.recv(1000)
        c.close()
    wanted = len(daemon.sonde("spans", "--json", "--session", "stream").lines)
    got = daemon.sonde("export", "--format", "json", "--answer", "spans", "--session", "stream").lines
    h.equal(len(got), wanted, "spans")


@h.test
def what_cannot_be_done_is_said(daemon):
    path = recording(daemon)
    for status, args, text in (
            (2, ["-i", path], "which format"),
            (2, ["-i", path, "--format", "nope"], "no format \"nope\""),
            (2, ["-i", path, "-o", h.TMP / "t.xyz"], "its name says no format"),
            (2, ["-i", path, "--format", "chrome", "operand"], "takes no operand"),
            (1, ["-i", path, "-o", "/nowhere/t.json"], "cannot write /nowhere/t.json"),
            (2, ["-i", path, "--format", "dftracer", "--kind", "cpu"], "carries spans and no samples"),
            (2, ["-i", path, "--format", "chrome", "--by", "pid"], "for json, csv and md"),
            (2, ["-i", path, "--format", "csv", "--answer", "graph", "--by", "pid"], "for --answer report"),
            (2, ["-i", path, "--format", "csv", "--errors"], "--answer spans"),
            (4, ["-i", h.TMP / "none.sonde", "--format", "chrome"], "none.sonde"),
            (4, ["--session", "none", "--format", "chrome"], "none")):
        done = daemon.sonde("export", *args, status=status)
        h.contains(done.err, text, f"{args}")
        h.equal(done.out, "", f"{args}")
    done = h.run(h.SONDE, "export", "--socket", "/tmp/x", "-i", path, "--format", "chrome", status=2)
    h.contains(done.err, "either a recording", "both")
    done = subprocess.run(f"{h.SONDE} export --format chrome -i {path} >/dev/full", shell=True,
                          stderr=subprocess.PIPE, text=True, check=False)
    h.equal(done.returncode, 1, "a full disk")
    h.contains(done.stderr, "No space left", "a full disk")
    done = subprocess.run(f"{h.SONDE} export --format chrome -i {path} | head -c 100; "
                          "exit ${PIPESTATUS[0]}", shell=True, executable="/bin/bash",
                          stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, check=False)
    h.equal((done.returncode, done.stderr), (0, ""), "a pipe that closes")


@h.test(smoke=True)
def the_page_has_every_format(daemon):
    page = (h.ROOT / "cli/man/sonde-export.1.scd").read_text().replace("\\", "")
    listed = daemon.sonde("export", "--format", "help").out.splitlines()
    h.check(len(listed) > 10, f"{listed}")
    for line in listed:
        name, extension = line.split()[:2]
        h.check(f"*{name}*" in page and re.search(f"_{re.escape(extension)}(?:.gz)?_", page), f"{name} {extension}")


@h.test
def an_interrupted_export_leaves_nothing(daemon):
    path, out = recording(daemon), h.TMP / "interrupted.json"
    out.write_text("as it was")
    p = subprocess.Popen([h.SONDE, "export", "-i", path, "-o", out], stderr=subprocess.PIPE, text=True,
                         preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}))
    p.send_signal(signal.SIGINT)  # it waits until the command looks
    err = p.communicate(timeout=60)[1]
    h.equal(p.returncode, 130, err)
    h.contains(err, "interrupted", "why")
    h.equal(out.read_text(), "as it was", "the file before")
    h.check(not os.path.exists(f"{out}.tmp"), "a file was left behind")


h.main()

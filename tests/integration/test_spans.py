#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans written in source code (sonde/span.h): wl_spans.cpp and wl_span_rate.c say what they do."""
import collections
import re
import shutil
import signal
import subprocess

import harness as h

CALLS = {"app/main": 1, "io/request": 100, "db/query": 200, "net/send": 100, "/risky": 20,
         "io/slow": 5, "trace/serve": 1, "trace/call": 1, "app/tick": 10, "queue/length": 50,
         "job/run": 30, "job/collect": 1, "compute/worker": 4, "compute/step": 200}
RATE = f"{h.WORKLOADS}/wl_span_rate"


def by_name(spans):
    found = collections.defaultdict(list)
    for span in spans:
        found[f"{span['cat']}/{span['name']}"].append(span)
    return found


def counts(found):
    return {name: len(spans) for name, spans in found.items()}


def traced(daemon, *args, workload=("spans",), losses=" 0 lost"):
    spans, err = daemon.trace(h.Workload(*workload), *args)
    h.contains(err, losses, "losses")
    return by_name(spans)


def check_everything(found):
    h.equal(counts(found), CALLS, "spans")
    for i, span in enumerate(sorted(found["io/request"], key=lambda s: int(s["args"]["rows"]))):
        h.equal(span["args"], {"rows": str(i), "ratio": f"{i / 4:g}",
                               "even": str(i % 2 == 0).lower(), "item": f"item-{i}"}, "fields")
        h.equal((span["flags"], span["depth"]), (["error"] if i % 10 == 0 else [], 1), f"of {i}")
        h.equal(span["result"].split(" ")[0], "" if i % 10 or i == 0 else str(-i), "code")
    h.equal(collections.Counter(tuple(s["flags"]) for s in found["/risky"]),
            {(): 15, ("unwound", "error"): 5}, "exceptions")
    h.equal({s["depth"] for s in found["db/query"] + found["net/send"]}, {2}, "depth")
    h.check(all(s["duration_ns"] >= 10_000_000 for s in found["io/slow"]), "slow ones")
    serve, call = found["trace/serve"][0]["args"], found["trace/call"][0]["args"]
    h.equal((serve["trace_id"], serve["parent_span_id"]),
            ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), "trace context")
    h.equal((call["trace_id"], call["parent_span_id"]),
            (serve["trace_id"], serve["span_id"]), "trace context inside")
    h.equal(sorted(float(s["args"]["value"]) for s in found["queue/length"]),
            [float(i) for i in range(50)], "counter")
    h.check(all(s["flags"] == ["instant"] for s in found["app/tick"]), "instants")
    h.check(all(s["flags"] == ["instant", "counter"] for s in found["queue/length"]), "counters")
    h.equal(sorted(int(s["args"]["key"]) for s in found["job/run"]), list(range(1000, 1030)),
            "asynchronous ones")
    h.equal({(s["tid"], s["args"]["end_tid"], *s["flags"]) for s in found["job/run"]},
            {(found["app/main"][0]["tid"], str(found["job/collect"][0]["tid"]), "async")},
            "threads of asynchronous ones")
    h.equal(len({s["tid"] for s in found["compute/step"]}), 4, "threads")


@h.test(smoke=True)
def all_there_is_arrives_in_batches(daemon):
    check_everything(traced(daemon, "span:*"))


@h.test
def all_there_is_arrives_one_by_one(daemon):
    check_everything(traced(daemon, "span:*", "--span-mode", "simple"))


@h.test(smoke=True)
def categories_conditions_and_self_time(daemon):
    h.equal(counts(traced(daemon, "span:io/*", "span:*/send", "!span:io/slow")),
            {"io/request": 100, "net/send": 100}, "specifications")
    h.equal(counts(traced(daemon, "span:*", "--where", 'attr.rows > 90 && cat == "io"')),
            {"io/request": 9}, "attributes")
    h.equal(counts(traced(daemon, "span:io/*", "--where", "attr.ratio < 2.25 && duration_ms < 1e3")),
            {"io/request": 9}, "attributes with a fraction")
    h.equal(counts(traced(daemon, "span:*", "--where", 'error && ret < -20 && caller == "main"')),
            {"io/request": 7}, "errors")
    h.equal(counts(traced(daemon, "span:*", "--min-duration", "9ms")),
            {"io/slow": 5, "app/main": 1}, "durations")
    h.equal(counts(traced(daemon, "span:*", "--exceptions")), {"/risky": 5}, "exceptions")
    e = daemon.error(2, "BadCondition", "trace", "span:*", "--where", "args.rows > 1", "--", RATE)
    h.contains(e["fix"], "attr.KEY", "fix")
    daemon.error(2, "BadArgument", "trace", "span:*", "--begin", "pid == 1", "--", RATE)


@h.test
def recordings_answer_as_any(daemon):
    path = str(h.TMP / "spans.sonde")
    daemon.sonde("record", "-o", path, "span:*", "--", f"{h.WORKLOADS}/wl_spans")
    rows = daemon.json("graph", "-i", path)["rows"]
    tree = {(r["func"], r["depth"]): r for r in rows}
    main, request = tree["main", 0], tree["request", 1]
    h.equal((request["calls"], request["errors"], tree["query", 2]["calls"]), (100, 10, 200), "tree")
    h.equal(request["self_ns"], request["total_ns"] - tree["query", 2]["total_ns"] -
            tree["send", 2]["total_ns"], "time of its own")
    h.equal(request["parent"], main["id"], "parent")
    spans = daemon.sonde("spans", "-i", path, "--json", "--where",
                         'attr.item =~ "item-9?" && attr.even').lines
    h.equal([s["args"]["rows"] for s in spans], ["90", "92", "94", "96", "98"], "spans")
    rows = daemon.sonde("sql", "-i", path, "--json",
                        "select cat, count(*), sum(args ->> 'rows') from raw_span "
                        "where args ->> 'item' glob 'item-9*' group by cat").json["rows"]
    h.equal([list(r.values()) for r in rows], [["io", 11, 9 + sum(range(90, 100))]], "sql")


@h.test
def a_report_by_category(daemon):
    path = str(h.TMP / "categories.sonde")
    # Calls of functions are of their binary, and so are spans without a category below.
    daemon.sonde("record", "-o", path, "span:*", "work", "--", RATE, "--only", "inside")
    h.equal({k: r["calls"] for k, r in daemon.rows("-i", path, key="category").items()},
            {"app": 5 + 16, "wl_span_rate": 16}, "with a function")
    daemon.sonde("record", "-o", path, "span:*", "--", f"{h.WORKLOADS}/wl_spans")
    rows = daemon.rows("-i", path, key="category")
    want = collections.Counter()
    for name, n in CALLS.items():
        # Values of a counter are no calls.
        if name != "queue/length":
            want[name.partition("/")[0] or "wl_spans"] += n
    h.equal({k: r["calls"] for k, r in rows.items()}, dict(want), "calls")
    h.equal(rows["io"]["errors"], 10, "errors")
    main = daemon.rows("-i", path)["main"]
    h.equal(rows["app"]["total_ns"], main["total_ns"], "the time of spans in a span counts once")
    same = daemon.json("report", "-i", path, "--by-category")["rows"]
    h.equal(same, list(rows.values()), "short form")
    h.equal(daemon.json("graph", "-i", path, "--flat", "--by-category")["rows"], same, "graph")
    h.equal(daemon.sonde("export", "-i", path, "--by-category", "--format", "json").json["rows"],
            same, "export")
    out = daemon.sonde("export", "-i", path, "--by", "category", "--format", "csv").out
    h.contains(out.splitlines()[0], "category,", "title of a column")
    h.contains(daemon.sonde("report", "-i", path, "--by-category").out, "CATEGORY", "title")
    # They outlive a trace for other tools, beside the binary.
    back = str(h.TMP / "back.sonde")
    daemon.sonde("export", "-i", path, "-o", h.TMP / "categories.json")
    daemon.sonde("import", h.TMP / "categories.json", "-o", back)
    found = daemon.rows("-i", back, key="category")
    h.equal({k: (r["calls"], r["total_ns"]) for k, r in found.items()},
            {k: (r["calls"], r["total_ns"]) for k, r in rows.items()}, "of a trace that was imported")
    h.equal({r["binary"] for r in daemon.json("report", "-i", back)["rows"]}, {"wl_spans"}, "binary")
    w = h.Workload("spans", "--only", "live", "--seconds", "20")
    daemon.sonde("attach", "--name", "cats", "-p", w.pid, "span:*")
    w.go()
    h.wait_until(lambda: set(daemon.rows("--session", "cats", key="category")) >= {"io", "net"},
                 "a session that goes on")
    w.process.kill()
    daemon.sonde("detach", "cats")
    daemon.error(2, "BadArgument", "report", "-i", path, "--by", "comm", "--by-category")
    daemon.error(2, "BadArgument", "graph", "-i", path, "--by-category")
    daemon.error(2, "BadArgument", "report", "-i", path, "--kind", "cpu", "--by-category")


@h.test(smoke=True)
def the_last_spans_before_a_signal_are_kept(daemon):
    p = daemon.start("trace", "span:*", "--json", "--", f"{h.WORKLOADS}/wl_spans", "--only",
                     "crash")
    found = by_name(h.finish(p).lines)
    h.equal(counts(found).get("db/done"), 7, "what had ended")
    h.equal([found[n][0]["flags"] for n in ("db/inner", "io/dying", "app/main")],
            [["unwound"]] * 3, "what was open")
    h.equal(found["db/inner"][0]["args"], {"unfinished": "true"}, "attributes")


@h.test
def the_last_spans_before_another_program_are_kept(daemon):
    if " __traceiter_sched_prepare_exec" not in open("/proc/kallsyms", encoding="utf-8").read():
        raise h.Skip("this kernel tells of it when it is too late")
    found = traced(daemon, "span:*", workload=("span_rate", "--only", "exec", "--rounds", "4"))
    h.equal(counts(found), {"exec/done": 20, "exec/open": 3}, "spans")
    h.equal({tuple(s["flags"]) for s in found["exec/open"]}, {("unwound",)}, "what was open")


@h.test
def idle_threads_are_looked_at(daemon):
    w = h.Workload("span_rate", "--only", "idle", "--seconds", "30")
    daemon.sonde("attach", "--name", "idle", "-p", w.pid, "span:*")
    w.go()
    h.wait_until(lambda: daemon.calls("--session", "idle").get("short") == 5, "idle spans")
    w.process.kill()
    daemon.sonde("detach", "idle")
    h.equal(daemon.calls("--session", "idle"), {"short": 5}, "not twice")


@h.test
def threads_take_over_the_memory_of_others(daemon):
    # While one ends the next one may have its block already.
    found = traced(daemon, "span:*", workload=("spans", "--only", "churn", "--threads", "6"))
    h.equal(counts(found), {"churn/worker": 6 * 200, "churn/step": 6 * 200 * 5}, "spans")
    h.equal({(s["name"], s["depth"], *s["flags"]) for s in found["churn/worker"] + found["churn/step"]},
            {("worker", 0), ("step", 1)}, "depths and flags")


@h.test
def a_threshold_changes_while_the_program_runs(daemon):
    w = h.Workload("spans", "--only", "live", "--seconds", "20")
    daemon.sonde("attach", "--name", "slow", "-p", w.pid, "span:io/*", "--min-duration", "2ms")
    w.go()
    h.wait_until(lambda: daemon.calls("--session", "slow").get("live", 0) >= 3, "slow ones")
    seen = daemon.json("report", "--session", "slow")
    rows = {r["func"]: r for r in seen["rows"]}
    h.equal(list(rows), ["live"], "one category")
    # What is shorter never left the program.
    h.equal(seen["coverage"]["spans_seen"], rows["live"]["calls"], "spans seen")
    daemon.sonde("attach", "--name", "all", "-p", w.pid, "span:*")
    h.wait_until(lambda: daemon.calls("--session", "all").get("live", 0) >= 100, "all of them")
    slow = daemon.json("report", "--session", "slow")["rows"][0]
    h.check(slow["avg_ns"] >= 2_000_000, f"the first session has what it asked for: {slow}")
    daemon.sonde("detach", "all")
    daemon.sonde("detach", "slow")
    w.process.kill()


@h.test
def children_of_fork_begin_anew(daemon):
    found = traced(daemon, "span:*", workload=("span_rate", "--only", "fork"))
    h.equal(counts(found), {"fork/parent": 10, "fork/child": 40}, "spans")
    h.equal(len({s["pid"] for s in found["fork/child"]}), 2, "children")


@h.test
def probed_functions_are_below_the_spans_they_are_called_in(daemon):
    w = h.Workload("span_rate", "--only", "inside")
    daemon.sonde("attach", "--name", "in", "-p", w.pid, "span:*", "work")
    w.go()
    w.finish()
    daemon.sonde("detach", "in")
    rows = daemon.json("graph", "--session", "in")["rows"]
    h.equal(h.tree(rows), {"outer": 5, "outer/work": 15, "outer/work/inner": 15, "work": 1,
                           "work/inner": 1}, "tree")


@h.test
def a_condition_that_spans_refuse_is_not_that_of_calls(daemon):
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "mixed", "-p", w.pid, "--args", "open_table", f"span:{RATE}:*")
    daemon.error(2, "BadCondition", "attach", "--name", "mixed", "--where", "args.flags == 1")
    w.go()
    w.finish()
    daemon.sonde("detach", "mixed")
    h.equal(daemon.calls("--session", "mixed"), {"open_table": 400}, "calls")


@h.test
def conditions_of_calls_beside_spans_are_replaced(daemon):
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "beside", "-p", w.pid, "--args", f"span:{RATE}:*", "open_table")
    daemon.sonde("attach", "--name", "beside", "--where", "ret < 0")
    w.go()
    w.finish()
    daemon.sonde("detach", "beside")
    h.equal(daemon.calls("--session", "beside"), {"open_table": 200}, "calls")


@h.test
def what_is_lost_at_full_rate_is_counted(daemon):
    p = daemon.start("record", "-o", str(h.TMP / "rate.sonde"), "span:*", "--json", "--", RATE,
                     "--threads", "8", "--rounds", "300")
    h.finish(p)
    seen = daemon.json("report", "-i", str(h.TMP / "rate.sonde"))
    calls = sum(r["calls"] for r in seen["rows"])
    # Lost records are counted whatever they are: each thread sends the name of the span, too.
    h.between(calls + seen["coverage"]["spans_lost"], 2_400_000, 2_400_020, "spans and losses")


@h.test
def what_a_file_has_is_said_before(daemon):
    probes = daemon.json("probes", f"span:{RATE}:io/*", "-a")["probes"]
    h.equal([(p["symbol"], p["returns"], p["hit"]) for p in probes],
            [("sonde:batch", "batch", "emulated")], "probes")
    e = daemon.error(4, "NothingMatches", "probes", "span:/bin/true:*", "-a")
    h.contains(e["fix"], "sonde/span.h", "fix")
    daemon.error(2, "BadSpec", "probes", "span:*", "-a")


def simple_probes(daemon, path):
    found = daemon.json("probes", f"span:{path}:*", "-a", "--span-mode", "simple")["probes"]
    h.equal([p["symbol"] for p in found], ["sonde:span", "sonde:event"], "probes")
    return {(p["hit"], p["skipped_bytes"], p["instruction"].split()[0]) for p in found}, found[0]


@h.test
def the_cheaper_of_two_places_is_probed(daemon):
    makes_calls = " arch_uprobe_optimize" in open("/proc/kallsyms", encoding="utf-8").read()
    places, span = simple_probes(daemon, RATE)
    h.equal(places, {("optimised", 1, "nop") if makes_calls else ("emulated", 0, "nop")}, "place")
    if makes_calls:
        batch = daemon.json("probes", f"span:{RATE}:*", "-a")["probes"][0]
        h.between(span["cost_ns"], 1, batch["cost_ns"] * 7 // 8, "what a hit costs")


@h.test
def samples_in_the_kernels_call_have_whole_stacks(daemon):
    w, folded = h.Workload("span_rate", "--rounds", "200"), h.TMP / "call.folded"
    daemon.sonde("attach", "--name", "call", "-F", "2000", "span:*", "--span-mode", "simple", "-p", w.pid)
    w.go()
    w.finish()
    daemon.sonde("detach", "call")
    daemon.sonde("flame", "--session", "call", "--kind", "cpu", "-o", folded)
    # Those found by unwind tables, which may take a while to be there.
    stacks = [line.rsplit(" ", 1) for line in folded.read_text(encoding="utf-8").splitlines()
              if ";clone3;start_thread;" in line]
    there = sum(int(n) for stack, n in stacks if "probe_span" in stack or "uprobes-tramp" in stack)
    whole = sum(int(n) for stack, n in stacks if "sonde_hit_span;sonde_r2_probe_span" in stack)
    h.check(there > 20, f"{there} samples in probes")
    h.between(whole, there * 9 // 10, there, "those with all callers")


@h.test
def programs_with_an_earlier_header_have_one_place(daemon):
    include, sources = h.TMP / "include", h.ROOT / "tests/workloads"
    shutil.copytree(h.ROOT / "include/sonde", include / "sonde")
    header = include / "sonde/span/probe.h"
    text = header.read_text(encoding="utf-8")
    older = text.replace(".byte 0x0f,0x1f,0x44,0x00,0x00\\n", "").replace('_SIZE   "7"', '_SIZE   "2"')
    older = older.replace("SONDE_REVISION 2", "SONDE_REVISION 1")
    h.equal(len(text) - len(older), len(".byte 0x0f,0x1f,0x44,0x00,0x00\\n"), "the header of before")
    header.write_text(older, encoding="utf-8")
    program = str(h.TMP / "earlier")
    subprocess.run(["gcc", "-O2", "-pthread", "-D_GNU_SOURCE", f"-I{include}", f"-I{sources}",
                    sources / "wl_span_rate.c", "-o", program], check=True, timeout=60)
    h.equal(simple_probes(daemon, program)[0], {("emulated", 0, "nop")}, "place")
    spans, _ = daemon.trace(h.Workload("", "--only", "inside", path=program), "span:*",
                            "--span-mode", "simple")
    h.equal(counts(by_name(spans)), {"app/outer": 5, "app/inner": 16}, "spans")


@h.test
def filters_of_system_calls_and_small_stacks_are_spared(daemon):
    for mode in ("simple", "batch"):
        found = traced(daemon, "span:*", "--span-mode", mode,
                       workload=("span_rate", "--only", "filtered"))
        h.equal(counts(found), {"filter/before": 1, "filter/handler": 50, "filter/inside": 50}, mode)


@h.test
def bpftrace_counts_the_same_spans(daemon):
    h.need("bpftrace")
    path = f"{h.WORKLOADS}/wl_spans"
    script = f"usdt:{path}:sonde:span {{ @[str(arg0), str(arg1)] = count(); }}"
    daemon.sonde("attach", "--name", "both", f"span:{path}:*", "-a")
    done = subprocess.run(["bpftrace", "-q", "-c", path, "-e", script], capture_output=True,
                          text=True, timeout=2 * h.PATIENCE)
    h.equal(done.returncode, 0, f"bpftrace: {done.stderr}")
    daemon.sonde("detach", "both")
    spans = daemon.sonde("spans", "--session", "both", "--json", "-n", "100000").lines
    found = counts(by_name(spans))
    h.equal(found, CALLS, "spans")
    out = done.stdout
    theirs = {f"{a}/{b}": int(n) for a, b, n in re.findall(r"@\[(.*), (.*)\]: (\d+)", out)}
    h.equal(theirs, {n: c for n, c in found.items()
                     if n not in ("app/tick", "queue/length", "job/run")}, "counts")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shape (members and types) of every verb's JSON, compared with tests/golden/integration.

Remove those files and run with UPDATE_GOLDEN=1 to write them anew. A shape has "int", "number", "string", "bool"
for values and one element, the union of all, for a list; a map with free keys shows as {"*": …}.
"""
import json
import os

import harness as h

FREE_MAPS = {"args"}
STREAMS = {"trace", "spans"}
# Members that not every span has, not every frame, not every row, and not every session.
OPTIONAL = {"call", "result", "offcpu_ns", "exception", "stack"}
OF_FRAMES = {"inlined", "file", "line"}
OF_SAMPLES = {"inlined_samples", "samples_partial", "samples_pointers"}
# What only rows of spans have.
OF_SPANS = {"histogram"}
OF_RECORDINGS = {"host"}


def shape(value, key=None):
    if isinstance(value, dict):
        if key in FREE_MAPS:
            return {"*": merge([shape(v) for v in value.values()])} if value else {}
        return {k: shape(v, k) for k, v in sorted(value.items())}
    if isinstance(value, list):
        return [merge([shape(v) for v in value])] if value else []
    return {bool: "bool", int: "int", float: "number", str: "string"}[type(value)]


def merge(shapes):
    """One shape that stands for all: lists that are empty here and there take the full one."""
    first = shapes[0]
    if all(isinstance(s, dict) for s in shapes):
        keys = set().union(*shapes)
        if "*" in keys:
            return next(s for s in shapes if s)
        optional = OPTIONAL | OF_FRAMES | OF_SAMPLES | OF_SPANS | OF_RECORDINGS
        h.check(all(set(s) | optional == keys | optional for s in shapes),
                f"members differ: {sorted(keys)}")
        return {k: merge([s[k] for s in shapes if k in s]) for k in sorted(keys)}
    if all(isinstance(s, list) for s in shapes):
        full = [s[0] for s in shapes if s]
        return [merge(full)] if full else []
    kinds = set(map(str, shapes))
    if kinds == {"int", "number"}:
        return "number"
    h.check(len(kinds) == 1, f"types differ: {kinds}")
    return first


def golden(name, got):
    """The shape must be the golden one; a list that is empty here has nothing to compare."""
    path = h.GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        all_seen = merge([got, json.loads(path.read_text())]) if path.exists() else got
        path.write_text(json.dumps(all_seen, indent=1, sort_keys=True) + "\n")
    h.check(path.exists(), f"{path} is missing: UPDATE_GOLDEN=1 writes it")
    wanted = json.loads(path.read_text())
    h.equal(merge([got, wanted]), wanted, f"shape, by {path.name}")


def document(daemon, *args, name=None, status=0):
    result = daemon.sonde(*h.with_json(args), status=status)
    lines = [line for line in result.out.splitlines() if line != "done"]
    h.equal(len(lines), 1, f"{args}: lines of a document")
    reply = json.loads(lines[0])
    h.equal(list(reply)[0], "schema", f"{args}: first member")
    h.equal(reply["schema"], 1, f"{args}: schema")
    golden(name or args[0], shape(reply))
    return reply


@h.test(smoke=True)
def documents(daemon):
    w = h.Workload("hot", "--seconds", "1")
    attached = document(daemon, "attach", "-p", w.pid, "-F", "199", "--name", "json", "--args",
                        "hot_*", "work")
    h.equal(attached["session"]["name"], "json", "name")
    w.go()
    w.finish()
    h.wait_until(lambda: daemon.session("json")["spans"] > 500, "spans")
    document(daemon, "list")
    document(daemon, "status")
    document(daemon, "doctor")
    document(daemon, "probes", "-p", os.getpid(), "libc:str*")
    # Placement, types and conditions: of a program whose answer does not depend on the machine.
    target = f"uprobe:{h.WORKLOADS}/wl_calls"
    reply = document(daemon, "probes", "--args", "--where", "args.i > 1 && comm =~ /x/", "--return",
                     "sites", f"{target}:gamma_fail")
    probe, = reply["probes"]
    h.equal((probe["type"], probe["returns"]), ("int gamma_fail(int i)", "sites"), "probe")
    h.check(probe["sites"] > 0 and probe["hit"] in ("optimised", "emulated", "stepped") and
            probe["instruction"], f"placement: {probe}")
    h.equal(reply["conditions"],
            [{"option": "where", "function": "gamma_fail", "kernel": "args.i > 1",
              "daemon": "comm =~ /x/",
              "uses": [{"text": "args.i", "type": "signed 32-bit", "decided": "kernel"},
                       {"text": "comm", "type": "text of up to 15 bytes", "decided": "daemon"}]}],
            "conditions")
    # The way of kernel functions is found out when they are attached, and their cost not measured.
    reply = document(daemon, "probes", "kprobe:vfs_write", "fentry:vfs_read")
    h.equal([(p["symbol"], p["returns"], p["strategy"], p["cost_ns"], p["hit"])
             for p in sorted(reply["probes"], key=lambda p: p["symbol"])],
            [("vfs_read", "return", "fentry", 0, ""), ("vfs_write", "return", "kernel", 0, "")],
            "kernel functions")
    document(daemon, "attach", "--name", "json", "--where", "duration > 1ns", name="set_conditions")
    document(daemon, "detach", "json")
    for kind in ("span", "cpu"):
        document(daemon, "report", "--session", "json", "--kind", kind)
        document(daemon, "graph", "--session", "json", "--kind", kind)
        document(daemon, "flame", "--session", "json", "--kind", kind)
    document(daemon, "debuginfo", "--session", "json")


@h.test(smoke=True)
def the_key_of_a_report_has_the_groupings_name(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "keys", "beta")
    w.go()
    w.finish()
    daemon.sonde("detach", "keys")
    for by in ("func", "probe", "comm", "pid"):
        rows = daemon.json("report", "--session", "keys", "--by", by)["rows"]
        h.check(rows and all(by in r and "key" not in r for r in rows), f"--by {by}: {rows}")


@h.test(smoke=True)
def streams(daemon):
    """trace and spans: one span a line, of the same shape."""
    out = h.TMP / "trace.json"
    daemon.sonde("trace", "--json", "--args", "six", "gamma_fail", "-o", out, "--",
                 f"{h.WORKLOADS}/wl_calls")
    spans = [json.loads(line) for line in out.read_text().splitlines()]
    h.equal(len(spans), 1100, "spans")
    golden("trace", merge([shape(s) for s in spans]))
    recording = h.TMP / "json.sonde"
    document(daemon, "record", "-F", "99", "--args", "six", "gamma_fail", "-o", recording, "--",
             f"{h.WORKLOADS}/wl_calls")
    spans = daemon.sonde("spans", "-i", recording, "--json").lines
    h.equal(len(spans), 1100, "spans of the recording")
    golden("spans", merge([shape(s) for s in spans]))
    h.equal((h.GOLDEN / "spans.json").read_text(), (h.GOLDEN / "trace.json").read_text(),
            "trace and spans")


@h.test(smoke=True)
def spans_with_all_that_is_kept_of_calls(daemon):
    """Arguments by name, results, time off the CPU and stacks; and of C++ programs exceptions."""
    out, recording = h.TMP / "more.json", h.TMP / "more.sonde"
    options = ("--args", "--stack-if", "true", "--where", "offcpu_time >= 0ns", "nap", "open_table")
    command = ("--", f"{h.WORKLOADS}/wl_args")
    daemon.sonde("trace", "--json", "-o", out, *options, *command)
    daemon.sonde("record", "-o", recording, *options, *command)
    thrown = daemon.sonde("trace", "--json", "--exceptions", "*throw_inner*", "--",
                          f"{h.WORKLOADS}/wl_throw").out.splitlines()
    thrown = [json.loads(line) for line in thrown if line.startswith("{")]
    h.equal({s["exception"]["type"] for s in thrown}, {"int"}, "exceptions")
    for lines in (out.read_text().splitlines(),
                  daemon.sonde("spans", "-i", recording, "--json").out.splitlines()):
        spans = [json.loads(line) for line in lines]
        h.equal(len(spans), 410, "spans")
        got = merge([shape(s) for s in spans + thrown])
        h.check(OPTIONAL <= set(got), f"members: {sorted(got)}")
        golden("span_with_all", got)


@h.test(smoke=True)
def errors(daemon):
    reply = document(daemon, "detach", "nobody", name="error", status=4)
    h.equal(reply["error"]["name"], "NoSuchSession", "name")
    document(daemon, "report", "-i", "/nonexistent.sonde", name="error", status=4)
    document(daemon, "report", "--sort", "colour", name="error", status=2)
    document(daemon, "trace", "-p", os.getpid(), "no_such_function", name="error", status=4)


@h.test(smoke=True)
def a_recording_answers_in_the_same_shapes(daemon):
    recording = h.TMP / "shapes.sonde"
    daemon.sonde("record", "-F", "499", "-o", recording, "hot_*", "work", "--",
                 f"{h.WORKLOADS}/wl_hot", "--seconds", "1")
    for kind in ("span", "cpu"):
        document(daemon, "report", "-i", recording, "--kind", kind)
        document(daemon, "graph", "-i", recording, "--kind", kind)
        document(daemon, "flame", "-i", recording, "--kind", kind)
    document(daemon, "list", "-i", recording)


h.main()

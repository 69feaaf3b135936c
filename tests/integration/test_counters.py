#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters of sonde/span.h, from the program to every answer: wl_counters.c says what it counts."""
import collections
import csv
import json
import math
import os
import time

import harness as h

LENGTHS = [float(i) for i in range(100)]
IN_CHILD = [float(i) for i in range(1000, 1010)]
ODD = ["-1", "-0", "0.1", "1.7976931348623157e+308", "-1.7976931348623157e+308",
       "4.94065645841247e-324", "9.223372036854776e+18", "nan", "inf", "-inf"]
CALLS = {"main": 1, "put": 110}


def recording(daemon):
    """A recording of wl_counters, made once."""
    path = h.TMP / "counters.sonde"
    if not path.exists():
        daemon.sonde("record", "-o", path, "span:*", "--", f"{h.WORKLOADS}/wl_counters")
    return path


def text(value):
    """A value as sonde says it, by its bits."""
    if isinstance(value, str):
        return value
    short = f"{value:.15g}"
    short = short if float(short) == value else repr(float(value))
    return "-0" if math.copysign(1, value) < 0 and value == 0 else short


def check_values(spans, what):
    """Spans as of `spans --json`: all values there are, of each process in their order."""
    found = collections.defaultdict(list)
    for s in spans:
        if "counter" not in s["flags"]:
            h.check("value" not in s, f"{what}: a value of {s['name']}")
            continue
        h.equal((s["flags"], s["duration_ns"]), (["instant", "counter"], 0), f"{what}: flags")
        found[s["pid"], s["cat"], s["name"]].append(s["value"])
    values = sorted(v for k, v in found.items() if k[1:] == ("queue", "length"))
    h.equal(values, [LENGTHS, IN_CHILD], f"{what}: queue/length")
    odd = [v for k, v in found.items() if k[1:] == ("odd", "value")]
    h.equal([[text(v) for v in values] for values in odd], [ODD], f"{what}: odd/value")


def spans_of(daemon, path, *args):
    return daemon.sonde("spans", "--json", "-i", path, *args).lines


@h.test(smoke=True)
def values_are_shown_live(daemon):
    spans, err = daemon.trace(h.Workload("counters"), "span:*")
    check_values(spans, "trace")
    h.contains(err, f"{sum(CALLS.values())} spans, ", "they are no calls")
    lines, _ = daemon.trace(h.Workload("counters"), "span:*", "--where", "attr.value > 97 && cat == \"queue\"")
    h.equal(sorted(s["value"] for s in lines), [98, 99, *IN_CHILD], "a condition")


@h.test(smoke=True)
def recordings_have_them_and_count_no_calls(daemon):
    path = recording(daemon)
    check_values(spans_of(daemon, path), "spans")
    h.contains(daemon.sonde("spans", "-i", path, "-n", "1000").out, "queue/length = 1009\n", "text")
    h.contains(daemon.sonde("timeline", "-i", path).out, "odd/value = -inf\n", "timeline")
    h.equal(daemon.calls("-i", path), CALLS, "report")
    rows = daemon.json("graph", "-i", path)["rows"]
    h.equal({r["func"] for r in rows}, set(CALLS), "graph")
    threads = daemon.json("report", "-i", path, "--by", "thread")["rows"]
    h.equal(sum(r["calls"] for r in threads), sum(CALLS.values()), "by thread")
    coverage = daemon.json("report", "-i", path)["coverage"]
    h.equal(coverage["spans_seen"], sum(CALLS.values()), "coverage")
    again = h.TMP / "again.sonde"
    daemon.sonde("replay", path, "-o", again)
    check_values(spans_of(daemon, again), "replay")
    h.equal(daemon.calls("-i", again), CALLS, "report of the replay")


@h.test
def sql_has_their_values(daemon):
    def ask(query):
        rows = daemon.sonde("sql", "--json", "-i", recording(daemon), query).json["rows"]
        return [list(row.values()) for row in rows]

    h.equal(ask("select function, count(*), min(value), max(value) from raw_span where counter "
                "and function = 'length'"), [["length", 110, 0, 1009]], "values")
    h.equal(ask("select count(*) from raw_span where not counter and value is null"),
            [[sum(CALLS.values())]], "calls")
    h.equal(ask("select distinct function from span order by 1"), [["main"], ["put"]], "statistics")
    h.equal(ask("select sum(spans) from window"), [[sum(CALLS.values())]], "calls of windows")


@h.test(smoke=True)
def exports_have_them(daemon):
    def export(name, *args):
        out = h.TMP / name
        daemon.sonde("export", "-i", recording(daemon), "-o", out, *args)
        return out.read_text()

    events = json.loads(export("c.json"))["traceEvents"]
    counters = [e for e in events if e["ph"] == "C"]
    values = collections.defaultdict(list)
    for e in counters:
        h.equal(list(e["args"]), ["value"], "one value an event")
        values[e["name"], e["pid"]].append(e["args"]["value"])
    lengths = sorted(v for k, v in values.items() if k[0] == "queue/length")
    h.equal(lengths, [LENGTHS, IN_CHILD], "chrome")
    h.equal([[text(v) for v in vs] for k, vs in values.items() if k[0] == "odd/value"], [ODD],
            "chrome, odd ones")
    h.equal({e["ph"] for e in events}, {"M", "X", "C"}, "phases")
    check_values([json.loads(line) for line in
                  export("c.jsonl", "--answer", "spans").splitlines()], "json")
    rows = list(csv.DictReader(export("c.csv", "--answer", "spans").splitlines()))
    h.equal([r["value"] for r in rows if r["name"] == "value"], ODD, "csv")
    h.equal({r["value"] for r in rows if r["name"] == "put"}, {""}, "csv, calls")
    lines = [json.loads(line) for line in export("c.pfw").splitlines()[1:-1]]
    h.equal(sorted(e["args"]["value"] for e in lines if e["ph"] == "C" and e["name"] == "length"),
            LENGTHS + IN_CHILD, "dftracer")
    profiles = json.loads(export("c.speedscope.json"))["profiles"]
    h.equal(sum(len(p["events"]) for p in profiles), 2 * sum(CALLS.values()), "speedscope")
    h.check("length" not in export("c.prom"), "prometheus has calls")


@h.test
def imports_are_what_was_exported(daemon):
    def known(spans):
        name = lambda s: f"{s['cat']}/{s['name']}" if s.get("cat") and "value" in s else s["name"]  # noqa: E731
        # Ticks become times by the anchors of each batch: a value at once behind the beginning of a
        # span that another batch brings may be before it by some nanoseconds.
        return sorted((s["pid"], s["tid"], s["time_us"], s["duration_ns"], name(s),
                       None if "value" in s else s["depth"], s["comm"], s["binary"], s["flags"], text(s.get("value", 0))) for s in spans)

    def round_trip(path):
        back = h.TMP / "back.sonde"
        daemon.sonde("export", "-i", path, "-o", h.TMP / "trip.json")
        daemon.sonde("import", h.TMP / "trip.json", "-o", back)
        os.rename(back, h.TMP / "trip.sonde")
        return h.TMP / "trip.sonde"

    def same(spans):
        h.equal((len(spans), [s for s in spans if s not in first][:3]), (len(first), []), "spans")

    path = recording(daemon)
    first = known(spans_of(daemon, path))
    for _ in range(2):
        path = round_trip(path)
        same(known(spans_of(daemon, path)))
        h.equal(daemon.calls("-i", path), CALLS, "and calls")
    again = h.TMP / "again-import.sonde"
    daemon.sonde("replay", path, "-o", again)
    same(known(spans_of(daemon, again)))


@h.test
def the_page_draws_them(daemon):
    out = h.TMP / "counters.html"
    _, err = out, daemon.sonde("timeline", "-i", recording(daemon), "-o", out).err
    h.check("no such spans" not in err, err)
    page = h.page(out)
    h.at_end(page.close)
    page.js("new Promise(done => { const look = () => window.sonde?.settled ? done(0) : "
            "setTimeout(look, 20); look(); })")
    counters = page.js("sonde.counters")
    h.equal(sorted((c["name"], len(c["values"])) for c in counters),
            [("odd/value", len(ODD)), ("queue/length", 10), ("queue/length", 100)], "counters")
    h.equal(page.js("sonde.spans"), sum(CALLS.values()), "spans")
    for k, c in enumerate(counters):
        h.equal(c["times"], sorted(c["times"]), "in order of time")
        if c["name"] == "odd/value":
            want = [-1, 0, 0.1, 1.7976931348623157e+308, -1.7976931348623157e+308, 5e-324,
                    9223372036854775808]
            h.equal([float(v) for v in c["values"][:7]], want, "odd values")
            h.equal(c["values"][7:], ["NaN", "Infinity", "-Infinity"], "odd values")
            continue
        h.equal([float(v) for v in c["values"]], LENGTHS if len(c["values"]) > 10 else IN_CHILD,
                "values")
        box = page.js(f"sonde.valueBox({k}, 7)")
        page.move(box["x"] + 2, box["y"] + box["height"] / 2)
        tip = page.js("document.getElementById('tip').innerText")
        h.contains(tip, c["values"][7], "what a value is")
        h.contains(tip, f"({c['pid']})", "whose it is")
    # Nothing but counters: no span is there to show, but time is.
    alone = h.TMP / "alone.html"
    daemon.sonde("timeline", "-i", recording(daemon), "-o", alone, "--name", "length")
    page.go("", alone)
    page.js("new Promise(done => { const look = () => window.sonde?.settled ? done(0) : "
            "setTimeout(look, 20); look(); })")
    h.equal(page.js("[sonde.spans, sonde.counters.length, document.getElementById('empty').hidden]"),
            [0, 2, True], "counters alone")
    h.equal((page.complaints, page.requests), ([], []), "complaints and requests")


@h.test(own_daemon=True)
def sessions_that_are_kept_have_some():
    path = h.TMP / "kept"
    (path / "sessions").mkdir(parents=True)
    (path / "sessions/c.conf").write_text(
        f"[session]\nname = c\nspec = span:{h.WORKLOADS}/wl_counters:*\n")
    daemon = h.Daemon(history={"keep": "yes", "store": path / "store", "window": "5s",
                               "sessions": path / "sessions"})
    h.wait_until(lambda: daemon.active("c"), "the session")
    w = h.Workload("counters")
    time.sleep(0.2)
    w.go()
    w.finish()
    spans = daemon.sonde("spans", "--session", "c", "--json").lines
    calls = [s for s in spans if "counter" not in s["flags"]]
    lengths = sorted(s["value"] for s in spans if s["name"] == "length" and s["value"] < 1000)
    h.between(len(lengths), 10, 20, "values")
    h.check(max(lengths) == 99 and lengths[1] - lengths[0] > 4, f"all over the window: {lengths}")
    h.equal(daemon.calls("--session", "c", "--kind", "span"), CALLS, "calls")
    err = daemon.sonde("export", "--session", "c", "--format", "chrome").err
    h.contains(err, f"of 111 calls {len(calls)} were kept one by one", "the note")


h.main()

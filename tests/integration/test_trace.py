#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sonde trace against the planted answers of wl_calls: counts, nesting, arguments, filters, ends."""
import collections
import re
import signal

import harness as h

CALLS = {"alpha": 10000, "beta": 5000, "gamma_fail": 1000, "delta_null": 400, "outer": 300,
         "middle": 300, "inner": 600, "six": 100}
ALL = list(CALLS)
KEYS = ["args", "binary", "comm", "depth", "duration_ns", "flags", "name", "pid", "result", "ret",
        "self_ns", "tid", "time_us"]


def counts(spans):
    return dict(collections.Counter(s["name"] for s in spans))


def by_name(spans, name):
    return sorted((s for s in spans if s["name"] == name), key=lambda s: s["time_us"])


def value(text):
    h.check(re.fullmatch("0x[0-9a-f]+", text), f"not a hexadecimal string: {text!r}")
    return int(text, 16)


@h.test(smoke=True)
def every_call_is_counted(daemon):
    w = h.Workload("calls")
    spans, err = daemon.trace(w, *ALL)
    h.equal(counts(spans), CALLS, "calls")
    h.equal({s["pid"] for s in spans} | {s["tid"] for s in spans}, {w.pid}, "pid and tid")
    h.equal({s["comm"] for s in spans}, {"wl_calls"}, "comm")
    for s in spans:
        h.equal(sorted(s), KEYS, "members of a span")
        h.check(0 <= s["self_ns"] <= s["duration_ns"], f"self time: {s}")
    h.equal(err, "17,700 spans, 0 not shown, 0 lost\n", "totals")


@h.test(smoke=True)
def nesting_is_known(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "outer", "middle", "inner")
    h.equal(dict(collections.Counter((s["name"], s["depth"]) for s in spans)),
            {("outer", 0): 300, ("middle", 1): 300, ("inner", 2): 600}, "name and depth")
    # Spans are printed as they end: inner, inner, middle, outer; and each lies within the next.
    spans = sorted(spans, key=lambda s: (s["time_us"], s["depth"]))
    inner = [s["duration_ns"] for s in spans if s["name"] == "inner"]
    middle = [s for s in spans if s["name"] == "middle"]
    outer = [s for s in spans if s["name"] == "outer"]
    h.equal(sum(s["duration_ns"] - s["self_ns"] for s in middle), sum(inner),
            "time of middle outside itself")
    h.equal(sum(s["duration_ns"] - s["self_ns"] for s in outer),
            sum(s["duration_ns"] for s in middle), "time of outer outside itself")
    h.check(all(s["self_ns"] == s["duration_ns"] for s in spans if s["name"] == "inner"),
            "inner calls nothing")


@h.test
def spans_are_printed_in_the_order_of_their_ends(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "outer", "middle", "inner")
    names = [s["name"] for s in spans]
    h.equal(names, ["inner", "inner", "middle", "outer"] * 300, "order")


@h.test(smoke=True)
def arguments_and_results(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "--args", "six", "beta", "gamma_fail")
    six = by_name(spans, "six")
    for s in six:
        h.equal(list(s["args"]), list("abcdef"), "args")
    got = sorted([int(v) for v in s["args"].values()] + [value(s["ret"])] for s in six)
    h.equal(got, [[1 + i, 2, 3, 4, 5, 6, 21 + i] for i in range(100)], "six")
    beta = sorted((int(s["args"]["i"]), int(s["result"])) for s in by_name(spans, "beta"))
    h.equal(beta, [(i, 2 * i) for i in range(5000)], "beta")
    gamma = sorted((int(s["args"]["i"]), value(s["ret"]) & 0xffffffff)
                   for s in by_name(spans, "gamma_fail"))
    h.equal(gamma, [(i, 0xffffffff if i % 10 == 9 else i) for i in range(1000)], "gamma_fail")


@h.test
def without_args_there_are_none(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "six")
    h.equal([s["args"] for s in spans], [{}] * 100, "args")


@h.test(smoke=True)
def errors_only(daemon):
    spans, err = daemon.trace(h.Workload("calls"), "--errors", "beta", "gamma_fail", "delta_null")
    h.equal(counts(spans), {"gamma_fail": 100}, "calls")
    h.equal({value(s["ret"]) & 0xffffffff for s in spans}, {0xffffffff}, "results")
    h.check(all("error" in s["flags"] for s in spans), "every span is flagged as an error")
    h.contains(err, "0 lost", "totals")


@h.test
def null_is_an_error(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "--errors", "--null-is-error", "delta_null",
                            "--args")
    h.equal(counts(spans), {"delta_null": 100}, "calls")
    h.equal(sorted(int(s["args"]["i"]) for s in spans), list(range(3, 400, 4)),
            "arguments of the calls that returned NULL")
    h.equal({s["ret"] for s in spans}, {"0x0"}, "results")


@h.test
def min_duration(daemon):
    # Every nap takes 5 ms, fast about 20 us; a busy machine may stretch a few of those.
    spans, _ = daemon.trace(h.Workload("slow"), "--min-duration", "4ms", "fast", "nap", "slow_one")
    got = counts(spans)
    h.equal((got.get("nap"), got.get("slow_one")), (20, 20), "slow calls")
    h.between(got.get("fast", 0), 0, 100, "fast calls that a busy machine stretched")
    h.check(min(s["duration_ns"] for s in spans) >= 4_000_000, "none is shorter")


@h.test
def max_depth(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "--max-depth", "2", "outer", "middle", "inner")
    h.equal(counts(spans), {"outer": 300, "middle": 300}, "calls")


@h.test
def exclude(daemon):
    spans, _ = daemon.trace(h.Workload("calls"), "*er", "*a*", "!alpha", "!m*")
    got = counts(spans)
    h.equal({k: got.get(k) for k in ALL},
            {**CALLS, "alpha": None, "middle": None, "six": None}, "calls")


@h.test
def count_ends_it(daemon):
    p = daemon.start("trace", "-p", (w := h.Workload("calls")).pid, "--json", "-n", "7",
                     "--name", "seven", "beta")
    h.wait_until(lambda: daemon.active("seven"), "the session")
    w.go()
    result = h.finish(p)
    h.equal(len(result.lines), 7, "spans")
    h.check(re.fullmatch(r"[\d,]+ spans, [\d,]+ not shown, 0 lost\n", result.err), result.err)
    seen, unshown = (int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", result.err)[:2])
    h.equal(seen - unshown, 7, "spans less those not shown")
    w.finish()
    h.check(not daemon.active("seven"), "the session has ended")


@h.test
def duration_ends_it(daemon):
    w = h.Workload("calls")
    result = daemon.sonde("trace", "-p", w.pid, "-d", "300ms", "beta")
    h.equal(len(result.out.splitlines()), 1, "lines: the head only")
    h.equal(result.err, "0 spans, 0 not shown, 0 lost\n", "totals")
    w.go()
    w.finish()


@h.test(smoke=True)
def interrupts_end_it(daemon):
    w = h.Workload("calls")
    for sig in (signal.SIGINT, signal.SIGTERM):
        p = daemon.start("trace", "-p", w.pid, "--name", f"i{int(sig)}", "beta")
        h.wait_until(lambda: daemon.active(f"i{int(sig)}"), "the session")
        h.contains(p.stdout.readline(), "DURATION", "head")
        result = h.finish(p, sig=sig)
        h.equal(result.err, "0 spans, 0 not shown, 0 lost\n", "totals")
    w.go()
    w.finish()


@h.test(smoke=True)
def a_command_is_caught_from_its_first_call(daemon):
    # The command's own output goes to standard output, too.
    out = h.TMP / "first.json"
    result = daemon.sonde("trace", "--json", *ALL, "main", "-o", out, "--",
                          f"{h.WORKLOADS}/wl_calls")
    h.equal(result.out, "done\n", "output of the command")
    spans = [h.json.loads(line) for line in out.read_text().splitlines()]
    h.equal(counts(spans), {**CALLS, "main": 1}, "calls")
    h.equal({(s["name"], s["depth"]) for s in spans if s["name"] in ("main", "alpha", "inner")},
            {("main", 0), ("alpha", 1), ("inner", 3)}, "depths below main")
    h.equal(result.err, "17,701 spans, 0 not shown, 0 lost\n", "totals")


@h.test
def text_lines_show_nesting_arguments_and_results(daemon):
    out = h.TMP / "lines"
    daemon.sonde("trace", "--args", "outer", "middle", "six", "gamma_fail", "-o", out, "--",
                 f"{h.WORKLOADS}/wl_calls")
    text = out.read_text()
    six = [line for line in text.splitlines() if "six(" in line]
    h.equal(len(six), 100, "lines of six")
    h.check(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} +[\d.]+ [num]?s +\d+  wl_calls +"
                         r"six\(a=1, b=2, c=3, d=4, e=5, f=6\) = 21", six[0]), f"line: {six[0]!r}")
    h.contains(text, " = -1\n", "a result below 0")
    column = {n: {line.index(n) for line in text.splitlines() if n in line}
              for n in ("outer", "middle")}
    h.equal(column["middle"], {min(column["outer"]) + 2}, "columns of middle")


@h.test(own_daemon=True, smoke=True)
def a_private_daemon_does_it_too():
    out = h.TMP / "private.json"
    result = h.run(h.SONDE, "trace", "--json", "beta", "-o", out, "--", f"{h.WORKLOADS}/wl_calls")
    h.equal(out.read_text().count('"name":"beta"'), 5000, "calls of beta")
    h.contains(result.err, "5,000 spans, 0 not shown, 0 lost", "totals")


h.main()

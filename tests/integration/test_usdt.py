#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Static probes: instants, pairs, arguments from notes, semaphores. wl_usdt.c says what it plants."""
import collections
import os
import re
import subprocess

import harness as h

PATH = f"{h.WORKLOADS}/wl_usdt"
PYTHON = "/usr/bin/python3.11"


def by_name(spans):
    found = collections.defaultdict(list)
    for span in spans:
        found[span["name"].removeprefix("wl:")].append(span)
    return found


def traced(daemon, *args, losses=""):
    """All spans of one run, and whether what was lost is what the test knows of."""
    w = h.Workload("usdt")
    p = daemon.start("trace", "-p", w.pid, "--json", "--name", "t", *args)
    h.wait_until(lambda: p.poll() is not None or daemon.active("t"), "session t")
    w.go()
    result = h.finish(p)
    h.contains(result.err, losses or " 0 lost", "losses")
    return by_name(result.lines), w.finish()


def args_of(span):
    return [span["args"][f"arg{i}"] for i in range(len(span["args"]))]


@h.test(smoke=True)
def instants_with_arguments_from_every_kind_of_place(daemon):
    spans, _ = traced(daemon, "--args", "usdt:wl:places", "usdt:wl:many", "usdt:wl:odd")
    h.equal({k: len(v) for k, v in spans.items()}, {"places": 100, "many": 100, "odd": 100}, "n")
    for i, span in enumerate(spans["places"]):
        h.equal(args_of(span),
                [str(-i), str((10, 20, 30, 40)[i & 3]), str(-2 - (i & 1)), "66", "-7",
                 "4294967306"], f"arguments of {i}")
        h.equal((span["flags"], span["duration_ns"], span["self_ns"], span["depth"]),
                (["instant"], 0, 0, 0), "an instant")
        h.check(not span.get("result"), f"a result: {span}")
    h.equal([args_of(s) for s in spans["many"]],
            [[str(n) for n in range(11)] + [str(i)] for i in range(100)], "twelve arguments")
    h.equal([args_of(s) for s in spans["odd"]],
            [["2.5", "?", "?", "?", str(i)] for i in range(100)], "what cannot be read")


@h.test(smoke=True)
def pairs_are_spans_wherever_they_begin_and_end(daemon):
    spans, _ = traced(daemon, "--args", "--capture", "str(arg1)", "usdt:wl:op*")
    ops = sorted(spans.pop("op"), key=lambda s: (s["time_us"], s["depth"]))
    h.equal(spans, {}, "others")
    outer, inner = ([s for s in ops if s["depth"] == d] for d in (0, 1))
    h.equal([(s["args"]["arg0"], s["args"]["arg1"], s["result"]) for s in outer],
            [(str(i), "deep", "0" if i % 10 else "-5 (EIO)") for i in range(100)], "outer")
    h.equal([(s["args"]["arg0"], s["args"]["arg1"], s["result"]) for s in inner],
            [(str(i + 1000), "here", str(i + 1)) for i in range(100)], "inner")
    h.equal([s["flags"] for s in outer], [[] if i % 10 else ["error"] for i in range(100)], "flags")
    h.check(all(s["duration_ns"] > 0 for s in ops), "a span of no time")
    h.check(all(a["self_ns"] == a["duration_ns"] - b["duration_ns"]
                for a, b in zip(outer, inner)), "time of its own")


@h.test
def pairs_that_are_left_and_pairs_that_are_too_many(daemon):
    spans, _ = traced(daemon, "--args", "usdt:wl:l*", "usdt:wl:deep*", "!deep__return",
                      losses="36 lost (nested too deep 36)")
    h.equal([(s["flags"], s["args"], s["depth"]) for s in spans["left"]],
            [(["unwound"], {"arg0": str(i)}, 1) for i in range(100)], "left by longjmp")
    h.equal([(s["flags"], s["args"], s["depth"]) for s in spans["leaving"]],
            [([], {"arg0": str(i)}, 0) for i in range(100)], "what was returned to")
    # Of a hundred nested ones the 64 outermost are kept, and all end where they do.
    h.equal([(s["args"]["arg0"], s["result"], s["depth"]) for s in spans["deep"]],
            [(str(n), str(n), 100 - n) for n in range(37, 101)] +
            [(str(n), str(n), 10 - n) for n in range(1, 11)], "recursion")


@h.test
def instants_and_pairs_nest_with_functions(daemon):
    spans, _ = traced(daemon, "usdt:wl:inside", "usdt:wl:op", "wl_usdt_call")
    h.equal({k: len(v) for k, v in spans.items()},
            {"inside": 100, "op": 200, "wl_usdt_call": 100}, "n")
    h.equal({s["depth"] for s in spans["wl_usdt_call"]}, {0}, "call")
    h.equal({s["depth"] for s in spans["inside"]}, {3}, "the instant")
    h.equal([s["depth"] for s in spans["op"]], [2, 1] * 100, "pairs")
    h.check(all(s["flags"] in ([], ["error"]) for s in spans["op"]), "pairs end")
    h.check(all(s["result"] == "%d" % i for i, s in enumerate(spans["wl_usdt_call"])), "results")
    # What begins in a probed function ends with it at the latest.
    spans, _ = traced(daemon, "usdt:wl:op", "begin_here", losses="100 calls had begun before")
    h.equal([(s["depth"], s["flags"]) for s in spans["op"] if s["depth"]],
            [(2, ["unwound"])] * 100, "left with its function")
    h.equal(len(spans["begin_here"]), 100, "the function")


@h.test(smoke=True)
def conditions(daemon):
    for options, counts in (
            (("--where", "arg0 > -10 && args.arg1 == 20", "usdt:wl:places"), {"places": 3}),
            (("--begin", "arg0 <= -90", "usdt:wl:places"), {"places": 10}),
            (("--begin", "arg0 <= -90", "--where", "arg1 == 10", "usdt:wl:places"), {"places": 2}),
            (("--where", "arg11 >= 50 && arg10 == 10", "usdt:wl:many"), {"many": 50}),
            (("--where", "str(arg1) == 'here' && ret > 90", "usdt:wl:op"), {"op": 10}),
            (("--begin", "str(arg1) == 'deep' && arg0 < 5", "usdt:wl:op"), {"op": 5}),
            (("--errors", "usdt:wl:op"), {"op": 10}),
            (("--where", "arg2 < 0 && name == 'wl:places'", "usdt:wl:places", "usdt:wl:inside"),
             {"places": 100}),
            (("--where", "depth == 2", "usdt:wl:inside", "usdt:wl:op"), {"inside": 100}),
            (("--inside", "wl_usdt_call", "usdt:wl:*", "!op"), {"inside": 100}),
            (("--inside", "usdt:wl:leaving", "usdt:wl:left"), {"left": 100})):
        spans, _ = traced(daemon, *options)
        h.equal({k: len(v) for k, v in spans.items()}, counts, f"{options}")


@h.test(smoke=True)
def semaphores_are_up_while_attached(daemon):
    plain = h.Workload("usdt")
    plain.go()
    h.contains(plain.finish(), "semaphore up 0\n", "without a session")
    w = h.Workload("usdt")
    other = h.Workload("usdt")
    daemon.sonde("attach", "-p", w.pid, "--name", "up", "--args", "usdt:wl:gated")
    w.go()
    h.contains(w.finish(), "semaphore up 1000\n", "attached")
    h.equal(daemon.calls("--session", "up"), {"wl:gated": 1000}, "calls")
    daemon.sonde("detach", "up")
    h.wait_until(lambda: h.text_is_as_in_file(other.pid, PATH), "the text of the other process")
    other.go()
    h.contains(other.finish(), "semaphore up 0\n", "after it")
    # In every process that runs the file, by its path.
    w = h.Workload("usdt")
    daemon.sonde("attach", "-a", "--name", "all", "--stats-only", f"usdt:{PATH}:wl:gated")
    w.go()
    h.contains(w.finish(), "semaphore up 1000\n", "of all processes")
    h.equal(daemon.calls("--session", "all"), {"wl:gated": 1000}, "statistics")
    daemon.sonde("detach", "all")
    w = h.Workload("usdt")
    daemon.sonde("attach", "-p", w.pid, "--name", "gone", "usdt:wl:gated")
    daemon.sonde("detach", "gone")
    h.wait_until(lambda: h.text_is_as_in_file(w.pid, PATH), "the text to be what it was")
    w.go()
    h.contains(w.finish(), "semaphore up 0\n", "detached")


@h.test
def statistics_and_recordings(daemon):
    w = h.Workload("usdt")
    daemon.sonde("attach", "-p", w.pid, "--name", "s", "--stats-only", "usdt:wl:op",
                 "usdt:wl:inside")
    w.go()
    w.finish()
    h.equal({k: (r["calls"], r["errors"]) for k, r in daemon.rows("--session", "s").items()},
            {"wl:op": (200, 10), "wl:inside": (100, 0)}, "statistics")
    path = h.TMP / "usdt.sonde"
    daemon.sonde("record", "--args", "-o", path, "usdt:wl:op", "usdt:wl:places", "--", PATH)
    h.equal(daemon.calls("-i", path), {"wl:op": 200, "wl:places": 100}, "recorded")
    lines = daemon.sonde("spans", "--json", "-i", path, "--where", "arg0 == -7").lines
    h.equal([(s["name"], s["flags"], s["args"]["arg4"]) for s in lines],
            [("wl:places", ["instant"], "-7")], "history")
    lines = daemon.sonde("spans", "--json", "-i", path, "--where", "ret == -5").lines
    h.equal({s["name"] for s in lines}, {"wl:op"}, "instants have no result")
    h.equal(len(lines), 10, "results")


@h.test
def conditions_are_replaced(daemon):
    w = h.Workload("usdt")
    daemon.sonde("attach", "-p", w.pid, "--name", "r", "--args", "--where", "arg0 == 1",
                 "usdt:wl:op", "usdt:wl:inside")
    daemon.sonde("attach", "--name", "r", "--where", "arg0 < 10")
    w.go()
    w.finish()
    h.equal(daemon.calls("--session", "r"), {"wl:op": 10, "wl:inside": 10}, "calls")


@h.test
def what_there_is_is_listed(daemon):
    """As readelf sees it: of these files that this machine has."""
    for path in (PATH, PYTHON, "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"):
        if not os.path.exists(path):
            continue
        notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True,
                               env=h.ENV, check=True).stdout
        names = [f"{p}:{n}" for p, n in re.findall(r"Provider: (.*)\n +Name: (.*)\n", notes)]
        ends = {n.removesuffix("__return") for n in names
                if n.endswith("__return") and n.replace("__return", "__entry") in names}
        wanted = sorted(n.removesuffix("__entry") if n.removesuffix("__entry") in ends else n
                        for n in names if n.removesuffix("__return") not in ends or
                        n.endswith("__entry"))
        reply = daemon.json("probes", f"usdt:{path}:*:*")
        h.equal(sorted(p["symbol"] for p in reply["probes"]), wanted, path)
        h.equal({(p["instruction"], p["hit"]) for p in reply["probes"]}, {("nop", "emulated")},
                "instructions")
    types = {p["symbol"]: (p["type"], p["returns"], p["sites"])
             for p in daemon.json("probes", "--args", f"usdt:{PATH}:wl:*")["probes"]}
    h.equal(types["wl:places"],
            ("wl:places(int32_t arg0, uint64_t arg1, int16_t arg2, uint8_t arg3, int32_t arg4, "
             "uint64_t arg5)", "instant", 0), "type")
    h.equal(types["wl:op"], ("int32_t wl:op(int32_t arg0, uint64_t arg1)", "sites", 2), "pair")


@h.test
def what_is_not_there(daemon):
    w = h.Workload("usdt")
    for spec, message, fix in (
            ("usdt:lw:op", "no static probe of .*wl_usdt has the provider lw; there is wl", "usdt:"),
            ("usdt:wl:insid", "matches no static probe of .*wl_usdt; did you mean inside", "usdt:"),
            ("usdt:libc:*:*", "libc.so.6 has no static probes", "--enable-systemtap"),
            ("usdt:libnone:a:b", "no library or program called libnone is mapped", "mapped are")):
        error = daemon.error(4, "NothingMatches", "probes", "-p", w.pid, spec)
        h.check(re.search(message, error["message"]), f"{spec}: {error['message']}")
        h.contains(error["fix"], fix, spec)
    for options, message in (
            (("--where", "arg2 == 1", "usdt:wl:op"), "the static probe has 2 arguments"),
            (("--where", "args.n == 1", "usdt:wl:op"), "no argument n; it has 2"),
            (("--where", "ret == 1", "usdt:wl:inside"), "a static probe has no result"),
            (("--where", "str(arg0) == 'x'", "usdt:wl:op"), "arg0 (int32_t) is no address"),
            (("--where", "arg1 > 1", "usdt:wl:odd"), "arg1 cannot be read: it is in a vector"),
            (("--where", "arg2 > 1", "usdt:wl:odd"), "arg2 cannot be read: its place is given by"),
            (("--where", "args.arg1.x > 1", "usdt:wl:op"), "what arg1 points to is not known"),
            (("--redact", "arg0", "--where", "arg0 > 1", "usdt:wl:op"), "arg0 is redacted"),
            (("--where", "arg6 > 1", "wl_usdt_call"), "there are arg0 ... arg5")):
        error = daemon.error(2, "BadCondition", "probes", "-p", w.pid, *options)
        h.contains(error["message"], message, f"{options}")


@h.test
def redacted_arguments_stay_where_they_are(daemon):
    spans, _ = traced(daemon, "--args", "--redact", "arg1", "usdt:wl:places")
    h.equal({s["args"]["arg1"] for s in spans["places"]}, {"[redacted]"}, "redacted")
    h.equal([s["args"]["arg0"] for s in spans["places"]], [str(-i) for i in range(100)], "others")


@h.test
def garbage_collections_of_python(daemon):
    if not os.path.exists(PYTHON):
        raise h.Skip("no python3.11")
    program = "import gc\ngc.collect()\nn = gc.collect(0)\n"
    result = daemon.sonde("trace", "--json", "--args", f"usdt:{PYTHON}:python:gc__*", "--", PYTHON,
                          "-I", "-c", program)
    starts = [s["args"]["arg0"] for s in result.lines if s["name"] == "python:gc__start"]
    h.check("2" in starts and "0" in starts, f"generations: {starts}")
    h.equal({tuple(s["flags"]) for s in result.lines}, {("instant",)}, "flags")


if __name__ == "__main__":
    h.need_root()
    h.main()

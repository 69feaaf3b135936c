#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--where on history: of recordings and of sessions in memory, by every verb, with known answers."""

import harness as h

CALLS = ["beta", "gamma_fail", "outer", "middle", "inner", "six"]
# In wl_calls.c: beta(i) and gamma_fail(i) are called with 0 … 4999 and 0 … 999; 100 of the latter
# return -1; six(1 + i, 2, 3, 4, 5, 6) 100 times; two inner() in each of 300 middle() in outer().


def recording(daemon):
    """A recording of wl_calls with arguments, made once."""
    path = h.TMP / "where.sonde"
    if not path.exists():
        daemon.sonde("record", "--args", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    return path


def format_1():
    """A recording of the first format, see tests/unit/recording-1.sql."""
    return h.recording_of_format(1)


def spans(daemon, *args):
    return daemon.sonde("spans", "--json", *args).lines


@h.test(smoke=True)
def every_verb_answers_about_what_matches(daemon):
    source = ("-i", recording(daemon))
    fails = ("--where", "ret < 0")
    reply = daemon.json("report", *source, *fails)
    row, = reply["rows"]
    h.equal((row["func"], row["calls"], row["errors"]), ("gamma_fail", 100, 100), "report")
    h.equal(reply["coverage"]["raw_spans"], 5000 + 1000 + 300 + 300 + 600 + 100, "raw spans")
    h.equal(reply["coverage"]["raw_dropped"], 0, "dropped")
    h.check("notes" not in reply, "notes without a reason")
    rows = spans(daemon, *source, *fails)
    h.equal({(r["name"], r["ret"]) for r in rows}, {("gamma_fail", "0xffffffff")}, "spans")
    h.equal(len(rows), 100, "spans")
    nothing = daemon.json("report", *source, "--where", "name == 'inner' && ret == 0")
    h.equal(nothing["rows"], [], "a result of functions without one")
    h.equal(sum(r["duration_ns"] for r in rows), row["total_ns"], "the same time by both")
    tree = daemon.json("graph", *source, "--where", "name == 'inner'")["rows"]
    h.equal([(r["func"], r["depth"], r["calls"]) for r in tree],
            [("outer", 0, 0), ("middle", 1, 0), ("inner", 2, 600)], "graph")
    h.equal([r["self_ns"] for r in tree][:2], [0, 0], "time of callers that do not match")
    folded = daemon.sonde("flame", *source, "--where", "caller == 'middle'").out.split("\n")[0]
    h.check(folded.startswith("wl_calls;outer;middle;inner "), folded)
    by_thread = daemon.json("report", *source, *fails, "--by", "thread")["rows"]
    h.equal([r["calls"] for r in by_thread], [100], "by thread")


@h.test
def fields_have_the_planted_values(daemon):
    source = ("-i", recording(daemon))
    for condition, calls in (
            ("arg0 == 17 && name == 'beta'", {"beta": 1}),
            ("name == 'six' && arg0 > 90", {"six": 10}),
            ("name == 'six' && arg0 + arg1 + arg2 + arg3 + arg4 + arg5 == ret", {"six": 100}),
            ("name == 'beta' && ret == 2 * arg0 && arg0 >= 4000", {"beta": 1000}),
            ("name == 'gamma_fail' && error", {"gamma_fail": 100}),
            ("depth == 1", {"middle": 300}),
            ("caller == 'outer' || caller == 'middle'", {"middle": 300, "inner": 600}),
            ("caller =~ /^(out|midd)/ && name != 'middle'", {"inner": 600}),
            ("self == duration && depth == 2", {"inner": 600}),
            ("comm == 'wl_calls' && binary =~ 'wl_*' && uid == %d && name == 'outer'"
             % h.os.getuid(), {"outer": 300}),
            ("name in ('outer', 'six') && duration >= 0ns", {"outer": 300, "six": 100}),
            ("pid == 1 || tid == 1 || unwound", {}),
            ("name == 'beta' && 10 / arg0 == 10 && arg0 < 2", {"beta": 1})):
        h.equal(daemon.calls("-i", recording(daemon), "--where", condition),
                calls, condition)
    everything = daemon.calls(*source)
    parts = [daemon.calls(*source, "--where", c) for c in ("duration < 1us", "duration >= 1us")]
    h.equal({n: sum(p.get(n, 0) for p in parts) for n in everything}, everything, "two halves")
    h.equal(daemon.calls(*source, "--where", "depth >= 0"), everything, "what all have")


@h.test
def conditions_and_other_filters_must_both_hold(daemon):
    source = ("-i", recording(daemon))
    newest = spans(daemon, *source, "--where", "name == 'beta' && arg0 < 100", "-n", "3")
    h.equal([int(r["ret"], 16) for r in newest], [194, 196, 198], "the newest that match")
    h.equal(spans(daemon, *source, "--where", "name == 'beta'", "--name", "six"), [], "two names")
    h.equal(len(spans(daemon, *source, "--where", "arg0 % 2 == 1", "--errors")), 100,
            "errors of odd numbers")
    h.equal(daemon.calls(*source, "--where", "depth == 0", "-c", "none"), {}, "another process")


@h.test
def arguments_have_their_names(daemon):
    source = ("-i", recording(daemon))
    one, = spans(daemon, *source, "--where", "name == 'beta' && arg0 == 21")
    if "call" not in one:
        raise h.Skip("no types of functions were recorded")
    h.equal((one["call"], one["result"], one["args"]), ("i=21", "42", {"i": "21"}), "a call")
    h.equal(daemon.calls(*source, "--where", "args.i >= 4990"), {"beta": 10}, "args.i")
    h.equal(daemon.calls(*source, "--where", "args.a == 7 || args.f != 6"), {"six": 1}, "args.a")
    h.contains(daemon.sonde("spans", *source, "--where", "name == 'six'", "-n", "1").out,
               "six(a=100, b=2, c=3, d=4, e=5, f=6) = 120", "as text")
    h.contains(daemon.sonde("spans", *source, "--where", "args.a == 7").err,
               "the condition means nothing in", "functions without it")
    h.contains(daemon.error(2, "BadCondition", "spans", *source, "--where", "args.z == 7")["message"],
               "no argument z", "nobody has it")


@h.test
def sessions_in_memory_answer_too(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "--name", "mem", "-p", w.pid, "beta", "gamma_fail")
    w.go()
    w.finish()
    h.wait_until(lambda: daemon.session("mem")["spans"] == 6000, "spans")
    source = ("--session", "mem")
    h.equal(daemon.calls(*source, "--where", "ret < 0"), {"gamma_fail": 100}, "report")
    reply = daemon.json("report", *source, "--where", "arg0 > 4")
    h.equal(reply["rows"], [], "without --args")
    h.equal(reply["notes"], ["arg0 was not kept in this session: conditions on it are never true"],
            "notes")
    h.contains(daemon.sonde("graph", *source, "--where", "!(arg0 > 4)").err,
               "sonde: arg0 was not kept", "a note as text")
    h.equal(daemon.calls(*source, "--where", "!(arg0 > 4)"), {"beta": 5000, "gamma_fail": 1000},
            "not undefined is true")
    daemon.sonde("detach", "mem")
    h.equal(len(spans(daemon, *source, "--where", "ret < 0")), 100, "after its end")


@h.test
def comparisons_are_of_what_matches(daemon):
    path = recording(daemon)
    reply = daemon.sonde("diff", path, path, "--json", "--where", "ret < 0").json
    row, = reply["rows"]
    h.equal((row["func"], row["calls_before"], row["calls_after"]), ("gamma_fail", 100, 100), "row")
    for side in ("before", "after"):
        h.equal([reply[side][k] for k in ("calls", "raw_spans", "raw_dropped")], [100, 7300, 0], side)
    h.equal(row["values"]["error_rate"]["after"], 1, "errors of these")
    paths = daemon.sonde("diff", path, path, "--json", "--by", "path", "--where",
                         "name == 'inner'").json["rows"]
    h.equal([(r["path"], r["calls_before"]) for r in paths], [("outer > middle > inner", 600)], "paths")
    h.contains(daemon.error(2, "BadCondition", "diff", path, path, "--where", "duration > 10")["fix"],
               "10ms", "what to write")
    h.contains(daemon.error(2, "BadArgument", "diff", format_1(), format_1(), "--kind", "cpu",
                            "--where", "depth == 0")["message"], "about spans", "CPU samples")
    folded = daemon.sonde("flame", "--diff", path, path, "--where", "ret < 0").out
    h.check(folded.startswith("wl_calls;gamma_fail "), folded)


@h.test
def what_memory_has_dropped_is_said(daemon):
    small = h.Daemon(raw_memory="64K")
    w = h.Workload("threads", "--threads", "50")
    small.sonde("attach", "--name", "many", "-p", w.pid, "task")
    w.go()
    w.finish()
    h.wait_until(lambda: small.session("many")["spans"] == 50000, "spans")
    small.sonde("detach", "many")
    reply = small.json("report", "--where", "duration >= 0ns")
    coverage = reply["coverage"]
    h.check(coverage["raw_dropped"] > 0, f"nothing was dropped: {coverage}")
    h.equal(reply["rows"][0]["calls"], coverage["raw_spans"], "those that are left")
    h.equal(coverage["raw_spans"] + coverage["raw_dropped"], reply["session"]["spans"], "all")
    h.contains(small.sonde("spans", "-n", "1", "--where", "duration >= 0ns").err,
               "others were not kept as raw spans", "as text")
    small.stop()


@h.test
def refusals(daemon):
    source = ("-i", recording(daemon))
    wrong = daemon.error(2, "BadCondition", "report", *source, "--where", "duration > 10")
    h.contains(wrong["message"], "column 12", "where")
    h.contains(wrong["fix"], "10ms", "what to write")
    h.contains(daemon.sonde("graph", *source, "--where", "duration > 10", status=2).err,
               "\n  duration > 10\n             ^\n", "a mark")
    for verb in ("report", "graph", "flame", "spans"):
        daemon.error(2, "BadCondition", verb, *source, "--where", "duration >")
        daemon.error(2, "BadCondition", verb, *source, "--where", "cpu == 1")
    for verb in ("report", "graph", "flame"):
        h.contains(daemon.error(2, "BadArgument", verb, "-i", format_1(), "--kind", "cpu",
                                "--where", "depth == 0")["message"],
                   "a condition is about spans", "CPU samples")
    w = h.Workload("calls")
    daemon.sonde("attach", "--name", "stats", "--stats-only", "-p", w.pid, "beta")
    for verb in ("report", "graph", "flame", "spans"):
        h.contains(daemon.error(2, "BadArgument", verb, "--session", "stats", "--where",
                                "depth == 0")["message"],
                   "statistics only", "no raw spans")
    daemon.sonde("detach", "stats")


@h.test
def recordings_of_format_1(daemon):
    source = ("-i", format_1())
    h.equal(daemon.calls(*source), {"open_table": 20, "look_up": 21}, "report")
    h.equal(daemon.calls(*source, "--where", "ret == -2"), {"look_up": 4}, "results")
    h.equal(daemon.calls(*source, "--where", "caller == 'open_table' && arg1 >= 10"),
            {"look_up": 10}, "arguments")
    h.equal(daemon.calls(*source, "--where", "unwound && duration == 5ms"), {"look_up": 1},
            "unwound")
    h.equal(daemon.calls(*source, "--where", "cgroup =~ '*/app.service' && uid == 1000 && "
                         "depth == 0 && duration >= 30us"), {"open_table": 6, "look_up": 1},
            "of the process")


h.main()

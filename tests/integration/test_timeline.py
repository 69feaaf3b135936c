#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans in time: between two points of it."""
import harness as h

CALLS = ["beta", "gamma_fail", "outer", "middle", "inner", "six"]


def recording(daemon):
    """A recording of wl_calls, made once."""
    path = h.TMP / "timeline.sonde"
    if not path.exists():
        daemon.sonde("record", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    return path


def spans(daemon, *args):
    return daemon.sonde("spans", "--json", *args).lines


def at(us):
    """A point in time as the command takes it."""
    return f"@{us // 1000000}.{us % 1000000:06}"


@h.test(smoke=True)
def spans_between_two_times_are_those_that_began_there(daemon):
    source = ("-i", recording(daemon))
    everything = spans(daemon, *source)
    times = [s["time_us"] for s in everything]
    since, until = times[len(times) // 3], times[2 * len(times) // 3]
    h.check(times[0] < since < until < times[-1], f"{times[0]} {since} {until} {times[-1]}")
    for a, b in ((since, until), (None, until), (since, None), (times[0], times[-1] + 1)):
        args = [*(["--since", at(a)] if a else []), *(["--until", at(b)] if b else [])]
        wanted = [s for s in everything if (a or 0) <= s["time_us"] < (b or 1 << 60)]
        h.equal(spans(daemon, *source, *args), wanted, f"{args}")
        calls = {}
        for s in wanted:
            calls[s["name"]] = calls.get(s["name"], 0) + 1
        # With a condition these verbs are about raw spans, too.
        condition = ("--where", "duration >= 0ns")
        h.equal(daemon.calls(*source, *args, *condition), calls, f"report {args}")
        by_thread = daemon.json("report", *source, *args, "--by", "thread")["rows"]
        h.equal(sum(r["calls"] for r in by_thread), len(wanted), f"by thread {args}")
        tree = daemon.json("graph", *source, *args, *condition)["rows"]
        h.equal(sum(r["calls"] for r in tree if r["func"] == "inner"), calls.get("inner", 0),
                f"graph {args}")


@h.test
def times_without_spans_are_an_answer_too(daemon):
    source = ("-i", recording(daemon))
    h.equal(spans(daemon, *source, "--since", "1d", "--until", "23h"), [], "yesterday")
    h.equal(spans(daemon, *source, "--since", "now"), [], "from now on")
    h.equal(spans(daemon, *source, "--until", "@1"), [], "before there was anything")
    n = len(spans(daemon, *source))
    h.equal(len(spans(daemon, *source, "--since", "1d", "--until", "now")), n, "since yesterday")
    h.equal(len(spans(daemon, *source, "--since", "1970-01-01T00:00Z")), n, "since ever")
    h.equal(len(spans(daemon, *source, "--until", "2200-01-01")), n, "until far")


@h.test
def sessions_in_memory_are_asked_for_times_too(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "times", *CALLS)
    w.go()
    w.finish()
    daemon.sonde("detach", "times")
    source = ("--session", "times")
    everything = spans(daemon, *source)
    middle = everything[len(everything) // 2]["time_us"]
    parts = [spans(daemon, *source, *args) for args in (("--until", at(middle)),
                                                       ("--since", at(middle)))]
    h.equal(parts[0] + parts[1], everything, "two halves")


@h.test
def what_cannot_be_answered_is_refused(daemon):
    source = ("-i", recording(daemon))
    error = daemon.error(2, "BadArgument", "spans", *source, "--since", "1h", "--until", "2h")
    h.contains(error["fix"], "earlier than --until", "fix")
    daemon.error(2, "BadArgument", "spans", *source, "--since", "@5", "--until", "@5")
    daemon.error(2, "BadArgument", "spans", *source, "--until", "@0", "--since", "@1")
    for verb in ("report", "graph", "flame"):
        reply = daemon.sonde(verb, *source, "--since", "1h", "--json", status=77).json["error"]
        h.equal(reply["name"], "NotSupported", verb)
        h.contains(reply["message"], "choose raw spans only", verb)
    daemon.error(77, "NotSupported", "report", *source, "--until", "now", "--kind", "cpu")


h.main()

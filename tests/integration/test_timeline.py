#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans in time: between two points of it, a lane a thread."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

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
    # What a live session has added up has no times; a recording has windows.
    daemon.sonde("attach", "--name", "sums", "-c", "nobody-of-this-name", "-F", "19")
    for verb in ("report", "graph", "flame"):
        reply = daemon.sonde(verb, "--since", "1h", "--json", status=77).json["error"]
        h.equal(reply["name"], "NotSupported", verb)
        h.contains(reply["message"], "choose raw spans only", verb)
    daemon.sonde("detach", "sums")
    calls = {r["func"]: r["calls"] for r in daemon.json("report", *source, "--since", "1h")["rows"]}
    h.equal(calls, {r["func"]: r["calls"] for r in daemon.json("report", *source)["rows"]}, "all")
    h.equal(daemon.json("report", *source, "--until", "1h")["rows"], [], "before it was made")


def lanes(text):
    """The head, and for each lane its own head, its bar, and (start in us, depth, call) a span."""
    head, *rest = text.rstrip("\n").split("\n\n")
    found = []
    for lane in rest:
        name, bar, columns, *lines = lane.split("\n")
        h.equal(columns, "    START ms   DURATION  FUNCTION", "columns")
        spans_of = []
        for line in lines:
            start, call = line[:12], line[25:]
            depth = len(call) - len(call.lstrip())
            h.equal(depth % 2, 0, line)
            spans_of.append((round(float(start) * 1000), depth // 2, call.strip()))
        found.append((name, bar, spans_of))
    return head, found


@h.test(smoke=True)
def spans_are_nested_in_the_lane_of_their_thread(daemon):
    source = ("-i", recording(daemon))
    lines = daemon.sonde("timeline", *source, "--json").lines
    h.equal({line.pop("lane") for line in lines}, {1}, "lanes")
    zero = lines[0]["time_us"]
    h.equal([line.pop("offset_us") for line in lines], [x["time_us"] - zero for x in lines],
            "offsets")
    h.equal(lines, spans(daemon, *source), "the spans themselves")
    text = daemon.sonde("timeline", *source, "--where", "depth > 0 || name == 'outer'").out
    head, ((name, bar, rows),) = lanes(text)
    h.contains(head, ": 1,200 spans of 1 thread", "head")
    pid = lines[0]["pid"]
    h.check(name.startswith(f"wl_calls  pid {pid}  tid {pid}  1,200 spans, in spans "), name)
    h.equal([(depth, call) for _, depth, call in rows],
            [(0, "outer"), (1, "middle"), (2, "inner"), (2, "inner")] * 300, "nesting")
    first = next(x["time_us"] for x in lines if x["name"] == "outer")
    h.equal([start for start, _, _ in rows],
            [x["time_us"] - first for x in lines if x["name"] in ("outer", "middle", "inner")],
            "starts")
    h.equal(len(bar), 80, "the bar without a terminal")
    h.contains(daemon.sonde("timeline", *source, "-n", "2").out, "...  7,298 more", "a limit")


@h.test
def each_thread_has_a_lane(daemon):
    w = h.Workload("threads", "--threads", "3")
    daemon.sonde("attach", "-p", w.pid, "--name", "lanes", "task")
    w.go()
    w.finish()
    h.wait_until(lambda: daemon.session("lanes")["spans"] == 3000, "spans")
    # Of a session that goes on, from memory.
    lines = daemon.sonde("timeline", "--session", "lanes", "--json").lines
    by_lane = {}
    for line in lines:
        by_lane.setdefault(line["lane"], []).append(line)
    h.equal(list(by_lane), [1, 2, 3], "lanes")
    h.equal([len({x["tid"] for x in of}) for of in by_lane.values()], [1] * 3, "threads of a lane")
    h.equal(len({of[0]["tid"] for of in by_lane.values()}), 3, "threads")
    h.equal([[int(x["ret"], 16) for x in of] for of in by_lane.values()],
            [list(range(1000))] * 3, "results")
    head, found = lanes(h.run(h.SONDE, "timeline", "--session", "lanes", env=dict(
        daemon.env(), COLUMNS="60", LC_ALL="C")).out)
    h.contains(head, ": 3,000 spans of 3 threads", "head")
    h.equal([f"tid {of[0]['tid']} " in name for (name, _, _), of in zip(found, by_lane.values())],
            [True] * 3, "the same threads in the same order")
    for _, bar, rows in found:
        h.check(re.fullmatch(r"\|[ .:=+*#@-]{58}\|", bar) and bar.strip("| "), f"bar {bar!r}")
        h.equal([depth for _, depth, _ in rows], [0] * 1000, "depths")
    daemon.sonde("detach", "lanes")


@h.test(smoke=True)
def a_range_shows_what_was_going_on_then(daemon):
    source = ("-i", recording(daemon))
    everything = daemon.sonde("timeline", *source, "--json").lines
    zero = everything[0]["time_us"]
    # In the middle of an inner(), which began in a middle() in an outer().
    at_ = next(x for x in everything[len(everything) // 2:] if x["name"] == "inner")
    a, b = at_["offset_us"] + 1, at_["offset_us"] + 1000

    def during(span):
        end_ns = span["offset_us"] * 1000 + span["duration_ns"]
        return span["offset_us"] < b and (span["offset_us"] >= a or end_ns > a * 1000)

    # The daemon knows starts more finely than in microseconds: what ends just there may differ.
    def same(got, wanted, what):
        for spans_of, others in ((got, wanted), (wanted, got)):
            for s in (s for s in spans_of if s not in others):
                end_ns = s["offset_us"] * 1000 + s["duration_ns"]
                h.check(abs(end_ns - a * 1000) <= 1000, f"{what}: {s}")

    wanted = [s for s in everything if during(s)]
    h.check({"outer", "middle"} <= {s["name"] for s in wanted if s["offset_us"] < a}, "open ones")
    for range_ in (f"{a}us~{b}us", f"{at(zero + a)}~{at(zero + b)}", f"{a}us~{at(zero + b)}"):
        got = daemon.sonde("timeline", *source, "--json", "-r", range_).lines
        same(got, wanted, range_)
        h.equal(got[0]["lane"], 1, "lane")
    got = daemon.sonde("timeline", *source, "--json", "-r", f"~{b}us").lines
    h.equal(got, [s for s in everything if s["offset_us"] < b], "from the first on")
    got = daemon.sonde("timeline", *source, "--json", "-r", f"{a}us~").lines
    end = [s for s in everything if s["offset_us"] >= at_["offset_us"] + 1]
    h.equal(got[-len(end):], end, "to the end")
    empty = daemon.sonde("timeline", *source, "-r", "1d~2d")
    h.equal((empty.out, empty.err), ("", "sonde: no such spans in this session\n"), "nothing there")
    daemon.error(2, "BadArgument", "timeline", *source, "-r", "~@1")
    daemon.error(2, "BadArgument", "timeline", *source, "-r", "1ms")


@h.test
def a_timeline_is_as_wide_as_the_terminal(daemon):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 44, 0, 0))
    argv = [h.SONDE, "timeline", "-i", str(recording(daemon)), "--no-pager", "-n", "3", "--name",
            "gamma_fail"]
    p = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL,
                         env=dict(daemon.env(), TERM="xterm"))
    os.close(slave)
    data = b""
    try:
        while chunk := os.read(master, 65536):
            data += chunk
    except OSError:  # how the end of a terminal is told
        pass
    os.close(master)
    h.equal(p.wait(h.PATIENCE), 0, "exit status")
    text = data.decode().replace("\r\n", "\n")
    bar = next(line for line in text.split("\n") if line.startswith("|"))
    h.equal(len(bar), 44, "the bar")
    h.check(all(len(line) <= 44 for line in text.split("\n")[4:]), text)


@h.test(own_daemon=True)
def sessions_in_memory_are_asked_themselves_beside_the_rolling_store():
    daemon = h.Daemon(history={"keep": "yes", "store": h.TMP / "store",
                               "sessions": h.TMP / "none.d"})
    daemon.sonde("attach", "-a", "--name", "beside", f"uprobe:{h.WORKLOADS}/wl_calls:six")
    w = h.Workload("calls")
    w.go()
    w.finish()
    h.wait_until(lambda: daemon.session("beside")["spans"] == 100, "spans")
    named = ("--session", "beside")
    everything = spans(daemon, *named)
    h.equal(len(everything), 100, "spans")
    middle = everything[50]["time_us"]
    h.equal(spans(daemon, *named, "--since", "1h"), everything, "since an hour ago")
    h.equal(spans(daemon, *named, "--until", at(middle)) + spans(daemon, *named, "--since", at(middle)),
            everything, "two halves")
    for chosen in (named, ()):
        got = daemon.sonde("timeline", *chosen, "-r", "0~1d", "--json").lines
        h.equal(len(got), 100, f"timeline of a range {chosen}")
    daemon.error(77, "NotSupported", "report", *named, "--since", "1h")
    daemon.stop()


h.main()

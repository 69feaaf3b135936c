#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions of the daemon: attach, list, detach, questions without -i, several at once."""
import os
import re
import signal
import time

import harness as h

CALLS = {"alpha": 10000, "beta": 5000, "gamma_fail": 1000, "delta_null": 400, "outer": 300,
         "middle": 300, "inner": 600, "six": 100}


def settled(daemon, name, spans):
    """Waits until the session has that many spans."""
    h.wait_until(lambda: daemon.session(name)["spans"] >= spans, f"{spans} spans of {name}")


@h.test(smoke=True)
def questions_to_a_running_session(daemon):
    w = h.Workload("calls")
    reply = daemon.json("attach", "-p", w.pid, "--name", "live", "--args", *CALLS)
    h.equal(reply["left_out"], [], "left out")
    session = reply["session"]
    h.equal((session["name"], session["state"], session["probes"], session["kinds"]),
            ("live", "active", len(CALLS), ["span"]), "session")
    h.contains(session["targets"], str(w.pid), "targets")
    w.go()
    w.finish()
    settled(daemon, "live", 17700)
    h.equal(daemon.calls("--session", "live"), CALLS, "calls while active")
    reply = daemon.json("graph", "--session", "live")
    h.equal({r["func"]: (r["depth"], r["calls"]) for r in reply["rows"] if "r" in r["func"][-1]},
            {"outer": (0, 300), "inner": (2, 600)}, "nesting")
    h.equal(len(daemon.sonde("spans", "--session", "live", "--json").lines), 17700, "spans")
    ended = daemon.json("detach", "live")["session"]
    h.equal((ended["state"], ended["spans"], ended["coverage"]["spans_lost"], ended["losses"]),
            ("closed", 17700, 0, []), "session after detach")


@h.test(smoke=True)
def a_closed_session_still_answers(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "closed", *CALLS)
    w.go()
    w.finish()
    # Nothing may be lost between the last call and the end of the session.
    daemon.sonde("detach", "closed")
    h.equal(daemon.session("closed")["state"], "closed", "state")
    h.equal(daemon.calls("--session", "closed"), CALLS, "calls")
    h.equal(len(daemon.sonde("spans", "--session", "closed", "--json").lines), 17700, "spans")
    out = h.TMP / "closed.folded"
    daemon.sonde("flame", "--session", "closed", "-o", out)
    h.contains(out.read_text(), "wl_calls;outer;middle;inner ", "stacks")


@h.test
def names_are_unique_and_known(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "once", "beta")
    daemon.error(1, "SessionExists", "attach", "-p", w.pid, "--name", "once", "alpha")
    daemon.error(4, "NoSuchSession", "detach", "nobody")
    for verb in ("report", "graph", "spans"):
        daemon.error(4, "NoSuchSession", verb, "--session", "nobody")
    w.go()
    w.finish()
    settled(daemon, "once", 5000)
    h.equal(daemon.calls("--session", "once"), {"beta": 5000}, "calls")
    daemon.sonde("detach", "once")
    daemon.error(4, "NoSuchSession", "detach", "never")
    first, second = (daemon.json("attach", "-p", os.getpid(), "libc:malloc")["session"]["name"]
                     for _ in range(2))
    h.check(first != second, f"invented names: {first} {second}")
    for name in (first, second):
        daemon.sonde("detach", name)


@h.test(smoke=True)
def two_sessions_count_the_same_function(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "one", "beta", "outer")
    daemon.sonde("attach", "-p", w.pid, "--name", "two", "--args", "beta", "alpha", "inner")
    w.go()
    w.finish()
    settled(daemon, "one", 5300)
    settled(daemon, "two", 15600)
    h.equal(daemon.calls("--session", "one"), {"beta": 5000, "outer": 300}, "session one")
    h.equal(daemon.calls("--session", "two"), {"alpha": 10000, "beta": 5000, "inner": 600},
            "session two")
    status = daemon.json("status")
    got = {s["name"]: (s["state"], s["spans"], s["probes"]) for s in status["sessions"]
           if s["name"] in ("one", "two")}
    h.equal(got, {"one": ("active", 5300, 2), "two": ("active", 15600, 3)}, "status")
    h.equal(status["daemon"]["pid"], daemon.pid, "PID in status")
    h.check(status["daemon"]["records"] >= 5300 + 15600, "records in status")
    daemon.sonde("detach", "one")
    h.equal(daemon.session("two")["state"], "active", "the other goes on")
    daemon.sonde("detach", "two")


@h.test(smoke=True)
def statistics_only(daemon):
    w = h.Workload("slow")
    daemon.sonde("attach", "-p", w.pid, "--name", "stats", "--stats-only", "fast", "handle", "nap")
    w.go()
    w.finish()
    for state in ("active", "closed"):
        rows = daemon.rows("--session", "stats")
        h.equal({k: r["calls"] for k, r in rows.items()},
                {"fast": 1000, "handle": 1000, "nap": 20}, f"calls while {state}")
        h.between(rows["fast"]["p50_ns"], 19_000, 60_000, "p50 of fast")
        h.check(rows["handle"]["p99_ns"] >= 4_900_000, "p99 of handle")
        h.check(rows["handle"]["p50_ns"] < 1_000_000, "p50 of handle")
        h.check(rows["nap"]["max_ns"] >= rows["nap"]["p50_ns"] * 0.98 >= 4_800_000, "nap")
        if state == "active":
            daemon.sonde("detach", "stats")
    h.equal(daemon.session("stats")["losses"], [], "losses")
    daemon.error(2, "BadArgument", "attach", "-p", os.getpid(), "--stats-only", "--args", "libc:malloc")


@h.test(smoke=True)
def detaching_restores_the_text(daemon):
    w = h.Workload("calls")
    path = f"{h.WORKLOADS}/wl_calls"
    h.check(h.text_is_as_in_file(w.pid, path), "before")
    daemon.sonde("attach", "-p", w.pid, "--name", "text", *CALLS)
    h.check(not h.text_is_as_in_file(w.pid, path), "breakpoints while attached")
    daemon.sonde("detach", "text")
    h.wait_until(lambda: h.text_is_as_in_file(w.pid, path), "the text to be as in the file")
    daemon.sonde("attach", "-p", w.pid, "--name", "text2", "--stats-only", *CALLS)
    h.check(not h.text_is_as_in_file(w.pid, path), "breakpoints of statistics")
    daemon.sonde("detach", "text2")
    h.wait_until(lambda: h.text_is_as_in_file(w.pid, path), "the text, again")
    w.go()
    w.finish()


@h.test
def sampling_sessions(daemon):
    w = h.Workload("hot", "--seconds", "2")
    daemon.sonde("attach", "-p", w.pid, "-F", "199", "--name", "cpu", "hot_b")
    w.go()
    w.finish()
    daemon.sonde("detach", "cpu")
    reply = daemon.json("report", "--session", "cpu", "--kind", "cpu")
    rows = {r["func"]: r for r in reply["rows"]}
    h.between(reply["total_samples"], 200, 480, "samples of 2 s at 199 Hz")
    h.between(100 * rows["hot_a"]["self_samples"] / reply["total_samples"], 50, 70, "hot_a")
    h.check(daemon.calls("--session", "cpu", "--kind", "span")["hot_b"] > 50, "spans, too")


@h.test
def a_slow_reader_stalls_nothing(daemon):
    w = h.Workload("spin", "--seconds", "3", "--only", "spin_call")
    other = h.Workload("calls")
    slow = daemon.start("trace", "-p", w.pid, "--json", "--name", "slow", "spin_call",
                        "-o", h.TMP / "slow.json")
    h.wait_until(lambda: daemon.active("slow"), "the session")
    daemon.sonde("attach", "-p", other.pid, "--name", "brisk", *CALLS)
    w.go()
    # Its pipe is not read either, but a stopped command cannot even take what the daemon sends.
    slow.send_signal(signal.SIGSTOP)
    seen = []
    for _ in range(4):
        time.sleep(0.4)
        begun = time.monotonic()
        seen.append(daemon.session("slow")["coverage"]["spans_seen"])
        h.between(time.monotonic() - begun, 0, 2, "seconds that status took")
    h.check(all(a < b for a, b in zip(seen, seen[1:])), f"spans seen go on: {seen}")
    other.go()
    other.finish()
    settled(daemon, "brisk", 17700)
    h.equal(daemon.calls("--session", "brisk"), CALLS, "calls of the other session")
    h.check(int(open(f"/proc/{daemon.pid}/statm").read().split()[1]) * 4096 < 512 << 20,
            "the daemon does not keep everything")
    # "spin_call calls N ns_per_call …": every call was seen, or is counted as lost.
    calls = int(w.finish().split()[2])
    slow.send_signal(signal.SIGCONT)
    result = h.finish(slow)
    shown = sum(1 for _ in open(h.TMP / "slow.json"))
    spans, unshown, lost = (int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", result.err)[:3])
    h.equal(spans + lost, calls, f"calls seen and lost; {result.err!r}")
    h.equal(shown + unshown, spans, "calls shown and not shown")
    h.check(unshown > 0, "the reader was slow")
    daemon.sonde("detach", "brisk")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sonde spans --follow: each span that ends while it runs comes once, to a slow reader as many as
it can take; it ends with Ctrl-C and with its session."""
import json
import os
import re
import select
import signal
import time

import harness as h

# In wl_calls.c; with alpha() 10000 and delta_null() 400 calls more.
COUNTS = {"beta": 5000, "gamma_fail": 1000, "outer": 300, "middle": 300, "inner": 600, "six": 100}
N = sum(COUNTS.values())


def attach(daemon, name, *functions):
    """Of every process that runs wl_calls, those that start later too."""
    daemon.sonde("attach", "-a", "--name", name, "--args",
                 *(f"uprobe:{h.WORKLOADS}/wl_calls:{f}" for f in functions or COUNTS))


def calls():
    """Runs the workload to its end; its process ID."""
    w = h.Workload("calls")
    w.go()
    w.finish()
    return w.pid


def lines_of(process, n):
    """The next n lines that it prints. What has come behind them waits for the next time."""
    end = time.monotonic() + h.PATIENCE
    data = getattr(process, "rest", b"")
    while data.count(b"\n") < n:
        if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
            raise h.Failed(f"{n} lines did not come, but {data.count(10)}: {data[-300:]}")
        chunk = os.read(process.stdout.fileno(), 65536)
        h.check(chunk, f"it ended before {n} lines came: {data[-300:]}")
        data += chunk
    *lines, process.rest = data.split(b"\n", n)
    return [line.decode() for line in lines]


def counts_of(spans):
    found = {}
    for s in spans:
        found[s["name"]] = found.get(s["name"], 0) + 1
    return found


@h.test(smoke=True)
def what_was_kept_and_then_what_comes(daemon):
    attach(daemon, "follow")
    first = calls()
    h.wait_until(lambda: daemon.session("follow")["spans"] == N, "the first spans")
    kept = daemon.sonde("spans", "--session", "follow", "--json").lines
    p = daemon.start("spans", "-f", "--session", "follow", "--json")
    h.equal([json.loads(line) for line in lines_of(p, 10)], kept[-10:], "the newest ten")
    second = calls()
    h.check(first != second, "two processes")
    h.wait_until(lambda: daemon.session("follow")["spans"] == 2 * N, "all spans")
    daemon.sonde("detach", "follow")
    result = h.finish(p)
    h.equal(result.err.splitlines()[-1], f"{N + 10:,} spans", "totals")
    came = result.lines
    h.equal({s["pid"] for s in came}, {second}, "what is new")
    h.equal(counts_of(came), COUNTS, "calls")

    def order(spans):
        return sorted(json.dumps(s, sort_keys=True) for s in spans)
    kept = daemon.sonde("spans", "--session", "follow", "-p", second, "--json").lines
    h.equal(order(came), order(kept), "the same spans as are kept")


@h.test
def only_what_is_asked_for(daemon):
    """Of functions and processes that there were no spans of when it began, too."""
    attach(daemon, "chosen")
    conditions = (
        (("--where", "ret < 0 && comm == 'wl_calls'"), {"gamma_fail": 100}),
        (("--where", "caller == 'middle' || (name == 'six' && arg0 > 90)"),
         {"inner": 600, "six": 10}),
        (("--name", "*i*", "--where", "depth == 1"), {"middle": 300}),
        (("--errors",), {"gamma_fail": 100}),
        (("--since", "now", "-c", "wl_c*", "--name", "outer"), {"outer": 300}),
        (("-c", "nobody"), {}),
        (("--min-duration", "10s"), {}),
        (("-p", "1"), {}),
    )
    followers = [daemon.start("spans", "-f", "--session", "chosen", *args)
                 for args, _ in conditions]
    for p in followers:  # the head says that it has begun
        h.contains(lines_of(p, 1)[0], "FUNCTION", "head")
    calls()
    h.wait_until(lambda: daemon.session("chosen")["spans"] == N, "all spans")
    daemon.sonde("detach", "chosen")
    for p, (args, wanted) in zip(followers, conditions):
        result = h.finish(p)
        found = {}
        for line in result.out.splitlines():
            name = re.match(r".{52}\s*(\w+)", line)[1]
            found[name] = found.get(name, 0) + 1
        h.equal(found, wanted, f"{args}")
        n = sum(wanted.values())
        h.equal(result.err.splitlines()[-1], f"{n:,} spans", f"{args}: totals")


@h.test(smoke=True)
def ctrl_c_is_a_good_end(daemon):
    attach(daemon, "ctrlc", "six")
    for sig in (signal.SIGINT, signal.SIGTERM):
        p = daemon.start("spans", "-f", "--session", "ctrlc", "-n", "1")
        h.contains(lines_of(p, 1)[0], "FUNCTION", "head")
        if sig == signal.SIGTERM:
            h.contains(lines_of(p, 1)[0], " six(", "what was kept")
        calls()
        h.equal(len(lines_of(p, 100)), 100, "spans")
        result = h.finish(p, sig=sig)
        n = 100 if sig == signal.SIGINT else 101
        h.equal(result.err, f"{n} spans\n", "totals")
    h.equal(daemon.session("ctrlc")["state"], "active", "the session goes on")
    # A reader that goes away is no failure either.
    p = daemon.start("spans", "-f", "--session", "ctrlc", "-n", "1")
    lines_of(p, 2)
    p.stdout.close()
    calls()
    h.equal(p.wait(h.PATIENCE), 0, "exit status without a reader")
    daemon.sonde("detach", "ctrlc")


@h.test
def a_slow_reader_misses_spans_and_is_told(daemon):
    attach(daemon, "slow", "alpha", *COUNTS)
    p = daemon.start("spans", "-f", "--session", "slow", stdin=None)
    h.contains(lines_of(p, 1)[0], "FUNCTION", "head")
    os.kill(p.pid, signal.SIGSTOP)
    for runs in range(1, 5):
        calls()
        # The daemon and its other clients do not wait for it.
        h.wait_until(lambda runs=runs: daemon.session("slow")["spans"] == runs * (N + 10000),
                     "spans")
    os.kill(p.pid, signal.SIGCONT)
    daemon.sonde("detach", "slow")
    result = h.finish(p)
    shown = len(result.out.splitlines())
    said = re.search(r"^([\d,]+) spans, ([\d,]+) more were skipped: they came faster", result.err,
                     re.M)
    h.check(said, f"nothing was said: {result.err}")
    h.equal(int(said[1].replace(",", "")), shown, "shown")
    skipped = int(said[2].replace(",", ""))
    h.check(skipped > 0, "nothing was skipped")
    h.equal(shown + skipped, 4 * (N + 10000), "each is shown or counted")


@h.test
def what_does_not_go_on_is_refused(daemon):
    attach(daemon, "over", "six")
    daemon.sonde("detach", "over")
    error = daemon.error(2, "BadArgument", "spans", "-f", "--session", "over")
    h.contains(error["message"], "has ended", "message")
    daemon.sonde("attach", "-a", "--name", "sums", "--stats-only",
                 f"uprobe:{h.WORKLOADS}/wl_calls:six")
    daemon.error(2, "BadArgument", "spans", "-f", "--session", "sums")
    daemon.sonde("detach", "sums")
    daemon.error(2, "BadArgument", "spans", "-f", "-i", "/etc/passwd")
    daemon.error(2, "BadArgument", "spans", "-f", "--until", "now")
    daemon.error(2, "BadArgument", "spans", "-f", "--sort", "duration")
    daemon.error(4, "NoSuchSession", "spans", "-f", "--session", "nobody")
    attach(daemon, "plain", "six")
    daemon.error(2, "BadCondition", "spans", "-f", "--session", "plain", "--where", "duration > 5")
    with h.connect(daemon) as connection:
        reply = h.call(connection, "io.sonde.Spans", {"query": {"session": "plain"}, "follow": True})
        h.equal(reply.get("error"), "io.sonde.BadArgument", "without more")
        h.contains(reply["parameters"]["message"], "stream", "message")
    daemon.sonde("detach", "plain")


@h.test(own_daemon=True)
def sessions_of_the_rolling_store_are_followed_too():
    """Their windows keep the slowest spans only: each is seen before that."""
    home = h.TMP / "kept"
    sessions = home / "sessions.d"
    sessions.mkdir(parents=True)
    (sessions / "kept.conf").write_text("[session]\nname = kept\n" + "".join(
        f"spec = uprobe:{h.WORKLOADS}/wl_calls:{f}\n" for f in ("alpha", *COUNTS)))
    daemon = h.Daemon(history={"keep": "yes", "store": home / "store", "sessions": sessions})
    asked = (["--name", "six"], ["--where", "name == 'gamma_fail' && ret < 0"], ["--name", "o*"])
    followers = [daemon.start("spans", "-f", "--session", "kept", *args) for args in asked]
    for p in followers:
        h.contains(lines_of(p, 1)[0], "FUNCTION", "head")
    calls()
    calls()
    for p, n, name in zip(followers, (200, 200, 600), ("six", "gamma_fail", "outer")):
        lines = lines_of(p, n)
        h.check(all(f" {name}" in line for line in lines), f"{name}: {lines[:3]}")
    # Nothing comes behind them.
    h.wait_until(lambda: daemon.session("kept")["spans"] == 2 * (N + 10000), "spans")
    for p, n in zip(followers, (200, 200, 600)):
        h.equal(h.finish(p, sig=signal.SIGINT).err, f"{n} spans\n", "totals")
    daemon.stop()


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--in: samples and waits that were taken in spans of some kind, against what wl_moments.c plants."""
import math
import re

import harness as h

FREQUENCY = 997
PARTS = {"fast_part", "slow_part", "slow_nap", "between", "aside"}


def measured(text):
    return {name: int(ns) for name, ns in re.findall(r"^(\w+)_ns (\d+)$", text, re.MULTILINE)}


def parts(daemon, *args):
    """Samples by the functions of the workload that they are in."""
    rows = daemon.json("report", *args)["rows"]
    return {r["func"]: r for r in rows if r["func"] in PARTS}


def sampled(row, cpu_ns, what):
    """Five sigma, and what a loaded machine makes of the period."""
    wanted = cpu_ns * FREQUENCY / 1e9
    off = 5 * math.sqrt(wanted) + 0.1 * wanted
    h.between(row["samples"], wanted - off, wanted + off, what)


@h.test(smoke=True)
def sessions_in_memory(daemon):
    w = h.Workload("moments")
    daemon.sonde("attach", "--name", "now", "-F", FREQUENCY, "--args", "-p", w.pid, "request")
    w.go()
    true = measured(w.finish())
    source = ("--session", "now", "--in")
    slow = parts(daemon, *source, "request: arg0 % 10 == 9")
    h.equal(set(slow), {"slow_part"}, "in memory, of the open window")
    sampled(slow["slow_part"], true["slow"], "in memory")
    daemon.sonde("detach", "now")
    again = parts(daemon, *source, "request: arg0 % 10 == 9")
    h.equal(again["slow_part"]["samples"], slow["slow_part"]["samples"], "of windows that are packed")


@h.test(own_daemon=True)
def the_history_has_no_times():
    daemon = h.Daemon(history={"keep": "yes", "store": h.TMP / "kept", "sessions": h.TMP / "sessions"})
    h.wait_until(lambda: daemon.json("list")["sessions"], "the session of the history")
    h.contains(daemon.error(2, "BadArgument", "report", "--in", "*")["message"], "history keeps no times", "history")
    daemon.stop()


if __name__ == "__main__":
    h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits: how long threads are off the CPU and where, against what the threads measure themselves."""
import math
import re

import harness as h

WAITS = f"{h.WORKLOADS}/wl_waits"


def measured(output):
    return {name: int(ns) for name, ns in re.findall(r"^(\w+)_ns (\d+)$", output, re.MULTILINE)}


def rows(daemon, *args):
    reply = daemon.json("report", "--kind", "offcpu", *args)
    h.equal(reply["kind"], "offcpu", "kind")
    return {r["func"]: r for r in reply["rows"]}


def with_tables(daemon):
    """Stacks are whole from now on: before, they are walked by frame pointers."""
    h.wait_until(lambda: daemon.json("status")["daemon"]["unwind_processes"], "unwind tables")


def within(row, wanted_ns, percent, what):
    h.between(row["total_ns"], wanted_ns * (1 - percent / 100), wanted_ns * (1 + percent / 100),
              what)


@h.test(smoke=True)
def waits_are_as_long_as_they_were(daemon):
    """Longer ones than the period are all counted, shorter ones stand for others."""
    path = h.TMP / "waits.sonde"
    w = h.Workload("waits")
    recorder = daemon.start("record", "-F", "997", "--off-cpu", "-p", w.pid, "-o", path)
    with_tables(daemon)
    w.go()
    true = measured(w.finish())
    h.finish(recorder)
    found = rows(daemon, "-i", path)
    # Now and then the kernel runs no tracing program at a switch, see bpf/span_call.bpf.h.
    h.between(found["long_wait"]["samples"], 18, 20, "long waits")
    within(found["long_wait"], true["long"], 12, "long waits")
    # Each of the short ones that is kept stands for a millisecond: five sigma.
    n = true["short"] / 1e6
    within(found["short_wait"], true["short"], 500 / math.sqrt(n), "short waits")
    h.check(found["short_wait"]["samples"] < 900, f"they are sampled: {found['short_wait']}")
    within(found["stuck"], true["stuck"], 5, "the thread that waited to the end")
    h.check("__schedule" in found and not any(f.startswith("bpf_") for f in found),
            "the kernel's part begins where the thread was switched out")


@h.test
def pictures_and_trees(daemon):
    path, out = h.TMP / "tree.sonde", h.TMP / "tree.folded"
    daemon.sonde("record", "--off-cpu", "-o", path, "--", WAITS)
    tree = daemon.json("graph", "-i", path, "--kind", "offcpu")
    row = next(r for r in tree["rows"] if r["func"] == "long_wait")
    parent = next(r for r in tree["rows"] if r["id"] == row["parent"])
    h.equal(parent["func"], "main", "caller of long_wait")
    # What the parts sum up to is the whole.
    roots = sum(r["total_ns"] for r in tree["rows"] if r["depth"] == 0)
    h.equal(roots, tree["total_ns"], "roots")
    daemon.sonde("flame", "-i", path, "--kind", "offcpu", "-o", out)
    folded = [line.rsplit(" ", 1) for line in out.read_text().splitlines()]
    h.equal(sum(int(n) for _, n in folded), tree["total_ns"], "nanoseconds in the flame graph")
    h.check(any("main;long_wait;" in stack for stack, _ in folded), "stacks are whole")
    # The CPU samples of the same recording are another kind of thing: each stands for a period.
    cpu = daemon.json("report", "-i", path)
    h.equal((cpu["kind"], cpu["total_ns"]), ("cpu", cpu["total_samples"] * cpu["period_ns"]), "CPU")
    html = h.TMP / "tree.html"
    daemon.sonde("flame", "-i", path, "--kind", "offcpu", "-o", html)
    h.contains(html.read_text(), "Waits (off the CPU)", "title")


@h.test
def what_waits_now(daemon):
    """A thread that waits is in the answers before it goes on."""
    w = h.Workload("waits")
    daemon.sonde("attach", "--name", "w", "--off-cpu", "-c", "wl_waits")
    with_tables(daemon)
    w.go()
    first = h.wait_until(lambda: rows(daemon, "--session", "w").get("stuck"), "the stuck thread")
    second = h.wait_until(lambda: (r := rows(daemon, "--session", "w").get("stuck")) and
                          r["total_ns"] > first["total_ns"] and r, "it goes on waiting")
    h.equal(second["samples"], 1, "one wait")
    w.finish()
    daemon.sonde("detach", "w")
    found = rows(daemon, "--session", "w")
    h.check(found["stuck"]["total_ns"] > second["total_ns"], "its whole wait")


@h.test
def bad_questions(daemon):
    h.contains(daemon.sonde("record", "--off-cpu", status=2).err, "say whom", "whom")
    daemon.sonde("attach", "--name", "q", "--off-cpu", "-c", "nobody-has-this-name")
    daemon.error(2, "BadArgument", "report", "--session", "q", "--kind", "offcpu", "--by", "probe")
    session = daemon.session("q")
    h.equal((session["kinds"], session["frequency"]), (["offcpu"], 0), "the session")
    daemon.sonde("detach", "q")


if __name__ == "__main__":
    h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples and waits one by one: as many as were counted, at the times when they were taken, as long
as the threads measured; the same again when a recording is replayed or cut."""
import re

import harness as h

# What a CPU sample stands for is a part of a second, and rounded.
SUMS = ("SELECT window, process, thread, stack, kind, sum(count), "
        "sum(CASE kind WHEN 'offcpu' THEN total_ns END) FROM {} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5")
ROWS = ("SELECT time_us, duration_ns, pid, tid, comm, thread, kind, count, total_ns, "
        "stack_text(stack) FROM raw_sample ORDER BY time_us, kind, tid, duration_ns")


def ask(path, query):
    reply = h.run(h.SONDE, "sql", "-i", path, "--json", query).json
    return [tuple(row.values()) for row in reply["rows"]]


def busy(daemon):
    """A thread that spins for two seconds and others that wait, one recording of both."""
    path = h.TMP / "busy.sonde"
    if not path.exists():
        spin, waits = h.Workload("spin", "--seconds", "1"), h.Workload("waits")
        p = daemon.start("record", "--name", "busy", "-F", "997", "--off-cpu", "-o", path, "-p",
                         f"{spin.pid},{waits.pid}")
        h.wait_until(lambda: daemon.json("status")["daemon"]["unwind_processes"], "unwind tables")
        spin.go()
        waits.go()
        busy.true = {name: int(ns) for name, ns in
                     re.findall(r"^(\w+)_ns (\d+)$", waits.finish(), re.MULTILINE)}
        spin.finish()
        h.finish(p)
        busy.spin, busy.waits = spin.pid, waits.pid
    return path


@h.test(smoke=True)
def as_many_as_were_counted(daemon):
    path = busy(daemon)
    raw, sums = ask(path, SUMS.format("raw_sample")), ask(path, SUMS.format("sample"))
    h.equal(raw, sums, "sums of single samples")
    (n, seen), = ask(path, "SELECT count(*), count(DISTINCT kind) FROM raw_sample")
    h.equal((n, seen), (sum(row[5] for row in sums), 2), "samples and waits")
    (samples, waits), = ask(path, "SELECT sum(samples), sum(waits) FROM window")
    h.equal(n, samples + waits, "samples of the windows")


@h.test
def samples_have_the_times_of_the_clock(daemon):
    """One thread that never waits is found at each tick: a millisecond apart, now and then more."""
    path = busy(daemon)
    query = f"SELECT time_us FROM raw_sample WHERE kind = 'cpu' AND pid = {busy.spin} ORDER BY 1"
    times = [t for t, in ask(path, query)]
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    h.check(len(times) > 100, f"{len(times)} samples in two seconds")
    h.between(gaps[len(gaps) // 2], 900, 1200, "microseconds between two samples at 997 Hz")
    (begun, ended), = ask(path, "SELECT started_us, ended_us FROM session")
    h.check(begun <= times[0] and times[-1] <= ended, "they are of the session")


@h.test(smoke=True)
def waits_are_as_long_as_they_were(daemon):
    path, true = busy(daemon), busy.true
    of = {}
    for ns, total, tid, stack in ask(path, "SELECT duration_ns, total_ns, tid, stack_text(stack)"
                                           " FROM raw_sample WHERE kind = 'offcpu'"
                                           f" AND pid = {busy.waits}"):
        for name in ("long_wait", "short_wait", "stuck"):
            if f"{name};" in f"{stack};":
                of.setdefault(name, []).append((ns, total))
    # Now and then the kernel runs no tracing program at a switch, see bpf/span_call.bpf.h.
    h.between(len(of["long_wait"]), 18, 20, "long waits")
    h.check(all(ns >= 24_000_000 for ns, _ in of["long_wait"]), f"each is as long: {of['long_wait']}")
    h.between(sum(ns for ns, _ in of["long_wait"]), true["long"] * 0.88, true["long"], "together")
    h.check(all(ns == total for ns, total in of["long_wait"]), "each stands for itself")
    ns, total = of["stuck"][0]
    h.equal(len(of["stuck"]), 1, "waits of the thread that waited to the end")
    h.between(ns, true["stuck"] * 0.95, true["stuck"] * 1.05, "its wait")
    # Short ones stand for a millisecond or more, but are as long as they were.
    short = [(ns, total) for ns, total in of["short_wait"] if ns < 1_000_000]
    h.check(len(short) > 30 and all(ns >= 290_000 for ns, _ in short), f"short waits: {short}")
    h.check(all(total >= 1_000_000 for _, total in short), f"what they stand for: {short}")


@h.test
def a_replay_has_the_same(daemon):
    path, again, part = busy(daemon), h.TMP / "again.sonde", h.TMP / "part.sonde"
    daemon.sonde("replay", path, "-o", again)
    h.equal(ask(again, ROWS), ask(path, ROWS), "samples of a replay")
    h.equal(ask(again, SUMS.format("raw_sample")), ask(again, SUMS.format("sample")), "its sums")
    # A part is exact to the microsecond, though all is in one window.
    rows = ask(path, ROWS)
    middle = rows[len(rows) // 2][0]
    daemon.sonde("replay", path, "--since", f"@{middle // 1000000}.{middle % 1000000:06}", "-p", busy.waits, "-o", part)
    wanted = [r for r in rows if r[0] >= middle and r[2] == busy.waits]
    h.equal(ask(part, ROWS), wanted, "samples of a part")
    h.equal(ask(part, SUMS.format("raw_sample")), ask(part, SUMS.format("sample")), "its sums")


@h.test
def older_recordings_have_none(daemon):
    old, again = h.recording_of_format(4), h.TMP / "again-4.sonde"
    daemon.sonde("replay", old, "-o", again)
    h.equal(ask(again, "SELECT count(*) FROM raw_sample"), [(0,)], "of format 4")
    h.equal(ask(again, SUMS.format("sample")), ask(old, SUMS.format("sample")), "samples of format 4")


@h.test
def an_import_keeps_times(daemon):
    script, path = h.TMP / "two.perf", h.TMP / "two.sonde"
    script.write_text("".join(
        f"app {7:>5}/{8 + i % 2} [000] {100 + i / 1000:.6f}:    1000000 cpu-clock:\n"
        f"\t          401136 main+0x10 (/opt/app)\n\n" for i in range(50)))
    daemon.sonde("import", script, "-o", path)
    rows = ask(path, "SELECT time_us, pid, tid, count FROM raw_sample ORDER BY time_us")
    h.equal(rows, [(100_000_000 + 1000 * i, 7, 8 + i % 2, 1) for i in range(50)], "samples")


if __name__ == "__main__":
    h.main()

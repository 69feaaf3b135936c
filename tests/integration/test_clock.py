#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall clock is set while the daemon runs: libclock.c sets that of the daemon alone."""
import mmap
import signal
import struct
import subprocess
import time

import harness as h

HOUR = 3600


def daemon_with_clock(path):
    """A daemon that keeps history, and what sets its clock."""
    path.mkdir()
    (path / "sessions").mkdir()
    (path / "sessions/calls.conf").write_text(
        f"[session]\nname = calls\nspec = uprobe:{h.WORKLOADS}/wl_calls:beta\n")
    clock = path / "clock"
    clock.write_bytes(bytes(4096))
    file = open(clock, "r+b")
    ahead = mmap.mmap(file.fileno(), 4096)
    preload = {"LD_PRELOAD": f"{h.WORKLOADS}/libclock.so", "CLOCK_FILE": str(clock)}
    h.ENV.update(preload)
    try:
        daemon = h.Daemon(history={"keep": "yes", "store": path / "kept", "window": "1s",
                                   "sessions": path / "sessions"})
    finally:
        for key in preload:
            del h.ENV[key]
    return daemon, lambda seconds: ahead.write(struct.pack("q", seconds * 10**9)) and ahead.seek(0)


def calls(daemon):
    subprocess.run([f"{h.WORKLOADS}/wl_calls"], check=True, stdout=subprocess.DEVNULL)
    return time.time()


@h.test(own_daemon=True)
def what_comes_is_told_by_the_new_clock():
    daemon, set_clock = daemon_with_clock(h.TMP / "clock")
    before = calls(daemon)
    spans = daemon.sonde("spans", "--session", "calls", "--json").lines
    h.check(all(abs(s["time_us"] / 1e6 - before) < 60 for s in spans), "before")
    during = h.TMP / "during.sonde"
    w = h.Workload("spin", "--seconds", "30")
    recorder = daemon.start("record", "-F", "99", "-p", w.pid, "--name", "during", "-o", during)
    h.wait_until(lambda: daemon.active("during"), "the recording")
    set_clock(HOUR)
    h.wait_until(lambda: "the wall clock was set forward by" in daemon.log.read_text(), "the log")
    after = calls(daemon) + HOUR
    recorder.send_signal(signal.SIGINT)
    h.equal(recorder.wait(20), 0, "exit status of the recording")
    row = daemon.sonde("sql", "-i", during, "--json",
                       "select started_us, ended_us from session").json["rows"][0]
    h.between((row["ended_us"] - row["started_us"]) / 1e6, 0, 60, "a recording has one clock")
    events = [e for e in daemon.json("events", "--since", f"@{before - 60}")["events"]
              if e["kind"] == "clock"]
    h.equal(len(events), 1, "the event")
    h.between(events[0]["detail"] / 1e6, HOUR - 1, HOUR + 1, "by how much")
    # A recording that begins now, and what it says of itself.
    path = h.TMP / "after.sonde"
    daemon.sonde("record", "-o", path, "beta", "--", f"{h.WORKLOADS}/wl_calls")
    trace = daemon.sonde("export", "-i", path, "--format", "chrome").json
    times = [e["ts"] / 1e6 for e in trace["traceEvents"] if "ts" in e]
    h.between(trace["otherData"]["epoch_us"] / 1e6 - after, -5, 60, "when it began")
    h.check(times and -1 < min(times) and max(times) < 60, f"{min(times)} to {max(times)} s from there")
    # The history has both, each by its clock.
    spans = daemon.sonde("spans", "--session", "calls", "--since", f"@{after - 600}", "--json").lines
    h.check(spans and all(abs(s["time_us"] / 1e6 - after) < 60 for s in spans), "after")
    spans = daemon.sonde("spans", "--session", "calls", "--since", f"@{before - 600}",
                         "--until", f"@{before + 600}", "--json").lines
    h.check(spans and all(abs(s["time_us"] / 1e6 - before) < 60 for s in spans), "what was before")
    h.equal(daemon.calls("--session", "calls", "--since", f"@{before - 600}", "--kind", "span"),
            {"beta": 15000}, "all calls")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be seen of a kernel in tools/vm: what doctor says, exact counts by every way to attach."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness as h  # noqa: E402

CALLS = {"alpha": 10000, "beta": 5000, "gamma_fail": 1000, "delta_null": 400, "outer": 300,
         "middle": 300, "inner": 600, "six": 100}
KERNEL = tuple(int(n) for n in os.uname().release.split("-")[0].split("+")[0].split(".")[:2])


@h.test
def doctor(daemon):
    checks = {c["name"]: c for c in daemon.json("doctor")["checks"]}
    h.equal([c for c in checks.values() if c["required"] and not c["ok"]], [], "what is missing")
    # facts.md has the table. A feature that is found where there is none would not be fallen back from.
    h.equal(checks["multi_uprobe"]["ok"], KERNEL >= (6, 6), "multi links")
    h.equal(checks["session_link"]["ok"], KERNEL >= (6, 13), "session links")
    h.equal([checks[c]["ok"] for c in ("fentry", "kprobe", "kprobe_multi")],
            [True, True, KERNEL >= (6, 12)], "fentry, kprobe, kprobe_multi")
    h.check(all(c["ok"] or c["fix"] for c in checks.values()), f"no fix: {checks}")


@h.test
def record(daemon):
    path = h.TMP / "calls.sonde"
    daemon.sonde("record", "-F", "49", *CALLS, "-o", path, "--", f"{h.WORKLOADS}/wl_calls")
    rows = daemon.rows("-i", path)
    h.equal({k: r["calls"] for k, r in rows.items()}, CALLS, "calls")
    h.equal({k: r["errors"] for k, r in rows.items() if r["errors"]}, {"gamma_fail": 100}, "errors")


@h.test
def statistics_only(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "-p", w.pid, "--name", "stats", "--stats-only", *CALLS)
    w.go()
    w.finish()
    for state in ("active", "closed"):
        h.equal({k: r["calls"] for k, r in daemon.rows("--session", "stats").items()}, CALLS,
                f"calls while {state}")
        if state == "active":
            daemon.sonde("detach", "stats")
    h.equal(daemon.session("stats")["losses"], [], "losses")


if __name__ == "__main__":
    h.need_root()
    h.main()

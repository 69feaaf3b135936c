#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same run of a program nobody here wrote, profiled by perf and by sonde at the same time."""
import collections
import math
import os
import re
import sys

import harness as h

QUERY = ("with recursive n(x) as (select 1 union all select x + 1 from n where x < 6000000) "
         "select count(*), sum(length(hex(x))), max(abs(x % 977)) from n;")
FREQUENCY = "499"
POINTS = 8
AGREE = 8


def plain(name):
    """One name for what has several: symbol versions, aliases, and everything without a name."""
    if name.startswith("["):
        return "[unknown]"
    name = re.sub(r"@+[A-Z].*", "", name).lstrip("_").replace("memcpy_", "memmove_")
    return {"cfree": "free", "libc_free": "free", "libc_malloc": "malloc"}.get(name, name)


def perf_samples(path, pid):
    """Samples by leaf function, as perf script tells them."""
    script = h.run("perf", "script", "-i", path, "-F", "pid,ip,sym", "-G", timeout=60)
    names = collections.Counter()
    for line in script.out.splitlines():
        fields = line.split(None, 2)
        if len(fields) == 3 and fields[0] == str(pid):
            names[plain(fields[2].split("+")[0])] += 1
    return names


def top(names):
    return [name for name, _ in names.most_common() if name != "[unknown]"][:10]


@h.test
def the_ten_hottest_functions_agree(daemon):
    h.need("perf")
    sqlite = h.need("sqlite3")
    p = h.spawn(sqlite, ":memory:", stdin=h.subprocess.PIPE, stdout=h.subprocess.PIPE)
    daemon.sonde("attach", "-p", p.pid, "-F", FREQUENCY, "--name", "perf")
    data = h.TMP / "perf.data"
    perf = h.spawn("perf", "record", "-e", "cpu-clock", "-F", FREQUENCY, "-g", "-p", p.pid, "-o",
                   data)
    h.wait_until(lambda: any("perf_event" in os.readlink(f"/proc/{perf.pid}/fd/{fd}")
                             for fd in os.listdir(f"/proc/{perf.pid}/fd")
                             if os.path.lexists(f"/proc/{perf.pid}/fd/{fd}")), "perf to begin")
    h.time.sleep(0.3)
    out, _ = p.communicate(QUERY.encode(), timeout=60)
    h.contains(out.decode(), "6000000|", "the program's answer")
    perf.wait(30)
    daemon.sonde("detach", "perf")
    theirs = perf_samples(data, p.pid)
    reply = daemon.json("report", "--session", "perf", "--kind", "cpu")
    ours = collections.Counter()
    for row in reply["rows"]:
        ours[plain(row["func"])] += row["self_samples"]
    n_theirs, n_ours = sum(theirs.values()), reply["total_samples"]
    h.check(n_theirs > 400 and n_ours > 400, f"samples: perf {n_theirs}, sonde {n_ours}")
    h.between(n_ours / n_theirs, 0.8, 1.25, "samples of sonde for one of perf")
    # At the edge of the ten two samples of a Poisson process decide: two sigma below it is a tie.
    edge = min(ours[n] for n in top(ours))
    agree = [n for n in top(theirs) if ours[n] >= edge - 2 * math.sqrt(edge)]
    h.check(len(agree) >= AGREE, f"agree: {agree}; perf {theirs.most_common(11)}; "
            f"sonde {ours.most_common(11)}")
    for name in top(theirs) + ["[unknown]"]:
        a, b = 100 * theirs[name] / n_theirs, 100 * ours[name] / n_ours
        h.between(b - a, -POINTS, POINTS, f"points of {name} (perf {a:.1f} %, sonde {b:.1f} %)")
    print(f"   agree: {len(agree)} of 10", file=sys.stderr)


@h.test
def perf_is_left_alone(daemon):
    """A daemon that asks for mappings with build-ids makes others see some that they did not ask for."""
    h.need("perf")
    data = h.TMP / "alone.data"
    h.check(daemon.json("status")["daemon"]["pid"] == daemon.pid, "the daemon is there")
    done = h.run("perf", "record", "-e", "cpu-clock", "-F", FREQUENCY, "-g", "-o", data, "--",
                 "/usr/bin/python3", "-c", "sum(i * i for i in range(3000000))", timeout=60)
    h.check("assertion" not in done.err, f"perf record: {done.err}")
    mapped = h.run("perf", "script", "-i", data, "--show-mmap-events", "-F", "comm,pid,time",
                   timeout=60).out
    h.contains(mapped, "/usr/bin/python3", "mappings as perf has them")


h.main()

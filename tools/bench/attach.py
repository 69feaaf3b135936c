# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach and detach of 5,000 functions of a library, at the socket and by the command."""

import fnmatch
import os
import subprocess
import sys
import time

from common import BenchError, Daemon, Figure, median, run, say, started, wait_until

LIBRARY = "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"
WANTED = 5000
# Maps the library, says so, and stays.
TARGET = f"import ctypes, sys; ctypes.CDLL({LIBRARY!r}); print('ready', flush=True); sys.stdin.read()"


def choose_globs():
    """Globs over mangled names, added one by one until about 5,000 functions match."""
    names = {line.split()[-1].split("@")[0] for line in
             run(["nm", "-D", "--defined-only", LIBRARY]).splitlines() if line.split()[1] in "TW"}
    globs, total = [], 0
    for glob in ["LLVM*"] + [f"_ZN4llvm{n}[A-Z]*" for n in range(1, 40)]:
        matching = len(fnmatch.filter(names, glob))
        if matching and total + matching <= WANTED * 1.04:
            globs.append(glob)
            total += matching
    if total < WANTED * 0.9:
        raise BenchError(f"only {total} functions of {LIBRARY} match")
    return globs


def links(daemon):
    """How many BPF links the daemon holds: the answer to Detach may come before the last is closed."""
    folder, count = f"/proc/{daemon.process.pid}/fd", 0
    for fd in os.listdir(folder):
        try:
            count += "bpf_link" in os.readlink(f"{folder}/{fd}")
        except FileNotFoundError:
            pass
    return count


def at_socket(daemon, pid, specs, stats_only):
    idle_links = links(daemon)
    begin = time.monotonic()
    reply = daemon.call("Attach", options={"name": "bench", "specs": specs, "stats_only": stats_only,
                                           "selectors": {"pids": [pid]}})
    attached = time.monotonic()
    daemon.call("Detach", name="bench")
    answered = time.monotonic()
    wait_until(lambda: links(daemon) <= idle_links, 60, "the links are not closed")
    return (attached - begin, answered - attached, time.monotonic() - attached,
            reply["session"]["probes"])


def by_command(daemon, pid, specs):
    begin = time.monotonic()
    run(daemon.sonde("attach", "-p", str(pid), "--name", "bench", *specs))
    attached = time.monotonic()
    run(daemon.sonde("detach", "bench"))
    return attached - begin, time.monotonic() - attached


def figures(env):
    specs = ["libLLVM-14:" + glob for glob in choose_globs()]
    with Daemon(env, "attach") as daemon, started(
            [sys.executable, "-c", TARGET], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as target:
        target.stdout.readline()
        first = at_socket(daemon, target.pid, specs, False)
        say(f"  {first[3]} functions by {len(specs)} globs; the first attach, which reads the "
            f"symbols, took {first[0]:.3f} s")
        yield Figure(f"first attach of {first[3]} functions", first[0], "s", 0.3,
                     note="reads the symbols of libLLVM, too")
        for name, stats_only in (("", False), (", statistics only", True)):
            times = [at_socket(daemon, target.pid, specs, stats_only) for _ in range(env.rounds)]
            for i, verb in enumerate(("attach", "detach", "detach, all links closed,")):
                yield Figure(f"{verb} of {first[3]} functions{name}",
                             median(t[i] for t in times), "s", 0.3)
        times = [by_command(daemon, target.pid, specs) for _ in range(env.rounds)]
        for i, verb in enumerate(("attach", "detach")):
            yield Figure(f"sonde {verb} of {first[3]} functions", median(t[i] for t in times), "s",
                         0.3)

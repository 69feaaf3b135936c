# SPDX-License-Identifier: GPL-2.0-or-later
"""From Enter to the first event, and the memory it takes: sonde trace and bpftrace, each with the
same filter on the same function, started the same way, in turns."""

import os
import re
import select
import signal
import subprocess
import time

from common import BenchError, Figure, Spin, end_process, median, read_text

RATE = 2000  # calls a second of the target
CALLED = "spin_push"


def sonde(env, spin):
    """A daemon of its own: nothing has been started before, as with bpftrace."""
    return [env.sonde, "trace", "-p", str(spin.pid), "--args", "--where", "arg0 > 100 && ret > 100",
            CALLED]


def bpftrace(_, spin):
    where = f"{spin.path}:{CALLED}"
    return ["bpftrace", "-p", str(spin.pid), "-e",
            f"uprobe:{where} /arg0 > 100/ {{ @start[tid] = nsecs; @x[tid] = arg0; }} "
            f"uretprobe:{where} /@start[tid] && retval > 100/ "
            '{ printf("%d %d %d\\n", nsecs - @start[tid], @x[tid], retval); delete(@start[tid]); }']


def processes_of(pid):
    """The process and its descendants: sonde starts a daemon, which starts a reader of files."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                text = read_text(f"/proc/{parent}/task/{task}/children")
                found += [int(word) for word in text.split()]
        except OSError:
            pass
    return found


def resident_mib(pid):
    """Proportional, as memory that processes share would be counted twice."""
    total = 0
    for each in processes_of(pid):
        try:
            total += int(re.search(r"^Pss:\s*(\d+)", read_text(f"/proc/{each}/smaps_rollup"),
                                   re.M).group(1))
        except (OSError, AttributeError):
            pass
    return total / 1024


def is_event(line):
    return any(c.isdigit() for c in line) and "probe" not in line


def once(env, args):
    """Milliseconds to the first event, and MiB half a second later."""
    environment = {**os.environ, "SONDE_SONDED": env.sonded,
                   "SONDE_SOCKET": os.path.join(env.dir, "nobody.sock"), "NO_COLOR": "1"}
    begin = time.monotonic()
    tool = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            bufsize=1, env=environment)
    try:
        line = ""
        while not is_event(line):
            if not select.select([tool.stdout], [], [], 30)[0]:
                raise BenchError(f"{args[0]} printed no event")
            line = tool.stdout.readline()
            if not line:
                raise BenchError(f"{args[0]} ended before it printed an event")
        took = (time.monotonic() - begin) * 1000
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            tool.stdout.readline()
        return took, resident_mib(tool.pid)
    finally:
        tool.stdout.close()
        end_process(tool, signal.SIGINT)


def figures(env):
    results = {"sonde": [], "bpftrace": []}
    with Spin(env) as spin:
        seconds = 10 * (env.rounds + 2)
        spin.tell(f"run {CALLED} {RATE} {RATE * seconds} 1")
        for _ in range(env.rounds):
            for name, args in (("sonde", sonde), ("bpftrace", bpftrace)):
                results[name].append(once(env, args(env, spin)))
        spin.process.kill()
    ours, theirs = ([median(column) for column in zip(*results[name])]
                    for name in ("sonde", "bpftrace"))
    yield Figure("from Enter to the first event, with a filter", ours[0], "ms", 1.0, "bpftrace",
                 theirs[0], ours[0] / theirs[0], "no daemon is running before")
    yield Figure("resident memory while tracing with a filter", ours[1], "MiB", 1.0, "bpftrace",
                 theirs[1], ours[1] / theirs[1], "the command, its daemon and their helpers together")

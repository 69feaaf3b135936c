# SPDX-License-Identifier: GPL-2.0-or-later
"""The latency histogram of an unmodified function: what it adds to a call, beside bpftrace and
libbpf-tools' funclatency. All tools take turns on one process within each round."""

import signal
import subprocess

from common import (Daemon, Figure, Spin, added_cost, empty_program, median, on_cpus, other_cpus, run,
                    started, target_cpus)

MEASURE_MS = 400


def measure(spin, func):
    return spin.ns_per_call(func, MEASURE_MS)


class Sonde:
    def __init__(self, daemon, spin, func):
        self.daemon, self.args = daemon, ["-p", str(spin.pid), func]

    def __enter__(self):
        run(self.daemon.sonde("attach", "--stats-only", "--name", "bench", *self.args))

    def __exit__(self, *_):
        run(self.daemon.sonde("detach", "bench"))


def tool(args):
    return started(args, sig=signal.SIGINT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   preexec_fn=on_cpus(other_cpus()))


def bpftrace(spin, func):
    where = f"{spin.path}:{func}"
    return tool(["bpftrace", "-p", str(spin.pid), "-e",
                 f"uprobe:{where} {{ @start[tid] = nsecs; }} uretprobe:{where} /@start[tid]/ "
                 "{ @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }"])


def funclatency(spin, func):
    return tool(["funclatency", "-p", str(spin.pid), ":" + func])


def figures(env):
    added = {}
    with Daemon(env, "latency", other_cpus()) as daemon, Spin(env, target_cpus()) as spin:
        tools = {"sonde": lambda func: Sonde(daemon, spin, func),
                 "bpftrace": lambda func: bpftrace(spin, func),
                 "funclatency": lambda func: funclatency(spin, func)}
        for _ in range(env.rounds):
            for func in ("spin_push", "spin_endbr"):
                for name, make in tools.items():
                    added.setdefault((func, name), []).append(
                        added_cost(spin, func, make(func), measure))
            # The kernel itself, so that a miss says whose it is.
            added.setdefault("floor", []).append(
                added_cost(spin, "spin_push", empty_program(env, spin, "spin_push", "session"), measure))
    floor = median(added["floor"])
    for func, peer, target in (("spin_push", "bpftrace", 0.75), ("spin_push", "funclatency", 0.90),
                               ("spin_endbr", "bpftrace", 0.15)):
        ours, theirs = added[func, "sonde"], added[func, peer]
        begins, note = "endbr64", f"{env.rounds} rounds"
        if func == "spin_push":
            begins, note = "push", f"{note}; a program that does nothing adds {floor:.0f} ns"
        yield Figure(f"histogram, function begins with {begins}", median(ours), "ns", target, peer,
                     median(theirs), median(a / b for a, b in zip(ours, theirs)), note)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The latency histogram of an unmodified function: what it adds to a call, beside bpftrace and
libbpf-tools' funclatency. All tools take turns on one process within each round."""

import signal
import subprocess
import sys

from common import Daemon, Figure, Spin, median, other_cpus, on_cpus, run, started, target_cpus

MEASURE_MS = 400


def added_by(spin, func, tool):
    """Nanoseconds a call that tool adds: probed minus bare, right after each other."""
    spin.wait_probed(func, False)
    bare = spin.ns_per_call(func, 50)
    with tool:
        spin.wait_probed(func, True)
        probed = spin.ns_per_call(func, MEASURE_MS)
    spin.wait_probed(func, False)
    return probed - bare


class Sonde:
    def __init__(self, daemon, spin, func):
        self.daemon, self.args = daemon, ["-p", str(spin.pid), func]

    def __enter__(self):
        run(self.daemon.sonde("attach", "--stats-only", "--name", "bench", *self.args))

    def __exit__(self, *_):
        run(self.daemon.sonde("detach", "bench"))


def tool(args):
    return started(args, sig=signal.SIGINT, stdout=sys.stderr, stderr=sys.stderr,
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
        for _ in range(env.rounds):
            for func in ("spin_push", "spin_endbr"):
                for name, make in (("sonde", lambda s, f: Sonde(daemon, s, f)),
                                   ("bpftrace", bpftrace), ("funclatency", funclatency)):
                    added.setdefault((func, name), []).append(
                        added_by(spin, func, make(spin, func)))
    for func, peer, target in (("spin_push", "bpftrace", 0.75), ("spin_push", "funclatency", 0.90),
                               ("spin_endbr", "bpftrace", 0.15)):
        ours, theirs = added[func, "sonde"], added[func, peer]
        begins = "endbr64" if func == "spin_endbr" else "push"
        yield Figure(f"histogram, function begins with {begins}", median(ours), "ns", target, peer,
                     median(theirs), median(a / b for a, b in zip(ours, theirs)),
                     f"{env.rounds} rounds")

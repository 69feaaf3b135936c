# SPDX-License-Identifier: GPL-2.0-or-later
"""The latency histogram of functions of libstdc++, all of which begin with endbr64 and most with
what the kernel single-steps: what it adds to a call, beside bpftrace, in turns on one process."""

import os
import signal
import subprocess

from common import (HERE, Daemon, Figure, Spin, added_cost, empty_program, median, on_cpus,
                    other_cpus, run, started, target_cpus)

MEASURE_MS = 200
LIBRARY = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
# What cxx.cpp calls them, and the symbols that one such call enters.
FUNCTIONS = {
    "compare": "_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE7compareERKS4_",
    "increment": "_ZSt18_Rb_tree_incrementPKSt18_Rb_tree_node_base",
    "hook": "_ZNSt8__detail15_List_node_base7_M_hookEPS0_",
    "write": "_ZNSo5writeEPKcl",
    "rehash": "_ZNKSt8__detail20_Prime_rehash_policy14_M_need_rehashEmmm",
}
WAYS = ("auto", "uretprobe")


class Sonde:
    def __init__(self, daemon, spin, name, way):
        self.daemon = daemon
        self.args = ["-p", str(spin.pid), "--return", way, "libstdc++:" + FUNCTIONS[name]]

    def __enter__(self):
        run(self.daemon.sonde("attach", "--stats-only", "--name", "bench", *self.args))

    def __exit__(self, *_):
        run(self.daemon.sonde("detach", "bench"))


def bpftrace(spin, name):
    where = f'"{LIBRARY}":"{FUNCTIONS[name]}"'  # quoted because of the ++
    return started(["bpftrace", "-p", str(spin.pid), "-e",
                    f"uprobe:{where} {{ @start[tid] = nsecs; }} uretprobe:{where} /@start[tid]/ "
                    "{ @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }"],
                   sig=signal.SIGINT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   preexec_fn=on_cpus(other_cpus()))


def measure(spin, name):
    return spin.ns_per_call(name, MEASURE_MS)


def costs(env, program):
    """Nanoseconds added to a call, one value a round, by (tool, function)."""
    added = {}
    with Daemon(env, "placement", other_cpus()) as daemon, \
            Spin(env, target_cpus(), program) as spin:
        for _ in range(env.rounds):
            for name in FUNCTIONS:
                tools = [("bpftrace", bpftrace(spin, name))]
                tools += [(way, Sonde(daemon, spin, name, way)) for way in WAYS]
                for tool, context in tools:
                    added.setdefault((tool, name), []).append(
                        added_cost(spin, name, context, measure))
    return {key: median(values) for key, values in added.items()}


def floor_of(env):
    """An empty program at entry and return of a function that begins with a push."""
    with Spin(env, target_cpus()) as spin:
        return median(added_cost(spin, "spin_push", empty_program(env, spin, "spin_push", "session"),
                                 measure) for _ in range(env.rounds))


def figures(env):
    program = os.path.join(env.dir, "cxx")
    run(["g++", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, os.path.join(HERE, "cxx.cpp")])
    floor = floor_of(env)
    added = costs(env, program)
    theirs = sum(added["bpftrace", name] for name in FUNCTIONS) / len(FUNCTIONS)
    for way in WAYS:
        ours = sum(added[way, name] for name in FUNCTIONS) / len(FUNCTIONS)
        each = ", ".join(f"{name} {added[way, name]:.0f} of {added['bpftrace', name]:.0f}"
                         for name in FUNCTIONS)
        yield Figure(f"histogram of functions of libstdc++, --return {way}", ours, "ns", 0.15,
                     "bpftrace", theirs, ours / theirs,
                     f"{each}; a program that does nothing adds {floor:.0f}")

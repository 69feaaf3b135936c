# SPDX-License-Identifier: GPL-2.0-or-later
"""What a condition of three terms adds to a span: the same function with and without, in turns. By
the kernel's run time statistics of our programs, as the trap around them takes a hundred times
longer and varies by more than what is looked for; with the whole span as the measure of it."""

from common import (BenchError, Daemon, Figure, Spin, added_cost, median, other_cpus, run,
                    target_cpus)
from sampling import run_time, run_time_statistics

CALLS = 10000  # short, so that some of the times are undisturbed ones
TIMES = 10
MEASURE_MS = 200
# Whether a call passes, and how it is asked for. The functions of spin.c return their argument + 1.
CONDITIONS = {
    "none": (True, []),
    "false by its first term": (False, ["--where", "duration > 10ms && ret < 0 && arg2 > 4096"]),
    "false by its last term": (False, ["--where", "duration < 10s && ret >= 0 && arg0 > 4096"]),
    "true": (True, ["--where", "duration < 10s && ret >= 0 && arg0 <= 4096"]),
    # What the measurement itself makes of no difference.
    "none, once more": (True, []),
}


class Attached:
    def __init__(self, daemon, spin, func, how):
        self.daemon, self.args = daemon, ["-p", str(spin.pid), *how, func]

    def __enter__(self):
        run(self.daemon.sonde("attach", "--name", "bench", *self.args))

    def __exit__(self, *_):
        run(self.daemon.sonde("detach", "bench"))


def in_programs(daemon, spin, how):
    """Nanoseconds a call in our programs, the cheapest of several times."""
    costs = []
    with Attached(daemon, spin, "spin_push", how), run_time_statistics():
        for _ in range(TIMES):
            before = run_time(daemon.process.pid, "kprobe")[0]
            spin.ask(f"run spin_push 0 {CALLS} 1")
            costs.append((run_time(daemon.process.pid, "kprobe")[0] - before) / CALLS)
    return min(costs)


def check_conditions(daemon, spin):
    """The bench is about the right thing: which conditions let a call pass."""
    for name, (passes, how) in CONDITIONS.items():
        with Attached(daemon, spin, "spin_push", how):
            spin.ask("run spin_push 0 1000 1")
        rows = run(daemon.sonde("spans", "--session", "bench", "--json")).splitlines()
        if len(rows) != 1000 * passes:
            raise BenchError(f"the condition that is {name} let {len(rows)} of 1000 calls pass")


def figures(env):
    inside, whole = {name: [] for name in CONDITIONS}, []
    with Daemon(env, "condition", other_cpus()) as daemon, Spin(env, target_cpus()) as spin:
        check_conditions(daemon, spin)
        for number in range(env.rounds):
            # Each comes first in some round, as whatever does may find the machine in another state.
            names = list(CONDITIONS)
            for name in names[number % len(names):] + names[:number % len(names)]:
                inside[name].append(in_programs(daemon, spin, CONDITIONS[name][1]))
            whole.append(added_cost(spin, "spin_push", Attached(daemon, spin, "spin_push", []),
                                    lambda spin, func: spin.ns_per_call(func, MEASURE_MS)))
    plain, span = min(inside["none"]), median(whole)
    for name in list(CONDITIONS)[1:]:
        # The best of each: whatever else runs only ever adds.
        added = min(inside[name]) - plain
        title = "no condition" if name.startswith("none") else f"a condition of three terms, {name}"
        yield Figure(f"{title}: added to a span", added, "ns", 40,
                     note=f"{(span + added) / span:.3f} of a span without one, which takes {span:.0f} ns, "
                          f"{plain:.0f} of them in our programs")

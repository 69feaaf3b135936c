# SPDX-License-Identifier: GPL-2.0-or-later
"""Every span streamed: what it adds to a call beside perf record of entry and return, whether any
is lost at a high rate for long, and what the daemon spends on a record."""

import contextlib
import os
import re
import signal
import subprocess
import time

from common import (TRACEFS, BenchError, Daemon, Figure, Spin, added_cost, empty_program, end_process, median,
                    on_cpus, other_cpus, run, say, started, symbol_offset, target_cpus)

FUNC = "spin_push"
RATE = 300000
GROUP = "sonde_bench"
BURST_MS = 30


@contextlib.contextmanager
def uprobe_events(path):
    """Entry and return as two events of tracefs, as perf probe -x makes them."""
    control, where = f"{TRACEFS}/uprobe_events", f"{path}:{symbol_offset(path, FUNC):#x}"

    def write(text):
        fd = os.open(control, os.O_WRONLY | os.O_APPEND)  # tracefs refuses open()'s seek
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)

    write(f"p:{GROUP}/entry {where}")
    write(f"r:{GROUP}/return {where}")
    try:
        yield
    finally:
        write(f"-:{GROUP}/entry")
        write(f"-:{GROUP}/return")


def recorders(env, daemon, spin):
    """The two tools as functions that give a context in which the tool records."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
             "preexec_fn": on_cpus(other_cpus())}
    pid = str(spin.pid)
    return {
        "sonde": lambda: started(daemon.sonde("record", "-p", pid, FUNC, "-o",
                                              os.path.join(env.dir, "x.sonde")),
                                 sig=signal.SIGINT, **quiet),
        "perf record": lambda: started(["perf", "record", "-q", "-m", "16M", "-e", f"{GROUP}:entry", "-e",
                                        f"{GROUP}:return", "-p", pid, "-o",
                                        os.path.join(env.dir, "perf.data")],
                                       sig=signal.SIGINT, **quiet),
    }


def in_bursts(spin, func):
    """The median of bursts that fit into either tool's buffer: what is lost is not streamed."""
    costs = []
    for _ in range(10):
        time.sleep(0.15)
        costs.append(spin.ns_per_call(func, BURST_MS))
    return median(costs)


def perf_loss_percent(env):
    """What perf says it lost of its two events."""
    text = run(["perf", "report", "--stats", "-i", os.path.join(env.dir, "perf.data")])
    events = text[text.find(f"{GROUP}:entry stats"):]

    def total(kind):
        return sum(int(n) for n in re.findall(rf"^\s*{kind} events:\s*(\d+)", events, re.M))

    lost = total("LOST_SAMPLES")
    return 100 * lost / max(total("SAMPLE") + lost, 1)


def beside_perf(env):
    added, lost = {}, []
    with (Daemon(env, "stream", other_cpus()) as daemon, Spin(env, target_cpus()) as spin,
          uprobe_events(spin.path)):
        tools = recorders(env, daemon, spin)
        for _ in range(env.rounds):
            for name, tool in tools.items():
                added.setdefault(name, []).append(added_cost(spin, FUNC, tool(), in_bursts))
            lost.append(perf_loss_percent(env))
            added.setdefault("floor", []).append(
                added_cost(spin, FUNC, empty_program(env, spin, FUNC, "pair"), in_bursts))
        if losses(daemon):
            raise BenchError(f"sonde lost {losses(daemon)} spans of the bursts")
    ours, theirs = added["sonde"], added["perf record"]
    return Figure("every span streamed", median(ours), "ns", 0.5, "perf record", median(theirs),
                  median(a / b for a, b in zip(ours, theirs)),
                  f"{env.rounds} rounds; perf lost {median(lost):.1f} %; programs that do nothing add "
                  f"{median(added['floor']):.0f} ns")


def stream(env, daemon, spin, rate, seconds, threads):
    """Records paced calls. Returns spans a second, spans lost, daemon ns a record."""
    path = os.path.join(env.dir, "rate.sonde")
    client = subprocess.Popen(daemon.sonde("record", "-p", str(spin.pid), FUNC, "-o", path, "-q"),
                              stdout=subprocess.DEVNULL)
    try:
        spin.wait_probed(FUNC, True)
        time.sleep(0.5)
        before, cpu = daemon.status(), daemon.cpu_ns()
        lost_before = losses(daemon)
        calls, took = spin.ask(f"run {FUNC} {rate // threads} {rate // threads * seconds} {threads}")
        time.sleep(1)
        after, cpu_after = daemon.status(), daemon.cpu_ns()
        lost = losses(daemon) - lost_before
    finally:
        end_process(client, signal.SIGINT)
    records = after["records"] - before["records"]
    if records + lost < calls:
        raise BenchError(f"{calls:.0f} calls, but {records} records and {lost} losses")
    say(f"  {calls:.0f} calls in {took:.1f} s by {threads} threads, {records} records, {lost} lost, "
        f"daemon {(cpu_after - cpu) / took / 1e7:.1f} % of a core, "
        f"{daemon.resident_mib():.0f} MiB resident")
    return calls / took, lost, (cpu_after - cpu) / records


def losses(daemon):
    return sum(loss["count"] for loss in daemon.call("Status")["losses"])


def figures(env):
    yield beside_perf(env)
    seconds = 5 if env.quick else 30
    with Daemon(env, "rate") as daemon, Spin(env) as spin:
        rate, lost, cost = stream(env, daemon, spin, RATE, seconds, 1)
        if rate < RATE * 0.98:
            rate, lost, cost = stream(env, daemon, spin, RATE, seconds, 2)
    yield Figure(f"spans a second streamed for {seconds} s", rate, "spans/s", RATE * 0.98, least=True,
                 note="" if rate >= RATE * 0.98 else "the highest this machine produces")
    yield Figure("spans lost meanwhile", lost, "spans", 0)
    yield Figure("daemon's CPU a record", cost, "ns", 60)

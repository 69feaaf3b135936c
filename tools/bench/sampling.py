# SPDX-License-Identifier: GPL-2.0-or-later
"""System-wide sampling at 99 Hz: what the BPF part takes a sample at 30 frames by the kernel's run
time statistics, and what the daemon takes under load."""

import contextlib
import json
import os
import subprocess
import sys
import time

from common import CPUS, BenchError, Daemon, Figure, Spin, read_text, run, say, started, wait_until

STATS = "/proc/sys/kernel/bpf_stats_enabled"
HZ = 99
WARM_HZ = 4999  # the same work, without what 10 ms of other programs did to the caches
# Short-lived processes, as a build or a shell script makes them.
CHURN = "while :; do /bin/true; /bin/ls / > /dev/null; sleep 0.05; done"


@contextlib.contextmanager
def run_time_statistics():
    before = read_text(STATS).strip()
    write(STATS, "1")
    try:
        yield
    finally:
        write(STATS, before)


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def run_time(pid, kind="perf_event"):
    """(ns, runs) of the programs of a kind that the process holds: others may have some, too. What
    a program calls by a tail call is in its time. Uprobe programs are of the kind "kprobe"."""
    ours = set()
    folder = f"/proc/{pid}/fdinfo"
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            for line in read_text(f"{folder}/{fd}").splitlines():
                if line.startswith("prog_id:"):
                    ours.add(int(line.split()[1]))
    programs = [p for p in json.loads(run(["bpftool", "-j", "prog", "show"]))
                if p["id"] in ours and p["type"] == kind]
    if not programs:
        raise BenchError(f"process {pid} has no program of kind {kind}")
    return (sum(p.get("run_time_ns", 0) for p in programs),
            sum(p.get("run_cnt", 0) for p in programs))


def a_sample(env, spin, pid):
    """Nanoseconds a sample in the cheapest second, the least disturbed by other load."""
    seconds, costs = 5 if env.quick else 10, []
    spin.tell(f"deep {seconds + 1} {len(CPUS)}")
    time.sleep(0.5)
    last = run_time(pid)
    for _ in range(seconds):
        time.sleep(1)
        now = run_time(pid)
        costs.append((now[0] - last[0]) / max(now[1] - last[1], 1))
        last = now
    spin.answer()
    say("  ns a sample, second by second: " + " ".join(f"{cost:.0f}" for cost in costs))
    return min(costs)


def bpf_part(env, hz):
    with run_time_statistics(), Daemon(env, "sampling") as daemon, Spin(env) as spin:
        run(daemon.sonde("attach", "-a", "-F", str(hz), "--name", "bench"))
        ours = a_sample(env, spin, daemon.process.pid)
        depth = depths(daemon, spin)
        if depth < 29:
            raise BenchError(f"the target's stacks have {depth:.1f} frames, not 30")
        run(daemon.sonde("detach", "bench"))
        with started(["bpftrace", "-e",
                      f"profile:hz:{hz} {{ @[ustack(perf, 127), kstack(perf, 127)] = count(); }}"],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as peer:
            wait_until(lambda: has_program(peer.pid), 30, "bpftrace does not sample")
            theirs = a_sample(env, spin, peer.pid)
    return ours / 1000, theirs / 1000


def has_program(pid):
    try:
        return run_time(pid)[1] > 0
    except BenchError:
        return False


def depths(daemon, spin):
    """The mean number of user frames in the samples of the target."""
    reply = daemon.call("Stacks", query={"session": "bench", "kind": "cpu",
                                         "selectors": {"pids": [spin.pid]}})
    kinds = [frame["kind"] for frame in reply["frames"]]
    total = sum(stack["value"] for stack in reply["stacks"])
    return sum(stack["value"] * sum(kinds[i] == "user" for i in stack["frames"])
               for stack in reply["stacks"]) / max(total, 1)


def load(stack, env):
    """Real programs that keep all CPUs busy: redis under redis-benchmark, a query, short commands."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    port = "16399"
    stack.enter_context(started(["redis-server", "--port", port, "--save", "", "--dir", env.dir], **quiet))
    time.sleep(0.5)
    stack.enter_context(started(["redis-benchmark", "-p", port, "-l", "-q", "-c", "20"], **quiet))
    stack.enter_context(started(["sqlite3", ":memory:",
                                 "with recursive c(x) as (select 1 union all select x + 1 from c) "
                                 "select count(*) from c;"], **quiet))
    stack.enter_context(started([sys.executable, "-c", "while True: sum(i * i for i in range(1000))"],
                                **quiet))
    stack.enter_context(started(["sh", "-c", CHURN], **quiet))


def figures(env):
    for hz in (HZ, WARM_HZ):
        ours, theirs = bpf_part(env, hz)
        note = "caches and TLB warm" if hz == WARM_HZ else "cold caches: see other load"
        yield Figure(f"BPF part of a sample, 30 frames by tables, {hz} Hz", ours, "us", 6,
                     note=f"{note}; bpftrace, by frame pointers, {theirs:.1f} us")
    seconds = 10 if env.quick else 30
    with contextlib.ExitStack() as stack:
        load(stack, env)
        daemon = stack.enter_context(Daemon(env, "load"))
        run(daemon.sonde("attach", "-a", "-F", str(HZ), "--name", "bench"))
        time.sleep(3)
        cpu, begin = daemon.cpu_ns(), time.monotonic()
        time.sleep(seconds)
        share = (daemon.cpu_ns() - cpu) / (time.monotonic() - begin) / 1e7
        samples = daemon.call("Status")["sessions"][0]["samples"]
        rate = samples / (seconds + 3)
        yield Figure("sonded under load, of one core", share, "%", 1,
                     note=f"{rate:.0f} samples/s on {len(CPUS)} CPUs over {seconds} s")
        yield Figure("sonded under load, resident", daemon.resident_mib(), "MiB", 64)

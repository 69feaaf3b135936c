# SPDX-License-Identifier: GPL-2.0-or-later
"""Exports: how long 1,000,000 spans take in each format, from a recording to a file, and how much
memory the command and the daemon that reads the recording have at most."""

import os
import re
import subprocess

from common import BenchError, Daemon, Figure, measured, median, read_text, run, started, wait_until
from recording import SPANS, million

# Formats that have every span; pprof and the like are of what was added up.
EACH_SPAN = [("chrome", "t.json"), ("chrome, gzip", "t.json.gz"), ("speedscope", "t.speedscope.json"),
             ("otlp", "t.otlp.json"), ("otlp-proto", "t.otlp.pb"), ("dftracer", "t.pfw"),
             ("dftracer, gzip", "t.pfw.gz"), ("csv", "t.csv", "--answer", "spans"),
             ("json", "t.jsonl", "--answer", "spans"), ("prometheus", "t.prom")]
ADDED_UP = [("pprof", "t.pb.gz"), ("folded", "t.folded"), ("perf-script", "t.perf")]
SECONDS, MIB = 2, 64


def export(args, file):
    """Wall seconds, seconds of CPU and peak memory in MiB, of the command and of a daemon that it has
    started itself."""
    seconds, usage, _ = measured(args, stdout=subprocess.DEVNULL)
    if not os.path.getsize(file):
        raise BenchError(f"{' '.join(args)}: nothing was written")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def peak_mib(pid):
    return int(re.search(r"^VmHWM:\s*(\d+)", read_text(f"/proc/{pid}/status"), re.M).group(1)) / 1024


def replayed(env, path, file, more):
    """Peak memory of the command and of the daemon, each alone."""
    socket = os.path.join(env.dir, "replay.sock")
    with started([env.sonded, "--replay", path, "--socket", socket], stderr=subprocess.DEVNULL) as daemon:
        wait_until(lambda: os.path.exists(socket), 20, "sonded --replay")
        run([env.sonde, "list", "--socket", socket])
        command = export([env.sonde, "export", "-q", "--socket", socket, "-o", file, *more], file)[2]
        return command, peak_mib(daemon.pid)


def figures(env):
    path = os.path.join(env.dir, "export.sonde")
    with Daemon(env, "export") as daemon:
        million(env, daemon, path)
    for name, base, *more in EACH_SPAN + ADDED_UP:
        file = os.path.join(env.dir, base)
        taken = [export([env.sonde, "export", "-q", "-i", path, "-o", file, *more], file)
                 for _ in range(env.rounds)]
        size = os.path.getsize(file) / 2**20
        # On a machine that does something else the CPU time is what can be compared.
        yield Figure(f"sonde export, {name}, {SPANS} spans", median([t[0] for t in taken]), "s", SECONDS,
                     note=f"{min(t[1] for t in taken):.2f} s of CPU in both processes, {size:.0f} MiB")
        if name in ("chrome", "otlp-proto", "prometheus"):
            command, reader = replayed(env, path, file, more)
            yield Figure(f"  peak memory of the command, {name}", command, "MiB", MIB)
            yield Figure("  peak memory of the daemon", reader, "MiB", MIB)
        os.unlink(file)

# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon the command answers."""

import select
import subprocess
import threading
import time

from common import BenchError, Connection, Daemon, Figure, Spin, end_process, median, run


def timed(action, rounds):
    times = []
    for _ in range(rounds):
        begin = time.monotonic()
        action()
        times.append((time.monotonic() - begin) * 1000)
    return median(times)


def first_span(daemon, spin):
    """From the start of the command until the first line of its output."""
    begin = time.monotonic()
    trace = subprocess.Popen(daemon.sonde("trace", "-p", str(spin.pid), "spin_push"),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        if not select.select([trace.stdout], [], [], 20)[0] or not trace.stdout.readline():
            raise BenchError("sonde trace printed nothing")
        took = (time.monotonic() - begin) * 1000
        # Goes on reading, so that the command is never stuck in a full pipe.
        threading.Thread(target=trace.stdout.read, daemon=True).start()
        return took
    finally:
        end_process(trace)


def figures(env):
    rounds = 10 if env.quick else 30
    with Daemon(env, "command") as daemon:
        yield Figure("sonde --help", timed(lambda: run([env.sonde, "--help"]), rounds), "ms", 10)
        with Connection(daemon.socket) as c:
            yield Figure("status round trip at the socket",
                         timed(lambda: c.call("Status"), rounds), "ms", 10)
        yield Figure("sonde status --json", timed(lambda: run(daemon.sonde("status", "--json")), rounds),
                     "ms", 10)
        with Spin(env) as spin:
            # 1,000 calls a second for as long as the traces take.
            spin.tell(f"run spin_push 1000 {1000 * (8 + env.rounds)} 1")
            times = [first_span(daemon, spin) for _ in range(env.rounds)]
            yield Figure("first span of sonde trace", median(times), "ms", 300,
                         note=f"longest {max(times):.0f} ms")
            spin.process.kill()

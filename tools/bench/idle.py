# SPDX-License-Identifier: GPL-2.0-or-later
"""How often the daemon wakes up when nothing happens: voluntary context switches of its threads."""

import subprocess
import time

from common import Daemon, Figure, Spin, run, say


def wakeups(daemon, seconds):
    time.sleep(2)  # the drain timer backs off
    before = daemon.sleeps()
    begin = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    by_thread = {name: (count - before.get(name, 0)) / took
                 for name, count in daemon.sleeps().items()}
    say("  " + ", ".join(f"{name.split('/')[0]} {rate:.1f}/s" for name, rate in by_thread.items()))
    return sum(by_thread.values())


def figures(env):
    seconds = 5 if env.quick else 10
    with Daemon(env, "idle") as daemon, Spin(env) as spin:
        yield Figure("wakeups, no session", wakeups(daemon, seconds), "/s", 20)
        run(daemon.sonde("attach", "-p", str(spin.pid), "spin_*"))
        yield Figure("wakeups, idle session", wakeups(daemon, seconds), "/s", 20)
        with subprocess.Popen(daemon.sonde("trace", "-p", str(spin.pid), "spin_*"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as trace:
            yield Figure("wakeups, idle trace", wakeups(daemon, seconds), "/s", 20)
            trace.terminate()

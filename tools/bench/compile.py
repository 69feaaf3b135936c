# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon a condition of ten terms is live on a session that runs: compiled, loaded, in force."""

import time

from common import BenchError, Connection, Daemon, Figure, Spin, median, run

TERMS = ["duration > {n}ms", "ret >= 0", "arg0 > 4096", "arg1 != {n}", "depth < 30",
         "(arg2 & 0xff) == {n}", "self > 1us", "pid > 1", "(arg3 << 2) + 1 > {n}",
         'comm == "spin{n}"']


def condition(n):
    return " && ".join(TERMS).format(n=n + 1)


def replace(daemon, n):
    begin = time.monotonic()
    run(daemon.sonde("attach", "--name", "live", "--where", condition(n)))
    return (time.monotonic() - begin) * 1000


def at_socket(connection, n):
    begin = time.monotonic()
    connection.call("SetConditions", name="live", where=condition(n))
    return (time.monotonic() - begin) * 1000


def check_in_force(daemon, spin):
    """It is the condition that was set last which decides."""
    counts = []
    for where in ("duration < 10s", "duration > 10s"):
        run(daemon.sonde("attach", "--name", "live", "--where", where))
        before = seen(daemon)
        spin.ask("run spin_push 0 1000 1")
        time.sleep(0.3)
        counts.append(seen(daemon) - before)
    if counts != [1000, 0]:
        raise BenchError(f"{counts} calls passed the two conditions, not 1000 and 0")


def seen(daemon):
    return next(s["spans"] for s in daemon.call("List")["sessions"] if s["name"] == "live")


def figures(env):
    rounds = 10 if env.quick else 30
    with Daemon(env, "compile") as daemon, Spin(env) as spin:
        run(daemon.sonde("attach", "--name", "live", "-p", str(spin.pid), "--where", condition(0),
                         "spin_push"))
        check_in_force(daemon, spin)
        with Connection(daemon.socket) as connection:
            # What the round trip itself takes, so that a miss says whose it is.
            empty = median(round_trip(connection) for _ in range(rounds))
            times = [at_socket(connection, n) for n in range(rounds)]
        yield Figure("a condition of ten terms compiled, loaded and live", median(times), "ms", 5,
                     note=f"at the socket; List takes {empty:.2f} ms, the longest {max(times):.1f}")
        yield Figure("sonde attach --where on a live session",
                     median(replace(daemon, n) for n in range(rounds)), "ms", 20,
                     note="the whole command")


def round_trip(connection):
    begin = time.monotonic()
    connection.call("List")
    return (time.monotonic() - begin) * 1000

# SPDX-License-Identifier: GPL-2.0-or-later
"""sonde import of 1,000,000 events of a Chrome trace: seconds, and memory that does not grow."""

import os
import subprocess

from common import BenchError, Figure, measured, median

EVENTS = 1000000


def write_trace(path, events):
    """Pairs of a span and one in it, of four threads, as a tracer writes them."""
    with open(path, "w", encoding="utf-8") as f:
        f.write("[\n")
        for i in range(events // 2):
            at, tid = 1700000000000000 + 10 * i, i % 4
            f.write(f'{{"name":"outer{i % 50}","cat":"io","ph":"X","ts":{at}.123,"dur":8.5,'
                    f'"pid":1,"tid":{tid},"args":{{"i":{i}}}}},\n'
                    f'{{"name":"inner{i % 20}","cat":"io","ph":"X","ts":{at + 1}.25,"dur":4.25,'
                    f'"pid":1,"tid":{tid},"args":{{"i":{i}}}}},\n')


def import_once(env, path, events):
    """Seconds; CPU seconds; the peak of the larger of the two processes, in MiB."""
    seconds, used, said = measured([env.sonde, "import", path, "-o", path + ".sonde"],
                                   env={**os.environ, "SONDE_SONDED": env.sonded},
                                   stderr=subprocess.PIPE, text=True)
    if f"{events:,} spans" not in said:
        raise BenchError(f"import: {said[-400:]}")
    # What is waited for by the command, its sonded, counts with it.
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def figures(env):
    path = os.path.join(env.dir, "trace.json")
    write_trace(path, EVENTS // 4)
    small = import_once(env, path, EVENTS // 4)
    write_trace(path, EVENTS)
    runs = [import_once(env, path, EVENTS) for _ in range(env.rounds)]
    yield Figure(f"sonde import, {EVENTS:,} events", median([r[0] for r in runs]), "s", 5)
    yield Figure("its CPU time, and sonded's", median([r[1] for r in runs]), "s", 5)
    yield Figure("peak memory, per that of a quarter", max(r[2] for r in runs) / small[2], "times", 1.2,
                 note=f"{max(r[2] for r in runs):.0f} MiB")

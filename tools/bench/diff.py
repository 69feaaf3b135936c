# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparisons: how often two recordings of the same program set off a gate on one of its functions,
and how often a function that has become 10 % slower does.

Recordings of tests/workloads/wl_serve.c are made in turn as it is and with parse() 10 % slower. Each
of the former is compared with the next of its kind (A/A), and with the one in between (A/B). Whatever
else the machine does meanwhile is part of the measurement.
"""

import json
import os
import subprocess

from common import BenchError, Daemon, Figure, run, say

ROUNDS, QUICK_ROUNDS = 100, 10
SECONDS = "8"
SLOWER = "10"
# Any change that is significant, which is the strictest a gate can be; and one as people write them.
GATES = {"mean": "mean(parse) > +0%", "p50": "p50(parse) > +0%",
         "mean by 5 %": "mean(parse) > +5%", "p50 by 5 %": "p50(parse) > +5%",
         "p90": "p90(parse) > +0%", "p99": "p99(parse) > +0%"}


def build_workload(env):
    source = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), "tests", "workloads", "wl_serve.c")
    program = os.path.join(env.dir, "wl_serve")
    run(["gcc", "-O1", "-fno-omit-frame-pointer", "-o", program, source])
    return program


def record(env, daemon, program, path, *more):
    run(daemon.sonde("record", "-q", "-o", path, "parse", "--", program, "--seconds", SECONDS, *more))
    return path


def failed(env, before, after):
    """The gates that fail."""
    args = [env.sonde, "diff", before, after, "--json"]
    for gate in GATES.values():
        args += ["--fail-if", gate]
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, "SONDE_SONDED": env.sonded})
    if done.returncode not in (0, 1):
        raise BenchError(f"diff: exit {done.returncode}: {done.stderr.strip()[-400:]}")
    gates = json.loads(done.stdout)["gates"]
    undecided = [g["gate"] for g in gates if g["verdict"] == "undecided"]
    if undecided:
        raise BenchError(f"not judged: {undecided}")
    return {name for name, text in GATES.items()
            if any(g["gate"] == text and g["verdict"] == "failed" for g in gates)}


def figures(env):
    rounds = QUICK_ROUNDS if env.quick else ROUNDS
    program = build_workload(env)
    false, caught = dict.fromkeys(GATES, 0), dict.fromkeys(GATES, 0)
    with Daemon(env, "diff") as daemon:
        before = record(env, daemon, program, os.path.join(env.dir, "a0.sonde"))
        for i in range(1, rounds + 1):
            slow = record(env, daemon, program, os.path.join(env.dir, "b.sonde"), "--slower", SLOWER)
            after = record(env, daemon, program, os.path.join(env.dir, f"a{i}.sonde"))
            for name in failed(env, before, after):
                false[name] += 1
            for name in failed(env, before, slow):
                caught[name] += 1
            os.unlink(before)
            before = after
            if i % 10 == 0:
                say(f"  {i} of each: false {false}, caught {caught}")
    for name, gate in GATES.items():
        yield Figure(f"false alarms of {gate}", 100 * false[name] / rounds, "%", 5,
                     note=f"{false[name]} of {rounds}")
        # Tails are made of waiting for a CPU, which on a machine that is shared differs by more than
        # that from one recording to the next: nothing finds 10 % in them every time.
        if name.startswith(("p50", "mean")):
            yield Figure(f"+10 % caught by {gate}", 100 * caught[name] / rounds, "%", 95, least=True,
                         note=f"{caught[name]} of {rounds}")
        else:
            say(f"  +10 % caught by {gate}: {caught[name]} of {rounds}")

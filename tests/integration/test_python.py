#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Python frames of CPU samples are those that tests/workloads/planted.py has planted, with their
lines, and the native frames between them."""
import glob
import json
import os
import re
import sqlite3
import subprocess
import sys

import harness as h

PLANTED = str(h.ROOT / "tests/workloads/planted.py")
DEBIAN = "/usr/bin/python3"
SLOW = "SONDE_SLOW_MACHINE" in os.environ
FREQUENCY = 199 if SLOW else 997
MS, WARM_UP_MS = (1500, 8000) if SLOW else (300, 700)  # CPU time of each case
MIN_SAMPLES = 50
MIN_GOOD = 0.98
EVALUATION = "_PyEval_EvalFrameDefault"
KERNEL, SPECIAL, PYTHON = 1, 2, 8  # flags of files


def stacks_of(path):
    """(frames from the leaf on, count) of the recording's samples, without the kernel's frames; a
    frame is (function, line), line None: a native one."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    strings = dict(db.execute("SELECT id, value FROM string"))
    files = {i: (strings[p], f) for i, p, f in db.execute("SELECT id, path, flags FROM file")}
    symbols = dict(db.execute("SELECT id, name FROM symbol"))
    frames = {}
    for i, file, offset, function in db.execute("SELECT id, file, offset, function FROM frame"):
        flags = files[file][1] if file else 0
        frames[i] = (symbols.get(function, "?"), offset if flags & PYTHON else None,
                     bool(flags & KERNEL))
    parents = {i: (p, f) for i, p, f in db.execute("SELECT id, parent, frame FROM stack")}
    for row in h.run(h.SONDE, "sql", "-i", path, "--json",
                     "SELECT stack, sum(count) AS n FROM sample GROUP BY stack").json["rows"]:
        stack, count, out = row["stack"] or 0, row["n"], []
        while stack:
            stack, frame = parents[stack]
            if not frames[frame][2]:
                out.append(frames[frame][:2])
        yield out, count
    db.close()


def fits(case, frames):
    """None when frames are what the case says; else what is wrong with them."""
    at = 0

    def native():
        nonlocal at
        start = at
        while at < len(frames) and frames[at][1] is None:
            at += 1
        return [f for f, _ in frames[start:at]]

    native()
    for i, (name, lines) in enumerate(case["chain"]):
        if at == len(frames):
            return f"ends before {name}"
        if frames[at][0] != name:
            return f"{frames[at][0]} instead of {name}"
        if lines and frames[at][1] not in lines:
            return f"{name} at line {frames[at][1]}, not {lines}"
        at += 1
        between = case["between"][i] if i < len(case["between"]) else "?"
        names = native()
        if EVALUATION in names:
            return f"an evaluation behind {name}"
        if between == "" and names:
            return f"native frames behind {name}: {names}"
        # The function of a stripped file has no name: there is an address instead.
        if between not in ("", "?") and not names:
            return f"no native frames behind {name}"
        if between not in ("", "?", "*") and not any(
                between in n or n.startswith("?") for n in names):
            return f"no {between} behind {name}: {names}"
    return None if at == len(frames) else f"{frames[at][0]} behind the outermost"


def judge(cases, stacks):
    """For each case (right, {what is wrong: samples}); and how many samples are of no case."""
    verdicts = {case["case"]: [0, {}] for case in cases}
    others = total = 0
    for frames, n in stacks:
        python = {f for f, line in frames if line is not None}
        case = next((c for c in cases if c["chain"][0][0] in python), None)
        total += n
        if not case:
            others += n
            continue
        wrong = fits(case, frames)
        verdict = verdicts[case["case"]]
        if wrong is None:
            verdict[0] += n
        else:
            verdict[1][wrong] = verdict[1].get(wrong, 0) + n
    return verdicts, others, total


def check_planted(daemon, python):
    path = h.TMP / f"{python.replace('/', '-')}.sonde"
    out = daemon.sonde("record", "-F", FREQUENCY, "-o", path, "--", python, PLANTED, MS,
                       WARM_UP_MS).out
    cases = [json.loads(line) for line in re.findall(r'^\{"case".*$', out, re.M)]
    h.check(len(cases) > 10, f"{python} announced {len(cases)} cases: {out!r}")
    verdicts, others, total = judge(cases, list(stacks_of(path)))
    wrong, right, claimed = [], 0, 0
    for case, (good, bad) in verdicts.items():
        n = good + sum(bad.values())
        right, claimed = right + good, claimed + n
        if n < MIN_SAMPLES:
            wrong.append(f"{case}: {n} samples only")
        elif good < MIN_GOOD * n:
            worst = sorted(bad.items(), key=lambda b: -b[1])[:3]
            wrong.append(f"{case}: {good} of {n} right, wrong: {worst}")
    print(f"   {python}: {right} of {claimed} samples of the cases are right; {total} in all",
          file=sys.stderr)
    h.check(not wrong, f"{python}: " + " | ".join(wrong))
    # What is left is the warm-up, and the interpreter's own start and end.
    wanted = len(cases) * MS * FREQUENCY / 1000
    h.check(claimed > (0.5 if SLOW else 0.9) * wanted, f"{claimed} samples of cases, of some {wanted:.0f}")


@h.test(smoke=True, own_daemon=True)
def wrong_chains_are_told_from_right_ones():
    case = {"chain": [["leaf", [3, 4]], ["f", [7]], ["main", None]], "between": ["", "list_sort"]}
    tail = [("main", 9), ("start", None)]
    right = [[("leaf", 3), ("f", 7), ("list_sort_impl", None), *tail],
             [("free", None), ("leaf", 4), ("f", 7), ("x", None), ("list_sort", None), *tail],
             [("leaf", 3), ("f", 7), ("?", None), *tail]]
    wrong = [[("leaf", 5), ("f", 7), ("list_sort", None), *tail],
             [("leaf", 3), ("f", 8), ("list_sort", None), *tail],
             [("leaf", 3), ("x", None), ("f", 7), ("list_sort", None), *tail],
             [("leaf", 3), ("f", 7), *tail], [("leaf", 3), ("f", 7), ("x", None), *tail],
             [("leaf", 3), ("list_sort", None), *tail], [("leaf", 3), ("f", 7)],
             [("leaf", 3), ("f", 7), ("list_sort", None), *tail, ("main", 9)],
             [("leaf", 3), ("f", 7), (EVALUATION, None), ("list_sort", None), *tail]]
    for frames in right:
        h.equal(fits(case, frames), None, f"{frames}")
    for frames in wrong:
        h.check(fits(case, frames) is not None, f"{frames} was taken for right")


@h.test(smoke=True)
def planted_frames(daemon):
    if not os.path.exists(DEBIAN):
        raise h.Skip(f"{DEBIAN} is not installed")
    version = subprocess.run([DEBIAN, "-c", "import sys; print(*sys.version_info[:2])"],
                             capture_output=True, text=True, check=True).stdout.split()
    if not (3, 11) <= tuple(map(int, version)) <= (3, 14):
        raise h.Skip(f"{DEBIAN} is Python {'.'.join(version)}")
    check_planted(daemon, DEBIAN)


@h.test
def planted_frames_of_other_interpreters(daemon):
    found = sorted(p for minor in (11, 12, 13, 14)
                   for where in (os.path.expanduser("~/.pyenv/versions/*/bin"), "/usr/local/bin")
                   for p in glob.glob(f"{where}/python3.{minor}"))
    if not found:
        raise h.Skip("there are no others, in ~/.pyenv or /usr/local")
    for python in found:
        check_planted(daemon, python)


PROGRAM = """
import sys, time
def spin_live():
    end = time.thread_time() + 60
    while time.thread_time() < end:
        for i in range(300):
            i * i
def outer_live():
    spin_live()
print("ready", flush=True)
sys.stdin.readline()
outer_live()
"""


def live_program():
    path = h.TMP / "live.py"
    path.write_text(PROGRAM)
    p = h.spawn(DEBIAN, path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    h.equal(p.stdout.readline(), "ready\n", "the program's word")
    p.stdin.write("\n")
    p.stdin.flush()
    return p


@h.test(smoke=True)
def a_running_process_is_asked(daemon):
    """Names, files and no evaluation in the answers about a process that runs already."""
    p = live_program()
    daemon.sonde("attach", "-p", p.pid, "-F", 997, "--name", "live")
    h.wait_until(lambda: any(r["func"] == "spin_live" and r["self_samples"] > 100
                             for r in daemon.json("report", "--kind", "cpu", "--session", "live")["rows"]),
                 "samples of spin_live")
    rows = daemon.rows("--kind", "cpu", "--session", "live")
    h.equal(rows["spin_live"]["binary"], "live.py", "where it is from")
    reply = daemon.json("flame", "--session", "live", "--kind", "cpu")
    funcs = {(f["func"], f["binary"]) for f in reply["frames"]}
    for name in ("spin_live", "outer_live", "<module>"):
        h.check((name, "live.py") in funcs, f"{name} is not among {funcs}")
    daemon.sonde("detach", "live")
    h.stop(p)


@h.test
def stacks_of_spans_have_them(daemon):
    (h.TMP / "span.py").write_text(
        "import os, sys, time\ndef inner():\n    os.getppid()\ndef outer():\n    inner()\n"
        "print('ready', flush=True)\nsys.stdin.readline()\nfor i in range(220):\n    outer()\n"
        "    time.sleep(0.01 if i < 200 else 0)\n")
    p = h.spawn(DEBIAN, h.TMP / "span.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True)
    h.equal(p.stdout.readline(), "ready\n", "the program's word")
    trace = daemon.start("trace", "-p", p.pid, "--stack-if", "true", "--json", "--name", "spans",
                         "libc:getppid")
    h.wait_until(lambda: trace.poll() is not None or daemon.active("spans"), "session spans")
    p.communicate("\n", timeout=h.PATIENCE)
    spans = h.finish(trace).lines
    h.equal(len(spans), 220, "calls of getppid")
    # The first ones come before it is known how to unwind the program.
    for span in spans[200:]:
        stack = span["stack"]
        h.equal(stack[0], "getppid [libc.so.6]", "the leaf")
        h.equal([f for f in stack if "span.py" in f],
                ["inner [span.py:3]", "outer [span.py:5]", "<module> [span.py:9]"], "its callers")
        h.check(stack.index("inner [span.py:3]") > 1, f"nothing native before inner: {stack}")


@h.test
def programs_that_lie(daemon):
    """Whatever a process publishes, samples of it come, and the daemon goes on."""
    program = f"{h.WORKLOADS}/hostile/hx_python"
    if not os.path.exists(program):
        raise h.Skip(f"{program} is not built")
    for what in ("cycle", "texts", "threads", "refused", "nowhere"):
        path = h.TMP / f"lie-{what}.sonde"
        daemon.sonde("record", "-F", FREQUENCY, "-o", path, "--", program, what, 4 * MS)
        stacks = list(stacks_of(path))
        h.check(sum(n for _, n in stacks) > MIN_SAMPLES, f"{what}: too few samples")
        python = sum(n for frames, n in stacks if any(line is not None for _, line in frames))
        h.equal(python > 0, what not in ("refused", "nowhere"), f"{what}: {python} Python stacks")
        h.check(all(len(frames) <= 127 * 2 for frames, _ in stacks), f"{what}: endless stacks")
    checks = {c["name"]: c for c in daemon.json("doctor")["checks"]}
    h.check(not checks["python_frames"]["ok"], "the doctor finds nothing wrong")
    h.contains(checks["python_frames"]["detail"], "native frames only", "what it says")


h.main()

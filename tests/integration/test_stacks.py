#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks of CPU samples are those that the programs of tests/workloads/stacks have planted."""
import os
import re
import shutil

import harness as h
import stacks

# A guest that is emulated has few instructions between samples, and builds tables slowly.
SLOW = "SONDE_SLOW_MACHINE" in os.environ
FREQUENCY = 199 if SLOW else 997
MS = 700 if SLOW else 120  # of each case
WARM_UP_MS = 6000 if SLOW else 500


def planted_stacks(daemon, program, ms=MS, probes=()):
    binary = f"{h.WORKLOADS}/stacks/{program}"
    if not os.path.exists(binary):
        raise h.Skip(f"{binary} is not built")
    path = h.TMP / f"{program}.sonde"
    out = daemon.sonde("record", "-F", FREQUENCY, *probes, "-o", path, "--", binary, "--ms", ms,
                       "--warm-up", WARM_UP_MS).out
    cases = stacks.parse(out)
    h.check(cases, f"{program} announced no case: {out!r}")
    reply = daemon.json("flame", "-i", path, "--kind", "cpu", "--no-inline")
    wrong = stacks.what_is_wrong(cases, list(stacks.seen(reply)))
    h.check(not wrong, f"{program}: " + " | ".join(wrong))


def stack_counts(daemon, program):
    """How the stacks of a recording were found, as it says itself."""
    session = daemon.json("list", "-i", h.TMP / f"{program}.sonde")["sessions"][0]
    coverage = session["coverage"]
    for count in ("samples_partial", "samples_pointers"):
        h.between(coverage[count], 0, session["samples"], count)
    return coverage


@h.test(smoke=True, own_daemon=True)
def wrong_stacks_are_told_from_right_ones():
    cases = stacks.parse("stack a: a1;a2;*;a3;main\nstack b: b1;?;b2+;main\ndepth c1: 2\n"
                         "inlined a: a1;ai;a2;main\ndeep d: d1\n"
                         "stack e: e1;e2;main\nstack e: ?;e2;main\nstack f: f1;f2;*\n")
    start = ["__libc_start_call_main", "_start"]
    right = [["a1", "a2", "[libc+0x1]", "qsort", "a3", "main", *start],
             ["b1(int)", "[unknown]", "b2.cold", "b2", "main"], ["c1", "[p+0x1]", "main"],
             ["d1"] * stacks.LIMIT, ["e1", "e2", "main"], ["e1@plt", "e2", "main"], ["f1", "f2"],
             ["f1", "f2", "start_thread", "clone3"], ["clock", "a3", "main"], ["warm_up"]]
    wrong = [["a1", "a2", "a3", "main"], ["a1", "a2", "[libc+0x1]", "a3"], ["a1"],
             ["a1", "a2", "b2", "a3", "main"], ["a1", "a2", "x", "a3", "main", *start, "x", "x"],
             ["b1", "b2", "main"], ["b1", "x", "b2", "main"], ["b1", "[x]", "[x]", "b2", "main"],
             ["c1", "main"], ["c1", "[p+0x1]", "[p+0x2]", "main"], ["d1"] * (stacks.LIMIT - 1),
             ["e1@plt", "main"], ["e2", "e2", "main"], ["f2", "f1"], ["f1"], ["x"],
             ["f1", "f2", "x", "y", "z", "x"]]
    for names, is_right in [(n, True) for n in right] + [(n, False) for n in wrong]:
        # Two frames of the program itself above the libraries', for the case that counts them.
        frames = [(f, "p" if f != "main" else "l") for f in names]
        verdicts, strays = stacks.judge(cases, [(frames, 1)])
        bad = stacks.total(strays) + sum(stacks.total(v.bad) for v in verdicts.values())
        h.equal(bad, 0 if is_right else 1, f"wrong stacks in {names}")


@h.test
def c_at_every_level(daemon):
    planted_stacks(daemon, "st_matrix")


@h.test
def cpp_at_every_level(daemon):
    planted_stacks(daemon, "st_matrix_cpp")


@h.test
def virtual_calls_and_exceptions(daemon):
    # Of some samples in the unwinder nobody can know the callers, see there: two of 1000 are, and
    # 3 of 200 would be too many.
    planted_stacks(daemon, "st_cpp", ms=800)


@h.test
def frames_of_every_shape(daemon):
    planted_stacks(daemon, "st_frames")
    path, coverage = h.TMP / "st_frames.sonde", stack_counts(daemon, "st_frames")
    # Those of the recursion that is deeper than is kept; the tables have all of their frames.
    h.check(coverage["samples_partial"] >= stacks.MIN_SAMPLES, f"cut stacks: {coverage}")
    h.contains(daemon.sonde("report", "-i", path).err,
               f"sonde: the stacks of {coverage['samples_partial']:,} of ", "note below the report")


@h.test
def frames_by_clang(daemon):
    planted_stacks(daemon, "st_clang")


INLINED = ("inline_one", "inline_two", "inline_three")


def inlined_program(program):
    """A copy, as it is to be taken away."""
    binary = f"{h.WORKLOADS}/stacks/{program}"
    if not os.path.exists(binary):
        raise h.Skip(f"{binary} is not built")
    return shutil.copy(binary, h.TMP / f"{program}-inlined")


def check_inlined(daemon, program, out, where):
    cases = stacks.parse_inlined(out)
    h.check(cases, f"{program} announced no case of inlined functions: {out!r}")
    reply = daemon.json("flame", *where, "--kind", "cpu")
    verdicts, _ = stacks.judge(cases, list(stacks.seen(reply)))
    for case, (good, bad) in verdicts.items():
        n = good + stacks.total(bad)
        h.check(n >= stacks.MIN_SAMPLES, f"{program}: {case}: {n} samples only")
        h.check(good >= stacks.MIN_GOOD * n,
                f"{program}: {case}: {good} of {n} right, wrong are {stacks.worst(bad)}")
    for f in (f for f in reply["frames"] if f["func"].startswith("inline_")):
        h.equal(f.get("inlined", False), f["func"] in INLINED, f["func"])
        h.equal(os.path.basename(f["file"]), "st_frames.c", f["func"])
        h.check(f["line"] > 0, f)
    rows = daemon.json("graph", *where, "--kind", "cpu")["rows"]
    by_id = {r["id"]: r for r in rows}
    two = next(r for r in rows if r["func"] == "inline_two")
    h.equal((two["inlined"], by_id[two["parent"]]["func"]), (True, "inline_one"), "graph")
    rows = {r["func"]: r for r in daemon.json("report", *where, "--kind", "cpu")["rows"]}
    for func in INLINED:
        h.equal(rows[func]["inlined_samples"], rows[func]["samples"], f"report: {func}")
    h.check("inlined_samples" not in rows["main"], f"report: {rows['main']}")
    text = daemon.sonde("report", *where, "--kind", "cpu").out
    h.check(re.search(r" inline_three \(inlined\)", text), f"text of report: {text}")
    h.check(not re.search(r" main \(inlined\)", text), f"text of report: {text}")
    keys = {r["func"] for r in daemon.json("report", *where, "--kind", "cpu",
                                           "--no-inline")["rows"]}
    h.check("main" in keys and "inline_three" not in keys, "report --no-inline")


def inlined_recorded(daemon, program):
    """The recording has them: another file is where the program was."""
    binary, path = inlined_program(program), h.TMP / f"{program}-inlined.sonde"
    out = daemon.sonde("record", "-F", FREQUENCY, "-o", path, "--", binary, "--ms", MS,
                       "--warm-up", WARM_UP_MS).out
    os.unlink(binary)
    shutil.copy("/bin/true", binary)
    check_inlined(daemon, program, out, ("-i", path))


@h.test
def inlined_functions(daemon):
    inlined_recorded(daemon, "st_frames")


@h.test
def inlined_functions_by_clang(daemon):
    inlined_recorded(daemon, "st_clang")


@h.test
def inlined_functions_of_a_live_session(daemon):
    p = h.spawn(inlined_program("st_frames"), "--ms", MS, "--warm-up", WARM_UP_MS,
                stdout=h.subprocess.PIPE, text=True)
    daemon.sonde("attach", "-p", p.pid, "-F", FREQUENCY, "--name", "live-inlined")
    out = p.communicate(timeout=60)[0]
    daemon.sonde("detach", "live-inlined")
    check_inlined(daemon, "st_frames", out, ("--session", "live-inlined"))


@h.test
def signal_handlers(daemon):
    planted_stacks(daemon, "st_signals")


@h.test
def threads_and_coroutines(daemon):
    planted_stacks(daemon, "st_threads")


@h.test
def libraries(daemon):
    planted_stacks(daemon, "st_library")


@h.test
def frames_without_tables(daemon):
    planted_stacks(daemon, "st_middle")
    coverage = stack_counts(daemon, "st_middle")
    h.check(coverage["samples_pointers"] - coverage["samples_partial"] >= stacks.MIN_SAMPLES,
            f"whole stacks with some frames by frame pointers: {coverage}")


@h.test
def static(daemon):
    planted_stacks(daemon, "st_static")


@h.test
def static_pie(daemon):
    planted_stacks(daemon, "st_static_pie")


@h.test
def pie(daemon):
    planted_stacks(daemon, "st_pie")


@h.test
def no_pie(daemon):
    planted_stacks(daemon, "st_nopie")


@h.test
def no_eh_frame_hdr(daemon):
    planted_stacks(daemon, "st_nohdr")


@h.test
def stripped(daemon):
    planted_stacks(daemon, "st_stripped")


@h.test
def return_probes_are_seen_through(daemon):
    """Return addresses on the stack are those of the trampoline then."""
    planted_stacks(daemon, "st_pie", probes=("link_*", "drive"))
    planted_stacks(daemon, "st_matrix", probes=("top_*", "mid_*", "compare_*"))
    planted_stacks(daemon, "st_signals", probes=("raise_*", "on_raise"))


@h.test
def link_time_optimisation(daemon):
    planted_stacks(daemon, "st_lto")


h.main()

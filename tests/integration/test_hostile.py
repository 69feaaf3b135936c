#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that a tracer breaks easily, each probed on every function it has: the same output and
exit status as without, and the calls they say they made. tests/workloads/hostile has them."""
import collections
import itertools
import json
import os
import re
import shutil
import threading

import harness as h

HOSTILE = f"{h.WORKLOADS}/hostile"
STATUS = 42
PLUGIN = f"{HOSTILE}/libhx_plugin.so"
LIBC = ["libc:*", "ld-linux-x86-64:*"]


class Program:
    """name: of hx_NAME. libraries: specs of the second variant. lossy: functions whose calls may
    be lost, when that is said. refused: those that the kernel does not let be probed."""

    def __init__(self, name, *args, libraries=(), lossy=(), refused=(), own=()):
        self.args, self.lossy, self.refused = args, set(lossy), set(refused)
        self.title = "_".join([name, *(a for a in args if not a.startswith("-"))])
        self.path = f"{HOSTILE}/hx_{name}"
        self.own = ["*", *own]
        self.specs = {"own": self.own}
        if libraries:
            self.specs["all"] = self.own + list(libraries)
        self.cache = None

    def need(self):
        if not os.path.exists(self.path):
            raise h.Skip(f"{self.path} is not built")

    def unprobed(self):
        """What it prints, and that it ends as it is to."""
        self.need()
        if self.cache is None:
            self.cache = h.run(self.path, *self.args, status=STATUS).out
            h.check("checksum" in self.cache.splitlines()[-1], "the last line is a checksum")
        return self.cache

    def said(self, what):
        """Its lines "calls NAME N" or "unwound NAME N"."""
        words = [line.split() for line in self.unprobed().splitlines()]
        return {w[1]: int(w[2]) for w in words if w[0] == what}

    def start(self):
        self.unprobed()
        return h.Workload(self.title, *self.args, path=self.path)

    def end(self, workload):
        lines = workload.finish(status=STATUS).splitlines(keepends=True)
        h.equal("".join(line for line in lines if not line.startswith("half ")), self.unprobed(),
                "output while probed")


PROGRAMS = [
    Program("throw", libraries=[*LIBC, "libstdc++:*", "libgcc_s:*", "libm:*"]),
    Program("forced", libraries=[*LIBC, "libgcc_s:*"]),
    Program("longjmp", libraries=LIBC),
    # What was left for another coroutine may be lost; what never is in such a call may not.
    Program("coro", libraries=LIBC, lossy=["next", "body", "walk", "yield", "move_step",
                                           "drop_outer", "drop_inner"]),
    Program("go", lossy=["main.deep", "main.fail"]),
    Program("tail", libraries=LIBC, lossy=["even", "odd", "deepen", "bottom"]),
    Program("deep", libraries=LIBC, lossy=["dive", "ping", "pong", "hop"]),
    Program("altstack", libraries=LIBC),
    Program("exec", libraries=LIBC),
    Program("dlopen", libraries=LIBC, own=[f"uprobe:{PLUGIN}:*"]),
    Program("jit", libraries=LIBC),
    Program("seccomp", "--only", "strict", libraries=LIBC),
    Program("seccomp", "--only", "filter", libraries=LIBC),
    Program("text", libraries=LIBC, refused=["lock_first", "vex_first", "evex_first"]),
    Program("threads", libraries=[*LIBC, "libgcc_s:*"]),
    Program("replace", libraries=LIBC),
]
BY_TITLE = {p.title: p for p in PROGRAMS}
_names = itertools.count()


def new_name():
    return f"hostile-{next(_names)}"


def lost(daemon, name):
    session = daemon.session(name)
    return session["coverage"]["spans_lost"] + sum(loss["count"] for loss in session["losses"])


def check_calls(program, got, missing_allowed, left_out=frozenset()):
    """Every call the program says it made was seen, or, where that is let pass, lost and counted."""
    wanted = program.said("calls")
    missing = sum(n - got.get(f, 0) for f, n in wanted.items() if f in program.lossy)
    exact = set(wanted) - program.lossy - program.refused - left_out
    h.equal({f: got.get(f, 0) for f in exact}, {f: wanted[f] for f in exact}, "calls")
    h.check(missing <= missing_allowed, f"{missing} calls of {program.lossy} are missing, "
            f"but only {missing_allowed} are said to be lost")
    for f in program.lossy & set(wanted):
        h.check(got.get(f, 0) <= wanted[f], f"{f}: {got.get(f)} calls, not {wanted[f]}")


def trace(daemon, program, specs, *more, returned=None):
    """Traced from its gate: the spans. returned: --return."""
    how = ["--return", returned] if returned else []
    w = program.start()
    name = new_name()
    p = daemon.start("trace", "-p", w.pid, "--json", "--name", name, *how, *more, *specs)
    # Read at once: what nobody reads is not shown.
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(p.stdout.readlines()))
    reader.start()
    h.wait_until(lambda: p.poll() is not None or daemon.active(name), f"session {name}")
    w.go()
    program.end(w)
    reader.join(2 * h.PATIENCE)
    err = h.finish(p).err
    h.contains(err, " 0 not shown", "what trace says at its end")
    return [json.loads(line) for line in lines], int(
        re.search(r"([\d,]+) lost", err)[1].replace(",", ""))


def by_record(daemon, program, specs, own):
    out = h.TMP / f"{new_name()}.sonde"
    program.unprobed()
    result = daemon.sonde("record", "-o", out, *specs, "--", program.path, *program.args,
                          status=STATUS)
    h.equal(result.out, program.unprobed(), "output while recorded")
    if own:
        reply = daemon.json("report", "-i", out)
        missing = reply["coverage"]["spans_lost"]
        check_calls(program, {r["func"]: r["calls"] for r in reply["rows"]}, missing)


def by_trace(daemon, program, specs, own):
    spans, missing = trace(daemon, program, specs)
    if not own:
        return
    check_calls(program, collections.Counter(s["name"] for s in spans), missing)
    unwound = collections.Counter(s["name"] for s in spans if "unwound" in s["flags"])
    wanted = program.said("unwound")
    h.equal({f: unwound[f] for f in wanted}, wanted, "spans flagged as unwound")


def by_attach(daemon, program, specs, own):
    w = program.start()
    name = new_name()
    daemon.sonde("attach", "-p", w.pid, "--name", name, *specs)
    w.go()
    program.end(w)
    daemon.sonde("detach", name)
    if own:
        check_calls(program, daemon.calls("--session", name), lost(daemon, name))


def by_statistics(daemon, program, specs, own):
    """Another way to attach: entry and return in one link, where the kernel has that."""
    w = program.start()
    name = new_name()
    daemon.sonde("attach", "-p", w.pid, "--stats-only", "--name", name, *specs)
    w.go()
    program.end(w)
    daemon.sonde("detach", name)


def make_test(program, variant, mode):
    def run(daemon):
        try:
            mode(daemon, program, program.specs[variant], variant == "own")
        finally:
            daemon.detach_all()
    run.__name__ = f"{program.title}_{variant}_{mode.__name__}"
    h.test(run, smoke=(program.title, mode) in (("throw", by_trace), ("tail", by_attach)))


for a_program in PROGRAMS:
    for a_mode in (by_record, by_trace, by_attach):
        make_test(a_program, "own", a_mode)
    if a_program.title in ("throw", "forced", "coro", "go", "tail", "altstack", "seccomp_strict"):
        make_test(a_program, "own", by_statistics)
    # Most of the time here goes into attaching to all of libc: once by each way in.
    if "all" in a_program.specs:
        make_test(a_program, "all", by_record)
        make_test(a_program, "all", by_attach)


# What is known beyond the counts

def end_ns(span):
    return span["time_us"] * 1000 + span["duration_ns"]


@h.test(smoke=True)
def unwound_spans_end_at_the_catch(daemon):
    spans, _ = trace(daemon, BY_TITLE["throw"], ["*"])
    at = {name: sorted((s for s in spans if s["name"] == name), key=lambda s: s["time_us"])
          for name in ("outer", "middle", "inner", "caught", "later")}
    h.equal((len(at["caught"]), len(at["later"])), (50, 50), "handlers")
    for name in ("outer", "middle", "inner"):
        thrown = [s for s in at[name] if "unwound" in s["flags"]]
        h.equal(len(thrown), 50, f"unwound calls of {name}")
        for span, caught, later in zip(thrown, at["caught"], at["later"]):
            h.check(span["duration_ns"] >= 200_000, f"{name} worked 200 us before the throw: {span}")
            # Start times are in whole microseconds.
            h.check(end_ns(span) <= caught["time_us"] * 1000 + 2000,
                    f"{name} ends when it is caught: {span} {caught}")
            h.check(later["time_us"] * 1000 - end_ns(span) >= 1_000_000,
                    f"{name} ended 1 ms before the next call: {span} {later}")
    for s in at["outer"] + at["middle"] + at["inner"]:
        h.equal(s["depth"], {"outer": 1, "middle": 2, "inner": 3}[s["name"]] - 1 +
                min(x["depth"] for x in at["outer"]), f"depth of {s['name']}")


@h.test
def jumped_over_spans_end_before_the_next_call(daemon):
    spans, _ = trace(daemon, BY_TITLE["longjmp"], ["keep", "jump_over", "leap", "landed"])
    at = {name: sorted((s for s in spans if s["name"] == name), key=lambda s: s["time_us"])
          for name in ("keep", "jump_over", "leap", "landed")}
    for keep, over, leap, landed in zip(*at.values(), strict=True):
        for span in (over, leap):
            h.equal(span["flags"], ["unwound"], "flags")
            h.check(end_ns(span) <= landed["time_us"] * 1000 + 2000, f"{span} {landed}")
        h.equal((keep["flags"], keep["depth"], landed["depth"]), ([], 0, 1), "keep and landed")
        h.check(end_ns(keep) >= end_ns(landed) - 2000, "keep ends last")


@h.test(smoke=True)
def exceptions_have_type_and_message(daemon):
    spans, _ = trace(daemon, BY_TITLE["throw"], ["*"], "--exceptions")
    h.equal({tuple(s["flags"]) for s in spans}, {("unwound",)}, "flags")
    h.equal(collections.Counter(s["name"] for s in spans),
            {f: n for f, n in BY_TITLE["throw"].said("unwound").items() if n}, "unwound calls")
    types = {"re_inner": "int", "re_middle": "int", "re_outer": "int", "down": "char",
             "nest_inner": "long", "nest_throw": "Error", "nest_outer": "Error",
             "mid_throw": "Error"}
    for s in spans:
        h.equal(sorted(s.get("exception", {})), ["message", "type"], f"members of exception: {s}")
        h.equal(s["exception"]["type"], types.get(s["name"], "std::runtime_error"), s["name"])
    booms = [f"boom {i}" for i in range(0, 150, 3)]
    for name in ("inner", "middle", "outer"):
        thrown = sorted((s for s in spans if s["name"] == name), key=lambda s: s["time_us"])
        h.equal([s["exception"]["message"] for s in thrown], booms, f"messages of {name}")
    h.check(all(s["exception"]["message"] == "" for s in spans
                if types.get(s["name"], "Error") in ("int", "char", "long")), "no message")


@h.test
def exceptions_leave_out_what_returned(daemon):
    # A jump unwinds, too, without an exception.
    spans, _ = trace(daemon, BY_TITLE["longjmp"], ["*"], "--exceptions")
    wanted = {f: n for f, n in BY_TITLE["longjmp"].said("unwound").items() if n}
    h.equal(collections.Counter(s["name"] for s in spans), wanted, "calls")
    spans, _ = trace(daemon, BY_TITLE["jit"], ["*"], "--exceptions")
    h.equal(spans, [], "spans of a program where every call returns")


@h.test
def every_way_to_return_that_is_asked_for(daemon):
    for title, returned in (("throw", "sites"), ("longjmp", "uretprobe"), ("longjmp", "sites"),
                            ("tail", "sites"), ("altstack", "sites"), ("forced", "auto")):
        program = BY_TITLE[title]
        spans, missing = trace(daemon, program, ["*"], returned=returned)
        if (title, returned) == ("tail", "sites"):
            h.equal(missing, 0, "lost of tail calls, which end at the jump")
        # It jumps through memory: where to cannot be told beforehand, so it has no sites.
        left_out = {"choose"} if (title, returned) == ("tail", "sites") else set()
        check_calls(program, collections.Counter(s["name"] for s in spans), missing, left_out)
        unwound = collections.Counter(s["name"] for s in spans if "unwound" in s["flags"])
        wanted = program.said("unwound")
        h.equal({f: unwound[f] for f in wanted}, wanted, f"{title} by {returned}: unwound")
    error = daemon.error(2, "BadArgument", "trace", "-p", os.getpid(), "--return", "both", "libc:free")
    h.contains(error["message"], "uretprobe", "the choices are named")


@h.test
def the_way_to_return_is_shown_with_its_reason(daemon):
    for title, function, words in (
            ("throw", "middle", ("unwind", "exception", "throw")), ("go", "main.task", ("Go", "gorout")),
            ("coro", "grind", ("stack", "context")), ("altstack", "sig_inner", ("stack",))):
        program = BY_TITLE[title]
        w = program.start()
        probes = daemon.sonde("probes", "-p", w.pid, function)
        text = probes.out
        # What holds for all functions is said once, behind the table.
        h.check(any(word in probes.err for word in words), f"{title}: none of {words} in {probes.err!r}")
        h.check("site" in text, f"{title}: return sites are not named: {text!r}")
        w.go()
        program.end(w)


@h.test
def what_the_kernel_refuses_is_named(daemon):
    # No process maps the file yet, so nobody but sonde itself can say what will be refused.
    name = new_name()
    program = BY_TITLE["text"]
    reply = daemon.json("attach", "--name", name, f"uprobe:{program.path}:*_first")
    h.equal(h.run(program.path, status=STATUS).out, program.unprobed(), "output")
    daemon.sonde("detach", name)
    got = daemon.calls("--session", name)
    h.check(got.get("lock_first") == 40 or "lock_first" in str(reply["left_out"]),
            f"lock_first: no calls, and not left out: {got} {reply['left_out']}")
    h.equal((got.get("nop_first"), got.get("fall_first")), (40, 40), "calls of the others")


def inside(outer, inner):
    """Whether a span lies in another one. Start times are in whole microseconds."""
    return outer["time_us"] <= inner["time_us"] + 1 and end_ns(inner) <= end_ns(outer) + 2000


@h.test(smoke=True)
def goroutines_have_stacks_of_their_own(daemon):
    """Whatever thread runs them: main.part is always called by main.task, twice."""
    program = BY_TITLE["go"]
    spans, missing = trace(daemon, program, ["main.part", "main.task"])
    h.equal(missing, 0, "lost spans")
    at = {name: [s for s in spans if s["name"] == name] for name in ("main.part", "main.task")}
    h.equal((len(at["main.part"]), len(at["main.task"])), (3000, 1500), "calls")
    h.equal({tuple(s["flags"]) for s in spans}, {()}, "flags")
    h.equal({s["depth"] for s in at["main.task"]}, {0}, "depth of main.task")
    h.equal({s["depth"] for s in at["main.part"]}, {1}, "depth of main.part")
    h.check(len({s["tid"] for s in spans}) > 1, "several threads ran them")
    for task in at["main.task"]:
        h.check(sum(inside(task, part) for part in at["main.part"]) >= 2, f"{task} has two parts")


@h.test
def go_passes_arguments_in_registers_of_its_own(daemon):
    # main.task(10 g + i) calls main.part of that and of one more, for i from 0 to 4.
    for condition, calls in (("arg0 == 3", 2), ("arg0 == 2995", 1), ("arg0 < 100", 100),
                             ("ret == 22", 2)):
        spans, _ = trace(daemon, BY_TITLE["go"], ["main.part"], "--where", condition)
        h.equal(len(spans), calls, f"calls of main.part with {condition}")


@h.test
def go_stacks_that_grow_lose_no_call(daemon):
    """They are copied while main.deep is in its middle; the innermost calls are too deep."""
    spans, missing = trace(daemon, BY_TITLE["go"], ["main.deep"])
    depths = collections.Counter(s["depth"] for s in spans)
    h.equal(depths, {depth: 4 for depth in range(64)}, "calls at each depth")
    h.equal(missing, 2404 - 4 * 64, "lost")
    h.check(not any("unwound" in s["flags"] for s in spans), "all returned")


@h.test
def children_by_every_road_are_followed(daemon):
    program = BY_TITLE["exec"]
    spans, _ = trace(daemon, program, ["leaf", "spawn_*"])
    leaves = collections.Counter(s["pid"] for s in spans if s["name"] == "leaf")
    h.equal(sorted(leaves.values()), [5] * 40, "calls of leaf by child")


# Things that happen while it runs

@h.test
def attached_and_detached_while_it_runs(daemon):
    """Whatever a thread is in the middle of: entered before, returning after, and the reverse."""
    for title in ("throw", "tail", "coro", "altstack", "go", "threads"):
        program = BY_TITLE[title]
        program.unprobed()
        over = threading.Event()
        wrong = []

        def repeat(program=program, over=over, wrong=wrong):
            while not over.is_set() and not wrong:
                try:
                    h.equal(h.run(program.path, *program.args, status=STATUS).out,
                            program.unprobed(), f"{program.title}: output")
                except h.Failed as e:
                    wrong.append(e)
        runner = threading.Thread(target=repeat)
        runner.start()
        try:
            for _ in range(6):
                name = new_name()
                daemon.sonde("attach", "--name", name, f"uprobe:{program.path}:*")
                daemon.sonde("detach", name)
        finally:
            over.set()
            runner.join()
            daemon.detach_all()
        if wrong:
            raise wrong[0]


def copy_to_replace():
    program = BY_TITLE["replace"]
    program.need()
    folder = h.TMP / new_name()
    folder.mkdir()
    path, new = folder / "hx_replace", folder / "new"
    shutil.copy(program.path, path)
    shutil.copy(f"{HOSTILE}/hx_replace_new", new)
    return path, new


def check_the_new_one(path):
    wanted = h.run(f"{HOSTILE}/hx_replace_new", status=STATUS).out
    h.equal(h.run(path, status=STATUS).out, wanted, "output of the file that took its place")


@h.test
def replaced_while_attached(daemon):
    program = BY_TITLE["replace"]
    wanted = program.unprobed()
    for specs in (["-p", None, "*"], ["uprobe:{}:*"]):
        path, new = copy_to_replace()
        w = h.Workload("replace", path=path)
        name = new_name()
        specs = [str(w.pid) if s is None else s.format(path) for s in specs]
        daemon.sonde("attach", "--name", name, *specs)
        w.go()
        w.line("half")
        os.rename(new, path)
        check_the_new_one(path)
        w.go()
        h.equal(w.finish(status=STATUS), wanted, "output")
        daemon.sonde("detach", name)
        calls = daemon.calls("--session", name)
        h.equal((calls.get("rep_outer"), calls.get("rep_inner")), (500, 500), "calls")
        check_the_new_one(path)


@h.test
def replaced_before_it_is_attached(daemon):
    """What is on disk under its name is another program, whose functions lie elsewhere."""
    path, new = copy_to_replace()
    w = h.Workload("replace", path=path)
    os.rename(new, path)
    name = new_name()
    done = daemon.sonde("attach", "-p", w.pid, "--name", name, "*", status=None)
    check_the_new_one(path)
    w.go()
    w.line("half")
    w.go()
    h.equal(w.finish(status=STATUS), BY_TITLE["replace"].unprobed(), "output")
    if done.status:
        h.check(done.status in (1, 4) and "replace" in done.err, f"{done.status}: {done.err}")
        return
    daemon.sonde("detach", name)
    calls = daemon.calls("--session", name)
    h.equal((calls.get("rep_outer"), calls.get("rep_inner")), (500, 500), "calls")
    h.check("pad" not in calls, "functions of the other file")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""New processes, forks, threads, recursion, frames that are jumped over, libraries loaded late."""
import collections
import shutil

import time

import harness as h


def counts(spans, *keys):
    return dict(collections.Counter(tuple(s[k] for k in keys) if len(keys) > 1 else s[keys[0]]
                                    for s in spans))


def spans_of(daemon, name):
    return daemon.sonde("spans", "--session", name, "--json").lines


@h.test(smoke=True)
def a_file_covers_processes_to_come(daemon):
    daemon.sonde("attach", f"uprobe:{h.WORKLOADS}/wl_calls:beta", "--name", "file")
    pids = []
    for _ in range(3):
        w = h.Workload("calls", wait=False)
        pids.append(w.pid)
        w.finish()
    daemon.sonde("detach", "file")
    rows = daemon.rows("--session", "file", key="pid")
    h.equal([r["calls"] for r in rows.values()], [5000] * 3, "calls by process in the report")
    h.equal(counts(spans_of(daemon, "file"), "pid"), {p: 5000 for p in pids}, "calls by process")
    h.equal({s["comm"] for s in spans_of(daemon, "file")}, {"wl_calls"}, "comm")


@h.test(smoke=True)
def forks_are_followed(daemon):
    w = h.Workload("fork")
    daemon.sonde("attach", "-p", w.pid, "--name", "fork", "step", "leaf")
    w.go()
    children = w.line("forked")
    w.go()
    h.equal(w.line("execed"), children, "children")
    w.go()
    w.finish()
    daemon.sonde("detach", "fork")
    wanted = {(w.pid, "step"): 100}
    wanted.update({(c, "step"): 50 for c in children})
    wanted.update({(c, "leaf"): 25 for c in children})
    h.equal(counts(spans_of(daemon, "fork"), "pid", "name"), wanted, "calls")


@h.test
def forks_are_followed_without_gates(daemon):
    out = h.TMP / "fork.json"
    daemon.sonde("trace", "--json", "step", "leaf", "-o", out, "--", f"{h.WORKLOADS}/wl_fork")
    spans = [h.json.loads(line) for line in out.read_text().splitlines()]
    h.equal(counts(spans, "name"), {"step": 250, "leaf": 75}, "calls")
    h.equal(len({s["pid"] for s in spans}), 4, "processes")


@h.test(smoke=True)
def sampling_covers_short_processes(daemon):
    # A copy, so that the program is new to the daemon, and gone before anyone asks.
    program = h.TMP / "gone_short"
    shutil.copy(f"{h.WORKLOADS}/wl_short", program)
    daemon.sonde("attach", "-a", "-F", "499", "--name", "all")
    w = h.Workload("short", wait=False)
    w.finish()
    gone = h.Workload("short", path=program, wait=False)
    gone.finish()
    program.unlink()
    daemon.sonde("detach", "all")
    for pid, comm in ((w.pid, "wl_short"), (gone.pid, "gone_short")):
        rows = daemon.rows("--session", "all", "--kind", "cpu", "-p", str(pid))
        h.check("short_hot" in rows, f"{comm}: functions {list(rows)}")
        hot = rows["short_hot"]["self_samples"]
        total = sum(r["self_samples"] for r in rows.values())
        # Time that the hypervisor takes is charged to the process, and has no samples.
        h.between(hot, 3, 45, f"samples of 50 ms of {comm} at 499 Hz")
        h.check(hot > 0.5 * total, f"{comm}: {hot} of {total}")
        h.equal(list(daemon.rows("--session", "all", "--kind", "cpu", "-p", str(pid),
                                 key="comm")), [comm], "comm")
    comms = daemon.rows("--session", "all", "--kind", "cpu", key="comm")
    h.check(len(comms) > 2, f"the whole system: {list(comms)}")


@h.test(smoke=True)
def recursion(daemon):
    spans, err = daemon.trace(h.Workload("recurse"), "recurse", "fib", "ping", "pong")
    h.equal(counts(spans, "name"), {"recurse": 1050, "fib": 1973, "ping": 200, "pong": 200},
            "calls")
    h.equal(counts([s for s in spans if s["name"] == "recurse"], "depth"),
            {d: 50 for d in range(21)}, "depths of recurse")
    h.equal(max(s["depth"] for s in spans if s["name"] == "fib"), 14, "depth of fib")
    h.equal(counts([s for s in spans if s["name"] in ("ping", "pong")], "name", "depth"),
            {("pong" if d % 2 else "ping", d): 40 for d in range(10)}, "depths of ping and pong")
    h.contains(err, "3,423 spans, 0 not shown, 0 lost", "totals")


@h.test
def recursion_is_not_counted_twice(daemon):
    w = h.Workload("recurse")
    daemon.sonde("attach", "-p", w.pid, "--name", "rec", "recurse")
    w.go()
    w.finish()
    daemon.sonde("detach", "rec")
    report = daemon.json("report", "--session", "rec")
    row = report["rows"][0]
    h.equal(row["calls"], 1050, "calls")
    # Each call's self time once; a total of nested calls must not exceed the time that passed.
    outermost = sum(s["duration_ns"] for s in spans_of(daemon, "rec") if s["depth"] == 0)
    h.equal(row["self_ns"], outermost, "self time")
    h.equal(report["total_ns"], outermost, "total of the answer")


@h.test(smoke=True)
def threads(daemon):
    w = h.Workload("threads")
    spans, err = daemon.trace(w, "task")
    by_thread = counts(spans, "tid")
    h.equal(sorted(by_thread.values()), [1000] * 8, "calls by thread")
    h.check(w.pid not in by_thread, "the main thread calls none")
    h.equal({s["pid"] for s in spans}, {w.pid}, "pid")
    w = h.Workload("threads")
    daemon.sonde("attach", "-p", w.pid, "--name", "threads", "task")
    w.go()
    w.finish()
    daemon.sonde("detach", "threads")
    rows = daemon.json("report", "--session", "threads", "--by", "thread")["rows"]
    h.equal([r["calls"] for r in rows], [1000] * 8, "calls of each thread in the report")
    h.equal(len({r["thread"] for r in rows}), 8, "threads")
    h.equal({s["depth"] for s in spans}, {0}, "depth")
    h.contains(err, "8,000 spans, 0 not shown, 0 lost", "totals")


@h.test
def selectors_must_all_hold(daemon):
    w = h.Workload("calls")
    # Each call once, although both selectors name the process.
    daemon.sonde("attach", "-p", w.pid, "-c", "wl_*", "--name", "both", "beta")
    daemon.error(4, "NoSuchProcess", "attach", "-p", w.pid, "-c", "other*", "beta")
    w.go()
    w.finish()
    daemon.sonde("detach", "both")
    h.equal(daemon.rows("--session", "both")["beta"]["calls"], 5000, "calls")


@h.test
def processes_by_name_are_found_when_they_start(daemon):
    daemon.sonde("attach", "-c", "wl_calls", "--name", "named", f"uprobe:{h.WORKLOADS}/wl_calls:beta")
    w = h.Workload("calls")
    # It is a target from the moment its exec has been read on.
    h.wait_until(lambda: daemon.json("status")["daemon"]["processes"] > 0, "the exec to be read")
    time.sleep(0.2)
    w.go()
    w.finish()
    daemon.sonde("detach", "named")
    h.equal(daemon.rows("--session", "named")["beta"]["calls"], 5000, "calls")


@h.test
def threads_have_names_in_samples(daemon):
    w = h.Workload("hot", "--seconds", "1")
    daemon.sonde("attach", "-p", w.pid, "-F", "199", "--name", "names")
    w.go()
    w.finish()
    daemon.sonde("detach", "names")
    h.equal(list(daemon.rows("--session", "names", "--kind", "cpu", key="thread"))[0], "wl_hot",
            "thread")


@h.test(smoke=True)
def longjmp(daemon):
    spans, err = daemon.trace(h.Workload("longjmp"), "jump_outer", "jump_inner", "after_jump")
    h.equal(counts(spans, "name"), {"jump_outer": 200, "jump_inner": 200, "after_jump": 100},
            "calls")
    unwound = [s for s in spans if "unwound" in s["flags"]]
    h.equal(counts(unwound, "name"), {"jump_outer": 100, "jump_inner": 100}, "unwound")
    h.equal(counts(spans, "name", "depth"), {("jump_outer", 0): 200, ("jump_inner", 1): 200,
                                             ("after_jump", 0): 100}, "depths")
    h.contains(err, "500 spans, 0 not shown", "totals")


@h.test
def exceptions_do_not_harm_the_target(daemon):
    """A return probe on a function that an exception passes aborts the program (facts.md, trap 1):
    such functions are left out, or the user is told."""
    w = h.Workload("throw")
    p = daemon.start("trace", "-p", w.pid, "--json", "--name", "throw", "*caught*")
    h.wait_until(lambda: daemon.active("throw"), "the session")
    w.go()
    w.finish()
    h.equal(counts(h.finish(p).lines, "name").popitem()[1], 100, "calls of caught(int)")
    w = h.Workload("throw")
    reply = daemon.json("probes", "-p", w.pid, "*throw_outer*", status=None)
    text = h.json.dumps(reply)
    h.check(any(word in text for word in ("exception", "throw", "unwind")) and
            ("note" in text or "error" in reply), f"the danger is named: {text}")


@h.test(smoke=True)
def a_library_loaded_late(daemon):
    w = h.Workload("lib")
    lib = f"{h.WORKLOADS}/libwl.so"
    daemon.sonde("attach", "-p", w.pid, "--name", "late", f"uprobe:{lib}:wl_*")
    w.go()
    w.line("loaded")
    w.go()
    w.finish()
    daemon.sonde("detach", "late")
    calls = daemon.calls("--session", "late")
    calls.pop("wl_api_counts", None)
    h.equal(calls, {"wl_api_open": 10, "wl_api_read": 210, "wl_api_close": 10, "wl_fill": 200},
            "calls")
    rows = daemon.rows("--session", "late")
    h.equal(rows["wl_api_read"]["errors"], 10, "errors of wl_api_read")
    h.equal(rows["wl_fill"]["binary"], "libwl.so", "binary")


@h.test
def a_loaded_library_by_name(daemon):
    w = h.Workload("lib")
    w.go()
    w.line("loaded")
    spans, _ = daemon.trace(w, "libwl:wl_api_*", "libwl:wl_fill", "!wl_api_counts")
    h.equal(counts(spans, "name"),
            {"wl_api_open": 10, "wl_api_read": 210, "wl_api_close": 10, "wl_fill": 200}, "calls")
    h.equal({s["depth"] for s in spans if s["name"] == "wl_fill"}, {1}, "depth of wl_fill")


@h.test
def exec_during_a_session(daemon):
    """The same PID with another image: the old probes harm nothing, sampling goes on."""
    p = h.spawn("/bin/sh", "-c", f"read line; exec {h.WORKLOADS}/wl_calls", stdin=h.subprocess.PIPE)
    daemon.sonde("attach", "-p", p.pid, "--name", "exec", "libc:read",
                 f"uprobe:{h.WORKLOADS}/wl_calls:beta")
    p.stdin.write(b"go\n")
    p.stdin.close()
    h.equal(p.wait(h.PATIENCE), 0, "exit status of the target")
    daemon.sonde("detach", "exec")
    h.equal(daemon.calls("--session", "exec").get("beta"), 5000, "calls of beta after the exec")


h.main()

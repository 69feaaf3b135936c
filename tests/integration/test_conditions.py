#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions while calls are collected, against the planted answers of wl_args: as calls begin and
end, by the kernel and by the daemon, replaced while the program runs, and in recordings."""
import os

import harness as h

FAILED = {"open_table": 200}


def counted(daemon, *wishes):
    """Sessions side by side over one run: what each is attached with, and what it must count."""
    daemon.detach_all()
    w = h.Workload("args")
    for i, (_, *options) in enumerate(wishes):
        daemon.sonde("attach", "--name", f"c{i}", "-p", w.pid, *options)
    w.go()
    w.finish()
    for i, (wanted, *options) in enumerate(wishes):
        session = daemon.json("detach", f"c{i}")["session"]
        if isinstance(wanted, int):
            wanted = {options[-1]: wanted} if wanted else {}
        h.equal(daemon.calls("--session", f"c{i}"), wanted, f"calls with {options}")
        h.equal([x for x in session["losses"] if x["kind"] != "stack"], [], f"losses of {options}")
        daemon.sonde("detach", f"c{i}")


def where(function, **conditions):
    """wishes for counted(): conditions about one function."""
    return [(n, "--where", text, function) for text, n in conditions.items()]


def spans(daemon, *args):
    return daemon.sonde("spans", "--json", *args).lines


@h.test(smoke=True)
def results_and_arguments_decide(daemon):
    counted(daemon, *where("open_table", **{
        "ret < 0": 200,
        "ret == -2 || ret == -17": 100,
        "args.flags & CREATE": 100,
        "args.flags == RDONLY": 150,
        "args.flags == (RDONLY | CREATE)": 50,
        "args.flags in (RDONLY, 0)": 200,
        "args.name == NULL && error": 100,
        'str(args.name) == "orders"': 100,
        'str(args.name) =~ "*ers"': 200,
        '!(str(args.name) == "orders")': 300,
        'str(args.name) in ("customers", "invoices")': 150,
        "str(args.name) =~ /^(orders|invoices)$/": 150,
        'str(args.name) =~ "a-name-that-is-longer-than-the-sixty-four-bytes-that-are-kept*"': 50,
        "1000 / ret == 50": 1,
        "arg1 == 8 && depth == 0 && !unwound": 50,
        "false || ret > 396": 1}))


@h.test(smoke=True)
def what_pointers_point_to_decides(daemon):
    counted(daemon, *where("handle", **{
        "args.request->id >= 90": 10,
        "args.request.body.size > 5000": 49,
        "args.request->body->size > 4KiB && args.request->body->size <= 5000": 10,
        "args.request->urgent": 25,
        "args.request->kind == 98": 33,
        'str(args.request->method) == "PUT"': 20,
        'str(args.request->path) =~ "/api/*"': 50,
        "args.request->ports[2] == 8042": 1,
        "args.request->color == BLUE": 33,
        "args.request->body->parts == 31": 3,
        "args.request->body->last": 50,
        "ret == STATUS_FAILED": 10,
        "error && !args.request->urgent": 10}))


@h.test
def enums_and_arguments_on_the_stack_decide(daemon):
    counted(daemon,
            *where("mix", **{"ret == GREEN": 20, "args.deep": 30, "args.kind == 97": 3,
                             "args.color != ret": 0}),
            *where("weigh", **{"args.seventh == 70": 1, "args.seventh > 500": 8,
                               "args.eighth == -5": 1, "ret == 21 + args.seventh + args.eighth": 80}),
            *where("scale", **{"args.n >= 15": 5, "duration >= 0ns": 20}))


@h.test(smoke=True)
def callers_processes_and_users_decide(daemon):
    cgroup = open("/proc/self/cgroup").read().split("::")[1].split("\n")[0]
    counted(daemon, *where("lookup", **{
        f"uid == {os.getuid()}": 120,
        f"uid == {os.getuid() + 1}": 0,
        'comm == "wl_args" && binary == "wl_args"': 120,
        'comm =~ /^wl_.r/ && name == "lookup"': 120,
        "pid == tid && pid > 1": 120,
        "pid == 1": 0,
        f'cgroup == "{cgroup}"': 120,
        'cgroup =~ "/no/such/*"': 0,
        "depth == 0": 120}),
        ({"lookup": 50}, "--where", 'caller == "gate"', "lookup", "gate"),
        ({"lookup": 70, "gate": 25}, "--where", 'depth == 0', "lookup", "gate"),
        ({"lookup": 50}, "--where", "caller =~ /^ga/ && duration > 1ns", "lookup", "gate"))


@h.test(smoke=True)
def entries_decide(daemon):
    counted(
        daemon,
        (100, "--begin", 'str(args.name) == "orders"', "open_table"),
        (50, "--begin", 'str(args.name) == "orders"', "--where", "ret < 0", "open_table"),
        (20, "--begin", "args.key >= 50", "lookup"),
        ({"lookup": 50}, "--inside", "gate", "lookup"),
        ({"lookup": 10}, "--inside", "gate", "--where", "args.key < 10", "lookup"),
        # A function without that argument is left out.
        ({"gate": 5}, "--begin", "args.i < 5", "gate", "lookup"),
        # Refused calls are as if they were not probed: nothing is below them.
        ({"lookup": 120}, "--begin", 'name != "gate"', "--where", "depth == 0", "gate", "lookup"),
        (200, "--errors", "open_table"),
        (50, "--errors", "--where", "args.name != NULL && ret == -2", "open_table"),
        (10, "--errors", "handle"),
        ({"escape": 15, "leave": 15}, "--exceptions", "escape", "leave", "gate"),
        ({"escape": 15}, "--where", "unwound", "escape", "gate"))


@h.test(smoke=True)
def the_kernel_and_the_daemon_agree(daemon):
    """The same condition, put so that the kernel, the daemon or both decide it."""
    fails = "ret < 0 && args.flags & CREATE"
    ways = (f'str(args.name) == "orders" && {fails}', f"str(args.name) =~ /^orders$/ && {fails}",
            f'comm =~ /none/ || (str(args.name) == "orders" && {fails})')
    for text, kernel, its in zip(ways, (True, True, False), (False, True, True)):
        shown = daemon.json("probes", "--where", text,
                            f"uprobe:{h.WORKLOADS}/wl_args:open_table")["conditions"]
        h.equal([(c["option"], c["function"], bool(c["kernel"]), bool(c["daemon"])) for c in shown],
                [("where", "open_table", kernel, its)], text)
    w = h.Workload("args")
    for i, text in enumerate(ways):
        daemon.sonde("attach", "--name", f"way{i}", "--args", "-p", w.pid, "--where", text,
                     "open_table")
    w.go()
    w.finish()
    answers = []
    for i in range(len(ways)):
        daemon.sonde("detach", f"way{i}")
        answers.append([(s["call"], s["result"], s["depth"], s["flags"], s["tid"], s["ret"])
                        for s in spans(daemon, "--session", f"way{i}")])
    h.equal(answers[0], [("name=\"orders\", flags=RDONLY|CREATE", "-2 (ENOENT)", 0, ["error"], w.pid,
                          "0xfffffffe")] * 50, "what the kernel let through")
    h.check(answers[0] == answers[1] == answers[2], "the three differ")


@h.test(smoke=True)
def statistics_only(daemon):
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "few", "--stats-only", "--where", "ret < 0", "-p", w.pid,
                 "open_table", "handle")
    daemon.sonde("attach", "--name", "begun", "--stats-only", "--begin", "args.key < 7", "-p", w.pid,
                 "lookup")
    w.go()
    w.finish()
    for state in ("active", "closed"):
        rows = daemon.rows("--session", "few")
        h.equal({k: (r["calls"], r["errors"]) for k, r in rows.items()},
                {"open_table": (200, 200), "handle": (10, 10)}, f"while {state}")
        h.equal(daemon.calls("--session", "begun"), {"lookup": 14}, f"while {state}")
        if state == "active":
            daemon.sonde("detach", "few")
            daemon.sonde("detach", "begun")
    h.equal(daemon.session("few")["losses"], [], "losses")


@h.test(smoke=True)
def conditions_are_replaced_while_the_program_runs(daemon):
    w = h.Workload("args", "--rounds", "4")
    rounds = ('args.flags == (RDONLY | CREATE)', 'str(args.name) == "customers" && ret < 0',
              "str(args.name) =~ /^inv/")

    def settled(spans):
        h.wait_until(lambda: daemon.session("live")["spans"] >= spans, f"{spans} spans")

    daemon.sonde("attach", "--name", "live", "-p", w.pid, "--args", "--where", rounds[0],
                 "open_table")
    w.go()
    w.line("round")
    settled(50)
    for i, text in enumerate(rounds[1:], 2):
        reply = daemon.sonde("attach", "--name", "live", "--where", text)
        h.contains(reply.out, "live: 1 probe", "what it says")
        w.go()
        w.line("round")
        settled(50 * i)
    # None is a condition, too: one that holds for every call.
    daemon.sonde("attach", "--name", "live", "--begin", "true")
    w.go()
    w.finish()
    daemon.sonde("detach", "live")
    h.equal(daemon.calls("--session", "live"), {"open_table": 50 + 50 + 50 + 400}, "calls of all rounds")
    got = spans(daemon, "--session", "live")
    h.equal([s["result"] for s in got[:100]], ["-2 (ENOENT)"] * 50 + ["-17 (EEXIST)"] * 50,
            "the first two rounds")
    h.check(all(int(s["ret"], 16) % 8 == 2 for s in got[100:150]), "the third round")
    # What was captured for one condition is kept with its spans when another has replaced it.
    for text, calls in (('str(args.name) == "customers"', 50 + 50 * 2),
                        ("args.flags == (RDONLY | CREATE)", 50 + 50),
                        ("str(args.name) =~ /^inv/", 50 + 50), ("ret == -17", 50 + 50)):
        h.equal(daemon.calls("--session", "live", "--where", text), {"open_table": calls}, text)


@h.test
def what_cannot_be_replaced(daemon):
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "cheap", "-p", w.pid, "open_table")
    error = daemon.error(2, "BadArgument", "attach", "--name", "cheap", "--where", "ret < 0")
    h.contains(error["message"], "without a condition", "why")
    h.contains(error["fix"], "sonde detach cheap", "what to do")
    daemon.sonde("attach", "--name", "rich", "-p", w.pid, "--where", "ret < 0", "open_table")
    wrong = daemon.error(2, "BadCondition", "attach", "--name", "rich", "--where", "args.nam == 1")
    h.contains(wrong["message"], "no argument nam; it has name, flags", "names")
    daemon.error(2, "BadArgument", "attach", "--name", "rich", "--where", "offcpu_time > 1ms")
    daemon.error(4, "NoSuchSession", "attach", "--name", "nobody", "--where", "ret < 0")
    w.go()
    w.finish()
    daemon.sonde("detach", "cheap")
    daemon.sonde("detach", "rich")
    h.equal(daemon.calls("--session", "cheap"), {"open_table": 400}, "it went on as it was")
    h.equal(daemon.calls("--session", "rich"), FAILED, "what was refused has changed nothing")
    daemon.error(2, "BadArgument", "attach", "--name", "rich", "--where", "ret < 0")


@h.test(smoke=True)
def recordings_hold_what_passed(daemon):
    path = h.TMP / "failed.sonde"
    daemon.sonde("record", "--where", "ret < 0", "--args", "-o", path, "open_table", "handle", "--",
                 f"{h.WORKLOADS}/wl_args")
    both = {"open_table": 200, "handle": 10}
    h.equal(daemon.calls("-i", path), both, "report")
    h.equal(daemon.calls("-i", path, "--where", "ret == -2 || ret == -1"),
            {"open_table": 50, "handle": 10}, "report of some")
    h.contains(daemon.sonde("report", "-i", path, "--where", "ret == STATUS_FAILED").err,
               "the condition means nothing in open_table", "a name of one result only")
    tree = daemon.json("graph", "-i", path, "--where", 'str(args.name) == "orders"')["rows"]
    h.equal([(r["func"], r["calls"]) for r in tree], [("open_table", 50)], "graph")
    rows = spans(daemon, "-i", path, "--where", "args.flags & EXCL")
    h.equal([(s["call"], s["result"]) for s in rows],
            [('name="customers", flags=CREATE|EXCL', "-17 (EEXIST)")] * 50, "spans")
    h.equal(daemon.calls("-i", path, "--where", "ret >= 0"), {}, "what was not recorded")


@h.test(smoke=True)
def time_on_and_off_the_cpu(daemon):
    """Each nap sleeps for 20 ms, each burn takes 20 ms of CPU time, however busy the machine is."""
    path = h.TMP / "times.sonde"
    w = h.Workload("args")
    for name, text in (("off", "offcpu_time >= 20ms && cpu_time < 10ms"), ("on", "cpu_time >= 19ms"),
                       ("sum", "cpu_time + offcpu_time == duration")):
        daemon.sonde("attach", "--name", name, "-p", w.pid, "--where", text, "nap", "burn")
    w.go()
    w.finish()
    for name, wanted in (("off", {"nap": 10}), ("on", {"burn": 10}), ("sum", {"nap": 10, "burn": 10})):
        daemon.sonde("detach", name)
        got = daemon.calls("--session", name)
        if name == "off":  # a burn that never ran is none, but a machine can be that busy
            got.pop("burn", None)
        h.equal(got, wanted, name)
    rows = spans(daemon, "--session", "sum")
    h.check(all(s["offcpu_ns"] >= 20_000_000 for s in rows if s["name"] == "nap"), "offcpu_ns")
    daemon.sonde("record", "--where", "offcpu_time >= 0ns", "-o", path, "nap", "burn", "--",
                 f"{h.WORKLOADS}/wl_args")
    h.equal(daemon.calls("-i", path, "--where", "cpu_time >= 19ms"), {"burn": 10}, "of a recording")


@h.test(smoke=True)
def stacks_of_some_calls(daemon):
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "stacks", "-p", w.pid, "--stack-if", "args.key == 13", "lookup")
    w.go()
    w.finish()
    daemon.sonde("detach", "stacks")
    rows = spans(daemon, "--session", "stacks")
    h.equal(len(rows), 120, "spans")
    with_stack = [s["stack"] for s in rows if "stack" in s]
    h.equal([s[:3] for s in with_stack],
            [["gate [wl_args]", "call_the_rest [wl_args]", "main [wl_args]"],
             ["call_the_rest [wl_args]", "main [wl_args]"] + with_stack[1][2:3]], "stacks")
    text = daemon.sonde("spans", "--session", "stacks").out.splitlines()
    h.equal(sum("main [wl_args]" in line for line in text), 2, "stacks as text")


@h.test
def exceptions_have_their_types(daemon):
    w = h.Workload("throw")
    got, _ = daemon.trace(w, "--exceptions", "*throw_*")
    h.equal({s["name"].split("(")[0]: s["exception"]["type"] for s in got},
            {"throw_inner": "int", "throw_middle": "int", "throw_outer": "int"}, "exceptions")
    h.equal(len(got), 300, "spans")


@h.test(smoke=True)
def refusals(daemon):
    target = f"uprobe:{h.WORKLOADS}/wl_args:open_table"
    for verb in ("probes", "trace", "record", "attach"):
        more = ("-o", h.TMP / "none.sonde") if verb == "record" else ()
        wrong = daemon.error(2, "BadCondition", verb, *more, "--where", "duration > 10", target)
        h.contains(wrong["message"], "column 12", "where")
        h.contains(wrong["fix"], "10ms", "what to write")
    h.contains(daemon.sonde("trace", "--where", "duration > 10", target, status=2).err,
               "\n  duration > 10\n             ^\n", "a mark")
    h.contains(daemon.error(2, "BadCondition", "trace", "--where", "args.nme == NULL", target)
               ["message"], "no argument nme; it has name, flags", "names")
    h.contains(daemon.error(2, "BadCondition", "trace", "--begin", "ret < 0", target)["message"],
               "--begin", "no result yet")
    h.contains(daemon.error(2, "BadCondition", "trace", "--stack-if", "comm =~ /x/", target)
               ["message"], "--stack-if is decided in the kernel", "a regular expression")
    h.contains(daemon.error(2, "BadCondition", "trace", "--begin", "comm =~ /x/", target)
               ["message"], "--begin is decided in the kernel", "a regular expression")
    h.contains(daemon.error(2, "BadCondition", "trace", "--where", "args.factor > 1",
                            f"uprobe:{h.WORKLOADS}/wl_args:scale")["message"],
               "vector register", "floating point")
    daemon.error(2, "BadArgument", "attach", "-p", os.getpid(), "--where", "depth == 0", "-F", "9")
    daemon.error(2, "BadArgument", "attach", "--stats-only", "--stack-if", "depth == 0", target)


h.main()

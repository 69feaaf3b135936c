#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Code that a program makes while it runs has names: from perf maps and jitdump files, of planted
programs (wl_jit), Node and a JVM."""
import collections
import os
import pathlib
import re
import shutil
import subprocess

import harness as h

FREQUENCY = 499
MS = 600
MIN_SAMPLES = 100
WL = f"{h.WORKLOADS}/wl_jit"
NAMED = ["jit_leaf", "inner", "JS:~outer a.js:1", "run", "phase_one", "main"]


def remove_map(pid):
    pathlib.Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


def user_stacks(daemon, *args):
    """User frames from the leaf on, with how often."""
    reply = daemon.json("flame", "--kind", "cpu", *args)
    frames = reply["frames"]
    for stack in reply["stacks"]:
        names = [frames[i]["func"] for i in reversed(stack["frames"]) if frames[i]["kind"] == "user"]
        yield names, stack["value"]


def of(stacks, function):
    """Those with that function in them; there must be some."""
    mine = [(names, n) for names, n in stacks if function in names]
    total = sum(n for _, n in mine)
    h.check(total >= MIN_SAMPLES, f"{total} samples of {function}: {list(stacks)[:5]}")
    return mine, total


def share(stacks, chain, at_least, what):
    """The share of stacks that have these frames one behind the other."""
    total = sum(n for _, n in stacks)
    bad = collections.Counter()
    for names, n in stacks:
        if not any(names[i:i + len(chain)] == chain for i in range(len(names))):
            bad[";".join(names[:8])] += n
    wrong = sum(bad.values())
    h.check(wrong <= (1 - at_least) * total,
            f"{what}: {wrong} of {total} are not {';'.join(chain)}: {bad.most_common(3)}")


def record(daemon, *command, cwd=None):
    path = h.TMP / "jit.sonde"
    daemon.sonde("record", "-F", FREQUENCY, "-o", path, "--", *command, cwd=cwd)
    for row in daemon.json("report", "-i", path, "--kind", "cpu", "--by", "pid")["rows"]:
        remove_map(str(row["pid"]).split()[0])
    return list(user_stacks(daemon, "-i", path))


def planted(stacks):
    """In the leaf and in the code that has no file itself. The first samples may have been taken
    before unwind tables were there, which is no matter here: all has frame pointers."""
    leaf, _ = of(stacks, "jit_leaf")
    share(leaf, NAMED, 0.99, "stacks of jit_leaf")
    inner = [(names, n) for names, n in stacks if "phase_one" in names and
             ("inner" in names[:1] or names[0].startswith("["))]
    h.check(sum(n for _, n in inner) >= MIN_SAMPLES / 5, f"code in memory is a leaf, too: {inner}")
    share(inner, NAMED[1:], 0.97, "stacks of inner")


@h.test(smoke=True)
def a_perf_map_names_code_while_it_runs_and_later(daemon):
    w = h.Workload("jit", "--ms", 3 * MS, "map")
    h.at_end(remove_map, w.pid)
    daemon.sonde("attach", "-p", w.pid, "-F", FREQUENCY, "--name", "live")
    w.go()
    h.wait_until(lambda: sum(n for names, n in user_stacks(daemon, "--session", "live")
                             if "jit_leaf" in names) >= MIN_SAMPLES, "samples")
    planted(list(user_stacks(daemon, "--session", "live")))
    w.finish()
    remove_map(w.pid)
    planted(list(user_stacks(daemon, "--session", "live")))
    rows = daemon.rows("--session", "live", "--kind", "cpu")
    h.check("JS:~outer a.js:1" in rows and "inner" in rows, f"rows: {list(rows)}")
    h.equal(rows["inner"]["binary"], "[jit]", "binary")
    daemon.sonde("detach", "live")


@h.test(smoke=True)
def a_recording_has_the_names(daemon):
    for mode in ("map", "dump"):
        stacks = record(daemon, WL, "--ms", MS, mode, cwd=h.TMP)
        planted(stacks)


@h.test
def a_map_that_is_written_at_the_end_names_what_was_before(daemon):
    planted(record(daemon, WL, "--ms", 2 * MS, "late"))


@h.test
def without_a_map_there_is_no_name(daemon):
    stacks = record(daemon, WL, "--ms", MS, "none")
    leaf, _ = of(stacks, "jit_leaf")
    for names, _ in leaf:
        h.check(not {"inner", "JS:~outer a.js:1"} & set(names), f"{names}")
    shown = [(["[anon]" if name.startswith("[anon+0x") else name for name in names], n)
             for names, n in leaf]
    share(shown, ["jit_leaf", "[anon]", "[anon]", "run"], 0.99, "what has no name")


@h.test(smoke=True)
def code_that_was_replaced_is_named_by_time(daemon):
    stacks = record(daemon, WL, "--ms", MS, "replace", cwd=h.TMP)
    for phase, name in (("phase_one", "one"), ("phase_two", "two")):
        leaf = [(names, n) for names, n in of(stacks, phase)[0] if names[0] == "jit_leaf"]
        share(leaf, ["jit_leaf", f"inner_{name}", f"outer_{name}", "run", phase], 0.95, phase)


@h.test
def later_lines_of_a_map_win(daemon):
    stacks = record(daemon, WL, "--ms", MS, "append")
    # A map has no times: what it says at the moment is taken, a moment after the sample.
    for phase, name, at_least in (("phase_one", "one", 0.5), ("phase_two", "two", 0.7)):
        leaf = [(names, n) for names, n in of(stacks, phase)[0] if names[0] == "jit_leaf"]
        share(leaf, ["jit_leaf", f"inner_{name}", f"outer_{name}", "run", phase], at_least, phase)


@h.test
def another_pid_and_mount_namespace(daemon):
    unshare = h.need("unshare")
    if subprocess.run([unshare, "-pmf", "--mount-proc", "true"], check=False).returncode:
        raise h.Skip("namespaces cannot be made here")
    binary = shutil.copy(WL, h.TMP / "wl_in_box")
    box = h.TMP / "box"
    box.mkdir()
    # Its /tmp is another one, and there it is process 1. What the host has of that name is not it.
    lie = "/tmp/perf-1.map"
    if not os.path.exists(lie):
        with open(lie, "w", encoding="ascii") as f:
            f.write("0 7fffffffffff a_lie\n")
        h.at_end(os.unlink, lie)
    script = (f"cp {binary} {box}/wl && mount --bind {box} /tmp && "
              f"exec /tmp/wl --ms {MS} map")
    stacks = record(daemon, unshare, "-pmf", "--mount-proc", "sh", "-c", script)
    planted(stacks)
    h.check((box / "perf-1.map").exists(), "the map was written in the box")


@h.test
def two_processes_at_the_same_addresses(daemon):
    script = h.TMP / "fixed"
    script.write_text(f"#!/bin/sh\nexec {h.need('setarch')} -R {WL} \"$@\"\n")
    script.chmod(0o755)
    one, two = [h.Workload("jit", "--ms", MS, mode, path=script) for mode in ("map", "append")]
    for w in (one, two):
        h.at_end(remove_map, w.pid)
    daemon.sonde("attach", "-p", one.pid, "-p", two.pid, "-F", FREQUENCY, "--name", "same")
    for w in (one, two):
        w.go()
    for w in (one, two):
        w.finish()
    starts = {open(f"/tmp/perf-{w.pid}.map", encoding="ascii").read().split()[0]
              for w in (one, two)}
    if len(starts) > 1:
        raise h.Skip("addresses cannot be made the same here")
    planted(list(user_stacks(daemon, "--session", "same", "-p", one.pid)))
    leaf, _ = of(list(user_stacks(daemon, "--session", "same", "-p", two.pid)), "jit_leaf")
    h.check(not any({"inner", "JS:~outer a.js:1"} & set(names) for names, _ in leaf),
            f"names of the other process: {leaf[:3]}")
    daemon.sonde("detach", "same")


@h.test
def a_map_that_is_not_the_process_own_is_refused(daemon):
    w = h.Workload("jit", "--ms", 2 * MS, "none")
    path = f"/tmp/perf-{w.pid}.map"
    h.at_end(remove_map, w.pid)
    with open(path, "w", encoding="ascii") as f:
        f.write("0 7fffffffffff a_lie\n")
    os.chown(path, 12345, 12345)
    daemon.sonde("attach", "-p", w.pid, "-F", FREQUENCY, "--name", "refused")
    w.go()
    w.finish()
    stacks = list(user_stacks(daemon, "--session", "refused"))
    daemon.sonde("detach", "refused")
    of(stacks, "jit_leaf")
    h.check(not any("a_lie" in names for names, _ in stacks), f"{stacks[:5]}")
    h.contains(daemon.log.read_text(), f"process {w.pid} is not read: it belongs to another user",
               "the daemon's log")


HOT = """
function leafHot(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) | 0; return x; }
function middleHot(n) { return leafHot(n) + 1; }
function outerHot(n) { return middleHot(n) + 1; }
function spend(ms) {
  const end = process.cpuUsage().user + ms * 1000;
  let r = 0;
  while (process.cpuUsage().user < end) for (let i = 0; i < 20; i++) r += outerHot(20000);
  return r;
}
spend(500);                       // everything that is worth it has been optimised by now
function hotPhase() { return spend(1200); }
hotPhase();
"""


def node(*options):
    """Functions are kept apart, as an optimising compiler would make one of them."""
    return [h.need("node"), "--no-turbo-inlining", *options, str(h.TMP / "hot.js")]


def javascript(names):
    """A stack's JavaScript functions, without how they are compiled and where they are."""
    found = [re.fullmatch(r"(?:JS:|Function:|LazyCompile:)?[*~^+]?'?(\w+)'?(?: .*)?", name)
             for name in names]
    return [m[1] for m in found if m and m[1] in ("leafHot", "middleHot", "outerHot", "spend",
                                                  "hotPhase")]


def planted_javascript(stacks):
    mine = [(javascript(names), n) for names, n in stacks if any("hotPhase" in x for x in names)]
    total = sum(n for _, n in mine)
    h.check(total >= MIN_SAMPLES, f"{total} samples of hotPhase: {stacks[:5]}")
    hot = [(names, n) for names, n in mine if "leafHot" in names]
    h.check(sum(n for _, n in hot) >= 0.9 * total, f"most of it is in leafHot: {mine[:5]}")
    share(mine, ["leafHot", "middleHot", "outerHot", "spend", "hotPhase"], 0.95, "JavaScript")


@h.test
def node_with_a_perf_map(daemon):
    (h.TMP / "hot.js").write_text(HOT)
    planted_javascript(record(daemon, *node("--perf-basic-prof", "--interpreted-frames-native-stack"),
                              cwd=h.TMP))


@h.test
def node_with_a_jitdump(daemon):
    (h.TMP / "hot.js").write_text(HOT)
    planted_javascript(record(daemon, *node("--perf-prof", "--interpreted-frames-native-stack"),
                              cwd=h.TMP))


JAVA = """
import java.lang.management.ManagementFactory;
class Hot {
  static int leafHot(int n) { int x = 0; for (int i = 0; i < n; i++) x = x * 31 + i; return x; }
  static int middleHot(int n) { return leafHot(n) + 1; }
  static int outerHot(int n) { return middleHot(n) + 1; }
  static int spend(long ms) {
    var clock = ManagementFactory.getThreadMXBean();
    long end = clock.getCurrentThreadCpuTime() + ms * 1000000;
    int r = 0;
    while (clock.getCurrentThreadCpuTime() < end) for (int i = 0; i < 20; i++) r += outerHot(20000);
    return r;
  }
  public static void main(String[] args) throws Exception {
    int r = spend(1500);
    System.out.println("ready " + ProcessHandle.current().pid());
    System.in.read();
    System.out.println("over " + ((r + spend(1500)) & 1));
    System.in.read();
  }
}
"""


@h.test
def a_jvm_with_a_perf_map(daemon):
    tools = [h.need(tool) for tool in ("java", "javac", "jcmd")]
    (h.TMP / "Hot.java").write_text(JAVA)
    h.run(tools[1], "-d", h.TMP, h.TMP / "Hot.java", timeout=120)
    w = h.Workload("java", "-XX:+PreserveFramePointer", "-XX:CompileCommand=quiet",
                   "-XX:CompileCommand=dontinline,Hot::*", "-cp", h.TMP, "Hot", path=tools[0],
                   wait=False)
    h.at_end(remove_map, w.pid)
    w.line("ready")
    reply = h.run(tools[2], w.pid, "Compiler.perfmap", status=None, timeout=60)
    if reply.status:
        raise h.Skip(f"this JVM writes no perf map: {reply.out[-200:]}")
    daemon.sonde("attach", "-p", w.pid, "-F", FREQUENCY, "--name", "jvm")
    w.go()
    w.line("over")
    # What was compiled since has its name now.
    h.run(tools[2], w.pid, "Compiler.perfmap", timeout=60)
    w.finish()
    stacks = list(user_stacks(daemon, "--session", "jvm"))
    daemon.sonde("detach", "jvm")
    short = [([re.sub(r".*\bHot\.(\w+)\(.*", r"\1", name) for name in names], n)
             for names, n in stacks]
    hot, _ = of(short, "outerHot")
    share(hot, ["leafHot", "middleHot", "outerHot", "spend"], 0.95, "Java")


h.main()

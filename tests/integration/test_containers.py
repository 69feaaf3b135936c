#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""PID namespaces and containers: shown beside what is the host's, and selected by."""
import os
import pathlib
import shutil
import time

import harness as h

CONTAINER = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
BETA = f"uprobe:{h.WORKLOADS}/wl_calls:beta"


def hierarchy():
    """Where control groups are made: of version 2, else of systemd, else of any controller."""
    found = []
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, path, kind, options = line.split()[:4]
            if kind in ("cgroup", "cgroup2"):
                found.append((kind != "cgroup2", "name=systemd" not in options, path))
    if not found:
        raise h.Skip("no control groups are mounted")
    return pathlib.Path(min(found)[2])


def scope():
    """A control group as Docker makes it; its path as in /proc/PID/cgroup."""
    parent = hierarchy() / f"sonde-test-{os.getpid()}"
    group = parent / f"docker-{CONTAINER}.scope"
    if not group.exists():
        try:
            parent.mkdir()
            h.at_end(parent.rmdir)
            group.mkdir()
            h.at_end(remove, group)
        except OSError as e:
            raise h.Skip(f"control groups cannot be made: {e}") from e
    return group


def remove(group):
    h.wait_until(lambda: not (group / "cgroup.procs").read_text(), "the control group to be empty")
    group.rmdir()


def put(pid, group):
    (group / "cgroup.procs").write_text(str(pid))


def contained(name, *args, program=None):
    """A workload that is in the container before it executes its program."""
    script = h.TMP / f"in-{name}"
    script.write_text(f'#!/bin/sh\necho $$ >{scope()}/cgroup.procs\n'
                      f'exec {program or f"{h.WORKLOADS}/wl_{name}"} "$@"\n')
    script.chmod(0o755)
    return h.Workload(name, *args, path=script)


def in_namespace(name):
    """A workload in a PID namespace of its own, and its number outside of it."""
    script = h.TMP / f"ns-{name}"
    script.write_text(f'#!/bin/sh\nexec unshare -pf {h.WORKLOADS}/wl_{name} "$@"\n')
    script.chmod(0o755)
    w = h.Workload(name, path=script)
    children = pathlib.Path(f"/proc/{w.pid}/task/{w.pid}/children").read_text().split()
    h.equal(len(children), 1, "children of unshare")
    return w, int(children[0])


def run(*workloads):
    for w in workloads:
        w.go()
    for w in workloads:
        w.finish()


def calls_by(daemon, key, *args):
    return {name: row["calls"] for name, row in daemon.rows(*args, key=key).items()}


@h.test
def numbers_in_a_pid_namespace(daemon):
    path = h.TMP / "ns.sonde"
    w, pid = in_namespace("calls")
    recording = daemon.start("record", "-o", path, "--name", "ns", "-p", pid, "beta")
    h.wait_until(lambda: daemon.active("ns"), "the session")
    run(w)
    h.finish(recording)
    spans = daemon.sonde("spans", "-i", path, "--json").lines
    h.equal({(s["pid"], s.get("ns_pid")) for s in spans}, {(pid, 1)}, "numbers")
    h.check(not any("container" in s for s in spans), "it is in no container")
    h.equal(calls_by(daemon, "pid", "-i", path), {f"{pid} (1) wl_calls": 5000}, "report")
    stacks = daemon.json("flame", "-i", path)["stacks"]
    h.equal({(s["pid"], s.get("ns_pid")) for s in stacks}, {(pid, 1)}, "stacks")
    h.contains(daemon.sonde("spans", "-i", path, "-n", 1).out, f" {pid} (1)  wl_calls", "text")
    # It is selected by the host's number, and by no other.
    h.equal(calls_by(daemon, "func", "-i", path, "-p", pid), {"beta": 5000}, "by the host's")
    h.equal(calls_by(daemon, "func", "-i", path, "-p", 1), {}, "by the namespace's")


@h.test
def children_in_a_namespace_have_numbers_of_their_own(daemon):
    """Also as long as they execute no program of their own."""
    def known():
        return daemon.json("status")["daemon"]["processes"]

    w, pid = in_namespace("fork")
    daemon.sonde("attach", "-p", pid, "--name", "fork", "step", "leaf")
    before = known()
    w.go()
    children = w.line("forked")  # by the numbers of the namespace
    h.wait_until(lambda: known() >= before + len(children), "the forks to be read")
    w.go()
    w.line("execed")
    w.go()
    w.finish()
    daemon.sonde("detach", "fork")
    spans = daemon.sonde("spans", "--session", "fork", "--json").lines
    h.equal({s.get("ns_pid") for s in spans if s["name"] == "step"}, {1, *children}, "numbers")
    h.equal(len({s["pid"] for s in spans}), 1 + len(children), "processes")


@h.test
def processes_of_the_same_namespace_have_no_second_number(daemon):
    w = h.Workload("calls")
    spans, _ = daemon.trace(w, "beta", "-n", 1)
    h.check("ns_pid" not in spans[0] and "container" not in spans[0], f"{spans[0]}")


@h.test(smoke=True)
def containers_are_shown_and_selected(daemon):
    inside, outside = contained("calls"), h.Workload("calls")
    daemon.sonde("attach", "--name", "one", "--container", CONTAINER[:12], BETA)
    daemon.sonde("attach", "--name", "group", "--cgroup", "*/docker-*", "-c", "wl_*", BETA)
    daemon.sonde("attach", "--name", "every", "-a", BETA)
    h.contains(daemon.session("one")["targets"], CONTAINER[:12], "targets")
    daemon.error(4, "NoSuchProcess", "attach", "-p", outside.pid, "--container", "*", "beta")
    run(inside, outside)
    for name in "one", "group", "every":
        daemon.sonde("detach", name)
    for name in "one", "group":
        spans = daemon.sonde("spans", "--session", name, "--json").lines
        h.equal({s["pid"] for s in spans}, {inside.pid}, f"processes of {name}")
        h.equal({s["container"] for s in spans}, {CONTAINER}, f"container of {name}")
    every = "--session", "every"
    h.equal(calls_by(daemon, "container", *every), {CONTAINER: 5000, "[host]": 5000},
            "calls by container")
    groups = calls_by(daemon, "cgroup", *every)
    h.check(5000 in groups.values() and any(g.endswith(f"/{scope().name}") for g in groups),
            f"calls by control group: {groups}")
    for selector, pid in ((("--container", "9ec*"), inside.pid), (("--container", "x*"), None),
                          (("--cgroup", f"*/{scope().name}"), inside.pid),
                          (("--cgroup", "*", "-p", outside.pid), outside.pid),
                          (("--container", "*", "-p", outside.pid), None)):
        wanted = {f"{pid} wl_calls": 5000} if pid else {}
        h.equal(calls_by(daemon, "pid", *every, *selector), wanted, f"report {selector}")
        spans = daemon.sonde("spans", *every, *selector, "--json").lines
        h.equal({s["pid"] for s in spans}, {pid} - {None}, f"spans {selector}")


@h.test
def recordings_keep_them(daemon):
    path = h.TMP / "container.sonde"
    w = contained("hot", "--seconds", "1")
    outside = h.Workload("hot", "--seconds", "1")
    recording = daemon.start("record", "--container", "9ec39b91f3d7", "-F", "499", "-o", path,
                             "--name", "kept")
    h.wait_until(lambda: daemon.active("kept"), "the session")
    run(w, outside)
    h.finish(recording, sig=h.signal.SIGINT)
    stacks = daemon.json("flame", "-i", path)["stacks"]
    h.equal({(s["pid"], s["container"]) for s in stacks}, {(w.pid, CONTAINER)}, "stacks")
    for selector in (), ("--container", "9ec39b91f3d70e"), ("--cgroup", "*/docker-9ec*"):
        rows = daemon.rows("-i", path, *selector, key="container")
        h.equal(list(rows), [CONTAINER], f"rows {selector}")
    h.equal(daemon.rows("-i", path, "--container", "9ec39b91f3d8", key="container"), {}, "others")


@h.test
def one_that_was_moved_in_is_found(daemon):
    w = h.Workload("calls")
    daemon.sonde("attach", "--name", "before", "-p", w.pid, BETA)  # it is known from now on
    put(w.pid, scope())
    daemon.sonde("attach", "--name", "after", "--container", CONTAINER, BETA)
    run(w)
    daemon.sonde("detach", "before")
    daemon.sonde("detach", "after")
    h.equal(calls_by(daemon, "container", "--session", "after"), {CONTAINER: 5000}, "calls")


@h.test
def those_that_have_ended_are_passed_over(daemon):
    """A zombie is in the control group, too, or has the name; what lives is probed all the same."""
    # No other test has programs of that name.
    program = shutil.copy(f"{h.WORKLOADS}/wl_calls", h.TMP / "wl_passed")
    zombie, w = contained("calls", program=program), contained("calls", program=program)
    zombie.process.kill()
    h.wait_until(lambda: ") Z " in pathlib.Path(f"/proc/{zombie.pid}/stat").read_text(), "its end")
    daemon.sonde("attach", "--name", "file", "-c", "wl_passed", "beta")
    daemon.sonde("attach", "--name", "library", "-c", "wl_passed", "--cgroup", "*", "libc:write")
    daemon.error(4, "NoSuchProcess", "attach", "-p", zombie.pid, "beta")
    run(w)
    for name in "file", "library":
        daemon.sonde("detach", name)
        rows = daemon.rows("--session", name, key="pid")
        h.equal(list(rows), [f"{w.pid} wl_passed"], f"processes of {name}")
    zombie.process.wait()


@h.test
def those_that_start_later_are_found(daemon):
    scope()
    daemon.sonde("attach", "--name", "later", "--container", CONTAINER, BETA)
    w = contained("calls")
    # It is a target from the moment its exec has been read on.
    h.wait_until(lambda: daemon.json("status")["daemon"]["processes"] > 0, "the exec to be read")
    time.sleep(0.5)
    run(w)
    daemon.sonde("detach", "later")
    h.equal(calls_by(daemon, "container", "--session", "later"), {CONTAINER: 5000}, "calls")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong gets one clear message and the right exit status, and nothing leaks."""
import collections
import os
import pathlib
import shutil
import signal
import sqlite3
import stat
import subprocess
import time

import harness as h

CALLS = f"{h.WORKLOADS}/wl_calls"


def no_pid():
    p = subprocess.Popen(["/bin/true"])
    p.wait()
    return p.pid


@h.test(smoke=True)
def unknown_process(daemon):
    pid = no_pid()
    for verb in ("trace", "probes", "attach"):
        error = daemon.error(4, "NoSuchProcess", verb, "-p", pid, "main")
        h.contains(error["message"], str(pid), "message")
    daemon.error(4, "NoSuchProcess", "record", "-p", pid, "main", "-o", h.TMP / "x.sonde")
    h.check(not (h.TMP / "x.sonde").exists(), "no recording is left behind")


@h.test(smoke=True)
def nothing_matches(daemon):
    w = h.Workload("calls")
    error = daemon.error(4, "NothingMatches", "trace", "-p", w.pid, "gama_fail")
    h.contains(error["message"] + error["fix"], "gamma_fail", "near names")
    daemon.error(4, "NothingMatches", "probes", "-p", w.pid, "zzz_*")
    error = daemon.error(4, "NothingMatches", "probes", "-p", w.pid, "libsqlite3:sqlite3_*")
    h.contains(error["message"], "libsqlite3", "message")
    daemon.error(2, "BadSpec", "probes", "-p", w.pid, "uprobe:nothing")


@h.test(smoke=True)
def files_that_cannot_be_probed(daemon):
    stripped = h.TMP / "stripped"
    h.run("strip", "-o", stripped, CALLS)
    error = daemon.error(4, "NothingMatches", "probes", f"uprobe:{stripped}:alpha")
    h.check("strip" in error["message"] + error["fix"] or "symbol" in error["message"],
            f"says why: {error}")
    text = h.TMP / "text"
    text.write_text("not a program\n" * 100)
    daemon.error(1, "BadFile", "probes", f"uprobe:{text}:alpha")
    daemon.error(4, "NoSuchFile", "probes", f"uprobe:{h.TMP}/nothing:alpha")
    daemon.error(1, "BadFile", "probes", f"uprobe:{h.TMP}:alpha")
    short = h.TMP / "short"
    short.write_bytes(pathlib.Path(CALLS).read_bytes()[:3000])
    daemon.error(1, "BadFile", "probes", f"uprobe:{short}:alpha")
    fifo = h.TMP / "fifo"
    os.mkfifo(fifo)
    daemon.error(1, "BadFile", "probes", f"uprobe:{fifo}:alpha")


@h.test(smoke=True)
def a_deleted_binary_works_by_pid(daemon):
    program = h.TMP / "deleted"
    shutil.copy(CALLS, program)
    w = h.Workload("calls", path=program)
    program.unlink()
    spans, _ = daemon.trace(w, "beta", "six")
    h.equal(len(spans), 5100, "calls")


@h.test
def wrong_usage(daemon):
    for args in (("trace",), ("frobnicate",), ("report", "--sort", "colour"), ("report", "-n", "x"),
                 ("report", "--by"), ("trace", "-p", "abc", "f"), ("detach",), ("flame", "-o",
                 "x.png"), ("record", "-F", "0.5", "-a"), ("status", "--nonsense"),
                 ("trace", "-p", "1", "--min-duration", "5", "--bogus")):
        result = daemon.sonde(*args, status=2)
        h.check(result.err.strip() and not result.out, f"{args}: {result.err!r} {result.out!r}")
    daemon.error(2, "BadArgument", "attach", "-a", "-F", "99", "--name", "a/b")
    h.run(h.SONDED, "--nonsense", status=2)
    h.run(h.SONDED, "--config", h.TMP / "none.conf", status=2)


@h.test(own_daemon=True, smoke=True)
def no_daemon():
    for verb in (("list",), ("status",), ("report",), ("detach", "x"), ("attach", "-a", "-F", "9")):
        env = dict(h.ENV, SONDE_SONDED="/nonexistent/sonded")
        result = h.run(h.SONDE, *verb, status=3, env=env)
        h.check(result.err.strip(), f"{verb}: a message")


@h.test(smoke=True)
def other_users_are_refused(daemon):
    w = h.Workload("calls")
    h.need("setpriv")
    # nobody must reach the command and the socket.
    public = pathlib.Path("/tmp") / f"sonde-test-{os.getpid()}"
    public.mkdir(mode=0o755)
    h.at_end(shutil.rmtree, public, True)
    shutil.copy(h.SONDE, public / "sonde")
    os.chmod(public / "sonde", 0o755)
    os.chmod(h.TMP, 0o755)
    os.chmod(daemon.dir, 0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", public / "sonde"]
    for args in (("status",), ("trace", "-p", w.pid, "beta"), ("attach", "-a", "-F", "9"),
                 ("list",)):
        result = h.run(*nobody, *args, "--json", "--socket", daemon.socket, status=77)
        h.equal(result.json["error"]["name"], "PermissionDenied", f"error of {args}")
        h.check(result.json["error"]["fix"], "a fix is named")
    result = h.run(*nobody, "list", "--socket", daemon.socket, status=77)
    h.check(result.err.strip() and not result.out, "the same in words")
    os.chmod(h.TMP, 0o700)


@h.test(smoke=True)
def a_second_daemon_is_refused(daemon):
    result = h.run(h.SONDED, "--socket", daemon.socket, status=None)
    h.check(result.status == 1, f"exit status {result.status}: {result.err!r}")
    h.contains(result.err, daemon.socket, "message")
    h.check(daemon.answers(), "the first goes on")
    file = h.TMP / "a-file"
    file.write_text("precious")
    h.run(h.SONDED, "--socket", file, status=1)
    h.equal(file.read_text(), "precious", "a file in the socket's place")


@h.test
def a_socket_left_behind_is_taken_over(daemon):
    path = h.TMP / "stale.sock"
    s = h.socket.socket(h.socket.AF_UNIX)
    s.bind(str(path))
    s.close()
    h.check(stat.S_ISSOCK(path.stat().st_mode), "the socket is there")
    p = h.spawn(h.SONDED, "--socket", path)
    h.wait_until(lambda: h.run(h.SONDE, "status", "--socket", path, status=None,
                               env=dict(h.ENV, SONDE_SONDED="/nonexistent")).status == 0,
                 "the daemon on a stale socket")
    h.equal(h.stop(p), 0, "exit status")


@h.test
def targets_that_end_during_attach(daemon):
    for i in range(12):
        p = h.spawn("/bin/sh", "-c", f"sleep 0.0{i % 10}; exec /bin/true")
        result = daemon.sonde("trace", "-p", p.pid, "-d", "50ms", "libc:mal*", "libc:str*",
                              status=None)
        h.check(result.status in (0, 4), f"exit status {result.status}: {result.err!r}")
        h.check("Internal" not in result.err, result.err)
    h.equal([s["name"] for s in daemon.json("list")["sessions"] if s["state"] == "active"], [],
            "active sessions")


@h.test(smoke=True)
def bad_recordings(daemon):
    good = h.TMP / "good.sonde"
    daemon.sonde("record", "-F", "99", "beta", "outer", "-o", good, "--", CALLS)
    data = good.read_bytes()
    other = h.TMP / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("create table t (x)")
    bad = {"empty": b"", "text": b"hello " * 1000, "truncated": data[:len(data) // 2],
           "short": data[:100], "foreign": other.read_bytes(), "cut": data[:4096],
           "garbage": data[:5000] + os.urandom(len(data) - 5000)}
    for name, content in bad.items():
        path = h.TMP / f"{name}.sonde"
        path.write_bytes(content)
        for verb in ("report", "spans", "list"):
            result = daemon.sonde(verb, "-i", path, "--json", status=None)
            # A torn page may lie where nobody looks; else it must be refused with a reason.
            allowed = (0, 1) if name in ("truncated", "garbage") else (1,)
            h.check(result.status in allowed, f"{verb} of {name}: {result.status} {result.err!r}")
            if result.status:
                h.equal(result.lines[-1]["error"]["name"], "BadFile", f"{verb} of {name}")
    daemon.error(4, "NoSuchFile", "report", "-i", h.TMP / "nothing.sonde")
    daemon.error(1, "BadFile", "report", "-i", h.TMP)
    h.equal(daemon.calls("-i", good)["beta"], 5000, "calls in the good one")


@h.test
def unwritable_output(daemon):
    for path in (h.TMP / "nodir" / "x.sonde", "/proc/x.sonde", h.TMP):
        result = daemon.sonde("record", "-F", "99", "-a", "-d", "100ms", "-o", path, "--json",
                              status=1)
        wanted = "BadFile" if path == h.TMP else "WriteFailed"
        h.equal(result.json["error"]["name"], wanted, f"error for {path}")
    daemon.sonde("status", "-o", h.TMP / "nodir" / "x", status=1)
    with open("/dev/full", "w") as full:
        p = subprocess.run([h.SONDE, "status"], env=daemon.env(), stdout=full,
                           stderr=subprocess.PIPE, timeout=h.PATIENCE)
    h.equal(p.returncode, 1, "exit status with a full standard output")
    h.check(p.stderr, "a message")
    p = daemon.start("probes", "-p", os.getpid(), "libc:*", "--json")
    p.stdout.close()
    p.stdout = None
    p.wait(h.PATIENCE)
    h.check(p.returncode in (0, 1, -signal.SIGPIPE, 128 + signal.SIGPIPE),
            f"a reader that goes: {p.returncode}")


@h.test(smoke=True)
def full_disk(daemon):
    disk = h.TMP / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "none", disk],
                             stderr=subprocess.DEVNULL)
    if mounted.returncode:
        raise h.Skip("cannot mount a tmpfs here")
    try:
        w = h.Workload("spin", "--seconds", "20", "--only", "spin_call")
        p = daemon.start("record", "-p", w.pid, "spin_call", "--json", "--name", "full", "-o",
                         disk / "x.sonde")
        h.wait_until(lambda: daemon.active("full") or p.poll() is not None, "the session")
        w.go()
        time.sleep(1.5)
        if p.poll() is None:
            p.send_signal(signal.SIGINT)
        result = h.finish(p, status=1)
        h.equal(result.json["error"]["name"], "WriteFailed", "error")
        h.wait_until(lambda: not daemon.active("full"), "the session to end")
        h.check(daemon.answers(), "the daemon goes on")
        h.equal(w.process.poll(), None, "the target runs on")
        h.stop(w.process, signal.SIGKILL)
        h.wait_until(lambda: not any(str(disk) in fd for fd in daemon.fds()), "the file to close")
    finally:
        subprocess.run(["umount", "-l", disk])


def held(daemon):
    """Its descriptors, but for a socket to each process that reads files for it: such a process is
    started when it is first needed, which is for others to say (names of C++, code made by node), and
    stays."""
    kinds = daemon.fds()
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nPPid:\t{daemon.pid}\n" in status.read_text():
                kinds.remove("socket")
        except OSError:  # it has ended
            pass
    return kinds


@h.test(smoke=True)
def nothing_is_left(daemon):
    """Runs last. Sessions that are closed keep no descriptors, probes or memory maps."""
    daemon.detach_all()
    daemon.sonde("attach", "-a", "-F", "499", "--name", "fd")
    h.wait_until(lambda: daemon.json("report", "--session", "fd")["rows"], "samples")
    for _ in range(2):  # ended, and forgotten
        daemon.sonde("detach", "fd")
    first = held(daemon)
    for _ in range(3):
        w = h.Workload("calls")
        daemon.trace(w, "beta", "outer")
        daemon.sonde("trace", "-p", no_pid(), "beta", status=4)
        daemon.sonde("record", "-a", "-F", "99", "-d", "100ms", "-o", h.TMP / "fd.sonde")
        daemon.sonde("attach", "-a", "-F", "49", "--name", "fd")
        daemon.sonde("detach", "fd")
        daemon.sonde("report", status=None)
    # A closed session keeps its data, and files open for the names, until it is detached again.
    daemon.sonde("detach", "fd")
    # Links are let go of in the background.
    try:
        h.wait_until(lambda: len(held(daemon)) <= len(first), "descriptors", 8)
    except h.Failed:
        more = collections.Counter(held(daemon))
        more.subtract(first)
        h.check(False, f"descriptors left behind: { {k: n for k, n in more.items() if n > 0} }")
    h.equal([s for s in daemon.json("status")["sessions"] if s["state"] == "active"], [],
            "active sessions")


h.main()

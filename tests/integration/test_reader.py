#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Users' files are read by processes without rights, which the daemon outlives, and once."""
import os
import pathlib
import shutil
import signal
import sys
import threading

import harness as h

HOT = {"hot_a", "hot_b", "hot_c"}


def readers(daemon):
    """The reader processes of a daemon: pid to the fields of /proc/PID/status."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "status").read_text()
            cmdline = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if f"\nPPid:\t{daemon.pid}\n" in status and b"--reader" in cmdline:
            found[int(path.name)] = {name: value.strip() for name, _, value in
                                     (line.partition(":") for line in status.splitlines())}
    return found


def names(daemon, program, file):
    """The planted functions that a profile of the program names."""
    daemon.sonde("record", "-F", "499", "-o", file, "--", program, "--seconds", "1")
    return set(daemon.rows("-i", file, "--kind", "cpu")) & HOT


@h.test(smoke=True, own_daemon=True)
def reads_without_rights():
    daemon = h.Daemon(cache=h.TMP / "cache")
    h.equal(names(daemon, f"{h.WORKLOADS}/wl_hot", h.TMP / "first.sonde"), HOT, "names")
    # A session on the daemon itself, as the recording was read by another one.
    daemon.sonde("attach", "--name", "s", "-F", "499", "-a")
    h.wait_until(lambda: daemon.json("report", "--session", "s")["rows"], "samples")
    daemon.sonde("detach", "s")
    processes = readers(daemon)
    h.check(processes, "there is a reader")
    for pid, status in processes.items():
        h.equal(int(status["CapEff"], 16), 0, "effective capabilities")
        h.equal(int(status["CapPrm"], 16), 0, "permitted capabilities")
        h.equal(status["NoNewPrivs"], "1", "no new privileges")
        h.equal(status["Seccomp"], "2", "a filter")
        h.equal(set(status["Uid"].split()), {"65534"}, "users")
        h.equal(set(status["Gid"].split()), {"65534"}, "groups")
        h.equal(status["Groups"], "", "further groups")
        h.check(os.readlink(f"/proc/{pid}/root") != "/", "it has another root directory")
        files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        h.equal(len([f for f in files if f != "/dev/null" and not f.startswith("/")]), 1,
                f"sockets of {files}")


@h.test(smoke=True, own_daemon=True)
def is_started_again():
    daemon = h.Daemon(cache=h.TMP / "none" / "such")
    other = h.TMP / "other"
    shutil.copy(f"{h.WORKLOADS}/wl_hot", other)
    h.run("objcopy", "--remove-section=.note.gnu.build-id", other)
    names(daemon, f"{h.WORKLOADS}/wl_hot", h.TMP / "first.sonde")
    first = readers(daemon)
    h.check(first, "there is a reader")
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    h.equal(names(daemon, other, h.TMP / "second.sonde"), HOT, "names")
    h.check(not set(first) & set(readers(daemon)), "the readers are new ones")
    checks = {c["name"]: c for c in daemon.json("doctor")["checks"]}
    h.check(checks["reader"]["ok"], checks["reader"]["detail"])
    h.check("unreadable" not in checks, "it was no file's fault")


@h.test(own_daemon=True)
def names_are_demangled_by_a_reader():
    """A glob over demangled names: of all functions of the file, by a process that has no file."""
    daemon = h.Daemon()
    found = daemon.json("probes", f"uprobe:{h.WORKLOADS}/wl_throw:Guard::*")
    names = {p["symbol"] for p in found["probes"]}
    h.check(any(name.startswith("_ZN5Guard") for name in names), f"functions: {names}")
    h.check(readers(daemon), "there is a reader")


@h.test(own_daemon=True)
def tables_are_kept():
    cache = h.TMP / "kept"
    daemon = h.Daemon(cache=cache)
    h.equal(names(daemon, f"{h.WORKLOADS}/wl_hot", h.TMP / "a.sonde"), HOT, "names")
    files = sorted(os.listdir(cache))
    h.check(files, "there are files")
    h.equal(cache.stat().st_mode & 0o777, 0o700, "mode")
    # What is damaged is made anew, when it is needed.
    for name in files:
        with open(cache / name, "r+b") as f:
            f.truncate(50)
    daemon = h.Daemon(cache=cache)
    h.equal(names(daemon, f"{h.WORKLOADS}/wl_hot", h.TMP / "b.sonde"), HOT, "names")
    h.check(any((cache / name).stat().st_size != 50 for name in files), "they are whole again")


@h.test(own_daemon=True)
def files_that_lie_harm_nobody():
    """Programs whose debug information is hostile, beside one that is not."""
    made, program = h.TMP / "bad", f"{h.WORKLOADS}/wl_hot"
    made.mkdir()
    kinds = ["many_lines", "origin_cycle", "lying_sizes"]
    h.run(sys.executable, h.ROOT / "tests/workloads/bad_files.py", program, "hot_a", made, *kinds)
    daemon = h.Daemon()
    daemon.sonde("attach", "--name", "s", "-F", "499", "-a")
    for path in [program, *sorted(made.iterdir())]:
        h.run(path, "--seconds", "1")
    # By function and line, so that the debug information is asked for.
    found = daemon.json("report", "--session", "s", "--kind", "cpu", "--by", "func")["rows"]
    daemon.sonde("detach", "s")
    by_file = {}
    for row in found:
        by_file.setdefault(row["binary"].rpartition("/")[2], set()).add(row["func"])
    # What only lies about its debug information is named by its symbols; and the next file, too.
    for name in ("wl_hot", "origin_cycle", "many_lines"):
        h.check(HOT <= by_file.get(name, set()), f"functions of {name}: {by_file.get(name)}")
    failed = [c["detail"] for c in daemon.json("doctor")["checks"] if c["name"] == "unreadable"]
    h.equal([f"{made}/many_lines" in text for text in failed], [True], f"unreadable: {failed}")
    h.check(daemon.process.poll() is None, "the daemon goes on")
    daemon.stop()


@h.test(own_daemon=True)
def a_file_that_kills_it():
    """Stopped with a fatal signal pending: it dies of the next question, whatever the file is."""
    daemon = h.Daemon(cache=h.TMP / "killed")
    calls = f"{h.WORKLOADS}/wl_calls"
    plain = f"{h.WORKLOADS}/wl_hot"
    for wait in (0.5, 2, 5):
        before = set(readers(daemon))
        daemon.json("probes", f"uprobe:{plain}:hot_a")
        new = set(readers(daemon)) - before
        h.equal(len(new), 1, "attaching has a reader of its own")
        pid = new.pop()
        files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        h.check(plain not in files, "it keeps nothing open of what is done with")
        os.kill(pid, signal.SIGSTOP)
        h.wait_until(lambda: readers(daemon)[pid]["State"].startswith("T"), "it has stopped")
        os.kill(pid, signal.SIGSEGV)
        timer = threading.Timer(wait, os.kill, (pid, signal.SIGCONT))
        timer.start()
        result = daemon.sonde("probes", "--json", f"uprobe:{calls}:alpha", status=None)
        timer.join()
        if result.status != 0:
            break
        # The machine was so busy that it died before it was asked; the next one replaced it.
        for other in readers(daemon):
            os.kill(other, signal.SIGKILL)
    reason = f"The reader was killed by a bad memory access while reading {calls}."
    error = daemon.error(1, "BadFile", "probes", f"uprobe:{calls}:alpha")
    h.contains(error["message"], reason, "message, as it is not tried again")
    h.equal(result.json["error"], error, "the first error")
    details = [c["detail"] for c in daemon.json("doctor")["checks"] if c["name"] == "unreadable"]
    h.equal(details, [reason], "the doctor's line")
    # Others are read by the next process.
    h.check(daemon.json("probes", f"uprobe:{plain}:hot_b")["probes"], "probes")


h.main()

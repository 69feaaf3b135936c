#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rolling store: the machine is sampled all the time, sessions start with the daemon, and any
moment can be asked about, also after the daemon was stopped or killed."""
import os
import signal
import subprocess
import time
from pathlib import Path

import harness as h

STORES = 0


def store():
    global STORES
    STORES += 1
    path = h.TMP / f"store-{STORES}"
    (path / "sessions").mkdir(parents=True)
    return path


def keeper(path, ring="16MiB", **more):
    history = {"keep": "yes", "store": path / "kept", "sessions": path / "sessions",
               "window": "1s", "frequency": 199, **more}
    return h.Daemon(history=history, ring_size=ring)


def run(name, *args):
    """Its PID: others may run the same program on this machine."""
    with subprocess.Popen([f"{h.WORKLOADS}/wl_{name}", *args], stdout=subprocess.PIPE) as p:
        p.communicate()
    h.equal(p.returncode, 0, f"exit status of {name}")
    return p.pid


def samples(daemon, *args):
    reply = daemon.json("report", "--kind", "cpu", *args)
    return {r["func"]: r["self_samples"] for r in reply["rows"]}


def events(daemon, kind, *args):
    return [e for e in daemon.json("events", *args)["events"] if e["kind"] == kind]


@h.test(own_daemon=True, smoke=True)
def sampled_all_the_time():
    """Nobody has asked for anything: a program that ran before somebody asks is there."""
    daemon = keeper(store())
    before = time.time()
    pid = run("hot", "--seconds", "1")
    reply = daemon.json("report", "--since", f"@{before - 1:.3f}", "-p", pid)
    h.equal((reply["session"]["name"], reply["kind"]), ("always", "cpu"), "what is asked")
    found = {r["func"]: r["self_samples"] for r in reply["rows"]}
    hot = [found.get(name, 0) for name in ("hot_a", "hot_b", "hot_c")]
    h.between(100 * hot[0] / sum(hot), 45, 75, f"share of hot_a: {hot}")
    h.between(reply["coverage"]["windows"], 1, 9, "windows")
    # Without a time it is about the last hour: the same and more.
    h.equal(samples(daemon, "-p", pid), found, "the last hour")
    out = h.TMP / "always.folded"
    daemon.sonde("flame", "--since", "1m", "-p", pid, "-o", out)
    h.contains(out.read_text(), "work;hot_a", "stacks")
    # And its life, whether there was room for the events or not.
    row = daemon.json("sql", f"SELECT exit_us > start_us AS ended, exit_status FROM process WHERE pid = {pid}")
    h.equal(row["rows"], [{"ended": 1, "exit_status": 0}], "its row")
    every = daemon.json("sql", "SELECT sum(count) AS n FROM sample", "-p", pid)["rows"][0]["n"]
    h.equal(every, sum(samples(daemon, "-p", pid).values()), "SQL about one process")
    mine = [e for e in daemon.json("events")["events"] if e["pid"] == pid]
    for chosen in (("-p", pid), ("-p", pid, "-c", "wl_*", "--uid", os.getuid(), "--session", "always")):
        h.equal(daemon.json("events", *chosen)["events"], mine, f"events {chosen}")
    for nobody in (("-p", pid, "-c", "nobody"), ("--session", "nobody")):
        h.equal(daemon.json("events", *nobody)["events"], [], f"events {nobody}")
    h.check(events(daemon, "start", "--session", "always"), "the daemon's start")
    if not events(daemon, "more"):  # on a machine that starts dozens a second some are only counted
        h.equal([(e["kind"], e["detail"]) for e in mine], [("exec", 0), ("exit", 0)], "its life")
    daemon.stop()


@h.test(own_daemon=True)
def time_travel():
    daemon = keeper(store())
    begun, ended, pids = [time.time()], [], []
    for name in ("hot", "spin"):
        pids.append(run(name, "--seconds", "1"))
        ended.append(time.time())
        samples(daemon)  # asking closes the window that is open
        begun.append(time.time())

    def part(first, last):
        rows = daemon.json("report", "--by", "pid", "--since", f"@{begun[first]:.3f}", "--until",
                           f"@{ended[last]:.3f}")["rows"]
        return [pid for pid in pids if any(r["pid"].startswith(f"{pid} ") for r in rows)]
    h.equal((part(0, 0), part(1, 1), part(0, 1)), (pids[:1], pids[1:], pids), "who is in which part")
    # A part of the history as a recording: the same answers, anywhere.
    path = h.TMP / "incident.sonde"
    said = daemon.sonde("record", "--since", f"@{begun[0]:.3f}", "--until", f"@{ended[0]:.3f}",
                        "-o", path).err
    h.contains(said, "window", "what was written")
    asked = ("--since", f"@{begun[0]:.3f}", "--until", f"@{ended[0]:.3f}", "-p", pids[0])
    h.equal(samples(daemon, "-i", path, "-p", pids[0]), samples(daemon, *asked), "the recording")
    daemon.error(2, "BadArgument", "record", "-p", "1", "--since", "1h", "-o", path)
    reply = daemon.error(4, "NothingMatches", "record", "--since", "@1000", "--until", "@2000",
                         "-o", h.TMP / "nothing.sonde")
    h.contains(reply["fix"], "sonde status", "what to do")
    h.check(not (h.TMP / "nothing.sonde").exists(), "no file is left")
    daemon.stop()


@h.test(own_daemon=True)
def stopped_killed_and_damaged():
    path = store()
    daemon = keeper(path)
    hot = run("hot", "--seconds", "1")
    first = samples(daemon, "-p", hot)  # asking closes the window
    daemon.stop()
    daemon = keeper(path)
    h.equal(samples(daemon, "-p", hot), first, "after a restart")
    h.equal([len(events(daemon, kind)) for kind in ("start", "stop", "killed")], [2, 1, 0],
            "starts and stops")
    spin = run("spin", "--seconds", "1")
    second = samples(daemon, "-p", spin)
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()
    daemon = keeper(path)
    h.equal(samples(daemon, "-p", spin), second, "what was written before the kill")
    h.contains(events(daemon, "killed")[0]["text"], "is missing", "the event")
    daemon.stop()
    # Somebody has written over it: it is kept, and another begun.
    with open(path / "kept/history.sonde", "r+b") as f:
        f.write(b"\x5a" * 8192)
    daemon = keeper(path)
    h.check(samples(daemon, "-p", run("hot", "--seconds", "1")), "it goes on")
    h.equal(samples(daemon, "-p", spin), {}, "what was in the old one")
    h.contains(events(daemon, "set-aside")[0]["text"], "damaged", "the event")
    h.equal(len(list((path / "kept").glob("*.damaged-*"))), 1, "the old one is there")
    daemon.stop()


@h.test(own_daemon=True)
def sessions_are_events():
    """What is asked of the machine, by whom, and what came of it."""
    daemon = keeper(store())
    daemon.sonde("attach", "--name", "calls", f"uprobe:{h.WORKLOADS}/wl_calls:beta")
    run("calls")
    h.wait_until(lambda: daemon.calls("--session", "calls").get("beta") == 5000, "all calls")
    daemon.sonde("detach", "calls")
    begun, ended = events(daemon, "attach"), events(daemon, "detach")
    h.equal([(e["detail"], e["text"]) for e in begun], [(os.getuid(), "calls: 1 probes, 0 Hz, all")], "attach")
    h.equal([e["text"] for e in ended], ["calls: 5000 spans, 0 samples, 0 lost"], "detach")
    h.contains(daemon.sonde("events").out, f"by uid {os.getuid()}: calls: 1 probes", "text")
    daemon.stop()


@h.test(own_daemon=True)
def losses_are_events():
    """More spans than the buffer takes: what a window lacks is said of it."""
    daemon = keeper(store(), ring="1MiB")
    daemon.sonde("attach", "--persist", "--name", "rate", f"span:{h.WORKLOADS}/wl_span_rate:*")
    run("span_rate", "--rounds", "1000")
    found = h.wait_until(lambda: events(daemon, "loss"), "a window that lacks some")
    h.check({e["session"] for e in found} == {"rate"}, f"of another session: {found}")
    h.check(all(e["detail"] > 0 and "ring_span" in e["text"] for e in found), f"what is lost: {found}")
    h.contains(daemon.sonde("events").out, "spans, samples or events in a window: ring_span", "text")
    daemon.stop()


@h.test(own_daemon=True)
def sessions_that_start_with_the_daemon():
    path = store()
    (path / "sessions/calls.conf").write_text(
        f"[session]\nname = calls\nspec = uprobe:{h.WORKLOADS}/wl_calls:beta\n"
        f"spec = uprobe:{h.WORKLOADS}/wl_calls:gamma_fail\nerrors = no\n")
    (path / "sessions/wrong.conf").write_text("[session]\nname = wrong\nspeck = x\n")
    daemon = keeper(path)
    h.check(daemon.active("calls"), "calls was started")
    wrong = events(daemon, "not-started")
    h.equal(len(wrong), 1, "the one that is wrong")
    h.contains(wrong[0]["text"], 'wrong.conf:3: [session] has no key "speck"', "its event")
    h.equal(wrong[0]["text"].count("wrong.conf"), 1, "the file is named once")
    run("calls")
    counts = {"beta": 5000, "gamma_fail": 1000}
    h.equal(daemon.calls("--session", "calls", "--kind", "span"), counts, "calls")
    # Single calls: the slowest of each path and window.
    spans = daemon.sonde("spans", "--session", "calls", "--json").lines
    longest = {r["func"]: r["max_ns"] for r in daemon.json("report", "--session", "calls")["rows"]}
    h.between(len(spans), 2, 40, "exemplars")
    for name in counts:
        h.equal(max(s["duration_ns"] for s in spans if s["name"] == name), longest[name],
                f"the slowest {name}")
    # What is made of them says that most calls are not in it.
    note = f"of 6,000 calls {len(spans)} were kept one by one"
    for args in (("spans",), ("export", "--format", "chrome"), ("report", "--by", "thread")):
        h.contains(daemon.sonde(*args, "--session", "calls").err, note, args[0])
    h.check("one by one" not in daemon.sonde("report", "--session", "calls").err, "a report has all")
    # Conditions are asked of these; of the others it is said that they were not kept.
    fast = ("--since", "1h", "--session", "calls", "--where", "duration >= 0ns")
    reply = daemon.json("report", *fast)
    h.equal(sum(r["calls"] for r in reply["rows"]), len(spans), "those that are kept")
    coverage = reply["coverage"]
    h.equal((coverage["raw_spans"], coverage["raw_dropped"]), (len(spans), 6000 - len(spans)),
            "raw spans")
    h.equal({r["func"] for r in daemon.json("graph", *fast)["rows"]}, set(counts), "graph")
    h.equal(len(daemon.sonde("spans", *fast, "--json").lines), len(spans), "spans")
    h.equal(len(daemon.sonde("flame", *fast).out.splitlines()), 2, "flame")
    h.contains(daemon.sonde("timeline", *fast).out, "wl_calls", "timeline")
    daemon.sonde("attach", "--persist", "--name", "more", "--min-duration", "1ns",
                 f"uprobe:{h.WORKLOADS}/wl_calls:alpha")
    h.contains((path / "sessions/more.conf").read_text(), "min-duration = 1ns", "its file")
    daemon.error(2, "BadArgument", "attach", "--persist", "--name", "one", "-p", "1", "x")
    daemon.error(2, "BadArgument", "attach", "--persist", "libc:malloc")
    daemon.stop()
    daemon = keeper(path)
    run("calls")
    h.equal(daemon.calls("--session", "more", "--kind", "span"), {"alpha": 10000}, "after a restart")
    h.equal(daemon.calls("--session", "calls", "--kind", "span"),
            {k: 2 * n for k, n in counts.items()}, "both runs")
    daemon.sonde("detach", "more")
    h.check(not (path / "sessions/more.conf").exists(), "detach removes its file")
    daemon.stop()


@h.test(own_daemon=True)
def statistics_of_the_kernel_go_by_windows():
    path = store()
    daemon = keeper(path, window="1s")
    daemon.sonde("attach", "--persist", "--stats-only", "--name", "stats",
                 *(f"uprobe:{h.WORKLOADS}/wl_calls:{name}" for name in ("beta", "gamma_fail")))
    h.contains((path / "sessions/stats.conf").read_text(), "stats-only = yes", "its file")
    counts = {"beta": 5000, "gamma_fail": 1000}
    asked = ("--session", "stats", "--kind", "span")
    run("calls")
    h.equal(daemon.calls(*asked), counts, "calls")
    first = daemon.json("report", *asked)
    h.equal(daemon.calls(*asked), counts, "nothing is counted twice")
    time.sleep(1.5)
    run("calls")
    h.equal(daemon.calls(*asked), {k: 2 * n for k, n in counts.items()}, "both runs")
    rows = daemon.json("sql", "SELECT window, sum(calls) AS n, max(max_ns) AS longest FROM span WHERE"
                       " function = 'beta' GROUP BY window")["rows"]
    h.equal(sum(r["n"] for r in rows), 10000, f"by windows: {rows}")
    h.check(len(rows) >= 2, f"of two times: {rows}")
    h.equal({r["errors"] for r in first["rows"]}, {0, 100}, "errors")
    for r in first["rows"]:
        h.check(0 < r["p50_ns"] <= r["max_ns"] and r["avg_ns"] <= r["max_ns"], f"durations: {r}")
    h.contains(daemon.error(2, "BadArgument", "report", *asked, "--where", "duration > 1ns")["message"],
               "statistics only", "a condition")
    daemon.stop()
    # It starts with the daemon, with counters of its own.
    daemon = keeper(path, window="1s")
    run("calls")
    h.equal(daemon.calls(*asked), {k: 3 * n for k, n in counts.items()}, "after a restart")
    daemon.sonde("detach", "stats")
    daemon.stop()


@h.test(own_daemon=True)
def a_full_disk():
    path = store()
    kept = path / "kept"
    kept.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", kept], check=False)
    if mounted.returncode:
        raise h.Skip("a small file system cannot be mounted")
    h.at_end(subprocess.run, ["umount", "-l", kept])
    daemon = keeper(path, window="1s")
    h.check(samples(daemon, "-p", run("hot", "--seconds", "1")), "it is written")
    filler = os.open(kept / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(filler, bytes(4096)):
            pass
    except OSError:
        os.close(filler)
    history = lambda: daemon.json("status")["history"]
    h.wait_until(lambda: history()["problem"] and history()["waiting"], "a problem")
    h.contains(history()["problem"], "the disk is full", "status")
    spin = run("spin", "--seconds", "1")
    (kept / "filler").unlink()
    h.wait_until(lambda: not history()["problem"] and not history()["waiting"], "room again")
    h.check(samples(daemon, "-p", spin), "what happened meanwhile")
    h.equal(history()["lost"], 0, "lost windows")
    daemon.stop()


@h.test(own_daemon=True)
def a_disk_that_turns_read_only():
    """As ext4 does at an error of its disk."""
    path = store()
    image, kept = path / "image", path / "kept"
    kept.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 32 << 20)
    for command in (("mkfs.ext4", "-q", image),
                    ("mount", "-o", "loop,errors=remount-ro", image, kept)):
        if subprocess.run(command, check=False).returncode:
            raise h.Skip("an ext4 image cannot be mounted")
    h.at_end(subprocess.run, ["umount", "-l", kept])
    device = Path(subprocess.run(["findmnt", "-no", "SOURCE", kept], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.strip())
    daemon = keeper(path)
    hot = run("hot", "--seconds", "1")
    first = samples(daemon, "-p", hot)
    h.check(first, "it is written")
    begun = time.time()
    history = lambda: daemon.json("status")["history"]
    written = history()["written"]
    h.wait_until(lambda: history()["written"] > written, "the next window")

    def is_read_only():
        h.wait_until(lambda: history()["problem"] and history()["waiting"], "a problem")
        h.contains(history()["problem"], "its file system is read-only", "status")
    Path(f"/sys/fs/ext4/{device.name}/trigger_fs_error").write_text("a test\n")
    is_read_only()
    daemon.stop()
    # Repaired, but still not to be written when the daemon starts: it is no damage.
    subprocess.run(["umount", kept], check=True)
    subprocess.run(["e2fsck", "-fy", image], check=False, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-o", "loop", image, kept], check=True)
    subprocess.run(["mount", "-o", "remount,ro", kept], check=True)
    daemon = keeper(path)
    is_read_only()
    spin = run("spin", "--seconds", "1")
    subprocess.run(["mount", "-o", "remount,rw", kept], check=True)
    h.wait_until(lambda: not history()["problem"] and not history()["waiting"], "written again", 30)
    h.check(samples(daemon, "-p", spin), "what happened meanwhile")
    h.equal(samples(daemon, "-p", hot, "--until", f"@{begun:.3f}"), first, "what was before")
    h.equal((events(daemon, "set-aside"), history()["lost"]), ([], 0), "damage, lost windows")
    daemon.stop()


@h.test(own_daemon=True)
def torn_pages():
    path = store()
    kept = path / "kept"

    def killed_after(name):
        daemon = keeper(path)
        pid = run(name, "--seconds", "1")
        found = samples(daemon, "-p", pid)
        written = daemon.json("status")["history"]["written"]
        h.wait_until(lambda: daemon.json("status")["history"]["written"] > written, "the next one")
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        return pid, found
    # The end of the log: the last window is gone, those before are there.
    hot, first = killed_after("hot")
    log = kept / "history.sonde-wal"
    size = log.stat().st_size
    h.check(size > 4096, "the log")
    with open(log, "r+b") as f:
        f.truncate(size - 1000)
        f.seek(-1000, os.SEEK_END)
        f.write(os.urandom(1000))
    spin, second = killed_after("spin")
    daemon = keeper(path)
    h.equal((samples(daemon, "-p", hot), samples(daemon, "-p", spin)), (first, second), "kept")
    h.equal(events(daemon, "set-aside"), [], "nothing is damaged")
    h.equal(len(events(daemon, "killed")), 2, "events")
    daemon.stop()
    # The end of the file itself, which the log no longer covers: that is damage, and is said.
    with open(kept / "history.sonde", "r+b") as f:
        f.truncate((kept / "history.sonde").stat().st_size - 1000)
    daemon = keeper(path)
    h.check(samples(daemon, "-p", run("hot", "--seconds", "1")), "it goes on")
    h.contains(events(daemon, "set-aside")[0]["text"], "damaged", "the event")
    daemon.stop()


@h.test(own_daemon=True)
def without_a_history():
    daemon = h.Daemon()
    error = daemon.error(77, "NotSupported", "events")
    h.contains(error["fix"], "keep = yes", "what to do")
    daemon.error(77, "NotSupported", "attach", "--persist", "--name", "x", "libc:malloc")
    daemon.stop()
    outside = h.run(h.SONDED, "--store", "relative", status=2)
    h.contains(outside.err, "absolute", "a store by a relative path")


if __name__ == "__main__":
    h.main()

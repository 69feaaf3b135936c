#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of other tools become recordings that answer as their makers do."""
import collections
import gzip
import json
import os
import random
import re
import resource
import shutil
import sys

import harness as h
import profiles


def sonde(*args, **more):
    return h.run(h.SONDE, *args, env=dict(h.ENV, TMPDIR=str(h.TMP)), **more)


def imported(path, *args, spans=0, samples=0, notes=()):
    """Imports it, as JSON; the recording's path."""
    out = h.TMP / (os.path.basename(path) + ".sonde")
    reply = sonde("import", path, "-o", out, "--json", *args).json
    h.equal(reply["schema"], 1, "schema")
    h.equal(reply["path"], str(out), "path")
    h.equal((reply["spans"], reply["samples"]), (spans, samples), f"{path}: spans and samples")
    h.equal(reply["bytes"], os.path.getsize(out), "bytes")
    h.equal(reply["notes"], list(notes), f"{path}: notes")
    return out


def report(recording, *args):
    reply = sonde("report", "-i", recording, "--json", *args).json
    return {row["key"] if "key" in row else row["func"]: row for row in reply["rows"]}


def folded(recording, *args):
    out = h.TMP / "again.folded"
    sonde("flame", "-i", recording, "-o", out, *args)
    return collections.Counter(profiles.folded(out.read_text()))


def spans_of(recording, *args):
    return sonde("spans", "-i", recording, "--json", *args).lines


def tree(events, lane, start, end, depth):
    """Random spans in each other, as complete events in microseconds with three decimals."""
    at = start + random.randint(1, 900)
    while at + 2000 < end and depth < 6:
        length = random.randint(1000, max(1001, (end - at) // 2))
        stop = min(at + length, end - 1)
        events.append({"name": f"f{depth}_{random.randint(0, 3)}", "cat": f"c{depth % 2}",
                       "ph": "X", "ts": at / 1000, "dur": (stop - at) / 1000, "pid": 10 + lane // 2,
                       "tid": 100 + lane, "args": {"depth": depth}})
        tree(events, lane, at, stop, depth + 1)
        at = stop + random.randint(1, 900)


@h.test(smoke=True, own_daemon=True)
def chrome_spans_are_what_was_written():
    random.seed(7)
    events = []
    for lane in range(6):
        tree(events, lane, 1_000_000 * lane, 1_000_000 * lane + 300_000, 0)
    h.check(len(events) > 300, f"{len(events)} events")
    shuffled = events + [{"name": "process_name", "ph": "M", "pid": 10 + n,
                          "args": {"name": f"app{n}"}} for n in range(3)]
    random.shuffle(shuffled)
    path = h.TMP / "tree.json.gz"
    with gzip.open(path, "wt") as f:
        json.dump({"traceEvents": shuffled}, f)
    recording = imported(path, spans=len(events))
    spans = spans_of(recording)
    h.equal(sorted((s["time_us"], s["duration_ns"], s["pid"], s["tid"], s["name"], s["binary"],
                    s["comm"]) for s in spans),
            sorted((int(round(e["ts"] * 1000) // 1000), round(e["dur"] * 1000), e["pid"], e["tid"],
                    e["name"], e["cat"], f"app{e['pid'] - 10}") for e in events), "spans")
    depths = collections.Counter((s["name"], s["depth"]) for s in spans)
    h.equal(depths, collections.Counter((e["name"], e["args"]["depth"]) for e in events), "depths")
    rows = report(recording)
    for name in {e["name"] for e in events}:
        mine = [e for e in events if e["name"] == name]
        h.equal(rows[name]["calls"], len(mine), f"calls of {name}")
        h.equal(rows[name]["total_ns"], sum(round(e["dur"] * 1000) for e in mine), f"time of {name}")
    # The same as beginnings and ends, in an array that nobody has closed.
    pairs = [dict(e, ph=ph, ts=ts) for e in events
             for ph, ts in (("B", e["ts"]), ("E", (round(e["ts"] * 1000) +
                                                   round(e["dur"] * 1000)) / 1000))]
    random.shuffle(pairs)
    other = h.TMP / "pairs.trace"
    other.write_text("[\n" + ",\n".join(json.dumps(e) for e in pairs) + ",\n")
    again = spans_of(imported(other, spans=len(events)))
    drop = lambda s: {k: v for k, v in s.items() if k != "comm"}  # noqa: E731
    key = lambda s: (s["time_us"], s["tid"], s["duration_ns"], s["depth"])  # noqa: E731
    h.equal([drop(s) for s in sorted(again, key=key)], [drop(s) for s in sorted(spans, key=key)],
            "spans out of beginnings and ends")
    # What has times is asked by them, and by conditions.
    h.equal(len(spans_of(recording, "--where", "duration > 100us")),
            sum(e["dur"] > 100 for e in events), "longer than 100 us")
    sonde("timeline", "-i", recording)
    sonde("diff", recording, recording)


@h.test(own_daemon=True)
def dftracer_files():
    calls = [("POSIX", "read", 25), ("POSIX", "write", 10), ("STDIO", "fopen", 3)] * 20
    lines = [{"id": 0, "name": "SH", "cat": "dftracer", "pid": 5, "tid": 5, "ph": "M",
              "args": {"name": "/opt/train", "value": "abc"}},
             {"id": 1, "name": "start", "cat": "dftracer", "pid": 5, "tid": 5, "ph": "X",
              "ts": 1700000000000000, "dur": 0, "args": {"hhash": "1", "exec_hash": "abc"}}]
    for i, (cat, name, dur) in enumerate(calls):
        lines.append({"id": i + 2, "name": name, "cat": cat, "pid": 5, "tid": 6, "ph": "X",
                      "ts": 1700000000000100 + 100 * i, "dur": dur, "args": {"hhash": "1"}})
    legacy = h.TMP / "legacy.pfw"
    legacy.write_text("[\n" + "".join(json.dumps(line) + "\n" for line in lines))
    array = h.TMP / "array.pfw.gz"
    with gzip.open(array, "wt") as f:
        f.write("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n")
    for path in (legacy, array):
        recording = imported(path, spans=len(calls) + 1)
        rows = report(recording)
        h.equal({n: (r["calls"], r["total_ns"], r["binary"]) for n, r in rows.items()},
                {"read": (20, 500_000, "POSIX"), "write": (20, 200_000, "POSIX"),
                 "fopen": (20, 60_000, "STDIO"), "start": (1, 0, "dftracer")}, "report")
        first = spans_of(recording)[0]
        h.equal((first["time_us"], first["comm"]), (1700000000000000, "train"), "the first span")


@h.test(smoke=True, own_daemon=True)
def names_of_later_batches():
    # The daemon gets half a megabyte at a time: new names, and new threads, come with each.
    events = [{"name": f"f{i // 100}", "cat": f"c{i // 1000}", "ph": "X", "ts": i * 10, "dur": 5,
               "pid": 1 + i // 5000, "tid": 1 + i // 2500} for i in range(80_000)]
    path = h.TMP / "late.json"
    path.write_text(json.dumps(events + [{"name": "process_name", "ph": "M", "pid": 1 + n,
                                          "args": {"name": f"app{n}"}} for n in range(16)]))
    recording = imported(path, spans=len(events))
    h.equal({n: (r["calls"], r["binary"]) for n, r in report(recording, "-n", "1000").items()},
            {f"f{n}": (100, f"c{n // 10}") for n in range(800)}, "report")
    h.equal([(s["name"], s["comm"], s["tid"]) for s in spans_of(recording)],
            [(e["name"], f"app{e['pid'] - 1}", e["tid"]) for e in events], "spans")


def perf_stacks(text):
    """Samples of perf script's output by process and stack, root first."""
    stacks = collections.Counter()
    for block in re.split(r"\n\s*\n", text.strip()):
        head, *frames = block.splitlines()
        comm = re.match(r"\s*(.*?)\s+\d+\s+(?:\[\d+\]\s+)?[\d.]+:", head)[1]
        names = []
        for frame in frames:
            symbol = re.match(r"\s*[0-9a-f]+ (.*) \(.*?\)$", frame)[1]
            names.append(re.sub(r"\+0x[0-9a-f]+$", "", symbol).replace(";", ":"))
        stacks[";".join([comm] + names[::-1])] += 1
    return stacks


@h.test(own_daemon=True)
def perf_script_of_a_real_recording():
    h.need("perf")
    data = h.TMP / "perf.data"
    h.run("perf", "record", "-e", "cpu-clock", "-F", "999", "-g", "-o", data, "--",
          f"{h.WORKLOADS}/wl_hot", "--seconds", "1", timeout=60)
    text = h.run("perf", "script", "-i", data, timeout=60).out
    script = h.TMP / "hot.perf"
    script.write_text(text)
    stacks = perf_stacks(text)
    h.check(sum(stacks.values()) > 100, f"{len(stacks)} stacks of perf")
    recording = imported(script, samples=sum(stacks.values()))
    h.equal(folded(recording), stacks, "stacks")
    rows = report(recording)
    for name in ("hot_a", "hot_b", "main"):
        h.equal(rows[name]["samples"], sum(n for s, n in stacks.items() if name in s.split(";")),
                f"samples of {name}")
        h.equal(rows[name]["self_samples"],
                sum(n for s, n in stacks.items() if s.split(";")[-1] == name), f"own of {name}")
    h.equal(sonde("list", "-i", recording, "--json").json["sessions"][0]["frequency"], 999, "Hz")
    # Through a pipe, as people do it.
    out = h.TMP / "piped.sonde"
    h.run("sh", "-c", 'exec "$0" import - -o "$1" < "$2"', h.SONDE, out, script)
    h.equal(folded(out), stacks, "stacks out of a pipe")


GO = """package main
import ("os"; "runtime/pprof"; "time")
var sink uint64
//go:noinline
func leaf(n int) { for i := 0; i < n; i++ { sink += uint64(i) * sink } }
//go:noinline
func cold(n int) { leaf(n); }
//go:noinline
func warm(n int) { leaf(n); for i := 0; i < n; i++ { sink ^= uint64(i) } }
func main() {
    f, _ := os.Create(os.Args[1]); pprof.StartCPUProfile(f)
    for end := time.Now().Add(time.Second); time.Now().Before(end); { cold(10000); warm(20000) }
    pprof.StopCPUProfile(); f.Close()
    g, _ := os.Create(os.Args[2]); pprof.Lookup("heap").WriteTo(g, 0); g.Close()
}
"""


@h.test(own_daemon=True)
def pprof_of_a_go_program():
    if not shutil.which("go"):
        raise h.Skip("go is not installed")
    (h.TMP / "p.go").write_text(GO)
    env = dict(os.environ, HOME=str(h.TMP), GOCACHE="/tmp/sonde-test-go-cache", GO111MODULE="off",
               GOFLAGS="-p=1")
    h.run("go", "build", "-o", h.TMP / "p", h.TMP / "p.go", env=env, timeout=120)
    cpu, heap = h.TMP / "cpu.pb.gz", h.TMP / "heap.pb.gz"
    h.run(h.TMP / "p", cpu, heap, timeout=30)
    wanted = profiles.pprof_top(cpu, "samples", "count")
    h.check(wanted["main.main"][1] > 3, f"pprof: {wanted}")
    rows = report(imported(cpu, samples=sum(flat for flat, _ in wanted.values())))
    h.equal({n: (r["self_samples"], r["samples"]) for n, r in rows.items()}, wanted, "report")
    h.equal(rows["main.leaf"]["total_ns"], wanted["main.leaf"][1] * 10_000_000, "100 Hz")
    # Of the heap the bytes in use are shown.
    out = h.TMP / "heap.sonde"
    h.contains(sonde("import", heap, "-o", out).err, "numbers of samples", "note")
    wanted = profiles.pprof_top(heap, "inuse_space", "B")
    h.equal({n: (r["self_samples"], r["samples"]) for n, r in report(out).items()}, wanted, "heap")


@h.test(smoke=True, own_daemon=True)
def folded_round_trip():
    random.seed(3)
    stacks = collections.Counter()
    for _ in range(300):
        names = [random.choice("abc")] + [random.choice(["main", "x y", "std::f<int>", "ünï", "[k]"])
                                          for _ in range(random.randint(1, 9))]
        stacks[";".join(names)] += random.randint(1, 50)
    path = h.TMP / "stacks.folded"
    path.write_text("".join(f"{s} {n}\n" for s, n in stacks.items()))
    recording = imported(path, samples=sum(stacks.values()))
    h.equal(folded(recording), stacks, "stacks")
    again = imported(h.TMP / "again.folded", samples=sum(stacks.values()))
    h.equal(folded(again), stacks, "stacks of the second time")
    h.contains(sonde("diff", recording, again, "--kind", "cpu").out, "main", "diff")
    started = sonde("list", "-i", recording, "--json").json["sessions"][0]["started_us"]
    h.equal(started, os.stat(path).st_mtime_ns // 1000, "the time of the file")


@h.test(smoke=True, own_daemon=True)
def what_cannot_be_imported():
    good = h.TMP / "good.json"
    good.write_text('[{"name":"a","ph":"X","ts":1,"dur":1}]')
    out = h.TMP / "out.sonde"

    def fails(status, part, *args, **more):
        before = sorted(os.listdir(h.TMP))
        result = sonde("import", *args, status=status, **more)
        h.contains(result.err, part, f"{args}: message")
        h.equal(sorted(os.listdir(h.TMP)), before, f"{args}: files that are left")

    packed = gzip.compress(json.dumps([{"name": f"a{i}", "ph": "X", "ts": i, "dur": i % 7}
                                       for i in range(1000)]).encode())
    for name, data, part in (
            ("cut.json.gz", packed[:-20], "truncated"),
            ("damaged.json.gz", packed[:30] + b"\xff" * 30 + packed[60:], "at byte"),
            ("bomb.json.gz", gzip.compress(b"[" + b" " * (80 << 20)), "more than 600 times"),
            ("half.json", b'[{"name":"a",', "ends in the middle of an event (byte 13)"),
            ("bad.json", b'[{"name":"a"}}]', "no valid JSON at byte 13"),
            ("text.folded", b"a;b 1\nhello\n", "text.folded:2: the line does not end"),
            ("x.pb.gz", gzip.compress(b"\x0a\x7f"), "damaged or truncated"),
            ("empty.json", b"", "is empty"),
            ("nothing.json", b"[]", "neither spans nor samples"),
            ("old.sonde", b"SQLite format 3\0" + bytes(100), "sonde report -i"),
            ("perf.data", b"PERFILE2" + bytes(100), "perf script -i"),
            ("noise", os.urandom(5000), "--format")):
        path = h.TMP / name
        path.write_bytes(data)
        fails(1, part, path, "-o", out)
    fails(4, "No such file", h.TMP / "none", "-o", out)
    fails(4, "is a directory", h.TMP, "-o", out)
    fails(2, "name one file", "-o", out)
    fails(2, "must be one of", good, "--format", "elf", "-o", out)
    fails(1, "exists and is not a sonde recording", good, "-o", good)
    fails(1, "cannot create", good, "-o", "/nonexistent/x.sonde")
    h.equal(good.read_text()[:2], "[{", "the file that was in the way")
    # A recording that was there stays until the new one is complete.
    recording = imported(good, spans=1)
    size = os.path.getsize(recording)
    fails(1, "truncated", h.TMP / "cut.json.gz", "-o", recording)
    h.equal(os.path.getsize(recording), size, "the recording from before")
    sonde("import", good, "-o", recording)


@h.test(own_daemon=True)
def what_is_odd_in_a_file_is_counted():
    events = [{"name": "a", "ph": "X", "ts": -5.5, "dur": 2, "pid": 1, "tid": 1},
              {"name": "b", "ph": "X", "ts": -4.5, "dur": 4, "pid": 1, "tid": 1},
              {"name": "c", "ph": "E", "ts": 1, "pid": 1, "tid": 1},
              {"name": "d", "ph": "B", "ts": 2, "pid": 1, "tid": 1},
              {"name": "e", "ph": "X", "ts": 3, "dur": -1, "pid": 1, "tid": 1},
              {"name": "f", "ph": "X", "ts": 1e40, "dur": 1, "pid": 1, "tid": 1},
              {"name": "g", "ph": "C", "ts": 3, "pid": 1, "args": {"x": "1"}},
              {"name": "h", "ph": "q", "ts": 3, "pid": 1}]
    path = h.TMP / "odd.json"
    path.write_bytes(json.dumps(events).encode().replace(b'"b"', b'"b\xff\xfe"'))
    recording = imported(path, spans=2, notes=[
        "1 end without a beginning was left out",
        "1 beginning without an end was left out",
        "1 span with a negative duration was left out",
        "1 event was left out: its times or counts are larger than a recording can hold",
        "1 span ends after the span that it begins in: it was put beside it",
        "1 event of a counter was left out: there are no numbers in it, or more than 16",
        "1 event was left out, as it is of a kind that is not known or not kept",
        "1 name is no valid UTF-8, or too long: it was changed",
        "2 times were moved: they begin before 1970, and now with it"])
    h.equal([(s["time_us"], s["duration_ns"], s["depth"], s["name"]) for s in spans_of(recording)],
            [(0, 2000, 0, "a"), (1, 4000, 0, "b\ufffd\ufffd")], "spans")


@h.test(own_daemon=True)
def without_privilege_and_with_little_memory():
    path = h.TMP / "long.json"
    with open(path, "w") as f:
        f.write("[\n")
        for i in range(300_000):
            f.write('{"name":"f%d","ph":"X","ts":%d,"dur":5,"pid":1,"tid":%d},\n'
                    % (i % 99, i * 3 % 900_007, i % 4))
    out = h.TMP / "nobody"
    out.mkdir()
    os.chown(out, 65534, 65534)
    os.chmod(h.TMP, 0o755)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result = h.run(h.SONDE, "import", path, "-o", out / "x.sonde", user=65534, group=65534,
                   extra_groups=[], env=dict(h.ENV, TMPDIR=str(out), HOME=str(out)), timeout=100)
    h.contains(result.err, "300,000 spans", "what was imported")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if "asan" not in str(h.SONDE):
        h.check(peak < 120_000 or peak == before, f"{peak} kB at the most")
    h.equal(os.listdir(out), ["x.sonde"], "files that are left")


@h.test(own_daemon=True)
def killed_in_the_middle():
    fifo, place = h.TMP / "killed", h.TMP / "killed.d"
    os.mkfifo(fifo)
    place.mkdir()
    p = h.spawn(h.SONDE, "import", fifo, "--format", "folded", "-o", place / "x.sonde")
    with open(fifo, "w") as f:
        # Enough for batches, and for windows that have been written.
        for i in range(60_000):
            f.write(f"app;main;f{i} 1\n")
        f.flush()
        h.wait_until(lambda: "x.sonde.new" in os.listdir(place), "the recording to be begun")
        h.check("x.sonde" not in os.listdir(place), "nothing has the name before it is complete")
        h.stop(p, h.signal.SIGKILL)
    h.wait_until(lambda: not os.listdir(place), "sonded to take away what it wrote")


@h.test(own_daemon=True)
def root_reads_as_nobody():
    if os.geteuid() != 0:
        raise h.Skip("not root")
    fifo, out = h.TMP / "fifo", h.TMP / "from_fifo.sonde"
    os.mkfifo(fifo, 0o600)
    p = h.spawn(h.SONDE, "import", fifo, "--format", "chrome", "-o", out, stdout=h.subprocess.PIPE,
                stderr=h.subprocess.PIPE, text=True)
    with open(fifo, "w") as f:
        f.write('[{"name":"a","ph":"X","ts":1,"dur":1}')
        f.flush()
        ids = lambda: re.findall(r"^[UG]id:\t(.*)$",  # noqa: E731
                                 open(f"/proc/{p.pid}/status").read(), re.M)
        h.wait_until(lambda: ids() == ["\t".join(["65534"] * 4)] * 2, "it to be nobody")
    err = p.communicate(timeout=60)[1]
    h.equal(p.returncode, 0, f"exit status; {err}")
    h.equal(os.stat(out).st_uid, 0, "whose the recording is")


def exported(recording, name, *args):
    out = h.TMP / name
    sonde("export", "-i", recording, "-o", out, *args)
    return out


def without_process(stacks):
    out = collections.Counter()
    for stack, n in stacks.items():
        out[stack.partition(";")[2]] += n
    return out


@h.test
def what_sonde_exports_comes_back(daemon):
    if "export" not in sonde("help").out:
        raise h.Skip("this sonde has no export")
    recording = h.TMP / "calls.sonde"
    daemon.sonde("record", "-F", "999", "alpha", "beta", "gamma", "-o", recording, "--",
                 f"{h.WORKLOADS}/wl_calls")
    spans = spans_of(recording)
    h.check(len(spans) > 100, f"{len(spans)} spans")
    members = ("time_us", "duration_ns", "self_ns", "pid", "tid", "comm", "name", "binary", "depth",
               "flags")
    chosen = lambda rows: [[r[m] for m in members] for r in rows]  # noqa: E731
    samples = sonde("report", "-i", recording, "--kind", "cpu", "--json").json["total_samples"]
    again = imported(exported(recording, "calls.json.gz"), spans=len(spans), samples=samples)
    h.equal(chosen(spans_of(again)), chosen(spans), "spans of chrome")
    tree = lambda file: [[r[m] for m in ("func", "depth", "calls", "total_ns", "self_ns")]  # noqa
                         for r in sonde("graph", "-i", file, "--json").json["rows"]]
    h.equal(tree(again), tree(recording), "the call tree")
    # DFTracer has whole microseconds.
    again = imported(exported(recording, "calls.pfw.gz"), spans=len(spans))
    coarse = lambda rows: sorted((r["time_us"], r["duration_ns"] // 1000, r["pid"], r["tid"],  # noqa
                                  r["comm"], r["name"]) for r in rows)
    h.equal(coarse(spans_of(again)), coarse(spans), "spans of dftracer")
    hot = h.TMP / "hot.sonde"
    daemon.sonde("record", "-F", "999", "-o", hot, "--", f"{h.WORKLOADS}/wl_hot", "--seconds", "1")
    stacks = folded(hot)
    total = sum(stacks.values())
    for name in ("hot.folded", "hot.json", "hot.pb.gz", "hot.perf"):
        again = imported(exported(hot, name, "--kind", "cpu"), samples=total)
        got = folded(again)
        # A sample has one name there, its thread's: before it executes a program it has another.
        wanted = without_process(stacks) if name == "hot.perf" else stacks
        got = without_process(got) if name == "hot.perf" else got
        h.equal({s: (got[s], wanted[s]) for s in {*got, *wanted} if got[s] != wanted[s]}, {},
                f"stacks of {name}")
    h.equal(sonde("list", "-i", again, "--json").json["sessions"][0]["frequency"], 999, "Hz")


if __name__ == "__main__":
    sys.exit(h.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names, values and places to write to that nobody would choose: each output is read by a parser of
its format, or there is none. wl_odd_names.c says what is odd."""
import csv
import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
import xml.dom.minidom

import harness as h

NAMES = 21
# A terminal obeys none of it; a line ends only where a row does.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
FIELDS = {"min": "-9223372036854775808", "max": "18446744073709551615",
          "half": "9223372036854775808", "nan": "nan", "inf": "-inf", "zero": "-0",
          "tiny": "4.94065645841247e-324", "empty": "", "bad": "\ufffd</script>\n\"q"}


def recording(daemon):
    path = h.TMP / "odd.sonde"
    if not path.exists():
        daemon.sonde("record", "-o", path, "-F", "499", "span:*", "--",
                     f"{h.WORKLOADS}/wl_odd_names")
    return path


def strict(text):
    """JSON as the standard has it: no NaN, no bytes that are not UTF-8."""
    def refuse(constant):
        raise h.Failed(f"{constant} is no JSON")
    return json.loads(text.decode() if isinstance(text, bytes) else text, parse_constant=refuse)


def lines(text):
    return [strict(line) for line in text.decode().rstrip("\n").split("\n")]


def export(daemon, name, *args):
    out = h.TMP / name
    daemon.sonde("export", "-i", recording(daemon), "-o", out, *args)
    data = out.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


@h.test(smoke=True)
def spans_that_never_end_and_odd_fields(daemon):
    spans = daemon.sonde("spans", "-i", recording(daemon), "--json", "-n", "1000").lines
    h.equal(sum(s["cat"] == "odd" for s in spans), 3 * NAMES, "spans of an odd name")
    h.equal(sum(s["name"] == "in" for s in spans), NAMES, "spans of an odd category")
    h.equal({s["value"] for s in spans if "counter" in s["flags"]}, {-1.5}, "counters")
    never = [s for s in spans if s["name"] == "never"]
    if os.uname().release >= "6.16":
        h.equal([(s["flags"], s["args"]) for s in never],
                [(["unwound"], {"unfinished": "true"})] * 2, "those that did not end")
    fields = next(s for s in spans if s["name"] == "fields")["args"]
    h.equal({k: fields[k] for k in FIELDS}, FIELDS, "fields")
    h.check(all(len(s["name"].encode()) <= 255 for s in spans), "long names are cut")


@h.test(smoke=True)
def formats_in_json(daemon):
    h.check(len(strict(export(daemon, "a.json"))["traceEvents"]) > 4 * NAMES, "chrome")
    for kind in ("span", "cpu"):
        for name in ("b.speedscope.json", "c.otlp.json"):
            strict(export(daemon, name, "--kind", kind))
    h.check(len(lines(export(daemon, "d.pfw.gz", "--framing", "new"))) > 4 * NAMES, "dftracer")
    h.check(len(lines(export(daemon, "e.jsonl", "--answer", "spans"))) > 4 * NAMES, "json")
    for verb in (("report",), ("graph",), ("spans",), ("timeline",), ("sql", "select * from raw_span"),
                 ("list",)):
        args = () if verb == ("list",) else ("-i", recording(daemon))
        lines(daemon.sonde(*verb, *args, "--json").out.encode())


@h.test
def formats_in_text(daemon):
    for answer in ("report", "graph", "spans"):
        rows = list(csv.reader(io.StringIO(export(daemon, "a.csv", "--answer", answer).decode(),
                                           newline="")))
        h.equal({len(row) for row in rows}, {len(rows[0])}, f"cells of {answer}")
        table = export(daemon, "a.md", "--answer", answer).decode().rstrip("\n").split("\n")
        h.equal(len({len(re.findall(r"(?<!\\)\|", line)) for line in table}), 1, f"{answer} as md")
    for kind in ("span", "cpu"):
        for line in export(daemon, "a.folded", "--kind", kind).decode().split("\n")[:-1]:
            h.check(re.fullmatch(r"\S.* \d+", line), f"folded: {line!r}")
    export(daemon, "a.perf", "--kind", "cpu").decode()
    metrics = re.sub(r" # \{.*", "", export(daemon, "a.prom").decode())
    if shutil.which("promtool"):
        p = subprocess.run(["promtool", "check", "metrics"], input=metrics, text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        h.check("error while linting" not in p.stdout, p.stdout)
    xml.dom.minidom.parseString(_page(daemon, "flame", "a.svg"))
    for verb in (("report",), ("graph",), ("spans", "-n", "1000"), ("timeline",), ("flame",),
                 ("sql", "select * from raw_span")):
        out = daemon.sonde(*verb, "-i", recording(daemon)).out
        h.check(not OBEYED.search(out), f"{verb}: {OBEYED.findall(out)}")


def _page(daemon, verb, name):
    out = h.TMP / name
    daemon.sonde(verb, "-i", recording(daemon), "-o", out)
    return out.read_text()


@h.test
def profiles_are_read_by_pprof(daemon):
    if not shutil.which("go"):
        raise h.Skip("needs golang-go")
    export(daemon, "a.pb.gz")
    p = subprocess.run(["go", "tool", "pprof", "-raw", h.TMP / "a.pb.gz"], check=False, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, HOME=str(h.TMP)))
    h.equal(p.returncode, 0, p.stderr)


@h.test
def pages_run_nothing_of_it(daemon):
    page = None
    for verb in ("flame", "timeline"):
        text = _page(daemon, verb, f"{verb}.html")
        h.equal(text.count("<script"), text.count("</script>"), "each script is closed")
        h.check("<script>alert" not in text and "<!--\"" not in text, "markup in the data")
        if page:
            page.go("", h.TMP / f"{verb}.html")
        else:
            page = h.page(h.TMP / f"{verb}.html")
            h.at_end(page.close)
        page.js("new Promise(done => setTimeout(done, 300))")
        h.equal((page.complaints, page.requests), ([], []), f"{verb}: complaints and requests")
        h.check(page.js("document.querySelectorAll('script').length") == text.count("<script"),
                "no script was added")


@h.test
def places_that_cannot_be_written(daemon):
    path = recording(daemon)
    for args in (["export", "--format", "chrome"], ["export", "--format", "pprof"],
                 ["export", "--format", "csv"], ["flame"], ["timeline"]):
        full = ["/dev/full"] if args[0] == "export" else [f"{h.TMP}/no/such.html"]
        e = daemon.sonde(*args, "-i", path, "-o", *full, status=1).err
        h.contains(e, f"cannot write {full[0]}", str(args))
    h.contains(daemon.sonde("export", "-i", path, "--format", "chrome", "-o", h.TMP, status=1).err,
               "Is a directory", "a directory")
    h.contains(daemon.sonde("export", "-i", path, "-o", h.TMP / "x.txt", status=2).err,
               "its name says no format", "an extension that is none")
    daemon.sonde("export", "-i", path, "-o", h.TMP / "x.txt", "--format", "chrome")
    strict((h.TMP / "x.txt").read_bytes())
    p = subprocess.run(f"{h.SONDE} export --format chrome -i {path} | head -c 10", shell=True,
                       env=h.ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    h.equal((len(p.stdout), p.stderr), (10, b""), "a reader that goes away")


@h.test
def a_disk_that_is_full(daemon):
    disk = h.TMP / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", disk],
                      check=False).returncode:
        raise h.Skip("cannot mount a tmpfs here")
    h.at_end(subprocess.run, ["umount", "-l", disk])
    random.seed(7)
    big = h.TMP / "big.json"
    with open(big, "w") as f:
        f.write("[\n")
        for i in range(50_000):
            f.write('{"name":"f%d","ph":"X","ts":%d,"dur":%d,"pid":1,"tid":%d},\n'
                    % (i % 9, random.randrange(1 << 40), random.randrange(1 << 20), i))
    for args in (["export", "-i", recording(daemon), "--format", "chrome"],
                 ["timeline", "-i", recording(daemon)]):
        e = daemon.sonde(*args, "-o", disk / "x.html", status=1).err
        h.contains(e, "No space left", args[0])
    # With room for the tables, and not for what is in them.
    subprocess.run(["mount", "-o", "remount,size=300k", disk], check=True)
    e = daemon.sonde("import", big, "-o", disk / "x.sonde", status=1).err
    h.contains(e, "nothing is left of what was written", "import")
    h.equal(sorted(os.listdir(disk)), [], "what is left")


@h.test
def a_signal_in_the_middle(daemon):
    events = h.TMP / "many.json"
    with open(events, "w") as f:
        f.write("[\n")
        for i in range(300_000):
            f.write('{"name":"f%d","ph":"X","ts":%d,"dur":5,"pid":1,"tid":1},\n' % (i % 9, i * 7))
    place = h.TMP / "signals"
    place.mkdir()
    for args in (["import", events, "-o", place / "x.sonde"],
                 ["export", "--format", "json", "--answer", "spans", "-i", h.TMP / "many.sonde",
                  "-o", place / "x.jsonl"]):
        if args[0] == "export":
            daemon.sonde("import", events, "-o", h.TMP / "many.sonde")
        for number in (signal.SIGINT, signal.SIGTERM):
            p = daemon.start(*args)
            time.sleep(0.15)
            p.send_signal(number)
            h.check(p.wait(20) != 0, f"{args[0]}: it was quicker than the signal")
            h.wait_until(lambda: not os.listdir(place), f"{args[0]}: nothing is left")


h.main()

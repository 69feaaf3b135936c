#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparisons, gates, reports and baselines, of two recordings of wl_serve made at the same time:
as it is, and with parse() taking twice as long. Whatever the machine does, that is more than chance.
"""
import json
import re
import sqlite3
import time
import xml.etree.ElementTree

import harness as h


# Another daemon, which keeps a history of all that happens while the recordings are made, and when
# that was: from, to.
history = []


def recordings(daemon):
    paths = h.TMP / "as-is.sonde", h.TMP / "slower.sonde"
    if not paths[1].exists():
        # The slower one once more, in a session of the daemon, for `now`.
        history.append(h.Daemon(history={"keep": "yes", "store": h.TMP / "history", "window": "1s",
                                         "frequency": "99"}))
        history.append(time.time())
        live = h.Workload("serve", "--seconds", "3", "--slower", "100")
        daemon.sonde("attach", "--name", "live", "-p", live.pid, "handle", "parse", "render")
        live.go()
        made = [daemon.start("record", "-F", "199", "handle", "parse", "render", "-o", path, "--name",
                             path.stem, "--", f"{h.WORKLOADS}/wl_serve", "--seconds", "3", *more)
                for path, more in zip(paths, ((), ("--slower", "100")))]
        for p in made:
            h.finish(p)
        live.finish()
        history.append(time.time())
    return paths


def diff(daemon, *args, status=0):
    return daemon.sonde("diff", *recordings(daemon), *args, status=status)


def rows(reply, key="func"):
    return {row[key]: row for row in reply["rows"]}


@h.test(smoke=True)
def what_is_slower_is_found(daemon):
    reply = diff(daemon, "--json").json
    h.equal((reply["schema"], reply["kind"], reply["confidence"], reply["total_rows"]),
            (1, "span", 0.95, 3), "members")
    h.check("gates" not in reply and "refused" not in reply, "gates without --fail-if")
    parse = rows(reply)["parse"]
    h.equal((parse["binary"], parse["significant"]), ("wl_serve", True), "parse")
    for metric in ("mean", "p50"):
        value = parse["values"][metric]
        h.check(value["significant"], f"{metric}: {value}")
        h.check(0 < value["low"] <= value["change"] <= value["high"], f"{metric}: {value}")
    h.between(parse["values"]["p50"]["change"], 0.5, 2, "change of the median")
    # A second: the recordings know how long they were.
    for side in ("before", "after"):
        h.between(reply[side]["seconds"], 2.9, 30, f"seconds {side}")
        h.between(reply[side]["blocks"], 3, 31, f"blocks {side}")
        h.between(parse["values"]["calls"][side] * reply[side]["seconds"],
                  parse[f"calls_{side}"] * 0.99, parse[f"calls_{side}"] * 1.01, f"calls {side}")
    h.equal(reply["rows"][0]["significant"], True, "significant ones first")
    paths = rows(diff(daemon, "--by", "path", "--json").json, "path")
    h.equal(sorted(paths), ["handle", "handle > parse", "handle > render"], "paths")
    h.check(paths["handle > parse"]["significant"], "the path that is slower")


@h.test(smoke=True)
def samples_are_compared_too(daemon):
    shares = rows(diff(daemon, "--kind", "cpu", "--json").json)["parse"]["values"]["share"]
    h.check(shares["after"] > shares["before"], f"share of parse: {shares}")
    reply = diff(daemon, "--by", "stack", "--json").json
    h.equal(reply["kind"], "cpu", "kind of stacks")
    h.check(any(key.endswith("main > handle > parse") for key in rows(reply, "stack")), "stacks")


@h.test(smoke=True)
def nothing_differs_from_itself(daemon):
    same, _ = recordings(daemon)
    reply = daemon.sonde("diff", same, same, "--json", "--fail-if", "mean(*) > +0%").json
    for row in reply["rows"]:
        significant = [m for m, v in row["values"].items() if v["significant"]]
        h.equal(significant, [], f"changes of {row['func']}")
    h.equal(reply["gates"][0]["verdict"], "passed", "gate")


@h.test(smoke=True)
def text(daemon):
    plain = diff(daemon)
    head, *lines = plain.out.splitlines()
    h.equal(head.split()[0::11], ["TOTAL/s", "ERRORS/s"], "head")
    h.equal(len(lines), 3, "lines")
    line = next(line for line in lines if "parse [wl_serve]" in line)
    # The median of parse is certain; "~" marks what is not.
    h.check(re.search(r"  \+\d+\.\d %", line), line)
    h.contains(plain.err, "before: ", "notes")
    color = diff(daemon, "--color", "always").out
    h.check("~" not in color and "\x1b[2m" in color and "\x1b[31m" in color, color)
    h.equal(len(diff(daemon, "-n", "1").out.splitlines()), 2, "lines of -n 1")


@h.test(smoke=True)
def gates_decide_the_exit_status(daemon):
    holds, holds_not = "p50(parse) > +20%", "calls(parse) > 1000000000"
    result = diff(daemon, "--fail-if", holds_not, "--fail-if", holds, status=1)
    h.contains(result.out, f"PASSED  {holds_not}\n", "what passed")
    h.contains(result.out, f"FAILED  {holds}\n", "what failed")
    diff(daemon, "--fail-if", f"!({holds})")
    diff(daemon, "--fail-if", f"{holds} && {holds_not}")
    diff(daemon, "--fail-if", f"{holds_not} || {holds}", "--by", "path", status=1)
    # Undecided is no pass.
    result = diff(daemon, "--fail-if", "mean(nothing) > +5%", status=1)
    h.contains(result.out, "NOT JUDGED  mean(nothing) > +5%\n", "what was not judged")
    h.contains(result.out, "no such function on either side", "reason")
    result = diff(daemon, "--fail-if", holds, "--min-calls", "1000000", status=1)
    h.contains(result.out, "--min-calls is 1000000", "reason")
    gate, = diff(daemon, "--fail-if", holds, "--json", status=1).json["gates"]
    finding, = gate["findings"]
    h.equal((gate["verdict"], finding["function"], finding["verdict"], finding["metric"]),
            ("failed", "parse", "holds", "p50"), "gate as JSON")


@h.test(smoke=True)
def wrong_gates_and_wrong_usage(daemon):
    paths = [str(p) for p in recordings(daemon)]
    error = daemon.error(2, "BadCondition", "diff", *paths, "--fail-if", "mean(f) > 20")
    h.equal(error["fix"], "write `20ms`, or `+20%`", "fix")
    err = diff(daemon, "--fail-if", "mean(f) > 20", status=2).err
    h.contains(err, "  mean(f) > 20\n            ^\n", "mark below the column")
    err = diff(daemon, "--fail-if", "mean(f) > +5%", "--fail-if", "p50(f) > x", status=2).err
    h.contains(err, "gate 2, column 10", "which gate")
    h.contains(err, "  p50(f) > x\n           ^\n", "mark below the column")
    daemon.error(2, "BadArgument", "diff", *paths, "--fail-if", "samples(f) > 3")
    daemon.error(2, "BadArgument", "diff", paths[0])
    daemon.error(2, "BadArgument", "diff", *paths, "--confidence", "100")
    daemon.error(2, "BadArgument", "diff", *paths, "--report", "x.txt")
    daemon.error(2, "BadArgument", "diff", *paths, "--by", "stack", "--kind", "span")
    daemon.error(4, "NoSuchFile", "diff", paths[0], "/nowhere.sonde")
    daemon.error(4, "NoSuchFile", "diff", "baseline:nothing", paths[0])
    daemon.error(2, "BadArgument", "diff", "baseline:../x", paths[0])
    foreign = h.TMP / "foreign.sonde"
    foreign.write_text("no recording")
    daemon.error(1, "BadFile", "diff", paths[0], str(foreign))
    daemon.error(1, "BadFile", "diff", str(foreign), paths[0])


@h.test(smoke=True)
def poor_coverage_is_not_judged(daemon):
    before, after = recordings(daemon)
    lossy = h.TMP / "lossy.sonde"
    lossy.write_bytes(after.read_bytes())
    with sqlite3.connect(lossy) as db:
        # Spans that found no room in the ring, as many as were seen.
        db.execute("insert into loss select 1, 0, sum(calls) from span_stat")
    db.close()
    args = "diff", before, lossy, "--fail-if", "p50(parse) > +5%"
    result = daemon.sonde(*args, status=1)
    h.contains(result.err, "no gate was judged: only 50.0 % of what happened after was seen", "why")
    h.check("FAILED" not in result.out and "PASSED" not in result.out, "gates")
    reply = daemon.sonde(*args, "--json", status=1).json
    h.check("refused" in reply and "gates" not in reply, f"members: {sorted(reply)}")
    daemon.sonde(*args, "--min-coverage", "40", status=1)
    report = h.TMP / "refused.xml"
    daemon.sonde(*args, "--report", report, status=1)
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    h.equal((suite.get("tests"), suite.get("errors")), ("1", "1"), "counts of JUnit")


@h.test(smoke=True)
def reports(daemon):
    files = h.TMP / "report.xml", h.TMP / "report.md"
    gates = "p50(parse) > +20%", "mean(parse) < -50% && calls(*) < 1", "mean(x|<y>&\"z\") > +5%"
    args = [word for gate in gates for word in ("--fail-if", gate)]
    diff(daemon, *args, *(w for f in files for w in ("--report", f)), status=1)
    suite = xml.etree.ElementTree.parse(files[0]).getroot().find("testsuite")
    h.equal([suite.get(k) for k in ("tests", "failures", "errors")], ["3", "1", "1"], "counts")
    h.equal([case.get("name") for case in suite.iter("testcase")], list(gates), "test cases")
    h.equal([case[0].tag for case in suite.iter("testcase")], ["failure", "system-out", "error"],
            "what each has")
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    for name in ("before", "after", "coverage before", "coverage after", "method", "confidence",
                 "compared on", "processor", "sonde"):
        h.check(properties.get(name), f"property {name}")
    markdown = files[1].read_text()
    for heading in ("## Summary", "## Gates", "## Evidence", "## Method, machine, coverage"):
        h.contains(markdown, heading + "\n", "headings")
    h.contains(markdown, "**Failed**: 1 gates failed, 1 passed, 1 could not be judged.", "summary")
    # Each table has as many cells in each of its lines; a bar in a name is none.
    width = None
    for line in markdown.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.lstrip().startswith("|") else None
        h.check(cells is None or width is None or cells == width, f"cells of {line!r}: not {width}")
        width = cells


@h.test(smoke=True)
def now_is_what_the_daemon_has(daemon):
    before, _ = recordings(daemon)
    env = dict(daemon.env(), SONDE_BASELINES=str(h.TMP / "live"), TMPDIR=str(h.TMP / "tmp"))
    (h.TMP / "tmp").mkdir()

    def sonde(*args, status=0):
        return h.run(h.SONDE, *args, env=env, status=status)
    holds = "p50(parse) > +20%"
    reply = sonde("diff", before, "now", "--fail-if", holds, "--json", status=1).json
    h.equal(reply["after"]["session"]["targets"], daemon.session("live")["targets"], "session")
    h.between(reply["after"]["blocks"], 3, 60, "blocks")
    h.equal(rows(reply)["parse"]["calls_after"], daemon.calls("--session", "live")["parse"], "calls")
    # The session goes on, saved or not, and nothing is left behind.
    sonde("baseline", "save", "live", "--session", "live")
    reply = sonde("diff", "baseline:live", "now", "--session", "live", "--fail-if", holds, "--json").json
    h.equal(rows(reply)["parse"]["values"]["mean"]["change"], 0, "change")
    h.equal(list((h.TMP / "tmp").iterdir()), [], "temporary files")
    sonde("diff", before, "now", "--session", "nothing", status=4)
    h.equal(list((h.TMP / "tmp").iterdir()), [], "temporary files of a failure")
    h.check(sonde("flame", "--diff", before, "now").out, "flame graph")
    h.contains(sonde("diff", before, "now", "--where", "duration > 1ns", status=2).err,
               "after: of the ", "what is saved has no raw spans")
    h.run(h.SONDE, "diff", before, "now", status=3)
    h.run(h.SONDE, "baseline", "save", "none", status=3)


@h.test(smoke=True)
def before_and_after_a_time(daemon):
    recordings(daemon)
    kept, first, last = history
    middle = f"@{(first + last) / 2:.0f}"
    args = "diff", "--before", middle, "--after", middle, "-c", "wl_serve"
    reply = kept.json(*args)
    h.equal(reply["kind"], "cpu", "kind")
    parse = rows(reply)["parse"]
    for side in ("before", "after"):
        h.check(parse[f"samples_{side}"] > 0, f"samples of parse {side}")
        h.between(reply[side]["blocks"], 1, 60, f"blocks {side}")
    h.between(reply["before"]["seconds"], 0.5, last - first + 5, "seconds before")
    # A range of which nothing is known has no windows.
    reply = kept.json(*args, "--span", "1ms")
    h.equal(reply["before"]["blocks"], 1, "blocks of a moment")
    h.check(kept.sonde("diff", "now", "now", "-c", "wl_serve", "--by", "stack").out, "now")
    h.check(kept.sonde("flame", "--diff", "now", "now", "-c", "wl_serve").out, "flame graph")
    kept.error(2, "BadArgument", "diff", "--before", middle)
    kept.error(2, "BadArgument", *args, "x.sonde", "y.sonde")
    kept.error(2, "BadArgument", "diff", "now", "now", "--span", "1m")
    h.equal(h.run(h.SONDE, "diff", "--before", "1h", "--after", "1h", status=3).out, "", "no daemon")
    kept.stop()


@h.test(smoke=True)
def flame_graphs(daemon):
    paths = recordings(daemon)
    svg, html = h.TMP / "diff.svg", h.TMP / "diff.html"
    for out in (svg, html):
        daemon.sonde("flame", "--diff", *paths, "-o", out)
    fills = re.findall(r"fill:#(..)(..)(..)\"", svg.read_text())
    xml.etree.ElementTree.parse(svg)
    h.check(any(r == "ff" and g == b < "ff" for r, g, b in fills), "nothing is red")
    h.check(any(b == "ff" and r == g < "ff" for r, g, b in fills), "nothing is blue")
    h.contains(html.read_text(), '"before":[', "html")
    lines = daemon.sonde("flame", "--diff", *paths).out.splitlines()
    values = {line.rsplit(" ", 2)[0]: [int(n) for n in line.rsplit(" ", 2)[1:]] for line in lines}
    reply = daemon.json("flame", "--diff", *paths)
    for i, side in enumerate(("before", "after")):
        h.equal(sum(v[i] for v in values.values()), sum(s["value"] for s in reply[side]["stacks"]),
                f"values {side}")
    before, after = values["wl_serve;handle;parse"]
    h.check(after / sum(v[1] for v in values.values()) > before / sum(v[0] for v in values.values()),
            "share of parse")
    daemon.error(2, "BadArgument", "flame", "--diff", str(paths[0]))
    daemon.error(2, "BadArgument", "flame", "--diff", *map(str, paths), "-i", str(paths[0]))
    daemon.error(2, "BadArgument", "flame", *map(str, paths))


@h.test(smoke=True)
def files_are_completed(daemon):
    (h.TMP / "complete").mkdir()
    (h.TMP / "complete/old.sonde").touch()
    script = h.TMP / "completion.sh"
    script.write_text(daemon.sonde("completion", "bash").out)
    for words, wanted in (("diff o", "old.sonde"), ("baseline s", "save")):
        result = h.run("bash", "-c", f". {script}; COMP_WORDS=(sonde {words}); COMP_CWORD=2; _sonde; "
                       "echo ${COMPREPLY[*]}", cwd=h.TMP / "complete")
        h.equal(result.out.strip(), wanted, words)


@h.test(smoke=True)
def baselines(daemon):
    before, after = recordings(daemon)
    env = dict(daemon.env(), SONDE_BASELINES=str(h.TMP / "data/baselines"))

    def sonde(*args, **more):
        return h.run(h.SONDE, *args, env=env, **more)
    h.contains(sonde("baseline", "list").err, "no baselines in", "an empty list")
    sonde("baseline", "save", "main", "-i", before)
    sonde("baseline", "save", "main.2", "-i", after)
    h.equal((h.TMP / "data/baselines/main.sonde").stat().st_mode & 0o777, 0o600, "mode")
    listed = sonde("baseline", "list", "--json").json["baselines"]
    h.equal(sorted((b["name"], b["good"], b["session"]["name"]) for b in listed),
            [("main", True, "as-is"), ("main.2", True, "slower")], "list")
    h.contains(sonde("baseline", "list").out, "main.2", "list as text")
    sonde("diff", "baseline:main", after, "--fail-if", "p50(parse) > +20%", status=1)
    sonde("diff", "baseline:main", before, "--fail-if", "p50(parse) > +20%")
    # One of that name takes the place of what there was.
    sonde("baseline", "save", "main", "-i", after)
    sonde("diff", "baseline:main", after, "--fail-if", "p50(parse) > +20%")
    sonde("baseline", "rm", "main.2")
    h.equal([b["name"] for b in json.loads(sonde("baseline", "list", "--json").out)["baselines"]],
            ["main"], "what is left")
    sonde("baseline", "rm", "main.2", status=4)
    sonde("baseline", "save", "../x", "-i", before, status=2)
    sonde("baseline", "save", "x", "-i", h.SONDE, status=1)
    sonde("baseline", "frob", status=2)
    h.equal(len(json.loads(sonde("baseline", "list", "--json").out)["baselines"]), 1, "no more")


h.main()

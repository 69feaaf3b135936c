#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Flame graphs of a real recording: html in headless Chromium, svg, folded text."""
import collections
import math
import re
import shutil
import sys
import xml.etree.ElementTree

import harness as h

BROWSER = h.ROOT / "tests/integration/browser.py"


def recording(daemon):
    path = h.TMP / "hot.sonde"
    if not path.exists():
        # Whole system, so that there are kernel frames, too; dd spends its time in the kernel.
        dd = h.spawn("dd", "if=/dev/zero", "of=/dev/null", "bs=1M", "count=200000")
        daemon.sonde("record", "-a", "-F", "399", "-o", path, "--", f"{h.WORKLOADS}/wl_hot",
                     "--seconds", "2")
        h.stop(dd)
    return path


def folded(daemon, *args):
    out = h.TMP / "x.folded"
    daemon.sonde("flame", "-i", recording(daemon), "-o", out, *args)
    return [(line.rsplit(" ", 1)[0].split(";"), int(line.rsplit(" ", 1)[1]))
            for line in out.read_text().splitlines()]


@h.test(smoke=True)
def folded_text(daemon):
    stacks = folded(daemon, "--kind", "cpu", "-c", "wl_hot")
    total = sum(n for _, n in stacks)
    h.equal({s[0] for s, _ in stacks}, {"wl_hot"}, "first frames")
    for name, percent in (("hot_a", 60), ("hot_b", 30), ("hot_c", 10)):
        mine = [(s, n) for s, n in stacks if name in s]
        # Four sigma, and what a slice of work may be off: a machine that gives its time away takes
        # most of the samples with it.
        margin = 400 * math.sqrt(percent / 100 * (1 - percent / 100) / total) + 1
        h.between(100 * sum(n for _, n in mine) / total, percent - margin, percent + margin, name)
        # Before there are unwind tables, a sample in a function's first instructions misses the
        # caller: no frame pointer yet.
        whole = sum(n for s, n in mine if s[-3:] == ["main", "work", name])
        h.check(whole > 0.9 * sum(n for _, n in mine), f"callers of {name}: {mine}")
    everything = sum(n for _, n in folded(daemon, "--kind", "cpu"))
    h.check(everything > total, "the rest of the system is there, too")
    reply = daemon.json("report", "-i", recording(daemon), "--kind", "cpu")
    h.equal(everything, reply["total_samples"], "samples")


@h.test(smoke=True)
def svg_is_well_formed(daemon):
    out = h.TMP / "x.svg"
    daemon.sonde("flame", "-i", recording(daemon), "-o", out, "--kind", "cpu", "--title",
                 "A <title> & \"more\"")
    root = xml.etree.ElementTree.parse(out).getroot()
    h.check(root.tag.endswith("}svg"), f"root: {root.tag}")
    text = "".join(root.itertext())
    for wanted in ("A <title> & \"more\"", "hot_a", "wl_hot"):
        h.contains(text, wanted, "text of the svg")
    h.check(not re.search(r"(?:href|src)=\"https?:", out.read_text()), "no network")


@h.test
def html_in_a_browser(daemon):
    out = h.TMP / "x.html"
    daemon.sonde("flame", "-i", recording(daemon), "-o", out, "--kind", "cpu", "-c", "wl_hot")
    stacks = folded(daemon, "--kind", "cpu", "-c", "wl_hot")
    total = sum(n for _, n in stacks)
    share = 100 * sum(n for s, n in stacks if "hot_b" in s) / total
    # The first samples may have other callers, until there are unwind tables.
    under = collections.Counter()
    for s, n in stacks:
        if "hot_b" in s:
            under[tuple(s[:s.index("hot_b")])] += n
    widest = 100 * max(under.values()) / total
    result = h.run(sys.executable, BROWSER, out, "--frame", "main", "--frame", "hot_a",
                   "--search", "hot_b", "--matched", f"{share:.2f}", "--zoom", "hot_b", "--share",
                   f"{widest:.2f}", status=None, timeout=150)
    if result.status == 77:
        raise h.Skip(result.out.strip() or "no chromium")
    h.equal(result.status, 0, f"browser.py: {result.out[-1000:]} {result.err[-1000:]}")


@h.test
def processes_in_a_browser(daemon):
    """Merged by name, each on its own, one alone: as the answer's stacks say."""
    out = h.TMP / "processes.html"
    daemon.sonde("flame", "-i", recording(daemon), "-o", out, "--kind", "cpu")
    stacks = daemon.json("flame", "-i", recording(daemon), "--kind", "cpu")["stacks"]
    of_process, of_name = collections.Counter(), collections.Counter()
    for s in stacks:
        of_process[s["comm"], s["pid"]] += s["value"]
        of_name[s["comm"]] += s["value"]
    names = max(of_name, key=of_name.get), "wl_hot"
    (comm, pid), value = of_process.most_common(1)[0]
    with h.page(out) as page:
        whole = page.js("sonde.total")
        h.equal(whole, sum(of_name.values()), "all")
        for name in names:
            h.between(page.js(f"sonde.box({name!r}).share") * whole / 100, of_name[name] - 0.01,
                      of_name[name] + 0.01, f"all processes named {name}")
        options = page.js("[...document.getElementById('process').options].map(o => [o.text, o.value])")
        one = {text: value for text, value in options}[f"{comm} · pid {pid}"]
        page.choose("#process", one)
        h.equal(page.js("sonde.total"), value, f"{comm} {pid} alone")
        h.equal(page.fragment(), f"process={one}", "fragment")
        page.go("process=split&layout=flame")
        h.equal(page.js("sonde.total"), whole, "each on its own")
        h.between(page.js(f"sonde.box({comm!r}).share") * whole / 100, value - 0.01, value + 0.01,
                  "the widest process of that name")
        h.equal((page.complaints, page.requests), ([], []), "complaints and requests")


@h.test
def kernel_and_user_frames_are_told_apart(daemon):
    reply = daemon.json("flame", "-i", recording(daemon), "--kind", "cpu")
    kinds = {f["kind"] for f in reply["frames"]}
    h.check("user" in kinds, f"kinds: {kinds}")
    if "kernel" not in kinds:
        raise h.Skip("the kernel's frames are not visible here")
    for stack in reply["stacks"]:
        order = [reply["frames"][i]["kind"] for i in stack["frames"]]
        h.equal(order, sorted(order, reverse=True), "user frames first, then the kernel's")


@h.test
def names_are_demangled_as_asked(daemon):
    """Of a session, of a recording, and of one whose program is not there any more."""
    program, path = h.TMP / "st_cpp", h.TMP / "cpp.sonde"
    shutil.copy(f"{h.WORKLOADS}/stacks/st_cpp", program)
    daemon.sonde("record", "-F", "499", "--name", "cpp", "-o", path, "--", program, "--ms", "300",
                 "--warm-up", "50")
    of_file = {"full": "Leaf::visit(long)", "short": "Leaf::visit", "none": "_ZN4Leaf5visitEl"}
    for how, name in of_file.items():
        reply = daemon.json("flame", "-i", path, "--kind", "cpu", "--demangle", how)
        names = {f["func"] for f in reply["frames"]}
        h.check(name in names, f"{how}: {sorted(names)}")
        h.check("main" in names, f"{how}: no main")
        others = set(of_file.values()) - {name}
        h.check(not others & names, f"{how}: {others & names}")
        rows = daemon.json("report", "-i", path, "--kind", "cpu", "--demangle", how)["rows"]
        keys = {r["func"] for r in rows}
        h.check(name in keys, f"report {how}: {sorted(keys)}")
    program.unlink()
    for how, name in of_file.items():
        reply = daemon.json("graph", "-i", path, "--kind", "cpu", "--demangle", how)
        h.check(name in {r["func"] for r in reply["rows"]}, f"{how}: what was recorded")


@h.test
def names_of_a_live_session(daemon):
    p = h.spawn(f"{h.WORKLOADS}/stacks/st_cpp", "--ms", "1500", "--warm-up", "50",
                stdout=h.subprocess.DEVNULL)
    daemon.sonde("attach", "-p", p.pid, "-F", "499", "--name", "live-cpp")
    p.wait(60)
    daemon.sonde("detach", "live-cpp")
    for how, name in (("full", "Leaf::visit(long)"), ("none", "_ZN4Leaf5visitEl")):
        reply = daemon.json("graph", "--session", "live-cpp", "--kind", "cpu", "--demangle", how)
        h.check(name in {r["func"] for r in reply["rows"]}, how)


@h.test
def callees_by_the_time_they_began(daemon):
    path, out = h.TMP / "times.sonde", h.TMP / "times.html"
    names = "beta", "gamma_fail", "outer", "six"
    daemon.sonde("record", *names, "-o", path, "--", f"{h.WORKLOADS}/wl_calls")
    daemon.sonde("flame", "-i", path, "--order", "time", "-o", out)
    starts = {}
    for s in daemon.sonde("spans", "-i", path, "--json").lines:
        starts.setdefault(s["name"], s["time_us"])
    wanted = sorted((name for name in names), key=starts.get)
    with h.page(out) as page:
        by_place = sorted(names, key=lambda name: page.js(f"sonde.box({name!r}).x"))
        h.equal(by_place, wanted, "by time")
        page.choose("#order", "name")
        h.equal(sorted(names, key=lambda name: page.js(f"sonde.box({name!r}).x")), sorted(names), "by name")
        h.equal(page.fragment(), "order=name", "fragment")
        h.equal((page.complaints, page.requests), ([], []), "complaints and requests")
    h.contains(daemon.sonde("flame", "-i", recording(daemon), "--order", "time", "-o", out).err,
               "--order time is for spans", "note")
    h.contains(daemon.sonde("flame", "-i", path, "--order", "time", status=2).err, "-o FILE.html", "no page")
    h.contains(daemon.sonde("flame", "-i", path, "--order", "time", "--kind", "cpu", "-o", out, status=2).err,
               "--order time is for spans", "of samples")


@h.test
def spans_make_a_graph_too(daemon):
    path, out = h.TMP / "calls.sonde", h.TMP / "calls.html"
    daemon.sonde("record", "outer", "middle", "inner", "-o", path, "--",
                 f"{h.WORKLOADS}/wl_calls")
    daemon.sonde("flame", "-i", path, "-o", out)
    text = out.read_text()
    for name in ("outer", "middle", "inner", "Content-Security-Policy"):
        h.contains(text, name, "html")


h.main()

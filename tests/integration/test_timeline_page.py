#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The timeline as a page, in headless Chromium: what it shows is what the spans are."""
import re

import browser
import harness as h

CALLS = {"outer": 300, "middle": 300, "inner": 600}
# What is copied right after the view was changed.
COPIED = """(() => {
    let copied = "";
    Object.defineProperty(navigator, "clipboard", { configurable: true,
        value: { writeText: async (text) => { copied = text; } } });
    sonde.look(sonde.view[0] + 3, sonde.view[1] + 3);
    COPY;
    return copied;
})()"""


def recording(daemon):
    """A recording of wl_calls with samples, made once."""
    path = h.TMP / "page.sonde"
    if not path.exists():
        daemon.sonde("record", "-F", "499", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    return path


def spans(daemon, *args):
    return daemon.sonde("spans", "--json", "-i", recording(daemon), *args).lines


def make(daemon, name="page.html", *args, **more):
    out = h.TMP / name
    result = daemon.sonde("timeline", "-i", recording(daemon), "-o", out, *args, **more)
    return out, result


_browser = []


def opened(path, fragment="", dark=False):
    """The page in the browser, which is started once."""
    if not _browser:
        _browser.append(h.page(path))
        h.at_end(_browser[0].close)
    page = _browser[0]
    page.complaints.clear()
    page.requests.clear()
    page.scheme(dark)
    page.go(fragment, path)
    rest(page)
    return page


def rest(page):
    """Waits until the table and the fragment have followed."""
    page.js("new Promise(done => { const look = () => window.sonde?.settled ? done(0) : "
            "setTimeout(look, 20); look(); })")


def fragment(page):
    rest(page)
    return page.fragment()


def table(page):
    """The rows of the table, by column."""
    rest(page)
    head = page.js("[...document.querySelectorAll('#rows th')].map(e => e.dataset.key)")
    rows = page.js("[...document.querySelectorAll('#rows tbody tr')].map(r => [...r.cells].map(c => c.innerText))")
    return [dict(zip(head, row)) for row in rows]


def shown(page):
    """How many spans the table is of."""
    table(page)
    return int(page.js("document.querySelector('#scope b').innerText.replace(/\\D/g, '')"))


def middle(box):
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def clean(page):
    h.equal((page.complaints, page.requests), ([], []), "complaints and requests")


@h.test
def lanes_and_table_are_the_spans(daemon):
    out, _ = make(daemon)
    browser.failures.clear()
    browser.check_text(out.read_text())
    h.equal(browser.failures, [], "what the file has in it")
    for dark in (False, True):
        page = opened(out, dark=dark)
        h.equal(page.js("sonde.spans"), sum(CALLS.values()), "spans")
        h.equal(page.js("sonde.rows"), 3, "rows")
        h.check(browser.inks(page) > 8, "the lanes are drawn")
        h.check(browser.inks(page, "heat") > 4, "the durations are drawn")
        h.check(page.js("document.documentElement.scrollWidth <= innerWidth"), "too wide")
        rows = table(page)
        h.equal({r["name"]: int(r["calls"]) for r in rows}, CALLS, "calls")
        clean(page)
    longest = max(spans(daemon), key=lambda s: s["duration_ns"])
    page = opened(out, "table=spans")
    first = table(page)[0]
    h.equal(first["name"], longest["name"], "the longest span")
    clean(page)


@h.test
def walking_and_zooming_to_the_nanosecond(daemon):
    out, _ = make(daemon)
    page = opened(out)
    page.click(*middle(page.js("sonde.box('middle')")))
    h.equal(page.js("sonde.selected.name"), "middle", "clicked")
    page.key("ArrowUp")
    h.equal(page.js("sonde.selected.name"), "outer", "its caller")
    page.key("ArrowDown")
    page.key("ArrowDown")
    h.equal(page.js("sonde.selected.name"), "inner", "what it calls")
    page.key("ArrowRight")
    h.equal(page.js("[sonde.selected.name, sonde.selected.depth]"), ["inner", 2], "the next one")
    page.key("Enter")
    start, length = page.js("[sonde.selected.start, sonde.selected.length]")
    low, high = page.js("sonde.view")
    h.check(low <= start and start + length <= high and high - low < 2 * length, "zoomed to it")
    link = fragment(page)
    for _ in range(40):
        page.js("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'w'}))")
    page.settle()
    low, high = page.js("sonde.view")
    h.between(high - low, 9.99, 10.01, "nanoseconds that are seen")
    h.check(low > start - 10 and high < start + length + 10, "around the selected span")
    page.scheme(False, motion=True)
    page.key("s")
    h.wait_until(lambda: abs(page.js("sonde.view[1] - sonde.view[0]") - 20) < 0.01, "a motion's end", 10)
    page.scheme(False)
    page.go(link)
    h.equal(page.js("[sonde.selected.name, sonde.selected.start]"), ["inner", start], "the link's span")
    # At once, before the address has followed.
    for copy in ("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'c'}))",
                 "document.getElementById('link').click()"):
        copied = page.js(COPIED.replace("COPY", copy))
        h.contains(copied, f"#{fragment(page)}", f"the link that is copied by {copy}")
        h.contains(copied, "view=", f"the link that is copied by {copy}")
    page.key("Escape")
    page.key("0")
    h.equal(page.js("sonde.selected"), None, "after Escape")
    h.equal(fragment(page), "", "all of it again")
    clean(page)


@h.test
def searching_and_selecting_in_the_heat_map(daemon):
    out, _ = make(daemon)
    page = opened(out)
    page.key("/")
    page.type("^inner$")
    h.equal(page.js("document.getElementById('matched').innerText"), "600 spans", "matched")
    h.equal([(r["name"], r["calls"]) for r in table(page)], [("inner", "600")], "of the search")
    page.key("Enter")
    h.equal(page.js("sonde.selected.name"), "inner", "the first match")
    first = page.js("sonde.selected.start")
    page.key("n")
    h.check(page.js("sonde.selected.start") > first, "the next match")
    page.go("")
    left, top, width, height = page.js(
        "(b => [b.left, b.top, b.width, b.height])(document.getElementById('heat').getBoundingClientRect())")
    page.drag(left + 300, top + 1, left + width - 200, top + height * 0.8)
    brush = page.js("sonde.brush")
    # What the page was made of, exact: the file's own numbers come from the same spans.
    all_rows = spans(daemon)
    zero = head(out)["zero_us"]
    inside = [s for s in all_rows if brush["d0"] <= s["duration_ns"] < (brush["d1"] or 1 << 60) and
              brush["t0"] <= (s["time_us"] - zero) * 1000 <= brush["t1"]]
    # Times are in microseconds there: one at either end may fall on the other side.
    h.between(shown(page), len(inside) - 3, len(inside) + 3, "spans in the selection")
    h.check(0 < len(inside) < len(all_rows), f"{len(inside)} of {len(all_rows)}")
    n, link = shown(page), fragment(page)
    page.click_on("#zoom-brush")
    low, high = page.js("sonde.view")
    h.between(low, brush["t0"] - 10, brush["t0"] + 10, "zoomed to the selection")
    page.go(link)
    h.equal(shown(page), n, "the link's selection")
    page.click_on("#by-span")
    rows = table(page)
    h.check(rows and rows[0].keys() >= {"name", "start", "length", "tid"}, f"{rows[:1]}")
    page.click_on("#rows th[data-key=start]")
    page.click_on("#rows th[data-key=start]")
    starts = [float(re.sub(r"[^\d.]", "", r["start"])) for r in table(page)]
    h.equal(starts, sorted(starts), "sorted by start")
    page.click_on("#rows tbody tr")
    h.check(page.js("sonde.selected"), "a row selects its span")
    page.key("Escape")
    h.equal(page.js("sonde.brush"), None, "Escape clears the selection")
    clean(page)


@h.test
def folding_help_and_the_table(daemon):
    out, _ = make(daemon)
    page = opened(out)
    left, top = page.js("(b => [b.left, b.top])(document.getElementById('graph').getBoundingClientRect())")
    page.click(left + 30, top + 10)
    h.equal(page.js("sonde.box('outer')"), None, "folded")
    h.equal(fragment(page), "fold=0", "fragment")
    page.click(left + 30, top + 10)
    h.check(page.js("sonde.box('outer')"), "unfolded")
    page.key("?")
    h.contains(page.js("document.getElementById('help').innerText"), "regular expression", "help")
    page.key("Escape")
    page.key("t")
    h.check(page.js("document.getElementById('panel').hidden"), "no table")
    h.equal(fragment(page), "table=off", "fragment")
    page.key("t")
    before = page.js("sonde.view")
    page.wheel(left + 600, top - 10, -400)
    page.settle()
    after = page.js("sonde.view")
    h.check(after[1] - after[0] < before[1] - before[0], "the wheel zooms on the axis")
    page.drag(left + 500, top + 60, left + 700, top + 60)
    h.check(page.js("sonde.view")[0] < after[0], "dragging moves")
    page.click_on("#reset")
    h.equal(fragment(page), "", "the whole time")
    clean(page)


def head(path):
    return browser.data_of(path.read_text())


@h.test(smoke=True)
def parts_of_it(daemon):
    everything = spans(daemon)
    out, _ = make(daemon, "name.html", "--name", "inner", "-n", "100")
    h.equal((head(out)["spans"], head(out)["more"]), (100, 500), "-n: spans, and more")
    page = opened(out)
    beyond = page.js("document.querySelector('#subtitle .lost').getBoundingClientRect().right - "
                     "document.querySelector('.what').getBoundingClientRect().right")
    h.equal(page.js("document.querySelector('#subtitle .lost').innerText"), "500 more that are not shown", "-n")
    h.check(beyond <= 1, f"what is missing is cut: by {beyond} pixels")
    out, _ = make(daemon, "range.html", "-r", "0~5ms", "--title", "A <b> & \"c\"")
    zero = min(s["time_us"] for s in everything)
    wanted = sum(s["time_us"] - zero < 5000 for s in everything)
    h.between(head(out)["spans"], wanted - 1, wanted + 1, "-r: spans")
    h.equal(head(out)["title"], "A <b> & \"c\"", "title")
    h.check(head(out)["uses"][0]["cpu"] > 0, "samples of the process")
    h.equal(head(out)["zero_us"], zero, "when the first span began")
    out, result = make(daemon, "none.html", "--name", "nothing")
    h.contains(result.err, "no such spans", "note")
    page = opened(out)
    h.check(page.js("!document.getElementById('empty').hidden"), "it says that there is none")
    clean(page)
    broken = h.TMP / "broken.html"
    broken.write_text(re.sub(r'(id="numbers">.{40})', r"\1AAAA", make(daemon, "name.html")[0].read_text()))
    page.go("", broken)
    h.wait_until(lambda: "cannot be shown" in page.js("document.getElementById('empty').innerText"),
                 "a damaged file is said to be")
    out, _ = make(daemon, "one.html", "--name", "outer", "-n", "1")
    page = opened(out)
    h.equal(table(page)[0]["calls"], "1", "one span")
    clean(page)


@h.test
def of_a_live_session(daemon):
    """Which has no windows that SQL could be asked about."""
    out = h.TMP / "live.html"
    p = h.spawn(f"{h.WORKLOADS}/wl_serve", "--seconds", "30", stdout=h.subprocess.DEVNULL)
    daemon.sonde("attach", "-p", p.pid, "-F", "99", "--name", "live", "handle", "parse")
    h.wait_until(lambda: len(daemon.calls("--session", "live")) == 2, "calls")
    daemon.sonde("detach", "live")
    daemon.sonde("timeline", "--session", "live", "-o", out)
    calls = daemon.calls("--session", "live")
    page = opened(out)
    h.equal({r["name"]: int(r["calls"].replace(",", "")) for r in table(page)}, calls, "calls")
    h.equal(page.js("sonde.rows"), 2, "parse below handle")
    clean(page)


def moments(daemon):
    """A session of wl_moments.c with spans, samples and waits, made once."""
    if "moments" not in [s["name"] for s in daemon.json("list")["sessions"]]:
        w = h.Workload("moments")
        daemon.sonde("attach", "--name", "moments", "-F", "997", "--off-cpu", "-p", w.pid, "request",
                     "slow_part", "slow_nap", "between")
        w.go()
        w.finish()
        daemon.sonde("detach", "moments")
    return ("--session", "moments")


def total(daemon, kind, *args):
    return daemon.json("report", *moments(daemon), "--kind", kind, *args)["total_samples"]


@h.test
def samples_and_waits_below_the_spans(daemon):
    source, out = moments(daemon), h.TMP / "moments.html"
    daemon.sonde("timeline", *source, "-o", out)
    page = opened(out)
    h.equal(page.js("[sonde.samples.cpu, sonde.samples.waits]"),
            [total(daemon, "cpu"), total(daemon, "offcpu")], "samples and waits")
    nap = page.js("sonde.sample('waits', 'slow_nap')")
    page.js(f"sonde.look({nap['start'] - nap['length']}, {nap['start'] + 2 * nap['length']})")
    page.click(*middle(page.js("sonde.sample('waits', 'slow_nap')")))
    chosen = page.js("sonde.chosen")
    h.check(chosen["length"] >= 12e6, f"a nap: {chosen}")
    h.equal([r["name"] for r in table(page)], chosen["stack"], "the table is its stack, innermost first")
    h.contains(chosen["stack"], "slow_nap", "a nap's stack")
    link = fragment(page)
    page.key(".")
    h.check(page.js("sonde.chosen.start") > chosen["start"], "the next one")
    page.go(link)
    h.equal(page.js("sonde.chosen"), chosen, "the link's wait")
    page.key("Escape")
    h.equal(page.js("sonde.chosen"), None, "after Escape")
    page.key("0")
    page.click(*middle(page.js("sonde.box('slow_part')")))
    page.click_on("#by-sample")
    found = {r["name"]: r for r in table(page)}
    inside = page.js("sonde.inside")
    h.check(inside["cpu"] > 10, f"samples of a slow call: {inside}")
    h.equal([found[f]["below"] for f in ("request", "slow_part")], [f"{inside['cpu']:,}"] * 2, "all of them in these")
    page.move(*middle(page.js("sonde.sample('cpu', 'slow_part')")))
    tip = page.js("document.getElementById('tip').innerText").splitlines()
    h.equal((tip[0], tip[-1]), ("slow_part", "_start"), "the tip has the stack")
    h.check(page.js("document.documentElement.scrollWidth <= innerWidth"), "too wide")
    clean(page)


@h.test
def samples_of_the_spans_that_are_chosen(daemon):
    source, out = moments(daemon), h.TMP / "slow.html"
    daemon.sonde("timeline", *source, "--name", "slow_part", "--min-duration", "1ms", "-o", out)
    page = opened(out)
    wanted = total(daemon, "cpu", "--in", "slow_part: duration >= 1ms")
    h.equal(page.js("sonde.samples.cpu"), wanted, "samples in slow_part")
    w = h.Workload("moments")
    daemon.sonde("attach", "--name", "alone", "-F", "997", "-p", w.pid)
    w.go()
    w.finish()
    daemon.sonde("timeline", "--session", "alone", "-o", out)
    page = opened(out)
    h.check(page.js("sonde.samples.cpu") > 20 and page.js("sonde.spans") == 0, "samples without spans")
    h.check(table(page)[0]["samples"] != "0", "their table is shown at once")
    clean(page)


@h.test
def what_cannot_be_written(daemon):
    out = h.TMP / "missing" / "x.html"
    result = daemon.sonde("timeline", "-i", recording(daemon), "-o", out, status=1)
    h.contains(result.err, str(out), "message")
    _, result = make(daemon, "bad.html", "-r", "5s~@1763728388", status=2)
    h.contains(result.err, "ends before it begins", "message")
    h.check(not (h.TMP / "bad.html").exists(), "nothing is left")


h.main()

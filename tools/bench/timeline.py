# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a timeline of 1,000,000 spans: how long it takes to write, how large it is, how long a
browser takes until it is seen, and how many pictures a second there are while it zooms from all of
it to 10 ns and back.
"""

import os
import sys
import time

from common import HERE, BenchError, Daemon, Figure, Spin, median, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "integration"))
import devtools  # noqa: E402

SPANS, THREADS, SECONDS = 1000000, 4, 4
READY = "new Promise(done => { const look = () => window.sonde ? done(0) : setTimeout(look, 20); look(); })"
# Zooms into the middle and out again; pictures a second.
ZOOM = """(async () => {
    const begin = performance.now(), all = sonde.length, middle = all / 2;
    let n = 0, share = 0;
    for (; share < 1; n++) {
        await new Promise(done => requestAnimationFrame(done));
        share = (performance.now() - begin) / (1000 * SECONDS);
        const half = all * Math.pow(10 / all, 1 - Math.abs(1 - 2 * Math.min(share, 1))) / 2;
        sonde.look(middle - half, middle + half);
    }
    return n / SECONDS;
})()"""


def record(env, path):
    with Daemon(env, "timeline") as daemon, Spin(env) as spin:
        run(daemon.sonde("attach", "-p", str(spin.pid), "--name", "spans", "spin_push"))
        spin.wait_probed("spin_push", True)
        spin.ask(f"run spin_push 0 {SPANS // THREADS} {THREADS}")
        begin = time.monotonic()
        run(daemon.sonde("timeline", "--session", "spans", "-o", path))
        return time.monotonic() - begin


def figures(env):
    page = os.path.join(env.dir, "timeline.html")
    yield Figure("timeline: writing a page of 1,000,000 spans", record(env, page), "s", 5)
    yield Figure("timeline: its size", os.path.getsize(page) / 2**20, "MiB", 8)
    try:
        browser = devtools.Page(page)
    except devtools.Missing as e:
        raise BenchError(str(e)) from None
    with browser:
        first = []
        for _ in range(env.rounds):
            browser.go()
            browser.js(READY)
            first.append(browser.js("sonde.times.first"))
        if browser.js("sonde.spans") < SPANS or browser.complaints:
            raise BenchError(f"the page has {browser.js('sonde.spans')} spans: {browser.complaints}")
        yield Figure("timeline: until it is seen", median(first), "ms", 2000)
        rate = browser.js(ZOOM.replace("SECONDS", str(SECONDS)))
        yield Figure("timeline: zooming", rate, "pictures/s", 30, least=True)

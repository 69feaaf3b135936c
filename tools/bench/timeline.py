# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a timeline of 1,000,000 spans: how long it takes to write, how large it is, how long a
browser takes until it is seen, and how many pictures a second there are while it zooms from all of
it to 10 ns and back; the same of 1,000,000 samples and waits.
"""

import os
import random
import sys
import time

from common import HERE, BenchError, Daemon, Figure, Spin, median, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "integration"))
import devtools  # noqa: E402

SPANS = SAMPLES = 1000000
THREADS, SECONDS = 4, 4
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


def write_trace(path):
    """Samples and waits of 16 threads about a millisecond apart, as `sonde export` writes them."""
    chance = random.Random(1)
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"otherData":{"epoch_us":1763728387000000,"frequency":997},"traceEvents":[')
        for i in range(SAMPLES):
            event = (f'"pid":7,"tid":{i % 16},"ts":{i // 16 * 1003 + chance.random() * 500:.3f},'
                     f'"sf":{chance.randrange(1, 200)}}}')
            kind = '"ph":"i","name":"f","cat":"cpu",'
            if i % 10 == 9:
                kind = f'"ph":"X","name":"off CPU","cat":"offcpu","dur":{1 + chance.random() * 800:.3f},'
            f.write(("," if i else "") + "{" + kind + event + "\n")
        nodes = (f'"{i}":{{"name":"f{i % 57}","category":"b"' + (f',"parent":{i // 2}' if i > 1 else "") + "}"
                 for i in range(1, 200))
        f.write('],"stackFrames":{' + ",".join(nodes) + "}}")


def import_samples(env, page):
    trace, path = os.path.join(env.dir, "samples.json"), os.path.join(env.dir, "samples.sonde")
    write_trace(trace)
    run([env.sonde, "import", "-q", trace, "-o", path])
    begin = time.monotonic()
    run([env.sonde, "timeline", "-q", "-i", path, "-o", page])
    return time.monotonic() - begin


def figures(env):
    page = os.path.join(env.dir, "timeline.html")
    for what, make, count in (("spans", record, "sonde.spans"),
                              ("samples", import_samples, "sonde.samples.cpu + sonde.samples.waits")):
        yield Figure(f"timeline: writing a page of 1,000,000 {what}", make(env, page), "s", 5)
        yield Figure("timeline: its size", os.path.getsize(page) / 2**20, "MiB", 8)
        yield from look(env, page, count)


def look(env, page, count):
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
        if browser.js(count) < SPANS or browser.complaints:
            raise BenchError(f"the page has {browser.js(count)} of them: {browser.complaints}")
        yield Figure("timeline: until it is seen", median(first), "ms", 2000)
        rate = browser.js(ZOOM.replace("SECONDS", str(SECONDS)))
        yield Figure("timeline: zooming", rate, "pictures/s", 30, least=True)

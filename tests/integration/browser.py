#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at an html flame graph in headless Chromium.

    browser.py FILE [--search TEXT --matched PERCENT] [--zoom NAME --share PERCENT]
               [--frame NAME]... [--tolerance PERCENT] [--max-draw-ms MS] [--screenshot PNG]

Checks that the page draws (frames on the canvas, in more than one colour), that search and zoom
work and give the expected shares when those are named, that Escape resets the zoom, that hovering
shows total and self, that nothing overflows at 1280x800, and that the file asks nothing of any
network: no address in it but XML namespaces, a policy that allows none, no resource requested, and
no message on the browser's console. Exits 0, 1 with a message for each failure, 77 without Chromium.
"""
import argparse
import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--window-size=1280,800", "--enable-logging=stderr"]
# The page's timers run at once, and Chromium waits for them; clocks mean nothing then.
VIRTUAL_TIME = "--virtual-time-budget=5000"
failures = []


def check(good, message):
    if not good:
        failures.append(message)
    return good


def run_chromium(url, *extra):
    browser = next((p for p in ("chromium", "chromium-browser", "google-chrome")
                    if shutil.which(p)), None)
    if not browser:
        print("SKIP: no chromium; install it: apt-get install chromium")
        sys.exit(77)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        return subprocess.run([browser, *FLAGS, f"--user-data-dir={profile}", *extra, url],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", timeout=120)


def check_text(text):
    """What can be said about the file without running it."""
    for address in re.findall(r"\b(?:https?|wss?|ftp):[^\s\"'<]*", text):
        check(address.startswith("http://www.w3.org/"), f"the file names an address: {address}")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    if check(policy, "no Content-Security-Policy"):
        check("default-src 'none'" in policy[1], f"the policy allows more than none: {policy[1]}")
        check("unsafe" not in policy[1], f"the policy is unsafe: {policy[1]}")
    page = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    check(not re.search(r"<(?:link|img|iframe|object|embed|video|audio|base)\b", page, re.I),
          "the file has an element that loads something")
    check(not re.search(r"@import|@font-face|url\(", page), "a style loads something")


def answer(done):
    """What the page's #test hook left in the document, or None."""
    found = re.search(r'<pre [^>]*id="test"[^>]*>(.*?)</pre>', done.stdout, re.S)
    if not check(found, f"the page did not run to its end (chromium exited {done.returncode})"):
        return None
    return json.loads(html.unescape(found[1]))


def is_share(value):
    """Whether value is a share of all in percent; sums of doubles may pass 100 by a hair."""
    return isinstance(value, (int, float)) and 0 < value <= 100.000001


def check_page(page, args):
    """What the page said about itself through its #test hook."""
    check(page["frames"] > 0, "the tree is empty")
    check(0 < page["drawn"] <= page["frames"] + 1, f"drew {page['drawn']} of {page['frames']} frames")
    check(page["inks"] > 3, f"the canvas has only {page['inks']} colours")
    check(page["painted"] > 0.95, f"the root's row is painted to {100 * page['painted']:.0f} % only")
    check(page["key_colors"] and len(set(page["key_colors"])) == len(page["key_colors"]),
          f"kinds of frames share a colour: {page['key_colors']}")
    check(page["at"] and page["at"]["total"] == page["total"], "the root is not where it should be")
    check(page["legend"], "no legend")
    check(not page["overflow"], "the page is wider than the window")
    tip = page.get("tip", "")
    check(page["click_wanted"] in tip and re.search(r"total\s.*%", tip) and
          re.search(r"self\s.*%", tip), f"hovering does not show name, total and self: {tip!r}")
    check(page["clicked"] == page["click_wanted"],
          f"clicking {page['click_wanted']!r} zoomed to {page['clicked']!r}")
    check("inlined" in page.get("inlined_tip", "inlined"),
          f"an inlined frame is not said to be: {page.get('inlined_tip')!r}")
    check(page["after_click_escape"] == 0, "Escape does not undo a click")
    check(page["slash_focuses"], "/ does not go to the search field")
    check(page["resources"] == [], f"the page requested {page['resources']}")
    check(page["violations"] == [], f"the page broke its policy: {page['violations']}")
    for name in args.frame:
        check(name in page["names"], f"no frame is named {name!r}")

    if check(is_share(page.get("zoom")), f"zoom to {args.zoom!r} gave {page.get('zoom')}"):
        check(abs(page["zoom_span"] - page["zoom"] / 100 * page["total"]) <= 1e-6 * page["total"],
              "zooming does not fill the window with the frame")
        check(page["zoom_drawn"] > 0, "nothing is drawn when zoomed")
        if args.share is not None:
            check(abs(page["zoom"] - args.share) <= args.tolerance,
                  f"{args.zoom!r} has {page['zoom']:.2f} % of all, not {args.share} %")
    check(page.get("after_escape") == 0, "Escape does not reset the zoom")
    check(page.get("reset_drawn") == page["drawn"], "after a reset other frames are drawn than before")
    if check(is_share(page.get("search")), f"search for {args.search!r} gave {page.get('search')}"):
        check(page["matched"] == f"{page['search']:.2f} % matched",
              f"the label says {page['matched']!r}")
        if args.matched is not None:
            check(abs(page["search"] - args.matched) <= args.tolerance,
                  f"{args.search!r} matches {page['search']:.2f} %, not {args.matched} %")


def main():
    p = argparse.ArgumentParser(description="Looks at an html flame graph in headless Chromium.")
    p.add_argument("file")
    p.add_argument("--search", help="text to search for; by default the name of some frame")
    p.add_argument("--matched", type=float, help="the share in percent that must match")
    p.add_argument("--zoom", help="frame to zoom to; by default that of --search")
    p.add_argument("--share", type=float, help="the share in percent that frame must have")
    p.add_argument("--tolerance", type=float, default=0.01, help="of the two shares (0.01)")
    p.add_argument("--frame", action="append", default=[], help="a frame that must be there")
    p.add_argument("--max-draw-ms", type=float, default=100, help="for one drawing (100)")
    p.add_argument("--screenshot", help="where to write a picture of the page")
    args = p.parse_args()
    path = pathlib.Path(args.file).resolve()
    if not path.is_file():
        print(f"FAIL: no such file: {path}")
        return 1
    text = path.read_text(encoding="utf-8", errors="replace")
    check_text(text)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    if not data:
        print("FAIL: the file is no flame graph: it holds no data")
        return 1
    tree = json.loads(data[1])
    if len(tree["frame"]) < 2:
        print("FAIL: the flame graph is empty")
        return 1
    if args.search is None:
        args.search = tree["names"][tree["frame"][1]]
        # A regular expression that matches the name as it stands.
        args.search = re.sub(r"[.*+?^${}()|\[\]\\]", r"\\\g<0>", args.search)
    if args.zoom is None:
        args.zoom = tree["names"][tree["frame"][1]]
    fragment = "test&" + urllib.parse.urlencode({"search": args.search, "zoom": args.zoom})
    done = run_chromium(f"{path.as_uri()}#{fragment}", VIRTUAL_TIME, "--dump-dom")
    for line in done.stderr.splitlines():
        check("CONSOLE" not in line, f"the browser complains: {line}")
    page = answer(done)
    if page:
        check_page(page, args)
        check(page["names"] == tree["names"], "the page altered the names")
        timed = answer(run_chromium(f"{path.as_uri()}#test&time", "--dump-dom"))
        draw_ms = timed["draw_ms"] if timed else 0
        check(draw_ms < args.max_draw_ms, f"drawing the page once takes {draw_ms:.1f} ms")
    if args.screenshot:
        shot = os.path.abspath(args.screenshot)
        run_chromium(f"{path.as_uri()}#test&keep", VIRTUAL_TIME, f"--screenshot={shot}")
        check(os.path.isfile(shot) and os.path.getsize(shot) > 5000, "no screenshot was made")
    for message in failures:
        print(f"FAIL: {path.name}: {message}")
    if not failures:
        print(f"ok: {page['frames']} frames, {page['drawn']} drawn in {draw_ms:.1f} ms, "
              f"{args.search!r} matches {page['search']:.2f} %, {args.zoom!r} has {page['zoom']:.2f} %")
    return 1 if failures else 0


sys.exit(main())

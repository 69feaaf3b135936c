#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at an html flame graph in headless Chromium.

    browser.py FILE [--search TEXT --matched PERCENT] [--zoom NAME --share PERCENT]
               [--frame NAME]... [--tolerance PERCENT] [--max-draw-ms MS] [--screenshot PNG]

Checks, by clicks and keys, that the page draws (frames on the canvas, in more than one colour),
that search and zoom work and give the expected shares when those are named, that Escape resets the
zoom, that hovering shows total and self, that layout, order, processes, help and the link do what
they say, that the fragment brings all of it back, that nothing overflows at 1280x800, and that the
file asks nothing of any network: no address in it but XML namespaces, a policy that allows none, no
resource requested, and no message on the browser's console. --screenshot PNG writes two pictures,
PNG in the light scheme and PNG with "-dark" in its name. Exits 0, 1 with a message for each
failure, 77 without Chromium.
"""
import argparse
import json
import pathlib
import re
import sys

import devtools

failures = []

# Different colours on the canvas ID.
INKS = """(() => {
    const c = document.getElementById("ID"), seen = new Set();
    const all = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    for (let i = 0; i < all.length; i += 28) seen.add(all[i] << 16 | all[i + 1] << 8 | all[i + 2]);
    return seen.size;
})()"""
# How much of a line through the topmost row is not background.
PAINTED = """(() => {
    const c = document.getElementById("graph"), x = c.getContext("2d");
    const line = x.getImageData(0, 2, c.width, 1).data;
    const bg = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
    let n = 0;
    for (let i = 0; i < line.length; i += 4) n += bg.some((v, k) => line[i + k] !== v);
    return n / c.width;
})()"""
DRAW_MS = """(() => {
    const begin = performance.now(), x = document.getElementById("graph").getContext("2d");
    for (let k = 0; k < 20; k++) { sonde.drawn; x.getImageData(0, 0, 1, 1); }
    return (performance.now() - begin) / 20;
})()"""


def check(good, message):
    if not good:
        failures.append(message)
    return good


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


def data_of(text):
    """What a page's file is made from; None: it holds no data."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return found and json.loads(found[1])


def inks(page, canvas="graph"):
    return page.js(INKS.replace("ID", canvas))


def middle(box):
    return box["x"] + min(box["width"], 1000) / 2, box["y"] + box["height"] / 2


def box_of(page, name):
    return page.js(f"sonde.box({json.dumps(name)})")


def text_of(page, selector):
    return page.js(f"document.querySelector({json.dumps(selector)}).innerText")


def check_look(page, tree, args):
    colours, painted, frames = inks(page), page.js(PAINTED), page.js("sonde.frames")
    drawn = page.js("sonde.drawn")
    check(frames > 0, "the tree is empty")
    check(0 < drawn <= frames + 1, f"drew {drawn} of {frames} frames")
    check(colours > 3, f"the canvas has only {colours} colours")
    check(painted > 0.95, f"the root's row is painted to {100 * painted:.0f} % only")
    keys = page.js("[...document.querySelectorAll('#legend i')].map(e => e.style.background)")
    compared = "before" in tree
    check(compared or keys, "no legend")
    check(len(set(keys)) == len(keys), f"kinds of frames share a colour: {keys}")
    check(page.js("sonde.at(5, 5).total === sonde.total"), "the root is not where it should be")
    check(page.js("document.documentElement.scrollWidth <= innerWidth && "
                  "document.querySelector('header').scrollWidth <= innerWidth"),
          "the page is wider than the window")
    check(page.js("sonde.names") == tree["names"], "the page altered the names")
    for name in args.frame:
        check(name in tree["names"], f"no frame is named {name!r}")
    draw_ms = page.js(DRAW_MS)
    check(draw_ms < args.max_draw_ms, f"drawing the page once takes {draw_ms:.1f} ms")
    return f"{frames} frames, {drawn} drawn in {draw_ms:.1f} ms"


def check_zoom(page, args):
    whole = page.js("sonde.total")
    box = box_of(page, args.zoom)
    if not check(box and 0 < box["share"] <= 100.000001, f"no frame {args.zoom!r} to zoom to"):
        return
    if args.share is not None:
        check(abs(box["share"] - args.share) <= args.tolerance,
              f"{args.zoom!r} has {box['share']:.2f} % of all, not {args.share} %")
    page.move(*middle(box))
    page.settle()
    tip = text_of(page, "#tip")
    check(args.zoom in tip and re.search(r"total\s.*%", tip) and re.search(r"self\s.*%", tip),
          f"hovering does not show name, total and self: {tip!r}")
    page.click(*middle(box))
    check(page.js("sonde.zoomed") == args.zoom, f"clicking {args.zoom!r} zoomed to another")
    check(abs(page.js("sonde.span") - box["share"] / 100 * whole) <= 1e-6 * whole,
          "zooming does not fill the window with the frame")
    check("zoom=" in page.fragment(), f"the fragment has no zoom: {page.fragment()}")
    page.go(page.fragment())
    check(page.js("sonde.zoomed") == args.zoom, "a link does not bring the zoom back")
    page.key("Escape")
    check(page.js("sonde.span") == whole, "Escape does not reset the zoom")


def check_search(page, args):
    page.key("/")
    check(page.js("document.activeElement.id") == "search", "/ does not go to the search field")
    page.type(args.search)
    label = text_of(page, "#matched")
    share = float(label.split()[0]) if re.fullmatch(r"[\d.]+ % matched", label) else -1
    if check(0 < share <= 100, f"search for {args.search!r} gave {label!r}") and args.matched is not None:
        check(abs(share - args.matched) <= args.tolerance,
              f"{args.search!r} matches {share:.2f} %, not {args.matched} %")
    page.key("Enter")
    check(page.js("document.activeElement.id") == "graph" and page.js("sonde.selected"),
          "Enter does not go to the first match")
    page.go(page.fragment())
    check(text_of(page, "#matched") == label, "a link does not bring the search back")
    page.key("Escape")
    page.key("Escape")
    check(text_of(page, "#matched") == "" and page.fragment() == "",
          f"Escape leaves {text_of(page, '#matched')!r} and {page.fragment()!r}")


def check_controls(page):
    """Layout, order, keys and help; what a process list does is known to the tests of it."""
    page.click_on("#layout")
    look = page.js("(b => [b.top, b.bottom])(document.getElementById('scroll').getBoundingClientRect())")
    root = box_of(page, "all")
    check(abs(root["y"] + root["height"] - look[1]) <= 1, "the root of a flame is not at the bottom")
    page.key("i")
    check(abs(box_of(page, "all")["y"] - look[0]) <= 1, "the root of an icicle is not at the top")
    page.key("o")
    check(page.fragment() == "order=name", f"order: {page.fragment()}")
    page.choose("#order", "size")
    check(page.fragment() == "", f"order by size: {page.fragment()}")
    page.key("ArrowDown")
    page.key("ArrowDown")
    below = page.js("sonde.selected")
    check(below not in (None, "all"), f"arrows select {below!r}")
    page.key("Enter")
    check(page.js("sonde.zoomed") == below, "Enter does not zoom to what arrows select")
    page.key("Escape")
    page.key("?")
    check(page.js("document.getElementById('help').open"), "? shows no help")
    check("regular expression" in text_of(page, "#help"), "the help does not explain")
    page.key("Escape")
    check(not page.js("document.getElementById('help').open"), "Escape leaves the help open")
    page.click_on("#link")
    check(text_of(page, "#link") in ("Copied", "See address"), "the link is not copied")


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
    tree = data_of(text)
    if not tree:
        print("FAIL: the file is no flame graph: it holds no data")
        return 1
    if len(tree["frame"]) < 2:
        print("FAIL: the flame graph is empty")
        return 1
    if args.search is None:
        # A regular expression that matches the name as it stands.
        args.search = re.sub(r"[.*+?^${}()|\[\]\\]", r"\\\g<0>", tree["names"][tree["frame"][1]])
    if args.zoom is None:
        args.zoom = tree["names"][tree["frame"][1]]
    try:
        with devtools.Page(path) as page:
            said = check_look(page, tree, args)
            if args.screenshot:
                page.screenshot(args.screenshot)
                page.scheme(True)
                page.settle()
                page.screenshot(re.sub(r"(\.\w+)?$", r"-dark\1", args.screenshot, count=1))
                page.scheme(False)
            check_zoom(page, args)
            check_search(page, args)
            check_controls(page)
            check(not page.complaints, f"the browser complains: {page.complaints}")
            check(not page.requests, f"the page requested {page.requests}")
    except devtools.Missing as e:
        print(f"SKIP: {e}")
        return 77
    for message in failures:
        print(f"FAIL: {path.name}: {message}")
    if not failures:
        print(f"ok: {said}, searched for {args.search!r}, zoomed to {args.zoom!r}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Probed functions and spans written in source code in each other: wl_mixed.c says what it does."""
import re

import harness as h

FUNCTIONS = ("serve", "query", "fetch", "finish", "note", "linger")
# Calls a round of each path, and how many busy times it has of its own.
TREE = {"serve": (1, 1), "serve/request": (1, 1), "serve/request/query": (1, 1),
        "serve/request/query/execute": (2, 2), "serve/request/query/execute/fetch": (1, 1),
        "serve/request/query/execute/fetch/row": (1, 1), "serve/request/query/fetch": (1, 1),
        "serve/request/finish": (1, 1), "serve/note": (1, 1), "serve/note/write": (1, 1),
        "serve/note/write/mark": (1, 0), "alone": (1, 1)}
BUSY_NS = 100_000


def check_tree(rows, n, tree=None):
    found = h.tree(rows, whole=True)
    tree = TREE if tree is None else tree
    h.equal({path: r["calls"] for path, r in found.items()},
            {path: calls * n for path, (calls, _) in tree.items()}, "tree")
    for path, row in found.items():
        inside = sum(r["total_ns"] for p, r in found.items() if re.fullmatch(f"{path}/[^/]+", p))
        h.equal(row["self_ns"], row["total_ns"] - inside, f"time of {path} of its own")
        h.check(row["self_ns"] >= tree[path][1] * n * BUSY_NS, f"{path}: busy for {row['self_ns']}")


def record(daemon, *args, specs=("span:*", *FUNCTIONS)):
    path = str(h.TMP / "mixed.sonde")
    split = args.index("--") if "--" in args else len(args)
    daemon.sonde("record", "-o", path, *args[:split], *specs, "--", f"{h.WORKLOADS}/wl_mixed",
                 *args[split + 1:])
    return path


@h.test(smoke=True)
def they_nest_both_ways(daemon):
    path = record(daemon, "--", "--rounds", "40", "--threads", "3")
    check_tree(daemon.json("graph", "-i", path)["rows"], 120)
    depth = {p.rsplit("/", 1)[-1]: p.count("/") for p in TREE if not p.endswith("fetch")}
    spans = daemon.sonde("spans", "-i", path, "--json", "--where", 'name != "fetch"').lines
    h.equal(len(spans), 120 * (sum(calls for calls, _ in TREE.values()) - 2), "spans")
    for s in spans:
        h.equal(s["depth"], depth[s["name"]], s["name"])
    # Asked again with all that it is, so that statistics are made anew.
    check_tree(daemon.json("graph", "-i", path, "--where", "duration >= 0ns")["rows"], 120)


@h.test
def so_they_do_one_by_one(daemon):
    path = record(daemon, "--span-mode", "simple", "--", "--rounds", "5")
    check_tree(daemon.json("graph", "-i", path)["rows"], 5)


@h.test
def what_is_left_out_takes_no_place(daemon):
    tree = {"serve": (1, 3), "serve/query": (1, 5), "serve/query/row": (1, 1), "alone": (1, 1)}
    path = record(daemon, "--", "--rounds", "3",
                  specs=("span:db/row", "span:app/alone", "serve", "query"))
    check_tree(daemon.json("graph", "-i", path)["rows"], 3, tree)
    # A call that the session does not keep is around its spans all the same.
    path = record(daemon, "--where", 'unwound || name != "query"', "--", "--rounds", "2")
    found = h.tree(daemon.json("graph", "-i", path)["rows"], whole=True)
    h.equal((found["serve/request/query"]["calls"], found["serve/request/query/execute"]["calls"]),
            (0, 4), "without query")


@h.test
def an_idle_thread_is_in_its_call(daemon):
    spans, _ = daemon.trace(h.Workload("mixed", "--only", "wait", "--seconds", "1"), "span:*",
                            *FUNCTIONS)
    names = [s["name"] for s in spans]
    h.equal({s["name"]: s["depth"] for s in spans if s["name"] in ("last", "linger")},
            {"last": 1, "linger": 0}, "depth")
    # It is shown while the call goes on.
    h.check(names.index("last") < names.index("linger"), f"{names}")
    linger, last = (next(s for s in spans if s["name"] == n) for n in ("linger", "last"))
    h.equal(linger["self_ns"], linger["duration_ns"] - last["duration_ns"], "self")


@h.test
def exports_have_what_is_around(daemon):
    path = record(daemon, "--", "--rounds", "2")
    folded = daemon.sonde("export", "-i", path, "--format", "folded", "--kind", "span").out
    h.equal({line.rsplit(" ", 1)[0].replace(";", "/") for line in folded.splitlines()},
            {f"wl_mixed/{p}" for p, (_, busy) in TREE.items() if busy}, "stacks")


h.main()

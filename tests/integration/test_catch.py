#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions that return from where exceptions land have returned: see wl_catch.cpp."""
import collections

import harness as h

# Function: calls, and those of them that an exception ended.
WANTED = {
    "may(int)": (450, 200), "must(int)": (650, 650), "note(int)": (350, 0), "inside(int)": (100, 0),
    "swallow(int)": (100, 0), "nested(int)": (100, 0), "again(int)": (100, 25),
    "cleans(int)": (100, 50), "whole(int)": (100, 0), "rare(int)": (100, 0),
    "chooses(int)": (100, 0), "repeats(int)": (100, 0), "inward(int)": (100, 0),
}


def short(name):
    return name.split("(")[0]


def check(spans, wanted):
    calls = collections.Counter(short(s["name"]) for s in spans)
    unwound = collections.Counter(short(s["name"]) for s in spans if "unwound" in s["flags"])
    h.equal({f: (calls[short(f)], unwound[short(f)]) for f in wanted}, wanted,
            "calls and unwound calls")
    extra = set(unwound) - {short(f) for f in wanted}
    h.check(not extra, f"unwound, but not planted: {extra}")


@h.test(smoke=True)
def what_returns_from_a_handler_has_returned(daemon):
    for how in ([], ["--return", "sites"]):
        workload = h.Workload("catch", "--verify")
        spans, err = daemon.trace(workload, "*", *how, name=f"catch{len(how)}")
        check(spans, WANTED)
        h.contains(err, " 0 lost", "nothing is lost")


@h.test
def results_and_order_are_those_of_the_handler(daemon):
    workload = h.Workload("catch")
    spans, _ = daemon.trace(workload, "*", name="results")
    spans.sort(key=lambda s: s["time_us"])
    whole = [s for s in spans if short(s["name"]) == "whole"]
    h.equal([int(str(s["ret"]), 0) for s in whole],
            [i if i % 2 else 7 for i in range(100)], "results of whole()")
    depth = min(s["depth"] for s in whole)
    h.equal({s["depth"] for s in whole}, {depth}, "depth of whole()")
    inward = collections.Counter(s["depth"] - depth for s in spans if short(s["name"]) == "inward")
    h.equal(inward, {i: 10 for i in range(10)}, "depths of inward()")


h.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans of kernel functions in tools/vm, by each way to attach: nested below the calls of the program
that led there, with the kernel's own names of arguments, by conditions."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness as h  # noqa: E402

PAGES = 20
SIZES = [100 * (page + 1) for page in range(PAGES)]
PROGRAM = f"{h.WORKLOADS}/wl_pages"


def spans(daemon, *args):
    daemon.sonde("trace", "--json", "-o", h.TMP / "spans", *args, "--", PROGRAM)
    with open(h.TMP / "spans", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def sizes(found, name="vfs_write"):
    return [int(s["ret"], 16) for s in found if s["name"] == name]


def nested(daemon, spec):
    """Every write of a page is one vfs_write below it; what else the program writes is not."""
    found = spans(daemon, "write_page", spec, "--inside", "write_page", "--args")
    h.equal(sizes(found), SIZES, "results of vfs_write")
    writes = [s for s in found if s["name"] == "vfs_write"]
    h.check(all("kernel" in s["flags"] for s in writes), f"flags: {writes[:1]}")
    h.equal([int(s["args"]["count"]) for s in writes], SIZES, "the argument count")
    h.equal({s["binary"] for s in writes}, {"[kernel]"}, "binary")


@h.test
def kprobes_nest(daemon):
    nested(daemon, "kprobe:vfs_write")


@h.test
def fentry_nests(daemon):
    nested(daemon, "fentry:vfs_write")


@h.test
def graph_goes_on_in_the_kernel(daemon):
    path = h.TMP / "pages.sonde"
    daemon.sonde("record", "write_page", "kprobe:vfs_write", "-o", path, "--", PROGRAM)
    rows = daemon.json("graph", "-i", path)["rows"]
    page = next(r for r in rows if r["func"] == "write_page")
    below = [r for r in rows if r["parent"] == page["id"]]
    h.equal([(r["func"], r["calls"]) for r in below], [("vfs_write", PAGES)], "below write_page")
    h.equal(page["calls"], PAGES, "calls of write_page")


@h.test
def conditions_on_kernel_arguments(daemon):
    wanted = [size for size in SIZES if size > 1500]
    for option in ("--where", "--begin"):
        found = spans(daemon, "kprobe:vfs_write", option, "args.count > 1500 && args.count < 9000")
        h.equal(sizes(found), wanted, f"kprobe {option}")
    # Programs of fentry cannot ask: the daemon decides about the same.
    found = spans(daemon, "fentry:vfs_write", "--where", "args.count > 1500 && ret < 9000")
    h.equal(sizes(found), wanted, "fentry --where")
    found = spans(daemon, "kprobe:vfs_write", "--where", "args.file->f_flags & 0x400000 && ret > 0")
    h.equal(sizes(found), SIZES, "behind a pointer: O_TMPFILE")


@h.test
def statistics_only(daemon):
    w = h.Workload("pages")
    daemon.sonde("attach", "-p", w.pid, "--name", "stats", "--stats-only", "kprobe:vfs_write",
                 "write_page")
    w.go()
    w.finish()
    calls = {k: r["calls"] for k, r in daemon.rows("--session", "stats").items()}
    h.equal(calls["write_page"], PAGES, "write_page")
    h.check(calls["vfs_write"] >= PAGES, f"vfs_write: {calls}")
    daemon.sonde("detach", "stats")


if __name__ == "__main__":
    h.need_root()
    h.main()

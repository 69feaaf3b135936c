#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Report and graph on terminals of several widths: long names of C++ and wide characters."""
import fcntl
import json
import os
import pty
import re
import struct
import termios
import unicodedata

import harness as h

LONG = "acme::table<std::map<std::string, std::vector<unsigned long>>, " * 6 + "acme::row>::insert_all"
NAMES = (LONG, "リクエスト処理システム" * 3, "přenos dat", "🚀launch", "main")
ESCAPES = re.compile(r"\x1b[\[(][0-9;?]*[a-zA-Z>=]|\x1b[=>]")


def recording(daemon):
    """Calls in each other, twelve times, with every name."""
    source, path = h.TMP / "names.json", str(h.TMP / "names.sonde")
    events = [{"ph": "X", "name": name, "cat": "c", "pid": 1, "tid": 1, "ts": 1000 * i + k,
               "dur": 900 - 2 * k - 60 * i} for i in range(12) for k, name in enumerate(NAMES)]
    source.write_text(json.dumps({"traceEvents": events}))
    daemon.sonde("import", "--format", "chrome", "-o", path, source)
    return path


def on_terminal(columns, lines, argv, **env):
    """What a terminal of that size gets, line by line."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8", **env)
        os.read(0, 1)
        os.execvp(argv[0], argv)
    attributes = termios.tcgetattr(fd)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    os.write(fd, b"\n")
    data = b""
    while True:
        try:
            more = os.read(fd, 65536)
        except OSError:  # nobody has it any more
            break
        if not more:
            break
        data += more
    h.equal(os.waitpid(pid, 0)[1], 0, f"status of {argv}")
    return data.decode().replace("\r", "").rstrip("\n").split("\n")


def width(line):
    return sum(0 if unicodedata.combining(c) else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in ESCAPES.sub("", line))


def check_width(columns, path, *verb, **env):
    lines = on_terminal(columns, 50, [h.SONDE, *verb, "-i", path], **env)
    text = "\n".join(lines)
    h.check(max(width(line) for line in lines) <= columns, f"{verb} {columns}:\n{text}")
    h.contains(text, "\x1b[1", f"styles of {verb}")
    return text


@h.test
def nothing_is_wider_than_the_terminal(daemon):
    path = recording(daemon)
    for verb in ("report", "graph"):
        for columns in (60, 80, 120, 200):
            text = check_width(columns, path, verb, SONDE_PAGER="cat")
            h.equal(text.count("insert_all"), 1, f"the end of a long name, {columns} columns")
            h.equal("█" in text, columns >= 120, f"bars, {columns} columns")
    # What fits is written by less, which is gone then.
    h.equal(check_width(80, path, "report").count("insert_all"), 1, "a pager that does not stay")
    for verb in (["report", "--tree"], ["graph", "--flat"], ["report", "--by-category"],
                 ["report", "--by", "category"]):
        check_width(80, path, *verb, SONDE_PAGER="cat")


@h.test
def a_pager_that_scrolls_has_all_of_it(daemon):
    path = recording(daemon)
    pager = h.TMP / "pager"
    pager.write_text("#!/bin/sh\nexec cat\n")
    pager.chmod(0o755)
    lines = on_terminal(80, 4, [h.SONDE, "report", "-i", path], SONDE_PAGER=str(pager))
    h.check(any(LONG in ESCAPES.sub("", line) for line in lines), "the long name")
    # Where the default one is not installed, the answer is there all the same.
    lines = on_terminal(80, 4, [h.SONDE, "report", "-i", path], PATH=str(h.TMP))
    h.equal(len([line for line in lines if "launch" in line]), 1, "without a pager")


@h.test
def plain_where_it_is_asked_for(daemon):
    path = recording(daemon)
    lines = on_terminal(80, 50, [h.SONDE, "report", "-i", path], NO_COLOR="1", SONDE_PAGER="cat")
    h.check("\x1b" not in "".join(lines), f"NO_COLOR: {lines}")
    out = daemon.sonde("report", "-i", path).out
    h.check("\x1b" not in out and LONG in out, "not a terminal")


h.main()

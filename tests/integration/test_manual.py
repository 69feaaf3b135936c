#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What sonde-conditions(7) shows is what the program does: its examples are run on the recording
that they were made from, and every condition that it has as text is understood."""
import os
import re
import shlex

os.environ["TZ"] = "UTC"  # of the times on the page
import harness as h  # noqa: E402, as it takes the environment

PAGE = h.ROOT / "cli/man/sonde-conditions.7.scd"


def plain(text):
    """scdoc's text as a reader sees it."""
    return re.sub(r"\\(.)", r"\1", text)


def blocks():
    """Literal blocks, in which a backslash stands for itself when it is doubled."""
    return [plain(b) for b in re.findall(r"^```\n(.*?)^```$", PAGE.read_text(), re.M | re.S)]


def app():
    return h.recording_of_format(1, "app")


@h.test(smoke=True)
def examples_print_what_the_page_shows(daemon):
    app()
    n = 0
    for command, shown in re.findall(r"^\$ sonde (.*)\n((?:(?!\$ ).*\n)*)", "\n".join(blocks()), re.M):
        words = shlex.split(command)
        result = daemon.sonde(*words, status=None, cwd=h.TMP)
        h.equal((result.out + result.err).rstrip(), shown.rstrip(), f"sonde {command}")
        n += 1
    h.equal(n, 3, "examples")


@h.test(smoke=True)
def every_condition_is_understood(daemon):
    """Conditions in blocks, and those in the text that have an operator."""
    conditions = [line for line in blocks()[0].splitlines() if line]
    text = re.sub(r"^```\n.*?^```$", "", PAGE.read_text(), flags=re.M | re.S)
    for found in re.findall(r"(?<!\\)\*((?:\\.|[^*\n\\])+)\*", text):
        found = plain(found)
        if re.search(r"\w.* (==|<|>|<=|>=|=~|!=|&) \S", found) and "…" not in found:
            conditions.append(found)
    h.check(len(conditions) >= 9, f"conditions of the page: {conditions}")
    for condition in conditions:
        result = daemon.sonde("spans", "-i", app(), "--where", condition, status=None)
        known = "names of this function's arguments are not known" in result.err
        if condition == "duration > 10":  # the one that the page has as wrong
            h.contains(result.err, "expected a duration", condition)
        elif "args." not in condition:
            h.equal(result.status, 0, f"{condition}: {result.err}")
        else:
            h.check(result.status == 0 or known, f"{condition}: {result.err}")


h.main()

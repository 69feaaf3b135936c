# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in profiles of other tools: folded stacks, and what go tool pprof says of its own."""
import os
import re

import harness as h


def folded(text):
    """{stack: value}"""
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in text.splitlines()}


def pprof_top(path, index, unit):
    """{function: (flat, cumulative)} as go tool pprof has them."""
    out = h.run("go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", f"-sample_index={index}",
                f"-unit={unit}", path,
                env={**os.environ, "PPROF_TMPDIR": str(h.TMP), "HOME": str(h.TMP)}, timeout=60).out
    rows = re.findall(r"^ *(\d+)(?:ns|B)? +\S+% +\S+% +(\d+)(?:ns|B)? +\S+%  (.*)$", out, re.M)
    return {name.removesuffix(" (inline)"): (int(flat), int(cum)) for flat, cum, name in rows}

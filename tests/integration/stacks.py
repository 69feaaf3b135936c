# SPDX-License-Identifier: GPL-2.0-or-later
"""Planted stacks, as the programs of tests/workloads/stacks announce them (see st.h there), and
whether stacks that were seen are those.

A stack that was seen is (frames, count): the frames from the leaf on, without the kernel's, each
(function, binary). A function without a name is "[…]", as sonde writes it.
"""
import collections
import re

MIN_SAMPLES = 30
MIN_GOOD = 0.99
MAX_STRAY = 0.03
FEW = 15  # strays of the loader and the end of a process, whose number does not grow

LIMIT = 127  # frames that are kept of a stack
OF_LIBC = 3  # frames of the C library at most between main, or a thread's function, and the end
WARM_UP = "warm_up"

# The number of right samples, and the wrong stacks with their counts.
Verdict = collections.namedtuple("Verdict", "good bad")


class Case:
    def __init__(self, kind, name):
        self.kind, self.name, self.chains = kind, name, []

    def keys(self):
        """Functions whose presence makes a stack one of this case."""
        if self.kind == "depth":
            return {self.name}
        return {next(f for f in chain if f not in "*?").rstrip("+") for chain in self.chains}

    def allows(self, frames, planted):
        if self.kind == "deep":
            return [name(f) for f, _ in frames] == self.chains[0] * LIMIT
        if self.kind == "depth":
            return own_depth(frames) == int(self.chains[0][0])
        return any(matches(chain, frames, planted) for chain in self.chains)


def name(function):
    """Without arguments, a symbol's version, and what compilers put behind names of parts and
    clones."""
    return re.sub(r"\(.*| \[clone .*|\.(cold|part|constprop|lto_priv|isra)\b.*|@@?[A-Z].*", "", function)


def is_unnamed(function):
    return function.startswith("[") or function.endswith("@plt")


def parse(text):
    """The cases that a program announces: {name: Case}; lines of inlined frames are left out."""
    cases = {}
    for kind, case, chain in re.findall(r"^(stack|depth|deep) (\S+): (\S+)$", text, re.M):
        cases.setdefault(case, Case(kind, case)).chains.append(chain.split(";"))
    return cases


def parse_inlined(text):
    """The cases that have lines of inlined frames, with the chains of these."""
    cases = {}
    for case, chain in re.findall(r"^inlined (\S+): (\S+)$", text, re.M):
        cases.setdefault(case, Case("stack", case)).chains.append(chain.split(";"))
    return cases


def own_depth(frames):
    """How many frames of the leaf's binary there are on top."""
    binary = frames[0][1]
    return next((i for i, f in enumerate(frames) if f[1] != binary), len(frames))


def matches(chain, frames, planted):
    """True when frames are what the chain says, followed by no more than the C library's start."""
    if not chain:
        return len(frames) <= OF_LIBC and not any(name(f) in planted for f, _ in frames)
    first, rest = chain[0], chain[1:]
    if first == "*" and not rest:
        return matches(rest, frames, planted)
    if not frames:
        return False
    function = frames[0][0]
    if first == "*":
        return name(function) not in planted and (matches(rest, frames[1:], planted) or
                                                  matches(chain, frames[1:], planted))
    if first.endswith("+"):
        return name(function) == first[:-1] and (matches(rest, frames[1:], planted) or
                                                 matches(chain, frames[1:], planted))
    fits = is_unnamed(function) if first == "?" else name(function) == first
    return fits and matches(rest, frames[1:], planted)


def is_on_the_way(cases, frames, planted):
    """True for a stack of no case that is right all the same: on the way into a case's leaf or back,
    maybe in the C library. What is in a stub of the PLT must be of a case."""
    while frames and name(frames[0][0]) not in planted and not frames[0][0].endswith("@plt"):
        frames = frames[1:]
    return any(matches(chain[i:], frames, planted)
               for c in cases.values() for chain in c.chains
               for i, first in enumerate(chain) if first not in "*?")


def judge(cases, stacks):
    """What was seen of each case, {name: Verdict}, and the stacks of no case that are not known to
    be right: not of the warm-up, which is walked by frame pointers at first."""
    planted = {f.rstrip("+") for c in cases.values() for chain in c.chains for f in chain}
    planted -= {"*", "?"}
    seen = {c.name: ([], []) for c in cases.values()}
    strays = []
    for frames, count in stacks:
        present = {name(f) for f, _ in frames}
        case = next((c for c in cases.values() if c.keys() & present), None)
        if case:
            seen[case.name][not case.allows(frames, planted)].append((frames, count))
        elif frames and WARM_UP not in present and not is_on_the_way(cases, frames, planted):
            strays.append((frames, count))
    return {case: Verdict(total(good), bad) for case, (good, bad) in seen.items()}, strays


def total(stacks):
    return sum(count for _, count in stacks)


def seen(flame, comm=None):
    """User frames of the stacks of an answer to flame, from the leaf on; of one program only."""
    frames = flame["frames"]
    for stack in flame["stacks"]:
        if comm and frames[stack["frames"][0]]["func"] != comm:
            continue
        mine = [frames[i] for i in reversed(stack["frames"]) if frames[i]["kind"] == "user"]
        yield [(f["func"], f["binary"]) for f in mine], stack["value"]


def text(frames):
    return ";".join(f for f, _ in frames[:12])


def worst(bad):
    """The most frequent of wrong stacks, for the message."""
    return "; ".join(f"{n} x {text(f)}" for f, n in sorted(bad, key=lambda s: -s[1])[:4])


def what_is_wrong(cases, stacks, min_samples=MIN_SAMPLES, min_good=MIN_GOOD, max_stray=MAX_STRAY):
    """A line a case that was not seen as it was planted; none when all is well."""
    verdicts, strays = judge(cases, stacks)
    wrong = []
    for case, (good, bad) in verdicts.items():
        n = good + total(bad)
        if n < min_samples:
            wrong.append(f"{case}: {n} samples only")
        elif good < min_good * n:
            wrong.append(f"{case}: {good} of {n} right, wrong are {worst(bad)}")
    stray = total(strays)
    claimed = sum(good + total(bad) for good, bad in verdicts.values())
    if stray > FEW + max_stray * claimed:
        wrong.append(f"{stray} samples, besides {claimed}, are of no case: {worst(strays)}")
    return wrong

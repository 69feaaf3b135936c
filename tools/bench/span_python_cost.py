#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a span costs a Python program, as span_cost.c does: span_python_cost.py ROUNDS CALLS KIND.

KIND: decorator, with, or empty (what the loop and the call cost). Prints "ready PID", waits for a
line on stdin, and prints the nanoseconds of a call in the best round.
"""
import os
import sys
import timeit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../python"))
sys.dont_write_bytecode = True
import sonde  # noqa: E402


def empty():
    pass


@sonde.span(category="io")
def decorator():
    pass


def with_statement():
    with sonde.span("read", category="io"):
        pass


def main():
    rounds, calls = int(sys.argv[1]), int(sys.argv[2])
    function = {"empty": empty, "decorator": decorator, "with": with_statement}[sys.argv[3]]
    if not sonde.available:
        print("span_python_cost: no libsonde-span.so.1: set SONDE_SPAN_LIBRARY", file=sys.stderr)
        return 1
    print(f"ready {os.getpid()}", flush=True)
    sys.stdin.readline()
    print(f"{min(timeit.repeat(function, number=calls, repeat=rounds)) / calls * 1e9:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

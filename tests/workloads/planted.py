# SPDX-License-Identifier: GPL-2.0-or-later
"""A call tree in Python whose stacks are known: planted.py [MS [WARM_UP_MS]].

Each case spends MS of CPU time in a leaf of its own, and is announced as a line of JSON: its chain
of functions from the leaf on, each with the lines that it may be at, and what stands between one
and its caller: "" for nothing, "*" for native frames, "?" for either, or the name of a native
function that is among them. Lines are those marked by a comment `#: NAME`.
"""
import functools
import json
import sys
import threading
import time

MS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
WARM_UP_MS = int(sys.argv[2]) if len(sys.argv) > 2 else 700
OLD = sys.version_info < (3, 12)  # generators are always resumed by C code
cases = []

with open(__file__, encoding="utf-8") as source:
    MARKS = {line.split("#: ")[1].strip(): number
             for number, line in enumerate(source, 1) if "#: " in line and "split" not in line}


def until(ms):
    return time.thread_time() + ms / 1000


def body(function):
    """All lines of a function."""
    lines = {line for _, _, line in function.__code__.co_lines() if line}
    return function.__qualname__, sorted(lines)


def at(mark, name):
    return name, [MARKS[mark]]


def announce(case, *chain, between=None, root=True):
    chain = list(chain) + ([at("run " + case, "main"), at("main", "<module>")] if root else [])
    between = list(between or []) + [""] * (len(chain) - 1 - len(between or []))
    cases.append({"case": case, "chain": chain, "between": between})


def warm_up(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def spin_plain(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def plain_inner(end):
    spin_plain(end)  #: plain_inner


def plain_outer(end):
    plain_inner(  #: plain_outer
        end)


class Shape:
    class Inner:
        @staticmethod
        def spin_static(end):
            while time.thread_time() < end:
                for i in range(300):
                    i * i

    def __init__(self, end):
        self.end = end

    def method(self):
        Shape.Inner.spin_static(self.end)  #: method

    def __eq__(self, other):
        spin_slot(self.end)  #: eq
        return True


def spin_slot(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def spin_generator(end):
    while time.thread_time() < end:
        for i in range(3000):
            i * i
        yield i


def drive_generator(end):
    g = spin_generator(end)
    while next(g, None) is not None:  #: drive_generator
        pass


def spin_loop(end):
    while time.thread_time() < end:
        for i in range(3000):
            i * i
        yield i


def delegate(end):
    yield from spin_loop(end)  #: delegate


def drive_loop(end):
    for _ in delegate(end):  #: drive_loop
        pass


async def spin_coroutine(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


async def outer_coroutine(end):
    await spin_coroutine(end)  #: outer_coroutine


def drive_coroutine(end):
    try:
        outer_coroutine(end).send(None)  #: drive_coroutine
    except StopIteration:
        pass


def spin_key(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i
    return 0


def sort_by_key(end):
    sorted([end], key=lambda e: spin_key(e))  #: sort_by_key


def spin_map(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def drive_map(end):
    list(map(spin_map, [end]))  #: drive_map


def spin_partial(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def drive_partial(end):
    functools.partial(spin_partial, end)()  #: drive_partial


def spin_recursive(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def recurse(n, end):
    if n > 1:
        return recurse(n - 1, end)  #: recurse
    return spin_recursive(end)  #: recurse end


def spin_é(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def call_蛇(end):
    spin_é(end)  #: call_蛇


def call_𐐨(end):
    call_蛇(end)  #: call_𐐨


def spin_handler(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def handle(end):
    try:
        raise KeyError(end)
    except KeyError as e:
        spin_handler(e.args[0])  #: handle


def spin_native(end):
    while time.thread_time() < end:
        sum(range(100000))  #: spin_native


def spin_thread_1(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def spin_thread_2(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i


def thread_1():
    spin_thread_1(until(MS))  #: thread_1


def thread_2():
    list(map(lambda _: spin_thread_2(until(MS)), [0]))  #: thread_2


def run_threads():
    threads = [threading.Thread(target=t) for t in (thread_1, thread_2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


SUB = f"""import time
def spin_sub(end):
    while time.thread_time() < end:
        for i in range(300):
            i * i
def sub():
    spin_sub(time.thread_time() + {MS} / 1000)
sub()
"""


def sub_interpreter():
    try:
        import _xxsubinterpreters as interpreters
        run = interpreters.run_string
    except ImportError:
        import _interpreters as interpreters
        run = interpreters.exec
    run(interpreters.create(), SUB)  #: sub_interpreter


def main():
    warm_up(until(WARM_UP_MS))
    announce("plain", body(spin_plain), at("plain_inner", "plain_inner"),
             at("plain_outer", "plain_outer"))
    plain_outer(until(MS))  #: run plain
    announce("method", body(Shape.Inner.spin_static), at("method", "Shape.method"))
    Shape(until(MS)).method()  #: run method
    announce("slot", body(spin_slot), at("eq", "Shape.__eq__"), between=["", "*"])
    Shape(until(MS)) == 0  #: run slot
    announce("generator", body(spin_generator), at("drive_generator", "drive_generator"),
             between=["builtin_next"])
    drive_generator(until(MS))  #: run generator
    announce("loop", body(spin_loop), at("delegate", "delegate"), at("drive_loop", "drive_loop"),
             between=["*", "*"] if OLD else ["?", "?"])
    drive_loop(until(MS))  #: run loop
    announce("coroutine", body(spin_coroutine), at("outer_coroutine", "outer_coroutine"),
             at("drive_coroutine", "drive_coroutine"), between=["*" if OLD else "?", "*"])
    drive_coroutine(until(MS))  #: run coroutine
    announce("key", body(spin_key), at("sort_by_key", "sort_by_key.<locals>.<lambda>"),
             at("sort_by_key", "sort_by_key"), between=["", "list_sort"])
    sort_by_key(until(MS))  #: run key
    announce("map", body(spin_map), at("drive_map", "drive_map"), between=["map_next"])
    drive_map(until(MS))  #: run map
    announce("partial", body(spin_partial), at("drive_partial", "drive_partial"),
             between=["partial"])
    drive_partial(until(MS))  #: run partial
    announce("recursion", body(spin_recursive), at("recurse end", "recurse"),
             *[at("recurse", "recurse")] * 59)
    recurse(60, until(MS))  #: run recursion
    announce("names", body(spin_é), at("call_蛇", "call_蛇"), at("call_𐐨", "call_𐐨"))
    call_𐐨(until(MS))  #: run names
    announce("handler", body(spin_handler), at("handle", "handle"))
    handle(until(MS))  #: run handler
    announce("native", at("spin_native", "spin_native"))
    spin_native(until(MS))  #: run native
    outside = [(name, None) for name in ("Thread.run", "Thread._bootstrap_inner",
                                         "Thread._bootstrap")]
    announce("thread 1", body(spin_thread_1), at("thread_1", "thread_1"), *outside,
             between=["", "?"], root=False)
    announce("thread 2", body(spin_thread_2), at("thread_2", "thread_2.<locals>.<lambda>"),
             at("thread_2", "thread_2"), *outside, between=["", "map_next", "?"], root=False)
    run_threads()
    announce("sub-interpreter", ("spin_sub", [2, 3, 4, 5]), ("sub", [7]), ("<module>", [8]),
             at("sub_interpreter", "sub_interpreter"), between=["", "", "*"])
    sub_interpreter()  #: run sub-interpreter


main()  #: main
for case in cases:
    print(json.dumps(case))

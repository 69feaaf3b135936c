#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans of Python programs (tools/python): what sonde.py makes of decorators, with statements,
coroutines and the names of AI training. The library is linked with the catcher of the unit tests."""
import asyncio
import ctypes
import os
import re
import subprocess
import sys

import harness as h

PYTHON = h.ROOT / "tools/python"
LIBRARY = f"{h.WORKLOADS}/../../tools/python/libsonde-span.so.1"
BATCH = 1


class Caught:
    """sonde.py with somebody attached, in this process; lines() are what came since the last time."""

    def __init__(self):
        path = h.TMP / "libcaught.so"
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-fPIC", "-shared", f"-I{h.ROOT}/include",
                        f"-I{h.ROOT}/tests/unit", PYTHON / "libsonde-span.c",
                        h.ROOT / "tests/unit/test_span_catch.c", "-o", path], check=True)
        os.environ["SONDE_SPAN_LIBRARY"] = str(path)
        os.environ["SONDE_FLUSH_MS"] = "0"  # each span leaves when it ends
        sys.path.insert(0, str(PYTHON))
        import sonde
        h.check(sonde.available, "the library was not loaded")
        self.sonde = sonde
        self.interest = ctypes.c_uint64.from_address(sonde._functions["interest"]())
        self._lines = ctypes.CDLL(str(path)).span_lines
        self._lines.restype = ctypes.c_char_p
        self._seen = 0

    def lines(self):
        text = self._lines().decode()
        new, self._seen = text[self._seen:], len(text)
        return new.splitlines()


_caught = []


def caught(on=True):
    if not _caught:
        _caught.append(Caught())
    _caught[0].interest.value = BATCH if on else 0
    return _caught[0], _caught[0].sonde


@h.test(own_daemon=True)
def with_statements_fields_and_errors():
    c, sonde = caught()
    with sonde.span("outer", category="io"):
        with sonde.span("inner") as s:
            s.field("n", -3)
            s.field("part", 0.25)
            s.field("yes", True)
            s.field("text", "ä" * 40)
            s.field("large", 1 << 70)
            s.error(-5)
        sonde.field("rows", 7)
    h.equal(c.lines(), [f"span /inner 1 error=-5 n=-3 part=0.25 yes=true text='{'ä' * 32}' large='{1 << 70}'",
                        "span io/outer 0 rows=7"], "spans")
    try:
        with sonde.span("fails"):
            raise ValueError
    except ValueError:
        pass
    h.equal(c.lines(), ["span /fails 0 error exception"], "an exception")


@h.test(own_daemon=True)
def values_of_the_wrong_type_raise_nothing():
    c, sonde = caught()

    class Silent:
        def __str__(self):
            raise RuntimeError

    with sonde.span("odd"):
        sonde.error(None)
        sonde.field("silent", Silent())
        sonde.field(3, 4)
        h.equal(sonde.trace_from(None), False, "a header that is not there")
    h.equal(c.lines(), ["span /odd 0 error=0 silent='?' 3=4"], "a span")
    sonde.counter("load", "much")
    sonde.begin("request", "a-b-c")
    sonde.end("request", "a-b-c")
    begun, ended = [re.sub(r"begin|end", "", line, count=1) for line in c.lines()]
    h.equal(begun, ended, "a key that is text")


@h.test(own_daemon=True)
def decorators():
    c, sonde = caught(on=False)

    @sonde.span(category="io")
    def read(n, *, more=0):
        """Reads."""
        if n < 0:
            raise KeyError(n)
        return n + more

    @sonde.span
    def plain():
        return read(1, more=2)

    h.equal((read(1, more=2), plain(), read.__name__, read.__doc__), (3, 3, "read", "Reads."), "as before")
    h.equal(c.lines(), [], "off")
    caught()
    h.equal((plain(), plain.__wrapped__()), (3, 3), "results")
    where = "decorators.<locals>."
    h.equal(c.lines(), [f"span io/{where}read 1", f"span /{where}plain 0", f"span io/{where}read 0"], "spans")
    try:
        read(-1)
    except KeyError as e:
        h.equal(e.args, (-1,), "the exception is whole")
    h.equal(c.lines(), [f"span io/{where}read 0 error exception"], "spans")
    for wrong in (lambda: sonde.span("name")(plain), lambda: sonde.span(x for x in ())):
        try:
            wrong()
            raise h.Failed("no error")
        except TypeError as e:
            h.check("sonde.span(NAME) is for with" in str(e) or "is text, not generator" in str(e), str(e))

    def generator():
        yield 1
    try:
        sonde.span(generator)
        raise h.Failed("no error")
    except TypeError as e:
        h.contains(str(e), "a generator is no span; write 'with sonde.span(", "message")


@h.test(own_daemon=True)
def coroutines_are_asynchronous_spans():
    c, sonde = caught()

    @sonde.span(category="net")
    async def fetch(n):
        await asyncio.sleep(0.01 * (3 - n))
        return n

    async def both():
        return await asyncio.gather(fetch(1), fetch(2))

    h.equal(asyncio.run(both()), [1, 2], "results")
    with sonde.span("flush"):
        pass
    name = "net/coroutines_are_asynchronous_spans.<locals>.fetch"
    lines = c.lines()
    keys = [line.rsplit("#", 1)[1] for line in lines[:4]]
    h.equal([line.split()[:2] for line in lines[:4]],
            [["begin", name], ["begin", name], ["end", name], ["end", name]], "events")
    h.equal((keys[0], keys[1]), (keys[3], keys[2]), "the second ends first")


@h.test(own_daemon=True)
def events_and_traces():
    c, sonde = caught()
    sonde.instant("now", category="app")
    sonde.counter("length", 3, category="queue")
    sonde.begin("job", 17)
    sonde.end("job", 17)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with sonde.span("request"):
        h.equal((sonde.trace_from("nonsense"), sonde.trace_from(trace)), (False, True), "trace_from()")
        h.check(re.fullmatch(r"00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01", sonde.trace_to()),
                sonde.trace_to())
    h.equal(c.lines(), ["instant app/now 0", "counter queue/length 0 =3", "begin /job 0 #17", "end /job 0 #17",
                        "span /request 0 trace"], "events")
    caught(on=False)
    h.equal((sonde.trace_to(), sonde.trace_from(trace), sonde.is_on()), ("", False, False), "off")


@h.test(own_daemon=True)
def ai_training():
    c, sonde = caught()
    ai = sonde.ai

    @ai.compute.backward
    def backward():
        pass

    for epoch in range(2):
        with ai.pipeline.epoch(epoch=epoch) as e:
            for batch in ai.dataloader.fetch.over([10, 20]):
                with ai.compute.forward(batch=batch):
                    pass
                backward()
            with ai.checkpoint.save():
                pass
        h.equal({k: v["count"] for k, v in e.summary.items()},
                {"dataloader.fetch": 3, "compute.forward": 2, "compute.backward": 2, "checkpoint.save": 1},
                "summary")
    lines = c.lines()
    h.equal([line for line in lines[:8]],
            ["span dataloader/fetch 1 epoch=0 step=0", "span compute/forward 1 epoch=0 step=0 batch=10",
             "span compute/backward 1 epoch=0 step=0", "span dataloader/fetch 1 epoch=0 step=1",
             "span compute/forward 1 epoch=0 step=1 batch=20", "span compute/backward 1 epoch=0 step=1",
             "span dataloader/fetch 1 epoch=0 step=2", "span checkpoint/save 1 epoch=0"], "the first epoch")
    h.equal(len(lines), 18, "spans")
    h.check(re.fullmatch(r"span pipeline/epoch 0 epoch=1( [a-z_]+\.[a-z_]+=[0-9.e-]+){4}", lines[17]), lines[17])
    h.contains(lines[17], "compute.forward_ms=", "the summary")
    caught(on=False)
    with ai.pipeline.epoch(epoch=3) as e:
        for _ in ai.dataloader.fetch.over(range(3)):
            with ai.compute.forward(x=1) as s:
                s.field("y", 2)
            backward()
    h.equal((c.lines(), e.summary), ([], {}), "off")


@h.test(own_daemon=True)
def without_the_library_programs_run():
    program = ("import sonde\n@sonde.span\ndef f(): return 5\n"
               "with sonde.span('x') as s: s.field('n', 1)\n"
               "with sonde.ai.compute.forward(step=1): pass\n"
               "sonde.instant('i'); sonde.counter('c', 1); sonde.error(1)\n"
               "print(sonde.available, sonde.is_on(), f(), sonde.trace_to() == '')\n")
    copy = h.TMP / "copy"
    copy.mkdir()
    (copy / "sonde.py").write_text((PYTHON / "sonde.py").read_text())
    env = {**os.environ, "PYTHONPATH": str(copy), "SONDE_SPAN_LIBRARY": "/nonexistent", "LD_LIBRARY_PATH": ""}
    done = subprocess.run([sys.executable, "-S", "-c", program], env=env, capture_output=True, text=True)
    if done.stdout.startswith("True"):
        raise h.Skip("libsonde-span.so.1 is installed here")
    h.equal((done.stdout, done.stderr), ("False False 5 True\n", ""), "output")


@h.test(own_daemon=True)
def bpftrace_sees_the_spans_of_python():
    h.need("bpftrace")
    library = os.path.realpath(LIBRARY)
    if not os.path.exists(library):
        raise h.Skip(f"{library} is not built")
    program = ("import sonde, sys\nprint(flush=True)\nsys.stdin.readline()\n"
               "for i in range(10):\n    with sonde.span('read', category='io'): pass\n")
    env = {**os.environ, "SONDE_SPAN_LIBRARY": library, "PYTHONPATH": str(PYTHON), "PYTHONDONTWRITEBYTECODE": "1"}
    python = subprocess.Popen([sys.executable, "-c", program], env=env, text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    h.at_end(h.stop, python)
    python.stdout.readline()
    bpftrace = subprocess.Popen(["bpftrace", "-p", str(python.pid), "-e",
                                 f"BEGIN {{ printf(\"on\\n\"); }} usdt:{library}:sonde:span "
                                 "{ @[str(arg0), str(arg1)] = count(); }"],
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    h.at_end(h.stop, bpftrace)
    while bpftrace.stdout.readline() not in ("on\n", ""):
        pass
    python.communicate("\n", timeout=60)
    out, _ = bpftrace.communicate(timeout=60)
    h.contains(out, "@[io, read]: 10", "bpftrace's output")


if __name__ == "__main__":
    h.need_root()
    h.main()

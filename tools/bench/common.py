# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benches share: figures, the daemon under test, its socket, the target of the timings."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TRACEFS = "/sys/kernel/tracing"
CPUS = sorted(os.sched_getaffinity(0))


class BenchError(Exception):
    """Something a bench needs failed; the message says what."""


@dataclasses.dataclass
class Figure:
    """One line of the table. ratio is value / peer_value where there is a peer, and target then
    limits the ratio, else the value."""

    name: str
    value: float
    unit: str
    target: float
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    note: str = ""
    least: bool = False  # the target is what must at least be reached

    @property
    def passed(self):
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.target if self.least else judged <= self.target


def say(text):
    print(text, file=sys.stderr, flush=True)


def median(values):
    return statistics.median(values)


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def run(args, timeout=120, **more):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, check=False, **more)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(args)}: exit {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def measured(args, **more):
    """Seconds, the resources used with those of what it has waited for, and what it said on standard
    error where that is a pipe."""
    begin = time.monotonic()
    child = subprocess.Popen(args, **more)
    said = child.stderr.read() if child.stderr else ""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise BenchError(f"{' '.join(args)}: exit {child.returncode}: {said.strip()[-400:]}")
    return seconds, usage, said


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise BenchError(f"{what}: not within {seconds} s")


def end_process(process, sig=signal.SIGTERM, seconds=20):
    """Ends a process this bench started, and only that one."""
    if process.poll() is None:
        process.send_signal(sig)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def started(args, sig=signal.SIGTERM, **more):
    process = subprocess.Popen(args, **more)
    try:
        yield process
    finally:
        end_process(process, sig)


def on_cpus(cpus):
    """For preexec_fn. The target runs alone on the last CPU where a cost a call is measured."""
    return lambda: os.sched_setaffinity(0, cpus)


def target_cpus():
    return {CPUS[-1]}


def other_cpus():
    return set(CPUS[:-1]) or set(CPUS)


class Connection:
    """A Varlink client: NUL-terminated JSON on a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def call(self, method, **parameters):
        message = {"method": "io.sonde." + method, "parameters": parameters}
        self.socket.sendall(json.dumps(message).encode() + b"\0")
        while b"\0" not in self.buffer:
            data = self.socket.recv(1 << 20)
            if not data:
                raise BenchError(f"{method}: the daemon hung up")
            self.buffer += data
        reply, self.buffer = self.buffer.split(b"\0", 1)
        reply = json.loads(reply)
        if reply.get("error"):
            raise BenchError(f"{method}: {reply['error']} {reply.get('parameters')}")
        return reply.get("parameters", {})


class Daemon:
    """A sonded of its own, on a socket of its own."""

    def __init__(self, env, name, cpus=None):
        self.env = env
        self.socket = os.path.join(env.dir, name + ".sock")
        # Nothing but what a bench asks for.
        conf = os.path.join(env.dir, name + ".conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("[history]\nkeep = no\n")
        with open(os.path.join(env.dir, name + ".log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [env.sonded, "--socket", self.socket, "--config", conf, "--foreground"], stderr=log,
                preexec_fn=on_cpus(cpus or set(CPUS)))
        try:
            wait_until(self.answers, 30, "sonded does not answer")
        except BenchError:
            end_process(self.process)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_process(self.process)

    def answers(self):
        if self.process.poll() is not None:
            raise BenchError(f"sonded ended with status {self.process.returncode}, see {self.env.dir}")
        try:
            return bool(self.call("Status"))
        except OSError:
            return False

    def call(self, method, **parameters):
        with Connection(self.socket) as c:
            return c.call(method, **parameters)

    def sonde(self, *args):
        return [self.env.sonde, *args[:1], "--socket", self.socket, *args[1:]]

    def status(self):
        return self.call("Status")["daemon"]

    def cpu_ns(self):
        """From the scheduler, so exact: rusage is in ticks on some kernels."""
        return sum(int(read_text(f"{task}/schedstat").split()[0]) for task in self.tasks())

    def tasks(self):
        folder = f"/proc/{self.process.pid}/task"
        return [f"{folder}/{tid}" for tid in os.listdir(folder)]

    def sleeps(self):
        """Voluntary context switches by thread."""
        return {read_text(t + "/comm").strip() + "/" + os.path.basename(t):
                int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", read_text(t + "/status"),
                              re.M).group(1)) for t in self.tasks()}

    def resident_mib(self):
        text = read_text(f"/proc/{self.process.pid}/status")
        return int(re.search(r"^VmRSS:\s*(\d+)", text, re.M).group(1)) / 1024


class Spin:
    """spin.c, or another program that takes its commands: the target of the timings."""

    def __init__(self, env, cpus=None, path=None):
        self.path = path or env.spin
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=on_cpus(cpus or set(CPUS)))
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        end_process(self.process)

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline().split()
        if not line:
            raise BenchError("the target of the timings ended")
        return [float(word) for word in line]

    def ask(self, text):
        self.tell(text)
        return self.answer()

    def ns_per_call(self, func, ms):
        return self.ask(f"time {func} {ms}")[0]

    def wait_probed(self, func, probed, seconds=20):
        """A probe costs 400 ns and more a call; a bare call one or two."""
        wait_until(lambda: (self.ns_per_call(func, 2) > 100) == probed, seconds,
                   f"{func} {'not probed' if probed else 'still probed'}")


def added_cost(spin, func, tool, measure):
    """Nanoseconds a call that a tool (a context) adds: probed minus bare, right after each other."""
    spin.wait_probed(func, False)
    bare = spin.ns_per_call(func, 50)
    with tool:
        spin.wait_probed(func, True)
        probed = measure(spin, func)
    spin.wait_probed(func, False)
    return probed - bare


def empty_program(env, spin, func, how):
    """Probes func with a program that does nothing: what no tool can go below here."""
    return started([env.floor, spin.path, hex(symbol_offset(spin.path, func)), how],
                   stdin=subprocess.PIPE)


def symbol_offset(path, symbol):
    """The file offset of a function: its address in the segment it is loaded from."""
    address = next(int(line.split()[0], 16) for line in run(["nm", path]).splitlines()
                   if line.split()[-1] == symbol)
    for line in run(["readelf", "-lW", path]).splitlines():
        words = line.split()
        if words and words[0] == "LOAD":
            offset, vaddr, size = int(words[1], 16), int(words[2], 16), int(words[4], 16)
            if vaddr <= address < vaddr + size:
                return address - vaddr + offset
    raise BenchError(f"{symbol} of {path} is in no segment")

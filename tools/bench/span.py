# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans written in source code: what one costs the program, off, dropped, in batches, one by one,
beside LTTng-UST, uftrace and bpftrace on static probes, in turns on the same machine."""

import json
import os
import re
import subprocess

import common
from common import Figure

CALLS = 5000     # of a round
FEW_CALLS = 100  # where each traps: short enough for rounds that nobody else gets into
RING_ROUNDS = 300  # of FEW_CALLS each: their records fit into the ring
PYTHON_CALLS = 500
SOURCE = os.path.join(common.HERE, "span_cost.c")
BPFTRACE = """
usdt:{0}:cost:begin {{ @start[tid] = nsecs; }}
usdt:{0}:cost:end /@start[tid]/ {{
	@took[str(arg0), str(arg1)] = hist(nsecs - @start[tid]); delete(@start[tid]);
}}
"""


class Cost:
    """A process of span_cost, waiting to be attached to."""

    def __init__(self, program, rounds, calls=CALLS, wrapper=(), more=(), **env):
        self.process = subprocess.Popen([*wrapper, program, str(rounds), str(calls), *more], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, **env})
        self.pid = int(self.process.stdout.readline().split()[1])

    def ns(self):
        out, _ = self.process.communicate("\n", timeout=300)
        if self.process.returncode != 0:
            raise common.BenchError(f"span_cost: exit {self.process.returncode}")
        return float(out)


class Bench:
    def __init__(self, env):
        self.env = env
        self.dir = env.dir
        self.rounds = 300 if env.quick else 1000
        self.build()
        self.library = os.path.join(os.path.dirname(os.path.dirname(env.sonde)),
                                    "tools/python/libsonde-span.so.1")

    def path(self, name):
        return os.path.join(self.dir, name)

    def build(self):
        include = f"-I{common.TOP}/include"
        for name, options in (("span_sonde", []), ("span_plain", ["-DPLAIN"]),
                              ("span_pg", ["-DPLAIN", "-pg"]), ("span_usdt", ["-DUSDT"]),
                              ("span_lttng", ["-DLTTNG", f"-I{common.HERE}", "-llttng-ust", "-ldl"])):
            common.run(["gcc", "-O2", "-D_GNU_SOURCE", include, SOURCE, "-o", self.path(name), *options])
        common.run(["gcc", "-O2", include, os.path.join(common.HERE, "span_catch.c"), "-lbpf", "-o",
                    self.path("span_catch")])
        machine = os.uname().machine
        common.run(["clang-14", "-g", "-O2", "-target", "bpf", "-mcpu=v3", include,
                    "-D__TARGET_ARCH_" + {"x86_64": "x86", "aarch64": "arm64"}[machine],
                    "-idirafter", f"/usr/include/{machine}-linux-gnu", "-c", os.path.join(common.HERE, "span_catch.bpf.c"), "-o", self.path("span_catch.o")])

    def alone(self, name, wrapper=(), **env):
        return Cost(self.path(name), self.rounds, wrapper=wrapper, **env).ns()

    def caught(self, probe, calls=CALLS, **env):
        """The cost while span_catch is attached, and the records that it got for each span."""
        cost = Cost(self.path("span_sonde"), self.rounds, calls, **env)
        return self.catch(cost, self.path("span_sonde"), probe, self.rounds * calls)

    def python(self, kind, probe=None):
        """The same of a span of Python; without a probe, the cost while nobody is attached."""
        cost = Cost(os.path.join(common.HERE, "span_python_cost.py"), self.rounds, PYTHON_CALLS,
                    more=[kind], SONDE_SPAN_LIBRARY=self.library)
        if not probe:
            return cost.ns()
        return self.catch(cost, os.path.realpath(self.library), probe, self.rounds * PYTHON_CALLS)[0]

    def catch(self, cost, path, probe, calls):
        place, semaphore = self.place(path, probe), probe_offsets(path)[probe][1]
        catcher = subprocess.Popen([self.path("span_catch"), self.path("span_catch.o"),
                                    path, probe, place, semaphore],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        try:
            if catcher.stdout.readline() != "attached\n":
                raise common.BenchError(f"span_catch did not attach to {probe}")
            ns = cost.ns()
            out, _ = catcher.communicate("", timeout=60)
            return ns, int(out) / calls
        finally:
            common.end_process(cost.process)
            common.end_process(catcher)

    def place(self, path, probe):
        """Where sonde attaches for that, in the file."""
        mode = {"batch": "batch", "span": "simple"}[probe]
        answer = common.run([self.env.sonde, "probes", "--json", "-a", "--span-mode", mode,
                             f"span:{path}:*"])
        return next(str(int(p["offset"], 16)) for p in json.loads(answer)["probes"]
                    if p["symbol"] == f"sonde:{probe}")

    def with_daemon(self):
        """A hit a span, all of which the daemon reads and keeps: as many as its ring has room for."""
        path = self.path("span_sonde")
        cost = Cost(path, RING_ROUNDS, FEW_CALLS)
        try:
            with common.Daemon(self.env, "simple") as daemon:
                name = daemon.call("Attach", options={"specs": [f"span:{path}:*"], "span_mode": "simple",
                                                      "selectors": {"pids": [cost.pid]}})["session"]["name"]
                ns = cost.ns()
                ended = daemon.call("Detach", name=name)["session"]
                if ended["spans"] != RING_ROUNDS * FEW_CALLS:
                    raise common.BenchError(f"{ended['spans']} spans came: {ended['losses']}")
                return ns
        finally:
            common.end_process(cost.process)

    def bpftrace(self):
        cost = Cost(self.path("span_usdt"), self.rounds, FEW_CALLS)
        peer = subprocess.Popen(["bpftrace", "-p", str(cost.pid), "-e",
                                 BPFTRACE.format(self.path("span_usdt"))],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            peer.stdout.readline()  # "Attaching 2 probes..."
            common.wait_until(lambda: is_up(cost.pid, self.path("span_usdt")), 30, "bpftrace")
            return cost.ns()
        finally:
            common.end_process(cost.process)
            common.end_process(peer)

    def lttng(self):
        """In a session of its own that overwrites its buffers, so that nobody has to drain them."""
        env = {"LTTNG_HOME": self.path("lttng"), "LTTNG_UST_REGISTER_TIMEOUT": "-1"}
        os.makedirs(env["LTTNG_HOME"], exist_ok=True)
        lttng = ["lttng", "--no-sessiond"]
        everything = {**os.environ, **env}
        daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel"], env=everything,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            common.wait_until(lambda: subprocess.run([*lttng, "list"], env=everything, check=False,
                                                     capture_output=True).returncode == 0, 30,
                              "lttng-sessiond")
            for args in (["create", "--snapshot", "sonde"], ["enable-event", "-u", "span_cost:*"],
                         ["start"]):
                common.run([*lttng, *args], env=everything)
            ns = self.alone("span_lttng", **env)
            common.run([*lttng, "destroy", "sonde"], env=everything)
            return ns
        finally:
            common.end_process(daemon)

    def uftrace(self):
        return self.alone("span_pg", ["uftrace", "record", "--no-libcall", "-d", self.path("uftrace.data")])


def probes(path):
    """Name to addresses of place and semaphore."""
    notes = common.run(["readelf", "-nW", path])
    found = re.findall(r"Name: (\w+)\s+Location: (0x\w+),.* Semaphore: (0x\w+)", notes)
    return {name: (int(place, 16), int(semaphore, 16)) for name, place, semaphore in found}


def probe_offsets(path):
    """The same in the file, as text."""
    loads = [[int(n, 16) for n in re.findall(r"0x\w+", line)[:5]]
             for line in common.run(["readelf", "-lW", path]).splitlines() if " LOAD " in line]

    def offset(address):
        return next(str(address - load[1] + load[0]) for load in loads
                    if load[1] <= address < load[1] + load[3])
    return {name: [offset(a) for a in addresses] for name, addresses in probes(path).items()}


def is_up(pid, path):
    """Whether bpftrace has attached to both probes."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as f:
        base = min(int(line.split("-")[0], 16) for line in f if line.rstrip().endswith(path))
    with open(f"/proc/{pid}/mem", "rb") as f:
        for _, semaphore in probes(path).values():
            f.seek(base + semaphore)
            if int.from_bytes(f.read(2), "little") == 0:
                return False
    return True


def figures(env):
    bench = Bench(env)
    turns = 1 if env.quick else env.rounds
    best = {}

    def keep(name, value):
        best[name] = min(value, best.get(name, value))

    arrived = []
    for _ in range(turns):
        keep("plain", bench.alone("span_plain"))
        keep("off", bench.alone("span_sonde"))
        keep("unwanted", bench.caught("batch", SONDE_CATEGORIES="-io")[0])
        keep("short", bench.caught("batch", SONDE_THRESHOLD_US="1000")[0])
        ns, share = bench.caught("batch")
        keep("batch", ns)
        arrived.append(share)
        keep("simple", bench.caught("span", FEW_CALLS)[0])
        keep("with daemon", bench.with_daemon())
        keep("lttng", bench.lttng())
        keep("uftrace", bench.uftrace())
        keep("bpftrace", bench.bpftrace())
        for kind in ("empty", "decorator", "with"):
            keep("python " + kind, bench.python(kind))
        for kind in ("decorator", "with"):
            keep(f"python {kind} on", bench.python(kind, "batch"))
    cost = {name: value - best["python empty" if name.startswith("python") else "plain"]
            for name, value in best.items()}
    share = f"{100 * max(arrived):.0f} % of the records arrived"
    return [
        Figure("a span, nobody attached", cost["off"], "ns", 1),
        Figure("a span of an unwanted category", cost["unwanted"], "ns", 25),
        Figure("a span below the threshold", cost["short"], "ns", 25),
        Figure("a span in batches", cost["batch"], "ns", 40, note=share),
        Figure("batches beside LTTng-UST", cost["batch"], "ns", 0.35, "LTTng-UST, begin and end",
               cost["lttng"], cost["batch"] / cost["lttng"]),
        Figure("batches beside uftrace", cost["batch"], "ns", 1, "uftrace record, -pg",
               cost["uftrace"], cost["batch"] / cost["uftrace"]),
        Figure("a hit a span", cost["simple"], "ns", 0.4, "bpftrace, USDT begin and end",
               cost["bpftrace"], cost["simple"] / cost["bpftrace"]),
        Figure("a hit a span, kept by the daemon", cost["with daemon"], "ns", 0.4,
               "bpftrace, USDT begin and end", cost["bpftrace"],
               cost["with daemon"] / cost["bpftrace"]),
        Figure("Python: a decorator, nobody attached", cost["python decorator"], "ns", 150),
        Figure("Python: a with statement, nobody attached", cost["python with"], "ns", 150),
        Figure("Python: a decorator, in batches", cost["python decorator on"], "ns", 2000),
        Figure("Python: a with statement, in batches", cost["python with on"], "ns", 2000),
    ]

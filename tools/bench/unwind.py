# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole stacks of programs of Debian, without frame pointers: the share of samples whose user stack
reaches the program's start, beside perf's two ways on the same processes at the same time."""

import collections
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import time

from common import BenchError, Daemon, Figure, run, say, started, wait_until

HZ = 499
STARTS = {"main", "_start", "__libc_start_main", "__libc_start_call_main", "start_thread", "clone",
          "clone3", "__clone3", "__clone"}
SQL = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) "
       "SELECT count(DISTINCT printf('%d', i * 7919 % 10007)) FROM n;")
PYTHON = "while True:\n    sorted(str(i * 7919 % 97) for i in range(500))\n"
CXX = """#include <map>
#include <regex>
#include <string>
int main()
{
	std::regex word("(a|b)*c(d|e)+");
	std::map<std::string, int> seen;
	for (int i = 0;; i++)
		seen[std::to_string(i % 5000)] += std::regex_search("ababcde" + std::to_string(i), word);
}
"""
# Long to compile, and nothing but the compiler itself.
SLOW_SOURCE = "#include <regex>\n#include <map>\n#include <string>\n#include <functional>\n" + "".join(
    f"int f{i}(const std::string &s) {{ std::regex r(\"a(b|c)*{i}\"); std::map<std::string, int> m;"
    f" m[s] = {i}; return std::regex_match(s, r) + (int)m.size(); }}\n" for i in range(200))


@contextlib.contextmanager
def load(*args, **more):
    """A program that makes work for another, until the end."""
    with started(list(args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more):
        yield


@contextlib.contextmanager
def plain(*args):
    with started(list(args), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as p:
        yield [p.pid]


@contextlib.contextmanager
def redis(env):
    port = "17379"
    with started(["redis-server", "--port", port, "--save", "", "--dir", env.dir],
                 stdout=subprocess.DEVNULL) as p:
        wait_until(lambda: subprocess.run(["redis-cli", "-p", port, "ping"], check=False,
                                          capture_output=True).stdout == b"PONG\n", 10, "redis")
        with load("redis-benchmark", "-p", port, "-q", "-l", "-t", "set,get,lpush,lrange_100"):
            yield [p.pid]


def children(pid):
    return [int(x) for t in glob.glob(f"/proc/{pid}/task/*/children")
            for x in open(t, encoding="ascii").read().split()]


@contextlib.contextmanager
def nginx(env):
    folder = os.path.join(env.dir, "nginx")
    os.makedirs(folder, exist_ok=True)
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;\n"
                "events {}\nhttp { access_log off; gzip on; gzip_types text/plain; gzip_min_length 1;"
                f" server {{ listen 127.0.0.1:18080; root {folder}; }} }}\n")
    with open(os.path.join(folder, "x.txt"), "w", encoding="utf-8") as f:
        f.write("all work and no play " * 3000)
    os.chmod(env.dir, 0o755)
    with started(["nginx", "-e", f"{folder}/error", "-c", conf]) as p:
        wait_until(lambda: children(p.pid), 10, "nginx")
        with load("ab", "-q", "-n", "100000000", "-c", "4", "-H", "Accept-Encoding: gzip",
                  "http://127.0.0.1:18080/x.txt"):
            yield children(p.pid)


@contextlib.contextmanager
def postgres(env):
    folder = os.path.join(env.dir, "postgres")
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    os.makedirs(folder, exist_ok=True)
    shutil.chown(folder, "postgres", "postgres")
    os.chmod(env.dir, 0o755)
    as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
    run([*as_user, f"{programs}/initdb", "-D", f"{folder}/data", "-A", "trust"], cwd="/")
    tools = ["-h", "127.0.0.1", "-p", "15432", "-U", "postgres"]
    with started([*as_user, f"{programs}/postgres", "-D", f"{folder}/data", "-p", "15432", "-k", folder],
                 stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/") as p:
        wait_until(lambda: subprocess.run([f"{programs}/pg_isready", "-q", *tools], check=False
                                          ).returncode == 0, 20, "postgres")
        run([f"{programs}/pgbench", *tools, "-q", "-i", "-s", "2", "postgres"])
        with load(f"{programs}/pgbench", *tools, "-S", "-c", "2", "-T", "600", "postgres"):
            time.sleep(1)
            yield children(p.pid)


@contextlib.contextmanager
def cc1plus(env):
    source = os.path.join(env.dir, "slow.ii")
    text = os.path.join(env.dir, "slow.cc")
    with open(text, "w", encoding="utf-8") as f:
        f.write(SLOW_SOURCE)
    run(["g++", "-E", "-o", source, text])
    program = run(["gcc", "-print-prog-name=cc1plus"]).strip()
    with plain(program, "-quiet", "-O2", "-o", "/dev/null", source) as pids:
        yield pids


@contextlib.contextmanager
def cxx(env):
    program = os.path.join(env.dir, "cxx-o3")
    run(["g++", "-O3", "-x", "c++", "-o", program, "-"], input=CXX)
    with plain(program) as pids:
        yield pids


PROGRAMS = {
    "sqlite3": lambda env: plain("sqlite3", ":memory:", SQL),
    "redis-server": redis,
    "python3": lambda env: plain("/usr/bin/python3", "-c", PYTHON),
    "nginx": nginx,
    "postgres": postgres,
    "cc1plus": cc1plus,
    "C++ -O3": cxx,
}


def is_whole(functions):
    return any(re.sub(r"[@(].*", "", f) in STARTS for f in functions)


def share_of_perf(path):
    """Of samples that have a user stack at all."""
    whole = total = 0
    functions = []
    for line in run(["perf", "script", "-i", path, "-F", "ip,sym,dso"], timeout=600).splitlines():
        if line.strip():
            functions.append(line.split()[1] if len(line.split()) > 1 else "")
            continue
        if functions:
            total += 1
            whole += is_whole(functions)
        functions = []
    return whole / total if total else 0, total


def share_of_sonde(daemon, path):
    reply = json.loads(run([daemon.env.sonde, "flame", "-i", path, "--kind", "cpu", "--json"]))
    frames = [f["func"] for f in reply["frames"]]
    counts = collections.Counter()
    for stack in reply["stacks"]:
        functions = [frames[i] for i in stack["frames"]]
        users = [i for i in stack["frames"] if reply["frames"][i]["kind"] == "user"]
        if users:
            counts[is_whole(functions)] += stack["value"]
    return counts[True] / counts.total() if counts else 0, counts.total()


def measure(env, daemon, name, program):
    seconds = 3 if env.quick else 6
    path = os.path.join(env.dir, re.sub(r"\W", "-", name))
    with program(env) as pids:
        listed = ",".join(map(str, pids))
        # Tables are built once a process has yielded a stack: not what is measured here.
        run(daemon.sonde("record", "-p", listed, "-F", str(HZ), "-d", "1", "-o", path + ".0"))
        time.sleep(1)
        perfs = [["perf", "record", "-q", "-F", str(HZ), "-e", "cpu-clock", "-p", listed, "-g",
                  "--call-graph", way, "-o", f"{path}.{way}", "--", "sleep", str(seconds)]
                 for way in ("dwarf", "fp")]
        with started(perfs[0], stderr=subprocess.DEVNULL), started(perfs[1], stderr=subprocess.DEVNULL):
            run(daemon.sonde("record", "-p", listed, "-F", str(HZ), "-d", str(seconds), "-o",
                             path + ".sonde"))
            time.sleep(1.5)
    ours, n = share_of_sonde(daemon, path + ".sonde")
    if n < seconds * 50:
        raise BenchError(f"{name}: only {n} samples")
    shares = {way: share_of_perf(f"{path}.{way}") for way in ("dwarf", "fp")}
    say(f"  {name}: sonde {ours:.2%} of {n}, perf dwarf {shares['dwarf'][0]:.2%} of "
        f"{shares['dwarf'][1]}, perf fp {shares['fp'][0]:.2%} of {shares['fp'][1]}")
    return Figure(f"whole stacks of {name}", ours * 100, "%", 99, least=True,
                  note=f"{n} samples; perf dwarf {shares['dwarf'][0]:.1%}, fp {shares['fp'][0]:.1%}")


def figures(env):
    with Daemon(env, "unwind") as daemon:
        for name, program in PROGRAMS.items():
            yield measure(env, daemon, name, program)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the integration tests in Python share.

    import harness as h

    @h.test
    def counts_are_exact(daemon):
        ...
        h.equal(got, wanted, "calls of alpha")

    h.main()

tools/check gives SONDE, SONDED, WORKLOADS and SONDE_SMOKE=1 for the quick subset; run by hand, what
lies below build/ is used. Every @h.test function is one result: "ok FILE.NAME", "not ok
FILE.NAME: why" or "skip FILE.NAME: why" on standard output. It gets a daemon that is shared by the
tests of the file. Names on the command line run those tests alone. Whatever a test starts is
stopped at the end, however the end comes; everything that waits has a limit.
"""
import atexit
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import traceback

import devtools
from harness_core import (ENV, GOLDEN, PATIENCE, ROOT, SMOKE, SONDE, SONDED, TMP, WORKLOADS,
                          Failed, Result, Skip, at_end, between, check, clean_up, contains, equal,
                          run, spawn, stop, wait_until)

_tests = []


class Daemon:
    """A private sonded on a socket of its own."""
    count = 0

    def __init__(self, **config):
        Daemon.count += 1
        self.dir = TMP / f"daemon-{Daemon.count}"
        self.dir.mkdir()
        self.socket = str(self.dir / "sonde.sock")
        self.log = self.dir / "log"
        config.setdefault("cache", self.dir / "cache")
        # Most tests want a daemon that does nothing by itself.
        history = config.pop("history", {"keep": "no"})
        conf = {"daemon": config, "history": history,
                "retention": config.pop("retention", {})}
        (self.dir / "conf").write_text("".join(
            f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
            for section, keys in conf.items() if keys))
        with open(self.log, "w") as log:
            self.process = spawn(SONDED, "--foreground", "--socket", self.socket, "--config",
                                 self.dir / "conf", stdout=log, stderr=log)
        self.pid = self.process.pid
        wait_until(lambda: self.process.poll() is not None or self.answers(), "the daemon")
        check(self.process.poll() is None,
              f"sonded ended with {self.process.returncode}: {self.log.read_text()[-1000:]}")

    def answers(self):
        return self.sonde("status", status=None).status == 0

    def env(self):
        return dict(ENV, SONDE_SOCKET=self.socket)

    def sonde(self, *args, **more):
        return run(SONDE, *args, env=self.env(), **more)

    def json(self, *args, **more):
        reply = self.sonde(*args, "--json", **more).json
        equal(reply.get("schema"), 1, f"schema of {args[0]}")
        return reply

    def error(self, status, name, *args):
        """The command fails with that exit status and that error, in words and as JSON."""
        plain = self.sonde(*args, status=status)
        check(plain.err.strip(), f"{args}: no message")
        equal(plain.out, "", f"{args}: standard output")
        reply = self.sonde(*with_json(args), status=status).json
        equal(sorted(reply), ["error", "schema"], f"{args}: members")
        equal(sorted(reply["error"]), ["fix", "message", "name"], f"{args}: members of error")
        equal(reply["error"]["name"], name, f"{args}: error, {reply['error']['message']!r}")
        contains(plain.err, reply["error"]["message"], f"{args}: message")
        return reply["error"]

    def start(self, *args, **more):
        """sonde in the background; standard output is a pipe, standard error a file."""
        err = open(self.dir / f"stderr-{time.monotonic_ns()}", "w+")
        p = spawn(SONDE, *args, env=self.env(), stdout=subprocess.PIPE, stderr=err, text=True,
                  **more)
        p.err = err
        return p

    def trace(self, workload, *args, name="t", status=0):
        """Traces a workload from its gate to its end: its spans, and what was said at the end."""
        p = self.start("trace", "-p", workload.pid, "--json", "--name", name, *args)
        wait_until(lambda: p.poll() is not None or self.active(name), f"session {name}")
        workload.go()
        result = finish(p, status)
        workload.finish()
        return result.lines, result.err

    def active(self, name):
        session = self.session(name)
        return session and session["state"] == "active"

    def rows(self, *args, key="func"):
        return {row[key]: row for row in self.json("report", "--by", key, *args)["rows"]}

    def calls(self, *args):
        return {name: row["calls"] for name, row in self.rows(*args).items()}

    def session(self, name):
        return next((s for s in self.json("list")["sessions"] if s["name"] == name), None)

    def fds(self):
        """Kinds of its descriptors: "socket", "anon_inode", "pipe"… and the test's own files; not
        the programs of this machine, which it keeps open to name their functions later."""
        names = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                names.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        return sorted(n if n.startswith("anon") or n.startswith("/") else n.split(":")[0]
                      for n in names if not n.startswith("/") or n.startswith(f"{TMP}/"))

    def detach_all(self):
        for session in self.json("list")["sessions"]:
            if session["state"] == "active":
                self.sonde("detach", session["name"], status=None)

    def stop(self):
        # Links that other load hits all the time are slow to go, in the kernel, at exit, too.
        status = stop(self.process, patience=4 * PATIENCE)
        log = self.log.read_text()
        check("Sanitizer" not in log and "runtime error" not in log, f"sanitizer: {log[-3000:]}")
        equal(status, 0, f"exit status of sonded; its log: {log[-1000:]}")


def page(path, **more):
    """A page in the browser: devtools.Page, or a skip where there is none."""
    try:
        return devtools.Page(path, **more)
    except devtools.Missing as e:
        raise Skip(str(e)) from None


def tree(rows, whole=False):
    """The rows of graph by their path from the root: whole, or the calls."""
    found = {}
    for row in rows:
        around = [path for path, (r, _) in found.items() if r["id"] == row["parent"]]
        path = f"{around[0]}/{row['func']}" if row["depth"] else row["func"]
        found[path] = (row, row["calls"])
    return {path: both[0 if whole else 1] for path, both in found.items()}


def with_json(args):
    """--json put before a command's own arguments."""
    args = list(args)
    at = args.index("--") if "--" in args else len(args)
    return args[:at] + ["--json"] + args[at:]


def finish(process, status=0, sig=None):
    """Waits for what Daemon.start() started: its standard output and standard error."""
    if sig:
        process.send_signal(sig)
    try:
        out, _ = process.communicate(timeout=2 * PATIENCE)
    except subprocess.TimeoutExpired as e:
        process.kill()
        process.communicate()
        raise Failed(f"{process.args} did not end") from e
    process.err.seek(0)
    err = process.err.read()
    equal(process.returncode, status, f"{process.args}: exit status; {err[-500:]!r}")
    return Result(process.returncode, out, err)


class Workload:
    """$WORKLOADS/wl_NAME --wait, held at its gate."""

    def __init__(self, name, *args, path=None, wait=True):
        path = path or f"{WORKLOADS}/wl_{name}"
        if not os.path.exists(path):
            raise Skip(f"{path} is not built")
        argv = [str(path)] + (["--wait"] if wait else []) + [str(a) for a in args]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=ENV)
        at_end(stop, self.process, signal.SIGKILL)
        self.pid = self.process.pid
        self.buffer = b""
        if wait:
            self.line("ready")

    def line(self, word):
        """The next line, which must begin with that word; the numbers behind it."""
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.buffer:
            if not select.select([self.process.stdout], [], [], end - time.monotonic())[0]:
                raise Failed(f"{self.process.args} did not say {word}")
            data = os.read(self.process.stdout.fileno(), 4096)
            check(data, f"{self.process.args} ended before it said {word}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        words = line.decode().split()
        equal(words[0], word, f"output of {self.process.args}")
        return [int(w) for w in words[1:]]

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def finish(self, status=0):
        """Opens what gates are left and waits for the end; what the workload has printed."""
        try:
            out, _ = self.process.communicate(timeout=2 * PATIENCE)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"{self.process.args} did not end") from e
        equal(self.process.returncode, status, f"exit status of {self.process.args}")
        return (self.buffer + out).decode()


# Bytes

def elf_text(path):
    """Executable segments of a little-endian 64-bit ELF file: (file offset, size, address)."""
    data = pathlib.Path(path).read_bytes()
    at, size, n = (int.from_bytes(data[i:i + w], "little") for i, w in ((32, 8), (54, 2), (56, 2)))
    for i in range(n):
        header = data[at + i * size:at + (i + 1) * size]
        kind, flags = (int.from_bytes(header[j:j + 4], "little") for j in (0, 4))
        offset, filesz = (int.from_bytes(header[j:j + 8], "little") for j in (8, 32))
        if kind == 1 and flags & 1:
            yield data[offset:offset + filesz], offset


def text_is_as_in_file(pid, path):
    """True when what the process has mapped of the file's text equals the file."""
    path = os.path.realpath(path)
    compared = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            fields = line.split(None, 5)
            if len(fields) < 6 or "x" not in fields[1] or fields[5].strip() != path:
                continue
            start, end = (int(x, 16) for x in fields[0].split("-"))
            offset = int(fields[2], 16)
            mem.seek(start)
            mapped = mem.read(end - start)
            with open(path, "rb") as file:
                file.seek(offset)
                wanted = file.read(end - start)
            if mapped[:len(wanted)] != wanted:
                return False
            compared += len(wanted)
    check(compared, f"process {pid} has no text of {path} mapped")
    return True


# Recordings that are kept

def recording_of_format(n, name=None):
    """tests/unit/recording-N.sql as a file, made once."""
    path = TMP / f"{name or f'format-{n}'}.sonde"
    if not path.exists():
        with sqlite3.connect(path) as db:
            db.executescript((ROOT / f"tests/unit/recording-{n}.sql").read_text())
        db.close()
    return path


# The socket, by hand

def connect(daemon):
    return connect_to(daemon.socket)


def connect_to(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(PATIENCE)
    s.connect(path)
    return s


def replay(recording):
    """A daemon that answers from a recording: how to connect to it, its process, a connection."""
    path = str(TMP / f"replay-{time.monotonic_ns()}.sock")
    process = spawn(SONDED, "--replay", recording, "--socket", path)

    def try_to_connect():
        try:
            return connect_to(path)
        except OSError:
            return None
    return lambda: connect_to(path), process, wait_until(try_to_connect, "the replay's socket")


def call(connection, method, parameters=None, **flags):
    """One Varlink call; the first reply."""
    request = {"method": method, "parameters": parameters or {}, **flags}
    connection.sendall(json.dumps(request).encode() + b"\0")
    return receive(connection)


def receive(connection):
    data = b""
    while not data.endswith(b"\0"):
        # Byte by byte where more replies may follow would be slow: replies of a test are one each.
        chunk = connection.recv(65536)
        check(chunk, "the daemon closed the connection")
        data += chunk
    return json.loads(data.split(b"\0")[0])


# Running the tests of a file

def test(function=None, *, smoke=False, own_daemon=False):
    """Marks a test. smoke: also in the quick subset; own_daemon: it starts what it needs."""
    if function is None:
        return lambda f: test(f, smoke=smoke, own_daemon=own_daemon)
    _tests.append((function, smoke, own_daemon))
    return function


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def need(command):
    found = shutil.which(command)
    if not found:
        raise Skip(f"{command} is not installed")
    return found


def _report(name, function, *args):
    begun = time.monotonic()
    try:
        need_root()
        function(*args)
    except Skip as e:
        print(f"skip {name}: {e}", flush=True)
        return True
    except Exception as e:
        why = str(e) if isinstance(e, Failed) else f"{type(e).__name__}: {e}"
        print(f"not ok {name}: {why[:3000]}".replace("\n", " | "), flush=True)
        traceback.print_exc()
        return False
    print(f"ok {name}", flush=True)
    print(f"   {time.monotonic() - begun:.1f} s", file=sys.stderr)
    return True


def main():
    atexit.register(clean_up)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, _: sys.exit(128 + number))
    file = pathlib.Path(sys.argv[0]).stem.removeprefix("test_")
    daemon = None
    good = True
    for function, smoke, own_daemon in _tests:
        if len(sys.argv) > 1 and function.__name__ not in sys.argv[1:] or SMOKE and not smoke:
            continue
        name = f"{file}.{function.__name__}"
        if not own_daemon and daemon is None and os.geteuid() == 0:
            try:
                daemon = Daemon()
            except Exception as e:
                print(f"not ok {file}.start: {e}", flush=True)
                sys.exit(1)
        good &= _report(name, function, *([] if own_daemon else [daemon]))
        if daemon and daemon.process.poll() is not None:
            print(f"not ok {name}.daemon: sonded died: {daemon.log.read_text()[-2000:]}"
                  .replace("\n", " | "), flush=True)
            good, daemon = False, None
    if daemon:
        good &= _report(f"{file}.daemon_ends_cleanly", daemon.stop)
    if not good and daemon:
        print(f"--- the daemon's log:\n{daemon.log.read_text()[-4000:]}", file=sys.stderr)
    sys.exit(0 if good else 1)

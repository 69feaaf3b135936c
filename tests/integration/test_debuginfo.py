#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug files that only a server has: what is missing is told, fetched by build-id and used then,
by the daemon and by another user's recording; what a server must not get away with is refused."""
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import harness as h

INLINED = {"inline_one", "inline_two", "inline_three"}
# nobody must reach the command and what it reads; the server has files of its own.
PUBLIC = pathlib.Path("/tmp") / f"sonde-test-debuginfo-{os.getpid()}"
STRIPPED = PUBLIC / "st_debuginfo"
SERVED = h.TMP / "served"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def build_id(path):
    notes = subprocess.run([h.need("readelf"), "-n", path], capture_output=True, text=True).stdout
    return next(line.split()[-1] for line in notes.splitlines() if "Build ID:" in line)


def make_files():
    """A program without symbols, whose debug file is in SERVED alone; and its recording."""
    if STRIPPED.exists():
        return
    original = f"{h.WORKLOADS}/stacks/st_frames"
    if not os.path.exists(original):
        raise h.Skip(f"{original} is not built")
    PUBLIC.mkdir(mode=0o755)
    h.at_end(shutil.rmtree, PUBLIC, True)
    SERVED.mkdir()
    h.run(h.need("objcopy"), "--only-keep-debug", original, SERVED / "st_frames.debug")
    h.run(h.need("strip"), "-o", STRIPPED, original)
    for program in (h.SONDE, h.SONDED):
        shutil.copy(program, PUBLIC)
        os.chmod(PUBLIC / os.path.basename(program), 0o755)


def take_samples(daemon):
    """A session of the daemon, and the same as a recording."""
    make_files()
    recording = PUBLIC / "frames.sonde"
    if not recording.exists():
        daemon.sonde("attach", "--name", "frames", "-F", "997", "-c", STRIPPED.name)
        daemon.sonde("record", "-F", "997", "-o", recording, "--", STRIPPED, "--ms", "40",
                     "--warm-up", "300")
        daemon.sonde("detach", "frames")
        os.chmod(recording, 0o644)


def functions(report):
    return {r["func"] for r in report["rows"] if r["binary"] == STRIPPED.name}


def of_program(reply):
    return next((f for f in reply["files"] if f["path"] == str(STRIPPED)), None)


class Other:
    """sonde as nobody, with a cache directory that is empty."""
    count = 0

    def __init__(self):
        Other.count += 1
        self.cache = PUBLIC / f"cache-{Other.count}"
        self.cache.mkdir()
        os.chown(self.cache, 65534, 65534)
        self.env = {k: v for k, v in h.ENV.items() if not k.startswith("DEBUGINFOD")}
        self.env.update(XDG_CACHE_HOME=str(self.cache), HOME="/nonexistent",
                        SONDE_SONDED=str(PUBLIC / "sonded"))

    def sonde(self, *args, urls=None, status=0, **env):
        env = dict(self.env, **({"DEBUGINFOD_URLS": urls} if urls else {}), **env)
        return h.run(h.need("setpriv"), *NOBODY[1:], PUBLIC / "sonde", *args, "-i",
                     PUBLIC / "frames.sonde", env=env, status=status, cwd="/")

    def json(self, *args, **more):
        return self.sonde(*args, "--json", **more).json

    def fetched(self):
        return sorted(p.name for p in self.cache.glob("sonde/debug/.build-id/*/*"))

    def files(self):
        """Whatever is in the cache, but for what libdebuginfod notes of its own."""
        return [p for p in self.cache.rglob("*") if p.is_file() and p.stat().st_size > 16]


class Server:
    """Speaks as much of the protocol as is needed to do it wrong."""

    def __init__(self, answer):
        """answer: from a build-id to bytes, or None for 404; may never return."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                data = answer(self.path.split("/")[2])
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        # Clients that have enough go away.
        self.http.handle_error = lambda *_: None
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_debuginfod():
    """Debian's server over SERVED, once it knows its one file."""
    port = free_port()
    env = {k: v for k, v in h.ENV.items() if not k.startswith("DEBUGINFOD")}
    h.spawn(h.need("debuginfod"), "-F", "-p", port, "-d", ":memory:", "-t", "0", SERVED, env=env)
    url, wanted = f"http://127.0.0.1:{port}", build_id(STRIPPED)

    def has_it():
        result = h.run(h.need("python3"), "-c", "import sys, urllib.request as u\n"
                       "try: u.urlopen(sys.argv[1], timeout=5).read()\nexcept OSError: sys.exit(1)",
                       f"{url}/buildid/{wanted}/debuginfo", status=None)
        return result.status == 0
    h.wait_until(has_it, "debuginfod to have scanned its directory")
    return url


@h.test
def names_and_lines_come_by_a_fetch(daemon):
    take_samples(daemon)
    asked = ("--session", "frames", "--kind", "cpu")
    file = of_program(daemon.json("debuginfo", "--session", "frames"))
    h.check(file, "the program is told of")
    h.equal((file["missing"], file["build_id"]), ("symbols", build_id(STRIPPED)), "what is missing")
    h.check(file["samples"] > 50, file)
    h.check(not functions(daemon.json("report", *asked)) & INLINED, "names before")
    other = Other()
    h.equal(of_program(other.json("debuginfo"))["missing"], "symbols", "of the recording")
    h.check(not functions(other.json("report", "--kind", "cpu")) & INLINED, "names before")

    url = start_debuginfod()
    reply = daemon.json("debuginfo", "--session", "frames", "--fetch", "--urls", url, "-n", "9")
    h.equal(of_program(reply)["result"], "fetched", "result")
    stored = pathlib.Path(reply["directory"]) / ".build-id" / build_id(STRIPPED)[:2] / \
        f"{build_id(STRIPPED)[2:]}.debug"
    h.equal(stored.read_bytes(), (SERVED / "st_frames.debug").read_bytes(), "what was stored")
    h.equal((stored.stat().st_uid, stored.stat().st_mode & 0o022), (0, 0), "owner and mode")
    names = functions(daemon.json("report", *asked))
    h.check(INLINED <= names and "drive" in names, f"names after: {names}")
    frames = [f for f in daemon.json("flame", *asked)["frames"] if f["func"] in INLINED]
    h.check(all(f["inlined"] and f["file"].endswith("st_frames.c") and f["line"] > 0
                for f in frames), f"lines after: {frames}")
    h.equal(of_program(daemon.json("debuginfo", "--session", "frames")), None, "listed after")

    # Another user's cache: of their own, which root's is not.
    h.equal(of_program(other.json("debuginfo"))["missing"], "symbols", "of the recording still")
    text = other.sonde("debuginfo", "--fetch", urls=url)
    h.contains(text.out, "fetched", "table")
    h.contains(text.err, f"{STRIPPED}: fetched", "progress")
    h.equal(other.fetched(), [stored.name], "the other user's files")
    h.check(INLINED <= functions(other.json("report", "--kind", "cpu")), "names after")
    switched_on(url)


def switched_on(url):
    """Questions fetch for themselves when they are told to, and when there is a server."""
    other = Other()
    plain = other.sonde("report", "--kind", "cpu", urls=url)
    h.equal((other.fetched(), "inline_one" in plain.out), ([], False), "off by default")
    report = other.sonde("report", "--kind", "cpu", "--debuginfod")
    h.contains(report.err, "$DEBUGINFOD_URLS is not set", "note")
    report = other.sonde("report", "--kind", "cpu", SONDE_DEBUGINFOD="1")
    # How whole the stacks are depends on the machine.
    notes = [line for line in report.err.splitlines() if "may lack callers" not in line]
    h.equal((notes, other.fetched()), ([], []), "without servers")
    down = other.sonde("report", "--kind", "cpu", "--debuginfod", urls="http://127.0.0.1:1")
    h.contains(down.err, "no debuginfod server can be reached", "note")
    h.equal(down.out, plain.out, "asked all the same")
    report = other.sonde("graph", "--kind", "cpu", urls=url, SONDE_DEBUGINFOD="1")
    h.contains(report.out, "inline_three", "fetched for the question")
    h.equal(len(other.fetched()), 1, "files")
    h.contains(Other().sonde("flame", "--kind", "cpu", "--debuginfod", urls=url).out,
               "inline_three", "flame")


def failed(other, status, name, message, *args, **more):
    error = other.json("debuginfo", "--fetch", *args, status=status, **more)["error"]
    h.equal(error["name"], name, f"error: {error}")
    h.contains(error["message"], message, "message")
    h.equal(other.files(), [], f"{name}: files that are left")
    return error


@h.test
def servers_that_fail_and_lie(daemon):
    take_samples(daemon)
    other = Other()
    error = failed(other, 2, "BadArgument", "$DEBUGINFOD_URLS is not set")
    h.contains(error["fix"], "DEBUGINFOD_URLS=https://", "fix")
    failed(other, 1, "Unreachable", "no debuginfod server can be reached",
           urls=f"http://127.0.0.1:{free_port()}")
    wrong = pathlib.Path("/bin/true").read_bytes()
    right = (SERVED / "st_frames.debug").read_bytes()
    for answer, status, name, message, args in (
            (lambda _: None, 4, "NoSuchFile", "no server has debug information", ()),
            (lambda _: wrong, 1, "BadFile", "refused", ()),
            (lambda _: b"no ELF file" * 1000, 1, "BadFile", "refused", ()),
            (lambda _: right[:200], 1, "BadFile", "refused", ()),
            (lambda _: right, 1, "TooMany", "too large", ("--max-size", "1KiB"))):
        with Server(answer) as server:
            failed(other, status, name, message, *args, urls=server.url)
            h.equal(other.fetched(), [], f"{message}: what is stored")
    with Server(lambda _: wrong) as server:
        text = other.sonde("debuginfo", "--fetch", urls=server.url, status=1)
        h.contains(text.err, f"another build-id, {build_id('/bin/true')}: refused", "message")
    h.equal(of_program(other.json("debuginfo"))["missing"], "symbols", "nothing has changed")


@h.test
def a_download_ends_when_it_is_told_to(daemon):
    take_samples(daemon)
    begun, end = threading.Event(), threading.Event()

    def stall(_):
        begun.set()
        end.wait(h.PATIENCE)

    other = Other()
    with Server(stall) as server:
        env = dict(other.env, DEBUGINFOD_URLS=server.url)
        p = h.spawn(*NOBODY, PUBLIC / "sonde", "debuginfo", "--fetch", "-i",
                    PUBLIC / "frames.sonde", env=env, stderr=subprocess.PIPE, text=True, cwd="/")
        h.check(begun.wait(h.PATIENCE), "the server is asked")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=h.PATIENCE)
        h.equal((p.returncode, "interrupted" in err), (130, True), f"Ctrl-C: {err!r}")
        text = other.sonde("debuginfo", "--fetch", "--max-time", "100ms", urls=server.url, status=1)
        h.contains(text.err, "the time is over", "message")
        end.set()
    h.equal((other.files(), other.fetched()), ([], []), "what is left")


@h.test
def only_what_nobody_else_could_have_put_there(daemon):
    """A directory that others can write to is not written to, and not looked into."""
    take_samples(daemon)
    other = Other()
    debug = other.cache / "sonde/debug"
    with Server(lambda _: (SERVED / "st_frames.debug").read_bytes()) as server:
        other.sonde("debuginfo", "--fetch", urls=server.url)
        h.check(INLINED <= functions(other.json("report", "--kind", "cpu")), "names")
        os.chmod(debug, 0o777)
        h.check(not functions(other.json("report", "--kind", "cpu")) & INLINED, "not looked into")
        failed_ = other.json("debuginfo", "--fetch", urls=server.url, status=77)["error"]
        h.equal((failed_["name"], failed_["fix"]), ("PermissionDenied", f"chmod go-w {debug}"),
                "not written to")
        os.chmod(debug, 0o755)
        h.check(INLINED <= functions(other.json("report", "--kind", "cpu")), "names again")
        # Of two files one has to go when there is room for one.
        old = debug / ".build-id/ab/cdef.debug"
        old.parent.mkdir()
        old.write_bytes(bytes(1 << 20))
        os.utime(old, (1, 1))
        os.chown(old.parent, 65534, 65534)
        for file in debug.glob(".build-id/*/*.debug"):
            if file != old:
                file.unlink()
        text = other.sonde("debuginfo", "--fetch", "--cache-size", "1MiB", urls=server.url)
        h.contains(text.err, "1 of the oldest fetched files removed", "note")
        h.equal(other.fetched(), [f"{build_id(STRIPPED)[2:]}.debug"], "files")


@h.test
def debug_information_that_files_share_comes_too(daemon):
    """Made by dwz: the debug file needs another one, which is fetched by its own build-id."""
    take_samples(daemon)
    one, two, common = (h.TMP / n for n in ("one", "two", "common"))
    shutil.copy(f"{h.WORKLOADS}/stacks/st_frames", one)
    shutil.copy(f"{h.WORKLOADS}/stacks/st_signals", two)
    h.run(h.need("dwz"), "-m", common, one, two)
    files = {build_id(common): common, build_id(STRIPPED): one}
    asked = []

    def answer(wanted):
        asked.append(wanted)
        return files[wanted].read_bytes() if wanted in files else None

    other = Other()
    with Server(answer) as server:
        other.sonde("debuginfo", "--fetch", urls=server.url)
    h.check(build_id(common) in asked, f"asked for {asked}")
    h.equal(len(other.fetched()), 2, "files")
    h.check(INLINED <= functions(other.json("report", "--kind", "cpu")), "inlined functions")


h.main()

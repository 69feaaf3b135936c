# SPDX-License-Identifier: GPL-2.0-or-later
"""The lower half of harness.py: where things are, cleaning up, expectations, child processes."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SONDE = os.path.abspath(os.environ.get("SONDE", ROOT / "build/cli/sonde"))
SONDED = os.path.abspath(os.environ.get("SONDED", ROOT / "build/daemon/sonded"))
WORKLOADS = os.path.abspath(os.environ.get("WORKLOADS", ROOT / "build/tests/workloads"))
SMOKE = os.environ.get("SONDE_SMOKE") == "1"
GOLDEN = ROOT / "tests/golden/integration"
# Sanitizers, and a machine that others use, too.
PATIENCE = 40 if SMOKE else 20
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sonde-test-"))
ENV = dict(os.environ, SONDE_SONDED=SONDED, NO_COLOR="1", LC_ALL="C.UTF-8",
           SONDE_SOCKET=str(TMP / "none.sock"))

_cleanups = []


class Failed(Exception):
    """A test's expectation was not met."""


class Skip(Exception):
    """This machine lacks what the test needs."""


def at_end(function, *args):
    _cleanups.append((function, args))


def clean_up():
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    while _cleanups:
        function, args = _cleanups.pop()
        try:
            function(*args)
        except Exception as e:  # the rest must be cleaned up all the same
            print(f"cleaning up: {e}", file=sys.stderr)
    shutil.rmtree(TMP, ignore_errors=True)


def stop(process, sig=signal.SIGTERM, patience=10):
    """Ends a child and returns its exit status as subprocess has it; KILL when it does not end."""
    if process.poll() is None:
        process.send_signal(sig)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def wait_until(condition, what, seconds=None):
    end = time.monotonic() + (seconds or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited {seconds or PATIENCE} s for {what}")
        time.sleep(0.02)


# Expectations

def check(condition, why):
    if not condition:
        raise Failed(why)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, not {wanted!r}")


def between(got, low, high, what):
    check(low <= got <= high, f"{what}: got {got!r}, which is not from {low!r} to {high!r}")


def contains(text, wanted, what):
    check(wanted in text, f"{what}: no {wanted!r} in {text[:2000]!r}")


# Processes

class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise Failed(f"not JSON ({e}): {self.out[:500]!r}, stderr {self.err[:500]!r}") from e

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


def run(*argv, status=0, timeout=None, **more):
    """Runs a command to its end; its exit status must be the one given (None: any)."""
    argv = [str(a) for a in argv]
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, errors="replace",
                           timeout=timeout or 2 * PATIENCE, **{"env": ENV, **more})
    except subprocess.TimeoutExpired as e:
        raise Failed(f"{' '.join(argv)} did not end in {e.timeout} s") from e
    check(status is None or p.returncode == status,
          f"{' '.join(argv)}: exit status {p.returncode}, not {status}; "
          f"{p.stderr[-600:]!r} {p.stdout[-300:] if p.returncode else ''!r}")
    return Result(p.returncode, p.stdout, p.stderr)


def spawn(*argv, **more):
    options = {"env": ENV, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
               "stderr": subprocess.DEVNULL, **more}
    p = subprocess.Popen([str(a) for a in argv], **options)
    at_end(stop, p)
    return p

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket by hand: introspection, typed errors, hostile input, many connections."""
import json
import os
import random
import re
import socket
import time

import harness as h

INTERFACE = h.ROOT / "include/sonde/io.sonde.varlink"


def answers(daemon):
    with h.connect(daemon) as c:
        h.check("sessions" in h.call(c, "io.sonde.List")["parameters"], "List answers")


def closed(connection):
    """True when the daemon closes, perhaps after an answer, and does not just keep waiting."""
    connection.settimeout(5)
    try:
        while connection.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def error_of(connection, method, parameters=None):
    reply = h.call(connection, method, parameters)
    return reply.get("error"), reply.get("parameters", {})


@h.test(smoke=True)
def introspection(daemon):
    with h.connect(daemon) as c:
        info = h.call(c, "org.varlink.service.GetInfo")["parameters"]
        h.equal(sorted(info["interfaces"]), ["io.sonde", "org.varlink.service"], "interfaces")
        for key in ("vendor", "product", "version", "url"):
            h.check(isinstance(info[key], str), f"{key} of GetInfo")
        text = h.call(c, "org.varlink.service.GetInterfaceDescription",
                      {"interface": "io.sonde"})["parameters"]["description"]
        h.equal(text.strip(), INTERFACE.read_text().strip(), "description")
        text = h.call(c, "org.varlink.service.GetInterfaceDescription",
                      {"interface": "org.varlink.service"})["parameters"]["description"]
        h.contains(text, "method GetInfo", "description of the service")
        error, _ = error_of(c, "org.varlink.service.GetInterfaceDescription",
                            {"interface": "io.nothing"})
        h.equal(error, "org.varlink.service.InterfaceNotFound", "unknown interface")


@h.test(smoke=True)
def every_method_of_the_interface_is_served(daemon):
    methods = re.findall(r"^method (\w+)", INTERFACE.read_text(), re.M)
    h.check(len(methods) >= 13, f"methods: {methods}")
    with h.connect(daemon) as c:
        for method in methods:
            # An unknown parameter: refused by every method that exists, without effect.
            error, _ = error_of(c, f"io.sonde.{method}", {"no_such_parameter": 1})
            h.check(error != "org.varlink.service.MethodNotFound" and
                    error != "org.varlink.service.MethodNotImplemented", f"{method}: {error}")


@h.test(smoke=True)
def typed_errors(daemon):
    with h.connect(daemon) as c:
        for method, parameters, wanted in (
                ("io.sonde.Nothing", {}, "org.varlink.service.MethodNotFound"),
                ("io.nothing.List", {}, "org.varlink.service.InterfaceNotFound"),
                ("io.sonde.Detach", {}, "org.varlink.service.InvalidParameter|io.sonde.BadArgument"),
                ("io.sonde.Detach", {"name": 7},
                 "org.varlink.service.InvalidParameter|io.sonde.BadArgument"),
                ("io.sonde.Detach", {"name": "x"}, "io.sonde.NoSuchSession"),
                ("io.sonde.Report", {"query": {"session": "x"}}, "io.sonde.NoSuchSession"),
                ("io.sonde.Report", {"query": {}, "by": "colour"},
                 "org.varlink.service.InvalidParameter|io.sonde.BadArgument"),
                ("io.sonde.Stop", {"name": "x"}, "io.sonde.NoSuchSession")):
            error, parameters = error_of(c, method, parameters)
            h.check(re.fullmatch(wanted, error or ""), f"{method}: {error}, not {wanted}")
            if error.startswith("io.sonde."):
                h.equal(sorted(parameters), ["fix", "message"], f"parameters of {error}")
        # The connection outlives all of that.
        h.check("sessions" in h.call(c, "io.sonde.List")["parameters"], "List answers")


@h.test
def numbers_out_of_range(daemon):
    options = {"specs": ["libc:malloc"], "selectors": {"pids": [os.getpid()]}}
    with h.connect(daemon) as c:
        for change in ({"frequency": -1}, {"frequency": 10 ** 9}, {"frequency": 1.5},
                       {"frequency": 1e300}, {"min_duration_ns": -5}, {"max_depth": 10 ** 6},
                       {"specs": "f"}, {"specs": [1]}, {"specs": ["f" * 100000]},
                       {"selectors": {"pids": [0]}}, {"selectors": {"pids": [-1]}},
                       {"selectors": {"pids": [2 ** 40]}}, {"selectors": {"uid": -2}},
                       {"error_rule": "no"}, {"name": "a\nb"}, {"name": ""}, {"name": "x" * 300},
                       {"all": "yes"}):
            error, _ = error_of(c, "io.sonde.Attach", {"options": {**options, **change}})
            h.check(error, f"{str(change)[:80]} is refused")
            h.check(error != "io.sonde.Internal", f"{str(change)[:80]}: {error}")
    answers(daemon)


@h.test(smoke=True)
def hostile_messages(daemon):
    deep = b'{"method":"io.sonde.List","parameters":' + b'{"a":' * 100000 + b"1" + b"}" * 100000
    for name, data in (("garbage", b"\xff\xfe garbage \x00" * 10),
                       ("random", random.Random(7).randbytes(5000) + b"\0"),
                       ("no object", b"[1,2,3]\0"), ("no method", b'{"parameters":{}}\0'),
                       ("empty", b"\0"), ("unterminated", b'{"method":"\0'),
                       ("method a number", b'{"method":5}\0'),
                       ("two MiB", b'{"method":"' + b"x" * (2 << 20) + b'"}\0'),
                       ("two MiB without an end", b"x" * (2 << 20)),
                       ("deep nesting", deep + b"}\0"), ("deep array", b"[" * 200000 + b"\0"),
                       ("not UTF-8", b'{"method":"io.sonde.\xff\xff"}\0')):
        with h.connect(daemon) as c:
            try:
                c.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            if name == "not UTF-8":
                c.settimeout(5)
                c.recv(65536)
            else:
                h.check(closed(c), f"{name}: the connection is closed")
        answers(daemon)


@h.test
def half_a_message(daemon):
    for i in range(50):
        with h.connect(daemon) as c:
            c.sendall(b'{"method":"io.sonde.Status","para'[:1 + i % 33])
    for i in range(20):
        with h.connect(daemon) as c:
            # A call whose answer nobody waits for.
            c.sendall(b'{"method":"io.sonde.Status"}\0')
    with h.connect(daemon) as c:
        for byte in b'{"method":"io.sonde.List"}\0':
            c.sendall(bytes([byte]))
            time.sleep(0.001)
        h.check("sessions" in h.receive(c)["parameters"], "a message byte by byte")
    answers(daemon)


@h.test(smoke=True)
def many_connections(daemon):
    first = len(daemon.fds())
    held = []
    try:
        for _ in range(300):
            try:
                held.append(h.connect(daemon))
            except OSError:
                break
        h.check(len(held) >= 20, f"connections: {len(held)}")
        good = 0
        for c in held[:20]:
            try:
                good += "sessions" in h.call(c, "io.sonde.List").get("parameters", {})
            except (OSError, h.Failed):
                pass
        h.check(good >= 10, f"the first ones are served: {good}")
    finally:
        for c in held:
            c.close()
    h.wait_until(lambda: len(daemon.fds()) <= first + 1, "their descriptors to be closed")
    answers(daemon)


@h.test
def pipelined_calls(daemon):
    with h.connect(daemon) as c:
        c.sendall(b'{"method":"io.sonde.List"}\0' * 100)
        data = b""
        while data.count(b"\0") < 100:
            chunk = c.recv(65536)
            h.check(chunk, f"closed after {data.count(0)} answers")
            data += chunk
        for reply in data.split(b"\0")[:100]:
            h.check("sessions" in json.loads(reply)["parameters"], "answer")


@h.test(smoke=True)
def a_session_ends_with_its_connection(daemon):
    options = {"specs": ["libc:malloc"], "selectors": {"pids": [os.getpid()]}, "name": "gone"}
    with h.connect(daemon) as c:
        reply = h.call(c, "io.sonde.Trace", {"options": options}, more=True)
        h.check(reply.get("continues"), f"first reply: {reply}")
        h.check(daemon.active("gone"), "the session is there")
    h.wait_until(lambda: not daemon.active("gone"), "the session to end")
    with h.connect(daemon) as c:
        reply = h.call(c, "io.sonde.Trace", {"options": options})
        h.check("error" in reply, "a stream needs more")
    h.check(not daemon.active("gone"), "no session is left behind")


@h.test(smoke=True)
def nothing_is_left(daemon):
    """Runs last: what all that cost is no descriptor and little memory."""
    status = daemon.json("status")
    h.equal([s for s in status["sessions"] if s["state"] == "active"], [], "active sessions")
    h.check(len(daemon.fds()) < 80, f"descriptors: {daemon.fds()}")
    if not h.SMOKE:
        h.between(status["daemon"]["rss_bytes"], 0, 128 << 20, "resident bytes")


h.main()

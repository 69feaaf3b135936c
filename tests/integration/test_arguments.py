#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments and results as people write them, captures, what is redacted, and programs without
debug information: against the planted answers of wl_args."""
import ctypes
import sqlite3
import subprocess

import harness as h

PROGRAM = f"{h.WORKLOADS}/wl_args"
SECRET = b"swordfish-7421"
LONG = "a-name-that-is-longer-than-the-sixty-four-bytes-that-are-kept-of"


def traced(daemon, *args, program=PROGRAM):
    """The calls as text, without their times, and standard error."""
    out = h.TMP / "calls.txt"
    result = daemon.sonde("trace", "-o", out, *args, "--", program)
    lines = out.read_text().splitlines()[1:]
    return [line.split("wl_args  ", 1)[1].strip() for line in lines], result.err


def all_bytes(path):
    """Of a recording: as they are in the file, and what its compressed chunks unpack to."""
    zstd, data = ctypes.CDLL("libzstd.so.1"), path.read_bytes()
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    with sqlite3.connect(path) as db:
        chunks = [row[0] for row in db.execute("SELECT data FROM span_chunk")]
    db.close()
    h.check(chunks, "no chunks")
    for chunk in chunks:
        frame, out = chunk[chunk.index(b"\x28\xb5\x2f\xfd"):], ctypes.create_string_buffer(1 << 22)
        size = zstd.ZSTD_decompress(out, ctypes.c_size_t(len(out)), frame, ctypes.c_size_t(len(frame)))
        h.check(0 < size <= len(out), "a chunk does not unpack")
        data += out.raw[:size]
    return data


@h.test(smoke=True)
def calls_are_printed_as_people_write_them(daemon):
    got, _ = traced(daemon, "--args", "open_table")
    h.equal(got[:8], ['open_table(name="orders", flags=RDONLY|CREATE) = -2 (ENOENT)',
                      'open_table(name="customers", flags=RDONLY) = 1',
                      'open_table(name="invoices", flags=0) = 2',
                      "open_table(name=0x0, flags=RDONLY) = -22 (EINVAL)",
                      'open_table(name="orders", flags=RDONLY) = 4',
                      'open_table(name="customers", flags=CREATE|EXCL) = -17 (EEXIST)',
                      f'open_table(name="{LONG}"…, flags=TRUNC) = 6',
                      "open_table(name=0x0, flags=RDONLY|0x40) = -22 (EINVAL)"], "open_table")
    h.equal(len(got), 400, "calls")
    got, _ = traced(daemon, "--args", "mix", "weigh", "scale", "gate", "log_in")
    wanted = ([f"mix(color={('RED', 'GREEN', 'BLUE')[i % 3]}, deep={('false', 'true')[i % 2]}, "
               f"kind='{chr(97 + i % 26)}') = {('RED', 'GREEN', 'BLUE')[i % 3]}" for i in range(60)] +
              [f"weigh(a=1, b=2, c=3, d=4, e=5, f=6, seventh={7 * i}, eighth={-i}) = {21 + 6 * i}"
               for i in range(80)] +
              [f'log_in(user="user-{i}", password="{SECRET.decode()}") = 1' for i in range(40)] +
              [f"scale(factor=?, n={i})" for i in range(20)] + [f"gate(i={i})" for i in range(25)])
    h.equal(got, wanted, "the others")


@h.test(smoke=True)
def captures_are_kept(daemon):
    members = ("id,str(args.request->path),args.request->method,args.request->body.size,"
               "args.request->urgent,args.request->kind,args.request->color,"
               "args.request->ports[2],args.request->body->parts")
    got, _ = traced(daemon, "--capture", f"args.request->{members}", "handle")
    h.equal(got, [f'handle(request.id={i}, request.path="{("/api/orders", "/static/logo.png")[i % 2]}", '
                  f'request.method="{"GET" if i % 5 else "PUT"}", request.body.size={100 * i}, '
                  f"request.urgent={'false' if i % 4 else 'true'}, request.kind='{'abc'[i % 3]}', "
                  f"request.color={('RED', 'GREEN', 'BLUE')[i % 3]}, request.ports[2]={8000 + i}, "
                  f"request.body.parts={i % 32}) = STATUS_{'OK' if i % 10 != 9 else 'FAILED'}"
                  for i in range(100)], "handle")
    # Of a register, of the stack, and of functions that have no such argument.
    path = h.TMP / "captures.sonde"
    daemon.sonde("record", "-o", path, "--capture", "args.c,args.seventh", "--capture",
                 "str(args.user)", "weigh", "log_in", "gate", "--", PROGRAM)
    rows = daemon.sonde("spans", "-i", path, "--json").lines
    h.equal([s["args"] for s in rows if s["name"] == "weigh"],
            [{"c": "3", "seventh": str(7 * i)} for i in range(80)], "weigh")
    h.equal([s["args"] for s in rows if s["name"] == "log_in"],
            [{"user": f"user-{i}"} for i in range(40)], "log_in")
    h.equal([s["args"] for s in rows if s["name"] == "gate"], [{}] * 25, "gate")
    for text, wanted in (("args.c == 3 && args.seventh > 500", {"weigh": 8}),
                         ('str(args.user) =~ "user-3*"', {"log_in": 11})):
        h.equal(daemon.calls("-i", path, "--where", text), wanted, text)
    h.contains(daemon.sonde("report", "-i", path, "--where", "args.d == 4").err,
               "args.d was not kept", "what was not captured")


@h.test(smoke=True)
def buffers_have_a_length(daemon):
    got, _ = traced(daemon, "--capture", "buf(args.request->body,9)", "handle")
    texts = [line.split('request.body="', 1)[1].rsplit('") = ', 1)[0] for line in got]
    # 100 * i little-endian, then the bit fields: 5 bits of parts, one of last.
    h.equal([t.encode("latin-1").decode("unicode_escape").encode("latin-1") for t in texts],
            [(100 * i).to_bytes(8, "little") + bytes([i % 32 | (i % 2) << 5]) for i in range(100)],
            "handle")
    # As long as an argument says: by name, and in a register of a library without names.
    got, _ = traced(daemon, "--capture", "buf(args.name,args.flags)", "open_table")
    h.equal(got[:4], ['open_table(name="ord") = -2 (ENOENT)', 'open_table(name="c") = 1',
                      'open_table(name="") = 2', "open_table(name=?) = -22 (EINVAL)"], "by name")
    path = h.TMP / "buffers.sonde"
    program = "import os; os.write(1, b'GET a'); os.write(1, bytes(range(250, 256))); os.write(1, b'x' * 300)"
    daemon.sonde("record", "-o", path, "--capture", "buf(arg1,arg2)", "libc:write", "--",
                 "/usr/bin/python3", "-c", program)
    rows = daemon.sonde("spans", "-i", path, "--json").lines
    h.equal([s["args"]["arg1"] for s in rows],
            ["GET a", "".join(f"\\x{c:02x}" for c in range(250, 256)), "x" * 64 + "…"], "write")
    rows = daemon.sonde("spans", "-i", path, "--json", "--where", 'buf(arg1,arg2) =~ "GET*"').lines
    h.equal([s["args"]["arg1"] for s in rows], ["GET a"], "decided in history")
    out = daemon.sonde("trace", "--capture", "buf(arg1,arg2)", "--where", 'buf(arg1,3) == "GET"',
                       "libc:write", "--", "/usr/bin/python3", "-c", program).out
    h.equal(out.count("write("), 1, "decided in the kernel")


@h.test
def captures_that_are_refused(daemon):
    target = f"uprobe:{PROGRAM}"
    for value, words in (("args.request->nme", "has no member nme; it has id, urgent, kind"),
                         ("args.reqest->id", "the function has no argument reqest; it has request"),
                         ("args.request", None), ("args.request->body", None),
                         ("str(args.request->id)", "is no text"), ("args.request->", "column")):
        if words:
            error = daemon.error(2, "BadCondition", "trace", "--capture", value, f"{target}:handle")
            h.contains(error["message"], words, value)
            h.contains(error["message"], "--capture", value)
        else:
            daemon.sonde("probes", "--capture", value, f"{target}:handle")
    many = ",".join(f"str(arg{i})" for i in range(5))
    error = daemon.error(1, "TooMany", "trace", "--capture", many, f"{target}:handle")
    h.contains(error["message"], "room for 256 bytes", "too many bytes")
    h.contains(error["fix"], "a text takes 72 bytes, a number 8", "what to do")
    many = ",".join(f"args.request->ports[{i % 3}] " + " " * i for i in range(3)) + "," + ",".join(
        f"args.{name}" for name in "abcdef") + "," + ",".join(f"arg{i}" for i in range(6))
    daemon.sonde("probes", "--capture", many, f"{target}:handle", f"{target}:weigh")


@h.test(smoke=True)
def what_is_redacted_is_nowhere(daemon):
    def no_secret(what, data):
        h.check(SECRET not in (data.encode() if isinstance(data, str) else data), what)
    path, plain = h.TMP / "redacted.sonde", h.TMP / "plain.sonde"
    specs = ("log_in", "check", "--", PROGRAM)
    # Where it is not redacted it is found, so the search is one.
    daemon.sonde("record", "--args", "--capture", "args.credentials->password", "-o", plain, *specs)
    h.contains(daemon.sonde("spans", "-i", plain, "--json").out, SECRET.decode(), "not redacted")
    h.equal(all_bytes(plain).count(SECRET) >= 70, True, "70 times in the recording")
    redact = ("--args", "--redact", "pass*", "--capture", "args.credentials->user")
    daemon.sonde("record", *redact, "-o", path, *specs)
    no_secret("in the recording", all_bytes(path))
    for more in ((), ("--json",)):
        answer = daemon.sonde("spans", "-i", path, *more)
        no_secret("in spans", answer.out)
        h.contains(answer.out, "[redacted]", "that it is redacted")
    h.equal(daemon.sonde("spans", "-i", path, "--json", "--name", "check", "-n", "1").lines[0]["args"]
            ["credentials.user"], "user-29", "what is not redacted")
    got, _ = traced(daemon, *redact[:3], "log_in")
    h.equal(got, [f'log_in(user="user-{i}", password=[redacted]) = 1' for i in range(40)], "trace")
    w = h.Workload("args")
    daemon.sonde("attach", "--name", "redacted", "-p", w.pid, *redact, "log_in", "check")
    w.go()
    w.finish()
    daemon.sonde("detach", "redacted")
    answer = daemon.sonde("spans", "--session", "redacted", "--json")
    h.equal(len(answer.lines), 70, "spans")
    no_secret("in a session's spans", answer.out)
    for option in ("--where", "--begin", "--capture"):
        for text in ("str(args.password)", "str(arg1)", "args.password"):
            condition = text if option == "--capture" else f'{text} {"==" if "str" in text else "!="} ' \
                f'{chr(34) + "x" + chr(34) if "str" in text else "NULL"}'
            error = daemon.error(2, "BadCondition", "trace", "--redact", "pass*", option, condition,
                                 f"uprobe:{PROGRAM}:log_in")
            h.contains(error["message"], "is redacted", f"{option} {condition}")
    error = daemon.error(2, "BadCondition", "trace", "--redact", "pass*", "--capture",
                         "args.credentials->password", f"uprobe:{PROGRAM}:check")
    h.contains(error["message"], "password is redacted", "a member")


@h.test(smoke=True)
def without_debug_information(daemon):
    bare = h.TMP / "wl_args"
    if not bare.exists():
        subprocess.run([h.need("strip"), "--strip-debug", "-o", bare, PROGRAM], check=True)
    hint = "sonde: wl_args has no debug information, so its arguments are arg0 ... arg5"
    got, err = traced(daemon, "--args", "lookup", "gate", program=bare)
    h.equal(err.count(hint), 1, f"one line about names: {err}")
    h.equal(len(got), 145, "calls")
    h.check(sum(line.startswith("lookup(arg0=0x0, arg1=") for line in got) == 2, got[:3])
    got, err = traced(daemon, "--where", 'str(arg0) == "orders" && ret < -1', "--capture", "arg1",
                      "open_table", program=bare)
    h.equal(got, ['open_table(arg0="orders", arg1=0x3) = -2 (ENOENT)'] * 50, "open_table")
    got, err = traced(daemon, "lookup", program=bare)
    h.equal((got[:2], hint in err), (["lookup = 0", "lookup = 1"], False), "nobody asked for them")
    error = daemon.error(2, "BadCondition", "trace", "--where", "args.key > 3", f"uprobe:{bare}:lookup")
    h.contains(error["message"], "no debug information", "why")
    h.contains(error["fix"], "arg0 ... arg5", "what to write")


h.main()

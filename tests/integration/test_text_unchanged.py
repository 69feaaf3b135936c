#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every function of large libraries probed at once: the process goes on working, and once they are
detached its text is that of the files. The same for sqlite3 and for python3's own tests."""
import itertools
import os
import pathlib
import re
import subprocess

import harness as h

PYTHON = "/usr/bin/python3.11"
LIBRARIES = {
    "libc": ("libc", "/lib/x86_64-linux-gnu/libc.so.6"),
    "libcrypto": ("libcrypto", "/lib/x86_64-linux-gnu/libcrypto.so.3"),
    "libstdcxx": ("libstdc++", "/lib/x86_64-linux-gnu/libstdc++.so.6"),
    "libllvm": ("libLLVM-14", "/lib/x86_64-linux-gnu/libLLVM-14.so.1"),
}
# At least this share of the functions that have a name must have been probed.
FUNCTIONS = {"libc": 2000, "libcrypto": 4500, "libstdcxx": 3000, "libllvm": 30000, "python3": 1200}

# Uses each of the libraries once for a line of input, and answers with what came of it.
TARGET = r"""
import ctypes, hashlib, json, sys
crypto, cxx, llvm = (ctypes.CDLL(path) for path in sys.argv[1:])
llvm.LLVMModuleCreateWithName.restype = llvm.LLVMPrintModuleToString.restype = ctypes.c_void_p
llvm.LLVMInt32Type.restype = llvm.LLVMFunctionType.restype = ctypes.c_void_p
llvm.LLVMAddFunction.restype = ctypes.c_void_p
cxx.__cxa_demangle.restype = ctypes.c_void_p
libc = ctypes.CDLL(None)
libc.free.argtypes = [ctypes.c_void_p]

def demangled(name):
    text = cxx.__cxa_demangle(name, None, None, None)
    result = ctypes.string_at(text)
    libc.free(text)
    return result

def module(name):
    m = ctypes.c_void_p(llvm.LLVMModuleCreateWithName(name))
    i32 = ctypes.c_void_p(llvm.LLVMInt32Type())
    args = (ctypes.c_void_p * 2)(i32, i32)
    llvm.LLVMAddFunction(m, b'add', ctypes.c_void_p(llvm.LLVMFunctionType(i32, args, 2, 0)))
    text = ctypes.c_void_p(llvm.LLVMPrintModuleToString(m))
    result = ctypes.string_at(text)
    llvm.LLVMDisposeMessage(text)
    llvm.LLVMDisposeModule(m)
    return result

def digest():
    out = hashlib.sha256()
    for i in range(20):
        out.update(hashlib.new('sha3_256', b'%d' % i).digest())
        out.update(demangled(b'_ZNSt6vectorIiSaIiEE%dpush_backERKi' % 9))
        out.update(json.dumps({'a': [i, i / 3, None], 'b': str(i)}).encode())
        try:
            json.loads('{broken %d' % i)
        except ValueError as e:
            out.update(str(e).encode())
    out.update(module(b'name'))
    return out.hexdigest()

digest()
print('ready', flush=True)
for line in sys.stdin:
    print(digest(), flush=True)
"""


class Target:
    def __init__(self):
        paths = [path for _, path in LIBRARIES.values()][1:]
        for path in [PYTHON, *paths]:
            if not os.path.exists(path):
                raise h.Skip(f"{path} is not installed")
        self.process = subprocess.Popen([PYTHON, "-I", "-c", TARGET, *paths], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        h.at_end(h.stop, self.process)
        self.pid = self.process.pid
        h.equal(self.process.stdout.readline(), "ready\n", "the target")

    def ask(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        h.check(len(answer) == 65, f"the target answers {answer!r}, {self.process.poll()}")
        return answer

    def end(self):
        self.process.stdin.close()
        h.equal(self.process.wait(h.PATIENCE), 0, "exit status of the target")


_names = itertools.count()


def new_name():
    return f"all-{next(_names)}"


def attach_once(daemon, target, sessions, wanted, more):
    """The names of what is attached: one session for each list of specifications."""
    names, probes, left_out = [], 0, []
    for specs in sessions:
        reply = daemon.json("attach", "-p", target.pid, "--name", new_name(), *more, *specs)
        names.append(reply["session"]["name"])
        probes += reply["session"]["probes"]
        left_out += reply["left_out"]
    h.check(probes >= wanted, f"{probes} probes, not {wanted}; left out {left_out}")
    return names


def attach_all(daemon, *how):
    try:
        attach_twice(daemon, Target(), *how)
    finally:
        daemon.detach_all()


def attach_twice(daemon, target, sessions, files, wanted, *more):
    """With calls before, in between and after."""
    for path in files:
        h.check(h.text_is_as_in_file(target.pid, path), f"{path} before")
    answer = target.ask()
    for _ in range(2):
        names = attach_once(daemon, target, sessions, wanted, more)
        for path in files:
            h.check(not h.text_is_as_in_file(target.pid, path), f"nothing is probed in {path}")
        h.equal(target.ask(), answer, "answer while probed")
        calls = daemon.json("report", "--session", names[0], "-n", "1")["rows"]
        h.check(calls and calls[0]["calls"] > 0, "calls were seen")
        for name in names:
            daemon.sonde("detach", name)
        for path in files:
            h.wait_until(lambda path=path: h.text_is_as_in_file(target.pid, path),
                         f"the text of {path} to be as in the file")
        h.equal(target.ask(), answer, "answer after it")
    target.end()


def sessions_of(library):
    """A session has at most 20,000 functions: libLLVM takes two."""
    if library != "libLLVM-14":
        return [[f"{library}:*"]]
    return [["libLLVM-14:_ZN4llvm*"], ["libLLVM-14:*", "!_ZN4llvm*"]]


def test_library(key):
    def run(daemon):
        library, path = LIBRARIES[key]
        attach_all(daemon, sessions_of(library), [path], FUNCTIONS[key])
    run.__name__ = f"{key}_attached_and_detached"
    h.test(run)


for a_library in LIBRARIES:
    test_library(a_library)


@h.test
def python_attached_and_detached(daemon):
    attach_all(daemon, [["*"]], [PYTHON], FUNCTIONS["python3"])


@h.test
def all_five_at_once(daemon):
    sessions = [["*"]] + [s for library, _ in LIBRARIES.values() for s in sessions_of(library)]
    files = [PYTHON] + [path for _, path in LIBRARIES.values()]
    attach_all(daemon, sessions, files, sum(FUNCTIONS.values()), "--stats-only")


@h.test(smoke=True)
def return_sites_are_taken_away_too(daemon):
    library, path = LIBRARIES["libcrypto"]
    attach_all(daemon, sessions_of(library), [path], FUNCTIONS["libcrypto"], "--return", "sites")


# Programs with suites of their own

def statements():
    """A few thousand statements of all kinds, the same at every run; some of them fail."""
    yield "create table t(id integer primary key, k text, v real, b blob);"
    yield "create index t_k on t(k);"
    yield "create virtual table words using fts5(body);"
    yield "create trigger trig after update on t begin insert into words values(new.k); end;"
    for i in range(800):
        yield f"insert into t values({i}, 'key{i * 7919 % 1000}', {i}/7.0, zeroblob(0)||x'{i:04x}');"
        if i % 40 == 0:
            yield f"update t set v = v * 1.5 where id = {i // 2};"
            yield f"select count(*), sum(v), group_concat(k) from t where id > {i} - 5;"
        if i % 11 == 0:
            yield f"insert into t values({i}, 'again', 0, null);"  # the key exists
            yield f"select json_object('a', {i}, 'b', json_array(1, 2, {i}));"
        if i % 13 == 0:
            yield f"with recursive c(x) as (select 1 union all select x+1 from c where x<{i % 29 + 5}) " \
                  "select sum(x*x) from c;"
        if i % 17 == 0:
            yield f"begin; delete from t where id = {i}; rollback;"
            yield f"select printf('%08.3f|%s|%x', {i}/3.0, 'text', {i});"
        if i % 50 == 0:
            yield "select * from no_such_table;"
            yield f"select k, hex(b), rank() over (order by v) from t where id % 50 = {i % 50};"
    for i in range(500):
        yield f"select count(*), max(v), min(k) from t where k between 'key{i}' and 'key{i}z';"
        yield f"select upper(k), length(b), typeof(v), round(v, 2) from t where id = {i};"
    yield "select count(*) from words where words match 'key5*';"
    yield "explain query plan select * from t join words on words.body = t.k;"
    yield "pragma integrity_check;"
    yield "drop table t;"


@h.test
def sqlite_answers_the_same(daemon):
    program = h.need("sqlite3")
    lines = list(statements())
    h.check(len(lines) > 2000, "a few thousand statements")
    script, out = h.TMP / "script.sql", h.TMP / "sqlite.sonde"
    command = [program, "-batch", "-init", script, ":memory:", ".quit"]
    # All of the library for some of the statements: each makes some thousand calls inside.
    for few, specs in ((lines, ["libsqlite3:sqlite3_*", "!sqlite3_mutex_*", "!*free", "!*alloc*"]),
                       (lines[:60] + lines[60::16], ["*", "libsqlite3:*", "libm:*", "libz:*"])):
        script.write_text("\n".join(few) + "\n")
        plain = h.run(*command, status=None)
        h.check(len(plain.out) > 1000 and "UNIQUE" in plain.err, "the script did its work")
        probed = daemon.sonde("record", "-q", "-o", out, *specs, "--", *command, status=plain.status)
        h.equal(probed.out, plain.out, "standard output of sqlite3")
        h.equal("".join(line for line in probed.err.splitlines(keepends=True)
                        if not line.startswith("sonde: ")), plain.err, "standard error of sqlite3")
        rows = {r["func"]: r["calls"] for r in daemon.json("report", "-i", out, "-n", "9999")["rows"]}
        h.check(rows.get("sqlite3_step", 0) > len(few) / 2, f"calls: {rows.get('sqlite3_step')}")


# Modules that take a fraction of a second: the interpreter itself, text, numbers, exceptions.
MODULES = ["test_textwrap", "test_bisect", "test_string", "test_enumerate", "test_generators"]
# The calls that happen all the time (objects made, released, compared) would take minutes.
HOT = ["!PyObject_*", "!PyMem_*", "!PyType_*", "!PyErr_Occurred", "!PyDict_*", "!PyUnicode_*",
       "!PyCode*", "!PyTuple_New", "!PyInterpreter*"]


def results(result):
    """Each test with its outcome, and the summary without its time."""
    outcomes = re.findall(r"^(\S+ \(\S+\)).* \.\.\. (.*)$", result.err, re.M)
    return sorted(outcomes), re.findall(r"^Ran \d+ tests|^OK.*|^FAILED.*", result.err, re.M)


@h.test
def python_tests_end_the_same(daemon):
    found = [m for m in MODULES
             if list(pathlib.Path("/usr/lib/python3.11/test").glob(f"{m}*"))]
    if not os.path.exists(PYTHON) or found != MODULES:
        raise h.Skip("libpython3.11-testsuite is not installed")
    env = {**h.ENV, "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [PYTHON, "-m", "unittest", "-v", *(f"test.{m}" for m in MODULES)]
    plain = h.run(*command, status=None, env=env, timeout=60)
    wanted = results(plain)
    h.check(len(wanted[0]) > 200 and len(wanted[1]) == 2, f"tests that ran: {wanted[1]}")
    daemon.sonde("attach", "--name", "python", "--stats-only", f"uprobe:{PYTHON}:Py*", *HOT)
    try:
        probed = h.run(*command, status=None, env=env, timeout=150)
    finally:
        daemon.sonde("detach", "python")
    h.equal(probed.status, plain.status, "exit status")
    got = results(probed)
    h.equal([x for x in got[0] if x not in wanted[0]], [], "tests that ended in another way")
    h.equal(got, wanted, "tests and their outcomes")
    rows = daemon.json("report", "--session", "python", "-n", "9999")["rows"]
    h.check(len(rows) > 200, f"only {len(rows)} functions were called")


h.main()

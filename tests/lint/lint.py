#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the compiler does not check: lint.py ROOT, or lint.py --self-test.

The direction of dependence between folders, the closed top level and the size limits (design.md,
style.md), the licence line, exit() only in main.c, users' files parsed in the reader process only,
and that verbs and manual pages agree. Prints "file:line: message" for each violation; exits 1 when
there is any.
"""
import os
import re
import subprocess
import sys

# design.md, "Direction of dependence". The arrows are followed to their end: what may include a
# folder may include what that one may (main -> control -> query -> {store, model} -> base;
# control -> {probe, varlink, expr}; probe -> {collect, symbol, expr, base}; collect -> {record.h,
# base}; symbol -> base; expr -> base; store -> {model, base}; cli -> {varlink, base} and nothing of
# daemon/ else). Everyone may include include/sonde/*.h; "bpf" as a right side is the skeletons
# made from bpf/.
MAY_INCLUDE = {
    "include": set(),
    "include/sonde/base": {"base"},
    "bpf": set(),
    "daemon/base": {"base"},
    "daemon/varlink": {"base"},
    "daemon/expr": {"base", "bpf"},
    "daemon/symbol": {"base"},
    "daemon/model": {"base"},
    "daemon/store": {"model", "base"},
    "daemon/query": {"store", "model", "base"},
    "daemon/collect": {"base", "bpf"},
    "daemon/probe": {"collect", "symbol", "expr", "base", "bpf"},
    "daemon/control": {"probe", "varlink", "expr", "collect", "symbol", "query", "store", "model",
                       "base"},
    "cli": {"varlink", "base"},
}
# daemon/main.c puts the modules together, so it may include all of them.
UNBOUND_FILES = {"daemon/main.c"}

# design.md: "libbpf only in collect, probe and expr's code generator; libelf/libdw only in symbol;
# sqlite only in store and query; cJSON only in varlink" and control (requests, configuration), cli.
# (what, headers, folders that may). The helpers of BPF programs are of libbpf too, for bpf/ alone.
SYSTEM_HEADERS = [
    ("BPF program helpers", r"bpf/(bpf_helpers|bpf_helper_defs|bpf_tracing|bpf_core_read|"
     r"bpf_endian|usdt\.bpf)\.?.*", {"bpf"}),
    ("libbpf", r"bpf/.*", {"daemon/collect", "daemon/probe", "daemon/expr"}),
    ("libelf and libdw", r"(libelf|gelf|nlist|dwarf)\.h|elfutils/(?!debuginfod\.h).*|libdw/.*|"
     r"libelf/.*", {"daemon/symbol"}),
    # The privileged process never touches the network.
    ("libdebuginfod", r"elfutils/debuginfod\.h", {"cli"}),
    ("sqlite", r"sqlite3(ext)?\.h", {"daemon/store", "daemon/query"}),
    ("cJSON", r"(cjson/)?cJSON(_Utils)?\.h", {"daemon/varlink", "daemon/control", "cli"}),
]

# Parsers of ELF and DWARF in the process that calls them: users' files are for the reader process
# (daemon/symbol/reader_probe.h, reader_types.h), which these folders ask.
READ_HERE = (r"\b(elf_image_open\w*|function_types_open\w*|landing_table_new|usdt_notes_read|"
             r"symtab_load\w*|dwarf_file_open\w*|debug_file_open\w*|unwind_table_new)\s*\(")
MUST_ASK = {"daemon/probe", "daemon/control"}

TOP_LEVEL = {"meson.build", "meson_options.txt", "README.md", "LICENSE",
             "bpf", "include", "daemon", "cli", "tests", "tools"}
FILE_LINES = 600
FUNCTION_LINES = 100
EXIT_FILES = {"daemon/main.c", "cli/main.c"}
# So that any program may have them in it.
MIT_FILES = ("include/sonde/span.h", "include/sonde/span/", "tools/python/")
C_SUFFIXES = (".c", ".h", ".cpp")
SIZED_SUFFIXES = C_SUFFIXES + (".py", ".sh", ".in")


class Tree:
    """The files of a checkout, and what was found wrong with them."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.problems = []
        self.in_git = self.list_git()
        if not self.in_git:
            self.list_folder()

    def list_git(self):
        """Fills self.files from git when root is the top of a checkout; new files count as well."""
        def git(*args):
            return subprocess.run(["git", "-C", self.root, *args], capture_output=True, text=True)
        try:
            top = git("rev-parse", "--show-toplevel")
            if top.returncode or os.path.realpath(top.stdout.strip()) != os.path.realpath(self.root):
                return False
            found = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        except OSError:
            return False
        names = {n for n in found.stdout.split("\0") if n}
        self.files = sorted(n for n in names if os.path.isfile(os.path.join(self.root, n)))
        return found.returncode == 0

    def list_folder(self):
        """The same from the file system: without dotfiles, and without what .gitignore would hide."""
        self.files = []
        for folder, folders, names in os.walk(self.root):
            top = folder == self.root
            folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__" and
                          not (top and (f.startswith("build") or f == "out"))]
            for name in names:
                if not name.startswith(".") and not name.endswith(".o"):
                    self.files.append(os.path.relpath(os.path.join(folder, name), self.root))
        self.files.sort()

    def report(self, path, line, message):
        self.problems.append(f"{path}:{line}: {message}")

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def exists(self, path):
        return os.path.isfile(os.path.join(self.root, path))


def folder_of(path):
    """The row of MAY_INCLUDE that a file belongs to, or None where no rule applies (tests, tools)."""
    parts = path.split("/")
    if path.startswith("include/sonde/base/"):
        return "include/sonde/base"
    if parts[0] == "daemon" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0] if parts[0] in MAY_INCLUDE else None


def without_literals(text):
    """The C text with comments and the insides of literals blanked out, lines kept."""
    def blank(match):
        s = match[0]
        return ('""' if s[0] in "\"'" else " ") + "\n" * s.count("\n")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def module_of(tree, path, name):
    """What part of sonde an include means: "sonde" (include/sonde/*.h), "base", "bpf", a module of
    daemon, "cli", the file's own folder (None), or "?" when nothing like it exists."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if tree.exists(beside):
        found = beside
    else:
        found = next((p for p in ("include/" + name, "daemon/" + name, name) if tree.exists(p)), None)
    if found is None:
        first = name.split("/")[0]
        if first == "sonde" and "/" in name:
            found = "include/" + name
        elif "/" in name and "daemon/" + first in MAY_INCLUDE:
            found = "daemon/" + name
        elif name.endswith(".skel.h"):
            return "bpf"
        else:
            return None if "/" not in name else "?"  # without a folder: a header made by the build
    if found.startswith("include/sonde/base/"):
        return "base"
    if found.startswith("include/"):
        return "sonde"
    folder = folder_of(found)
    if folder == folder_of(path):
        return None
    return folder.split("/")[-1] if folder else "?"


def check_includes(tree, path, text):
    folder = folder_of(path)
    if folder is None or path in UNBOUND_FILES:
        return
    if folder not in MAY_INCLUDE:
        tree.report(path, 1, f"{folder} is no module of design.md")
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        quote, name = match.groups()
        system = next((row for row in SYSTEM_HEADERS if re.fullmatch(row[1], name)), None)
        if system and not (quote == '"' and name.endswith(".skel.h")):
            if folder not in system[2]:
                where = ", ".join(sorted(system[2]))
                tree.report(path, number, f"<{name}>: {system[0]} may be used in {where} only")
            continue
        if quote == "<" and not name.startswith("sonde/"):
            continue
        module = module_of(tree, path, name)
        if module == "?":
            tree.report(path, number, f'"{name}" is in no folder of design.md')
        elif module not in (None, "sonde") and module not in MAY_INCLUDE[folder]:
            may = ", ".join(sorted(MAY_INCLUDE[folder])) or "nothing"
            tree.report(path, number, f"{folder} must not include {module} "
                        f"({name}); it may include {may} and include/sonde/*.h")


def function_name(lines, start):
    """The name of the function whose '{' is line `start`, from the lines before it."""
    for line in reversed(lines[max(0, start - 8):start]):
        match = re.match(r"[A-Za-z_].*?(\w+)\s*\(", line)
        if match:
            return match[1]
    return "a function"


def check_sizes(tree, path, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        tree.report(path, FILE_LINES + 1, f"{len(lines)} lines; no file has more than {FILE_LINES}")
    if not path.endswith(C_SUFFIXES):
        return
    lines = without_literals(text).splitlines()
    start = None
    depth = 0
    for number, line in enumerate(lines):
        if line.startswith("{"):  # also ends a function whose braces #if branches left unbalanced
            start, depth = number, 0
        if start is None:
            continue
        depth += line.count("{") - line.count("}")
        if depth > 0 and not line.startswith("}"):
            continue
        length = number - start + 1
        if length > FUNCTION_LINES:
            tree.report(path, start + 1, f"{function_name(lines, start)} has {length} lines; "
                        f"no function has more than {FUNCTION_LINES}")
        start = None


def check_licence(tree, path, text):
    if not path.endswith(C_SUFFIXES + (".py", ".sh")) and not text.startswith("#!"):
        return
    lines = text.splitlines()[:2] or [""]
    line = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    wanted = "MIT" if path.startswith(MIT_FILES) else "GPL-2.0-or-later"
    if not re.fullmatch(rf"(/\* |// |# )SPDX-License-Identifier: {re.escape(wanted)}( \*/)?", line):
        tree.report(path, 1, f"the first line must be the licence: SPDX-License-Identifier: {wanted}")


def check_exit(tree, path, text):
    if not path.endswith(C_SUFFIXES) or path.startswith("tests/") or path in EXIT_FILES:
        return
    for number, line in enumerate(without_literals(text).splitlines(), 1):
        if re.search(r"(?<![\w.>])exit\s*\(", line):
            tree.report(path, number, "only main.c may call exit(); return an error")


def check_reading(tree, path, text):
    if folder_of(path) not in MUST_ASK:
        return
    for number, line in enumerate(without_literals(text).splitlines(), 1):
        match = re.search(READ_HERE, line)
        if match:
            tree.report(path, number, f"{match[1]}() parses a file here; ask the reader process")


def check_top_level(tree):
    for top in sorted({f.split("/")[0] for f in tree.files}):
        if top not in TOP_LEVEL and not top.startswith("."):
            tree.report(top, 1, "the top level is closed (design.md): this does not belong there")


def check_manual(tree):
    """Verbs of cli/verbs.def against cli/man/sonde-VERB.1.scd."""
    pages = {}
    for path in tree.files:
        match = re.fullmatch(r"cli/man/sonde-(.+)\.1\.scd", path)
        if match:
            pages[match[1]] = path
    if not tree.exists("cli/verbs.def") or not pages:
        print("lint: note: no cli/verbs.def or no manual pages yet, so they are not compared")
        return
    verbs = set()
    for number, line in enumerate(tree.text("cli/verbs.def").splitlines(), 1):
        match = re.match(r'\s*VERB\(\s*"?([\w-]+)"?\s*,', line)
        if not match:
            continue
        verbs.add(match[1])
        if match[1] not in pages:
            tree.report("cli/verbs.def", number, f"no manual page cli/man/sonde-{match[1]}.1.scd")
    for name, path in sorted(pages.items()):
        if name not in verbs:
            tree.report(path, 1, f"a manual page for {name}, which is no verb of cli/verbs.def")


def lint(root):
    tree = Tree(root)
    check_top_level(tree)
    for path in tree.files:
        if os.path.islink(os.path.join(tree.root, path)):
            continue
        suffix = path.endswith(SIZED_SUFFIXES)
        text = tree.text(path) if suffix or "." not in os.path.basename(path) else ""
        if not suffix and not text.startswith("#!"):
            continue
        check_sizes(tree, path, text)
        check_licence(tree, path, text)
        if path.endswith(C_SUFFIXES):
            check_includes(tree, path, text)
            check_reading(tree, path, text)
            # The programs of the benches are mains of their own.
            if not path.startswith("tools/bench/"):
                check_exit(tree, path, text)
    check_manual(tree)
    return tree.problems


def main():
    if sys.argv[1:] == ["--self-test"]:
        import selftest
        return selftest.run(lint, os.path.abspath(__file__))
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        print("usage: lint.py ROOT | lint.py --self-test", file=sys.stderr)
        return 2
    problems = lint(sys.argv[1])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-or-later
"""The self test of lint.py: a small clean tree, then one violation of each kind in it, each of which
must be reported, where it is and nothing else."""
import os
import shutil
import subprocess
import sys
import tempfile

SPDX = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"


def function(lines):
    return "int f(void)\n{\n" + "\tg();\n" * (lines - 2) + "}\n"


# What must not be reported.
CLEAN = {
    "meson.build": "project('x')\n",
    "README.md": "x\n",
    ".gitignore": "/build*/\n",
    "build/daemon/x.c": "generated\n",
    "include/sonde/record.h": SPDX,
    "include/sonde/span.h": "/* SPDX-License-Identifier: MIT */\n",
    "include/sonde/base/util.h": SPDX,
    "include/sonde/base/json.h": SPDX + '#include "sonde/base/util.h"\n#include "util.h"\n',
    "bpf/span.bpf.c": SPDX + '#include <bpf/bpf_helpers.h>\n#include "sonde/record.h"\n',
    "daemon/main.c": SPDX + '#include "collect/collect.h"\n#include "query/query.h"\nint m(void)'
                     "\n{\n\texit(1);\n}\n",
    "daemon/base/util.c": SPDX + '#include "sonde/base/util.h"\n',
    "daemon/symbol/symbol.h": SPDX,
    "daemon/symbol/symbol.c": SPDX + '#include "symbol.h"\n#include <libelf.h>\n#include <elf.h>\n',
    "daemon/collect/collect.h": SPDX + '#include "sonde/record.h"\n',
    "daemon/collect/collect.c": SPDX + '#include "collect.h"\n#include <bpf/libbpf.h>\n'
                                '#include "span.skel.h"\n#include <linux/bpf.h>\n',
    "daemon/symbol/open.c": SPDX + "int f(void)\n{\n\treturn elf_image_open(3);\n}\n",
    "daemon/probe/ask.c": SPDX + "/* elf_image_open() */\nint f(void)\n{\n\treader_file(3);\n}\n",
    "daemon/probe/probe.c": SPDX + '#include "symbol/symbol.h"\n#include "collect/collect.h"\n',
    "daemon/model/model.h": SPDX,
    "daemon/store/store.h": SPDX + '#include "model/model.h"\n#include <sqlite3.h>\n',
    "daemon/query/query.h": SPDX + '#include "store/store.h"\n',
    "daemon/varlink/client.h": SPDX + "#include <cjson/cJSON.h>\n",
    "daemon/control/control.c": SPDX + '#include "query/query.h"\n#include "../varlink/client.h"\n',
    "cli/main.c": SPDX + "int m(void)\n{\n\texit(0);\n}\n",
    "cli/render/made.c": SPDX + '#include "made_by_the_build.h"\n#include "varlink/client.h"\n'
                         "/* exit(1) */\nconst char *s = \"exit(\";\nint f(void)\n{\n\t_exit(1);\n}\n"
                         + function(100),
    "cli/verbs.def": "/* VERB(name, …) */\nVERB(report, x)\n",
    "cli/man/sonde-report.1.scd": "x\n",
    "cli/man/sonde.1.scd": "x\n",
    "tests/unit/t.c": SPDX + '#include "store/store.h"\nint f(void)\n{\n\texit(0);\n}\n',
    "tools/demo": "#!/bin/sh\n# SPDX-License-Identifier: GPL-2.0-or-later\n",
    "tools/packages": "gcc\n",
}

# (file, its text, the line and a part of the message that must be reported)
VIOLATIONS = [
    ("daemon/query/a.c", SPDX + '#include "symbol/symbol.h"\n', 2, "query must not include symbol"),
    ("daemon/query/c.c", SPDX + '#include "collect/collect.h"\n', 2, "must not include collect"),
    ("daemon/symbol/a.c", SPDX + '#include "collect/collect.h"\n', 2, "must not include collect"),
    ("daemon/store/a.c", SPDX + '\n#include "../query/query.h"\n', 3, "must not include query"),
    ("daemon/model/a.c", SPDX + '#include "store/not_yet.h"\n', 2, "must not include store"),
    ("daemon/model/b.c", SPDX + '#include "span.skel.h"\n', 2, "must not include bpf"),
    ("cli/a.c", SPDX + '#include "query/query.h"\n', 2, "cli must not include query"),
    ("cli/b.c", SPDX + '#include "../daemon/model/model.h"\n', 2, "cli must not include model"),
    ("bpf/a.bpf.c", SPDX + '#include "sonde/base/util.h"\n', 2, "bpf must not include base"),
    ("include/sonde/b.h", SPDX + '#include "sonde/base/util.h"\n', 2, "include must not include base"),
    ("include/sonde/base/b.h", SPDX + '#include "model/model.h"\n', 2, "must not include model"),
    ("include/sonde/a.h", SPDX + '#include "model/model.h"\n', 2, "include must not include model"),
    ("daemon/query/b.c", SPDX + '#include "nowhere/x.h"\n', 2, "in no folder of design.md"),
    ("daemon/other/a.c", SPDX, 1, "no module of design.md"),
    ("daemon/query/c.c", SPDX + "#include <bpf/libbpf.h>\n", 2, "libbpf may be used in"),
    ("daemon/probe/c.c", SPDX + "#include <bpf/bpf_helpers.h>\n", 2, "may be used in bpf only"),
    ("daemon/probe/d.c", SPDX + "#include <gelf.h>\n", 2, "libelf and libdw may be used in"),
    ("daemon/probe/e.c", SPDX + "#include <elfutils/libdw.h>\n", 2, "libelf and libdw may be used"),
    ("daemon/symbol/f.c", SPDX + "#include <elfutils/debuginfod.h>\n", 2, "libdebuginfod may be"),
    ("daemon/model/c.c", SPDX + "#include <sqlite3.h>\n", 2, "sqlite may be used in"),
    ("daemon/query/d.c", SPDX + "#include <cjson/cJSON.h>\n", 2, "cJSON may be used in"),
    ("cli/long.c", SPDX + "int x;\n" * 600, 601, "601 lines; no file"),
    ("tests/long.py", "# SPDX-License-Identifier: GPL-2.0-or-later\n" + "x = 1\n" * 600, 601,
     "no file has more"),
    ("cli/function.c", SPDX + function(100).replace("f(", "short_one(") +
     "static int long_one(int a,\n\t\t    int b)\n{\n" + '\tx("}");\n' * 99 + "}\n", 105,
     "long_one has 101 lines"),
    ("extra/a.txt", "x\n", None, "the top level is closed"),
    ("notes.md", "x\n", None, "the top level is closed"),
    ("cli/no_licence.c", "int x;\n", 1, "the first line must be the licence"),
    ("cli/late.h", "\n" + SPDX, 1, "the first line must be the licence"),
    ("cli/mit.h", "/* SPDX-License-Identifier: MIT */\n", 1, "the first line must be the licence"),
    ("tools/run", "#!/bin/sh\nset -e\n", 1, "the first line must be the licence"),
    ("daemon/model/exit.c", SPDX + "int f(void)\n{\n\tif (x)\n\t\texit(1);\n}\n", 5, "exit()"),
    ("cli/main2/main.c", SPDX + "int f(void)\n{\n\texit (1);\n}\n", 4, "only main.c may call exit"),
    ("daemon/probe/read.c", SPDX + "int f(void)\n{\n\treturn elf_image_open_path(p, &i);\n}\n", 4,
     "elf_image_open_path() parses a file here"),
    ("daemon/control/read.c", SPDX + "int f(void)\n{\n\tif (symtab_load(i))\n\t\treturn 1;\n}\n", 4,
     "symtab_load() parses a file here"),
    ("cli/verbs.def", "VERB(report, x)\nVERB(\"flame\", x)\n", 2, "no manual page cli/man/sonde-flame"),
    ("cli/man/sonde-ghost.1.scd", "x\n", 1, "ghost, which is no verb"),
]


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def run(lint, script):
    failures = []
    with tempfile.TemporaryDirectory() as top:
        clean = os.path.join(top, "clean")
        write_tree(clean, CLEAN)
        failures += [f"clean tree: {p}" for p in lint(clean)]
        if subprocess.run([sys.executable, script, clean], stdout=subprocess.DEVNULL).returncode != 0:
            failures.append("clean tree: the exit status is not 0")

        for i, (path, text, line, part) in enumerate(VIOLATIONS):
            root = os.path.join(top, str(i))
            write_tree(root, CLEAN)
            write_tree(root, {path: text})
            found = lint(root)
            where = f"{path}:{line}: " if line else path.split("/")[0] + ":"
            if len(found) != 1 or not found[0].startswith(where) or part not in found[0]:
                failures.append(f"{path}: wanted '{where}… {part}', got {found}")
        if subprocess.run([sys.executable, script, root], stdout=subprocess.DEVNULL).returncode != 1:
            failures.append("a tree with a violation: the exit status is not 1")

        if shutil.which("git"):
            # In a checkout: what git ignores does not count, what it does not know yet does.
            subprocess.run(["git", "init", "-q", clean], check=True)
            write_tree(clean, {".gitignore": "/build*/\n/ignored/\n", "ignored/x.c": "int x;\n",
                               "new.txt": "x\n"})
            found = lint(clean)
            if found != ["new.txt:1: the top level is closed (design.md): this does not belong there"]:
                failures.append(f"git: {found}")
    for failure in failures:
        print(f"FAIL: {failure}")
    print(f"lint self test: {len(VIOLATIONS)} violations, {len(failures)} failures")
    return 1 if failures else 0

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sonde/span.h in the programs of others: compilers, languages, options, libraries that come and
go, and the tools that see its probes without sonde."""
import concurrent.futures
import os
import re
import subprocess

import harness as h

HERE = h.ROOT / "tests/integration/span"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror",
            f"-I{h.ROOT}/include", f"-I{h.ROOT}/tests/unit", "-D_GNU_SOURCE"]
# Compiler and its options, options of the link. Together they have each of: C and C++, gcc and
# clang, every level, static and shared linking, three kinds of link-time optimisation.
MATRIX = [
    (["gcc", "-std=c11", "-O0"], []),
    (["gcc", "-std=gnu11", "-O2", "-flto", "-static"], []),
    (["gcc", "-std=c17", "-O3", "-fPIE", "-fexceptions", "-fstack-protector-strong"], ["-pie"]),
    (["clang-14", "-std=c11", "-O1", "-fvisibility=hidden"], []),
    (["clang-14", "-std=gnu11", "-O2", "-flto=thin", "-ffunction-sections"],
     ["-fuse-ld=lld", "-Wl,--gc-sections"]),
    (["g++", "-std=c++17", "-O2", "-fvisibility=hidden"], ["-Wl,--gc-sections"]),
    (["g++", "-std=c++20", "-O0", "-fno-exceptions"], []),
    (["clang++-14", "-std=c++17", "-O3", "-flto"], ["-fuse-ld=lld"]),
    (["clang++-14", "-std=c++17", "-O1", "-fsanitize=thread"], []),
]


def run(args, **more):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, **more)
    h.equal((done.returncode, done.stdout), (0, ""), " ".join(str(a) for a in args))


def notes(path):
    """Name to address of the probes of a file."""
    text = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"Provider: sonde\s+Name: (\w+)\s+Location: (0x\w+)", text)


def build_and_run(number, caught):
    compiler, link = MATRIX[number]
    language = ["-x", "c++"] if "++" in compiler[0] else []
    objects = [h.TMP / f"{name}-{number}.o" for name in ("known", "other")]
    for source, target in zip(("known.c", "other.c"), objects):
        run([*compiler, *WARNINGS, *language, "-c", HERE / source, "-o", target])
    program = h.TMP / f"known-{number}"
    run([*compiler, "-pthread", *objects, caught, *link, "-o", program])
    run([program])
    found = notes(program)
    h.equal(sorted(name for name, _ in found),
            sorted(2 * ["batch", "begin", "control", "event", "span", "thread"]), f"{compiler}: notes")
    h.equal(len({address for _, address in found}), 12, "places")
    h.check("0x0000000000000000" not in dict(found).values(), f"{compiler}: a probe without a place")


def built_catcher():
    target = h.TMP / "catch.o"
    run(["gcc", *WARNINGS[:3], *WARNINGS[6:], "-O1", "-fPIC", "-c",
         h.ROOT / "tests/unit/test_span_catch.c", "-o", target])
    return target


@h.test(own_daemon=True)
def programs_built_in_all_ways_say_the_same():
    for compiler in sorted({m[0][0] for m in MATRIX}):
        h.need(compiler)
    h.need("ld.lld-14")
    caught = built_catcher()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda n: build_and_run(n, caught), range(len(MATRIX))))


@h.test(own_daemon=True)
def libraries_with_spans_come_and_go():
    plugin, loader = h.TMP / "plugin.so", h.TMP / "loader"
    run(["gcc", *WARNINGS, "-O2", "-fPIC", "-shared", "-fvisibility=hidden", HERE / "plugin.c",
         built_catcher(), "-o", plugin])
    run(["gcc", *WARNINGS, "-O2", "-pthread", HERE / "loader.c", "-o", loader])
    run([loader, plugin])


@h.test(own_daemon=True)
def the_end_of_a_library_spares_threads_that_record():
    program = h.TMP / "wiped"
    run(["gcc", *WARNINGS, "-O2", "-pthread", HERE / "wiped.c", "-o", program])
    run([program])


@h.test(own_daemon=True)
def first_spans_in_signal_handlers_allocate_nothing():
    program = h.TMP / "keys"
    run(["gcc", *WARNINGS, "-O2", "-pthread", HERE / "keys.c", built_catcher(), "-o", program])
    run([program])


@h.test(own_daemon=True)
def programs_built_without_spans():
    """With SONDE_SPAN_DISABLE nothing is left of them, and nothing is warned about."""
    source, target = h.TMP / "nothing.c", h.TMP / "nothing.o"
    source.write_text("""
#include <sonde/span.h>
int work(int n, char *buf);
int work(int n, char *buf)
{
	SONDE_SPAN("a");
	SONDE_SPAN_CAT("a", "b");
	SONDE_FIELD("n", n);
	SONDE_ERROR(n);
	SONDE_BEGIN("x", n);
	SONDE_END_CAT("c", "x", n);
	SONDE_INSTANT("i");
	SONDE_COUNTER("c", n);
	return SONDE_TRACE_FROM("x") + SONDE_TRACE_TO(buf) + SONDE_IS_ON();
}
""")
    for compiler in (["gcc", "-std=c11"], ["g++", "-std=c++17", "-x", "c++"]):
        run([*compiler, *WARNINGS, "-DSONDE_SPAN_DISABLE", "-c", source, "-o", target])
        h.equal(notes(target), [], "notes")


@h.test(own_daemon=True)
def bpftrace_uses_the_probes_without_sonde():
    h.need("bpftrace")
    program = f"{h.WORKLOADS}/wl_spans"
    listed = subprocess.run(["bpftrace", "-l", f"usdt:{program}:*"], capture_output=True, text=True)
    h.equal(sorted(line.rsplit(":", 1)[1] for line in listed.stdout.split()),
            ["batch", "begin", "control", "event", "span", "thread"], "bpftrace -l")
    script = f"""
usdt:{program}:sonde:span {{ @spans[str(arg0), str(arg1)] = count(); }}
usdt:{program}:sonde:span /arg2 >= 10000000/ {{ @long[str(arg1)] = count(); }}
usdt:{program}:sonde:event {{ @events[str(arg1), arg2] = count(); }}
usdt:{program}:sonde:begin {{ @begun = count(); }}
usdt:{program}:sonde:batch {{ @batches = count(); }}
"""
    done = subprocess.run(["bpftrace", "-q", "-c", program, "-e", script], capture_output=True,
                          text=True, timeout=100)
    found = dict(re.findall(r"^@(.*): (\d+)$", done.stdout, re.M))
    # Whoever is attached to batches gets them; how many, time decides.
    h.check(int(found.pop("batches", "0")) > 0, done.stdout + done.stderr)
    expected = {"spans[app, main]": 1, "spans[io, request]": 100, "spans[db, query]": 200,
                "spans[net, send]": 100, "spans[, risky]": 20, "spans[io, slow]": 5,
                "spans[trace, serve]": 1, "spans[trace, call]": 1, "spans[job, collect]": 1,
                "spans[compute, worker]": 4, "spans[compute, step]": 200, "long[slow]": 5,
                "long[main]": 1, "events[tick, 1]": 10, "events[length, 2]": 50,
                "events[run, 3]": 30, "events[run, 4]": 30, "begun": 633}
    found = {k: int(v) for k, v in found.items()}
    # A machine that others use makes more of them long.
    h.check(all(found.get(k, 0) >= v for k, v in expected.items() if k.startswith("long")), found)
    h.equal({k: v for k, v in found.items() if not k.startswith("long")},
            {k: v for k, v in expected.items() if not k.startswith("long")}, "hits")


@h.test(own_daemon=True)
def perf_lists_the_probes():
    perf = [h.need("perf"), "--buildid-dir", str(h.TMP / "buildid")]
    run([*perf, "buildid-cache", "--add", f"{h.WORKLOADS}/wl_spans"])
    listed = subprocess.run([*perf, "list", "sdt"], capture_output=True, text=True).stdout
    for name in ("batch", "begin", "event", "span", "thread"):
        h.contains(listed, f"sdt_sonde:{name}", "perf list")


@h.test(own_daemon=True, smoke=True)
def the_manual_page_has_what_there_is():
    page = (h.ROOT / "cli/man/sonde-span.7.scd").read_text().replace("\\_", "_")
    headers = {name: (h.ROOT / f"include/sonde/span/{name}.h").read_text() for name in ("macros", "nothing")}
    shown = set(re.findall(r"^\*(SONDE_\w+)\(|, \*(SONDE_\w+)\(", page, re.M))
    shown = {a or b for a, b in shown}
    public = set(re.findall(r"#define (SONDE_(?:SPAN|BEGIN|END|INSTANT|COUNTER|FIELD|ERROR|TRACE|IS)\w*)\(",
                            headers["nothing"]))
    h.equal(shown, public, "macros of the page, and those that do nothing elsewhere")
    for name in public:
        h.contains(headers["macros"], f"#define {name}(", "macros.h")
    library = (h.ROOT / "tools/python/libsonde-span.c").read_text()
    exported = set(re.findall(r"^EXPORT .*?(sonde_span_\w+)\(", library, re.M))
    described = set(re.findall(r"sonde_span_\w+", page)) | {"sonde_span_field_f64", "sonde_span_field_bool"}
    h.equal(described, exported, "functions of the library")
    rules = (h.ROOT / "include/sonde/span/rules.h").read_text()
    for name in re.findall(r'getenv\("(\w+)"\)', rules):
        h.contains(page, f"*{name}*", "the environment")


if __name__ == "__main__":
    h.need_root()
    h.main()

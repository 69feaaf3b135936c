#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole stacks with names, though the files are out of reach: of other mount namespaces and roots,
deleted, replaced, of processes that are gone."""
import os
import shutil
import subprocess

import harness as h
import stacks

FREQUENCY = 997
STACKS = f"{h.WORKLOADS}/stacks"


def planted(name):
    path = f"{STACKS}/{name}"
    if not os.path.exists(path):
        raise h.Skip(f"{path} is not built")
    return path


def check(flame, announced, what, **more):
    wrong = stacks.what_is_wrong(stacks.parse(announced), list(stacks.seen(flame)), **more)
    h.check(not wrong, f"{what}: " + " | ".join(wrong))


def output(*argv):
    return subprocess.Popen([str(a) for a in argv], env=h.ENV, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)


@h.test
def in_another_mount_namespace(daemon):
    """The program is where nobody else can see it, and is gone when names are asked for."""
    path = h.TMP / "mount.sonde"
    script = (f"mount -t tmpfs none /mnt && cp {planted('st_pie')} /mnt/own && "
              "exec /mnt/own --ms 300 --warm-up 300")
    out = daemon.sonde("record", "-F", FREQUENCY, "-o", path, "--", "unshare", "-m",
                       "--propagation", "private", "sh", "-c", script).out
    h.check(not os.path.exists("/mnt/own"), "it is a place of its own")
    check(daemon.json("flame", "-i", path, "--kind", "cpu", "--no-inline"), out, "mount namespace")


@h.test
def in_another_root_and_pid_namespace(daemon):
    root, path = h.TMP / "root", h.TMP / "root.sonde"
    (root / "bin").mkdir(parents=True)
    shutil.copy(planted("st_static"), root / "bin/own")
    out = daemon.sonde("record", "-F", FREQUENCY, "-o", path, "--", "unshare", "-pf",
                       f"--root={root}", "/bin/own", "--ms", "300", "--warm-up", "300").out
    check(daemon.json("flame", "-i", path, "--kind", "cpu", "--no-inline"), out, "root")


@h.test
def of_a_deleted_program(daemon):
    path, program = h.TMP / "deleted.sonde", h.TMP / "deleted"
    shutil.copy(planted("st_pie"), program)
    p = output(program, "--ms", "700", "--warm-up", "1000")
    h.wait_until(lambda: os.readlink(f"/proc/{p.pid}/exe") == str(program), "it to run")
    program.unlink()
    daemon.sonde("record", "-F", FREQUENCY, "-p", p.pid, "-o", path)
    flame = daemon.json("flame", "-i", path, "--kind", "cpu", "--no-inline")
    check(flame, p.communicate()[0], "deleted")


@h.test
def of_a_program_that_is_replaced(daemon):
    """Another program has its name when names are asked for, and none of its functions is shown."""
    program = h.TMP / "replaced"
    shutil.copy(planted("st_pie"), program)
    daemon.sonde("attach", "--name", "replaced", "-a", "-F", FREQUENCY)
    out = h.run(program, "--ms", "300", "--warm-up", "300").out
    other = h.TMP / "other"
    shutil.copy(planted("st_signals"), other)
    other.rename(program)
    flame = daemon.json("flame", "--session", "replaced", "--kind", "cpu", "--no-inline", "-c",
                        "replaced")
    check(flame, out, "replaced")
    strangers = [f["func"] for f in flame["frames"] if f["func"].startswith(("raise_", "on_"))]
    h.equal(strangers, [], "functions of the program that came later")
    daemon.sonde("detach", "replaced")


@h.test
def of_short_processes(daemon):
    """Each lives for some 50 ms; together they have yielded enough samples to judge."""
    daemon.sonde("attach", "--name", "short", "-a", "-F", FREQUENCY)
    program = planted("st_pie")
    h.run(program, "--ms", "30", "--warm-up", "300")  # the tables are there from now on
    for _ in range(20):
        out = h.run(program, "--ms", "30", "--warm-up", "10").out
    daemon.sonde("detach", "short")
    flame = daemon.json("flame", "--session", "short", "--kind", "cpu", "--no-inline", "-c",
                        "st_pie")
    # The first samples of each come before its mappings are in place.
    check(flame, out, "short", min_good=0.8, max_stray=0.2)
    leaves = [(frames[0][0], n) for frames, n in stacks.seen(flame) if frames]
    named = sum(n for name, n in leaves if not name.startswith("["))
    everything = sum(n for _, n in leaves)
    h.check(named >= 0.97 * everything, f"{named} of {everything} samples have a named leaf")


h.main()

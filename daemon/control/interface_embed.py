#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the C source that holds the interface's text: interface_embed.py IN OUT."""
import sys


def c_string(line):
    return "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\?' else f"\\{b:03o}" for b in line)


def main():
    with open(sys.argv[1], "rb") as f:
        lines = f.read().splitlines(keepends=True)
    with open(sys.argv[2], "w", encoding="ascii") as f:
        f.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
                "/* Made by interface_embed.py from io.sonde.varlink. */\n"
                '#include "control/interface.h"\n\n'
                "const char sonde_interface[] =\n")
        f.write("\n".join(f'\t"{c_string(line)}"' for line in lines))
        f.write(";\n")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a C header of a page: page_embed.py NAME TEMPLATE OUT.

A line `@INCLUDE FILE@` of the template is replaced by that file of its folder. The page's
Content-Security-Policy names its script and style by their hashes, which are filled in here, so
that nothing else can ever run in it. What precedes and follows the data are two arrays,
NAME_page_before and NAME_page_after.
"""
import base64
import hashlib
import os
import re
import sys


def only(pattern, page):
    found = re.findall(pattern, page, re.S)
    if len(found) != 1:
        sys.exit(f"page_embed.py: {len(found)} matches of {pattern} where one is expected")
    return found[0]


def digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def c_array(name, text):
    lines = [f"static const char {name}[] ="]
    for line in text.splitlines(keepends=True):
        escaped = "".join(
            chr(b) if 0x20 <= b < 0x7F and b not in b'"\\?' else f"\\{b:03o}" for b in line.encode())
        lines.append(f'\t"{escaped}"')
    return "\n".join(lines) + ";\n"


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read()


def main():
    name, template, out = sys.argv[1:]
    folder = os.path.dirname(template)
    page = re.sub(r"^@INCLUDE (\S+)@\n", lambda m: read(folder, m[1]), read("", template), flags=re.M)
    page = page.replace("@SCRIPT_HASH@", digest(only(r"<script>(.*?)</script>", page)))
    page = page.replace("@STYLE_HASH@", digest(only(r"<style>(.*?)</style>", page)))
    only("@DATA@", page)
    before, after = page.split("@DATA@")
    with open(out, "w", encoding="utf-8") as f:
        f.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
                f"/* Made by page_embed.py from {os.path.basename(template)}. */\n")
        f.write(c_array(f"{name}_page_before", before))
        f.write(c_array(f"{name}_page_after", after))


main()

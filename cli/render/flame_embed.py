#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the C header flame_page.h from flame.html.in: flame_embed.py IN OUT.

The page's Content-Security-Policy names its script and style by their hashes, which are filled in
here, so that nothing else can ever run in it. What precedes and follows the data are two arrays.
"""
import base64
import hashlib
import re
import sys


def only(pattern, page):
    found = re.findall(pattern, page, re.S)
    if len(found) != 1:
        sys.exit(f"flame_embed.py: {len(found)} matches of {pattern} where one is expected")
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


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        page = f.read()
    page = page.replace("@SCRIPT_HASH@", digest(only(r"<script>(.*?)</script>", page)))
    page = page.replace("@STYLE_HASH@", digest(only(r"<style>(.*?)</style>", page)))
    only("@DATA@", page)
    before, after = page.split("@DATA@")
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
                "/* Made by flame_embed.py from flame.html.in. */\n")
        f.write(c_array("flame_page_before", before))
        f.write(c_array("flame_page_after", after))


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""compile.py PROTOC-C FOLDER NAME OUT.c OUT.h: code for FOLDER/NAME.proto, beside that of the others.

protoc-c writes into the folders of its input, and includes what it has imported from there; all
that is made here lies in one folder.
"""
import os
import re
import subprocess
import sys
import tempfile

protoc, folder, name, *outputs = sys.argv[1:]
with tempfile.TemporaryDirectory() as made:
    subprocess.run([protoc, f"-I{folder}", f"--c_out={made}", f"{folder}/{name}.proto"], check=True)
    for output in outputs:
        suffix = os.path.splitext(output)[1]
        with open(f"{made}/{name}.pb-c{suffix}", encoding="utf-8") as f:
            text = re.sub(r'#include "(?:[^"/]*/)+', '#include "', f.read())
        with open(output, "w", encoding="utf-8") as f:
            f.write(text)

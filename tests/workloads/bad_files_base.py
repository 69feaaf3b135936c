# SPDX-License-Identifier: GPL-2.0-or-later
"""What bad_files.py is made with: an ELF file to be changed, and DWARF that says anything."""
import hashlib
import pathlib
import struct
import zlib

MIB = 1 << 20
SHF_COMPRESSED, ELFCOMPRESS_ZLIB = 0x800, 1
NULL, PROGBITS, SYMTAB = 0, 1, 2

# Of DWARF, what is used below.
(TAG_FORMAL_PARAMETER, TAG_COMPILE_UNIT, TAG_POINTER, TAG_STRUCT, TAG_TYPEDEF, TAG_INLINED,
 TAG_MEMBER, TAG_SUBPROGRAM, TAG_IMPORTED_UNIT, TAG_LEXICAL_BLOCK, TAG_NAMESPACE, TAG_CONST) = (
     0x05, 0x11, 0x0f, 0x13, 0x16, 0x1d, 0x0d, 0x2e, 0x3d, 0x0b, 0x39, 0x26)
(AT_SIBLING, AT_NAME, AT_STMT_LIST, AT_LOW_PC, AT_HIGH_PC, AT_IMPORT, AT_ABSTRACT_ORIGIN,
 AT_SPECIFICATION, AT_TYPE, AT_RANGES, AT_CALL_FILE, AT_CALL_LINE, AT_DATA_MEMBER_LOCATION,
 AT_LOCATION) = (0x01, 0x03, 0x10, 0x11, 0x12, 0x18, 0x31, 0x47, 0x49, 0x55, 0x58, 0x59, 0x38, 0x02)
(FORM_ADDR, FORM_BLOCK4, FORM_DATA8, FORM_STRING, FORM_DATA1, FORM_STRP, FORM_REF4, FORM_INDIRECT,
 FORM_SEC_OFFSET, FORM_EXPRLOC, FORM_REF_SIG8, FORM_REF_ADDR, FORM_IMPLICIT_CONST) = (
     0x01, 0x04, 0x07, 0x08, 0x0b, 0x0e, 0x13, 0x16, 0x17, 0x18, 0x20, 0x10, 0x21)


def uleb(n):
    out = bytearray()
    while True:
        out.append(n & 0x7f | (0x80 if n > 0x7f else 0))
        n >>= 7
        if not n:
            return bytes(out)


def u32(n):
    return struct.pack("<I", n & 0xffffffff)


def u64(n):
    return struct.pack("<Q", n & 0xffffffffffffffff)


class Elf:
    """A file whose section headers are written anew, at its end."""
    FIELDS = "name type flags addr offset size link info align entsize".split()

    def __init__(self, path):
        self.data = bytearray(pathlib.Path(path).read_bytes())
        shoff, = struct.unpack_from("<Q", self.data, 40)
        size, number, strings = struct.unpack_from("<HHH", self.data, 58)
        self.sections = [dict(zip(self.FIELDS, struct.unpack_from("<IIQQQQIIQQ", self.data,
                                                                 shoff + i * size)))
                         for i in range(number)]
        names = self.content(self.sections[strings])
        for s in self.sections:
            s["name"] = names[s["name"]:names.index(0, s["name"])].decode()
        self.strings = strings
        ids = [s for s in self.sections if s["name"] == ".note.gnu.build-id"]
        self.id_at = ids[0]["offset"] + 16 if ids else None
        for s in self.sections:
            if s["name"].startswith((".debug_", ".gnu_debug")):
                s.update(name="", type=NULL)

    def content(self, section):
        return bytes(self.data[section["offset"]:section["offset"] + section["size"]])

    def section(self, name):
        return next(s for s in self.sections if s["name"] == name)

    def function(self, name):
        """Its address and size."""
        table = self.section(".symtab")
        strings = self.content(self.sections[table["link"]])
        for value in struct.iter_unpack("<IBBHQQ", self.content(table)):
            if strings[value[0]:strings.index(0, value[0])] == name.encode():
                return value[4], value[5]
        raise KeyError(name)

    def add(self, name, content, flags=0, **more):
        self.sections.append(dict.fromkeys(self.FIELDS, 0) | {
            "name": name, "type": PROGBITS, "flags": flags, "offset": len(self.data),
            "size": len(content), "align": 1} | more)
        self.data += content

    def write(self, path, hole=0):
        """hole: of that many bytes at the end. The build-id is made of the file's name."""
        if self.id_at:
            self.data[self.id_at:self.id_at + 20] = hashlib.sha1(path.name.encode()).digest()
        table, offsets = bytearray(1), {}
        for s in self.sections:
            offsets[s["name"]] = len(table)
            table += s["name"].encode() + b"\0"
        self.sections[self.strings].update(offset=len(self.data), size=len(table))
        out = bytearray(self.data) + table
        out += bytes(-len(out) % 8)
        struct.pack_into("<Q", out, 40, len(out))
        struct.pack_into("<H", out, 60, len(self.sections))
        for s in self.sections:
            out += struct.pack("<IIQQQQIIQQ", *({**s, "name": offsets[s["name"]]}[f]
                                               for f in self.FIELDS))
        with open(path, "wb") as f:
            f.write(out)
            f.truncate(len(out) + hole)
        path.chmod(0o755)


class Dwarf:
    """Units of one abbreviation table each, that DIEs add to as they need them."""

    def __init__(self, version=4):
        self.version, self.units, self.abbrevs = version, bytearray(), bytearray()
        self.table, self.dies, self.at = [], bytearray(), 0

    @property
    def head(self):
        return 12 if self.version >= 5 else 11

    def here(self):
        """The offset of the next DIE in its unit."""
        return self.head + len(self.dies)

    def die(self, tag, *attributes, children=False):
        """attributes: (name, form, bytes). Where it is in its unit."""
        at = self.here()
        key = (tag, children, tuple((a[0], a[1]) for a in attributes))
        if key not in self.table:
            self.table.append(key)
        self.dies += uleb(self.table.index(key) + 1) + b"".join(a[2] for a in attributes)
        return at

    def end(self):
        self.dies += b"\0"

    def close(self, more_abbrevs=b"", length=None, abbrev_at=None):
        """The unit is complete."""
        at = len(self.abbrevs)
        for i, (tag, children, attributes) in enumerate(self.table):
            self.abbrevs += uleb(i + 1) + uleb(tag) + bytes([children])
            for name, form in attributes:
                self.abbrevs += uleb(name) + uleb(form)
            self.abbrevs += b"\0\0"
        self.abbrevs += more_abbrevs + b"\0"
        at = at if abbrev_at is None else abbrev_at
        head = (struct.pack("<HBBI", self.version, 1, 8, at) if self.version >= 5 else
                struct.pack("<HIB", self.version, at, 8))
        self.units += u32(len(head + self.dies) if length is None else length) + head + self.dies
        self.table, self.dies = [], bytearray()


class Maker:
    def __init__(self, program, function, directory):
        self.program, self.directory = program, pathlib.Path(directory)
        self.low, self.size = Elf(program).function(function)

    def place(self, size=None):
        return [(AT_LOW_PC, FORM_ADDR, u64(self.low)),
                (AT_HIGH_PC, FORM_DATA8, u64(size or self.size))]

    def unit(self, d, *more):
        return d.die(TAG_COMPILE_UNIT, (AT_NAME, FORM_STRING, b"bad.c\0"), *self.place(), *more,
                     children=True)

    def save(self, name, d=None, hole=0, **sections):
        """d: debug information. sections: contents, or (contents, flags)."""
        elf = Elf(self.program)
        if d:
            sections = {"debug_info": bytes(d.units), "debug_abbrev": bytes(d.abbrevs)} | sections
        for section, content in sections.items():
            content = content if isinstance(content, tuple) else (content, 0)
            elf.add("." + section, *content)
        elf.write(self.directory / name, hole)


def zeros_compressed(size):
    """As zlib does it, at once: a piece that stands for itself, again and again."""
    z = zlib.compressobj(9)
    piece = 16 * MIB
    first = z.compress(bytes(piece)) + z.flush(zlib.Z_FULL_FLUSH)
    again = z.compress(bytes(piece)) + z.flush(zlib.Z_FULL_FLUSH)
    assert size % piece == 0
    body = first + again * (size // piece - 1)
    return body + b"\x03\x00" + struct.pack(">I", size % 65521 << 16 | 1)


def compressed(content, size):
    return struct.pack("<IIQQ", ELFCOMPRESS_ZLIB, 0, size, 1) + content, SHF_COMPRESSED

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that lie to whoever reads them, each made of a program that goes on working.

    bad_files.py PROGRAM FUNCTION DIRECTORY [NAME... | PART/PARTS]

PROGRAM is a 64-bit ELF file with a symbol table; its debug information is replaced by one that
says that FUNCTION is in a unit of the kind the file is called by. Loading a program takes none of
what is changed here, so the files run as PROGRAM does, except for those called x-*.
"""
import lzma
import struct
import sys
import zlib

from bad_files_base import *

# Sections and tables

def overlapping_sections(m):
    elf = Elf(m.program)
    table = elf.section(".symtab")
    for s in elf.sections:
        if s["name"] not in ("", ".symtab", ".shstrtab"):
            s.update(offset=table["offset"], size=table["size"])
    elf.write(m.directory / "overlapping_sections")


def names_of_itself(m):
    elf = Elf(m.program)
    table = elf.section(".symtab")
    table["link"] = elf.sections.index(table)
    elf.write(m.directory / "names_of_itself")


def lying_sizes(m):
    elf = Elf(m.program)
    for i, s in enumerate(elf.sections):
        if s["name"] not in ("", ".shstrtab", ".symtab"):
            s["size"] = (1 << 47, 0xfff, 2**64 - 1, 2**63, 2**32)[i % 5]
    elf.write(m.directory / "lying_sizes")


def symbols_to_the_end(m):
    elf = Elf(m.program)
    table = elf.section(".symtab")
    table["size"] = len(elf.data) - table["offset"]
    elf.write(m.directory / "symbols_to_the_end")


def symbols_in_a_hole(m):
    elf = Elf(m.program)
    elf.section(".symtab").update(offset=len(elf.data) + 4 * MIB, size=255 * MIB)
    elf.write(m.directory / "symbols_in_a_hole", hole=300 * MIB)


def one_name_for_all(m):
    """A million functions share the end of one long name each."""
    elf = Elf(m.program)
    symbol = [struct.pack("<IBBHQQ", i % 8000, 0x12, 0, 1, m.low + i % m.size, 1)
              for i in range(1 << 17)]
    elf.add(".strtab", b"n" * 16000 + b"\0", type=3)
    elf.section(".symtab").update(type=PROGBITS, name=".old")
    elf.add(".symtab", b"".join(symbol * 4), type=SYMTAB, link=len(elf.sections) - 1, entsize=24)
    elf.write(m.directory / "one_name_for_all")


def names_without_end(m):
    elf = Elf(m.program)
    strings = elf.sections[elf.section(".symtab")["link"]]
    elf.data[strings["offset"]:strings["offset"] + strings["size"]] = b"x" * strings["size"]
    elf.write(m.directory / "names_without_end")


def unwind_of_itself(m):
    """Entries whose common part is the entry itself, with lengths beyond the section."""
    elf = Elf(m.program)
    eh = elf.section(".eh_frame")
    entries = b"".join(struct.pack("<II", 4 if i % 2 else 0x7ffffff0, 4) for i in range(1 << 16))
    eh.update(name=".old")
    elf.add(".eh_frame", entries, addr=eh["addr"])
    elf.write(m.directory / "unwind_of_itself")


# What is small packed and large unpacked

def packed_info(m):
    size = 2048 * MIB
    m.save("packed_info", debug_info=compressed(zeros_compressed(size), size), debug_abbrev=b"\0")


def packed_info_lies(m):
    """Of both kinds: less than there is, and more than there can be."""
    elf = Elf(m.program)
    elf.add(".debug_info", *compressed(zeros_compressed(64 * MIB), 1000))
    elf.add(".debug_abbrev", *compressed(zeros_compressed(64 * MIB), 1 << 62))
    elf.add(".debug_line", *compressed(b"no zlib at all", 100))
    elf.write(m.directory / "packed_info_lies")


def packed_symbols(m):
    elf = Elf(m.program)
    elf.add(".debug_str", *compressed(zeros_compressed(1024 * MIB), 1024 * MIB))
    elf.section(".symtab").update(flags=SHF_COMPRESSED)
    elf.write(m.directory / "packed_symbols")


def packed_mini(m):
    elf = Elf(m.program)
    elf.section(".symtab").update(type=PROGBITS, name=".old")
    head = bytes(elf.data[:4096])
    packer = lzma.LZMACompressor(preset=0)
    packed = packer.compress(head)
    for _ in range(24):
        packed += packer.compress(bytes(8 * MIB))
    elf.add(".gnu_debugdata", packed + packer.flush())
    elf.write(m.directory / "packed_mini")


def packed_mini_dictionary(m):
    elf = Elf(m.program)
    elf.section(".symtab").update(type=PROGBITS, name=".old")
    packed = bytearray(lzma.compress(bytes(elf.data[:4096]), preset=9))
    # The size of the dictionary is in the header of the block, which has a checksum.
    packed[16] = 40
    length = (packed[12] + 1) * 4
    packed[12 + length - 4:12 + length] = u32(zlib.crc32(packed[12:12 + length - 4]))
    elf.add(".gnu_debugdata", bytes(packed))
    elf.write(m.directory / "packed_mini_dictionary")


# Lines

def line_program(body, minimum=1):
    head = struct.pack("<BBBbBB", minimum, 1, 1, -5, 14, 13) + bytes(
        [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + b"\0" + b"bad.c\0\0\0\0" + b"\0"
    head = struct.pack("<HI", 4, len(head)) + head
    return u32(len(head) + len(body)) + head + body


def with_lines(m, name, program, **more):
    d = Dwarf()
    m.unit(d, (AT_STMT_LIST, FORM_SEC_OFFSET, u32(0)))
    d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRING, b"liar\0"), *m.place())
    d.end()
    d.close()
    m.save(name, d, debug_line=program, **more)


def many_lines(m):
    """A row a byte, and 27 million bytes in some 50 KiB: more rows than there is memory for. Where
    that is noticed, libdw ends the process."""
    size, piece = 26 * MIB, 13 * MIB
    start = line_program(b"\0\x09\x02" + u64(m.low))
    start = u32(len(start) - 4 + size) + start[4:]
    z = zlib.compressobj(9)
    packed = z.compress(start) + z.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, wbits=-15)
    again = raw.compress(b"\x14" * piece) + raw.flush(zlib.Z_FULL_FLUSH)
    packed += again * (size // piece) + b"\x03\x00"
    adler = zlib.adler32(start)
    for _ in range(size // piece):
        adler = zlib.adler32(b"\x14" * piece, adler)
    with_lines(m, "many_lines", compressed(packed + struct.pack(">I", adler), len(start) + size))


def lines_back_and_forth(m):
    """In the worst order there is to sort them."""
    body = b"\0\x09\x02" + u64(m.low)
    for i in range(1 << 17):
        body += b"\x02" + uleb((m.size * 5 - i * 7) % m.size) + b"\x01"
    with_lines(m, "lines_back_and_forth", line_program(body))


def lines_of_no_length(m):
    body = b"\0\x00\x00" * 4096 + b"\0" + uleb(1 << 60) + b"\x02"
    with_lines(m, "lines_of_no_length", line_program(body, minimum=0))


def lines_of_many_files(m):
    """DWARF 5: tables with more entries than the section has bytes, of a format with no fields."""
    head = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])
    head += b"\0" + uleb(1 << 40) + b"\0" + uleb(1 << 40)
    head = struct.pack("<HBBI", 5, 8, 0, len(head)) + head
    with_lines(m, "lines_of_many_files", u32(len(head)) + head)


# Units, DIEs and what they refer to

def referring(m, name, *pairs):
    """Functions without a name that refer to each other: pairs of attribute and index."""
    d = Dwarf()
    m.unit(d)
    start, at = d.here(), {}
    # Twice, as the second time it is known where they are.
    for _ in range(2):
        del d.dies[start - d.head:]
        for i, (attribute, to) in enumerate(pairs):
            at[i] = d.die(TAG_SUBPROGRAM, (attribute, FORM_REF4, u32(at.get(to, 0))), *m.place())
    d.end()
    d.close()
    m.save(name, d)


def specification_of_itself(m):
    referring(m, "specification_of_itself", (AT_SPECIFICATION, 0))


def origin_cycle(m):
    referring(m, "origin_cycle", (AT_ABSTRACT_ORIGIN, 1), (AT_SPECIFICATION, 2),
              (AT_ABSTRACT_ORIGIN, 0))


def inlined_in_itself(m):
    """Each inlined function is a piece of the one whose origin it is."""
    d = Dwarf()
    m.unit(d)
    top = d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRING, b"liar\0"), *m.place(), children=True)
    for _ in range(1000):
        d.die(TAG_INLINED, (AT_ABSTRACT_ORIGIN, FORM_REF4, u32(top)), *m.place(),
              (AT_CALL_FILE, FORM_DATA8, u64(2**64 - 1)),
              (AT_CALL_LINE, FORM_DATA8, u64(2**64 - 1)), children=True)
    d.dies += bytes(1002)
    d.close()
    m.save("inlined_in_itself", d)


def types(m, name, parameter, make):
    """A function whose parameter is of the type that make() puts behind it."""
    d = Dwarf()
    m.unit(d)
    at = d.here()
    for _ in range(2):
        del d.dies[at - d.head:]
        d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRING, b"visible\0"), *m.place(), children=True)
        d.die(TAG_FORMAL_PARAMETER, (AT_NAME, FORM_STRING, b"x\0"),
              (AT_TYPE, FORM_REF4, u32(parameter[0])), (AT_LOCATION, FORM_EXPRLOC, b"\x01\x55"))
        d.end()
        parameter[0] = d.here()
        make(d)
    d.end()
    d.close()
    m.save(name, d)


def type_of_itself(m):
    types(m, "type_of_itself", [0],
          lambda d: d.die(TAG_TYPEDEF, (AT_TYPE, FORM_REF4, u32(d.here()))))


def type_cycle(m):
    def make(d):
        at = d.here()
        d.die(TAG_CONST, (AT_TYPE, FORM_REF4, u32(at + 5)))
        d.die(TAG_TYPEDEF, (AT_TYPE, FORM_REF4, u32(at)))
    types(m, "type_cycle", [0], make)


def type_that_has_itself(m):
    def make(d):
        at = d.here()
        d.die(TAG_STRUCT, (AT_NAME, FORM_STRING, b"s\0"), (AT_HIGH_PC, FORM_DATA1, b"\x08"),
              children=True)
        for i in range(16):
            d.die(TAG_MEMBER, (AT_NAME, FORM_STRING, b"m%c\0" % (97 + i)),
                  (AT_TYPE, FORM_REF4, u32(at)), (AT_DATA_MEMBER_LOCATION, FORM_DATA1, b"\0"))
        d.end()
    types(m, "type_that_has_itself", [0], make)


def type_of_many_pointers(m):
    def make(d):
        for _ in range(1 << 17):
            d.die(TAG_POINTER, (AT_TYPE, FORM_REF4, u32(d.here() + 5)))
        d.die(TAG_POINTER)
    types(m, "type_of_many_pointers", [0], make)


def deep(m, name, tag):
    d = Dwarf()
    m.unit(d)
    for _ in range(1 << 16):
        d.die(tag, *m.place(), children=True)
    d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRING, b"liar\0"), *m.place())
    d.dies += bytes((1 << 16) + 1)
    d.close()
    m.save(name, d)


def deep_functions(m):
    deep(m, "deep_functions", TAG_SUBPROGRAM)


def deep_namespaces(m):
    deep(m, "deep_namespaces", TAG_NAMESPACE)


def deep_without_end(m):
    """Children of children to the end of the section, and never an end of them."""
    d = Dwarf()
    m.unit(d)
    for _ in range(1 << 16):
        d.die(TAG_LEXICAL_BLOCK, children=True)
    d.close()
    m.save("deep_without_end", d)


def sibling_before(m):
    """The next one is the one before."""
    d = Dwarf()
    m.unit(d)
    first = d.die(TAG_NAMESPACE, (AT_SIBLING, FORM_REF4, u32(d.here() + 6)), children=True)
    d.end()
    d.die(TAG_NAMESPACE, (AT_SIBLING, FORM_REF4, u32(first)), children=True)
    d.end()
    d.end()
    d.close()
    m.save("sibling_before", d)


def imports_itself(m):
    d = Dwarf()
    for _ in range(2):
        m.unit(d)
        d.die(TAG_IMPORTED_UNIT, (AT_IMPORT, FORM_REF_ADDR, u32(d.head)))
        d.end()
        d.close()
    m.save("imports_itself", d)


def references_to_nowhere(m):
    d = Dwarf()
    m.unit(d)
    for form, value in ((FORM_REF4, u32(0xfffffff0)), (FORM_REF_ADDR, u32(0x7fffffff)),
                        (FORM_REF_SIG8, u64(0x1234)), (FORM_REF4, u32(3)), (FORM_REF4, u32(0))):
        d.die(TAG_SUBPROGRAM, (AT_SPECIFICATION, form, value), *m.place())
    d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRP, u32(0x7fffffff)), *m.place())
    d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_BLOCK4, u32(0x7fffffff)), *m.place())
    d.close()
    m.save("references_to_nowhere", d, debug_str=b"no end")


def name_without_end(m):
    d = Dwarf()
    m.unit(d)
    d.die(TAG_SUBPROGRAM, *m.place(), (AT_NAME, FORM_STRING, b"e" * 100000))
    d.close()
    m.save("name_without_end", d)


# Ranges

def ranges(m, name, content, functions):
    d = Dwarf()
    m.unit(d, (AT_RANGES, FORM_SEC_OFFSET, u32(0)))
    for _ in range(functions):
        d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRING, b"liar\0"),
              (AT_RANGES, FORM_SEC_OFFSET, u32(0)))
    d.end()
    d.close()
    m.save(name, d, debug_ranges=content)


def ranges_without_end(m):
    ranges(m, "ranges_without_end", (u64(1 << 40) + u64((1 << 40) + 1)) * (1 << 18), 4)


def ranges_of_many(m):
    """As many functions as ranges, and each has them all."""
    ranges(m, "ranges_of_many", (u64(m.low) + u64(m.low + 1)) * (1 << 14) + bytes(16), 1 << 14)


def range_lists_lie(m):
    """DWARF 5: a list of offsets that is longer than the section."""
    d = Dwarf(version=5)
    d.die(TAG_COMPILE_UNIT, (AT_NAME, FORM_STRING, b"bad.c\0"), (0x74, FORM_SEC_OFFSET, u32(12)),
          (AT_LOW_PC, FORM_ADDR, u64(0)), (AT_RANGES, 0x23, uleb(1 << 30)), children=True)
    d.die(TAG_SUBPROGRAM, (AT_NAME, FORM_STRING, b"liar\0"), (AT_RANGES, 0x23, uleb(5)))
    d.close()
    lists = struct.pack("<HBBI", 5, 8, 0, 0xffffffff) + b"\x06" * 100
    m.save("range_lists_lie", d, debug_rnglists=u32(len(lists)) + lists)


# Abbreviations and units

def with_abbrevs(m, name, abbrevs, dies=b"\1" * 64):
    d = Dwarf()
    d.dies += dies
    d.close(abbrev_at=0)
    d.abbrevs = abbrevs
    m.save(name, d)


def abbrevs_without_end(m):
    with_abbrevs(m, "abbrevs_without_end", uleb(1) + uleb(TAG_COMPILE_UNIT) + b"\1" +
                 (uleb(AT_NAME) + uleb(FORM_DATA1)) * (1 << 20))


def abbrevs_of_many(m):
    """As many kinds of DIE as there are bytes; none is the one that is asked for."""
    with_abbrevs(m, "abbrevs_of_many", b"".join(
        uleb(n + 2) + uleb(TAG_SUBPROGRAM) + b"\0\0\0" for n in range(1 << 18)), b"\1" * 4096)


def abbrevs_of_one_number(m):
    with_abbrevs(m, "abbrevs_of_one_number",
                 (uleb(1) + uleb(TAG_COMPILE_UNIT) + b"\1" + uleb(AT_NAME) + uleb(FORM_DATA1) +
                  b"\0\0") * (1 << 16) + b"\0")


def abbrevs_of_no_form(m):
    body = uleb(1) + uleb(TAG_COMPILE_UNIT) + b"\1"
    for form in (0x7f, 0x1f01, 0x1f20, 0x2c, 1 << 40):
        body += uleb(AT_NAME) + uleb(form)
    with_abbrevs(m, "abbrevs_of_no_form", body + b"\0\0\0")


def abbrevs_indirect(m):
    """A form that says that the form is in the data, which says so, too."""
    body = uleb(1) + uleb(TAG_COMPILE_UNIT) + b"\1" + uleb(AT_NAME) + uleb(FORM_INDIRECT)
    with_abbrevs(m, "abbrevs_indirect", body + b"\0\0\0", b"\1" + bytes([FORM_INDIRECT]) * (1 << 20))


def abbrevs_cut_off(m):
    body = uleb(1) + uleb(TAG_COMPILE_UNIT) + b"\1" + uleb(AT_LOW_PC) + uleb(FORM_IMPLICIT_CONST)
    with_abbrevs(m, "abbrevs_cut_off", body + b"\xff")


def abbrevs_elsewhere(m):
    d = Dwarf()
    m.unit(d)
    d.close(abbrev_at=0x7ffffff0)
    m.save("abbrevs_elsewhere", d)


def units_that_lie(m):
    """A long one, one of nothing, one of 64 bits, one without an end."""
    d = Dwarf()
    m.unit(d)
    d.end()
    d.close(length=7)
    d.units += u32(0) * 1000 + u32(0xffffffff) + u64(2**64 - 20) + bytes(20)
    m.unit(d)
    d.close(length=0xfffffff0)
    m.save("units_that_lie", d)


def units_of_many(m):
    """Some 50,000 of them, that all say that they have the function."""
    d = Dwarf()
    m.unit(d)
    d.end()
    d.close()
    d.units = bytes(d.units) * 50000
    m.save("units_of_many", d)


# Files that are no programs any more

def x_segments_that_overlap(m):
    elf = Elf(m.program)
    phoff, = struct.unpack_from("<Q", elf.data, 32)
    first = next(i for i in range(64) if struct.unpack_from("<I", elf.data, phoff + i * 56)[0] == 1)
    header = bytearray(elf.data[phoff + first * 56:phoff + first * 56 + 56])
    struct.pack_into("<I", header, 4, 5)
    struct.pack_into("<QQQQQ", header, 8, 0, 0, 0, len(elf.data), len(elf.data))
    struct.pack_into("<Q", elf.data, 32, len(elf.data))
    struct.pack_into("<H", elf.data, 56, 64)
    elf.data += bytes(header) * 64
    elf.write(m.directory / "x_segments_that_overlap")


def x_many_sections(m):
    """As many as a file with a hole has room for: their number is in the first of them."""
    elf = Elf(m.program)
    elf.sections[0].update(size=60 * MIB)
    elf.write(m.directory / "x_many_sections", hole=4096 * MIB)
    with open(m.directory / "x_many_sections", "r+b") as f:
        f.seek(60)
        f.write(struct.pack("<H", 0))


MAKERS = [
    overlapping_sections, names_of_itself, lying_sizes, symbols_to_the_end, symbols_in_a_hole,
    one_name_for_all, names_without_end, unwind_of_itself, packed_info, packed_info_lies,
    packed_symbols, packed_mini, packed_mini_dictionary, many_lines, lines_back_and_forth,
    lines_of_no_length, lines_of_many_files, specification_of_itself, origin_cycle,
    inlined_in_itself, type_of_itself, type_cycle, type_that_has_itself, type_of_many_pointers,
    deep_functions, deep_namespaces, deep_without_end, sibling_before, imports_itself,
    references_to_nowhere, name_without_end, ranges_without_end, ranges_of_many, range_lists_lie,
    abbrevs_without_end, abbrevs_of_many, abbrevs_of_one_number, abbrevs_of_no_form,
    abbrevs_indirect, abbrevs_cut_off, abbrevs_elsewhere, units_that_lie, units_of_many,
    x_segments_that_overlap, x_many_sections,
]


def main():
    maker, names = Maker(*sys.argv[1:4]), sys.argv[4:]
    if names and "/" in names[0]:
        part, parts = map(int, names[0].split("/"))
        names = [make.__name__ for make in MAKERS[part::parts]]
    for make in MAKERS:
        if not names or make.__name__ in names:
            make(maker)


main()

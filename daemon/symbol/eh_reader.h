/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the numbers of .eh_frame and .gcc_except_table, whose encodings the data itself names
 * ("DWARF Extensions" of the Linux Standard Base). Of 64-bit files in this machine's byte order.
 */
#ifndef SONDE_SYMBOL_EH_READER_H
#define SONDE_SYMBOL_EH_READER_H

#include "symbol/elf_image.h"

/* Pointer encodings: the form in the low bits, above it what the value is relative to. */
enum {
	ENC_ABSPTR = 0x00,
	ENC_ULEB = 0x01,
	ENC_UDATA2 = 0x02,
	ENC_UDATA4 = 0x03,
	ENC_UDATA8 = 0x04,
	ENC_SLEB = 0x09,
	ENC_SDATA2 = 0x0a,
	ENC_SDATA4 = 0x0b,
	ENC_SDATA8 = 0x0c,
	ENC_FORM = 0x0f,
	ENC_ABSOLUTE = 0x00,
	ENC_PCREL = 0x10,
	ENC_FUNCREL = 0x40,
	ENC_RELATIVE = 0x70,
	ENC_INDIRECT = 0x80,
	ENC_OMIT = 0xff,
};

/* Once something is read beyond the end, all that is read is 0. */
struct eh_reader {
	const uint8_t *data;
	size_t size, at;
	uint64_t vaddr; /* of data[0] */
	bool bad;
};

/* Of a section of the image, which is to outlive it. -ENODATA: there is none, or that of reading.
 */
int eh_reader_open(struct elf_image *image, const char *section, struct eh_reader *ret);

/* An unsigned number of `size` bytes (at most 8), or a signed one. */
uint64_t eh_fixed(struct eh_reader *r, size_t size, bool is_signed);
/* One of 7 bits a byte. */
uint64_t eh_leb(struct eh_reader *r, bool is_signed);
/* One in the form that an encoding names. */
uint64_t eh_value(struct eh_reader *r, uint8_t encoding);
/* An address; 0 is none, whatever it is relative to. function: that of the entry that is read. */
uint64_t eh_pointer(struct eh_reader *r, uint8_t encoding, uint64_t function);
/* A reader of the next `size` bytes alone, which are passed. */
struct eh_reader eh_take(struct eh_reader *r, uint64_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/eh_reader.h"

int eh_reader_open(struct elf_image *image, const char *section, struct eh_reader *ret)
{
	const struct elf_section *s = elf_image_find_section(image, section);
	struct eh_reader reader = {};
	int r;

	if (!s)
		return -ENODATA;
	reader.vaddr = s->vaddr;
	r = elf_image_section_data(image, s, &reader.data, &reader.size);
	if (r >= 0)
		*ret = reader;
	return r;
}

uint64_t eh_fixed(struct eh_reader *r, size_t size, bool is_signed)
{
	uint64_t v = 0;

	if (r->bad || r->size - r->at < size) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->data + r->at, size);
	r->at += size;
	if (is_signed && size < 8 && v >> (size * 8 - 1))
		v |= UINT64_MAX << (size * 8);
	return v;
}

uint64_t eh_leb(struct eh_reader *r, bool is_signed)
{
	uint64_t v = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)eh_fixed(r, 1, false);
		if (shift > 63)
			r->bad = true;
		else
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80 && !r->bad);
	if (is_signed && byte & 0x40 && shift < 64)
		v |= UINT64_MAX << shift;
	return r->bad ? 0 : v;
}

uint64_t eh_value(struct eh_reader *r, uint8_t encoding)
{
	switch (encoding & ENC_FORM) {
	case ENC_ABSPTR:
	case ENC_UDATA8:
	case ENC_SDATA8:
		return eh_fixed(r, 8, false);
	case ENC_ULEB:
		return eh_leb(r, false);
	case ENC_UDATA2:
		return eh_fixed(r, 2, false);
	case ENC_UDATA4:
		return eh_fixed(r, 4, false);
	case ENC_SLEB:
		return eh_leb(r, true);
	case ENC_SDATA2:
		return eh_fixed(r, 2, true);
	case ENC_SDATA4:
		return eh_fixed(r, 4, true);
	}
	r->bad = true;
	return 0;
}

uint64_t eh_pointer(struct eh_reader *r, uint8_t encoding, uint64_t function)
{
	uint64_t place = r->vaddr + r->at, v = eh_value(r, encoding);

	if (v == 0)
		return 0;
	switch (encoding & (ENC_RELATIVE | ENC_INDIRECT)) {
	case ENC_ABSOLUTE:
		return v;
	case ENC_PCREL:
		return place + v;
	case ENC_FUNCREL:
		return function + v;
	}
	r->bad = true;
	return 0;
}

struct eh_reader eh_take(struct eh_reader *r, uint64_t size)
{
	struct eh_reader sub = {.bad = true};

	if (r->bad || size > r->size - r->at) {
		r->bad = true;
		return sub;
	}
	sub = (struct eh_reader){
		.data = r->data, .size = r->at + size, .at = r->at, .vaddr = r->vaddr};
	r->at += size;
	return sub;
}

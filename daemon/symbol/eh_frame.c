/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/eh_frame.h"

enum { LETTERS_MAX = 16 };

/* The augmentation is a letter a field; behind an unknown one nothing can be read. */
static void read_augmentation(struct eh_reader *r, const char *letters, struct eh_cie *ret)
{
	for (; *letters && !r->bad; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'L':
			ret->lsda = (uint8_t)eh_fixed(r, 1, false);
			break;
		case 'R':
			ret->address = (uint8_t)eh_fixed(r, 1, false);
			break;
		case 'P':
			encoding = (uint8_t)eh_fixed(r, 1, false);
			eh_value(r, encoding); /* the personality routine */
			break;
		case 'S':
			ret->is_signal = true;
			break;
		case 'B':
			break;
		default:
			r->bad = true;
		}
	}
	ret->is_known = !r->bad;
}

/* r: behind the entry's id. */
static void read_cie(struct eh_reader *r, struct eh_cie *ret)
{
	uint8_t version = (uint8_t)eh_fixed(r, 1, false);
	const char *letters = (const char *)r->data + r->at;
	struct eh_reader data;

	*ret = (struct eh_cie){.offset = ret->offset, .address = ENC_ABSPTR, .lsda = ENC_OMIT};
	for (int i = 0; eh_fixed(r, 1, false) != 0; i++)
		if (i == LETTERS_MAX)
			return;
	if (r->bad || (version != 1 && version != 3 && version != 4))
		return;
	if (version == 4)
		eh_fixed(r, 2, false); /* sizes of an address and of a segment */
	ret->code_align = eh_leb(r, false);
	ret->data_align = (int64_t)eh_leb(r, true);
	ret->return_register = version == 1 ? eh_fixed(r, 1, false) : eh_leb(r, false);
	ret->is_augmented = *letters == 'z';
	if (ret->is_augmented) {
		data = eh_take(r, eh_leb(r, false));
		read_augmentation(&data, letters + 1, ret);
	} else {
		ret->is_known = *letters == '\0' && !r->bad;
	}
	ret->program = *r;
}

/* The bytes of the entry at the reader's place, which is passed. */
static struct eh_reader take_entry(struct eh_reader *r)
{
	uint64_t length = eh_fixed(r, 4, false);

	if (length == UINT32_MAX)
		length = eh_fixed(r, 8, false);
	return eh_take(r, length);
}

/* r: behind the entry's id. */
static int read_fde(struct eh_reader *r, const struct eh_cie *cie, struct eh_fde *ret)
{
	struct eh_fde fde = {};
	struct eh_reader data;

	fde.vaddr = eh_pointer(r, cie->address, 0);
	fde.size = eh_value(r, cie->address & ENC_FORM);
	if (r->bad || fde.vaddr == 0 || fde.size == 0)
		return EH_UNREADABLE;
	if (cie->is_augmented) {
		data = eh_take(r, eh_leb(r, false));
		if (cie->lsda != ENC_OMIT)
			fde.lsda = eh_pointer(&data, cie->lsda, fde.vaddr);
	}
	fde.program = *r;
	*ret = fde;
	return EH_FUNCTION;
}

int eh_frame_open(struct elf_image *image, struct eh_frame *ret)
{
	struct eh_frame f = {.cie.offset = SIZE_MAX};
	int r = eh_reader_open(image, ".eh_frame", &f.r);

	if (r >= 0)
		*ret = f;
	return r;
}

int eh_frame_next(struct eh_frame *f, struct eh_fde *ret)
{
	struct eh_reader entry, common;
	size_t start, offset;
	uint64_t id = 0;

	while (id == 0) {
		if (f->r.bad || f->r.at >= f->r.size)
			return EH_END;
		entry = take_entry(&f->r);
		if (!f->r.bad && entry.at == entry.size) {
			f->r.at = f->r.size; /* an empty entry ends the section */
			return EH_END;
		}
		start = entry.at;
		id = eh_fixed(&entry, 4, false);
		if (entry.bad)
			return -EBADMSG;
	}
	/* The id is the distance back to the common entry, which most share with the one before. */
	if (id > start)
		return -EBADMSG;
	offset = start - id;
	if (f->cie.offset != offset) {
		common = (struct eh_reader){
			.data = f->r.data, .size = f->r.size, .at = offset, .vaddr = f->r.vaddr};
		common = take_entry(&common);
		if (eh_fixed(&common, 4, false) != 0 || common.bad)
			return -EBADMSG;
		f->cie.offset = offset;
		read_cie(&common, &f->cie);
	}
	return f->cie.is_known ? read_fde(&entry, &f->cie, ret) : EH_UNREADABLE;
}

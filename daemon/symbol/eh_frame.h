/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the entries of .eh_frame ("Exception Frames" of the Linux Standard Base). The section's
 * bytes are not trusted.
 */
#ifndef SONDE_SYMBOL_EH_FRAME_H
#define SONDE_SYMBOL_EH_FRAME_H

#include "symbol/eh_reader.h"

/* What a common information entry (CIE) says about its functions' entries. */
struct eh_cie {
	size_t offset;
	uint8_t address, lsda; /* encodings */
	bool is_augmented, is_known;
	bool is_signal; /* the frame of a signal handler's return */
	uint64_t code_align, return_register;
	int64_t data_align;
	struct eh_reader program; /* its call frame instructions */
};

/* A function's entry. */
struct eh_fde {
	uint64_t vaddr, size; /* neither is 0 */
	uint64_t lsda;	      /* 0: none */
	struct eh_reader program;
};

struct eh_frame {
	struct eh_reader r;
	struct eh_cie cie; /* of the entry that was read last */
};

enum eh_next {
	EH_END = 0,
	EH_FUNCTION = 1,
	EH_UNREADABLE = 2, /* of no address, or its common entry has an unknown format */
};

/* Reads from the image, which is to outlive it. -ENODATA: it has none, or that of reading it. */
int eh_frame_open(struct elf_image *image, struct eh_frame *ret);
/*
 * The next function's entry; ret is written at EH_FUNCTION alone. -EBADMSG: it is damaged; the
 * call after that goes on behind it, and at the end of the data when its length is damaged too.
 */
int eh_frame_next(struct eh_frame *f, struct eh_fde *ret);

#endif

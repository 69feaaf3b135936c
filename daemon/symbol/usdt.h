/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Static probes (USDT): what the notes of a file say about them. Each is an instruction, usually a
 * nop, and a note of owner "stapsdt", type 3, in the section .note.stapsdt: where the instruction
 * is, where the semaphore that turns on the probe's preparations is, provider, name, and where the
 * arguments are found when the instruction is reached. A probe that is written once may be several
 * places in the code (inlining), each with a note of its own.
 */
#ifndef SONDE_SYMBOL_USDT_H
#define SONDE_SYMBOL_USDT_H

#include "symbol/function_type.h"

enum {
	USDT_MAX_ARGS = 12,	 /* as many as the macros of sys/sdt.h take */
	USDT_MAX_NOTES = 100000, /* of a file; what is beyond is not looked at */
};

struct usdt_note {
	const char *provider, *name, *args; /* valid until the notes are freed */
	uint64_t vaddr;			    /* of the instruction, in the file's address space */
	uint64_t semaphore;		    /* address of the two-byte counter; 0: it has none */
};

struct usdt_notes;

/*
 * The notes of a file, sorted by provider, name and address, without duplicates. Damaged ones are
 * left out. -ENODATA when there is none, -EFBIG, -ENOEXEC as of sections, -ENOMEM. The image is not
 * needed afterwards.
 */
int usdt_notes_read(struct elf_image *image, struct usdt_notes **ret);
struct usdt_notes *usdt_notes_free(struct usdt_notes *n);
DEFINE_CLEANUP(struct usdt_notes *, usdt_notes_free)
const struct usdt_note *usdt_notes_all(const struct usdt_notes *n, size_t *ret_n);

enum usdt_place {
	USDT_CONSTANT,	 /* value itself */
	USDT_REGISTER,	 /* size bytes of register base, from bit `shift` on */
	USDT_MEMORY,	 /* at base + value + index × scale */
	USDT_UNREADABLE, /* see reason */
};

enum { USDT_NO_REGISTER = 0xff };

/* Registers by their numbers in x86-64 instructions: 0 is rax, 1 rcx, 4 rsp, 15 r15. */
struct usdt_arg {
	enum usdt_place place;
	uint8_t size; /* 1, 2, 4, 8; of what is unreadable maybe 0 */
	bool is_signed, is_float;
	uint8_t base, index; /* index: USDT_NO_REGISTER for none */
	uint8_t scale;	     /* 1, 2, 4, 8 */
	uint8_t shift;	     /* of a register: 8 for ah, bh, ch, dh, else 0 */
	int64_t value;
	const char *reason; /* a clause, static: "it is in a vector register" */
};

/*
 * Takes the arguments apart: how many there are, at most USDT_MAX_ARGS. What is not understood is
 * USDT_UNREADABLE.
 */
size_t usdt_parse_args(const char *text, struct usdt_arg ret[static USDT_MAX_ARGS]);

/* The notes' arguments as those of a function; results are not known to it. */
struct usdt_type {
	struct function_type
		type; /* parameters are PARAM_IN_NOTE, with a name and their usdt_arg */
	struct function_param params[USDT_MAX_ARGS];
	struct usdt_arg args[USDT_MAX_ARGS];
};
/* returns: the note of the end of what `note` begins, whose first argument is the result; or NULL.
 * Nothing moves: ret is to stay where it is. */
void usdt_type_make(const struct usdt_note *note, const struct usdt_note *returns,
		    struct usdt_type *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How to unwind through the code of one ELF file: its .eh_frame as a table sorted by address, in a
 * form that can be followed without registers other than rip, rsp and rbp (x86-64). Rules are
 * those of the System V ABI's call frame information (DWARF 5, section 6.4).
 */
#ifndef SONDE_SYMBOL_UNWIND_TABLE_H
#define SONDE_SYMBOL_UNWIND_TABLE_H

#include "symbol/elf_image.h"

/* The canonical frame address: the stack pointer of the caller, behind the return address. */
enum unwind_cfa {
	UNWIND_NONE = 0,      /* no rule, or one that cannot be said here: try the frame pointer */
	UNWIND_END = 1,	      /* the outermost frame: its return address is undefined */
	UNWIND_RSP = 2,	      /* rsp + offset */
	UNWIND_RBP = 3,	      /* rbp + offset */
	UNWIND_RSP_DEREF = 4, /* what is stored at rsp + offset */
	UNWIND_RBP_DEREF =
		5, /* what is stored at rbp + offset: a function that aligned its stack */
	/* A stub of the PLT, of 16 bytes: rsp + 8, and 8 more from its cfa_offset-th byte on. */
	UNWIND_PLT = 6,
	UNWIND_SIGNAL = 7, /* the return of a signal handler: registers are in the frame at rsp */
};

enum unwind_rbp {
	UNWIND_RBP_SAME = 0,
	UNWIND_RBP_AT_CFA = 1,	  /* saved at CFA + rbp_offset */
	UNWIND_RBP_AT_RBP = 2,	  /* saved at rbp + rbp_offset */
	UNWIND_RBP_UNDEFINED = 3, /* lost, or saved where it cannot be said */
};

/* Holds from pc up to the pc of the next row. Eight bytes, as the kernel's arrays have them. */
struct unwind_row {
	uint32_t pc;	    /* address in the file less the table's base */
	int16_t cfa_offset; /* in units of 8 bytes, but of UNWIND_PLT in bytes */
	int8_t rbp_offset;  /* in units of 8 bytes */
	uint8_t rule;	    /* enum unwind_cfa, and enum unwind_rbp in the upper four bits */
};

static inline uint8_t unwind_rule(enum unwind_cfa cfa, enum unwind_rbp rbp)
{
	return (uint8_t)(cfa | rbp << 4);
}

struct unwind_table {
	uint64_t base; /* the address of pc 0: the lowest of the file's executable segments */
	struct unwind_row *rows;
	size_t len;
	size_t functions; /* entries (FDEs) that were read */
	size_t bad;	  /* entries left out: damaged, or of addresses outside the code */
	size_t unsaid;	  /* rows of UNWIND_NONE inside functions: rules that cannot be said */
};

enum { UNWIND_MAX_ROWS = 16 << 20 };

/*
 * Reads the .eh_frame of an image, which is not needed afterwards. Between functions there are
 * rows of UNWIND_NONE; neighbours that say the same are one row; of overlapping entries the one
 * that begins later wins. The file's bytes are not trusted: what is damaged is counted and left
 * out. -ENODATA: the file has no .eh_frame, or nothing in it; -ENOTSUP: not an x86-64 file;
 * -EFBIG: more than UNWIND_MAX_ROWS; -ENOMEM, or that of reading the section.
 */
int unwind_table_new(struct elf_image *image, struct error *error, struct unwind_table **ret);
struct unwind_table *unwind_table_free(struct unwind_table *t);
DEFINE_CLEANUP(struct unwind_table *, unwind_table_free)

/* The row that covers an address of the file; NULL outside the table. */
const struct unwind_row *unwind_table_find(const struct unwind_table *t, uint64_t vaddr);

#endif

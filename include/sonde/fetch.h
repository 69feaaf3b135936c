/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the kernel side reads one captured value at the entry of a call: the daemon makes it from a
 * type description, the span programs follow it. One table for all probes of a session, in rows of
 * RECORD_MAX_CAPTURES.
 *
 * An address is found by steps. It starts as an argument register's value; each step but the last
 * adds its offset and loads the pointer found there; the last only adds its offset. With no steps
 * the register itself is the value (FETCH_NUMBER) or the address (FETCH_TEXT, FETCH_BUFFER).
 *
 * Static probes have their arguments anywhere: there an address starts as what FETCH_REGISTER,
 * FETCH_CONSTANT and FETCH_INDEXED say. Only their programs (bpf/span_static.bpf.h) know these.
 */
#ifndef SONDE_FETCH_H
#define SONDE_FETCH_H

#include "sonde/record.h"

enum fetch_kind {
	FETCH_NONE = 0,	  /* ends a probe's row */
	FETCH_NUMBER = 1, /* size bytes at the address */
	FETCH_TEXT = 2,	  /* a NUL-terminated string at the address */
	FETCH_BUFFER = 3, /* length bytes at the address */
};

enum fetch_flags {
	FETCH_SIGNED = 1 << 0,	/* a number that is extended by its sign */
	FETCH_POINTER = 1 << 1, /* text, buffer: a pointer at the address is loaded first */
	/* Buffer: length is the index of the argument that has it, size what counts of it. */
	FETCH_LENGTH_ARG = 1 << 2,
	FETCH_REGISTER = 1 << 3, /* arg is the number of any general register, as in machine code */
	FETCH_CONSTANT = 1 << 4, /* no register: steps 0 and 1 are the value, and no steps */
	FETCH_INDEXED = 1 << 5,	 /* index is added in the first step: see FETCH_SCALE_SHIFT */
};

enum {
	FETCH_MAX_STEPS = 6,
	/*
	 * Arguments from RECORD_ARGS on are on the stack: number RECORD_ARGS + i is the 8-byte word
	 * i above the return address.
	 */
	FETCH_MAX_ARGS = 16,
	/* index: the number of a register, whose value is shifted left by what the upper bits say.
	 */
	FETCH_SCALE_SHIFT = 4,
};

struct fetch {
	__u8 kind, flags;
	__u8 arg;     /* 0 … FETCH_MAX_ARGS - 1 */
	__u8 n_steps; /* 0 … FETCH_MAX_STEPS */
	__u8 size;    /* of a number: 1, 2, 4, 8 */
	__u8 shift;   /* of a bit field: it is shifted right by this, … */
	__u8 bits;    /* … then cut to so many bits; 0: no bit field */
	__u8 index;   /* of FETCH_INDEXED */
	__u16 slot;   /* offset in record_call.values, a multiple of 8 */
	__u16 room;   /* text, buffer: bytes for the text, without record_text.len */
	__u32 length;
	__s32 steps[FETCH_MAX_STEPS];
};

#ifndef __bpf__
static_assert(sizeof(struct fetch) == 40, "shared with the span programs");
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the probes of a function go. Entry: the first instruction, or one behind it that the
 * kernel can emulate rather than single-step (facts.md: 14 times cheaper). Return: the kernel's
 * return probe where nothing unwinds through the function, else every instruction that leaves it.
 * Works on bytes of the file; attaches nothing.
 */
#ifndef SONDE_PROBE_PLACE_H
#define SONDE_PROBE_PLACE_H

#include "sonde/base/util.h"

/* What a hit costs depends on how the kernel gets the instruction done. */
enum hit_kind {
	HIT_OPTIMISED, /* a nop5 at a function's start, which Linux 6.18 turns into a call */
	HIT_EMULATED,  /* nop, push, call, jmp, jcc */
	HIT_STEPPED,   /* copied out of line and single-stepped */
	HIT_KINDS,
};

/* Code that is known to belong together: a function, or a part of one that was moved away. */
struct place_part {
	uint64_t vaddr, size;
	const uint64_t *landings;
	size_t n_landings;
};

/* The code of one function in a file, and what is known around it. */
struct place_code {
	const uint8_t *bytes; /* of the function */
	size_t size;
	uint64_t vaddr; /* of bytes[0] in the file's address space */
	/* Reads other bytes of the file by address (jump tables, parts the compiler moved away):
	 * how many could be read. May be NULL. */
	size_t (*read)(void *arg, uint64_t vaddr, void *buf, size_t size);
	/* Whether a function known by name begins at that address. May be NULL: nothing is known.
	 */
	bool (*is_function)(void *arg, uint64_t vaddr);
	/*
	 * The name of what begins at that address: a function, a part of one (foo.cold), or the
	 * import of a PLT stub; NULL when nothing known does. Asked before is_function, as it tells
	 * parts from functions and calls that do not return from others. May be NULL.
	 */
	const char *(*name)(void *arg, uint64_t vaddr);
	void *arg;
	/* Where unwinding resumes in the function: no jump leads there. May be none, if not known.
	 */
	const uint64_t *landings;
	size_t n_landings;
	/* The part that covers an address elsewhere; false when that is not known. May be NULL. */
	bool (*part)(void *arg, uint64_t vaddr, struct place_part *ret);
	/* Keeps what one function here found out about the code for the others; may be NULL. See
	 * place_file.h, which has one. */
	struct flow *memo;
	bool is_go;
};

struct entry_place {
	uint32_t skipped; /* bytes from the function's start to the probe */
	enum hit_kind hit;
	uint8_t lost_args; /* bit i: argument register i has been overwritten on the way */
	uint8_t sp_below;  /* bytes the stack pointer is below its value at entry: 8 for a push */
	char instruction[32]; /* what is probed: "push %rbp" */
};

/*
 * needed_args: argument registers that must still be there. may_move_sp: the stack pointer need
 * not be that of the entry (no return probe there). avoid_nop5: see the traps in facts.md. Never
 * slides past a branch target, a call, a branch (but Go's stack check), or anything unknown. The
 * place may be one of place_returns() too: in `mov $1,%esi; jmp other` both are the jump.
 */
void place_entry(const struct place_code *code, uint8_t needed_args, bool may_move_sp,
		 bool avoid_nop5, struct entry_place *ret);

/* An instruction by which a function is left. */
enum site_kind {
	SITE_RET,      /* ret: the stack pointer is that of the entry */
	SITE_JUMP,     /* a jump to another function */
	SITE_JUMP_IF,  /* the same on a condition: code is the condition's number 0 … 15 */
	SITE_JUMP_REG, /* a jump to where register `code` (0 … 15, of the encoding) points: it
			* leaves the function unless it stays inside it */
};

struct return_site {
	uint64_t vaddr;
	enum site_kind kind;
	uint8_t code;
	enum hit_kind hit;
};

/*
 * Finds every instruction that leaves the function, those of parts moved elsewhere included.
 * -EOPNOTSUPP with one clause in *ret_reason (static) when that cannot be done for certain: "it
 * jumps by a table that cannot be read". A function that never returns has none: 0 and *ret_n 0.
 */
int place_returns(const struct place_code *code, struct return_site **ret_sites, size_t *ret_n,
		  const char **ret_reason);

/*
 * Whether an exception (or a forced unwind) can pass through the function: false when it calls
 * nothing, or only functions of which that is known. can_call answers for a direct call or tail
 * jump to an address: true when that callee can unwind; NULL: every call can.
 */
bool place_can_unwind(const struct place_code *code, bool (*can_call)(void *arg, uint64_t vaddr),
		      void *arg);

/* "push %rbp" and the like at an address; for messages. */
void place_instruction(const struct place_code *code, size_t offset, char *buf, size_t size);
/* How the kernel gets an instruction done; HIT_KINDS when it is none or refused. */
enum hit_kind place_hit(const uint8_t *bytes, size_t size, bool at_function_start);

#endif

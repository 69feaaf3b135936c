/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the call frame instructions of one function (DWARF 5, section 6.4.2), and says what holds
 * where as rows of an unwind table. Of x86-64.
 */
#ifndef SONDE_SYMBOL_UNWIND_RULES_H
#define SONDE_SYMBOL_UNWIND_RULES_H

#include "symbol/eh_frame.h"
#include "symbol/unwind_table.h"

/* Compilers save the state once at a time; assembly hardly ever nests. */
enum { UNWIND_STATES_MAX = 16 };

enum unwind_saving {
	SAVED_SAME = 0,
	SAVED_UNDEFINED,
	SAVED_AT_CFA, /* at an offset from the CFA */
	SAVED_AT_RBP, /* at an offset from rbp */
	SAVED_ELSEWHERE,
};

struct unwind_saved {
	enum unwind_saving how;
	int64_t offset; /* in bytes */
};

struct unwind_state {
	enum unwind_cfa cfa;
	bool is_plain; /* a register and an offset, which instructions can change one by one */
	int64_t cfa_offset;
	struct unwind_saved rbp, rip;
};

struct unwind_rules {
	const struct eh_cie *cie;
	struct eh_reader program;
	struct unwind_state state, initial; /* initial: what the common entry says */
	struct unwind_state states[UNWIND_STATES_MAX];
	size_t n_states;
	uint64_t vaddr, end;
};

/* Runs the common entry, which is to outlive the rules. -EBADMSG: it is damaged. */
int unwind_rules_init(struct unwind_rules *u, const struct eh_cie *cie);
/* Begins a function of that entry; then each call of next gives a row: 1, or 0 at the end. */
void unwind_rules_start(struct unwind_rules *u, const struct eh_fde *fde);
/* The pc of the row is not written: its address is *ret_vaddr. -EBADMSG: damaged from here on. */
int unwind_rules_next(struct unwind_rules *u, uint64_t *ret_vaddr, struct unwind_row *ret);

#endif

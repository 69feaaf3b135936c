/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code generator: the kernel's part of a bound condition as a BPF program of its own, which
 * the span programs reach by a tail call.
 */
#ifndef SONDE_EXPR_CODE_H
#define SONDE_EXPR_CODE_H

#include "expr/expr.h"

struct bpf_insn;

/* Where the program finds the call, and what it does with its verdict. */
struct expr_target {
	int facts_fd; /* map whose value begins with struct record_call */
	/* True: task storage of the current thread. False: an array, element 0 (tests). */
	bool task_storage;
	/*
	 * Program array for the verdict: element on_true or on_false is called; a negative index
	 * (or an empty element) ends the program. Negative fd: the verdict is returned, 1 or 0.
	 */
	int verdict_fd;
	int on_true, on_false;
};

/* The instructions are the caller's to free. -EOPNOTSUPP when the kernel has no part in it. */
int bound_compile(const struct bound *b, const struct expr_target *target,
		  struct bpf_insn **ret_insns, size_t *ret_n);
/*
 * Compiles and loads: prog_type and expected_attach_type must be those of the programs that call
 * it. Returns the descriptor or -errno; the error says what the verifier said.
 */
int bound_load(const struct bound *b, const struct expr_target *target, int prog_type,
	       int expected_attach_type, struct error *e);

#endif

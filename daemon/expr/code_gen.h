/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two halves of the code generator. A truth becomes jumps to one of two labels; a value goes
 * to the value register number `at`, all from there on being free, or jumps to `undef`. That label
 * is where the comparison it stands in is false.
 */
#ifndef SONDE_EXPR_CODE_GEN_H
#define SONDE_EXPR_CODE_GEN_H

#include "expr/emit.h"
#include "expr/ir.h"

/* Where a truth leads. `next`, one of the two, will be placed right behind its code. */
struct ways {
	uint32_t yes, no, next;
};

void gen_truth(struct emit *c, const struct ir *n, unsigned int at, struct ways w);
void gen_value(struct emit *c, const struct ir *n, unsigned int at, uint32_t undef);
/* Two values at a time; the registers they are in are ret_x and ret_y. */
void gen_pair(struct emit *c, const struct ir *x, const struct ir *y, unsigned int at,
	      uint32_t undef, uint8_t *ret_x, uint8_t *ret_y);
void gen_valid(struct emit *c, uint8_t bit, uint32_t undef);
void gen_text(struct emit *c, const struct ir *n, struct ways w);

#endif

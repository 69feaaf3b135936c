/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/unwind_rules.h"

#include <dwarf.h>

enum { RBP = 6, RSP = 7, RIP = 16 };
enum { WORD = 8 };
/* In a signal frame, where rsp is kept: behind rsp in the struct ucontext of the kernel. */
enum { SIGNAL_RSP = 160 };
/* Two common entries in turn are run for every function, so a long one could take for ever. */
enum { COMMON_MAX = 256 };
/* The operand of these three is in the low bits. */
enum { HIGH = 0xc0, LOW = 0x3f };

static int64_t scaled(const struct unwind_rules *u, uint64_t v)
{
	return (int64_t)(v * (uint64_t)u->cie->data_align);
}

static enum unwind_cfa cfa_of(uint64_t reg)
{
	return reg == RSP ? UNWIND_RSP : reg == RBP ? UNWIND_RBP : UNWIND_NONE;
}

/* An expression's register and offset, alone or with a deref behind; -1 for any other. */
static int read_based(struct eh_reader r, bool is_deref, int64_t *ret_offset)
{
	uint8_t op = (uint8_t)eh_fixed(&r, 1, false);
	int64_t offset = (int64_t)eh_leb(&r, true);

	if (is_deref && eh_fixed(&r, 1, false) != DW_OP_deref)
		return -1;
	if (r.bad || r.at != r.size || op < DW_OP_breg0 || op > DW_OP_breg31)
		return -1;
	*ret_offset = offset;
	return op - DW_OP_breg0;
}

/*
 * What linkers write for the PLT: 8 more once the stub has pushed. That is at its 11th byte, and
 * earlier where it begins with endbr64. Returns which byte, -1 when it is not that.
 */
static int read_plt(const struct eh_reader *r)
{
	static const uint8_t plt[] = {DW_OP_breg7, 8,	      DW_OP_breg16, 0,
				      DW_OP_lit15, DW_OP_and, DW_OP_lit11,  DW_OP_ge,
				      DW_OP_lit3,  DW_OP_shl, DW_OP_plus};
	enum { PUSHED = 6, PUSHED_MAX = 15 };
	const uint8_t *at = r->data + r->at;

	if (r->size - r->at != sizeof(plt) || memcmp(at, plt, PUSHED) != 0 ||
	    memcmp(at + PUSHED + 1, plt + PUSHED + 1, sizeof(plt) - PUSHED - 1) != 0 ||
	    at[PUSHED] < DW_OP_lit0 || at[PUSHED] > DW_OP_lit0 + PUSHED_MAX)
		return -1;
	return at[PUSHED] - DW_OP_lit0;
}

static void set_cfa_expression(struct unwind_rules *u, const struct eh_reader *r)
{
	struct unwind_state *s = &u->state;
	int reg, pushed;

	s->cfa = UNWIND_NONE;
	s->cfa_offset = 0;
	s->is_plain = false;
	if (r->bad)
		return;
	pushed = read_plt(r);
	if (pushed >= 0) {
		s->cfa = UNWIND_PLT;
		s->cfa_offset = pushed * WORD;
		return;
	}
	reg = read_based(*r, true, &s->cfa_offset);
	if (reg == RSP)
		s->cfa = u->cie->is_signal && s->cfa_offset == SIGNAL_RSP ? UNWIND_SIGNAL
									  : UNWIND_RSP_DEREF;
	else if (reg == RBP)
		s->cfa = UNWIND_RBP_DEREF;
	else if ((reg = read_based(*r, false, &s->cfa_offset)) >= 0)
		s->cfa = cfa_of((uint64_t)reg);
}

/* False for an instruction that is not of these. */
static bool run_cfa(struct unwind_rules *u, uint8_t op)
{
	struct unwind_state *s = &u->state;
	struct eh_reader *r = &u->program, expression;

	switch (op) {
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
		s->cfa = cfa_of(eh_leb(r, false));
		s->cfa_offset = op == DW_CFA_def_cfa ? (int64_t)eh_leb(r, false)
						     : scaled(u, eh_leb(r, true));
		s->is_plain = true;
		return true;
	case DW_CFA_def_cfa_register:
		s->cfa = cfa_of(eh_leb(r, false));
		break;
	case DW_CFA_def_cfa_offset:
		s->cfa_offset = (int64_t)eh_leb(r, false);
		break;
	case DW_CFA_def_cfa_offset_sf:
		s->cfa_offset = scaled(u, eh_leb(r, true));
		break;
	case DW_CFA_def_cfa_expression:
		expression = eh_take(r, eh_leb(r, false));
		set_cfa_expression(u, &expression);
		return true;
	default:
		return false;
	}
	if (!s->is_plain)
		r->bad = true;
	return true;
}

static void set_saved(struct unwind_state *s, uint64_t reg, struct unwind_saved saved)
{
	if (reg == RBP)
		s->rbp = saved;
	else if (reg == RIP)
		s->rip = saved;
}

static void restore(struct unwind_rules *u, uint64_t reg)
{
	set_saved(&u->state, reg, reg == RBP ? u->initial.rbp : u->initial.rip);
}

static struct unwind_saved saved_by_expression(struct eh_reader *r)
{
	struct eh_reader expression = eh_take(r, eh_leb(r, false));
	struct unwind_saved saved = {.how = SAVED_ELSEWHERE};

	if (!expression.bad && read_based(expression, false, &saved.offset) == RBP)
		saved.how = SAVED_AT_RBP;
	return saved;
}

/* The same for instructions whose first operand is the register they are about. */
static bool run_register(struct unwind_rules *u, uint8_t op)
{
	struct eh_reader *r = &u->program;
	struct unwind_saved saved = {.how = SAVED_ELSEWHERE};
	uint64_t reg;

	if (op < DW_CFA_offset_extended || op == DW_CFA_remember_state ||
	    op == DW_CFA_restore_state || (op > DW_CFA_val_expression && op != 0x2f))
		return false;
	reg = eh_leb(r, false);
	switch (op) {
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_GNU_negative_offset_extended:
		saved.how = SAVED_AT_CFA;
		saved.offset = scaled(u, eh_leb(r, op == DW_CFA_offset_extended_sf));
		if (op == DW_CFA_GNU_negative_offset_extended)
			saved.offset = (int64_t) - (uint64_t)saved.offset;
		break;
	case DW_CFA_restore_extended:
		restore(u, reg);
		return true;
	case DW_CFA_undefined:
		saved.how = SAVED_UNDEFINED;
		break;
	case DW_CFA_same_value:
		saved.how = SAVED_SAME;
		break;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		eh_leb(r, false);
		break;
	case DW_CFA_expression:
		saved = saved_by_expression(r);
		break;
	case DW_CFA_val_expression:
		eh_take(r, eh_leb(r, false));
		break;
	}
	set_saved(&u->state, reg, saved);
	return true;
}

static void run_other(struct unwind_rules *u, uint8_t op)
{
	struct eh_reader *r = &u->program;

	switch (op) {
	case DW_CFA_nop:
		return;
	case DW_CFA_GNU_args_size:
		eh_leb(r, false);
		return;
	case DW_CFA_remember_state:
		if (u->n_states < UNWIND_STATES_MAX) {
			u->states[u->n_states++] = u->state;
			return;
		}
		break;
	case DW_CFA_restore_state:
		if (u->n_states > 0) {
			u->state = u->states[--u->n_states];
			return;
		}
		break;
	}
	r->bad = true;
}

/* The address that an instruction goes on to, or UINT64_MAX when it is not about addresses. */
static uint64_t read_advance(struct unwind_rules *u, uint8_t op)
{
	struct eh_reader *r = &u->program;
	uint64_t delta;

	if ((op & HIGH) == DW_CFA_advance_loc)
		delta = op & LOW;
	else if (op >= DW_CFA_advance_loc1 && op <= DW_CFA_advance_loc4)
		delta = eh_fixed(r, 1U << (op - DW_CFA_advance_loc1), false);
	else if (op == DW_CFA_MIPS_advance_loc8)
		delta = eh_fixed(r, 8, false);
	else if (op == DW_CFA_set_loc)
		return eh_pointer(r, u->cie->address, u->vaddr);
	else
		return UINT64_MAX;
	/* What is too far is beyond the function's end, wherever that is. */
	if (__builtin_mul_overflow(delta, u->cie->code_align, &delta) ||
	    __builtin_add_overflow(delta, u->vaddr, &delta))
		return UINT64_MAX - 1;
	return delta;
}

/* Runs up to the next address, which is returned; UINT64_MAX at the end or when damaged. */
static uint64_t run(struct unwind_rules *u)
{
	struct eh_reader *r = &u->program;

	while (!r->bad && r->at < r->size) {
		uint8_t op = (uint8_t)eh_fixed(r, 1, false);
		uint64_t vaddr = read_advance(u, op);

		if (vaddr != UINT64_MAX)
			return vaddr;
		if ((op & HIGH) == DW_CFA_offset)
			set_saved(&u->state, op & LOW,
				  (struct unwind_saved){SAVED_AT_CFA, scaled(u, eh_leb(r, false))});
		else if ((op & HIGH) == DW_CFA_restore)
			restore(u, op & LOW);
		else if (!run_cfa(u, op) && !run_register(u, op))
			run_other(u, op);
	}
	return UINT64_MAX;
}

/* In words, when it is a whole number of these from min to max. */
static bool to_words(int64_t offset, int64_t min, int64_t max, int64_t *ret)
{
	*ret = offset / WORD;
	return offset % WORD == 0 && *ret >= min && *ret <= max;
}

static struct unwind_row to_row(const struct unwind_rules *u)
{
	const struct unwind_state *s = &u->state;
	enum unwind_rbp rbp = UNWIND_RBP_SAME;
	int64_t cfa_offset, rbp_offset = 0;

	/* All registers of a signal frame are in one place, and the address of the last is none. */
	if (s->cfa == UNWIND_SIGNAL)
		return (struct unwind_row){.rule = unwind_rule(UNWIND_SIGNAL, UNWIND_RBP_SAME)};
	if (s->rip.how == SAVED_UNDEFINED)
		return (struct unwind_row){.rule = unwind_rule(UNWIND_END, UNWIND_RBP_SAME)};
	if (s->cfa == UNWIND_NONE || u->cie->return_register != RIP || s->rip.how != SAVED_AT_CFA ||
	    s->rip.offset != -WORD || !to_words(s->cfa_offset, INT16_MIN, INT16_MAX, &cfa_offset))
		return (struct unwind_row){.rule = unwind_rule(UNWIND_NONE, UNWIND_RBP_SAME)};
	if (s->rbp.how != SAVED_SAME)
		rbp = UNWIND_RBP_UNDEFINED;
	if ((s->rbp.how == SAVED_AT_CFA || s->rbp.how == SAVED_AT_RBP) &&
	    to_words(s->rbp.offset, INT8_MIN, INT8_MAX, &rbp_offset))
		rbp = s->rbp.how == SAVED_AT_CFA ? UNWIND_RBP_AT_CFA : UNWIND_RBP_AT_RBP;
	return (struct unwind_row){
		.cfa_offset = (int16_t)cfa_offset,
		.rbp_offset = rbp == UNWIND_RBP_UNDEFINED ? 0 : (int8_t)rbp_offset,
		.rule = unwind_rule(s->cfa, rbp),
	};
}

int unwind_rules_init(struct unwind_rules *u, const struct eh_cie *cie)
{
	*u = (struct unwind_rules){.cie = cie, .program = cie->program};
	u->state.rip.how = SAVED_ELSEWHERE;
	if (cie->program.size - cie->program.at > COMMON_MAX)
		return -EBADMSG;
	/* It is about all addresses of its functions, so it goes on to none. */
	if (run(u) != UINT64_MAX || u->program.bad || u->n_states > 0)
		return -EBADMSG;
	u->initial = u->state;
	return 0;
}

void unwind_rules_start(struct unwind_rules *u, const struct eh_fde *fde)
{
	u->program = fde->program;
	u->state = u->initial;
	u->n_states = 0;
	u->vaddr = fde->vaddr;
	u->end = fde->vaddr + fde->size;
}

int unwind_rules_next(struct unwind_rules *u, uint64_t *ret_vaddr, struct unwind_row *ret)
{
	uint64_t vaddr = u->vaddr, next;

	if (vaddr >= u->end)
		return 0;
	do {
		next = run(u);
	} while (next == vaddr);
	if (u->program.bad || next < vaddr)
		return -EBADMSG;
	*ret = to_row(u);
	*ret_vaddr = vaddr;
	u->vaddr = next;
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What registers and stack slots hold on one path through a function, as far as jumps by a table
 * are made of it: addresses, and numbers whose largest value a comparison has shown.
 */
#ifndef SONDE_PROBE_FLOW_VALUE_H
#define SONDE_PROBE_FLOW_VALUE_H

#include "probe/insn.h"

enum value_kind {
	VALUE_UNKNOWN,
	VALUE_CONST,  /* base */
	VALUE_INDEX,  /* a number: index * scale */
	VALUE_ENTRY,  /* address base + index * scale */
	VALUE_LOADED, /* the entry there, of `width` bytes */
	VALUE_TARGET, /* the entry there + add */
};

struct value {
	uint64_t base, add, max; /* max: of index; UINT64_MAX when not known */
	uint32_t id;		 /* equal ids are equal numbers; 0 is none */
	uint8_t kind, scale, width;
	bool is_computed; /* by arithmetic: as an address it is no function pointer */
	bool is_weak;	  /* max is what fits in a byte, which need not be what can be in it */
};

enum { VALUE_SLOTS = 32 };

struct value_slot {
	uint8_t base; /* register */
	int64_t disp;
	struct value value;
};

struct value_state {
	struct value regs[16];
	struct value_slot slots[VALUE_SLOTS];
	uint32_t next_slot, n_slots, next_id;
	/* The last comparison: of the number of that id with a constant; 0 when there is none. */
	uint32_t compared;
	uint64_t constant;
	/* Reads the file, to see how large the bytes of a table are; as in struct place_code. */
	size_t (*read)(void *arg, uint64_t vaddr, void *buf, size_t size);
	void *arg;
};

void value_init(struct value_state *s, const struct place_code *code);
/* One instruction that does not branch, or a call. False when it does not decode. */
bool value_step(struct value_state *s, const uint8_t *bytes, size_t size, uint64_t vaddr);
/* A conditional jump on condition `code` that was taken, or was not. */
void value_branch(struct value_state *s, uint8_t code, bool taken);
/* Where an indirect jump goes, by the state before it. */
struct value value_of_jump(struct value_state *s, const uint8_t *bytes, size_t size,
			   uint64_t vaddr);

#endif

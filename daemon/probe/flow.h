/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control flow of one function: its code is followed from the entry over every branch and jump
 * table, into the parts that the compiler moved away, and from where exceptions land. What no path
 * reaches is never taken for code, as it may be data.
 */
#ifndef SONDE_PROBE_FLOW_H
#define SONDE_PROBE_FLOW_H

#include "probe/insn.h"

/* Depths of the stack are relative to the entry: 0 there, -8 behind a push. */
enum { DEPTH_UNKNOWN = INT32_MIN };

enum flow_mark { MARK_NONE, MARK_START, MARK_INSIDE };

/* Code outside the function's own bytes, a page of it. */
enum { WINDOW_SIZE = 4096, WINDOW_TAIL = 16, WINDOWS_MAX = 16 };
struct flow_window {
	uint64_t vaddr;
	size_t size; /* bytes that could be read, the tail included */
	uint8_t marks[WINDOW_SIZE];
	uint8_t bytes[WINDOW_SIZE + WINDOW_TAIL];
};

/* A straight line of code: where it starts, and the jump of which earlier run led there. */
struct flow_run {
	uint64_t start, from; /* from: 0 at the entry */
	uint32_t earlier;     /* index of the run of `from` */
};

/* What is still to follow. */
struct flow_item {
	uint64_t vaddr, from;
	uint32_t run;
	uint64_t
		end; /* of the part that was moved away, which it is in; 0: in none, or not known */
	int32_t depth, bp;
	bool after_call; /* in such a part of unknown end, a call has been passed (see flow.c) */
};

struct flow {
	const struct place_code *code;
	/* Results. */
	struct return_site *sites;
	size_t n_sites, sites_cap;
	uint64_t *calls; /* targets of direct calls */
	size_t n_calls, calls_cap;
	bool calls_indirect;
	bool jumps_indirect; /* leaves by a jump to an address that is computed */
	uint64_t lowest;     /* branch target behind the function's first byte; UINT64_MAX: none */
	const char *reason;  /* why it could not be followed */
	const char *runs_on; /* why it has an end without an instruction that leaves it, or NULL */
	int result;	     /* of flow_walk() */
	bool is_done;
	/* The work. */
	uint8_t *marks;
	size_t marks_cap;
	struct flow_window *windows[WINDOWS_MAX];
	size_t n_windows;
	struct flow_run *runs;
	size_t n_runs, runs_cap;
	struct flow_item *items;
	size_t next_item, n_items, items_cap; /* first come, first followed: paths are short */
	uint64_t *landings;		      /* followed when nothing else is left */
	size_t next_landing, n_landings, landings_cap;
	uint64_t *parts; /* those whose landings are there */
	size_t n_parts, parts_cap;
	size_t n_insns;
	size_t n_path_insns, n_entries; /* of jumps by a table: they bound the time */
};

/* 0, -EOPNOTSUPP with a reason, -ENOMEM. f is empty (all zero) or to be used again. */
int flow_walk(const struct place_code *code, struct flow *f);
void flow_release(struct flow *f);
/* Forgets what was found, but keeps the memory for another function. */
void flow_reset(struct flow *f);
/* The memo of the code, walked if that has not been done, or else *local, which is walked. */
struct flow *flow_of(const struct place_code *code, struct flow *local);

/* Whether the address is one of the function's own bytes. */
static inline bool flow_is_own(const struct flow *f, uint64_t vaddr)
{
	return vaddr >= f->code->vaddr && vaddr - f->code->vaddr < f->code->size;
}

/* The bytes at an address and how many there are; NULL when they cannot be read. */
const uint8_t *flow_bytes(struct flow *f, uint64_t vaddr, size_t *ret_size);
/* What is known of a byte that flow_bytes() found. */
enum flow_mark flow_mark(const struct flow *f, uint64_t vaddr);
/* Marks an instruction; false when it overlaps another one. */
bool flow_mark_insn(struct flow *f, uint64_t vaddr, size_t length);
/* Whether an address inside a marked instruction is behind its lock prefix: glibc jumps there. */
bool flow_is_behind_lock(struct flow *f, uint64_t vaddr);

/* Notes places where unwinding resumes. */
int flow_add_landings(struct flow *f, const uint64_t *landings, size_t n);
/* Notes those of the part that an address outside the function is in; *ret_end as in flow_item. */
int flow_enter_part(struct flow *f, uint64_t vaddr, uint64_t *ret_end);
/* The next of them that has not been followed; false when there is none. */
bool flow_next_landing(struct flow *f, struct flow_item *ret);

/* The end of the nops that fill up the space before the next function. */
uint64_t flow_skip_padding(struct flow *f, uint64_t vaddr);
bool flow_is_nop(const uint8_t *bytes, size_t size);

/* Where an indirect jump goes. */
enum flow_jump {
	FLOW_TABLE,	/* by a table inside the function: *ret_targets, to be freed */
	FLOW_ELSEWHERE, /* out of the function, as far as can be seen */
	FLOW_UNKNOWN,	/* *ret_reason */
};
/*
 * Decides by the code that leads to the jump, which is in run `run`. depth: of the stack there. Or
 * -ENOMEM.
 */
int flow_table(struct flow *f, uint32_t run, uint64_t vaddr, const struct insn *jump, int32_t depth,
	       uint64_t **ret_targets, size_t *ret_n, const char **ret_reason);

/* Whether the name is the wanted one, or that of its PLT stub. */
bool flow_is_named(const char *name, const char *wanted);
/* Whether a function of that name never returns; whether it is a part of another: foo.cold. */
bool flow_never_returns(const char *name);
bool flow_is_part(const char *name);

#endif

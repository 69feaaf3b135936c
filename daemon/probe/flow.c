/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where no unwind table tells, parts that were moved away have no known end, and other functions'
 * parts lie beside them. Code behind a call there may be another function's already, when the call
 * never returns. Where names do not tell either, such code is followed only as long as it stays
 * where it is: its way out to anywhere but the function itself is not taken.
 */
#include "probe/flow.h"

enum { SIZE_MAX_BYTES = 4 << 20, INSNS_MAX = 1 << 20 };

static int stop(struct flow *f, const char *reason)
{
	if (!f->reason)
		f->reason = reason;
	return -EOPNOTSUPP;
}

static int push(struct flow *f, const struct flow_item *item)
{
	int r;

	if (flow_mark(f, item->vaddr) == MARK_START)
		return 0;
	r = array_reserve(&f->items, &f->items_cap, f->n_items + 1, sizeof(*f->items));
	if (r >= 0)
		f->items[f->n_items++] = *item;
	return r;
}

static int add_site(struct flow *f, uint64_t vaddr, enum site_kind kind, uint8_t code)
{
	size_t size;
	const uint8_t *bytes = flow_bytes(f, vaddr, &size);
	enum hit_kind hit = bytes ? place_hit(bytes, size, false) : HIT_KINDS;
	int r;

	if (hit == HIT_KINDS)
		return stop(f, "it is left by an instruction that the kernel cannot probe");
	r = array_reserve(&f->sites, &f->sites_cap, f->n_sites + 1, sizeof(*f->sites));
	if (r >= 0)
		f->sites[f->n_sites++] = (struct return_site){
			.vaddr = vaddr, .kind = kind, .code = code, .hit = hit};
	return r;
}

static const char *name_of(const struct flow *f, uint64_t vaddr)
{
	return f->code->name ? f->code->name(f->code->arg, vaddr) : NULL;
}

/* A function, but not a part of one. */
static bool is_function(const struct flow *f, uint64_t vaddr)
{
	const char *name = name_of(f, vaddr);

	if (name)
		return !flow_is_part(name);
	return f->code->is_function && f->code->is_function(f->code->arg, vaddr);
}

/* Whether a jump to an address outside the function's bytes leaves it. */
static bool leaves(const struct flow *f, uint64_t target, int32_t depth)
{
	const char *name = name_of(f, target);

	if (name && flow_is_part(name))
		return false;
	return is_function(f, target) || depth == 0;
}

static int add_call(struct flow *f, uint64_t target)
{
	int r = array_reserve(&f->calls, &f->calls_cap, f->n_calls + 1, sizeof(*f->calls));

	if (r >= 0)
		f->calls[f->n_calls++] = target;
	return r;
}

/* Another function goes on in place of this one. */
static int leave(struct flow *f, const struct flow_item *at, uint64_t vaddr,
		 const struct insn *insn)
{
	int r;

	/* The way out of another function's part, perhaps. */
	if (at->after_call && !is_function(f, insn->target))
		return 0;
	if (insn->kind == INSN_BRANCH)
		return stop(f, "it is left by a loop instruction");
	r = add_call(f, insn->target);
	if (r < 0)
		return r;
	return add_site(f, vaddr, insn->kind == INSN_JUMP ? SITE_JUMP : SITE_JUMP_IF, insn->code);
}

static int take_branch(struct flow *f, const struct flow_item *at, uint64_t vaddr,
		       const struct insn *insn)
{
	struct flow_item item = {.vaddr = insn->target,
				 .from = vaddr,
				 .run = at->run,
				 .depth = at->depth,
				 .bp = at->bp};
	bool own = flow_is_own(f, insn->target);
	/* A Go function that needs more stack comes back to its start, and has not been left. */
	bool again = insn->target == f->code->vaddr && !f->code->is_go &&
		     (at->depth == 0 || at->depth == DEPTH_UNKNOWN);

	if (own && !again) {
		if (insn->target > f->code->vaddr)
			f->lowest = MIN(f->lowest, insn->target);
		return push(f, &item);
	}
	if (again || leaves(f, insn->target, at->depth))
		return leave(f, at, vaddr, insn);
	if (at->after_call)
		return 0;
	return push(f, &item);
}

static int take_indirect(struct flow *f, const struct flow_item *at, uint64_t vaddr,
			 const struct insn *insn)
{
	_cleanup_(freep) uint64_t *targets = NULL;
	const char *reason = NULL;
	size_t n = 0;
	int r = flow_table(f, at->run, vaddr, insn, at->depth, &targets, &n, &reason);

	if (r < 0)
		return r;
	if (r == FLOW_UNKNOWN)
		return stop(f, reason);
	if (r == FLOW_ELSEWHERE) {
		f->jumps_indirect = true;
		return add_site(f, vaddr, insn->kind == INSN_JUMP_REG ? SITE_JUMP_REG : SITE_JUMP,
				insn->kind == INSN_JUMP_REG ? insn->code : 0);
	}
	for (size_t i = 0; i < n; i++) {
		struct insn jump = {.kind = INSN_JUMP, .target = targets[i]};
		struct flow_item part = {.vaddr = targets[i],
					 .from = vaddr,
					 .run = at->run,
					 .depth = at->depth,
					 .bp = at->bp};

		if (!flow_is_own(f, targets[i]) && is_function(f, targets[i]))
			return stop(f, "it jumps to other functions by a table");
		r = flow_is_own(f, targets[i]) ? take_branch(f, at, vaddr, &jump) : push(f, &part);
		if (r < 0)
			return r;
	}
	return 0;
}

static void follow_stack(struct flow_item *at, const struct insn *insn)
{
	int64_t sp = at->depth, bp = at->bp;

	switch ((enum insn_stack)insn->stack) {
	case STACK_SAME:
		return;
	case STACK_ADD:
	case STACK_POP_BP:
		sp = sp == DEPTH_UNKNOWN ? sp : sp + insn->value;
		bp = insn->stack == STACK_POP_BP ? DEPTH_UNKNOWN : bp;
		break;
	case STACK_SAVE:
		bp = sp == DEPTH_UNKNOWN ? sp : sp + insn->value;
		break;
	case STACK_RESTORE:
	case STACK_LEAVE:
		sp = bp == DEPTH_UNKNOWN ? bp : bp + insn->value;
		bp = insn->stack == STACK_LEAVE ? DEPTH_UNKNOWN : bp;
		break;
	case STACK_LOST:
		sp = DEPTH_UNKNOWN;
		break;
	case STACK_BP_LOST:
		bp = DEPTH_UNKNOWN;
		break;
	}
	at->depth = sp > INT32_MIN && sp <= INT32_MAX ? (int32_t)sp : DEPTH_UNKNOWN;
	at->bp = bp > INT32_MIN && bp <= INT32_MAX ? (int32_t)bp : DEPTH_UNKNOWN;
}

/* Notes a call; true when execution may go on behind it, at next. */
static int take_call(struct flow *f, struct flow_item *at, const struct insn *insn, uint64_t next)
{
	bool direct = insn->kind == INSN_CALL;
	const char *name;
	int r;

	if (!direct) {
		f->calls_indirect = true;
	} else if (insn->target != next) {
		r = add_call(f, insn->target);
		if (r < 0)
			return r;
		name = name_of(f, insn->target);
		if (name && flow_never_returns(name))
			return 0;
	} else if (at->depth != DEPTH_UNKNOWN) {
		/* A call of the next instruction is a push of its address. */
		at->depth -= 8;
	}
	if (next == f->code->vaddr + f->code->size)
		return 0;
	if (!flow_is_own(f, next)) {
		if (next == at->end || name_of(f, next) || is_function(f, next))
			return 0;
		at->after_call = at->end == 0;
	}
	return 1;
}

/* Zeros, and what no program executes: what is behind a call that did not return. */
static bool is_no_code(const uint8_t *bytes, size_t size, const struct insn *insn)
{
	return insn->kind == INSN_SYSTEM || (size >= 2 && bytes[0] == 0 && bytes[1] == 0);
}

/* Handles one instruction; 1 when the run goes on behind it. */
static int step(struct flow *f, struct flow_item *at, uint64_t vaddr, const struct insn *insn)
{
	int r;

	switch ((enum insn_kind)insn->kind) {
	case INSN_OTHER:
		follow_stack(at, insn);
		return 1;
	case INSN_RET:
		return add_site(f, vaddr, SITE_RET, 0);
	case INSN_JUMP:
		return take_branch(f, at, vaddr, insn);
	case INSN_JUMP_IF:
	case INSN_BRANCH:
		r = take_branch(f, at, vaddr, insn);
		return r < 0 ? r : 1;
	case INSN_JUMP_REG:
	case INSN_JUMP_MEM:
		return take_indirect(f, at, vaddr, insn);
	case INSN_CALL:
	case INSN_CALL_INDIRECT:
		return take_call(f, at, insn, vaddr + insn->length);
	case INSN_STOP:
	case INSN_SYSTEM:
		break;
	}
	return 0;
}

/* Assembly may end by running into the next function: all is known, but that is no place. */
static int run_on(struct flow *f, uint64_t next)
{
	static const char reason[] = "it runs on into what is behind it";

	if (!is_function(f, flow_skip_padding(f, next)))
		return stop(f, reason);
	f->runs_on = reason;
	return 0;
}

/* Follows a straight line until it ends or meets what has been followed. */
static int follow(struct flow *f, struct flow_item at)
{
	uint64_t vaddr = at.vaddr;
	bool behind_call = false;
	int r;

	r = array_reserve(&f->runs, &f->runs_cap, f->n_runs + 1, sizeof(*f->runs));
	if (r < 0)
		return r;
	f->runs[f->n_runs] =
		(struct flow_run){.start = at.vaddr, .from = at.from, .earlier = at.run};
	at.run = f->n_runs++;
	r = flow_enter_part(f, vaddr, &at.end);
	if (r < 0)
		return r;
	for (;;) {
		size_t size = 0;
		const uint8_t *bytes;
		struct insn insn;

		if (flow_mark(f, vaddr) == MARK_START)
			return 0;
		bytes = flow_bytes(f, vaddr, &size);
		if (!bytes)
			return stop(f, "a part of it cannot be read");
		if (flow_mark(f, vaddr) == MARK_INSIDE)
			return flow_is_behind_lock(f, vaddr)
				       ? 0
				       : stop(f, "its instructions overlap each other");
		if (!insn_decode(bytes, size, vaddr, &insn) || is_no_code(bytes, size, &insn))
			return behind_call ? 0 : stop(f, "not all of it is code");
		if (++f->n_insns > INSNS_MAX)
			return stop(f, "it is too long");
		if (!flow_mark_insn(f, vaddr, insn.length))
			return stop(f, "its instructions overlap each other");
		r = step(f, &at, vaddr, &insn);
		if (r <= 0)
			return r;
		/* Go puts a nop behind a call that does not return. */
		behind_call = insn.kind == INSN_CALL || insn.kind == INSN_CALL_INDIRECT ||
			      (behind_call && flow_is_nop(bytes, size));
		if (flow_is_own(f, vaddr) && !flow_is_own(f, vaddr + insn.length))
			return behind_call ? 0 : run_on(f, vaddr + insn.length);
		vaddr += insn.length;
	}
}

static int walk(const struct place_code *code, struct flow *f)
{
	struct flow_item item = {.vaddr = code->vaddr, .bp = DEPTH_UNKNOWN};
	int r;

	if (code->size == 0 || code->size > SIZE_MAX_BYTES ||
	    code->vaddr > UINT64_MAX - SIZE_MAX_BYTES - WINDOW_SIZE)
		return stop(f, code->size ? "it is too long" : "it is empty");
	r = array_reserve(&f->marks, &f->marks_cap, code->size, 1);
	if (r < 0)
		return r;
	memset(f->marks, 0, code->size);
	r = push(f, &item);
	if (r >= 0)
		r = flow_add_landings(f, code->landings, code->n_landings);
	do {
		while (r >= 0 && f->next_item < f->n_items)
			r = follow(f, f->items[f->next_item++]);
	} while (r >= 0 && flow_next_landing(f, &item) && (r = push(f, &item)) >= 0);
	return r < 0 ? r : 0;
}

int flow_walk(const struct place_code *code, struct flow *f)
{
	flow_reset(f);
	f->code = code;
	f->lowest = UINT64_MAX;
	f->result = walk(code, f);
	f->is_done = true;
	return f->result;
}

struct flow *flow_of(const struct place_code *code, struct flow *local)
{
	struct flow *f = code->memo ? code->memo : local;

	*local = (struct flow){};
	if (!f->is_done)
		flow_walk(code, f);
	/* The callers' structures differ, the code is the same. */
	f->code = code;
	return f;
}

void flow_reset(struct flow *f)
{
	for (size_t i = 0; i < f->n_windows; i++)
		free(f->windows[i]);
	f->n_sites = f->n_calls = f->n_windows = f->n_runs = f->n_insns = 0;
	f->next_item = f->n_items = f->n_path_insns = f->n_entries = 0;
	f->next_landing = f->n_landings = f->n_parts = 0;
	f->calls_indirect = f->jumps_indirect = f->is_done = false;
	f->reason = f->runs_on = NULL;
}

void flow_release(struct flow *f)
{
	flow_reset(f);
	free(f->marks);
	free(f->sites);
	free(f->calls);
	free(f->runs);
	free(f->items);
	free(f->landings);
	free(f->parts);
	*f = (struct flow){};
}

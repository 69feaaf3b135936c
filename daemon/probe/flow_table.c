/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jumps by a table. Compilers check the index against the number of entries, load an entry, add the
 * table's address where entries are relative to it, and jump. Those steps are found again on the
 * path by which the jump was reached first, from the function's start or as far back as is looked.
 * A table whose length is not certain is never read: what is behind it looks like entries as well.
 */
#include "probe/flow.h"
#include "probe/flow_value.h"

enum { PATH_RUNS = 128, PATH_INSNS = 4000, ENTRIES_MAX = 16384 };
/* The same of all the jumps of a function. */
enum { PATH_INSNS_SUM = 1 << 16, ENTRIES_SUM = 1 << 17 };

/* Executes a run from its start up to `end`, where a jump leads out of it; false: not possible. */
static bool execute(struct flow *f, struct value_state *s, uint64_t vaddr, uint64_t end,
		    size_t *insns)
{
	while (vaddr < end) {
		size_t size = 0;
		const uint8_t *bytes = flow_bytes(f, vaddr, &size);
		struct insn insn;

		if (!bytes || ++*insns > PATH_INSNS || ++f->n_path_insns > PATH_INSNS_SUM ||
		    !insn_decode(bytes, size, vaddr, &insn))
			return false;
		if (insn.kind == INSN_JUMP_IF)
			value_branch(s, insn.code, false);
		else if (insn.kind != INSN_BRANCH && !value_step(s, bytes, size, vaddr))
			return false;
		vaddr += insn.length;
	}
	return vaddr == end;
}

/* The state before the jump, by the path that led to it. */
static bool execute_path(struct flow *f, uint32_t run, uint64_t jump, struct value_state *s)
{
	uint32_t path[PATH_RUNS];
	size_t n = 0, insns = 0;

	value_init(s, f->code);
	for (uint32_t i = run;; i = f->runs[i].earlier) {
		path[n++] = i;
		if (f->runs[i].from == 0 || n == PATH_RUNS)
			break;
	}
	while (n-- > 0) {
		uint64_t end = n > 0 ? f->runs[path[n - 1]].from : jump;
		size_t size;
		const uint8_t *bytes;
		struct insn insn;

		if (!execute(f, s, f->runs[path[n]].start, end, &insns))
			return false;
		bytes = flow_bytes(f, end, &size);
		if (n > 0 && bytes && insn_decode(bytes, size, end, &insn) &&
		    insn.kind == INSN_JUMP_IF)
			value_branch(s, insn.code, true);
	}
	return true;
}

static bool read_bytes(struct flow *f, uint64_t vaddr, void *buf, size_t size)
{
	size_t n = 0;
	const uint8_t *own;

	if (flow_is_own(f, vaddr)) {
		own = flow_bytes(f, vaddr, &n);
		if (n >= size) {
			memcpy(buf, own, size);
			return true;
		}
	}
	return f->code->read && f->code->read(f->code->arg, vaddr, buf, size) == size;
}

/* The entries of a table, as addresses. -ENODATA when they cannot be read. */
static int read_table(struct flow *f, const struct value *v, uint64_t **ret_targets, size_t *ret_n)
{
	size_t n = v->max + 1;
	_cleanup_(freep) uint64_t *targets = NULL;
	_cleanup_(freep) uint8_t *bytes = NULL;

	targets = calloc(n, sizeof(*targets));
	bytes = malloc(n * v->scale);
	if (!targets || !bytes)
		return -ENOMEM;
	if (!read_bytes(f, v->base, bytes, n * v->scale))
		return -ENODATA;
	for (size_t i = 0; i < n; i++) {
		int32_t relative;

		if (v->width == 8) {
			memcpy(&targets[i], bytes + i * 8, 8);
			continue;
		}
		memcpy(&relative, bytes + i * 4, 4);
		targets[i] = v->kind == VALUE_TARGET ? v->add + (uint64_t)(int64_t)relative
						     : (uint32_t)relative;
	}
	*ret_targets = TAKE_PTR(targets);
	*ret_n = n;
	return 0;
}

/* In the function, or in the part that the jump is in: the part is empty when that is not known. */
static bool belongs(const struct flow *f, const struct place_part *part, uint64_t vaddr)
{
	return flow_is_own(f, vaddr) || (vaddr >= part->vaddr && vaddr - part->vaddr < part->size);
}

/* A table without one entry in the function is none. */
static bool any_belongs(const struct flow *f, const struct place_part *part,
			const uint64_t *targets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (belongs(f, part, targets[i]))
			return true;
	return false;
}

static int by_table(struct flow *f, uint64_t jump, const struct value *v, uint64_t **ret_targets,
		    size_t *ret_n, const char **ret_reason)
{
	const struct place_code *code = f->code;
	struct place_part part = {};
	_cleanup_(freep) uint64_t *targets = NULL;
	size_t n = 0;
	int r;

	*ret_reason = "it jumps by a table of unknown length";
	if (v->max >= ENTRIES_MAX || v->scale != v->width || (v->width != 4 && v->width != 8))
		return FLOW_UNKNOWN;
	/* More entries than there are would be other tables' if they are addresses, else nonsense.
	 */
	if (v->is_weak && v->width != 8)
		return FLOW_UNKNOWN;
	*ret_reason = "it jumps by too many tables";
	f->n_entries += v->max + 1;
	if (f->n_entries > ENTRIES_SUM)
		return FLOW_UNKNOWN;
	*ret_reason = "it jumps by a table that cannot be read";
	r = read_table(f, v, &targets, &n);
	if (r == -ENOMEM)
		return r;
	if (!flow_is_own(f, jump) && code->part && !code->part(code->arg, jump, &part))
		part = (struct place_part){};
	for (size_t i = 0; v->is_weak && r == 0 && i < n; i++)
		if (!belongs(f, &part, targets[i]))
			n = i;
	if (r < 0 || !any_belongs(f, &part, targets, n))
		return FLOW_UNKNOWN;
	*ret_targets = TAKE_PTR(targets);
	*ret_n = n;
	return FLOW_TABLE;
}

int flow_table(struct flow *f, uint32_t run, uint64_t vaddr, const struct insn *jump, int32_t depth,
	       uint64_t **ret_targets, size_t *ret_n, const char **ret_reason)
{
	struct value_state state;
	struct value v = {};
	size_t size;
	const uint8_t *bytes = flow_bytes(f, vaddr, &size);

	if (bytes && execute_path(f, run, vaddr, &state))
		v = value_of_jump(&state, bytes, size, vaddr);
	if (v.kind == VALUE_TARGET || v.kind == VALUE_LOADED)
		return by_table(f, vaddr, &v, ret_targets, ret_n, ret_reason);
	/* Compilers mark jumps by a table so; and with a frame in place, no function is left. */
	*ret_reason = "it jumps to an address that is computed";
	if (jump->notrack || v.is_computed || (depth != 0 && depth != DEPTH_UNKNOWN))
		return FLOW_UNKNOWN;
	return FLOW_ELSEWHERE;
}

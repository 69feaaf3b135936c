/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that only an unwinder jumps to. It is followed last: most of it soon joins code that other
 * paths reach, on which the depth of the stack is known.
 */
#include "probe/flow.h"

/* Compilers make one or two. */
enum { PARTS_MAX = 64 };

int flow_add_landings(struct flow *f, const uint64_t *landings, size_t n)
{
	int r;

	if (n == 0)
		return 0;
	r = array_reserve(&f->landings, &f->landings_cap, f->n_landings + n, sizeof(*f->landings));
	if (r < 0)
		return r;
	memcpy(f->landings + f->n_landings, landings, n * sizeof(*landings));
	f->n_landings += n;
	return 0;
}

int flow_enter_part(struct flow *f, uint64_t vaddr, uint64_t *ret_end)
{
	const struct place_code *code = f->code;
	struct place_part part;
	int r;

	*ret_end = 0;
	if (flow_is_own(f, vaddr) || !code->part || !code->part(code->arg, vaddr, &part))
		return 0;
	*ret_end = part.vaddr + part.size;
	for (size_t i = 0; i < f->n_parts; i++)
		if (f->parts[i] == part.vaddr)
			return 0;
	if (f->n_parts == PARTS_MAX) {
		f->reason = "it is in too many parts";
		return -EOPNOTSUPP;
	}
	r = array_reserve(&f->parts, &f->parts_cap, f->n_parts + 1, sizeof(*f->parts));
	if (r < 0)
		return r;
	f->parts[f->n_parts++] = part.vaddr;
	return flow_add_landings(f, part.landings, part.n_landings);
}

bool flow_next_landing(struct flow *f, struct flow_item *ret)
{
	uint64_t vaddr;

	if (f->next_landing == f->n_landings)
		return false;
	vaddr = f->landings[f->next_landing++];
	/* To be come to from outside is as good a reason to leave the place alone as a branch. */
	if (flow_is_own(f, vaddr) && vaddr > f->code->vaddr)
		f->lowest = MIN(f->lowest, vaddr);
	*ret = (struct flow_item){.vaddr = vaddr, .depth = DEPTH_UNKNOWN, .bp = DEPTH_UNKNOWN};
	return true;
}

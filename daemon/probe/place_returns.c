/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/flow.h"

static int by_address(const void *a, const void *b)
{
	const struct return_site *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

int place_returns(const struct place_code *code, struct return_site **ret_sites, size_t *ret_n,
		  const char **ret_reason)
{
	struct flow local, *f = flow_of(code, &local);
	struct return_site *sites = NULL;
	int r = f->result ? f->result : f->runs_on ? -EOPNOTSUPP : 0;

	if (r == -EOPNOTSUPP)
		*ret_reason = f->reason ? f->reason : f->runs_on;
	if (r == 0 && f->n_sites > 0) {
		sites = malloc(f->n_sites * sizeof(*sites));
		if (sites) {
			memcpy(sites, f->sites, f->n_sites * sizeof(*sites));
			qsort(sites, f->n_sites, sizeof(*sites), by_address);
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0) {
		*ret_sites = sites;
		*ret_n = f->n_sites;
	}
	flow_release(&local);
	return r;
}

/*
 * Calls of the function itself are not asked about: it unwinds by them only if it does otherwise.
 */
static bool calls_unwind(const struct flow *f, bool (*can_call)(void *arg, uint64_t vaddr),
			 void *arg)
{
	if (f->calls_indirect || f->jumps_indirect)
		return true;
	for (size_t i = 0; i < f->n_calls; i++)
		if (f->calls[i] != f->code->vaddr && (!can_call || can_call(arg, f->calls[i])))
			return true;
	return false;
}

bool place_can_unwind(const struct place_code *code, bool (*can_call)(void *arg, uint64_t vaddr),
		      void *arg)
{
	struct flow local, *f = flow_of(code, &local);
	bool can = f->result != 0 || f->runs_on || calls_unwind(f, can_call, arg);

	flow_release(&local);
	return can;
}

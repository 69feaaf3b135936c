/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "raw_sample.h"

#define ORDER(x, y)                                                                                \
	do {                                                                                       \
		if ((x) != (y))                                                                    \
			return (x) < (y) ? -1 : 1;                                                 \
	} while (0)

int raw_sample_compare(const void *pa, const void *pb)
{
	const struct raw_sample *a = pa, *b = pb;

	ORDER(a->kind, b->kind);
	ORDER(a->time_ns, b->time_ns);
	ORDER(a->process, b->process);
	ORDER(a->tid, b->tid);
	ORDER(a->thread, b->thread);
	ORDER(a->stack, b->stack);
	ORDER(a->ns, b->ns);
	ORDER(a->total_ns, b->total_ns);
	ORDER(a->count, b->count);
	return 0;
}

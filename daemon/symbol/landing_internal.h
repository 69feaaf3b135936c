/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by landing.c and landing_image.c: a table, made here or mapped. */
#ifndef SONDE_SYMBOL_LANDING_INTERNAL_H
#define SONDE_SYMBOL_LANDING_INTERNAL_H

#include "symbol/flat.h"
#include "symbol/landing.h"

/* Of a whole file. */
enum { LANDING_PARTS_MAX = 4 << 20, LANDINGS_MAX = 4 << 20 };

struct landing_range {
	uint64_t vaddr;
	uint32_t size;
	uint32_t first, n; /* its landings, behind those of the part before */
	uint32_t zero;
};

struct landing_table {
	struct landing_range *parts; /* ascending */
	size_t n, cap;
	uint64_t *landings;
	size_t n_landings, landings_cap;
	struct flat flat; /* the mapping that both are in; empty when they are memory of its own */
};

#endif

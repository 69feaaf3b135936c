/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DW_AT_location says about where a parameter is when its function is entered. */
#ifndef SONDE_SYMBOL_DWARF_PLACE_H
#define SONDE_SYMBOL_DWARF_PLACE_H

#include "symbol/dwarf_file.h"
#include "symbol/function_type.h"

enum dwarf_place {
	DWARF_PLACE_UNSAID, /* where it is kept later, so the calling convention holds */
	DWARF_PLACE_FROM,   /* its value was computed from what is at the place */
	DWARF_PLACE_IS,
	DWARF_PLACE_GONE, /* it does not exist, or where no probe can read it */
};

struct dwarf_location {
	enum dwarf_place what;
	enum param_place place; /* of FROM and IS */
	uint32_t reg;
	bool is_address; /* of IS: of the value, which is in memory */
};

/* param: a formal parameter of the out-of-line instance function, which is entered at pc. */
struct dwarf_location dwarf_place_at_entry(Dwarf_Die *function, Dwarf_Die *param, uint64_t pc);

#endif

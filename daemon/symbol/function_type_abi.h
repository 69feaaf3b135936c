/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the calling convention of System V x86-64 puts each parameter of a function. */
#ifndef SONDE_SYMBOL_FUNCTION_TYPE_ABI_H
#define SONDE_SYMBOL_FUNCTION_TYPE_ABI_H

#include "symbol/function_type.h"

/* Fills in place and reg of the params, ret_in_float and ret_in_memory, from the types alone. */
void function_type_assign_places(struct function_type *f);

#endif

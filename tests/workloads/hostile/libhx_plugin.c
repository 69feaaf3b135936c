/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library that hx_dlopen loads and unloads: see there. */
#include <stdint.h>

#include "../wl.h"

uint64_t plugin_run(uint64_t x, uint64_t (*callback)(uint64_t));
uint64_t plugin_inner(uint64_t x);

WL_FUNC uint64_t plugin_inner(uint64_t x)
{
	return x * 13 + 1;
}

WL_FUNC uint64_t plugin_run(uint64_t x, uint64_t (*callback)(uint64_t))
{
	return callback(plugin_inner(x)) + plugin_inner(x + 1);
}

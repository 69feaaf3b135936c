/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What btf_type.c (functions) and btf_ctype.c (types) share. */
#ifndef SONDE_PROBE_BTF_TYPE_PRIVATE_H
#define SONDE_PROBE_BTF_TYPE_PRIVATE_H

#include <bpf/btf.h>

#include "probe/btf_type.h"
#include "symbol/type_arena.h"

struct named {
	const char *name;
	uint32_t id;
};

struct btf_types {
	struct btf *btf;
	struct type_arena arena;
	uint32_t n;		    /* types, from 1 */
	const struct ctype **types; /* by id; NULL: not made yet */
	const struct function_type **functions;
	struct named *names; /* of functions, sorted */
	size_t n_names;
};

const char *btf_types_name(const struct btf_types *t, uint32_t offset);
/* Never NULL: void for id 0, unknown for what is not understood or too deep. */
const struct ctype *btf_types_ctype(struct btf_types *t, uint32_t id, int depth);

#endif

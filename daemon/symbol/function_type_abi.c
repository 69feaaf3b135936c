/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A value of up to 16 bytes is looked at by eightbytes: each has a class, made from those of the
 * scalars that lie in it. Larger values, and those with a scalar at an address it is not aligned
 * to, are in memory, that is on the stack.
 */
#include "symbol/function_type_abi.h"

enum { INT_REGISTERS = 6, FLOAT_REGISTERS = 8, DEPTH_MAX = 16, SCALARS_MAX = 64 };

enum eightbyte {
	EIGHTBYTE_NONE,
	EIGHTBYTE_SSE,
	EIGHTBYTE_INTEGER,
	EIGHTBYTE_X87,
	EIGHTBYTE_MEMORY
};

struct classes {
	enum eightbyte of[2];
	unsigned scalars; /* looked at so far: hostile types have very many in 16 bytes */
};

static void merge(struct classes *c, uint64_t offset, uint64_t size, enum eightbyte class)
{
	if (size == 0)
		return;
	if (offset >= 16 || size > 16 - offset)
		class = EIGHTBYTE_MEMORY;
	if (class == EIGHTBYTE_MEMORY) {
		c->of[0] = c->of[1] = class;
		return;
	}
	for (uint64_t i = offset / 8; i <= (offset + size - 1) / 8; i++)
		c->of[i] = MAX(c->of[i], class);
}

static void classify(const struct ctype *t, uint64_t offset, int depth, struct classes *c);

static void classify_members(const struct ctype *t, uint64_t offset, int depth, struct classes *c)
{
	for (size_t i = 0; i < t->n_members; i++) {
		const struct ctype_member *m = &t->members[i];
		uint64_t bit = 8 * (offset + m->offset) + m->shift;

		if (m->bits > 0)
			merge(c, bit / 8, (bit % 8 + m->bits + 7) / 8, EIGHTBYTE_INTEGER);
		else
			classify(m->type, offset + m->offset, depth + 1, c);
		if (c->scalars > SCALARS_MAX)
			return;
	}
}

static void classify(const struct ctype *t, uint64_t offset, int depth, struct classes *c)
{
	if (depth > DEPTH_MAX || c->scalars++ > SCALARS_MAX || t->size > 16) {
		merge(c, 0, 1, EIGHTBYTE_MEMORY);
		return;
	}
	switch (t->kind) {
	case CTYPE_VOID:
	case CTYPE_FUNCTION:
		return;
	case CTYPE_STRUCT:
		if (ctype_complete(t)->abi == CTYPE_ABI_BY_REFERENCE)
			merge(c, 0, 1, EIGHTBYTE_MEMORY);
		else
			classify_members(t, offset, depth, c);
		return;
	case CTYPE_ARRAY:
		if (!t->target || t->target->size == 0)
			return;
		for (uint64_t i = 0; i < t->count && i < 16; i++)
			classify(t->target, offset + i * t->target->size, depth + 1, c);
		return;
	case CTYPE_FLOAT:
		if (t->size > 0 && offset % MIN(t->size, 8) != 0)
			merge(c, 0, 1, EIGHTBYTE_MEMORY);
		merge(c, offset, t->size, t->abi == CTYPE_ABI_X87 ? EIGHTBYTE_X87 : EIGHTBYTE_SSE);
		return;
	default:
		if (t->size > 0 && offset % MIN(t->size, 8) != 0)
			merge(c, 0, 1, EIGHTBYTE_MEMORY);
		merge(c, offset, t->size > 0 ? t->size : 8, EIGHTBYTE_INTEGER);
	}
}

/* Whether a value on the stack begins at a multiple of 16: long double, __int128, vectors. */
static bool is_aligned_to_16(const struct ctype *t, int depth, unsigned *budget)
{
	if (depth > DEPTH_MAX || (*budget)-- == 0)
		return false;
	if (t->kind == CTYPE_ARRAY)
		return t->target && is_aligned_to_16(t->target, depth + 1, budget);
	if (t->kind == CTYPE_STRUCT) {
		ctype_complete(t);
		for (size_t i = 0; i<t->n_members && * budget> 0; i++)
			if (is_aligned_to_16(t->members[i].type, depth + 1, budget))
				return true;
		return false;
	}
	return t->size >= 16 && t->kind != CTYPE_UNKNOWN;
}

struct next {
	unsigned ints, floats;
	uint64_t words;
};

static void on_stack(const struct ctype *t, struct next *next, struct function_param *p)
{
	unsigned budget = 256;

	if (is_aligned_to_16(t, 0, &budget))
		next->words = (next->words + 1) & ~1ULL;
	p->place = PARAM_ON_STACK;
	p->reg = (uint32_t)MIN(next->words, UINT32_MAX);
	next->words += MIN((t->size + 7) / 8, UINT32_MAX);
}

static void assign(struct function_param *p, struct next *next)
{
	const struct ctype *t = p->type;
	struct classes c = {};
	unsigned ints = 0, floats = 0;
	/* A vector is in one register, whatever its size. */
	bool vector = t->kind == CTYPE_FLOAT && t->size >= 16 && t->abi == CTYPE_ABI_PLAIN;

	if (ctype_complete(t)->abi == CTYPE_ABI_BY_REFERENCE)
		ints = 1;
	else if (vector)
		floats = 1;
	else
		classify(t, 0, 0, &c);
	for (size_t i = 0; i < 2; i++) {
		ints += c.of[i] == EIGHTBYTE_INTEGER;
		floats += c.of[i] == EIGHTBYTE_SSE;
	}
	if (c.of[0] >= EIGHTBYTE_X87 || c.of[1] >= EIGHTBYTE_X87 ||
	    next->ints + ints > INT_REGISTERS || next->floats + floats > FLOAT_REGISTERS) {
		on_stack(t, next, p);
		return;
	}
	p->reg = next->ints;
	if (floats > 0) /* of a struct with one of each, too: half of it cannot be read */
		p->place = PARAM_IN_FLOAT;
	else if (ints == 2)
		p->place = PARAM_SPREAD;
	else
		p->place = ints == 1 ? PARAM_IN_REGISTER : PARAM_NOWHERE; /* an empty class */
	next->ints += ints;
	next->floats += floats;
}

static void assign_result(struct function_type *f)
{
	const struct ctype *t = f->ret;
	struct classes c = {};

	f->ret_in_float = f->ret_in_memory = false;
	if (t->kind == CTYPE_FLOAT) {
		f->ret_in_float = true;
		return;
	}
	if (t->kind != CTYPE_STRUCT)
		return;
	classify(t, 0, 0, &c);
	f->ret_in_memory = c.of[0] == EIGHTBYTE_MEMORY;
	f->ret_in_float = c.of[0] == EIGHTBYTE_SSE || c.of[0] == EIGHTBYTE_X87;
}

void function_type_assign_places(struct function_type *f)
{
	struct next next = {};

	assign_result(f);
	next.ints = f->ret_in_memory; /* the address of the result is the first argument */
	for (size_t i = 0; i < f->n_params; i++)
		assign(&f->params[i], &next);
}

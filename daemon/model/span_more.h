/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a call may carry beyond its times and its result: arguments, captured values, a stack, an
 * exception. Most calls carry none of it, so it lies beside the spans and packed: nothing at all
 * until a span has something, then a number a span and a few words for each that has.
 */
#ifndef SONDE_MODEL_SPAN_MORE_H
#define SONDE_MODEL_SPAN_MORE_H

#include "sonde/base/attributes.h"
#include "sonde/record.h"

enum { MORE_MAX_VALUES = ATTRIBUTES_MAX_BYTES };

/* All zero: nothing. Pointers are borrowed, from the caller or from the pool it was read from. */
struct span_more {
	const uint64_t *args;  /* RECORD_ARGS registers at entry; NULL: not kept */
	const uint8_t *values; /* captured values, as in struct record_call; aligned to 8. Of spans
				  written in source code: base/attributes.h */
	uint64_t valid;	       /* bit i: capture i could be read */
	uint64_t offcpu_ns;    /* of the duration: not running; 0 also when nobody looked */
	uint32_t values_len;   /* at most MORE_MAX_VALUES */
	uint32_t stack;	       /* of the model: the user stack at the call's end; 0: none */
	uint32_t exception_type, exception_message; /* strings of the model; 0: none */
};

enum more_kind {
	MORE_ARGS = 1 << 0,
	MORE_OFFCPU = 1 << 1,
	MORE_VALUES = 1 << 2, /* or valid */
	MORE_STACK = 1 << 3,
	MORE_EXCEPTION = 1 << 4,
	MORE_ALL = (1 << 5) - 1,
};

/* The value of a counter (SPAN_COUNTER); false: it has none, as in a file that somebody made. */
bool span_more_value(const struct span_more *more, double *ret);
/* Below 0, 0 or above 0, by what is pointed to: an order of no meaning, for sorts and tests. */
int span_more_compare(const struct span_more *a, const struct span_more *b);

/* Starts as all zero. Spans are known by their index in the array that the pool lies beside. */
struct more_pool {
	uint32_t *at; /* of each span: where its words begin, plus 1; 0 for those with nothing */
	size_t n, at_cap; /* spans from n on have nothing */
	uint64_t *words;
	size_t n_words, words_cap;
	uint32_t kinds; /* MORE_*: what any of the spans has, those dropped by an index included */
};

/*
 * Copies what span i has. Spans come in rising order; an index that was there before says that the
 * spans from it on were dropped. 0, -ENOMEM, -EINVAL for more values than a record has.
 */
int more_pool_put(struct more_pool *p, size_t i, const struct span_more *more);
/* What span i has; all zero for nothing. Good until the next put. */
struct span_more more_pool_get(const struct more_pool *p, size_t i);
/* Copies what the first n spans have; dst must be empty. 0 or -ENOMEM. */
int more_pool_copy(struct more_pool *dst, const struct more_pool *src, size_t n);
static inline void more_pool_clear(struct more_pool *p)
{
	p->n = p->n_words = 0;
	p->kinds = 0;
}
void more_pool_release(struct more_pool *p);

#endif

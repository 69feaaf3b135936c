/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a span: a head, which holds the stack (upper half), what there is (MORE_*, bits
 * 16 … 31) and the length of the values in bytes (bits 0 … 15); then the arguments, the time off
 * the CPU, the exception, valid and values.
 */
#include "span_more.h"

enum {
	KINDS_SHIFT = 16,
	VALUES_LEN = 0xffff,
	MAX_WORDS = 1 + RECORD_ARGS + 3 + MORE_MAX_VALUES / 8,
};

/* As array_reserve(), but without zeroing: most of it is written at once. */
static int reserve(void *items, size_t *cap, size_t need, size_t size)
{
	size_t bigger = MAX(*cap * 2, MAX(need, (size_t)64));
	void *p;

	if (need <= *cap)
		return 0;
	if (need > UINT32_MAX)
		return -ENOMEM;
	p = realloc(*(void **)items, bigger * size);
	if (!p)
		return -ENOMEM;
	*(void **)items = p;
	*cap = bigger;
	return 0;
}

static uint32_t kinds_of(const struct span_more *more)
{
	return (more->args ? MORE_ARGS : 0) | (more->offcpu_ns ? MORE_OFFCPU : 0) |
	       (more->valid || more->values_len ? MORE_VALUES : 0) |
	       (more->stack ? MORE_STACK : 0) |
	       (more->exception_type || more->exception_message ? MORE_EXCEPTION : 0);
}

static uint64_t *put_words(uint64_t *p, uint32_t kinds, const struct span_more *more)
{
	*p++ = (uint64_t)more->stack << 32 | kinds << KINDS_SHIFT | more->values_len;
	if (kinds & MORE_ARGS) {
		memcpy(p, more->args, RECORD_ARGS * sizeof(*p));
		p += RECORD_ARGS;
	}
	if (kinds & MORE_OFFCPU)
		*p++ = more->offcpu_ns;
	if (kinds & MORE_EXCEPTION)
		*p++ = (uint64_t)more->exception_type << 32 | more->exception_message;
	if (kinds & MORE_VALUES) {
		size_t n = (more->values_len + 7) / 8;

		*p++ = more->valid;
		if (n == 0)
			return p;
		p[n - 1] = 0;
		memcpy(p, more->values, more->values_len);
		p += n;
	}
	return p;
}

int more_pool_put(struct more_pool *p, size_t i, const struct span_more *more)
{
	uint32_t kinds = kinds_of(more);

	if (more->values_len > MORE_MAX_VALUES)
		return -EINVAL;
	if (i < p->n) {
		p->n = i;
		if (i == 0)
			more_pool_clear(p);
	}
	if (!kinds)
		return 0;
	if (reserve(&p->at, &p->at_cap, i + 1, sizeof(*p->at)) < 0 ||
	    reserve(&p->words, &p->words_cap, p->n_words + MAX_WORDS, sizeof(*p->words)) < 0)
		return -ENOMEM;
	while (p->n < i)
		p->at[p->n++] = 0;
	p->at[p->n++] = p->n_words + 1;
	p->n_words = put_words(p->words + p->n_words, kinds, more) - p->words;
	p->kinds |= kinds;
	return 0;
}

struct span_more more_pool_get(const struct more_pool *p, size_t i)
{
	struct span_more more = {};
	const uint64_t *word;
	uint64_t head;

	if (i >= p->n || !p->at[i])
		return more;
	word = p->words + p->at[i] - 1;
	head = *word++;
	more.stack = head >> 32;
	if (head & MORE_ARGS << KINDS_SHIFT) {
		more.args = word;
		word += RECORD_ARGS;
	}
	if (head & MORE_OFFCPU << KINDS_SHIFT)
		more.offcpu_ns = *word++;
	if (head & MORE_EXCEPTION << KINDS_SHIFT) {
		more.exception_type = *word >> 32;
		more.exception_message = (uint32_t)*word++;
	}
	if (head & MORE_VALUES << KINDS_SHIFT) {
		more.valid = *word++;
		more.values_len = head & VALUES_LEN;
		more.values = more.values_len ? (const uint8_t *)word : NULL;
	}
	return more;
}

int more_pool_copy(struct more_pool *dst, const struct more_pool *src, size_t n)
{
	n = MIN(n, src->n);
	if (n == 0)
		return 0;
	if (reserve(&dst->at, &dst->at_cap, n, sizeof(*dst->at)) < 0 ||
	    reserve(&dst->words, &dst->words_cap, src->n_words, sizeof(*dst->words)) < 0)
		return -ENOMEM;
	memcpy(dst->at, src->at, n * sizeof(*dst->at));
	memcpy(dst->words, src->words, src->n_words * sizeof(*dst->words));
	dst->n = n;
	dst->n_words = src->n_words;
	dst->kinds = src->kinds;
	return 0;
}

#define COMPARE(a, b)                                                                              \
	do {                                                                                       \
		if ((a) != (b))                                                                    \
			return (a) < (b) ? -1 : 1;                                                 \
	} while (0)

int span_more_compare(const struct span_more *a, const struct span_more *b)
{
	int r;

	COMPARE(!!a->args, !!b->args);
	r = a->args ? memcmp(a->args, b->args, RECORD_ARGS * sizeof(*a->args)) : 0;
	if (r != 0)
		return r;
	COMPARE(a->offcpu_ns, b->offcpu_ns);
	COMPARE(a->valid, b->valid);
	COMPARE(a->values_len, b->values_len);
	r = a->values_len ? memcmp(a->values, b->values, a->values_len) : 0;
	if (r != 0)
		return r;
	COMPARE(a->stack, b->stack);
	COMPARE(a->exception_type, b->exception_type);
	COMPARE(a->exception_message, b->exception_message);
	return 0;
}

bool span_more_value(const struct span_more *more, double *ret)
{
	struct attribute a;

	if (!more->values_len || !attributes_find(more->values, more->values_len, "value", &a) ||
	    a.type != ATTRIBUTE_REAL)
		return false;
	*ret = a.real;
	return true;
}

void more_pool_release(struct more_pool *p)
{
	free(p->at);
	free(p->words);
	*p = (struct more_pool){};
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions are read in the order of the section, each with its rows, and then put in the order
 * of their addresses: what covers what is decided only there.
 */
#include "symbol/unwind_table.h"
#include "symbol/unwind_rules.h"

enum { NOBODY = UINT32_MAX };

struct function {
	uint64_t start, end;
	uint32_t first, n; /* its rows; the first is at its start */
	uint32_t below;	   /* while it is laid out: the one that it covers a part of */
};

struct rows {
	struct unwind_row *rows;
	size_t n, cap;
};

struct builder {
	struct unwind_table *t;
	const struct elf_segment *segments;
	size_t n_segments;
	struct rows read, laid; /* by function, and by address */
	struct function *functions;
	size_t n, cap;
	struct unwind_rules rules;
	size_t rules_of; /* the offset of the common entry that the rules have run */
};

static void builder_donep(struct builder *b)
{
	free(b->read.rows);
	free(b->laid.rows);
	free(b->functions);
}

static int add_row(struct rows *r, const struct unwind_row *row)
{
	int x;

	if (r->n >= UNWIND_MAX_ROWS)
		return -EFBIG;
	x = array_reserve(&r->rows, &r->cap, r->n + 1, sizeof(*r->rows));
	if (x >= 0)
		r->rows[r->n++] = *row;
	return x;
}

static bool says_the_same(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->rule == b->rule && a->cfa_offset == b->cfa_offset &&
	       a->rbp_offset == b->rbp_offset;
}

static bool is_code(const struct builder *b, uint64_t vaddr, uint64_t size)
{
	for (size_t i = 0; i < b->n_segments; i++) {
		const struct elf_segment *s = &b->segments[i];

		if (s->executable && vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size &&
		    size <= s->file_size - (vaddr - s->vaddr))
			return vaddr + size - b->t->base <= UINT32_MAX;
	}
	return false;
}

/* -EBADMSG: the function is damaged. */
static int read_rows(struct builder *b, const struct eh_cie *cie, const struct eh_fde *fde)
{
	size_t first = b->read.n;
	struct unwind_row row;
	uint64_t vaddr;
	int x;

	if (b->rules_of != cie->offset) {
		b->rules_of = SIZE_MAX;
		x = unwind_rules_init(&b->rules, cie);
		if (x < 0)
			return x;
		b->rules_of = cie->offset;
	}
	unwind_rules_start(&b->rules, fde);
	while ((x = unwind_rules_next(&b->rules, &vaddr, &row)) > 0) {
		if (b->read.n > first && says_the_same(&b->read.rows[b->read.n - 1], &row))
			continue;
		row.pc = (uint32_t)(vaddr - b->t->base);
		x = add_row(&b->read, &row);
		if (x < 0)
			return x;
	}
	return x;
}

static int read_function(struct builder *b, const struct eh_cie *cie, const struct eh_fde *fde)
{
	size_t first = b->read.n;
	int x = -EBADMSG;

	if (is_code(b, fde->vaddr, fde->size))
		x = read_rows(b, cie, fde);
	if (x == -EBADMSG) {
		b->read.n = first;
		b->t->bad++;
		return 0;
	}
	if (x >= 0)
		x = array_reserve(&b->functions, &b->cap, b->n + 1, sizeof(*b->functions));
	if (x < 0)
		return x;
	b->functions[b->n++] = (struct function){.start = fde->vaddr,
						 .end = fde->vaddr + fde->size,
						 .first = (uint32_t)first,
						 .n = (uint32_t)(b->read.n - first)};
	b->t->functions++;
	for (size_t i = first; i < b->read.n; i++)
		b->t->unsaid += b->read.rows[i].rule == UNWIND_NONE;
	return 0;
}

static int read_frame(struct builder *b, struct eh_frame *frame)
{
	struct eh_fde fde;
	int x;

	while ((x = eh_frame_next(frame, &fde)) != EH_END) {
		if (x != EH_FUNCTION) {
			b->t->bad++;
			continue;
		}
		x = read_function(b, &frame->cie, &fde);
		if (x < 0)
			return x;
	}
	return 0;
}

/* Of functions that begin together, the last in the section counts as the later. */
static int by_start(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	return x->start == y->start  ? (x->first > y->first) - (x->first < y->first)
	       : x->start > y->start ? 1
				     : -1;
}

static int lay_row(struct builder *b, uint64_t vaddr, struct unwind_row row)
{
	struct rows *r = &b->laid;

	if (r->n > 0 && says_the_same(&r->rows[r->n - 1], &row))
		return 0;
	row.pc = (uint32_t)(vaddr - b->t->base);
	return add_row(r, &row);
}

/* The rows of a function from one address up to another; those before are not needed again. */
static int lay_part(struct builder *b, struct function *f, uint64_t from, uint64_t to)
{
	const struct unwind_row *rows = b->read.rows;
	uint64_t base = b->t->base;
	int x;

	while (f->n > 1 && base + rows[f->first + 1].pc <= from) {
		f->first++;
		f->n--;
	}
	x = lay_row(b, from, rows[f->first]);
	while (x >= 0 && f->n > 1 && base + rows[f->first + 1].pc < to) {
		f->first++;
		f->n--;
		x = lay_row(b, base + rows[f->first].pc, rows[f->first]);
	}
	return x;
}

/*
 * Lays out what is known up to `to`, the start of the next function, from `at`, which is passed:
 * the function on top, those that it covers where it ends, and then nothing.
 */
static int lay_up_to(struct builder *b, uint32_t *top, uint64_t *at, uint64_t to)
{
	static const struct unwind_row none = {.rule = UNWIND_NONE};

	while (*top != NOBODY && *at < to) {
		struct function *f = &b->functions[*top];
		uint64_t end = MIN(f->end, to);
		int x = end > *at ? lay_part(b, f, *at, end) : 0;

		if (x < 0)
			return x;
		*at = MAX(*at, end);
		if (f->end <= *at)
			*top = f->below;
	}
	return *at < to ? lay_row(b, *at, none) : 0;
}

static int lay_out(struct builder *b)
{
	uint32_t top = NOBODY;
	uint64_t at;
	int x;

	qsort(b->functions, b->n, sizeof(*b->functions), by_start);
	at = b->functions[0].start;
	for (size_t i = 0; i < b->n; i++) {
		x = lay_up_to(b, &top, &at, b->functions[i].start);
		if (x < 0)
			return x;
		at = b->functions[i].start;
		b->functions[i].below = top;
		top = (uint32_t)i;
	}
	return lay_up_to(b, &top, &at, UINT64_MAX);
}

static int build(struct builder *b, struct eh_frame *frame)
{
	struct unwind_table *t = b->t;
	int x;

	t->base = UINT64_MAX;
	for (size_t i = 0; i < b->n_segments; i++)
		if (b->segments[i].executable)
			t->base = MIN(t->base, b->segments[i].vaddr);
	x = read_frame(b, frame);
	if (x >= 0 && b->n == 0)
		return -ENODATA;
	if (x >= 0)
		x = lay_out(b);
	if (x < 0)
		return x;
	/* A table is kept for as long as its file is in use, so it has no room to spare. */
	t->rows = realloc(b->laid.rows, b->laid.n * sizeof(*t->rows));
	if (!t->rows)
		return -ENOMEM;
	t->len = b->laid.n;
	b->laid.rows = NULL;
	return 0;
}

static int refuse(struct error *error, int code)
{
	if (code == ENODATA || code == ENOTSUP)
		return error_set(error, code, "NotSupported",
				 code == ENODATA ? "The file has no .eh_frame to unwind by."
						 : "Only 64-bit x86-64 code can be unwound.");
	if (code == EFBIG)
		return error_set(error, code, "TooMany",
				 "The file's .eh_frame is too large: at most %d rows are kept.",
				 UNWIND_MAX_ROWS);
	return error_set(error, code, "BadFile", "The file's .eh_frame cannot be read: %s.",
			 strerror(code));
}

int unwind_table_new(struct elf_image *image, struct error *error, struct unwind_table **ret)
{
	struct unwind_table *t _cleanup_(unwind_table_freep) = calloc(1, sizeof(*t));
	struct builder b _cleanup_(builder_donep) = {.t = t, .rules_of = SIZE_MAX};
	struct eh_frame frame;
	int r;

	if (!t)
		return -ENOMEM;
	if (!elf_image_is_64bit(image) || !elf_image_is_x86_64(image))
		return refuse(error, ENOTSUP);
	b.segments = elf_image_segments(image, &b.n_segments);
	r = eh_frame_open(image, &frame);
	if (r >= 0)
		r = build(&b, &frame);
	if (r < 0)
		return refuse(error, -r);
	*ret = TAKE_PTR(t);
	return 0;
}

struct unwind_table *unwind_table_free(struct unwind_table *t)
{
	if (!t)
		return NULL;
	free(t->rows);
	free(t);
	return NULL;
}

const struct unwind_row *unwind_table_find(const struct unwind_table *t, uint64_t vaddr)
{
	size_t low = 0, high = t->len;

	if (vaddr < t->base)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->base + t->rows[middle].pc <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	/* Behind the last row, which says where the last function ends, there is nothing. */
	return low == 0 || low == t->len ? NULL : &t->rows[low - 1];
}

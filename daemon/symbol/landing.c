/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The format: the Itanium C++ ABI, exception handling, level 2. */
#include "symbol/landing_internal.h"
#include "symbol/eh_frame.h"

/* Of a whole file. They are counted as they are read: functions may share a table. */
enum { SITES_MAX = 1 << 24 };

struct builder {
	struct landing_table *t;
	struct eh_reader except; /* .gcc_except_table */
	const struct elf_segment *segments;
	size_t n_segments, n_sites;
};

static bool is_code(const struct builder *b, uint64_t vaddr)
{
	for (size_t i = 0; i < b->n_segments; i++)
		if (b->segments[i].executable && vaddr >= b->segments[i].vaddr &&
		    vaddr - b->segments[i].vaddr < b->segments[i].file_size)
			return true;
	return false;
}

static int add_landing(struct builder *b, uint64_t vaddr)
{
	struct landing_table *t = b->t;
	int r;

	if (t->n_landings >= LANDINGS_MAX)
		return -EBADMSG;
	r = array_reserve(&t->landings, &t->landings_cap, t->n_landings + 1, sizeof(*t->landings));
	if (r >= 0)
		t->landings[t->n_landings++] = vaddr;
	return r;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorts what was added behind `first`, and leaves out what is there twice. */
static void sort_landings(struct landing_table *t, size_t first)
{
	size_t n = first;

	if (t->n_landings - first < 2)
		return;
	qsort(t->landings + first, t->n_landings - first, sizeof(*t->landings), by_value);
	for (size_t i = first; i < t->n_landings; i++)
		if (i == first || t->landings[i] != t->landings[n - 1])
			t->landings[n++] = t->landings[i];
	t->n_landings = n;
}

/* The call sites of one function. -EBADMSG: the file is not to be trusted with any. */
static int read_sites(struct builder *b, uint64_t function, uint64_t vaddr)
{
	struct eh_reader r = b->except, sites;
	size_t first = b->t->n_landings;
	uint64_t base = function;
	uint8_t encoding;
	int x = 0;

	if (vaddr < r.vaddr || vaddr - r.vaddr >= r.size)
		return 0;
	r.at = vaddr - r.vaddr;
	encoding = (uint8_t)eh_fixed(&r, 1, false);
	if (encoding != ENC_OMIT)
		base = eh_pointer(&r, encoding, function);
	if ((uint8_t)eh_fixed(&r, 1, false) != ENC_OMIT)
		eh_leb(&r, false); /* where the types are */
	encoding = (uint8_t)eh_fixed(&r, 1, false);
	sites = eh_take(&r, eh_leb(&r, false));
	if (encoding & (ENC_RELATIVE | ENC_INDIRECT))
		sites.bad = true;
	while (!sites.bad && sites.at < sites.size && x >= 0) {
		uint64_t landing;

		if (++b->n_sites > SITES_MAX)
			return -EBADMSG;
		eh_value(&sites, encoding);
		eh_value(&sites, encoding);
		landing = eh_value(&sites, encoding);
		eh_leb(&sites, false); /* the action */
		if (landing && !sites.bad && is_code(b, base + landing))
			x = add_landing(b, base + landing);
		else if (landing)
			sites.bad = true;
	}
	if (sites.bad)
		b->t->n_landings = first;
	sort_landings(b->t, first);
	return x;
}

static int add_function(struct builder *b, const struct eh_fde *fde)
{
	struct landing_table *t = b->t;
	int x;

	if (fde->size > UINT32_MAX || fde->size > UINT64_MAX - fde->vaddr ||
	    !is_code(b, fde->vaddr))
		return 0;
	if (t->n >= LANDING_PARTS_MAX)
		return -EBADMSG;
	x = array_reserve(&t->parts, &t->cap, t->n + 1, sizeof(*t->parts));
	if (x < 0)
		return x;
	t->parts[t->n++] = (struct landing_range){
		.vaddr = fde->vaddr, .size = (uint32_t)fde->size, .first = (uint32_t)t->n_landings};
	x = fde->lsda == 0 ? 0 : read_sites(b, fde->vaddr, fde->lsda);
	t->parts[t->n - 1].n = (uint32_t)(t->n_landings - t->parts[t->n - 1].first);
	return x;
}

static int by_vaddr(const void *a, const void *b)
{
	const struct landing_range *x = a, *y = b;

	return x->vaddr == y->vaddr  ? (x->first > y->first) - (x->first < y->first)
	       : x->vaddr > y->vaddr ? 1
				     : -1;
}

/* By address, and the landings in the same order. */
static int sort_parts(struct landing_table *t)
{
	uint64_t *landings;
	size_t n = 0;

	if (t->n > 0)
		qsort(t->parts, t->n, sizeof(*t->parts), by_vaddr);
	if (t->n_landings == 0)
		return 0;
	landings = malloc(t->n_landings * sizeof(*landings));
	if (!landings)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		struct landing_range *p = &t->parts[i];

		memcpy(landings + n, t->landings + p->first, p->n * sizeof(*landings));
		p->first = (uint32_t)n;
		n += p->n;
	}
	free(t->landings);
	t->landings = landings;
	t->landings_cap = n;
	return 0;
}

static int build(struct elf_image *image, struct landing_table *t)
{
	struct builder b = {.t = t};
	struct eh_frame frame;
	struct eh_fde fde;
	int x;

	if (!elf_image_is_64bit(image) ||
	    eh_reader_open(image, ".gcc_except_table", &b.except) < 0 ||
	    eh_frame_open(image, &frame) < 0)
		return 0;
	b.segments = elf_image_segments(image, &b.n_segments);
	while ((x = eh_frame_next(&frame, &fde)) > 0) {
		x = x == EH_FUNCTION ? add_function(&b, &fde) : 0;
		if (x < 0)
			return x;
	}
	return x < 0 ? x : sort_parts(t);
}

int landing_table_new(struct elf_image *image, struct landing_table **ret)
{
	struct landing_table *t _cleanup_(landing_table_freep) = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = build(image, t);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		t->n = t->n_landings = 0;
	*ret = TAKE_PTR(t);
	return 0;
}

struct landing_table *landing_table_free(struct landing_table *t)
{
	if (!t)
		return NULL;
	if (t->flat.data) {
		flat_unmap(&t->flat);
	} else {
		free(t->parts);
		free(t->landings);
	}
	free(t);
	return NULL;
}

/* The first part at or behind an address. */
static size_t lower_bound(const struct landing_table *t, uint64_t vaddr)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->parts[middle].vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const uint64_t *landing_table_find(const struct landing_table *t, uint64_t vaddr, uint64_t size,
				   size_t *ret_n)
{
	size_t first = lower_bound(t, vaddr), end, n;

	if (size > UINT64_MAX - vaddr)
		size = UINT64_MAX - vaddr;
	end = lower_bound(t, vaddr + size);
	n = end > first ? t->parts[end - 1].first + t->parts[end - 1].n - t->parts[first].first : 0;
	*ret_n = n;
	return n ? t->landings + t->parts[first].first : NULL;
}

bool landing_table_part(const struct landing_table *t, uint64_t vaddr, struct landing_part *ret)
{
	size_t i = lower_bound(t, vaddr);
	const struct landing_range *p;

	if (i == t->n || t->parts[i].vaddr != vaddr) {
		if (i == 0)
			return false;
		i--;
	}
	p = &t->parts[i];
	if (vaddr - p->vaddr >= p->size)
		return false;
	*ret = (struct landing_part){
		.vaddr = p->vaddr,
		.size = p->size,
		.landings = p->n ? t->landings + p->first : NULL,
		.n = p->n,
	};
	return true;
}

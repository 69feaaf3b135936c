/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/dwarf_index.h"

#include <dwarf.h>

#include "sonde/base/table.h"

enum { DEPTH_MAX = 24, RANGES_MAX = 4 << 20, UNITS_MAX = 1 << 20, CANDIDATES_MAX = 8 };

struct entry {
	uint64_t pc;
	Dwarf_Off die;
};

struct unit {
	Dwarf_Off cu; /* of its DIE */
	struct entry *entries;
	size_t n, cap;
	bool is_deep; /* functions inside functions and classes are among the entries */
};

struct range {
	uint64_t low, high;
	Dwarf_Off cu;
};

struct dwarf_index {
	Dwarf *dwarf;
	struct unit *units;
	size_t n_units, units_cap;
	struct table by_cu; /* offset of the unit's DIE to index in units */
	struct range *ranges;
	size_t n_ranges, ranges_cap;
	bool is_walked;
	/* DIEs that may still be looked at; each takes a byte of the file or more. */
	uint64_t budget;
};

int dwarf_index_new(const struct dwarf_file *file, struct dwarf_index **ret)
{
	struct dwarf_index *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->dwarf = dwarf_file_dwarf(file);
	x->budget = 4 * dwarf_file_info_size(file) + 1000;
	*ret = x;
	return 0;
}

struct dwarf_index *dwarf_index_free(struct dwarf_index *x)
{
	if (!x)
		return NULL;
	for (size_t i = 0; i < x->n_units; i++)
		free(x->units[i].entries);
	free(x->units);
	free(x->ranges);
	table_release(&x->by_cu);
	free(x);
	return NULL;
}

/*
 * Where a function is entered. One that is split into hot and cold parts has ranges instead of
 * low_pc, and begins with the first.
 */
static bool entry_of(Dwarf_Die *die, uint64_t *ret)
{
	Dwarf_Addr pc, base, high;

	if (dwarf_lowpc(die, &pc) == 0 ||
	    (dwarf_hasattr(die, DW_AT_ranges) && dwarf_ranges(die, 0, &base, &pc, &high) > 0)) {
		*ret = pc;
		return pc != 0; /* 0: the linker has thrown it away */
	}
	return false;
}

/* What may have functions inside it. */
static bool is_scope(int tag, bool deep)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return deep;
	default:
		return false;
	}
}

static int walk(struct dwarf_index *x, struct unit *u, Dwarf_Die *parent, bool deep, int depth)
{
	Dwarf_Die die;
	int r, more;

	for (more = dwarf_child(parent, &die); more == 0; more = dwarf_siblingof(&die, &die)) {
		int tag = dwarf_tag(&die);
		uint64_t pc;

		if (x->budget == 0)
			return -E2BIG;
		x->budget--;
		if (tag == DW_TAG_subprogram && entry_of(&die, &pc)) {
			r = array_reserve(&u->entries, &u->cap, u->n + 1, sizeof(*u->entries));
			if (r < 0)
				return r;
			u->entries[u->n++] = (struct entry){pc, dwarf_dieoffset(&die)};
		}
		if (depth < DEPTH_MAX && is_scope(tag, deep) && dwarf_haschildren(&die) == 1) {
			r = walk(x, u, &die, deep, depth + 1);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->pc != y->pc)
		return x->pc < y->pc ? -1 : 1;
	return x->die < y->die ? -1 : x->die > y->die;
}

static int index_unit(struct dwarf_index *x, struct unit *u, bool deep)
{
	Dwarf_Die cu;
	int r = 0;

	u->n = 0;
	u->is_deep = deep;
	if (dwarf_offdie(x->dwarf, u->cu, &cu))
		r = walk(x, u, &cu, deep, 0);
	if (u->n > 0)
		qsort(u->entries, u->n, sizeof(*u->entries), compare_entries);
	return r;
}

/* Valid until the next call. */
static int get_unit(struct dwarf_index *x, Dwarf_Off cu, struct unit **ret)
{
	bool is_new = false;
	uint32_t *slot = table_put(&x->by_cu, cu, &is_new);
	int r;

	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = (uint32_t)x->n_units;
		r = array_reserve(&x->units, &x->units_cap, x->n_units + 1, sizeof(*x->units));
		if (r < 0) {
			table_clear(&x->by_cu); /* indexed again, rather than found wrong */
			return r;
		}
		x->units[x->n_units] = (struct unit){.cu = cu};
		r = index_unit(x, &x->units[x->n_units++], false);
		if (r < 0)
			return r;
	}
	*ret = &x->units[*slot];
	return 0;
}

static int find_entry(struct dwarf_index *x, const struct unit *u, uint64_t vaddr, Dwarf_Die *ret)
{
	size_t low = 0, high = u->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (u->entries[mid].pc < vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == u->n || u->entries[low].pc != vaddr ||
	    !dwarf_offdie(x->dwarf, u->entries[low].die, ret))
		return -ENOENT;
	return 0;
}

static int find_in_unit(struct dwarf_index *x, Dwarf_Off cu, uint64_t vaddr, Dwarf_Die *ret)
{
	struct unit *u;
	int r;

	r = get_unit(x, cu, &u);
	if (r < 0)
		return r;
	r = find_entry(x, u, vaddr, ret);
	if (r != -ENOENT || u->is_deep)
		return r;
	r = index_unit(x, u, true);
	return r < 0 ? r : find_entry(x, u, vaddr, ret);
}

static int add_ranges(struct dwarf_index *x, Dwarf_Die *cu)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	int r;

	while ((at = dwarf_ranges(cu, at, &base, &low, &high)) > 0) {
		if (high <= low)
			continue;
		if (x->n_ranges >= RANGES_MAX)
			return -E2BIG;
		r = array_reserve(&x->ranges, &x->ranges_cap, x->n_ranges + 1, sizeof(*x->ranges));
		if (r < 0)
			return r;
		x->ranges[x->n_ranges++] = (struct range){low, high, dwarf_dieoffset(cu)};
	}
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->cu < y->cu ? -1 : x->cu > y->cu;
}

/* Clang makes no .debug_aranges, and files put together of many have them for some units. */
static int walk_units(struct dwarf_index *x)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;
	int r;

	x->is_walked = true;
	for (size_t i = 0; i < UNITS_MAX; i++) {
		if (dwarf_get_units(x->dwarf, cu, &cu, &version, &type, &die, NULL) != 0)
			break;
		if (dwarf_tag(&die) != DW_TAG_compile_unit)
			continue;
		r = add_ranges(x, &die);
		if (r < 0)
			return r;
	}
	if (x->n_ranges > 0)
		qsort(x->ranges, x->n_ranges, sizeof(*x->ranges), compare_ranges);
	return 0;
}

/* How many ranges begin at the address or before it. */
static size_t ranges_up_to(const struct dwarf_index *x, uint64_t vaddr)
{
	size_t low = 0, high = x->n_ranges;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->ranges[mid].low <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int dwarf_index_find(struct dwarf_index *x, uint64_t vaddr, Dwarf_Die *ret)
{
	Dwarf_Off tried = 0;
	Dwarf_Die cu;
	int r, candidates = 0;

	if (dwarf_addrdie(x->dwarf, vaddr, &cu)) {
		tried = dwarf_dieoffset(&cu);
		r = find_in_unit(x, tried, vaddr, ret);
		if (r != -ENOENT)
			return r;
	}
	if (!x->is_walked) {
		r = walk_units(x);
		if (r < 0)
			return r;
	}
	/* Ranges overlap hardly ever, so the right one is among the last that begin before. */
	for (size_t i = ranges_up_to(x, vaddr); i > 0 && candidates < CANDIDATES_MAX; i--) {
		const struct range *range = &x->ranges[i - 1];

		candidates++;
		if (vaddr >= range->high || range->cu == tried)
			continue;
		r = find_in_unit(x, range->cu, vaddr, ret);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

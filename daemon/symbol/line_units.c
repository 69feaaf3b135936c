/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/line_units.h"

#include <dwarf.h>

enum { UNITS_MAX = 1 << 20, NESTED_MAX = 200, REFERENCES_MAX = 8 };

/* Addresses of one unit in order of vaddr, and how they are looked for. */
struct walk {
	struct line_builder *b;
	Dwarf_Files *files; /* of the unit; NULL: none */
	size_t n_files;
	bool deep; /* functions inside functions and classes, too, which is slow */
};

struct span {
	struct line_query *at, *end;
};

static int compare_addresses(const void *a, const void *b)
{
	const struct line_query *x = a, *y = b;

	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static struct line_query *first_from(struct span in, uint64_t vaddr)
{
	while (in.at < in.end) {
		struct line_query *mid = in.at + (in.end - in.at) / 2;

		if (mid->vaddr < vaddr)
			in.at = mid + 1;
		else
			in.end = mid;
	}
	return in.at;
}

static struct span inside(struct span in, uint64_t low, uint64_t high)
{
	struct span found = {first_from(in, low), in.end};

	if (low >= high)
		found.end = found.at;
	else
		found.end = first_from(found, high);
	return found;
}

/* What .debug_aranges does not have: clang makes none, others may have some units only. */
static int find_by_ranges(struct line_builder *b, struct span unknown)
{
	Dwarf_CU *cu = NULL;

	for (size_t i = 0; i < UNITS_MAX; i++) {
		Dwarf_Addr base, low, high;
		Dwarf_Half version;
		ptrdiff_t at = 0;
		Dwarf_Die die;
		uint8_t type;

		if (dwarf_get_units(dwarf_file_dwarf(b->file), cu, &cu, &version, &type, &die,
				    NULL) != 0)
			return 0;
		if (dwarf_tag(&die) != DW_TAG_compile_unit)
			continue;
		while ((at = dwarf_ranges(&die, at, &base, &low, &high)) > 0) {
			struct span found = inside(unknown, low, high);

			if (b->budget-- == 0)
				return -E2BIG;
			for (struct line_query *a = found.at; low && a < found.end; a++)
				if (!a->unit)
					a->unit = dwarf_dieoffset(&die);
		}
	}
	return -E2BIG;
}

int line_units_find(struct line_builder *b)
{
	struct span unknown = {b->addresses, b->addresses};
	Dwarf_Die cu;
	int r = 0;

	for (size_t i = 0; i < b->n; i++)
		if (dwarf_addrdie(dwarf_file_dwarf(b->file), b->addresses[i].vaddr, &cu))
			b->addresses[i].unit = dwarf_dieoffset(&cu);
	qsort(b->addresses, b->n, sizeof(*b->addresses), compare_addresses);
	while (unknown.end < b->addresses + b->n && !unknown.end->unit)
		unknown.end++;
	if (unknown.at < unknown.end) {
		r = find_by_ranges(b, unknown);
		qsort(b->addresses, b->n, sizeof(*b->addresses), compare_addresses);
	}
	return r;
}

/* A concrete function says what it is called by one that it refers to, and so may that one. */
static uint32_t function_name(const struct walk *w, const Dwarf_Die *function)
{
	const char *linkage = "", *name = "";
	Dwarf_Die die = *function, next;

	for (int i = 0; i < REFERENCES_MAX && !*linkage; i++) {
		linkage = dwarf_file_string(w->b->file, &die, DW_AT_linkage_name);
		if (!*linkage)
			linkage = dwarf_file_string(w->b->file, &die, DW_AT_MIPS_linkage_name);
		if (!*name)
			name = dwarf_file_string(w->b->file, &die, DW_AT_name);
		if (!dwarf_reference(&die, DW_AT_abstract_origin, &next) &&
		    !dwarf_reference(&die, DW_AT_specification, &next))
			break;
		die = next;
	}
	return line_builder_text(w->b, *linkage ? linkage : name);
}

static uint32_t file_name(const struct walk *w, uint64_t number)
{
	const char *name = NULL;

	if (w->files && number < w->n_files)
		name = dwarf_filesrc(w->files, number, NULL, NULL);
	/* What libdw says of number 0, where it means nothing. */
	return name && !streq(name, "???") ? line_builder_text(w->b, name) : 0;
}

static struct line_scope scope_of(const struct walk *w, Dwarf_Die *die)
{
	struct line_scope scope = {.function = function_name(w, die)};
	uint64_t number;

	if (dwarf_tag(die) != DW_TAG_inlined_subroutine)
		return scope;
	if (dwarf_number(die, DW_AT_call_file, &number))
		scope.call_file = file_name(w, number);
	if (dwarf_number(die, DW_AT_call_line, &number))
		scope.call_line = (uint32_t)MIN(number, (uint64_t)INT32_MAX);
	return scope;
}

static int walk(struct walk *w, Dwarf_Die *parent, struct span in, int nested);

/*
 * Of functions that are not inlined the first one has an address: assembler gives the same code
 * several names. These are the next ones in a row that are in no function yet.
 */
static struct span next_free(struct span in)
{
	struct span found = {in.at, in.at};

	while (found.at < in.end && found.at->last)
		found.at++;
	for (found.end = found.at; found.end < in.end && !found.end->last;)
		found.end++;
	return found;
}

static int enter(struct walk *w, Dwarf_Die *die, const struct line_scope *scope, struct span in,
		 int nested)
{
	int r = 0;

	for (struct line_query *a = in.at; a < in.end && r >= 0; a++)
		r = line_builder_enter(w->b, a, scope);
	return r < 0 ? r : walk(w, die, in, nested);
}

/* A function: each of its ranges has its own addresses, if any. */
static int walk_function(struct walk *w, Dwarf_Die *die, struct span in, int nested)
{
	struct line_scope scope = {};
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	bool is_hit = false;
	int r = 0;

	while (r >= 0 && (at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		struct span found = inside(in, low, high);

		if (w->b->budget-- == 0)
			return -E2BIG;
		/* 0: the linker has thrown it away. */
		if (found.at == found.end || low == 0)
			continue;
		if (!is_hit)
			scope = scope_of(w, die);
		is_hit = true;
		if (dwarf_tag(die) == DW_TAG_inlined_subroutine) {
			r = enter(w, die, &scope, found, nested);
			continue;
		}
		for (; found.at < found.end && r >= 0;) {
			struct span part = next_free(found);

			found.at = part.end;
			r = enter(w, die, &scope, part, nested);
		}
	}
	if (!is_hit && w->deep && r >= 0)
		r = walk(w, die, in, nested);
	return r;
}

static int walk(struct walk *w, Dwarf_Die *parent, struct span in, int nested)
{
	Dwarf_Die die;
	int r = 0, more;

	if (nested >= NESTED_MAX || dwarf_haschildren(parent) != 1)
		return 0;
	for (more = dwarf_child(parent, &die); more == 0 && r >= 0;
	     more = dwarf_siblingof(&die, &die)) {
		if (w->b->budget == 0)
			return -E2BIG;
		w->b->budget--;
		switch (dwarf_tag(&die)) {
		case DW_TAG_subprogram:
		case DW_TAG_inlined_subroutine:
			r = walk_function(w, &die, in, nested + 1);
			break;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_lexical_block:
		case DW_TAG_try_block:
		case DW_TAG_catch_block:
			r = walk(w, &die, in, nested + 1);
			break;
		case DW_TAG_class_type:
		case DW_TAG_structure_type:
		case DW_TAG_union_type:
			if (w->deep)
				r = walk(w, &die, in, nested + 1);
			break;
		default:
			break;
		}
	}
	return r;
}

/* Looks again, everywhere, for those that were found nowhere: a copy, as they must be in a row. */
static int walk_deep(struct walk *w, Dwarf_Die *cu, struct span all)
{
	struct line_query *rest _cleanup_(freep) =
		calloc((size_t)(all.end - all.at) + 1, sizeof(*rest));
	struct span in = {rest, rest};
	int r;

	if (!rest)
		return -ENOMEM;
	for (struct line_query *a = all.at; a < all.end; a++)
		if (!a->last)
			*in.end++ = *a;
	if (in.at == in.end)
		return 0;
	w->deep = true;
	r = walk(w, cu, in, 0);
	for (struct line_query *a = all.at; a < all.end; a++)
		if (!a->last)
			*a = *in.at++;
	return r;
}

int line_units_add(struct line_builder *b, Dwarf_Off unit, size_t first, size_t end)
{
	struct span all = {b->addresses + first, b->addresses + end};
	struct walk w = {.b = b};
	Dwarf_Die cu;
	int r;

	if (!dwarf_offdie(dwarf_file_dwarf(b->file), unit, &cu))
		return 0;
	if (dwarf_getsrcfiles(&cu, &w.files, &w.n_files) != 0)
		w.files = NULL;
	for (struct line_query *a = all.at; a < all.end && w.files; a++) {
		Dwarf_Line *line = dwarf_getsrc_die(&cu, a->vaddr);
		const char *name = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
		int number = 0;

		if (!name || dwarf_lineno(line, &number) != 0 || number < 0)
			continue;
		a->file = line_builder_text(b, name);
		a->line = (uint32_t)number;
	}
	r = walk(&w, &cu, all, 0);
	return r < 0 ? r : walk_deep(&w, &cu, all);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symtab_internal.h"

/*
 * Bounds of the walk back from an address to the function around it. Real files nest functions one
 * or two deep (entry points in the middle of assembly); a hostile one must not make lookups slow.
 */
enum { GROUPS_MAX = 16, ALIASES_MAX = 64 };

struct symtab *symtab_free(struct symtab *st)
{
	if (!st)
		return NULL;
	if (!st->flat.data) {
		free(st->entries);
		free(st->names);
	}
	flat_unmap(&st->flat);
	free(st->segments);
	free(st);
	return NULL;
}

size_t symtab_len(const struct symtab *st)
{
	return st->len;
}

size_t symtab_memory(const struct symtab *st)
{
	return sizeof(*st) + st->len * sizeof(*st->entries) + st->names_size +
	       st->n_segments * sizeof(*st->segments);
}

bool symtab_is_stripped(const struct symtab *st)
{
	return st->stripped;
}

/* The index of the first of `len` entries that begins at or after vaddr; len when none does. */
static size_t lower_bound(const struct symtab *st, size_t len, uint64_t vaddr)
{
	size_t low = 0;

	while (low < len) {
		size_t middle = low + (len - low) / 2;

		if (st->entries[middle].vaddr < vaddr)
			low = middle + 1;
		else
			len = middle;
	}
	return low;
}

int symtab_lookup(const struct symtab *st, uint64_t vaddr, const char **ret_name,
		  uint64_t *ret_start)
{
	size_t end = vaddr < UINT64_MAX ? lower_bound(st, st->len, vaddr + 1) : st->len;

	for (int group = 0; end > 0 && group < GROUPS_MAX; group++) {
		uint64_t start = st->entries[end - 1].vaddr;
		size_t first = end - 1;

		if (first > 0 && st->entries[first - 1].vaddr == start)
			first = lower_bound(st, end, start);
		for (size_t i = first; i < end && i - first < ALIASES_MAX; i++) {
			if (vaddr - start >= st->entries[i].size)
				continue;
			*ret_name = st->names + st->entries[i].name;
			*ret_start = start;
			return 0;
		}
		end = first;
	}
	return -ENOENT;
}

int symtab_lookup_offset(const struct symtab *st, uint64_t file_offset, const char **ret_name,
			 uint64_t *ret_offset_in_function)
{
	uint64_t vaddr, start;
	int r;

	r = elf_segments_to_vaddr(st->segments, st->n_segments, file_offset, &vaddr);
	if (r < 0)
		return r;
	r = symtab_lookup(st, vaddr, ret_name, &start);
	if (r < 0)
		return r;
	*ret_offset_in_function = vaddr - start;
	return 0;
}

int symtab_each(const struct symtab *st, int (*fn)(const struct symbol *symbol, void *data),
		void *data)
{
	for (size_t i = 0; i < st->len; i++) {
		const struct symtab_entry *e = &st->entries[i];
		struct symbol symbol = {
			.name = st->names + e->name,
			.vaddr = e->vaddr,
			.size = e->size,
			.flags = e->flags,
		};
		int r;

		if (e->flags & SYMBOL_PLT)
			continue;
		if (elf_segments_to_offset(st->segments, st->n_segments, e->vaddr,
					   &symbol.file_offset) < 0)
			continue;
		r = fn(&symbol, data);
		if (r != 0)
			return r;
	}
	return 0;
}

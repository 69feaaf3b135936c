/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input is a symbol image or an unwind image, as a reader process that was taken over may
 * answer it. What passes the checks is used. The checksum is made to fit, as else nothing would
 * pass.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "symbol/symbol_image.h"
#include "symbol/symtab_internal.h"
#include "symbol/unwind_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int use(const struct symbol *symbol, void *data)
{
	const struct symtab *st = data;
	const char *name;
	uint64_t start;

	/* As in fuzz_elf.c, but that a liar may have put many empty ones around it. */
	if (strlen(symbol->name) >= st->names_size)
		abort();
	(void)symtab_lookup(st, symbol->vaddr, &name, &start);
	return 0;
}

static void use_symbols(const struct symtab *st)
{
	const char *near[4], *name;
	uint64_t at, last = 0;

	symtab_each(st, use, (void *)st);
	symtab_find_near(st, "main", near, ARRAY_SIZE(near));
	for (size_t i = 0; i < st->n_segments; i++)
		for (uint64_t k = 0; k < 4096; k += 97)
			symtab_lookup_offset(st, st->segments[i].offset + k, &name, &at);
	for (size_t i = 0; i < st->len; i++) {
		if (st->entries[i].vaddr < last || st->entries[i].name >= st->names_size)
			abort();
		last = st->entries[i].vaddr;
	}
}

static void use_rows(const struct unwind_image *u)
{
	const struct unwind_table *t = &u->table;

	for (size_t i = 0; i < t->len; i++) {
		const struct unwind_row *row = unwind_table_find(t, t->base + t->rows[i].pc);

		if (row != (i + 1 < t->len ? &t->rows[i] : NULL))
			abort();
	}
}

/* Only where the counts fit the size, so that the sum itself reads nothing else. */
static void seal(uint8_t *data, size_t size)
{
	struct symbol_image_header *h = (void *)data;

	if (size >= sizeof(*h) && h->n_entries <= size && h->n_segments <= size &&
	    h->names_size <= size &&
	    size == sizeof(*h) + h->n_entries * sizeof(struct symtab_entry) +
			    h->n_segments * sizeof(struct flat_segment) + h->names_size)
		h->checksum = symbol_image_checksum(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_(unwind_image_freep) struct unwind_image *u = NULL;
	_cleanup_(symtab_freep) struct symtab *st = NULL;
	_cleanup_(freep) uint8_t *copy = malloc(size + 1);

	if (fd < 0 || !copy)
		return 0;
	memcpy(copy, data, size);
	seal(copy, size);
	if (write_fully(fd, copy, size) < 0)
		return 0;
	if (symbol_image_open(fd, NULL, &st) >= 0)
		use_symbols(st);
	if (unwind_image_open(fd, NULL, &u) >= 0)
		use_rows(u);
	return 0;
}

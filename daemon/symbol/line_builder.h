/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lines.c knows so far of the addresses it was asked about; private to it and line_units.c. */
#ifndef SONDE_SYMBOL_LINE_BUILDER_H
#define SONDE_SYMBOL_LINE_BUILDER_H

#include "sonde/base/strbuf.h"
#include "sonde/base/table.h"
#include "symbol/dwarf_file.h"
#include "symbol/line_image.h"

struct line_query {
	uint64_t vaddr;
	Dwarf_Off unit;	     /* of its DIE; 0: none is known */
	uint32_t index;	     /* in the question */
	uint32_t last;	     /* the innermost function so far, as index + 1 in scopes; 0: none */
	uint32_t depth;	     /* functions so far */
	uint32_t file, line; /* of the line table */
};

/* A function that an address is in, and where it is inlined. */
struct line_scope {
	uint32_t outer; /* index + 1 */
	uint32_t function, call_file, call_line;
};

struct line_builder {
	const struct dwarf_file *file;
	struct line_query *addresses; /* by unit, then by vaddr, once units are known */
	size_t n;
	struct line_scope *scopes;
	size_t n_scopes, scopes_cap;
	struct strbuf strings;
	struct table index; /* hash of a string to its offset + 1 */
	uint64_t budget;    /* DIEs that may still be looked at */
};

int line_builder_begin(struct line_builder *b, const struct elf_image *image,
		       const uint64_t *offsets, size_t n);
/* The offset of the text among the strings; 0, as of "", when there is no more room. */
uint32_t line_builder_text(struct line_builder *b, const char *text);
/* The address is in that function, inside of those that it was in before. */
int line_builder_enter(struct line_builder *b, struct line_query *a,
		       const struct line_scope *scope);
/* n: how many addresses the question had. */
int line_builder_write(struct line_builder *b, size_t n, int fd);
void line_builder_release(struct line_builder *b);

#endif

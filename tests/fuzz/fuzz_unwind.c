/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input is .eh_frame of a file made around it, with code in front. Rows are in order. */
#include "eh_file.h"
#include "symbol/unwind_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct unwind_table *t)
{
	if (t->base != CODE || t->len == 0 || t->functions == 0 ||
	    t->rows[t->len - 1].pc > CODE_SIZE || t->rows[t->len - 1].rule != UNWIND_NONE)
		abort();
	for (size_t i = 0; i < t->len; i++) {
		const struct unwind_row *row = unwind_table_find(t, t->base + t->rows[i].pc);

		if (i > 0 && t->rows[i].pc <= t->rows[i - 1].pc)
			abort();
		if (row != (i + 1 < t->len ? &t->rows[i] : NULL))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;

	if (size > DATA_MAX)
		return 0;
	image = make_image(data, size, size);
	if (unwind_table_new(image, NULL, &t) >= 0)
		check(t);
	return 0;
}

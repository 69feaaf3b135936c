/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input is .eh_frame and, behind the length of that in its first two bytes, .gcc_except_table
 * of a file made around it, with code in front. Whatever is found lies in the code, in order.
 */
#include "eh_file.h"
#include "symbol/landing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct landing_table *t)
{
	size_t n = 0, sum = 0;
	const uint64_t *all = landing_table_find(t, 0, UINT64_MAX, &n);
	struct landing_part part;

	for (size_t i = 0; i < n; i++)
		if (all[i] < CODE || all[i] >= CODE + CODE_SIZE)
			abort();
	for (uint64_t at = 0; at < DATA + 16; at += 13) {
		if (!landing_table_part(t, at, &part))
			continue;
		if (at < part.vaddr || at - part.vaddr >= part.size || !part.landings != !part.n)
			abort();
		for (size_t i = 0; i < part.n; i++)
			if (part.landings < all || part.landings + part.n > all + n ||
			    (i > 0 && part.landings[i] <= part.landings[i - 1]))
				abort();
	}
	for (uint64_t at = 0; at < DATA; at += 64) {
		size_t some;

		landing_table_find(t, at, 64, &some);
		sum += some;
	}
	if (sum != n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	_cleanup_(landing_table_freep) struct landing_table *t = NULL;
	size_t frame;

	if (size < 2 || size - 2 > DATA_MAX)
		return 0;
	frame = MIN((size_t)(data[0] | data[1] << 8), size - 2);
	image = make_image(data + 2, frame, size - 2);
	if (landing_table_new(image, &t) < 0)
		return 0;
	check(t);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of spans as programs write them into their own memory: every text that is said to be
 * there is read, times are in order. */
#include <stdlib.h>

#include "model/source_batch.h"

static unsigned int touched;

static void touch(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		touched += (unsigned char)text[i];
}

static void look_at(const struct source_item *item)
{
	if (item->n_fields > SONDE_MAX_FIELDS || item->start_ns > INT64_MAX ||
	    item->duration_ns > INT64_MAX)
		abort();
	for (size_t i = 0; i < item->n_fields; i++)
		touch(item->fields[i].text, item->fields[i].len * !!item->fields[i].text);
	touch(item->category, item->category_len);
	touch(item->name, item->name_len);
}

static void read_from(const uint8_t *data, size_t size, const struct sonde_anchor *now, size_t at)
{
	struct source_batch b;
	struct source_item item;

	if (source_batch_open(data, size, now, &b) < 0)
		return;
	source_batch_seek(&b, at);
	while (source_batch_next(&b, &item) > 0)
		look_at(&item);
	if (source_batch_next(&b, &item) > 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_from(data, size, &(struct sonde_anchor){}, 0);
	read_from(data, size, &(struct sonde_anchor){1ULL << 62, 1ULL << 60}, size / 16 * 8);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "batch.h"

#include "sonde/base/varint.h"

void batch_table_begin(struct batch_table *t)
{
	strbuf_reset(&t->fresh);
	json_begin(&t->w, &t->fresh);
}

void batch_table_release(struct batch_table *t)
{
	table_release(&t->numbers);
	strbuf_release(&t->fresh);
}

int batch_table_number(struct batch_table *t, uint64_t key, uint32_t *ret)
{
	uint32_t *slot;
	bool is_new;

	slot = table_put(&t->numbers, key, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new)
		*slot = t->numbers.len - 1;
	*ret = *slot;
	return is_new;
}

void batch_table_write(const struct batch_table *t, struct json_writer *w, const char *key)
{
	json_array_begin(w, key);
	if (t->fresh.len)
		json_raw(w, NULL, t->fresh.data, t->fresh.len);
	json_array_end(w);
	if (strbuf_error(&t->fresh) < 0)
		w->out->failed = true;
}

void batch_column_put(struct strbuf *column, uint64_t value)
{
	uint8_t *p = (uint8_t *)strbuf_extend(column, VARINT_MAX);

	if (p)
		column->len = (size_t)(varint_put(p, value) - (uint8_t *)column->data);
}

void batch_columns_write(const struct strbuf *columns, const char *const *names, size_t n_columns,
			 size_t rows, struct json_writer *w)
{
	json_object_begin(w, "columns");
	json_u64(w, "count", rows);
	for (size_t i = 0; i < n_columns; i++) {
		json_base64(w, names[i], columns[i].data, columns[i].len);
		if (strbuf_error(&columns[i]) < 0)
			w->out->failed = true;
	}
	json_object_end(w);
}

uint64_t batch_epoch_ns(int64_t monotonic_to_epoch_ns, uint64_t monotonic_ns)
{
	__int128 ns = (__int128)monotonic_ns + monotonic_to_epoch_ns;

	return ns < 0 ? 0 : (uint64_t)MIN(ns, (__int128)INT64_MAX);
}

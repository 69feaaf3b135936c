/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a file has what is raw: packed spans and samples, which stay in it. */
#include "load.h"

#include "load_columns.h"

bool load_row_spans(struct load *l, sqlite3_stmt *s)
{
	uint64_t first_ns, last_ns, count;
	uint32_t window;

	if (!get_id(s, 1, l->n_windows, &window) || !window ||
	    !get_number(s, 2, STORE_MAX_NUMBER, &first_ns) ||
	    !get_number(s, 3, STORE_MAX_NUMBER, &last_ns) ||
	    !get_number(s, 4, CHUNK_MAX_SPANS, &count) ||
	    array_reserve(&l->chunks, &l->chunks_cap, l->n_chunks + 1, sizeof(*l->chunks)) < 0)
		return false;
	l->chunks[l->n_chunks++] =
		(struct load_chunk){first_ns, sqlite3_column_int64(s, 0), window, (uint32_t)count};
	return true;
}

bool load_row_raw_samples(struct load *l, sqlite3_stmt *s)
{
	uint32_t window, kind, count;
	uint64_t first_ns, last_ns;

	if (!get_id(s, 1, l->n_windows, &window) || !window ||
	    !get_id(s, 2, SAMPLE_KINDS - 1, &kind) ||
	    !get_number(s, 3, STORE_MAX_NUMBER, &first_ns) ||
	    !get_number(s, 4, STORE_MAX_NUMBER, &last_ns) || last_ns < first_ns ||
	    !get_id(s, 5, RAW_SAMPLE_CHUNK_MAX, &count) ||
	    array_reserve(&l->raw_samples, &l->raw_samples_cap, l->n_raw_samples + 1,
			  sizeof(*l->raw_samples)) < 0)
		return false;
	l->raw_samples[l->n_raw_samples++] = (struct load_raw_samples){
		.chunk = {.kind = kind, .first_ns = first_ns, .last_ns = last_ns, .count = count},
		.id = sqlite3_column_int64(s, 0),
		.window = window};
	return true;
}

static int compare_chunks(const void *a, const void *b)
{
	const struct load_chunk *x = a, *y = b;

	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_raw_samples(const void *a, const void *b)
{
	const struct load_raw_samples *x = a, *y = b;

	if (x->chunk.first_ns != y->chunk.first_ns)
		return x->chunk.first_ns < y->chunk.first_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

void load_sort_raw(struct load *l)
{
	if (l->n_chunks)
		qsort(l->chunks, l->n_chunks, sizeof(*l->chunks), compare_chunks);
	if (l->n_raw_samples)
		qsort(l->raw_samples, l->n_raw_samples, sizeof(*l->raw_samples),
		      compare_raw_samples);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history_load_raw.h"

/* Ids of the store become the model's, times those of the part's clock. */
static int translate_set(struct slice *s, struct span_set *set, int64_t shift_ns)
{
	struct more_pool more = {};
	int r = 0;

	for (size_t i = 0; i < set->n && r >= 0; i++) {
		struct raw_span *span = &set->spans[i];
		struct span_more m = more_pool_get(&set->more, i);

		span->start_ns += (uint64_t)shift_ns;
		r = slice_process(s, span->process, &span->process);
		if (r >= 0)
			r = slice_path(s, span->path, &span->path);
		if (r >= 0)
			r = slice_stack(s, m.stack, &m.stack);
		if (r >= 0)
			r = slice_string(s, m.exception_type, &m.exception_type);
		if (r >= 0)
			r = slice_string(s, m.exception_message, &m.exception_message);
		if (r >= 0 && (!span->process || !span->path))
			r = slice_damaged(s, "span_chunk", 0);
		if (r >= 0)
			r = more_pool_put(&more, i, &m);
	}
	more_pool_release(&set->more);
	set->more = more;
	return r;
}

int history_add_raw_spans(struct slice *s, struct history_part *p, sqlite3_stmt *row,
			  int64_t shift_ns)
{
	size_t cap = p->n_sets;
	int r;

	if (array_reserve(&p->sets, &cap, p->n_sets + 1, sizeof(*p->sets)) < 0)
		return -ENOMEM;
	p->sets[p->n_sets] = (struct span_set){};
	r = chunk_decode(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1),
			 &p->sets[p->n_sets]);
	if (r < 0)
		return slice_damaged(s, "span_chunk", sqlite3_column_int64(row, 0));
	return translate_set(s, &p->sets[p->n_sets++], shift_ns);
}

/* Ids of the store become the model's, times those of the part's clock, as of spans. */
static int translate_samples(struct slice *s, struct raw_sample_set *set, int64_t shift_ns,
			     uint64_t period_ns)
{
	int r = 0;

	for (size_t i = 0; i < set->n && r >= 0; i++) {
		struct raw_sample *sample = &set->samples[i];

		sample->time_ns += (uint64_t)shift_ns;
		if (sample->kind == SAMPLE_CPU && period_ns)
			sample->total_ns = sample->count * period_ns;
		r = slice_process(s, sample->process, &sample->process);
		if (r >= 0)
			r = slice_string(s, sample->thread, &sample->thread);
		if (r >= 0)
			r = slice_stack(s, sample->stack, &sample->stack);
		if (r >= 0 && !sample->process)
			r = -EBADMSG;
	}
	return r;
}

int history_add_raw_samples(struct slice *s, struct history_part *p, enum sample_kind kind,
			    sqlite3_stmt *row, int64_t shift_ns, uint32_t frequency)
{
	_cleanup_(raw_sample_set_release) struct raw_sample_set set = {};
	size_t cap = p->n_sample_sets;
	int r = raw_sample_chunk_decode(sqlite3_column_blob(row, 1),
					(size_t)sqlite3_column_bytes(row, 1), kind, &set);

	if (r >= 0)
		r = translate_samples(s, &set, shift_ns, frequency ? NSEC_PER_SEC / frequency : 0);
	if (r == -EBADMSG && !s->error->name[0])
		return slice_damaged(s, "raw_sample_chunk", sqlite3_column_int64(row, 0));
	if (r >= 0)
		r = array_reserve(&p->sample_sets, &cap, p->n_sample_sets + 1,
				  sizeof(*p->sample_sets));
	if (r < 0)
		return r;
	p->sample_sets[p->n_sample_sets++] = set;
	set = (struct raw_sample_set){};
	return 0;
}

void history_drop_raw(struct history_part *p)
{
	for (size_t i = 0; i < p->n_sets; i++)
		span_set_release(&p->sets[i]);
	for (size_t i = 0; i < p->n_sample_sets; i++)
		raw_sample_set_release(&p->sample_sets[i]);
	p->n_sets = p->n_sample_sets = 0;
}

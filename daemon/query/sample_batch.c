/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample_batch.h"

#include "batch.h"
#include "sonde/base/varint.h"
#include "sonde/sample_columns.h"

struct sample_batch {
	const struct snapshot *snapshot;
	int64_t monotonic_to_epoch_ns;
	/* The model's ids → indices of the snapshot; of threads' names, to a sample that has it. */
	struct table processes, stacks, names;
	uint32_t n;
	uint64_t last_time;
	struct strbuf columns[SAMPLE_COLUMNS];
	struct batch_table threads;
};

static void begin(struct sample_batch *b)
{
	b->n = 0;
	b->last_time = 0;
	for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
		strbuf_reset(&b->columns[i]);
	batch_table_begin(&b->threads);
}

static int learn(struct table *t, uint32_t id, size_t index)
{
	uint32_t *slot = table_put(t, id, NULL);

	if (!slot)
		return -ENOMEM;
	*slot = (uint32_t)index;
	return 0;
}

/* A snapshot has the samples of a window in the window's order. */
static int learn_all(struct sample_batch *b, const struct window *w)
{
	const struct snapshot *s = b->snapshot;
	int r = w->n_samples == s->n_samples ? 0 : -EBADMSG;

	for (size_t i = 0; i < w->n_samples && r >= 0; i++) {
		r = learn(&b->processes, w->samples[i].process, s->samples[i].process);
		if (r >= 0)
			r = learn(&b->stacks, w->samples[i].stack, s->samples[i].stack);
		if (r >= 0)
			r = learn(&b->names, w->samples[i].thread, i);
	}
	return r;
}

int sample_batch_new(const struct window *w, const struct snapshot *s,
		     int64_t monotonic_to_epoch_ns, struct sample_batch **ret)
{
	_cleanup_(sample_batch_freep) struct sample_batch *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->snapshot = s;
	b->monotonic_to_epoch_ns = monotonic_to_epoch_ns;
	begin(b);
	r = learn_all(b, w);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

struct sample_batch *sample_batch_free(struct sample_batch *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
		strbuf_release(&b->columns[i]);
	batch_table_release(&b->threads);
	table_release(&b->processes);
	table_release(&b->stacks);
	table_release(&b->names);
	free(b);
	return NULL;
}

/* A thread has the name that it had with its first sample. */
static int number_thread(struct sample_batch *b, const struct raw_sample *sample, uint32_t *ret)
{
	const uint32_t *process = table_get(&b->processes, sample->process);
	const uint32_t *name = table_get(&b->names, sample->thread);
	struct json_writer *w = &b->threads.w;
	int r;

	if (!process || !name)
		return -EBADMSG;
	r = batch_table_number(&b->threads, (uint64_t)sample->process << 32 | sample->tid, ret);
	if (r <= 0)
		return r;
	json_object_begin(w, NULL);
	json_u64(w, "process", *process);
	json_u64(w, "tid", sample->tid);
	json_string(w, "name", b->snapshot->samples[*name].thread);
	json_object_end(w);
	return 0;
}

int sample_batch_add(void *arg, const struct raw_sample *sample)
{
	struct sample_batch *b = arg;
	uint64_t time = batch_epoch_ns(b->monotonic_to_epoch_ns, sample->time_ns);
	const uint32_t *stack = table_get(&b->stacks, sample->stack);
	uint32_t thread;
	int r = stack ? number_thread(b, sample, &thread) : -EBADMSG;

	if (r < 0)
		return r;
	batch_column_put(&b->columns[SAMPLE_COLUMN_TIME], zigzag(time - b->last_time));
	b->last_time = time;
	batch_column_put(&b->columns[SAMPLE_COLUMN_THREAD], thread);
	batch_column_put(&b->columns[SAMPLE_COLUMN_STACK], sample->stack ? *stack + 1 : 0);
	batch_column_put(&b->columns[SAMPLE_COLUMN_NS], sample->ns);
	b->n++;
	return 0;
}

size_t sample_batch_count(const struct sample_batch *b)
{
	return b->n;
}

void sample_batch_write(struct sample_batch *b, struct json_writer *w)
{
	static const char *const names[SAMPLE_COLUMNS] = {
#define COLUMN(id, name) [SAMPLE_COLUMN_##id] = name,
#include "sonde/sample_columns.def"
#undef COLUMN
	};

	batch_columns_write(b->columns, names, SAMPLE_COLUMNS, b->n, w);
	batch_table_write(&b->threads, w, "threads");
}

void sample_batch_next(struct sample_batch *b)
{
	begin(b);
}

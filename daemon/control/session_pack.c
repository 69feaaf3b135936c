/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_pack.h"

#include "control/frame_names.h"
#include "control/recorded.h"
#include "control/replay_session.h"
#include "sonde/base/log.h"

/* A job of the worker: packs what is raw into memory, or writes a batch into the recording. */
struct pack_job {
	struct session *session;
	struct store_batch *batch; /* recording */
	struct window window;	   /* memory: only what is raw */
	struct span_chunk chunk;
	struct session_samples samples;
	struct error error;
	int result;
};

static void job_free(struct pack_job *job)
{
	store_batch_free(job->batch);
	window_release(&job->window);
	chunk_release(&job->chunk);
	session_samples_release(&job->samples);
	free(job);
}

static char *name_symbol(void *arg, const struct model_file *file, const char *path,
			 uint64_t offset)
{
	return processes_name_frame_as(arg, file, path, offset, DEMANGLE_NONE);
}

static int write_batch(struct pack_job *job)
{
	struct session *s = job->session;
	_cleanup_(frame_names_release) struct frame_names shown = {.symbolizer =
									   s->context->symbolizer};
	struct source_lines lines;
	struct store_names names = {
		.resolve = processes_name_frame,
		.symbol = name_symbol,
		.arg = s->context->symbolizer,
		.lines = &lines,
	};

	if (s->replay) {
		replay_names(s->replay, &names);
		return store_write(s->writer, job->batch, &names, &job->error);
	}
	lines = frame_lines_begin(s->lines, DEMANGLE_NONE);
	store_each_unnamed(s->writer, job->batch, frame_names_note, &shown);
	frame_names_prepare(&shown, DEMANGLE_SHORT);
	return store_write(s->writer, job->batch, &names, &job->error);
}

int session_samples_put(void *arg, struct raw_sample_chunk *chunk)
{
	struct session_samples *to = arg;

	if (array_reserve(&to->items, &to->cap, to->n + 1, sizeof(*to->items)) < 0)
		return -ENOMEM;
	to->items[to->n++] = *chunk;
	to->bytes += chunk->size;
	*chunk = (struct raw_sample_chunk){};
	return 0;
}

void session_samples_release(struct session_samples *s)
{
	for (size_t i = 0; i < s->n; i++)
		raw_sample_chunk_release(&s->items[i]);
	free(s->items);
	*s = (struct session_samples){};
}

static int pack_memory(struct pack_job *job)
{
	struct window *w = &job->window;
	int r = 0;

	if (w->n_spans)
		r = chunk_encode(w->spans, &w->more, 0, w->n_spans, &job->chunk);
	return r < 0 ? r
		     : raw_sample_chunk_encode(w->raw, w->n_raw, session_samples_put,
					       &job->samples);
}

static void pack_run(void *arg)
{
	struct pack_job *job = arg;

	if (!job->session->writer)
		job->result = pack_memory(job);
	else if (job->batch)
		job->result = write_batch(job);
}

static void keep_spans(struct session *s, struct span_chunk *chunk)
{
	struct session_chunks *c = &s->chunks;

	if (array_reserve(&c->items, &c->cap, c->n + 1, sizeof(*c->items)) < 0) {
		s->raw_dropped += chunk->count;
		return;
	}
	c->items[c->n++] = *chunk;
	c->bytes += chunk->size;
	*chunk = (struct span_chunk){};
}

static void keep_samples(struct session *s, struct session_samples *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (session_samples_put(&s->samples, &from->items[i]) < 0)
			s->raw_samples_dropped += from->items[i].count;
}

/* The oldest go until there is room for the rest; the last one stays. */
static void drop_spans(struct session *s, size_t max)
{
	struct session_chunks *c = &s->chunks;
	size_t drop = 0;

	for (; drop + 1 < c->n && c->bytes > max; drop++) {
		c->bytes -= c->items[drop].size;
		s->raw_dropped += c->items[drop].count;
		chunk_release(&c->items[drop]);
	}
	if (!drop)
		return;
	c->n -= drop;
	memmove(c->items, c->items + drop, c->n * sizeof(*c->items));
}

static void drop_samples(struct session *s, size_t max)
{
	struct session_samples *c = &s->samples;
	size_t drop = 0;

	for (; drop + 1 < c->n && c->bytes > max; drop++) {
		c->bytes -= c->items[drop].size;
		s->raw_samples_dropped += c->items[drop].count;
		raw_sample_chunk_release(&c->items[drop]);
	}
	if (!drop)
		return;
	c->n -= drop;
	memmove(c->items, c->items + drop, c->n * sizeof(*c->items));
}

static void pack_done(void *arg, bool cancelled)
{
	struct pack_job *job = arg;
	struct session *s = job->session;

	s->packing--;
	if (job->result < 0 && !s->write_error.name[0]) {
		error_set(&job->error, -job->result, "WriteFailed", "packing spans failed: %s",
			  strerror(-job->result));
		s->write_error = job->error;
		log_error("session %s: %s", s->name, job->error.message);
	} else if (!cancelled) {
		if (job->chunk.data)
			keep_spans(s, &job->chunk);
		keep_samples(s, &job->samples);
		drop_spans(s, s->context->raw_memory);
		/* Of their own, as many CPUs have more samples than anybody has slow calls. */
		drop_samples(s, s->context->raw_memory / 2);
	}
	job_free(job);
}

static int take_batch(struct session *s, struct store_batch **ret)
{
	int r = s->recorded ? 0 : recorded_new(s, &s->recorded);

	return r < 0 ? r : recorded_batch(s->recorded, &s->window, ret);
}

static int submit(struct session *s)
{
	struct pack_job *job = calloc(1, sizeof(*job));
	int r = 0;

	if (!job)
		return -ENOMEM;
	job->session = s;
	if (!s->writer) {
		window_move_spans(&job->window, &s->window);
		window_move_raw(&job->window, &s->window);
	} else if (s->replay) { /* its model has only what the recording had */
		r = store_batch_new(s->context->model, &s->window, &s->marks, &job->batch);
	} else {
		r = take_batch(s, &job->batch);
	}
	s->packing++;
	if (r >= 0)
		r = worker_submit(s->context->writer, pack_run, pack_done, job);
	if (r < 0) {
		s->packing--;
		job_free(job);
	}
	return r;
}

void session_pack(struct session *s)
{
	const struct window *w = &s->window;
	uint64_t spans = w->n_spans, samples = w->n_raw;

	/* Whoever follows a trace had its spans. */
	if (s->kind == SESSION_TRACE || (!s->writer && !spans && !samples))
		return;
	if (!s->write_error.name[0] && submit(s) >= 0)
		return;
	s->raw_dropped += spans;
	s->raw_samples_dropped += samples;
}

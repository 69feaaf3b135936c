/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/raw_samples.h"

#include "control/merged.h"
#include "control/raw_spans.h"

void raw_samples_release(struct raw_samples *r)
{
	for (size_t i = 0; i < r->n_chunks; i++)
		raw_sample_chunk_release(&r->chunks[i]);
	free(r->chunks);
	raw_sample_set_release(&r->open);
	free(r->is_wanted);
	*r = (struct raw_samples){};
}

static uint64_t count_rows(const struct window *w, enum sample_kind kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->n_samples; i++)
		if (w->samples[i].kind == kind)
			n += w->samples[i].count;
	return n;
}

static int copy_open(const struct window *w, struct raw_samples *r)
{
	r->open.samples = malloc(MAX(w->n_raw, 1U) * sizeof(*r->open.samples));
	if (!r->open.samples)
		return -ENOMEM;
	for (size_t i = 0; i < w->n_raw; i++)
		if (w->raw[i].kind == r->kind)
			r->open.samples[r->open.n++] = w->raw[i];
	return 0;
}

static int copy_chunks(const struct session *s, struct raw_samples *r)
{
	r->chunks = calloc(MAX(s->samples.n, 1U), sizeof(*r->chunks));
	if (!r->chunks)
		return -ENOMEM;
	for (size_t i = 0; i < s->samples.n; i++) {
		const struct raw_sample_chunk *from = &s->samples.items[i];
		struct raw_sample_chunk *to = &r->chunks[r->n_chunks];

		if (from->kind != r->kind)
			continue;
		*to = *from;
		to->data = malloc(MAX(from->size, 1U));
		if (!to->data)
			return -ENOMEM;
		memcpy(to->data, from->data, from->size);
		r->n_chunks++;
	}
	return copy_open(&s->window, r);
}

static int choose_processes(const struct asked *asked, struct raw_samples *r)
{
	struct model *m = asked->session->context->model;
	struct model_counts counts;

	model_counts(m, &counts);
	r->n_processes = counts.processes;
	r->is_wanted = calloc(r->n_processes + 1, sizeof(*r->is_wanted));
	if (!r->is_wanted)
		return -ENOMEM;
	for (size_t id = 1; id <= r->n_processes; id++)
		r->is_wanted[id] =
			selectors_match(&asked->selectors, m, model_process_get(m, (uint32_t)id));
	return 0;
}

/* What comes by windows has no times, wherever it goes. */
static int refuse(const struct session *s, enum sample_kind kind, struct error *error)
{
	const char *what = kind == SAMPLE_CPU ? "CPU samples" : "waits";

	if (s->kind == SESSION_KEPT) {
		error_set(error, EINVAL, "BadArgument",
			  "the history keeps no times of %s: nobody knows which spans they were in",
			  what);
		error_fix(error, "ask a session that is not kept (sonde attach without --persist), "
				 "or a recording of sonde record");
		return -EINVAL;
	}
	return raw_refuse_recording(s, error);
}

int raw_samples_take(struct daemon *d, const struct asked *asked, struct raw_samples *ret,
		     struct error *error)
{
	struct session *s = asked->session;
	int r;

	ret->kind = asked->kind == QUERY_OFFCPU ? SAMPLE_OFFCPU : SAMPLE_CPU;
	r = refuse(s, ret->kind, error);
	if (r < 0)
		return r;
	daemon_catch_up(d);
	/* Samples that are just being packed are in neither place. */
	if (s->packing > 0)
		worker_drain(d->writer);
	ret->since_ns = asked->since_us ? methods_span_clock(s, asked->since_us) : 0;
	ret->until_ns = asked->until_us ? methods_span_clock(s, asked->until_us) : 0;
	ret->reader = s->reader;
	ret->parts = s->parts;
	ret->n_parts = s->n_parts;
	ret->counted =
		s->reader ? count_rows(store_reader_total(s->reader), ret->kind)
			  : count_rows(&s->total, ret->kind) + count_rows(&s->window, ret->kind);
	r = choose_processes(asked, ret);
	if (r >= 0 && !s->reader)
		r = copy_chunks(s, ret);
	return r;
}

/* Of all kinds: what is of another one is not unpacked. */
static size_t file_chunks(const struct raw_samples *r)
{
	return r->reader ? store_reader_sample_chunks(r->reader) : 0;
}

size_t raw_samples_parts(const struct raw_samples *r)
{
	return r->n_chunks + file_chunks(r) + merged_sample_chunks(r->parts, r->n_parts) + 1;
}

static bool in_time(const struct raw_samples *r, uint64_t time_ns)
{
	return time_ns >= r->since_ns && (!r->until_ns || time_ns < r->until_ns);
}

static int hand_on(struct raw_samples *r, const struct raw_sample_set *set,
		   int (*each)(void *arg, const struct raw_sample *sample), void *arg)
{
	int code = 0;

	for (size_t i = 0; i < set->n && code >= 0; i++) {
		const struct raw_sample *sample = &set->samples[i];

		if (sample->kind != r->kind)
			continue;
		r->n += sample->count;
		/* What the model has got since then is not part of the answer. */
		if (sample->process <= r->n_processes && r->is_wanted[sample->process] &&
		    in_time(r, sample->time_ns))
			code = each(arg, sample);
	}
	return code;
}

static int read_own(struct raw_samples *r, size_t i, struct raw_sample_set *ret,
		    struct error *error)
{
	struct raw_sample_chunk chunk = store_sample_chunk(r->reader, i);

	return chunk.kind == r->kind ? store_read_samples(r->reader, i, ret, error) : 0;
}

int raw_samples_part(struct raw_samples *r, size_t i,
		     int (*each)(void *arg, const struct raw_sample *sample), void *arg,
		     struct error *error)
{
	_cleanup_(raw_sample_set_release) struct raw_sample_set set = {};
	size_t in_file = file_chunks(r);
	int code;

	if (i == 0)
		r->n = 0;
	if (i + 1 == raw_samples_parts(r))
		return hand_on(r, &r->open, each, arg);
	if (i < r->n_chunks)
		code = raw_sample_chunk_decode(r->chunks[i].data, r->chunks[i].size, r->kind, &set);
	else if (i - r->n_chunks < in_file)
		code = read_own(r, i - r->n_chunks, &set, error);
	else
		code = merged_samples(r->parts, r->n_parts, i - r->n_chunks - in_file, &set, error);
	return code < 0 ? code : hand_on(r, &set, each, arg);
}

int raw_samples_each(struct raw_samples *r, int (*each)(void *arg, const struct raw_sample *sample),
		     void *arg, struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < raw_samples_parts(r) && code >= 0; i++)
		code = raw_samples_part(r, i, each, arg, error);
	return code;
}

static int add_time(void *arg, const struct raw_sample *sample)
{
	return sample_times_add(arg, sample->process, sample->tid, sample->time_ns);
}

int raw_samples_times(struct raw_samples *r, struct sample_times **ret, struct error *error)
{
	_cleanup_(sample_times_freep) struct sample_times *t = NULL;
	int code = sample_times_new(&t);

	if (code >= 0)
		code = raw_samples_each(r, add_time, t, error);
	if (code >= 0)
		code = sample_times_sort(t);
	if (code < 0)
		return code;
	*ret = TAKE_PTR(t);
	return 0;
}

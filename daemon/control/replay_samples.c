/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/replay_samples.h"

struct replay_samples {
	struct replay_samples_of of;
	size_t *chunks; /* of raw samples, by window */
	size_t n_chunks, at;
};

struct replay_samples *replay_samples_free(struct replay_samples *r)
{
	if (!r)
		return NULL;
	free(r->chunks);
	free(r);
	return NULL;
}

static int compare_windows(const void *a, const void *b, void *reader)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	size_t of_x = store_sample_chunk_window(reader, x);
	size_t of_y = store_sample_chunk_window(reader, y);

	return of_x != of_y ? (of_x < of_y ? -1 : 1) : (x > y) - (x < y);
}

int replay_samples_new(const struct replay_samples_of *of, struct replay_samples **ret)
{
	_cleanup_(replay_samples_freep) struct replay_samples *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->of = *of;
	r->n_chunks = store_reader_sample_chunks(of->reader);
	r->chunks = calloc(r->n_chunks + 1, sizeof(*r->chunks));
	if (!r->chunks)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_chunks; i++)
		r->chunks[i] = i;
	qsort_r(r->chunks, r->n_chunks, sizeof(*r->chunks), compare_windows, of->reader);
	*ret = TAKE_PTR(r);
	return 0;
}

/* How many chunks the window has, from r->at on. */
static size_t count_chunks(const struct replay_samples *r, size_t window)
{
	size_t n = 0;

	while (r->at + n < r->n_chunks &&
	       store_sample_chunk_window(r->of.reader, r->chunks[r->at + n]) == window)
		n++;
	return n;
}

/*
 * Whether the raw samples of a kind are all there are. They are not in a recording without them;
 * nor where what was imported is so many at a time that it is no sample.
 */
static int find_whole(struct replay_samples *r, const struct window *w, size_t n,
		      bool ret_whole[static SAMPLE_KINDS], struct error *error)
{
	uint64_t rows[SAMPLE_KINDS] = {}, raw[SAMPLE_KINDS] = {};

	for (size_t i = 0; i < w->n_samples; i++)
		rows[w->samples[i].kind] += w->samples[i].count;
	for (size_t i = 0; i < n; i++) {
		struct raw_sample_set set = {};
		int code = store_read_samples(r->of.reader, r->chunks[r->at + i], &set, error);

		if (code < 0)
			return code;
		for (size_t k = 0; k < set.n; k++)
			raw[set.samples[k].kind] += set.samples[k].count;
		raw_sample_set_release(&set);
	}
	for (int kind = 0; kind < SAMPLE_KINDS; kind++)
		ret_whole[kind] = rows[kind] == raw[kind];
	return 0;
}

static bool is_wanted(const struct replay_samples *r, const struct raw_sample *s)
{
	return r->of.processes[s->process] && s->time_ns >= r->of.since_ns &&
	       (!r->of.until_ns || s->time_ns < r->of.until_ns);
}

static int add_raw(struct replay_samples *r, struct raw_sample *sample, bool whole,
		   struct session *s)
{
	bool keep = session_keeps_raw_samples(s);
	int code;

	if (!is_wanted(r, sample) || (!whole && !keep))
		return 0;
	code = translate_raw_samples(r->of.translator, sample, 1);
	if (code < 0)
		return code;
	if (!whole)
		return window_add_raw_samples(&s->window, sample, 1);
	s->n_samples += sample->count;
	return window_add_raw_sample(&s->window, sample, keep);
}

static int add_chunk(struct replay_samples *r, size_t chunk, const bool whole[static SAMPLE_KINDS],
		     struct session *s, struct error *error)
{
	struct raw_sample_set set = {};
	int code = store_read_samples(r->of.reader, chunk, &set, error);

	for (size_t i = 0; i < set.n && code >= 0; i++)
		code = add_raw(r, &set.samples[i], whole[set.samples[i].kind], s);
	raw_sample_set_release(&set);
	if (code >= 0)
		session_roll_when_full(s);
	return code;
}

static int add_rows(struct replay_samples *r, const struct window *w,
		    const bool whole[static SAMPLE_KINDS], struct session *s)
{
	int code = 0;

	if ((r->of.since_ns && w->end_ns <= r->of.since_ns) ||
	    (r->of.until_ns && w->start_ns >= r->of.until_ns))
		return 0;
	for (size_t i = 0; i < w->n_samples && code >= 0; i++) {
		struct sample_row row;

		if (whole[w->samples[i].kind] || !r->of.processes[w->samples[i].process])
			continue;
		code = translate_sample(r->of.translator, &w->samples[i], &row);
		if (code >= 0)
			code = window_add_row(&s->window, &row);
		s->n_samples += row.count;
		/* Older recordings do not tell: then of none it is known. */
		if (store_reader_version(r->of.reader) < 3)
			s->window.losses[PARTIAL_STACK] += row.count;
	}
	return code;
}

int replay_samples_add(struct replay_samples *r, size_t window, struct session *s,
		       struct error *error)
{
	const struct window *w = store_reader_window(r->of.reader, window);
	size_t n = count_chunks(r, window);
	bool whole[SAMPLE_KINDS] = {};
	int code = n ? find_whole(r, w, n, whole, error) : 0;

	if (code >= 0)
		code = add_rows(r, w, whole, s);
	for (size_t i = 0; i < n && code >= 0; i++)
		code = add_chunk(r, r->chunks[r->at + i], whole, s, error);
	r->at += n;
	return code;
}

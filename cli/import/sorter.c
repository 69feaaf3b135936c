/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sorter.h"

#include "../temp_file.h"

/* A sorted part of the file, and what of it is in memory. */
struct run {
	uint64_t next, end; /* records of the file */
	char *buffer;
	size_t n, at;
};

struct import_sorter {
	size_t size, max; /* of a record; records in memory */
	int (*compare)(const void *a, const void *b);
	char *records;
	size_t n, cap, at;
	int fd;
	uint64_t written;
	struct run *runs;
	size_t n_runs, runs_cap;
	size_t *heap; /* runs by their next record, the first one on top */
	size_t n_heap, buffer;
	bool sorted;
};

struct import_sorter *import_sorter_new(size_t record, size_t memory,
					int (*compare)(const void *a, const void *b))
{
	struct import_sorter *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->size = record;
	s->max = MAX(memory / record, 16U);
	s->compare = compare;
	s->fd = -EBADF;
	return s;
}

struct import_sorter *import_sorter_free(struct import_sorter *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_runs; i++)
		free(s->runs[i].buffer);
	free(s->runs);
	free(s->heap);
	free(s->records);
	safe_close(s->fd);
	free(s);
	return NULL;
}

static int spill(struct import_sorter *s, struct error *error)
{
	struct run *run;
	int r;

	if (s->fd < 0)
		s->fd = temp_file_open();
	if (s->fd < 0)
		return error_set(error, -s->fd, "WriteFailed",
				 "cannot make a temporary file in $TMPDIR, /var/tmp or /tmp: %s",
				 strerror(-s->fd));
	if (array_reserve(&s->runs, &s->runs_cap, s->n_runs + 1, sizeof(*s->runs)) < 0)
		return -ENOMEM;
	qsort(s->records, s->n, s->size, s->compare);
	r = write_fully(s->fd, s->records, s->n * s->size);
	if (r < 0)
		return error_set(error, -r, "WriteFailed", "cannot write the temporary file: %s",
				 strerror(-r));
	run = &s->runs[s->n_runs++];
	run->next = s->written;
	run->end = s->written += s->n;
	s->n = 0;
	return 0;
}

int import_sorter_add(struct import_sorter *s, const void *record, struct error *error)
{
	if (s->n == s->max) {
		int r = spill(s, error);

		if (r < 0)
			return r;
	}
	if (array_reserve(&s->records, &s->cap, s->n + 1, s->size) < 0)
		return -ENOMEM;
	memcpy(s->records + s->n++ * s->size, record, s->size);
	return 0;
}

/* 1: there is a record; 0: it is at its end. */
static int load(struct import_sorter *s, struct run *run, struct error *error)
{
	size_t want, have = 0;

	if (run->at < run->n)
		return 1;
	if (run->next == run->end)
		return 0;
	run->n = (size_t)MIN(s->buffer, run->end - run->next);
	run->at = 0;
	want = run->n * s->size;
	while (have < want) {
		ssize_t n = pread(s->fd, run->buffer + have, want - have,
				  (off_t)(run->next * s->size + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(error, n < 0 ? errno : EIO, "WriteFailed",
					 "cannot read the temporary file: %s",
					 strerror(n < 0 ? errno : EIO));
		have += (size_t)n;
	}
	run->next += run->n;
	return 1;
}

static bool is_before(const struct import_sorter *s, size_t a, size_t b)
{
	const struct run *x = &s->runs[a], *y = &s->runs[b];

	return s->compare(x->buffer + x->at * s->size, y->buffer + y->at * s->size) < 0;
}

static void sink_down(struct import_sorter *s, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
		size_t t = s->heap[i];

		if (child + 1 < s->n_heap && is_before(s, s->heap[child + 1], s->heap[child]))
			child++;
		if (!is_before(s, s->heap[child], t))
			return;
		s->heap[i] = s->heap[child];
		s->heap[child] = t;
	}
}

static int begin_merge(struct import_sorter *s, struct error *error)
{
	int r = s->n ? spill(s, error) : 0;

	if (r < 0)
		return r;
	free(TAKE_PTR(s->records));
	s->buffer = MAX(s->max / s->n_runs, 64U);
	s->heap = calloc(s->n_runs, sizeof(*s->heap));
	if (!s->heap)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_runs; i++) {
		s->runs[i].buffer = malloc(s->buffer * s->size);
		if (!s->runs[i].buffer)
			return -ENOMEM;
		r = load(s, &s->runs[i], error);
		if (r < 0)
			return r;
		s->heap[s->n_heap++] = i;
	}
	for (size_t i = s->n_heap; i-- > 0;)
		sink_down(s, i);
	return 0;
}

static int next_of_runs(struct import_sorter *s, void *ret_record, struct error *error)
{
	struct run *run;
	int r;

	if (!s->n_heap)
		return 0;
	run = &s->runs[s->heap[0]];
	memcpy(ret_record, run->buffer + run->at++ * s->size, s->size);
	r = load(s, run, error);
	if (r < 0)
		return r;
	if (r == 0)
		s->heap[0] = s->heap[--s->n_heap];
	sink_down(s, 0);
	return 1;
}

int import_sorter_next(struct import_sorter *s, void *ret_record, struct error *error)
{
	int r = 0;

	if (!s->sorted && s->n_runs)
		r = begin_merge(s, error);
	else if (!s->sorted && s->n)
		qsort(s->records, s->n, s->size, s->compare);
	if (r < 0)
		return r;
	s->sorted = true;
	if (s->n_runs)
		return next_of_runs(s, ret_record, error);
	if (s->at == s->n)
		return 0;
	memcpy(ret_record, s->records + s->at++ * s->size, s->size);
	return 1;
}

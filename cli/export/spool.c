/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spool.h"

#include <cjson/cJSON.h>

#include "../temp_file.h"
#include "varlink/message.h"

enum {
	DEFAULT_RUN = 1 << 17,
	DETAILS_MAX = 8 << 20,	/* of the spans of a run, as text */
	READ_AHEAD = 256 << 10, /* of each run that is merged */
};

/* A span without its details, which follow as `details` bytes of JSON. */
struct entry {
	struct exported_span span;
	uint32_t details; /* with the NUL behind it */
};

/* A run in the file that is being read. */
struct run {
	off_t begin;
	off_t at, end;	      /* what has not been read yet */
	struct strbuf buffer; /* what has; the first span begins at `taken` */
	size_t taken;
	struct entry entry; /* the next one */
	struct cJSON *details;
};

struct spool {
	bool by_thread;
	size_t capacity;
	struct exported_span *spans; /* of the run that is being collected */
	size_t n, spans_cap;
	struct strbuf details; /* theirs, as text; at[i]: 1 + where it begins, 0 for none */
	size_t *at, at_cap;
	int fd;
	off_t size;
	struct run *runs;
	size_t n_runs, runs_cap;
	struct strbuf buffer;
};

int spool_new(size_t run, bool by_thread, struct spool **ret)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fd = -EBADF;
	s->by_thread = by_thread;
	s->capacity = run ? run : DEFAULT_RUN;
	*ret = s;
	return 0;
}

struct spool *spool_free(struct spool *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_runs; i++) {
		strbuf_release(&s->runs[i].buffer);
		message_free_json(s->runs[i].details);
	}
	safe_close(s->fd);
	strbuf_release(&s->details);
	strbuf_release(&s->buffer);
	free(s->runs);
	free(s->at);
	free(s->spans);
	free(s);
	return NULL;
}

/* A caller goes before what it called, even when the clock did not move between the two. */
static int compare(const struct spool *s, const struct exported_span *a,
		   const struct exported_span *b)
{
	if (s->by_thread && a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	if (a->duration_ns != b->duration_ns)
		return a->duration_ns > b->duration_ns ? -1 : 1;
	return 0;
}

struct sort_key {
	uint64_t start_ns;
	uint32_t thread; /* 0 where threads do not matter */
	uint32_t index;
};

static int compare_keys(const void *pa, const void *pb, void *arg)
{
	const struct sort_key *a = pa, *b = pb;
	const struct spool *s = arg;
	int r;

	/* Most are told apart without a look at the spans. */
	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	r = compare(s, &s->spans[a->index], &s->spans[b->index]);
	return r ? r : a->index < b->index ? -1 : 1;
}

/* The order of the run at hand. */
static int sort(struct spool *s, struct sort_key **ret_keys)
{
	struct sort_key *keys = malloc(MAX(s->n, 1U) * sizeof(*keys));
	bool sorted = true;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		keys[i] = (struct sort_key){s->spans[i].start_ns,
					    s->by_thread ? s->spans[i].thread : 0, (uint32_t)i};
	/* Calls of one thread that are in no other have come in order. */
	for (size_t i = 1; i < s->n && sorted; i++)
		sorted = compare_keys(&keys[i - 1], &keys[i], s) < 0;
	if (!sorted)
		qsort_r(keys, s->n, sizeof(*keys), compare_keys, s);
	*ret_keys = keys;
	return 0;
}

static const char *details_of(const struct spool *s, size_t i)
{
	return i < s->at_cap && s->at[i] ? s->details.data + s->at[i] - 1 : NULL;
}

static int flush(struct spool *s)
{
	int r = strbuf_error(&s->buffer);

	if (r >= 0)
		r = write_fully(s->fd, s->buffer.data, s->buffer.len);
	s->size += (off_t)s->buffer.len;
	strbuf_reset(&s->buffer);
	return r;
}

static int write_run(struct spool *s)
{
	_cleanup_(freep) struct sort_key *keys = NULL;
	struct run *run;
	int r = sort(s, &keys);

	if (r >= 0 && s->fd < 0)
		r = s->fd = temp_file_open();
	if (r >= 0)
		r = array_reserve(&s->runs, &s->runs_cap, s->n_runs + 1, sizeof(*s->runs));
	if (r < 0)
		return r;
	run = &s->runs[s->n_runs++];
	run->begin = s->size;
	for (size_t i = 0; i < s->n && r >= 0; i++) {
		const char *details = details_of(s, keys[i].index);
		struct entry entry = {.span = s->spans[keys[i].index]};

		entry.details = details ? (uint32_t)strlen(details) + 1 : 0;
		strbuf_append(&s->buffer, &entry, sizeof(entry));
		strbuf_append(&s->buffer, details, entry.details);
		if (s->buffer.len >= READ_AHEAD)
			r = flush(s);
	}
	if (r >= 0)
		r = flush(s);
	run->end = s->size;
	s->n = 0;
	strbuf_reset(&s->details);
	if (s->at)
		memset(s->at, 0, s->at_cap * sizeof(*s->at));
	return r;
}

/* As text with a NUL behind it, so that they need not be kept as the many pieces cJSON has. */
static int keep_details(struct spool *s, size_t i, reply_t *details)
{
	struct json_writer w;

	if (array_reserve(&s->at, &s->at_cap, i + 1, sizeof(*s->at)) < 0)
		return -ENOMEM;
	s->at[i] = s->details.len + 1;
	json_begin(&w, &s->details);
	reply_write(&w, NULL, details, NULL, NULL);
	strbuf_append(&s->details, "", 1);
	return strbuf_error(&s->details);
}

int spool_add(void *arg, const struct exported_span *span)
{
	struct spool *s = arg;
	int r = 0;

	if (s->n >= s->capacity || s->details.len >= DETAILS_MAX)
		r = write_run(s);
	if (r >= 0 && array_reserve(&s->spans, &s->spans_cap, s->n + 1, sizeof(*s->spans)) < 0)
		r = -ENOMEM;
	if (r >= 0 && span->details)
		r = keep_details(s, s->n, span->details);
	if (r < 0)
		return r;
	s->spans[s->n] = *span;
	s->spans[s->n++].details = NULL;
	return 0;
}

/* Has at least `need` bytes at `taken`, as far as the run goes. 1, 0 at its end, -errno. */
static int have(struct spool *s, struct run *run, size_t need)
{
	while (run->buffer.len - run->taken < need) {
		size_t want = MIN((size_t)(run->end - run->at), MAX(need, (size_t)READ_AHEAD));
		ssize_t n;
		char *p;

		if (!want)
			return run->buffer.len == run->taken ? 0 : -EBADMSG;
		strbuf_consume(&run->buffer, run->taken);
		run->taken = 0;
		p = strbuf_extend(&run->buffer, want);
		if (!p)
			return -ENOMEM;
		n = pread(s->fd, p, want, run->at);
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		run->buffer.len -= want - (size_t)n;
		run->at += n;
	}
	return 1;
}

/* Reads the next entry of the run: 1, 0 at its end, -errno. */
static int next_entry(struct spool *s, struct run *run)
{
	int r = have(s, run, sizeof(run->entry));

	run->details = message_free_json(run->details);
	if (r <= 0)
		return r;
	memcpy(&run->entry, run->buffer.data + run->taken, sizeof(run->entry));
	r = have(s, run, sizeof(run->entry) + run->entry.details);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	run->taken += sizeof(run->entry);
	if (run->entry.details) {
		r = message_parse(run->buffer.data + run->taken, run->entry.details - 1,
				  &run->details, NULL);
		if (r < 0)
			return r;
	}
	run->taken += run->entry.details;
	run->entry.span.details = run->details;
	return 1;
}

/* Of equal spans those of earlier runs go first, as they came. */
static bool is_before(const struct spool *s, const struct run *a, const struct run *b)
{
	int r = compare(s, &a->entry.span, &b->entry.span);

	return r < 0 || (r == 0 && a < b);
}

static void sift_down(const struct spool *s, struct run **heap, size_t n, size_t i)
{
	struct run *run = heap[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && is_before(s, heap[child + 1], heap[child]))
			child++;
		if (!is_before(s, heap[child], run))
			break;
		heap[i] = heap[child];
	}
	heap[i] = run;
}

static int merge(struct spool *s, int (*each)(void *arg, const struct exported_span *span),
		 void *arg)
{
	_cleanup_(freep) struct run **heap = calloc(s->n_runs, sizeof(*heap));
	size_t n = 0;
	int r = 0;

	if (!heap)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_runs; i++) {
		s->runs[i].at = s->runs[i].begin;
		s->runs[i].taken = 0;
		strbuf_reset(&s->runs[i].buffer);
		r = next_entry(s, &s->runs[i]);
		if (r < 0)
			return r;
		if (r > 0)
			heap[n++] = &s->runs[i];
	}
	for (size_t i = n / 2; i-- > 0;)
		sift_down(s, heap, n, i);
	while (n) {
		r = each(arg, &heap[0]->entry.span);
		if (r >= 0)
			r = next_entry(s, heap[0]);
		if (r < 0)
			return r;
		if (r == 0)
			heap[0] = heap[--n];
		if (n)
			sift_down(s, heap, n, 0);
	}
	return 0;
}

/* All spans are in memory: the file was not needed. */
static int each_in_memory(struct spool *s, int (*each)(void *arg, const struct exported_span *span),
			  void *arg)
{
	_cleanup_(freep) struct sort_key *keys = NULL;
	int r = sort(s, &keys);

	for (size_t i = 0; i < s->n && r >= 0; i++) {
		_cleanup_(message_free_jsonp) struct cJSON *parsed = NULL;
		const char *details = details_of(s, keys[i].index);
		struct exported_span span = s->spans[keys[i].index];

		if (details)
			r = message_parse(details, strlen(details), &parsed, NULL);
		span.details = parsed;
		if (r >= 0)
			r = each(arg, &span);
	}
	return r < 0 ? r : 0;
}

int spool_each(struct spool *s, int (*each)(void *arg, const struct exported_span *span), void *arg)
{
	int r;

	if (!s->n_runs)
		return each_in_memory(s, each, arg);
	r = s->n ? write_run(s) : 0;
	s->spans_cap = s->at_cap = 0;
	free(TAKE_PTR(s->spans));
	free(TAKE_PTR(s->at));
	strbuf_release(&s->details);
	return r < 0 ? r : merge(s, each, arg);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/merged.h"

#include <sys/stat.h>

#include "model/translate.h"
#include "sonde/base/strbuf.h"

struct merged {
	struct session_context *context;
	struct merged_part *parts;
	size_t n_parts;
	uint32_t frequency;	 /* of those that have CPU samples */
	bool frequencies_differ; /* then each sample says what it stands for */
	struct session *sessions;
	struct session *whole; /* NULL: there is only one session */
};

struct merged *merged_free(struct merged *m)
{
	if (!m)
		return NULL;
	session_free(m->whole);
	while (m->sessions) {
		struct session *s = m->sessions;

		m->sessions = s->next;
		session_free(s);
	}
	for (size_t i = 0; i < m->n_parts; i++) {
		translator_free(m->parts[i].translator);
		store_reader_free(m->parts[i].reader);
	}
	free(m->parts);
	free(m);
	return NULL;
}

struct session *merged_take_sessions(struct merged *m)
{
	return TAKE_PTR(m->sessions);
}

struct session *merged_whole(struct merged *m)
{
	return m->whole;
}

const struct merged_part *merged_parts(const struct merged *m, size_t *ret_n)
{
	*ret_n = m->n_parts;
	return m->parts;
}

/* What is in a file that is named twice would count twice. */
static int check_new(const char *const *paths, size_t i, struct error *error)
{
	struct stat st, other;

	if (stat(paths[i], &st) < 0)
		return 0; /* opening it will say so */
	for (size_t k = 0; k < i; k++) {
		if (stat(paths[k], &other) < 0 || other.st_dev != st.st_dev ||
		    other.st_ino != st.st_ino)
			continue;
		error_set(error, EINVAL, "BadArgument", "%s is named twice, and would count twice",
			  paths[i]);
		error_fix(error, "give each recording once");
		return -EINVAL;
	}
	return 0;
}

static int open_part(struct merged *m, const char *path, struct error *error)
{
	struct merged_part *part = &m->parts[m->n_parts];
	_cleanup_(model_freep) struct model *from = NULL;
	const struct store_session *stored;
	int r = model_new(&from);

	if (r >= 0)
		r = store_open(path, from, error, &part->reader);
	if (r < 0)
		return r;
	m->n_parts++;
	part->path = path;
	stored = store_reader_session(part->reader);
	if (m->frequency && stored->frequency && m->frequency != stored->frequency)
		m->frequencies_differ = true;
	m->frequency = MAX(m->frequency, stored->frequency);
	r = translator_new(from, m->context->model, &part->translator);
	if (r < 0)
		return r;
	translator_set_shift(part->translator, stored->monotonic_to_epoch_ns);
	return translate_everything(part->translator);
}

/* "a, b", each once. */
static int join_text(char **to, const char *more)
{
	const char *have = *to ? *to : "";
	size_t len = strlen(more);
	char *joined;

	for (const char *at = have; (at = strstr(at, more)); at++)
		if ((at == have || (at > have + 1 && startswith(at - 2, ", "))) &&
		    (!at[len] || at[len] == ','))
			return 0;
	if (asprintf(&joined, "%s%s%s", have, *have ? ", " : "", more) < 0)
		return -ENOMEM;
	free(*to);
	*to = joined;
	return 0;
}

static int add_specs(struct session_options *o, const struct store_session *stored)
{
	for (size_t i = 0; i < stored->n_specs; i++) {
		size_t cap = o->n_specs;
		bool known = false;

		for (size_t k = 0; k < o->n_specs && !known; k++)
			known = streq(o->specs[k], stored->specs[i]);
		if (known)
			continue;
		if (array_reserve(&o->specs, &cap, cap + 1, sizeof(*o->specs)) < 0 ||
		    strdup_to(&o->specs[o->n_specs], stored->specs[i]) < 0)
			return -ENOMEM;
		o->n_specs++;
	}
	return 0;
}

/* What a session says of itself, with another recording of it. */
static int add_row(struct session *s, const struct store_session *stored)
{
	struct session_options *o = &s->options;
	int r;

	if (!s->n_parts)
		return session_take_row(s, stored);
	s->started_us = MIN(s->started_us, stored->started_us);
	o->frequency_hz = MAX(o->frequency_hz, stored->frequency);
	o->args |= !!(stored->flags & STORE_SESSION_ARGS);
	o->stats_only &= !!(stored->flags & STORE_SESSION_STATS_ONLY);
	o->offcpu |= !!(stored->flags & STORE_SESSION_OFFCPU);
	r = join_text(&s->targets, stored->targets);
	if (r >= 0 && stored->host)
		r = join_text(&s->host, stored->host);
	return r < 0 ? r : add_specs(o, stored);
}

static int add_samples(struct session *s, const struct merged_part *part)
{
	const struct window *total = store_reader_total(part->reader);
	int r = 0;

	for (size_t i = 0; i < total->n_samples && r >= 0; i++) {
		struct sample_row row;

		r = translate_sample(part->translator, &total->samples[i], &row);
		if (r >= 0 && row.kind == SAMPLE_CPU && part->period_ns)
			row.total_ns = row.count * part->period_ns;
		if (r >= 0)
			r = window_add_row(&s->total, &row);
		s->n_samples += total->samples[i].count;
	}
	return r;
}

static int add_part(struct session *s, const struct merged_part *part)
{
	const struct store_session *stored = store_reader_session(part->reader);
	struct window rest = *store_reader_total(part->reader); /* borrowed */
	int r = add_row(s, stored);

	if (r < 0)
		return r;
	r = add_samples(s, part);
	rest.n_samples = 0;
	if (r >= 0)
		r = translate_window(part->translator, &rest, &s->total);
	if (r < 0)
		return r;
	s->n_spans += window_calls(&rest);
	s->windows += store_reader_windows(part->reader);
	s->parts[s->n_parts++] = part;
	return 0;
}

static struct session *session_new(struct merged *m, const char *name)
{
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->context = m->context;
	s->kind = SESSION_REPLAY;
	s->parts = calloc(m->n_parts, sizeof(struct merged_part *));
	return s->parts && strdup_to(&s->name, name) >= 0 ? TAKE_PTR(s) : NULL;
}

/* The session of that name, made when there is none yet; NULL: out of memory. */
static struct session *find_session(struct merged *m, const char *name)
{
	struct session **at = &m->sessions;

	while (*at && !streq((*at)->name, name))
		at = &(*at)->next;
	if (!*at)
		*at = session_new(m, name);
	return *at;
}

static int make_whole(struct merged *m)
{
	_cleanup_(freep) char *name = NULL;
	int r = 0;

	for (struct session *s = m->sessions; s && r >= 0; s = s->next)
		r = join_text(&name, s->name);
	if (r < 0)
		return r;
	m->whole = session_new(m, name);
	r = m->whole ? 0 : -ENOMEM;
	for (size_t i = 0; i < m->n_parts && r >= 0; i++)
		r = add_part(m->whole, &m->parts[i]);
	return r;
}

static void note_periods(struct merged *m)
{
	for (size_t i = 0; i < m->n_parts && m->frequencies_differ; i++) {
		uint32_t frequency = store_reader_session(m->parts[i].reader)->frequency;

		m->parts[i].period_ns = frequency ? NSEC_PER_SEC / frequency : 0;
	}
}

int merged_open(struct session_context *context, const char *const *paths, size_t n,
		struct error *error, struct merged **ret)
{
	_cleanup_(merged_freep) struct merged *m = calloc(1, sizeof(*m));
	int r = 0;

	if (!m || !(m->parts = calloc(n, sizeof(*m->parts))))
		return -ENOMEM;
	m->context = context;
	context->monotonic_to_epoch_ns = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = check_new(paths, i, error);
		if (r >= 0)
			r = open_part(m, paths[i], error);
	}
	note_periods(m);
	for (size_t i = 0; i < m->n_parts && r >= 0; i++) {
		struct session *s = find_session(m, store_reader_session(m->parts[i].reader)->name);

		r = s ? add_part(s, &m->parts[i]) : -ENOMEM;
	}
	if (r >= 0 && m->sessions->next)
		r = make_whole(m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

int merged_set_host(const struct merged_part *part, struct model *m)
{
	const struct store_session *stored = store_reader_session(part->reader);

	return model_set_host(m, stored->host, stored->boot);
}

struct translating {
	const struct merged_part *part;
	int (*each)(void *arg, const struct span_set *set);
	void *arg;
	struct error *error;
};

static int translate_chunk(void *arg, const struct span_chunk *chunk)
{
	struct translating *t = arg;
	_cleanup_(span_set_release) struct span_set set = {};
	int r = store_unpack_chunk(t->part->reader, chunk, &set, t->error);

	if (r >= 0)
		r = translate_spans(t->part->translator, set.spans, set.n, &set.more);
	return r < 0 ? r : t->each(t->arg, &set);
}

size_t merged_chunks(const struct merged_part *const *parts, size_t n)
{
	size_t chunks = 0;

	for (size_t i = 0; i < n; i++)
		chunks += store_reader_chunks(parts[i]->reader);
	return chunks;
}

int merged_chunk(const struct merged_part *const *parts, size_t n, size_t i,
		 int (*each)(void *arg, const struct span_set *set), void *arg, struct error *error)
{
	for (size_t k = 0; k < n; k++) {
		size_t chunks = store_reader_chunks(parts[k]->reader);

		if (i < chunks)
			return store_chunk(parts[k]->reader, i, translate_chunk,
					   &(struct translating){parts[k], each, arg, error},
					   error);
		i -= chunks;
	}
	return -ENOENT;
}

size_t merged_sample_chunks(const struct merged_part *const *parts, size_t n)
{
	size_t chunks = 0;

	for (size_t i = 0; i < n; i++)
		chunks += store_reader_sample_chunks(parts[i]->reader);
	return chunks;
}

static int read_samples(const struct merged_part *part, size_t i, struct raw_sample_set *ret,
			struct error *error)
{
	_cleanup_(raw_sample_set_release) struct raw_sample_set set = {};
	int r = store_read_samples(part->reader, i, &set, error);

	if (r >= 0)
		r = translate_raw_samples(part->translator, set.samples, set.n);
	if (r < 0)
		return r;
	for (size_t k = 0; k < set.n; k++)
		if (set.samples[k].kind == SAMPLE_CPU)
			set.samples[k].total_ns = set.samples[k].count * part->period_ns;
	*ret = set;
	set = (struct raw_sample_set){};
	return 0;
}

int merged_samples(const struct merged_part *const *parts, size_t n, size_t i,
		   struct raw_sample_set *ret, struct error *error)
{
	for (size_t k = 0; k < n; k++) {
		size_t chunks = store_reader_sample_chunks(parts[k]->reader);

		if (i < chunks)
			return read_samples(parts[k], i, ret, error);
		i -= chunks;
	}
	return -ENOENT;
}

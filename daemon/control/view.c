/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/view.h"

#include <malloc.h>

#include "control/always.h"
#include "control/keeper.h"
#include "control/merged.h"
#include "control/methods.h"
#include "model/translate.h"
#include "sonde/base/format.h"
#include "store/history_load.h"
#include "varlink/params.h"

/* What is asked about when somebody asks the rolling store without saying from when on. */
#define DEFAULT_SPAN_US (3600 * 1000000ULL)

struct view {
	struct daemon *daemon;
	struct call *call; /* until it is loaded: then the call has the view */
	void (*then)(struct daemon *d, struct call *call);
	char *path, *name;
	const struct merged_part **parts; /* of several recordings, instead of the path; borrowed */
	size_t n_parts;
	struct history_range range;

	struct model *model;
	struct span_texts *texts;
	struct session_context context;
	struct session *session;
	struct error error;
};

static void view_free(void *arg)
{
	struct view *v = arg;

	session_free(v->session);
	span_texts_free(v->texts);
	model_free(v->model);
	free(v->path);
	free(v->name);
	free(v);
	/* A day is a hundred times what the daemon needs otherwise: it goes back to the system. */
	malloc_trim(0);
}

struct view *view_of(const struct call *call)
{
	return call_data(call);
}

struct session *view_session(struct view *v)
{
	return v->session;
}

const char *view_path(const struct daemon *d)
{
	return daemon_is_replay(d) ? d->recordings[0] : d->keeper ? keeper_path(d->keeper) : NULL;
}

/* Raw spans and samples, packed as those of a session are. */
static int pack(struct session *s, const struct history_part *part)
{
	for (size_t i = 0; i < part->n_sets; i++) {
		const struct span_set *set = &part->sets[i];
		struct session_chunks *c = &s->chunks;
		int r;

		if (set->n == 0)
			continue;
		if (array_reserve(&c->items, &c->cap, c->n + 1, sizeof(*c->items)) < 0)
			return -ENOMEM;
		r = chunk_encode(set->spans, &set->more, 0, set->n, &c->items[c->n]);
		if (r < 0)
			return r;
		c->bytes += c->items[c->n++].size;
	}
	for (size_t i = 0; i < part->n_sample_sets; i++) {
		struct raw_sample_set *set = &part->sample_sets[i];
		int r = raw_sample_chunk_encode(set->samples, set->n, session_samples_put,
						&s->samples);

		if (r < 0)
			return r;
	}
	return 0;
}

static void add_totals(struct session *s, const struct history_part *part)
{
	s->windows += part->windows;
	s->windows_missing += part->missing_us / 10000000;
	s->n_samples += part->samples;
	s->options.frequency_hz = MAX(s->options.frequency_hz, part->frequency);
	if (part->windows && (!s->started_us || part->first_us < s->started_us))
		s->started_us = part->first_us;
}

static int make_session(struct view *v, struct history_part *part)
{
	struct session *s = v->session;
	int r = pack(s, part);

	window_move(&s->total, &part->total);
	add_totals(s, part);
	v->context.monotonic_to_epoch_ns = part->monotonic_to_epoch_ns;
	return r;
}

static int set_host(struct view *v)
{
	const struct session *s = v->session;

	if (!daemon_is_replay(v->daemon))
		return daemon_set_host(v->model);
	return model_set_host(v->model, s->host, s->boot);
}

static int load_one(struct view *v)
{
	struct history_part part = {};
	int r = history_load(v->path, &v->range, v->model, &v->error, &part);

	if (r >= 0)
		r = make_session(v, &part);
	if (r >= 0)
		r = set_host(v);
	history_part_release(&part);
	return r;
}

/* Its ids become the view's, its times the epoch's, as those of all parts. */
static int add_part(struct view *v, const struct model *from, struct history_part *part)
{
	_cleanup_(translator_freep) struct translator *t = NULL;
	struct session *s = v->session;
	int r = translator_new(from, v->model, &t);

	if (r < 0)
		return r;
	translator_set_shift(t, part->monotonic_to_epoch_ns);
	r = translate_window(t, &part->total, &s->total);
	for (size_t i = 0; i < part->n_sets && r >= 0; i++)
		r = translate_spans(t, part->sets[i].spans, part->sets[i].n, &part->sets[i].more);
	for (size_t i = 0; i < part->n_sample_sets && r >= 0; i++)
		r = translate_raw_samples(t, part->sample_sets[i].samples, part->sample_sets[i].n);
	if (r >= 0)
		r = pack(s, part);
	add_totals(s, part);
	return r;
}

static int load_several(struct view *v)
{
	int r = 0;

	v->context.monotonic_to_epoch_ns = 0;
	for (size_t i = 0; i < v->n_parts && r >= 0; i++) {
		_cleanup_(model_freep) struct model *from = NULL;
		struct history_part part = {};

		r = model_new(&from);
		if (r >= 0)
			r = history_load(v->parts[i]->path, &v->range, from, &v->error, &part);
		if (r >= 0)
			r = merged_set_host(v->parts[i], from);
		if (r >= 0)
			r = add_part(v, from, &part);
		history_part_release(&part);
	}
	return r;
}

static void view_run(void *arg)
{
	struct view *v = arg;
	struct session *s = v->session;
	int r = v->n_parts ? load_several(v) : load_one(v);

	s->n_spans += window_calls(&s->total);
	if (r < 0)
		error_set(&v->error, -r, "Internal", "reading the history failed: %s",
			  strerror(-r));
}

static void view_done(void *arg, bool cancelled)
{
	struct view *v = arg;
	struct call *call = v->call;

	if (cancelled)
		error_set(&v->error, ECANCELED, "Internal", "the daemon is ending");
	if (v->error.name[0]) {
		methods_fail(call, &v->error);
		view_free(v);
		return;
	}
	call_set_data(call, v, view_free);
	v->then(v->daemon, call);
}

static void load(void *arg)
{
	struct view *v = arg;

	if (worker_submit(v->daemon->searcher, view_run, view_done, v) >= 0)
		return;
	error_set(&v->error, ENOMEM, "Internal", "out of memory");
	view_done(v, false);
}

/* The same as the session that is asked, without what it holds. */
static int like(struct view *v, const struct session *of)
{
	struct session *s = calloc(1, sizeof(*s));

	v->session = s;
	if (!s)
		return -ENOMEM;
	s->kind = SESSION_REPLAY;
	s->context = &v->context;
	s->name = strdup(of->name);
	s->targets = strdup(of->targets);
	s->options.offcpu = of->options.offcpu;
	/* Of several sessions others may have raw spans. */
	s->options.stats_only = of->options.stats_only && (v->name || daemon_is_replay(v->daemon));
	s->options.specs = calloc(of->options.n_specs + 1, sizeof(char *));
	if (!s->name || !s->targets || !s->options.specs || strdup_to(&s->host, of->host) < 0 ||
	    strdup_to(&s->boot, of->boot) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < of->options.n_specs; i++, s->options.n_specs++) {
		s->options.specs[i] = strdup(of->options.specs[i]);
		if (!s->options.specs[i])
			return -ENOMEM;
	}
	return 0;
}

/*
 * Raw spans are most of what a file holds; most answers are made of the statistics. By thread,
 * which statistics do not know, a report is made of raw spans.
 */
static bool needs_raw(const struct call *call, const struct asked *asked, bool raw)
{
	const char *by = "";
	struct error error = {};

	if (query_is_about_samples(asked->kind))
		return false;
	if (asked->where || raw)
		return true;
	return param_string(call_params(call), "by", PARAM_OPTIONAL, &by, &error) > 0 &&
	       streq(by, "thread");
}

static struct view *view_new(struct daemon *d, struct call *call, const struct asked *asked,
			     bool raw)
{
	struct view *v = calloc(1, sizeof(*v));
	bool samples = query_is_about_samples(asked->kind);

	if (!v)
		return NULL;
	v->daemon = d;
	v->call = call;
	v->context = d->context;
	v->path = strdup(view_path(d));
	v->parts = asked->session->parts;
	v->n_parts = asked->session->n_parts;
	/* Samples of several sessions would count one moment twice; calls do not. */
	if (!daemon_is_replay(d) && (asked->names_session || samples))
		v->name = strdup(asked->session->name);
	v->range = (struct history_range){
		.since_us = asked->since_us,
		.until_us = asked->until_us,
		.session = v->name,
		.samples = samples,
		.spans = !samples,
		.raw = needs_raw(call, asked, raw),
		.kind = asked->kind == QUERY_OFFCPU ? SAMPLE_OFFCPU : SAMPLE_CPU,
	};
	if (!v->range.since_us && !daemon_is_replay(d))
		v->range.since_us =
			(asked->until_us ? asked->until_us : now_epoch_us()) - DEFAULT_SPAN_US;
	if (!v->path || like(v, asked->session) < 0 || model_new(&v->model) < 0 ||
	    span_texts_new(v->model, &v->texts) < 0) {
		view_free(v);
		return NULL;
	}
	v->context.model = v->model;
	v->context.texts = v->texts;
	return v;
}

/* Whether the question is for the file: of a session that keeps nothing, or about times. */
static bool is_wanted(const struct daemon *d, const struct asked *asked)
{
	if (!view_path(d))
		return false;
	/* Times of samples are in no answer that is made of windows. */
	if (asked->in)
		return false;
	/* A session that somebody has named and that is in memory is in no file. */
	if (!daemon_is_replay(d) && asked->names_session && asked->session->kind != SESSION_KEPT)
		return false;
	return asked->session->kind == SESSION_KEPT || asked->since_us || asked->until_us;
}

bool view_begin(struct daemon *d, struct call *call, bool raw,
		void (*then)(struct daemon *d, struct call *call))
{
	_cleanup_(asked_release) struct asked asked = {};
	struct error error = {};
	bool follow = false;
	struct view *v;

	/* What is followed is a session as it is, of which nothing may be missed meanwhile. */
	if (param_bool(call_params(call), "follow", PARAM_OPTIONAL, &follow, &error) < 0 || follow)
		return false;

	/* What is wrong with the query is said by the method itself. */
	if (methods_read_query(d, call, &asked, &error) < 0 || !is_wanted(d, &asked))
		return false;
	v = view_new(d, call, &asked, raw);
	if (!v) {
		methods_fail_memory(call);
		return true;
	}
	v->then = then;
	if (asked.until_us && asked.until_us < now_epoch_us() - 60000000)
		load(v);
	else
		always_settle(d, load, v);
	return true;
}

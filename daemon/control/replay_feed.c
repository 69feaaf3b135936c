/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/replay_feed.h"

#include <fnmatch.h>

#include "control/methods.h"
#include "control/replay_samples.h"

struct replay_feed {
	struct store_reader *reader;
	const struct model *from;
	struct session *session;
	struct translator *translator;
	struct replay_samples *samples;
	uint32_t *processes; /* by id of `from`: that of the session's model; 0: not wanted */
	bool *wanted;	     /* paths, by id of `from` */
	bool *announced;     /* likewise: its record has been sent */
	uint64_t since_ns, until_ns;

	struct store_chunk_place *places;
	size_t n_places, place;
	size_t window;
	bool in_window, closing;
	struct span_set set; /* the chunk at hand */
	uint32_t *order;     /* its spans by their ends */
	size_t order_cap, at;
	uint64_t last_ns; /* the end of the span before */

	struct record_path path;
	struct record_call call;
	struct error error;
};

struct replay_feed *replay_feed_free(struct replay_feed *f)
{
	if (!f)
		return NULL;
	span_set_release(&f->set);
	replay_samples_free(f->samples);
	translator_free(f->translator);
	free(f->processes);
	free(f->wanted);
	free(f->announced);
	free(f->places);
	free(f->order);
	free(f);
	return NULL;
}

/* All processes that are wanted, with or without spans: events are of them, too. */
static int take_processes(struct replay_feed *f, const struct selectors *selectors, uint32_t n)
{
	int r = 0;

	f->processes = calloc((size_t)n + 1, sizeof(*f->processes));
	if (!f->processes)
		return -ENOMEM;
	for (uint32_t id = 1; id <= n && r >= 0; id++)
		if (selectors_match(selectors, f->from, model_process_peek(f->from, id)))
			r = translate_process(f->translator, id, &f->processes[id]);
	return r;
}

static bool is_wanted(const struct model *m, uint32_t path, const char *glob)
{
	const struct model_probe *p = model_probe_get(m, model_path_get(m, path)->probe);

	return !glob || fnmatch(glob, model_string_get(m, model_probe_label(p)), 0) == 0;
}

/* Probes get the ids that they had: the session has all of them, from the first on. */
static int take_paths(struct replay_feed *f, const char *glob, const struct model_counts *have)
{
	uint32_t to;
	int r = 0;

	f->wanted = calloc((size_t)have->paths + 1, sizeof(*f->wanted));
	f->announced = calloc((size_t)have->paths + 1, sizeof(*f->announced));
	if (!f->wanted || !f->announced)
		return -ENOMEM;
	for (uint32_t id = 1; id <= have->probes && r >= 0; id++)
		r = translate_probe(f->translator, id, &to);
	for (uint32_t id = 1; id <= have->paths && r >= 0; id++) {
		r = translate_path(f->translator, id, &to);
		f->wanted[id] = is_wanted(f->from, id, glob);
	}
	f->session->first_probe = 1;
	f->session->n_replayed = have->probes;
	return r;
}

/* Then the answers are those of the recording to the last bit, the order of frames included. */
static bool is_everything_wanted(const struct replay_wishes *w)
{
	return !w->name && !w->since_us && !w->until_us && !w->where && !w->min_duration_ns &&
	       !w->max_depth && !w->errors_only && !w->unwound_only &&
	       !selectors_choose(&w->selectors);
}

/* On the clock of spans; 0 stays: no limit. */
static uint64_t span_clock(const struct replay_feed *f, uint64_t us)
{
	return us ? methods_span_clock(f->session, us) : 0;
}

int replay_feed_new(struct store_reader *reader, const struct model *from, struct session *s,
		    const struct replay_wishes *wishes, struct replay_feed **ret)
{
	_cleanup_(replay_feed_freep) struct replay_feed *f = calloc(1, sizeof(*f));
	struct model_counts have;
	int r;

	if (!f)
		return -ENOMEM;
	f->reader = reader;
	f->from = from;
	f->session = s;
	f->since_ns = span_clock(f, wishes->since_us);
	f->until_ns = span_clock(f, wishes->until_us);
	model_counts(from, &have);
	r = translator_new(from, s->context->model, &f->translator);
	if (r >= 0)
		r = take_processes(f, &wishes->selectors, have.processes);
	if (r >= 0)
		r = take_paths(f, wishes->name, &have);
	if (r >= 0 && is_everything_wanted(wishes))
		r = translate_all_stacks(f->translator);
	if (r >= 0)
		r = store_reader_places(reader, &f->places, &f->n_places);
	if (r >= 0)
		r = replay_samples_new(&(struct replay_samples_of){.reader = reader,
								   .translator = f->translator,
								   .processes = f->processes,
								   .since_ns = f->since_ns,
								   .until_ns = f->until_ns},
				       &f->samples);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

uint64_t replay_feed_count(const struct replay_feed *f)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->n_places; i++)
		n += f->places[i].count;
	return n;
}

const struct error *replay_feed_error(const struct replay_feed *f)
{
	return &f->error;
}

bool replay_feed_window_end(const struct replay_feed *f, uint64_t *ret_end_ns)
{
	if (!f->in_window)
		return false;
	*ret_end_ns = f->closing ? store_reader_window(f->reader, f->window)->end_ns
				 : MAX(f->last_ns, f->session->window.start_ns);
	return true;
}

static uint64_t end_of(const struct raw_span *span)
{
	return span->start_ns + span->duration_ns;
}

static int compare_ends(const void *pa, const void *pb, void *arg)
{
	const struct raw_span *spans = arg;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	uint64_t x = end_of(&spans[a]), y = end_of(&spans[b]);

	return x != y ? (x < y ? -1 : 1) : (a > b) - (a < b);
}

static int read_chunk(struct replay_feed *f)
{
	int r;

	span_set_release(&f->set);
	f->set = (struct span_set){};
	f->at = 0;
	r = store_read_place(f->reader, &f->places[f->place++], &f->set, &f->error);
	if (r >= 0)
		r = array_reserve(&f->order, &f->order_cap, f->set.n + 1, sizeof(*f->order));
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < f->set.n; i++)
		f->order[i] = i;
	qsort_r(f->order, f->set.n, sizeof(*f->order), compare_ends, f->set.spans);
	return 0;
}

static int close_window(struct replay_feed *f)
{
	const struct window *w = store_reader_window(f->reader, f->window);
	int r = replay_samples_add(f->samples, f->window, f->session, &f->error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < LOSS_COUNTERS; i++)
		f->session->window.losses[i] += w->losses[i];
	f->closing = true;
	session_roll(f->session, false);
	f->closing = f->in_window = false;
	f->window++;
	return 0;
}

/* What comes next behind the spans of a chunk. 1; 0: nothing does. */
static int go_on(struct replay_feed *f)
{
	const struct window *w = store_reader_window(f->reader, f->window);
	int r;

	if (!w)
		return 0;
	if (!f->in_window) {
		f->session->window.start_ns = w->start_ns;
		f->in_window = true;
		return 1;
	}
	if (f->place < f->n_places && f->places[f->place].window == f->window)
		r = read_chunk(f);
	else
		r = close_window(f);
	return r < 0 ? r : 1;
}

/* The first of the path's callers, or itself, of which no record has been sent; 0: none. */
static uint32_t unannounced(const struct replay_feed *f, uint32_t path)
{
	uint32_t first = 0;

	for (; path && !f->announced[path]; path = model_path_get(f->from, path)->parent)
		first = path;
	return first;
}

static void make_path(struct replay_feed *f, uint32_t path, struct replay_record *ret)
{
	const struct model_path *p = model_path_get(f->from, path);

	f->announced[path] = true;
	f->path = (struct record_path){
		.h = {.kind = RECORD_PATH, .session = (uint16_t)f->session->slot},
		.probe = p->probe - 1,
		.path = path,
		.parent = p->parent,
	};
	ret->data = &f->path;
	ret->size = sizeof(f->path);
}

/* Raw spans may keep more than a record of a call has room for. */
static bool fits_record(const struct span_more *more)
{
	return more->values_len <= RECORD_MAX_VALUES;
}

/* As it would have come before the call's own record. */
static void lay_ready(struct replay_feed *f, const struct raw_span *span,
		      const struct span_more *more, const struct model_process *p)
{
	struct session_ahead *ahead = &f->session->ahead;
	struct thrown *thrown = &ahead->throws[span->tid % AHEAD_THROWS];

	processes_expect(f->session->context->processes, p->pid, f->processes[span->process]);
	ahead->stack = more->stack;
	ahead->stack_tid = span->tid;
	ahead->stack_ns = end_of(span);
	ahead->values = fits_record(more) ? NULL : more->values;
	ahead->values_len = more->values_len;
	*thrown = (struct thrown){};
	if (more->exception_type || more->exception_message)
		*thrown = (struct thrown){span->tid, more->exception_type, more->exception_message,
					  end_of(span)};
}

static void make_call(struct replay_feed *f, const struct raw_span *span,
		      const struct span_more *more, struct replay_record *ret)
{
	const struct model_process *p = model_process_peek(f->from, span->process);
	const struct model_path *path = model_path_get(f->from, span->path);
	const char *comm = model_string_get(f->from, p->comm);
	uint32_t values_len = fits_record(more) ? more->values_len : 0;
	struct record_call *call = &f->call;

	*call = (struct record_call){
		.span = {.h = {.kind = RECORD_CALL,
			       .flags = span->flags & (uint16_t) ~(SPAN_ARGS | SPAN_VALUES),
			       .session = (uint16_t)f->session->slot},
			 .pid = p->pid,
			 .tid = span->tid,
			 .probe = path->probe - 1,
			 .depth = span->depth,
			 .start_ns = span->start_ns,
			 .duration_ns = span->duration_ns,
			 .self_ns = span->self_ns,
			 .ret = span->ret,
			 .path = span->path},
		.offcpu_ns = more->offcpu_ns,
		.uid = p->uid,
		.caller = path->parent ? model_path_get(f->from, path->parent)->probe : 0,
		.valid = more->valid,
	};
	memcpy(call->comm, comm, strnlen(comm, RECORD_COMM_LEN));
	if (more->args) {
		call->span.h.flags |= SPAN_ARGS;
		memcpy(call->args, more->args, sizeof(call->args));
	}
	if (values_len) {
		call->span.h.flags |= SPAN_VALUES;
		memcpy(call->values, more->values, values_len);
	}
	ret->data = call;
	ret->size = offsetof(struct record_call, values) + values_len;
}

/* 1: a record, 0: the span is not wanted. */
static int take_span(struct replay_feed *f, struct replay_record *ret)
{
	uint32_t i = f->order[f->at], path;
	const struct raw_span *span = &f->set.spans[i];
	struct span_more more;
	int r;

	ret->time_ns = f->last_ns = end_of(span);
	if (!f->processes[span->process] || !f->wanted[span->path] ||
	    span->start_ns < f->since_ns || (f->until_ns && span->start_ns >= f->until_ns)) {
		f->at++;
		return 0;
	}
	path = unannounced(f, span->path);
	if (path) {
		make_path(f, path, ret);
		return 1;
	}
	more = more_pool_get(&f->set.more, i);
	r = translate_more(f->translator, &more);
	if (r < 0)
		return r;
	f->at++;
	lay_ready(f, span, &more, model_process_peek(f->from, span->process));
	make_call(f, span, &more, ret);
	return 1;
}

int replay_feed_next(void *arg, struct replay_record *ret)
{
	struct replay_feed *f = arg;
	int r = 0;

	while (r == 0) {
		if (f->at < f->set.n) {
			r = take_span(f, ret);
			continue;
		}
		r = go_on(f);
		if (r <= 0)
			return r;
		r = 0;
	}
	return r;
}

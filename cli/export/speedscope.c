/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file format of speedscope.app: a profile a thread, of spans with an event for each begin and
 * end ("evented"), of samples with a weight for each stack ("sampled"). Values are nanoseconds, of
 * spans since the session began. The frames come last, as that is when they are all known.
 */
#include "formats.h"
#include "intern.h"
#include "stacks.h"

enum { NO_THREAD = UINT32_MAX };

struct open_span {
	uint32_t frame;
	int64_t end_ns;
};

struct speedscope {
	struct json_writer w;
	struct strbuf frames; /* JSON, separated by commas */
	struct json_writer frames_w;
	size_t n_functions; /* those in frames */
	int64_t base_ns, first_ns, last_ns;
	uint32_t thread; /* whose profile is open */
	struct open_span *open;
	size_t n_open, open_cap;
};

static int speedscope_begin(struct export *x)
{
	struct speedscope *s = calloc(1, sizeof(*s));

	x->state = s;
	if (!s)
		return -ENOMEM;
	s->thread = NO_THREAD;
	s->base_ns = (int64_t)(reply_u64(x->session, "started_us") * NSEC_PER_USEC);
	json_begin(&s->frames_w, &s->frames);
	json_begin(&s->w, x->out);
	json_object_begin(&s->w, NULL);
	json_string(&s->w, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_string(&s->w, "exporter", "sonde");
	json_string(&s->w, "name", reply_str(x->session, "targets"));
	json_array_begin(&s->w, "profiles");
	return 0;
}

static void add_frame(struct speedscope *s, const char *name, const char *file)
{
	json_object_begin(&s->frames_w, NULL);
	json_string(&s->frames_w, "name", *name ? name : "[unknown]");
	if (*file)
		json_string(&s->frames_w, "file", file);
	json_object_end(&s->frames_w);
}

static void begin_profile(struct speedscope *s, const char *type, const char *comm, uint32_t pid,
			  const char *thread)
{
	_cleanup_(strbuf_release) struct strbuf name = {};

	strbuf_printf(&name, "%s (%u) %s", comm, pid, thread);
	json_object_begin(&s->w, NULL);
	json_string(&s->w, "type", type);
	json_stringn(&s->w, "name", name.data ? name.data : "", name.len);
	json_string(&s->w, "unit", "nanoseconds");
}

static void put_event(struct speedscope *s, const char *type, uint32_t frame, int64_t at_ns)
{
	json_object_begin(&s->w, NULL);
	json_string(&s->w, "type", type);
	json_u64(&s->w, "frame", frame);
	json_i64(&s->w, "at", at_ns);
	json_object_end(&s->w);
	s->last_ns = at_ns;
}

/* Ends what has ended by then. */
static void close_until(struct speedscope *s, int64_t at_ns)
{
	while (s->n_open && s->open[s->n_open - 1].end_ns <= at_ns) {
		const struct open_span *span = &s->open[--s->n_open];

		put_event(s, "C", span->frame, MAX(span->end_ns, s->last_ns));
	}
}

static void end_thread(struct speedscope *s)
{
	if (s->thread == NO_THREAD)
		return;
	close_until(s, INT64_MAX);
	json_array_end(&s->w);
	json_i64(&s->w, "startValue", s->first_ns);
	json_i64(&s->w, "endValue", s->last_ns);
	json_object_end(&s->w);
	s->thread = NO_THREAD;
}

static void begin_thread(struct speedscope *s, const struct span_source *source, uint32_t thread,
			 int64_t at_ns)
{
	const struct exported_thread *t = &source->threads[thread];
	const struct exported_process *p = &source->processes[t->process];
	char tid[16];

	end_thread(s);
	snprintf(tid, sizeof(tid), "%u", t->tid);
	begin_profile(s, "evented", p->comm, p->pid, tid);
	json_array_begin(&s->w, "events");
	s->thread = thread;
	s->first_ns = s->last_ns = at_ns;
}

/* A span ends at the latest with the one that it is in: rounded clocks may say otherwise. */
static int speedscope_span(struct export *x, const struct exported_span *span)
{
	struct speedscope *s = x->state;
	int64_t at_ns = (int64_t)span->start_ns - s->base_ns, end_ns;

	/* The values of counters are nothing that it could show. */
	if (span->flags & EXPORTED_COUNTER)
		return 0;
	for (; s->n_functions < x->source->n_functions; s->n_functions++)
		add_frame(s, x->source->functions[s->n_functions].name,
			  x->source->functions[s->n_functions].binary);
	if (s->thread != span->thread)
		begin_thread(s, x->source, span->thread, at_ns);
	if (__builtin_add_overflow(at_ns, span->duration_ns, &end_ns))
		end_ns = INT64_MAX;
	close_until(s, at_ns);
	if (s->n_open)
		end_ns = MIN(end_ns, s->open[s->n_open - 1].end_ns);
	if (array_reserve(&s->open, &s->open_cap, s->n_open + 1, sizeof(*s->open)) < 0)
		return -ENOMEM;
	at_ns = MAX(at_ns, s->last_ns);
	put_event(s, "O", span->function, at_ns);
	s->open[s->n_open++] = (struct open_span){span->function, end_ns};
	if (end_ns <= at_ns)
		close_until(s, at_ns);
	return 0;
}

static bool same_thread(const struct stacks_sample *a, const struct stacks_sample *b)
{
	return a->process == b->process && streq(a->thread, b->thread);
}

static int compare_samples(const void *pa, const void *pb)
{
	const struct stacks_sample *a = *(struct stacks_sample *const *)pa,
				   *b = *(struct stacks_sample *const *)pb;
	int r;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	r = strcmp(a->thread, b->thread);
	return r ? r : a->stack < b->stack ? -1 : a->stack > b->stack;
}

/*
 * Frames by function: the many places of one have one number. *ret_of: of each frame, the caller's.
 */
static int put_frames(struct speedscope *to, const struct stacks *s, uint32_t **ret_of)
{
	_cleanup_(intern_release) struct intern names = {};
	_cleanup_(strbuf_release) struct strbuf name = {};
	_cleanup_(freep) uint32_t *of = calloc(s->n_frames + 1, sizeof(*of));

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_frames; i++) {
		const struct stacks_frame *f = &s->frames[i];
		const char *file = *f->file ? f->file : f->path;
		size_t n = names.n;

		strbuf_reset(&name);
		strbuf_printf(&name, "%s\n%s", f->func, file);
		if (strbuf_error(&name) < 0 || intern_put(&names, name.data, &of[i]) < 0)
			return -ENOMEM;
		if (names.n > n)
			add_frame(to, f->func, file);
	}
	*ret_of = TAKE_PTR(of);
	return 0;
}

/* The samples of one thread: n of them. */
static int put_sampled(struct export *x, const struct stacks *s, const uint32_t *frame_of,
		       struct stacks_sample **samples, size_t n)
{
	const struct stacks_process *p = &s->processes[samples[0]->process];
	struct speedscope *state = x->state;
	uint64_t total = 0;
	int r = 0;

	begin_profile(state, "sampled", p->comm, p->pid, samples[0]->thread);
	json_u64(&state->w, "startValue", 0);
	json_array_begin(&state->w, "samples");
	for (size_t i = 0; i < n && r >= 0; i++) {
		size_t depth;
		const uint32_t *chain = stacks_chain(s, samples[i]->stack, &depth);

		json_array_begin(&state->w, NULL);
		for (size_t k = 0; k < depth; k++)
			json_u64(&state->w, NULL, frame_of[chain[k]]);
		json_array_end(&state->w);
		r = export_relieve(x);
	}
	json_array_end(&state->w);
	json_array_begin(&state->w, "weights");
	for (size_t i = 0; i < n; i++) {
		json_u64(&state->w, NULL, samples[i]->ns);
		total += samples[i]->ns;
	}
	json_array_end(&state->w);
	json_u64(&state->w, "endValue", total);
	json_object_end(&state->w);
	return r;
}

static int speedscope_stacks(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	_cleanup_(freep) struct stacks_sample **order = NULL;
	_cleanup_(freep) uint32_t *frame_of = NULL;
	int r = stacks_read(reply, &s, x->error);

	if (r < 0)
		return r;
	order = calloc(s.n_samples + 1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < s.n_samples; i++)
		order[i] = &s.samples[i];
	qsort(order, s.n_samples, sizeof(*order), compare_samples);
	r = put_frames(x->state, &s, &frame_of);
	for (size_t i = 0, n; i < s.n_samples && r >= 0; i += n) {
		for (n = 1; i + n < s.n_samples && same_thread(order[i], order[i + n]); n++)
			;
		r = put_sampled(x, &s, frame_of, order + i, n);
	}
	return r;
}

static int speedscope_end(struct export *x)
{
	struct speedscope *s = x->state;
	int r = strbuf_error(&s->frames);

	end_thread(s);
	json_array_end(&s->w);
	json_object_begin(&s->w, "shared");
	json_array_begin(&s->w, "frames");
	if (s->frames.len)
		json_raw(&s->w, NULL, s->frames.data, s->frames.len);
	json_array_end(&s->w);
	json_object_end(&s->w);
	json_object_end(&s->w);
	strbuf_putc(x->out, '\n');
	return r;
}

static void speedscope_free(struct export *x)
{
	struct speedscope *s = x->state;

	if (!s)
		return;
	strbuf_release(&s->frames);
	free(s->open);
	free(s);
}

const struct export_format export_speedscope = {
	.name = "speedscope",
	.extensions = ".speedscope.json|.speedscope",
	.summary = "for www.speedscope.app: spans in time, or samples",
	.carries = EXPORT_SPANS | EXPORT_STACKS,
	.order = ORDER_THREAD,
	.begin = speedscope_begin,
	.span = speedscope_span,
	.stacks = speedscope_stacks,
	.end = speedscope_end,
	.free = speedscope_free,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_source_private.h"

#include "control/source_control.h"
#include "sonde/base/format.h"

/* When a thread that says nothing is first looked at; how long ended ones are known. */
enum { FLUSH_MS = SONDE_FLUSH_MS, KNOWN_MS = 10000 };

bool session_wants_sources(const struct session *s)
{
	for (size_t i = 0; s->probes && i < s->probes->n; i++)
		if (s->probes->points[i].role == ROLE_SOURCE)
			return true;
	return false;
}

static int check_options(const struct session *s, struct error *error)
{
	const struct session_options *o = &s->options;
	int r;

	if (!o->begin && !o->stack_if && !o->n_inside)
		return 0;
	for (size_t i = 0; i < s->probes->n; i++)
		if (s->probes->points[i].role == ROLE_SPAN)
			return 0;
	r = error_set(error, EINVAL, "BadArgument",
		      "spans written in source code are known when they have ended: there is no %s",
		      o->begin	    ? "--begin"
		      : o->stack_if ? "--stack-if"
				    : "--inside");
	error_fix(error, "use --where");
	return r;
}

int session_sources_start(struct session *s, struct error *error)
{
	struct session_sources *sources;
	int r = check_options(s, error);

	if (r < 0)
		return r;
	sources = calloc(1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	sources->started_ns = now_monotonic_ns();
	r = source_tree_new(s, &sources->tree, error);
	if (r < 0) {
		session_sources_free(sources);
		return r;
	}
	s->sources = sources;
	return 0;
}

struct session_sources *session_sources_free(struct session_sources *s)
{
	if (!s)
		return NULL;
	source_tree_free(s->tree);
	source_async_release(&s->async);
	table_release(&s->index);
	table_release(&s->by_tid);
	table_release(&s->below);
	free(s->around);
	free(s->held.data);
	free(s->threads);
	free(s);
	return NULL;
}

int session_sources_set_where(struct session *s, const char *where, struct error *error)
{
	return source_tree_set_where(s->sources->tree, where, error);
}

/* The only object that has spans, or that of the control's address. */
static uint32_t file_of(struct session *s, uint32_t pid, uint64_t control)
{
	const char *path = source_control_file(s->context->source_control, s->probes, pid, control);

	return path ? model_file(s->context->model, NULL, path, 0) : 0;
}

static uint64_t thread_key(uint32_t pid, uint32_t tid, uint64_t control)
{
	return hash_mix(hash_mix((uint64_t)pid << 32 | tid, control), tid);
}

struct source_thread *session_sources_thread(struct session *s, uint32_t pid, uint32_t tid,
					     uint64_t control)
{
	struct session_sources *sources = s->sources;
	struct source_thread *t;
	uint32_t *slot;
	bool is_new;

	slot = table_put(&sources->index, thread_key(pid, tid, control), &is_new);
	if (!slot)
		return NULL;
	if (!is_new && *slot != UINT32_MAX)
		return &sources->threads[*slot];
	*slot = UINT32_MAX;
	if (sources->n_threads >= SOURCE_MAX_THREADS ||
	    array_reserve(&sources->threads, &sources->cap, sources->n_threads + 1,
			  sizeof(*sources->threads)) < 0)
		return NULL;
	*slot = (uint32_t)sources->n_threads;
	t = &sources->threads[sources->n_threads++];
	*t = (struct source_thread){
		.used = true,
		.pid = pid,
		.tid = tid,
		.control = control,
		.file = file_of(s, pid, control),
		.idle_ns = FLUSH_MS * NSEC_PER_MSEC,
	};
	return t;
}

uint64_t session_sources_missed(struct session *s, bool ring_was_full)
{
	struct session_sources *sources = s->sources;
	uint64_t missed = sources->missed;

	sources->missed = 0;
	/* A batch may be missed some time after it was lost. */
	if (ring_was_full)
		sources->full_ns = now_monotonic_ns();
	return now_monotonic_ns() - sources->full_ns < 10 * NSEC_PER_SEC ? 0 : missed;
}

void session_sources_heard(struct session *s, const struct source_thread *t)
{
	uint32_t *slot = table_put(&s->sources->by_tid, (uint64_t)t->pid << 32 | t->tid, NULL);

	if (slot)
		*slot = (uint32_t)(t - s->sources->threads) + 1;
}

/* What they have left is on its way still, so they are known for a while. */
void session_sources_exited(struct session *s, uint32_t pid)
{
	struct session_sources *sources = s->sources;

	for (size_t i = 0; i < sources->n_threads; i++) {
		struct source_thread *t = &sources->threads[i];

		if (t->pid != pid || t->gone_ns)
			continue;
		t->gone_ns = now_monotonic_ns();
		t->block = 0;
		sources->first_gone_ns =
			sources->first_gone_ns ? sources->first_gone_ns : t->gone_ns;
	}
}

void session_sources_forget(struct session *s)
{
	struct session_sources *sources = s->sources;
	uint64_t now = now_monotonic_ns();
	size_t kept = 0;

	if (!sources->first_gone_ns || now - sources->first_gone_ns < KNOWN_MS * NSEC_PER_MSEC)
		return;
	sources->first_gone_ns = 0;
	table_clear(&sources->index);
	table_clear(&sources->by_tid);
	for (size_t i = 0; i < sources->n_threads; i++) {
		const struct source_thread *t = &sources->threads[i];
		uint32_t *slot;

		if (t->gone_ns && now - t->gone_ns >= KNOWN_MS * NSEC_PER_MSEC)
			continue;
		if (t->gone_ns && !sources->first_gone_ns)
			sources->first_gone_ns = t->gone_ns;
		sources->threads[kept] = *t;
		slot = table_put(&sources->index, thread_key(t->pid, t->tid, t->control), NULL);
		if (slot)
			*slot = (uint32_t)kept++;
	}
	sources->n_threads = kept;
}

/*
 * The time that spans inside have taken; its own goes to what is around it, or theirs when it is
 * not wanted itself. Spans in between that the program does not record take a place, too.
 */
static uint64_t child_time(struct source_thread *t, const struct source_item *item, bool wanted)
{
	uint64_t parent = source_parent_path(item->path, item->site), inside = 0;
	uint32_t depth = MIN(item->depth, (uint32_t)SONDE_MAX_OPEN - 1);
	struct source_level *around;

	for (uint32_t i = depth; i <= t->deepest; i++) {
		inside += t->levels[i].path == item->path ? t->levels[i].child_ns : 0;
		t->levels[i] = (struct source_level){};
	}
	t->deepest = depth;
	for (uint32_t i = 0; i < SOURCE_CALLED; i++) {
		if (t->called[i].path != item->path)
			continue;
		/* Spans may be in these calls, too: the longer of the two is all there was. */
		inside = MAX(inside, t->called[i].child_ns);
		t->called[i] = (struct source_level){};
	}
	if (depth == 0)
		return inside;
	around = &t->levels[depth - 1];
	if (around->path != parent)
		*around = (struct source_level){.path = parent};
	around->child_ns += wanted ? item->duration_ns : inside;
	return inside;
}

static void put_text(uint8_t *values, struct span_more *more, const char *key, const char *text,
		     size_t len)
{
	const struct attribute a = {.type = ATTRIBUTE_TEXT,
				    .key = key,
				    .key_len = strlen(key),
				    .text = text,
				    .text_len = len};

	more->values_len = (uint32_t)attributes_put(values, more->values_len, &a, &(bool){false});
}

static void put_number(uint8_t *values, struct span_more *more, const char *key,
		       enum attribute_type type, uint64_t bits)
{
	struct attribute a = {.type = type, .key = key, .key_len = strlen(key), .number = bits};

	if (type == ATTRIBUTE_REAL)
		memcpy(&a.real, &bits, sizeof(a.real));
	more->values_len = (uint32_t)attributes_put(values, more->values_len, &a, &(bool){false});
}

static void put_trace(uint8_t *values, struct span_more *more, const struct sonde_trace *trace)
{
	char text[33];

	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", trace->trace_id[i]);
	put_text(values, more, "trace_id", text, 32);
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)trace->span_id);
	put_text(values, more, "span_id", text, 16);
	if (!trace->parent_span_id)
		return;
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)trace->parent_span_id);
	put_text(values, more, "parent_span_id", text, 16);
}

static void put_field(const struct session *s, uint8_t *values, struct span_more *more,
		      const struct source_field *f)
{
	static const enum attribute_type types[] = {[SONDE_FIELD_I64] = ATTRIBUTE_INT,
						    [SONDE_FIELD_U64] = ATTRIBUTE_UINT,
						    [SONDE_FIELD_F64] = ATTRIBUTE_REAL,
						    [SONDE_FIELD_BOOL] = ATTRIBUTE_BOOL};
	const char *key = source_names_key(s->context->source_names, f->key);
	char number[24];

	if (!key) {
		snprintf(number, sizeof(number), "0x%016llx", (unsigned long long)f->key);
		key = number;
	}
	if (f->type == SONDE_FIELD_TEXT)
		put_text(values, more, key, f->text, f->len);
	else
		put_number(values, more, key, types[f->type], f->value);
}

/* A span as it is kept, if it is. flags: SPAN_* of record.h. */
static void keep(struct session *s, const struct source_thread *t, struct source_site *site,
		 struct raw_span *span, struct span_more *more)
{
	const struct session_options *o = &s->options;
	struct record_call *call = &s->sources->call;
	uint32_t path = span->path;
	bool passes;

	if (span->start_ns + span->duration_ns < s->sources->started_ns)
		return;
	passes = span->duration_ns >= o->min_duration_ns &&
		 (!o->max_depth || span->depth < o->max_depth) &&
		 (!o->errors_only || span->flags & SPAN_ERROR) &&
		 (!o->unwound_only || span->flags & SPAN_UNWOUND);
	span->process = processes_find(s->context->processes, t->pid);
	if (passes && o->where) {
		*call = (struct record_call){.span = {.h.flags = span->flags,
						      .pid = t->pid,
						      .tid = span->tid,
						      .depth = span->depth,
						      .start_ns = span->start_ns,
						      .duration_ns = span->duration_ns,
						      .self_ns = span->self_ns,
						      .ret = span->ret}};
		if (span->process)
			call->uid = model_process_get(s->context->model, span->process)->uid;
		passes = source_tree_passes(s->sources->tree, site, path, call, more);
	}
	if (!passes) {
		s->window.losses[FILTERED_SPAN]++;
		return;
	}
	session_keep_raw(s, span, more->values_len ? more : NULL);
}

/* Clocks of programs may say anything: nothing has ended after it was read. */
static void bound_times(struct raw_span *span, uint64_t time_ns)
{
	span->start_ns = MIN(span->start_ns, time_ns);
	span->duration_ns = MIN(span->duration_ns, time_ns - span->start_ns);
	span->self_ns = MIN(span->self_ns, span->duration_ns);
}

static uint32_t depth_of(const struct session *s, uint32_t path)
{
	const struct model_path *p = model_path_get(s->context->model, path);

	return p ? p->depth : 0;
}

static void add_span(struct session *s, struct source_thread *t, const struct source_origin *from,
		     const struct source_item *item)
{
	struct source_tree *tree = s->sources->tree;
	uint8_t values[ATTRIBUTES_MAX_BYTES];
	struct span_more more = {.values = values};
	struct raw_span span = {.start_ns = item->start_ns,
				.duration_ns = item->duration_ns,
				.ret = (uint64_t)item->error_code,
				.tid = t->tid};
	struct source_site *site;
	uint64_t inside;

	span.path = source_tree_path(tree, item->path, item->site, t->file);
	site = source_tree_site(tree, item->site, t->file);
	if (!site)
		return;
	inside = child_time(t, item, site->wanted);
	if (!site->wanted)
		return;
	span.depth = (uint16_t)MIN(depth_of(s, span.path), (uint32_t)UINT16_MAX);
	span.self_ns = item->duration_ns > inside ? item->duration_ns - inside : 0;
	if (item->flags & SONDE_SPAN_ERROR)
		span.flags |= SPAN_ERROR;
	if (item->flags & (SONDE_SPAN_EXCEPTION | SONDE_SPAN_UNFINISHED))
		span.flags |= SPAN_UNWOUND;
	for (size_t i = 0; i < item->n_fields; i++)
		put_field(s, values, &more, &item->fields[i]);
	if (item->has_trace)
		put_trace(values, &more, &item->trace);
	if (item->flags & SONDE_SPAN_UNFINISHED)
		put_number(values, &more, "unfinished", ATTRIBUTE_BOOL, 1);
	bound_times(&span, from->time_ns);
	keep(s, t, site, &span, &more);
}

/* Instants and counters, below the span they happened in. */
static void add_event(struct session *s, struct source_thread *t, const struct source_origin *from,
		      const struct source_item *item)
{
	struct source_tree *tree = s->sources->tree;
	uint8_t values[ATTRIBUTES_MAX_BYTES];
	struct span_more more = {.values = values};
	struct raw_span span = {.start_ns = item->start_ns, .tid = t->tid, .flags = SPAN_INSTANT};
	uint32_t around = source_tree_path(tree, item->path, 0, t->file);
	struct source_site *site = source_tree_site(tree, item->site, t->file);

	if (!site || !site->wanted)
		return;
	span.path = model_path(s->context->model, around, site->probe);
	span.depth = (uint16_t)MIN(depth_of(s, span.path), (uint32_t)UINT16_MAX);
	if (item->kind == SONDE_RECORD_COUNTER)
		put_number(values, &more, "value", ATTRIBUTE_REAL, item->value);
	bound_times(&span, from->time_ns);
	keep(s, t, site, &span, &more);
}

/* Spans that are no scopes stand by themselves, on the thread they began on. */
static void add_async(struct session *s, struct source_thread *t, const struct source_origin *from,
		      const struct source_item *item)
{
	struct source_async *async = &s->sources->async;
	const struct async_half half = {.pid = t->pid,
					.tid = t->tid,
					.site = item->site,
					.key = item->value,
					.time_ns = item->start_ns,
					.is_end = item->kind == SONDE_RECORD_ASYNC_END};
	uint8_t values[ATTRIBUTES_MAX_BYTES];
	struct span_more more = {.values = values};
	struct raw_span span = {};
	struct source_site *site;
	struct async_half other;
	bool paired = source_async_pair(async, &half, &other);

	s->window.losses[LOSS_RETURN] += async->forgotten - s->sources->async_forgotten;
	s->sources->async_forgotten = async->forgotten;
	site = paired ? source_tree_site(s->sources->tree, item->site, t->file) : NULL;
	if (!site || !site->wanted)
		return;
	span.start_ns = half.is_end ? other.time_ns : half.time_ns;
	span.duration_ns = (half.is_end ? half.time_ns : other.time_ns) - span.start_ns;
	span.self_ns = span.duration_ns;
	span.tid = half.is_end ? other.tid : half.tid;
	span.path = model_path(s->context->model, 0, site->probe);
	put_number(values, &more, "key", ATTRIBUTE_UINT, item->value);
	bound_times(&span, from->time_ns);
	keep(s, t, site, &span, &more);
}

static void add_item(struct session *s, struct source_thread *t, const struct source_origin *from,
		     const struct source_item *item)
{
	switch (item->kind) {
	case SONDE_RECORD_SPAN:
		add_span(s, t, from, item);
		break;
	case SONDE_RECORD_INSTANT:
	case SONDE_RECORD_COUNTER:
		add_event(s, t, from, item);
		break;
	case SONDE_RECORD_ASYNC_BEGIN:
	case SONDE_RECORD_ASYNC_END:
		add_async(s, t, from, item);
		break;
	case SONDE_RECORD_SITE:
	case SONDE_RECORD_KEY:
		break;
	}
}

/* Names, and which site each path ends in: also of what ends behind what is inside it. */
static void learn(struct session *s, struct source_batch b, const struct source_origin *from)
{
	struct source_tree *tree = s->sources->tree;
	struct source_item item;

	while (source_batch_next(&b, &item) > 0) {
		if (item.kind == SONDE_RECORD_SITE || item.kind == SONDE_RECORD_KEY)
			source_names_learn(s->context->source_names, &item);
		else if (item.kind == SONDE_RECORD_SPAN)
			source_tree_note(tree, item.path, item.site);
	}
	for (size_t i = 0; i < from->n_open; i++)
		source_tree_note(tree, from->open[i].path, from->open[i].site);
}

/* What was open when the thread ended, innermost first as it would have ended. */
static void add_open(struct session *s, struct source_thread *t, const struct source_origin *from,
		     const struct source_batch *b)
{
	for (size_t i = from->n_open; i-- > 0;) {
		struct source_item item = {.kind = SONDE_RECORD_SPAN,
					   .flags = SONDE_SPAN_UNFINISHED,
					   .depth = (uint16_t)i,
					   .site = from->open[i].site,
					   .path = from->open[i].path};

		if (!item.site)
			continue;
		item.start_ns = MIN(source_batch_ns(b, from->open[i].start), from->time_ns);
		item.duration_ns = from->time_ns - item.start_ns;
		add_span(s, t, from, &item);
	}
}

/*
 * Where to go on in a batch; false: all of it is known. A batch that has left counts what went
 * missing before it.
 */
static bool place_in(struct session *s, struct source_thread *t, const struct source_batch *b,
		     bool has_left, size_t *ret_offset)
{
	uint64_t sequence = b->head.sequence;

	*ret_offset = 0;
	if (b->head.flags & SONDE_BATCH_SIMPLE)
		return true;
	/* Blocks are taken over by threads that come later, and so may their numbers be. */
	if (sequence < t->sequence && sequence == 1)
		t->sequence = t->drained = 0;
	if (sequence <= t->sequence)
		return false;
	if (sequence == t->drained)
		*ret_offset = t->drained_bytes;
	if (!has_left) {
		t->drained = sequence;
		t->drained_bytes = (uint32_t)b->size;
		return true;
	}
	if (t->sequence && sequence > t->sequence + 1)
		s->sources->missed += sequence - t->sequence - 1;
	t->sequence = sequence;
	return true;
}

void session_sources_take(struct session *s, const struct source_origin *from, const void *data,
			  size_t size)
{
	struct sonde_anchor now = source_control_clock();
	struct source_item item;
	struct source_thread *t;
	struct source_batch b;
	size_t offset;
	uint32_t tid = from->tid;
	int r;

	if (source_batch_open(data, size, &now, &b) < 0) {
		s->window.losses[LOSS_BATCH]++;
		return;
	}
	/* One that another thread has sent is known by the number it has in its own namespace. */
	if (b.head.flags & SONDE_BATCH_EXIT && b.head.pid == from->pid)
		tid = b.head.tid;
	t = session_sources_thread(s, from->pid, tid, b.head.control);
	if (!t) {
		s->window.losses[LOSS_NO_MEMORY]++;
		return;
	}
	t->heard_ns = from->time_ns;
	t->idle_ns = FLUSH_MS * NSEC_PER_MSEC;
	if (from->block)
		t->block = from->block;
	s->sources->last_file = t->file;
	session_sources_heard(s, t);
	learn(s, b, from);
	if (place_in(s, t, &b, b.head.bytes != 0, &offset)) {
		source_batch_seek(&b, offset);
		while ((r = source_batch_next(&b, &item)) > 0)
			add_item(s, t, from, &item);
		s->window.losses[LOSS_BATCH] += r < 0;
		s->window.losses[LOSS_PROGRAM] += b.dropped;
	}
	if (from->ended)
		add_open(s, t, from, &b);
}

void session_add_source(struct session *s, const struct record_source *r)
{
	size_t batch = ((size_t)r->bytes + 7) & ~(size_t)7;
	struct source_origin from = {
		.pid = r->pid,
		.tid = r->tid,
		.time_ns = r->time_ns,
		.block = r->block,
		.ended = r->h.flags & SOURCE_ENDED,
		.n_open = r->n_open,
	};
	struct sonde_open open[SONDE_MAX_OPEN];

	if (!s->sources)
		return;
	if (!r->bytes) {
		session_sources_found(s, r->pid, r->tid, r->block);
		return;
	}
	memcpy(open, r->data + batch, r->n_open * sizeof(open[0]));
	from.open = open;
	session_sources_take(s, &from, r->data, r->bytes);
}

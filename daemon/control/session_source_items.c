/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the records of a batch are as spans of the session. */
#include "control/session_source_private.h"
#include "sonde/base/hex.h"

/* The probed call that something is in. */
struct inside {
	const struct source_mark *mark; /* NULL: in none */
	struct source_below below;
};

static struct inside find_inside(struct session *s, struct source_thread *t, uint64_t at)
{
	struct inside in = {.mark = session_sources_mark(t, at)};

	/* A path that was not announced is none. */
	if (in.mark && !session_sources_call(s, in.mark->path, &in.below))
		in.mark = NULL;
	if (!in.mark)
		in.below = (struct source_below){};
	session_sources_pass(t, at);
	return in;
}

/*
 * The time that spans inside have taken; its own goes to what is around it, or theirs when it is
 * not wanted itself. Spans in between that the program does not record take a place, too.
 */
static uint64_t child_time(struct session *s, struct source_thread *t,
			   const struct source_item *item, const struct raw_span *span,
			   const struct inside *in, bool wanted)
{
	uint64_t parent = source_parent_path(item->path, item->site), inside = 0;
	uint32_t depth = MIN(item->depth, (uint32_t)SONDE_MAX_OPEN - 1);
	struct source_level *around;

	for (uint32_t i = depth; i <= t->deepest; i++) {
		inside += t->levels[i].path == item->path ? t->levels[i].child_ns : 0;
		t->levels[i] = (struct source_level){};
	}
	t->deepest = depth;
	inside += session_sources_take_called(t, item->path, span->start_ns + span->duration_ns);
	/* Right inside a call, whose time is that of the span around it. */
	if (in->mark && parent == in->below.source) {
		session_sources_owe(s, t, in->mark, wanted ? span->duration_ns : inside);
		return inside;
	}
	if (depth == 0)
		return inside;
	around = &t->levels[depth - 1];
	if (around->path != parent)
		*around = (struct source_level){.path = parent};
	around->child_ns += wanted ? span->duration_ns : inside;
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

	hex_encode(trace->trace_id, 16, text);
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
		s->window.losses[FILTERED_SPAN] += !(span->flags & SPAN_COUNTER);
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
		     const struct source_item *item, const struct inside *in)
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

	span.path = source_tree_path(tree, item->path, item->site, t->file, &in->below);
	site = source_tree_site(tree, item->site, t->file);
	if (!site)
		return;
	bound_times(&span, from->time_ns);
	inside = child_time(s, t, item, &span, in, site->wanted);
	if (!site->wanted)
		return;
	span.depth = (uint16_t)MIN(depth_of(s, span.path), (uint32_t)UINT16_MAX);
	span.self_ns = span.duration_ns > inside ? span.duration_ns - inside : 0;
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
	keep(s, t, site, &span, &more);
}

/* Instants and counters, below the span they happened in. */
static void add_event(struct session *s, struct source_thread *t, const struct source_origin *from,
		      const struct source_item *item, const struct inside *in)
{
	struct source_tree *tree = s->sources->tree;
	uint8_t values[ATTRIBUTES_MAX_BYTES];
	struct span_more more = {.values = values};
	struct raw_span span = {.start_ns = item->start_ns, .tid = t->tid, .flags = SPAN_INSTANT};
	const uint64_t path = sonde_path(item->path, item->site);
	struct source_site *site;

	span.path = source_tree_path(tree, path, item->site, t->file, &in->below);
	site = source_tree_site(tree, item->site, t->file);
	if (!site || !site->wanted)
		return;
	span.depth = (uint16_t)MIN(depth_of(s, span.path), (uint32_t)UINT16_MAX);
	if (item->kind == SONDE_RECORD_COUNTER) {
		span.flags |= SPAN_COUNTER;
		put_number(values, &more, "value", ATTRIBUTE_REAL, item->value);
	}
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
	struct raw_span span = {.flags = SPAN_ASYNC};
	struct source_site *site;
	struct async_half other;
	bool paired = source_async_pair(async, &half, &other);

	s->window.losses[LOSS_RETURN] += async->forgotten;
	async->forgotten = 0;
	site = paired ? source_tree_site(s->sources->tree, item->site, t->file) : NULL;
	if (!site || !site->wanted)
		return;
	span.start_ns = half.is_end ? other.time_ns : half.time_ns;
	span.duration_ns = (half.is_end ? half.time_ns : other.time_ns) - span.start_ns;
	span.self_ns = span.duration_ns;
	span.tid = half.is_end ? other.tid : half.tid;
	span.path = model_path(s->context->model, 0, site->probe);
	put_number(values, &more, "key", ATTRIBUTE_UINT, item->value);
	put_number(values, &more, "end_tid", ATTRIBUTE_UINT, half.is_end ? half.tid : other.tid);
	bound_times(&span, from->time_ns);
	keep(s, t, site, &span, &more);
}

void session_sources_add(struct session *s, struct source_thread *t,
			 const struct source_origin *from, const struct source_item *item,
			 uint64_t at)
{
	struct inside in;

	switch (item->kind) {
	case SONDE_RECORD_SPAN:
		in = find_inside(s, t, at);
		add_span(s, t, from, item, &in);
		break;
	case SONDE_RECORD_INSTANT:
	case SONDE_RECORD_COUNTER:
		in = find_inside(s, t, at);
		add_event(s, t, from, item, &in);
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

/* What was open when the thread ended, innermost first as it would have ended. */
void session_sources_add_open(struct session *s, struct source_thread *t,
			      const struct source_origin *from, const struct source_batch *b)
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
		add_span(s, t, from, &item, &(struct inside){});
	}
}

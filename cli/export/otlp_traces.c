/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans come a thread after the other, callers first. A trace is what happened below an outermost
 * span of a thread; its id, and those of its spans, are made of process, thread and times, so that
 * another export says the same. ResourceSpans have a process; a long one comes in several.
 */
#include "otlp.h"
#include "trace.pb-c.h"

typedef Opentelemetry__Proto__Trace__V1__Span Span;
typedef Opentelemetry__Proto__Trace__V1__Span__Event Event;
typedef Opentelemetry__Proto__Trace__V1__Status Status;
typedef Opentelemetry__Proto__Trace__V1__ScopeSpans ScopeSpans;
typedef Opentelemetry__Proto__Trace__V1__ResourceSpans ResourceSpans;

enum { BATCH = 256, TRACE_ID = 16, SPAN_ID = 8, NO_THREAD = UINT32_MAX };

struct open_span {
	uint64_t end_ns;
	uint8_t id[SPAN_ID];
};

struct otlp_traces {
	uint32_t thread;    /* that spans are of */
	Span *spans[BATCH]; /* in the arena */
	size_t n;
	uint8_t trace_id[TRACE_ID];
	struct open_span *open;
	size_t n_open, open_cap;
};

struct otlp_traces *otlp_traces_free(struct otlp_traces *t)
{
	if (!t)
		return NULL;
	free(t->open);
	free(t);
	return NULL;
}

/* What has been collected, as one ResourceSpans. */
static int flush(struct export *x)
{
	struct otlp *o = x->state;
	struct otlp_traces *t = o->traces;
	ResourceSpans *rs = ARENA_NEW(&o->arena, ResourceSpans);
	ScopeSpans **scopes = ARENA_ARRAY(&o->arena, ScopeSpans *, 1);
	ScopeSpans *scope = ARENA_NEW(&o->arena, ScopeSpans);
	const struct exported_process *p;

	if (!t->n)
		return 0;
	p = &x->source->processes[x->source->threads[t->thread].process];
	if (!rs || !scopes || !scope)
		return -ENOMEM;
	opentelemetry__proto__trace__v1__resource_spans__init(rs);
	opentelemetry__proto__trace__v1__scope_spans__init(scope);
	rs->resource = otlp_resource(
		o, &(struct otlp_process){p->pid, p->comm, p->container, export_host(x, p->host)});
	rs->scope_spans = scopes;
	rs->n_scope_spans = 1;
	scopes[0] = scope;
	scope->scope = otlp_scope(o);
	scope->spans = t->spans;
	scope->n_spans = t->n;
	t->n = 0;
	return otlp_emit(x, 1, "resourceSpans", true, &rs->base);
}

static ProtobufCBinaryData keep_bytes(struct otlp *o, const uint8_t *data, size_t len)
{
	uint8_t *p = arena_get(&o->arena, len);

	if (p)
		memcpy(p, data, len);
	return (ProtobufCBinaryData){.data = p, .len = p ? len : 0};
}

/* Closes what has ended by then, and makes the ids of the span, which is open from now on. */
static int nest(struct export *x, const struct exported_span *span, Span *to)
{
	struct otlp *o = x->state;
	struct otlp_traces *t = o->traces;
	const struct exported_thread *thread = &x->source->threads[span->thread];
	uint64_t of[] = {x->source->processes[thread->process].pid, thread->tid, span->start_ns,
			 span->depth, span->duration_ns};
	struct open_span *open;

	while (t->n_open && t->open[t->n_open - 1].end_ns <= span->start_ns &&
	       !(t->open[t->n_open - 1].end_ns == to->end_time_unix_nano && !span->duration_ns))
		t->n_open--;
	if (!t->n_open)
		otlp_id(t->trace_id, TRACE_ID, of, 3);
	else
		to->parent_span_id = keep_bytes(o, t->open[t->n_open - 1].id, SPAN_ID);
	if (array_reserve(&t->open, &t->open_cap, t->n_open + 1, sizeof(*t->open)) < 0)
		return -ENOMEM;
	open = &t->open[t->n_open++];
	open->end_ns = to->end_time_unix_nano;
	otlp_id(open->id, SPAN_ID, of, ARRAY_SIZE(of));
	to->trace_id = keep_bytes(o, t->trace_id, TRACE_ID);
	to->span_id = keep_bytes(o, open->id, SPAN_ID);
	return 0;
}

static void put_exception(struct otlp *o, Span *to, reply_t *exception)
{
	struct otlp_attributes a = {};
	Event **events = ARENA_ARRAY(&o->arena, Event *, 1);
	Event *e = ARENA_NEW(&o->arena, Event);

	if (!events || !e)
		return;
	opentelemetry__proto__trace__v1__span__event__init(e);
	otlp_put_text(o, &a, "exception.type", reply_str(exception, "type"));
	otlp_put_text(o, &a, "exception.message", reply_str(exception, "message"));
	e->name = (char *)"exception";
	e->time_unix_nano = to->end_time_unix_nano;
	e->attributes = otlp_keep(o, &a);
	e->n_attributes = e->attributes ? a.n : 0;
	events[0] = e;
	to->events = events;
	to->n_events = 1;
}

static void put_status(struct otlp *o, Span *to, const struct exported_span *span)
{
	reply_t *exception = reply_get(span->details, "exception");
	bool unwound = span->flags & EXPORTED_UNWOUND;
	const char *message =
		unwound ? reply_str(exception, "type") : reply_str(span->details, "result");

	if (exception)
		put_exception(o, to, exception);
	if (!unwound && !(span->flags & EXPORTED_ERROR))
		return;
	to->status = ARENA_NEW(&o->arena, Status);
	if (!to->status)
		return;
	opentelemetry__proto__trace__v1__status__init(to->status);
	to->status->code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
	to->status->message = otlp_text(o, *message ? message : unwound ? "unwound" : "");
}

static void put_attributes(struct otlp *o, const struct export *x, Span *to,
			   const struct exported_span *span)
{
	const struct exported_function *f = &x->source->functions[span->function];
	struct otlp_attributes a = {};
	char ret[24];

	otlp_put_int(o, &a, "thread.id", x->source->threads[span->thread].tid);
	if (*f->binary)
		otlp_put_text(o, &a, "sonde.binary", f->binary);
	if (span->self_ns != span->duration_ns)
		otlp_put_int(o, &a, "sonde.self_ns", span->self_ns);
	snprintf(ret, sizeof(ret), "0x%llx", (unsigned long long)span->ret);
	if (!(span->flags & (EXPORTED_UNWOUND | EXPORTED_TAIL | EXPORTED_INSTANT)))
		otlp_put_text(o, &a, "sonde.ret", ret);
	if (span->flags & EXPORTED_INSTANT)
		otlp_put_bool(o, &a, "sonde.instant", true);
	if (span->flags & EXPORTED_TAIL)
		otlp_put_bool(o, &a, "sonde.tail", true);
	if (reply_get(span->details, "offcpu_ns"))
		otlp_put_int(o, &a, "sonde.offcpu_ns", reply_u64(span->details, "offcpu_ns"));
	if (*reply_str(span->details, "result"))
		otlp_put_text(o, &a, "sonde.result", reply_str(span->details, "result"));
	reply_foreach(arg, span->details, "args")
	{
		char key[256];

		snprintf(key, sizeof(key), "sonde.args.%s", reply_name(arg));
		otlp_put_text(o, &a, key, reply_text(arg));
	}
	to->attributes = otlp_keep(o, &a);
	to->n_attributes = to->attributes ? a.n : 0;
	to->dropped_attributes_count = a.dropped;
}

int otlp_traces_span(struct export *x, const struct exported_span *span)
{
	struct otlp *o = x->state;
	struct otlp_traces *t = o->traces;
	Span *to;
	int r = 0;

	if (!t) {
		t = o->traces = calloc(1, sizeof(*t));
		if (!t)
			return -ENOMEM;
		t->thread = NO_THREAD;
	}
	if (t->thread != span->thread || t->n == BATCH)
		r = flush(x);
	if (r < 0)
		return r;
	if (t->thread != span->thread)
		t->n_open = 0;
	t->thread = span->thread;
	to = ARENA_NEW(&o->arena, Span);
	if (!to)
		return -ENOMEM;
	opentelemetry__proto__trace__v1__span__init(to);
	to->name = otlp_text(o, x->source->functions[span->function].name);
	to->kind = OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_INTERNAL;
	to->start_time_unix_nano = span->start_ns;
	if (__builtin_add_overflow(span->start_ns, span->duration_ns, &to->end_time_unix_nano))
		to->end_time_unix_nano = UINT64_MAX;
	r = nest(x, span, to);
	if (r < 0)
		return r;
	put_attributes(o, x, to, span);
	put_status(o, to, span);
	t->spans[t->n++] = to;
	return o->arena.failed ? -ENOMEM : 0;
}

int otlp_traces_end(struct export *x)
{
	return flush(x);
}

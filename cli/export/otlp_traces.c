/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans come a thread after the other, callers first. ResourceSpans have a process; a long one
 * comes in several. There are so many spans that they are written field by field, without a message
 * in memory.
 */
#include "otlp.h"

#include "otlp_handoffs.h"
#include "proto_json.h"

/* By number, so that both encodings say the same. */
enum { BATCH = 512, NO_THREAD = UINT32_MAX };

struct otlp_traces {
	uint32_t thread; /* that spans are of */
	struct strbuf spans;
	size_t n;      /* of them */
	struct wire w; /* of spans */
	struct otlp_pieces pieces;
	struct otlp_handoffs *handoffs;
};

struct otlp_traces *otlp_traces_free(struct otlp_traces *t)
{
	if (!t)
		return NULL;
	otlp_handoffs_free(t->handoffs);
	otlp_pieces_release(&t->pieces);
	strbuf_release(&t->spans);
	free(t);
	return NULL;
}

static int prepare(struct otlp *o)
{
	struct otlp_traces *t = o->traces;

	if (t)
		return 0;
	t = o->traces = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->thread = NO_THREAD;
	t->w = wire_to(&t->spans, o->json);
	t->handoffs = otlp_handoffs_new();
	return t->handoffs ? 0 : -ENOMEM;
}

static const struct wire_field resource_spans = WIRE_FIELD(1, "resourceSpans"),
			       resource_field = WIRE_FIELD(1, "resource"),
			       scope_spans = WIRE_FIELD(2, "scopeSpans"),
			       scope_field = WIRE_FIELD(1, "scope"),
			       scope_name = WIRE_FIELD(1, "name");

static void put_packed(struct export *x, struct otlp_traces *t, const ProtobufCMessage *resource)
{
	struct wire w = wire_to(x->out, false);
	size_t size = protobuf_c_message_get_packed_size(resource);
	size_t scope = wire_head_size(&scope_name, strlen(OTLP_SCOPE)) + strlen(OTLP_SCOPE);
	size_t in_scope = wire_head_size(&scope_field, scope) + scope + t->spans.len;
	size_t all = wire_head_size(&resource_field, size) + size +
		     wire_head_size(&scope_spans, in_scope) + in_scope;
	uint8_t *to;

	wire_head(&w, &resource_spans, all);
	wire_head(&w, &resource_field, size);
	to = (uint8_t *)strbuf_extend(x->out, size);
	if (to)
		protobuf_c_message_pack(resource, to);
	wire_head(&w, &scope_spans, in_scope);
	wire_head(&w, &scope_field, scope);
	wire_text(&w, &scope_name, OTLP_SCOPE);
	strbuf_append(x->out, t->spans.data, t->spans.len);
}

static void put_json(struct otlp *o, struct otlp_traces *t, const ProtobufCMessage *resource)
{
	struct json_writer *w = &o->w;

	if (!o->open)
		json_array_begin(w, "resourceSpans");
	o->open = "resourceSpans";
	json_object_begin(w, NULL);
	proto_json_write(w, "resource", resource);
	json_array_begin(w, "scopeSpans");
	json_object_begin(w, NULL);
	json_object_begin(w, "scope");
	json_string(w, "name", OTLP_SCOPE);
	json_object_end(w);
	json_array_begin(w, "spans");
	json_raw(w, NULL, t->spans.data, t->spans.len);
	json_array_end(w);
	json_object_end(w);
	json_array_end(w);
	json_object_end(w);
}

/* What has been collected, as one ResourceSpans. */
static int flush(struct export *x)
{
	struct otlp *o = x->state;
	struct otlp_traces *t = o->traces;
	const struct exported_process *p;
	Resource *resource;

	if (!t || !t->n)
		return 0;
	p = &x->source->processes[x->source->threads[t->thread].process];
	resource = otlp_resource(
		o, &(struct otlp_process){p->pid, p->comm, p->container, export_host(x, p->host)});
	if (!resource || o->arena.failed)
		return -ENOMEM;
	if (o->json)
		put_json(o, t, &resource->base);
	else
		put_packed(x, t, &resource->base);
	strbuf_reset(&t->spans);
	t->n = 0;
	t->w.need_comma = false;
	arena_reset(&o->arena);
	return export_relieve(x);
}

int otlp_traces_look(struct export *x, const struct exported_span *span, bool in_order)
{
	struct otlp *o = x->state;
	int r = prepare(o);

	if (r < 0)
		return r;
	if (in_order)
		return otlp_handoffs_follow(o->traces->handoffs, x->source, span);
	r = otlp_handoffs_see(o->traces->handoffs, x->source, span);
	x->look_again = otlp_handoffs_have_any(o->traces->handoffs);
	return r;
}

int otlp_traces_span(struct export *x, const struct exported_span *span)
{
	struct otlp *o = x->state;
	struct otlp_traces *t;
	struct otlp_place place;
	int r = prepare(o);

	t = o->traces;
	if (r >= 0 && (t->thread != span->thread || t->n == BATCH))
		r = flush(x);
	if (r < 0)
		return r;
	t->thread = span->thread;
	t->n++;
	r = otlp_handoffs_place(t->handoffs, x->source, span, &place);
	return r < 0 ? r : otlp_span_put(&t->w, &t->pieces, x, span, &place);
}

int otlp_traces_end(struct export *x)
{
	struct otlp *o = x->state;
	uint64_t n = o->traces ? otlp_handoffs_left_out(o->traces->handoffs) : 0;

	if (n)
		snprintf(x->note, sizeof(x->note),
			 "of %llu spans that are no scopes there is no link to what they are in: "
			 "there are too many in one file, so export less with --since and --until",
			 (unsigned long long)n);
	return flush(x);
}

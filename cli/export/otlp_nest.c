/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "otlp_nest.h"

#include "otlp.h"
#include "sonde/base/hex.h"

/* Of enum SpanFlags in the official trace.proto. */
enum { HAS_IS_REMOTE = 0x100, IS_REMOTE = 0x200 };

void otlp_nest_release(struct otlp_nest *n)
{
	free(n->open);
	*n = (struct otlp_nest){};
}

uint64_t otlp_span_key(const uint8_t id[static OTLP_SPAN_ID])
{
	uint64_t key;

	memcpy(&key, id, sizeof(key));
	return key;
}

/* Exactly size bytes that are not all 0. */
static bool read_id(const char *text, uint8_t *ret, size_t size)
{
	static const uint8_t none[OTLP_TRACE_ID];

	return strlen(text) == 2 * size && hex_decode(text, ret, size) == 0 &&
	       memcmp(ret, none, size) != 0;
}

bool otlp_context_of(const struct exported_span *span, struct otlp_context *ret)
{
	reply_t *args = reply_get(span->details, "args");
	struct otlp_context c = {};

	if (!args || !read_id(reply_str(args, "trace_id"), c.id.trace, OTLP_TRACE_ID) ||
	    !read_id(reply_str(args, "span_id"), c.id.span, OTLP_SPAN_ID))
		return false;
	if (!read_id(reply_str(args, "parent_span_id"), c.parent, OTLP_SPAN_ID))
		memset(c.parent, 0, OTLP_SPAN_ID);
	*ret = c;
	return true;
}

const struct otlp_open *otlp_nest_at(const struct otlp_nest *n, uint64_t ns)
{
	for (size_t i = n->n_open; i-- > 0;)
		if (n->open[i].start_ns <= ns && n->open[i].end_ns >= ns)
			return &n->open[i];
	return NULL;
}

/* What has ended by the time the span begins; a span of no duration at the end of another one is
 * in it. */
static void close_ended(struct otlp_nest *n, const struct exported_span *span)
{
	while (n->n_open && n->open[n->n_open - 1].end_ns <= span->start_ns &&
	       !(n->open[n->n_open - 1].end_ns == otlp_end_ns(span) && !span->duration_ns))
		n->n_open--;
}

static bool same_trace(const struct otlp_open *open, const struct otlp_id *id)
{
	return open && memcmp(open->id.trace, id->trace, OTLP_TRACE_ID) == 0;
}

/* Whether the parent that the program names is around the span: what lies in between was given no
 * context, and is the nearer parent. */
static bool is_around(const struct otlp_nest *n, const struct otlp_context *c)
{
	for (size_t i = 0; i < n->n_open; i++)
		if (same_trace(&n->open[i], &c->id) &&
		    memcmp(n->open[i].id.span, c->parent, OTLP_SPAN_ID) == 0)
			return true;
	return false;
}

static void place_context(const struct otlp_nest *n, const struct table *contexts, uint32_t process,
			  const struct otlp_context *c, const struct otlp_open *top,
			  struct otlp_place *ret)
{
	const uint32_t *of = table_get(contexts, otlp_span_key(c->parent));

	ret->id = c->id;
	ret->has_context = true;
	if (same_trace(top, &c->id) && is_around(n, c)) {
		memcpy(ret->parent, top->id.span, OTLP_SPAN_ID);
		return;
	}
	memcpy(ret->parent, c->parent, OTLP_SPAN_ID);
	if (!otlp_span_key(c->parent) || (!of && contexts->len >= OTLP_MAX_CONTEXTS))
		return;
	/* One that is not in the export is of a program that nobody has looked at. */
	ret->flags = HAS_IS_REMOTE | (of && *of == process ? 0 : IS_REMOTE);
}

/* Ids of what tells the span from all others, and an outermost one's trace from other traces. */
static void make_id(const struct span_source *source, const struct exported_span *span,
		    const struct otlp_open *top, struct otlp_place *ret)
{
	const struct exported_thread *thread = &source->threads[span->thread];
	const uint64_t of[] = {source->processes[thread->process].pid, thread->tid, span->start_ns,
			       span->depth, span->duration_ns};

	otlp_id(ret->id.span, OTLP_SPAN_ID, of, ARRAY_SIZE(of));
	if (top) {
		memcpy(ret->id.trace, top->id.trace, OTLP_TRACE_ID);
		memcpy(ret->parent, top->id.span, OTLP_SPAN_ID);
	} else {
		otlp_id(ret->id.trace, OTLP_TRACE_ID, of, 3);
	}
}

static int push(struct otlp_nest *n, const struct exported_span *span, const struct otlp_id *id)
{
	if (array_reserve(&n->open, &n->open_cap, n->n_open + 1, sizeof(*n->open)) < 0)
		return -ENOMEM;
	n->open[n->n_open++] = (struct otlp_open){
		.start_ns = span->start_ns, .end_ns = otlp_end_ns(span), .number = n->n, .id = *id};
	return 0;
}

int otlp_nest_span(struct otlp_nest *n, const struct span_source *source,
		   const struct table *contexts, const struct exported_span *span,
		   struct otlp_place *ret, struct otlp_open *ret_around)
{
	const struct otlp_open *top;
	struct otlp_context context;
	int r = 0;

	if (n->thread != span->thread + 1)
		n->n_open = 0;
	n->thread = span->thread + 1;
	close_ended(n, span);
	top = n->n_open ? &n->open[n->n_open - 1] : NULL;
	*ret = (struct otlp_place){};
	*ret_around = (struct otlp_open){};
	if (span->details && otlp_context_of(span, &context)) {
		place_context(n, contexts, source->threads[span->thread].process, &context, top,
			      ret);
		if (top && memcmp(ret->parent, top->id.span, OTLP_SPAN_ID) != 0)
			*ret_around = *top;
	} else {
		make_id(source, span, top, ret);
	}
	/* What is no scope has nothing in it, and may end when it is not around any more. */
	if (!(span->flags & EXPORTED_ASYNC))
		r = push(n, span, &ret->id);
	n->n++;
	return r;
}

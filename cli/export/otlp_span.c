/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "otlp_span.h"

#include "otlp.h"
#include "sonde/base/hex.h"

enum { KIND_INTERNAL = 1, STATUS_ERROR = 2 };

static const struct wire_field spans_field = WIRE_FIELD(2, "spans");

/* Of Span. */
static const struct wire_field trace_id_field = WIRE_FIELD(1, "traceId"),
			       span_id_field = WIRE_FIELD(2, "spanId"),
			       parent_field = WIRE_FIELD(4, "parentSpanId"),
			       name_field = WIRE_FIELD(5, "name"),
			       kind_field = WIRE_FIELD(6, "kind"),
			       start_field = WIRE_FIELD(7, "startTimeUnixNano"),
			       end_field = WIRE_FIELD(8, "endTimeUnixNano"),
			       attributes_field = WIRE_FIELD(9, "attributes"),
			       dropped_field = WIRE_FIELD(10, "droppedAttributesCount"),
			       events_field = WIRE_FIELD(11, "events"),
			       links_field = WIRE_FIELD(13, "links"),
			       dropped_links_field = WIRE_FIELD(14, "droppedLinksCount"),
			       status_field = WIRE_FIELD(15, "status"),
			       flags_field = WIRE_FIELD(16, "flags");

/* Of KeyValue and AnyValue. */
static const struct wire_field key_field = WIRE_FIELD(1, "key"),
			       value_field = WIRE_FIELD(2, "value"),
			       text_field = WIRE_FIELD(1, "stringValue"),
			       bool_field = WIRE_FIELD(2, "boolValue"),
			       int_field = WIRE_FIELD(3, "intValue");

/* Attributes of a field, which are counted: what goes beyond is left out. */
struct attributes {
	struct wire *w;
	const struct wire_field *field;
	size_t n;
	size_t marks[2]; /* of the one that is being written */
};

static bool begin_attribute(struct attributes *a, const char *key)
{
	if (a->n++ >= OTLP_MAX_ATTRIBUTES)
		return false;
	a->marks[0] = wire_element(a->w, a->field);
	wire_text(a->w, &key_field, key);
	a->marks[1] = wire_open(a->w, &value_field);
	return true;
}

static void end_attribute(struct attributes *a)
{
	wire_close(a->w, a->marks[1]);
	wire_close(a->w, a->marks[0]);
}

static void put_text(struct attributes *a, const char *key, const char *value)
{
	if (!begin_attribute(a, key))
		return;
	wire_text(a->w, &text_field, value);
	end_attribute(a);
}

static void put_int(struct attributes *a, const char *key, uint64_t value)
{
	if (!begin_attribute(a, key))
		return;
	wire_int64(a->w, &int_field, value);
	end_attribute(a);
}

static void put_true(struct attributes *a, const char *key)
{
	if (!begin_attribute(a, key))
		return;
	wire_bool(a->w, &bool_field, true);
	end_attribute(a);
}

static void put_ret(struct attributes *a, uint64_t ret)
{
	char text[HEX_U64_SIZE];

	hex_u64(ret, text);
	put_text(a, "sonde.ret", text);
}

static void put_piece(struct attributes *a, const struct strbuf *piece)
{
	a->n += piece->len > 0;
	wire_piece(a->w, piece);
}

void otlp_pieces_release(struct otlp_pieces *p)
{
	for (size_t i = 0; i < p->n_functions; i++) {
		strbuf_release(&p->names[i]);
		strbuf_release(&p->binaries[i]);
	}
	for (size_t i = 0; i < p->n_threads; i++)
		strbuf_release(&p->threads[i]);
	free(p->names);
	free(p->binaries);
	free(p->threads);
	*p = (struct otlp_pieces){};
}

static int make_function(struct otlp_pieces *p, size_t i, const struct exported_function *f,
			 bool json)
{
	struct wire name = wire_to(&p->names[i], json), binary = wire_to(&p->binaries[i], json);
	struct attributes a = {&binary, &attributes_field};

	wire_text(&name, &name_field, f->name);
	if (*f->binary)
		put_text(&a, "sonde.binary", f->binary);
	return strbuf_error(name.out) < 0 || strbuf_error(binary.out) < 0 ? -ENOMEM : 0;
}

static int make_thread(struct otlp_pieces *p, size_t i, uint32_t tid, bool json)
{
	struct wire w = wire_to(&p->threads[i], json);
	struct attributes a = {&w, &attributes_field};

	put_int(&a, "thread.id", tid);
	return strbuf_error(w.out);
}

/* Those of what has been named since. */
static int make_pieces(struct otlp_pieces *p, const struct span_source *s, bool json)
{
	int r = 0;

	if (p->n_functions == s->n_functions && p->n_threads == s->n_threads)
		return 0;
	if (array_reserve(&p->names, &p->names_cap, s->n_functions, sizeof(*p->names)) < 0 ||
	    array_reserve(&p->binaries, &p->binaries_cap, s->n_functions, sizeof(*p->binaries)) <
		    0 ||
	    array_reserve(&p->threads, &p->threads_cap, s->n_threads, sizeof(*p->threads)) < 0)
		return -ENOMEM;
	for (; p->n_functions < s->n_functions && r >= 0; p->n_functions++)
		r = make_function(p, p->n_functions, &s->functions[p->n_functions], json);
	for (; p->n_threads < s->n_threads && r >= 0; p->n_threads++)
		r = make_thread(p, p->n_threads, s->threads[p->n_threads].tid, json);
	return r;
}

/* Arguments and attributes, but for those that are the span's ids. */
static void put_args(struct attributes *a, const struct exported_span *span, bool has_context)
{
	static const char *const ids[] = {"trace_id", "span_id", "parent_span_id"};

	reply_foreach(arg, span->details, "args")
	{
		bool is_id = false;
		char key[256];

		for (size_t i = 0; has_context && i < ARRAY_SIZE(ids); i++)
			is_id |= streq(reply_name(arg), ids[i]);
		snprintf(key, sizeof(key), "sonde.args.%s", reply_name(arg));
		if (!is_id)
			put_text(a, key, reply_text(arg));
	}
}

static void put_attributes(struct wire *w, const struct otlp_pieces *p,
			   const struct exported_span *span, bool has_context)
{
	const char *result = reply_str(span->details, "result");
	struct attributes a = {w, &attributes_field};

	wire_array(w, &attributes_field);
	put_piece(&a, &p->threads[span->thread]);
	put_piece(&a, &p->binaries[span->function]);
	if (span->self_ns != span->duration_ns)
		put_int(&a, "sonde.self_ns", span->self_ns);
	if (!(span->flags & (EXPORTED_UNWOUND | EXPORTED_TAIL | EXPORTED_INSTANT)))
		put_ret(&a, span->ret);
	if (span->flags & EXPORTED_INSTANT)
		put_true(&a, "sonde.instant");
	if (span->flags & EXPORTED_TAIL)
		put_true(&a, "sonde.tail");
	if (span->flags & EXPORTED_ASYNC)
		put_true(&a, "sonde.async");
	if (reply_get(span->details, "offcpu_ns"))
		put_int(&a, "sonde.offcpu_ns", reply_u64(span->details, "offcpu_ns"));
	if (*result)
		put_text(&a, "sonde.result", result);
	put_args(&a, span, has_context);
	wire_array_end(w);
	if (a.n > OTLP_MAX_ATTRIBUTES)
		wire_u32(w, &dropped_field, (uint32_t)(a.n - OTLP_MAX_ATTRIBUTES));
}

static void put_exception(struct wire *w, reply_t *exception, uint64_t end_ns)
{
	static const struct wire_field time = WIRE_FIELD(1, "timeUnixNano"),
				       name = WIRE_FIELD(2, "name"),
				       attributes = WIRE_FIELD(3, "attributes");
	struct attributes a = {w, &attributes};
	size_t mark;

	wire_array(w, &events_field);
	mark = wire_element(w, &events_field);
	wire_fixed64(w, &time, end_ns);
	wire_text(w, &name, "exception");
	wire_array(w, &attributes);
	put_text(&a, "exception.type", reply_str(exception, "type"));
	put_text(&a, "exception.message", reply_str(exception, "message"));
	wire_array_end(w);
	wire_close(w, mark);
	wire_array_end(w);
}

static void put_links(struct wire *w, const struct otlp_place *place)
{
	static const struct wire_field trace_id = WIRE_FIELD(1, "traceId"),
				       span_id = WIRE_FIELD(2, "spanId"),
				       attributes = WIRE_FIELD(4, "attributes");

	wire_array(w, &links_field);
	for (size_t i = 0; i < place->n_links; i++) {
		const struct otlp_link *link = &place->links[i];
		struct attributes a = {w, &attributes};
		size_t mark = wire_element(w, &links_field);

		wire_id(w, &trace_id, link->to.trace, OTLP_TRACE_ID);
		wire_id(w, &span_id, link->to.span, OTLP_SPAN_ID);
		wire_array(w, &attributes);
		put_text(&a, "sonde.link", link->kind);
		wire_array_end(w);
		wire_close(w, mark);
	}
	wire_array_end(w);
	if (place->dropped_links)
		wire_u32(w, &dropped_links_field, place->dropped_links);
}

static void put_status(struct wire *w, const struct exported_span *span)
{
	static const struct wire_field message_field = WIRE_FIELD(2, "message"),
				       code_field = WIRE_FIELD(3, "code");
	bool unwound = span->flags & EXPORTED_UNWOUND;
	const char *message = unwound ? reply_str(reply_get(span->details, "exception"), "type")
				      : reply_str(span->details, "result");
	size_t mark;

	if (!unwound && !(span->flags & EXPORTED_ERROR))
		return;
	if (unwound && !*message)
		message = "unwound";
	mark = wire_open(w, &status_field);
	if (*message)
		wire_text(w, &message_field, message);
	wire_u32(w, &code_field, STATUS_ERROR);
	wire_close(w, mark);
}

uint64_t otlp_end_ns(const struct exported_span *span)
{
	uint64_t end;

	return __builtin_add_overflow(span->start_ns, span->duration_ns, &end) ? UINT64_MAX : end;
}

int otlp_span_put(struct wire *w, struct otlp_pieces *pieces, const struct export *x,
		  const struct exported_span *span, const struct otlp_place *place)
{
	static const uint8_t none[OTLP_SPAN_ID];
	reply_t *exception = reply_get(span->details, "exception");
	const uint64_t end_ns = otlp_end_ns(span);
	size_t mark;
	int r = make_pieces(pieces, x->source, w->json);

	if (r < 0)
		return r;
	mark = wire_element(w, &spans_field);
	wire_id(w, &trace_id_field, place->id.trace, OTLP_TRACE_ID);
	wire_id(w, &span_id_field, place->id.span, OTLP_SPAN_ID);
	if (memcmp(place->parent, none, OTLP_SPAN_ID) != 0)
		wire_id(w, &parent_field, place->parent, OTLP_SPAN_ID);
	wire_piece(w, &pieces->names[span->function]);
	wire_u32(w, &kind_field, KIND_INTERNAL);
	wire_fixed64(w, &start_field, span->start_ns);
	wire_fixed64(w, &end_field, end_ns);
	put_attributes(w, pieces, span, place->has_context);
	if (exception)
		put_exception(w, exception, end_ns);
	if (place->n_links)
		put_links(w, place);
	put_status(w, span);
	if (place->flags)
		wire_fixed32(w, &flags_field, place->flags);
	wire_close(w, mark);
	return strbuf_error(w->out);
}

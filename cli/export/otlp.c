/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "otlp.h"

#include "proto_json.h"
#include "sonde/base/table.h"
#include "sonde/base/varint.h"

static int begin(struct export *x, bool json)
{
	struct otlp *o = calloc(1, sizeof(*o));

	x->state = o;
	if (!o)
		return -ENOMEM;
	o->json = json;
	json_begin(&o->w, x->out);
	if (json)
		json_object_begin(&o->w, NULL);
	return 0;
}

static int json_begin_file(struct export *x)
{
	return begin(x, true);
}

static int proto_begin_file(struct export *x)
{
	return begin(x, false);
}

char *otlp_text(struct otlp *o, const char *s)
{
	_cleanup_(strbuf_release) struct strbuf clean = {};

	if (utf8_is_valid(s))
		return arena_text(&o->arena, s);
	utf8_append(&clean, s);
	return strbuf_error(&clean) < 0 ? NULL : arena_text(&o->arena, clean.data);
}

static AnyValue *put(struct otlp *o, struct otlp_attributes *a, const char *key)
{
	KeyValue *kv;

	if (a->n >= OTLP_MAX_ATTRIBUTES) {
		a->dropped++;
		return NULL;
	}
	kv = ARENA_NEW(&o->arena, KeyValue);
	if (!kv)
		return NULL;
	opentelemetry__proto__common__v1__key_value__init(kv);
	kv->key = otlp_text(o, key);
	kv->value = ARENA_NEW(&o->arena, AnyValue);
	if (!kv->key || !kv->value)
		return NULL;
	opentelemetry__proto__common__v1__any_value__init(kv->value);
	a->items[a->n++] = kv;
	return kv->value;
}

void otlp_put_text(struct otlp *o, struct otlp_attributes *a, const char *key, const char *value)
{
	AnyValue *v = put(o, a, key);

	if (!v)
		return;
	v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
	v->string_value = otlp_text(o, value);
	if (!v->string_value)
		v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE__NOT_SET;
}

void otlp_put_int(struct otlp *o, struct otlp_attributes *a, const char *key, uint64_t value)
{
	AnyValue *v = put(o, a, key);

	if (!v)
		return;
	v->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
	v->int_value = (int64_t)MIN(value, (uint64_t)INT64_MAX);
}

KeyValue **otlp_keep(struct otlp *o, const struct otlp_attributes *a)
{
	KeyValue **items = ARENA_ARRAY(&o->arena, KeyValue *, MAX(a->n, 1U));

	return items ? memcpy(items, a->items, a->n * sizeof(*items)) : NULL;
}

Scope *otlp_scope(struct otlp *o)
{
	Scope *s = ARENA_NEW(&o->arena, Scope);

	if (!s)
		return NULL;
	opentelemetry__proto__common__v1__instrumentation_scope__init(s);
	s->name = (char *)OTLP_SCOPE;
	return s;
}

Resource *otlp_resource(struct otlp *o, const struct otlp_process *process)
{
	Resource *r = ARENA_NEW(&o->arena, Resource);
	struct otlp_attributes a = {};

	if (!r)
		return NULL;
	otlp_put_text(o, &a, "service.name", process->comm);
	otlp_put_int(o, &a, "process.pid", process->pid);
	otlp_put_text(o, &a, "process.executable.name", process->comm);
	if (*process->container)
		otlp_put_text(o, &a, "container.id", process->container);
	if (*process->host)
		otlp_put_text(o, &a, "host.name", process->host);
	opentelemetry__proto__resource__v1__resource__init(r);
	r->attributes = otlp_keep(o, &a);
	r->n_attributes = r->attributes ? a.n : 0;
	return r;
}

void otlp_id(uint8_t *id, size_t len, const uint64_t *of, size_t n)
{
	for (uint64_t seed = 1; len; seed++) {
		uint64_t h = hash_bytes(of, n * sizeof(*of), seed);
		size_t part = MIN(len, sizeof(h));

		/* An id of zeros is none. */
		h = h ? h : 1;
		memcpy(id, &h, part);
		id += part;
		len -= part;
	}
}

static void emit_proto(struct strbuf *out, unsigned int number, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t head[1 + VARINT_MAX] = {(uint8_t)(number << 3 | 2)};
	uint8_t *to;

	strbuf_append(out, head, (size_t)(varint_put(head + 1, len) - head));
	to = (uint8_t *)strbuf_extend(out, len);
	if (to)
		protobuf_c_message_pack(message, to);
}

int otlp_emit(struct export *x, unsigned int number, const char *name, bool repeated,
	      const ProtobufCMessage *message)
{
	struct otlp *o = x->state;

	if (o->arena.failed)
		return -ENOMEM;
	if (!o->json) {
		emit_proto(x->out, number, message);
	} else {
		if (o->open && !streq(o->open, name))
			json_array_end(&o->w);
		if (repeated && (!o->open || !streq(o->open, name)))
			json_array_begin(&o->w, name);
		o->open = repeated ? name : NULL;
		proto_json_write(&o->w, repeated ? NULL : name, message);
	}
	arena_reset(&o->arena);
	return export_relieve(x);
}

static int end(struct export *x)
{
	struct otlp *o = x->state;
	int r = o->traces ? otlp_traces_end(x) : 0;

	if (!o->json)
		return r;
	/* Nothing at all is no traces. */
	if (o->open)
		json_array_end(&o->w);
	json_object_end(&o->w);
	strbuf_putc(x->out, '\n');
	return r;
}

static void otlp_free(struct export *x)
{
	struct otlp *o = x->state;

	if (!o)
		return;
	otlp_traces_free(o->traces);
	arena_release(&o->arena);
	free(o);
}

const struct export_format export_otlp = {
	.name = "otlp",
	.extensions = ".otlp.json|.otlp",
	.summary = "OpenTelemetry as JSON: traces of spans, or profiles",
	.carries = EXPORT_SPANS | EXPORT_STACKS,
	.order = ORDER_THREAD,
	.begin = json_begin_file,
	.look = otlp_traces_look,
	.span = otlp_traces_span,
	.stacks = otlp_profiles,
	.end = end,
	.free = otlp_free,
};

const struct export_format export_otlp_proto = {
	.name = "otlp-proto",
	.extensions = ".otlp.pb",
	.summary = "the same as protobuf: TracesData or ProfilesData",
	.carries = EXPORT_SPANS | EXPORT_STACKS,
	.binary = true,
	.order = ORDER_THREAD,
	.begin = proto_begin_file,
	.look = otlp_traces_look,
	.span = otlp_traces_span,
	.stacks = otlp_profiles,
	.end = end,
	.free = otlp_free,
};

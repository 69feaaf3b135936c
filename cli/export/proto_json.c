/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_json.h"

#include <ctype.h>

#include "sonde/base/hex.h"

enum { NAME_MAX_LEN = 64 };

static const char *camel_case(const char *name, char buf[static NAME_MAX_LEN])
{
	size_t n = 0;

	for (; *name && n < NAME_MAX_LEN - 1; name++)
		if (*name != '_')
			buf[n++] = *name;
		else if (name[1] && name++)
			buf[n++] = (char)toupper((unsigned char)*name);
	buf[n] = '\0';
	return buf;
}

static void write_hex(struct json_writer *w, const char *key, const ProtobufCBinaryData *b)
{
	char *to;

	json_raw(w, key, "\"", 1);
	to = strbuf_extend(w->out, 2 * b->len + 1);
	if (!to)
		return;
	hex_encode(b->data, b->len, to);
	to[2 * b->len] = '"';
}

static void write_bytes(struct json_writer *w, const char *key, const char *field,
			const ProtobufCBinaryData *b)
{
	if (strstr(field, "trace_id") || strstr(field, "span_id")) {
		write_hex(w, key, b);
		return;
	}
	json_base64(w, key, b->data, b->len);
}

static void write_int64(struct json_writer *w, const char *key, const void *member, bool is_signed)
{
	uint64_t value = *(const uint64_t *)member;
	bool negative = is_signed && value >> 63;

	json_raw(w, key, negative ? "\"-" : "\"", negative ? 2 : 1);
	strbuf_u64(w->out, negative ? -value : value);
	strbuf_putc(w->out, '"');
}

static void write_value(struct json_writer *w, const char *key,
			const ProtobufCFieldDescriptor *field, const void *member)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		json_i64(w, key, *(const int32_t *)member);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_u64(w, key, *(const uint32_t *)member);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		write_int64(w, key, member, true);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		write_int64(w, key, member, false);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		json_double(w, key, *(const float *)member);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		json_double(w, key, *(const double *)member);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		json_bool(w, key, *(const protobuf_c_boolean *)member);
		break;
	case PROTOBUF_C_TYPE_STRING:
		json_string(w, key, *(const char *const *)member);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		write_bytes(w, key, field->name, member);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		proto_json_write(w, key, *(const ProtobufCMessage *const *)member);
		break;
	}
}

/* How far elements of a repeated field are apart. */
static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

/* Whether a field that says nothing of its presence has another value than its default. */
static bool is_set(const ProtobufCFieldDescriptor *field, const void *member)
{
	static const uint8_t zeros[8];
	const char *text;

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)member;
		return text && *text;
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(const ProtobufCMessage *const *)member != NULL;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)member)->len > 0;
	default:
		return memcmp(member, zeros, size_of(field->type)) != 0;
	}
}

static void write_field(struct json_writer *w, const ProtobufCMessage *message,
			const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message, *member = base + field->offset;
	char name[NAME_MAX_LEN];
	const char *elements;
	size_t n;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		n = *(const size_t *)(const void *)(base + field->quantifier_offset);
		elements = *(const char *const *)(const void *)member;
		if (!n)
			return;
		json_array_begin(w, camel_case(field->name, name));
		for (size_t i = 0; i < n; i++)
			write_value(w, NULL, field, elements + i * size_of(field->type));
		json_array_end(w);
		return;
	}
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		if (*(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id)
			return;
	} else if (!is_set(field, member)) {
		return;
	}
	write_value(w, camel_case(field->name, name), field, member);
}

void proto_json_write(struct json_writer *w, const char *key, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *d = message->descriptor;

	json_object_begin(w, key);
	for (unsigned int i = 0; i < d->n_fields; i++)
		write_field(w, message, &d->fields[i]);
	json_object_end(w);
}

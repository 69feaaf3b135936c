/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes messages of protobuf field by field, as they are on the wire or as the JSON of OTLP (see
 * proto_json.h), by the same calls: for messages of which there are so many that building each as
 * a tree first takes most of the time. Fields that have their default are for the caller to leave
 * out. Elements of a repeated field stand between wire_array() and wire_array_end().
 */
#ifndef SONDE_EXPORT_WIRE_H
#define SONDE_EXPORT_WIRE_H

#include "sonde/base/strbuf.h"

struct wire {
	struct strbuf *out;
	bool json, need_comma;
};

/* A field of a message: its number, and its name as a key of JSON behind another. */
struct wire_field {
	uint32_t number;
	uint32_t key_len;
	const char *key;
};
#define WIRE_FIELD(number, name)                                                                   \
	{                                                                                          \
		number, sizeof(",\"" name "\":") - 1, ",\"" name "\":"                             \
	}

static inline struct wire wire_to(struct strbuf *out, bool json)
{
	return (struct wire){.out = out, .json = json};
}

/* A message as the value of the field, to its wire_close(), which is given what this returns. */
size_t wire_open(struct wire *w, const struct wire_field *f);
/* Likewise, as an element of the field. */
size_t wire_element(struct wire *w, const struct wire_field *f);
void wire_close(struct wire *w, size_t mark);
void wire_array(struct wire *w, const struct wire_field *f);
void wire_array_end(struct wire *w);

/* The id of a trace or a span. */
void wire_id(struct wire *w, const struct wire_field *f, const uint8_t *id, size_t len);
/* Each byte that is not UTF-8 is replaced by U+FFFD. */
void wire_text(struct wire *w, const struct wire_field *f, const char *text);
/* Of type fixed64; fixed32; int64, not negative; uint32 or an enumeration; bool. */
void wire_fixed64(struct wire *w, const struct wire_field *f, uint64_t value);
void wire_fixed32(struct wire *w, const struct wire_field *f, uint32_t value);
void wire_int64(struct wire *w, const struct wire_field *f, uint64_t value);
void wire_u32(struct wire *w, const struct wire_field *f, uint32_t value);
void wire_bool(struct wire *w, const struct wire_field *f, bool value);
/* Whole fields, or elements, that were written in this way elsewhere. */
void wire_piece(struct wire *w, const struct strbuf *piece);

/* Bytes that a message's head takes in front of it: its tag and its length. */
size_t wire_head_size(const struct wire_field *f, size_t len);
/* On the wire only: the head of a message of that length, which follows. */
void wire_head(struct wire *w, const struct wire_field *f, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

#include "sonde/base/hex.h"
#include "sonde/base/json.h"
#include "sonde/base/varint.h"

enum wire_type { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* What stands before a value of JSON. */
static void begin_value(struct wire *w, const struct wire_field *f)
{
	const bool comma = w->need_comma;

	w->need_comma = true;
	if (f)
		strbuf_append(w->out, f->key + !comma, f->key_len - !comma);
	else if (comma)
		strbuf_putc(w->out, ',');
}

static uint8_t *put_tag(uint8_t *to, const struct wire_field *f, enum wire_type type)
{
	return varint_put(to, f->number << 3 | type);
}

static void put_varints(struct wire *w, const struct wire_field *f, enum wire_type type,
			uint64_t value)
{
	uint8_t bytes[2 * VARINT_MAX], *end = varint_put(put_tag(bytes, f, type), value);

	strbuf_append(w->out, bytes, (size_t)(end - bytes));
}

static void put_fixed(struct wire *w, const struct wire_field *f, enum wire_type type,
		      uint64_t value, size_t len)
{
	uint8_t bytes[VARINT_MAX + sizeof(value)], *end = put_tag(bytes, f, type);

	for (size_t i = 0; i < len; i++, value >>= 8)
		*end++ = (uint8_t)value;
	strbuf_append(w->out, bytes, (size_t)(end - bytes));
}

size_t wire_open(struct wire *w, const struct wire_field *f)
{
	uint8_t bytes[VARINT_MAX + 1], *end;

	if (w->json) {
		begin_value(w, f);
		strbuf_putc(w->out, '{');
		w->need_comma = false;
		return 0;
	}
	/* Room for the length of most messages. */
	end = put_tag(bytes, f, BYTES);
	*end++ = 0;
	strbuf_append(w->out, bytes, (size_t)(end - bytes));
	return w->out->len;
}

size_t wire_element(struct wire *w, const struct wire_field *f)
{
	return wire_open(w, w->json ? NULL : f);
}

void wire_close(struct wire *w, size_t mark)
{
	uint8_t bytes[VARINT_MAX];
	size_t len, n;
	char *at;

	if (w->json) {
		strbuf_putc(w->out, '}');
		w->need_comma = true;
		return;
	}
	if (strbuf_error(w->out) < 0)
		return;
	len = w->out->len - mark;
	n = (size_t)(varint_put(bytes, len) - bytes);
	if (n > 1 && !strbuf_extend(w->out, n - 1))
		return;
	at = w->out->data + mark;
	if (n > 1)
		memmove(at + n - 1, at, len);
	memcpy(at - 1, bytes, n);
}

void wire_array(struct wire *w, const struct wire_field *f)
{
	if (!w->json)
		return;
	begin_value(w, f);
	strbuf_putc(w->out, '[');
	w->need_comma = false;
}

void wire_array_end(struct wire *w)
{
	if (!w->json)
		return;
	strbuf_putc(w->out, ']');
	w->need_comma = true;
}

void wire_id(struct wire *w, const struct wire_field *f, const uint8_t *id, size_t len)
{
	char *to;

	if (!w->json) {
		put_varints(w, f, BYTES, len);
		strbuf_append(w->out, id, len);
		return;
	}
	begin_value(w, f);
	to = strbuf_extend(w->out, 2 * len + 2);
	if (!to)
		return;
	*to++ = '"';
	hex_encode(id, len, to);
	to[2 * len] = '"';
}

void wire_text(struct wire *w, const struct wire_field *f, const char *text)
{
	struct json_writer json;
	size_t mark;

	if (w->json) {
		begin_value(w, f);
		json_begin(&json, w->out);
		json_string(&json, NULL, text);
		return;
	}
	mark = wire_open(w, f);
	utf8_append(w->out, text);
	wire_close(w, mark);
}

/* Of 64 bits: a string, as the numbers of JSON are of 53. */
static void put_decimal(struct wire *w, const struct wire_field *f, uint64_t value)
{
	begin_value(w, f);
	strbuf_putc(w->out, '"');
	strbuf_u64(w->out, value);
	strbuf_putc(w->out, '"');
}

void wire_fixed64(struct wire *w, const struct wire_field *f, uint64_t value)
{
	if (w->json)
		put_decimal(w, f, value);
	else
		put_fixed(w, f, FIXED64, value, sizeof(value));
}

void wire_int64(struct wire *w, const struct wire_field *f, uint64_t value)
{
	value = MIN(value, (uint64_t)INT64_MAX);
	if (w->json)
		put_decimal(w, f, value);
	else
		put_varints(w, f, VARINT, value);
}

static void put_number(struct wire *w, const struct wire_field *f, uint32_t value)
{
	begin_value(w, f);
	strbuf_u64(w->out, value);
}

void wire_fixed32(struct wire *w, const struct wire_field *f, uint32_t value)
{
	if (w->json)
		put_number(w, f, value);
	else
		put_fixed(w, f, FIXED32, value, sizeof(value));
}

void wire_u32(struct wire *w, const struct wire_field *f, uint32_t value)
{
	if (w->json)
		put_number(w, f, value);
	else
		put_varints(w, f, VARINT, value);
}

void wire_bool(struct wire *w, const struct wire_field *f, bool value)
{
	if (!w->json) {
		put_varints(w, f, VARINT, value);
		return;
	}
	begin_value(w, f);
	strbuf_puts(w->out, value ? "true" : "false");
}

void wire_piece(struct wire *w, const struct strbuf *piece)
{
	if (!piece->len)
		return;
	if (w->json)
		begin_value(w, NULL);
	strbuf_append(w->out, piece->data, piece->len);
}

size_t wire_head_size(const struct wire_field *f, size_t len)
{
	uint8_t bytes[2 * VARINT_MAX];

	return (size_t)(varint_put(put_tag(bytes, f, BYTES), len) - bytes);
}

void wire_head(struct wire *w, const struct wire_field *f, size_t len)
{
	put_varints(w, f, BYTES, len);
}

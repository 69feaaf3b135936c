/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/python_codes.h"

#include "sonde/base/table.h"
#include "symbol/python_lines.h"

/* A program may make code for ever; what is known of places is only a shortcut. */
enum { MAX_CODES = 1 << 17, MAX_PLACES = 1 << 18, REPLACEMENT = 0xfffd };

struct code {
	uint32_t first_line, name, file; /* string and file of the model */
	uint32_t lines_len;
	uint8_t *lines;
};

struct python_codes {
	struct model *model;
	struct code *items;
	size_t len, cap;
	struct table by_address; /* → index + 1 */
	struct table places;	 /* index and offset → frame of the model */
	uint32_t unknown;	 /* frame */
};

struct python_codes *python_codes_new(struct model *model)
{
	struct python_codes *c = calloc(1, sizeof(*c));

	if (c)
		c->model = model;
	return c;
}

struct python_codes *python_codes_free(struct python_codes *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->len; i++)
		free(c->items[i].lines);
	free(c->items);
	table_release(&c->by_address);
	table_release(&c->places);
	free(c);
	return NULL;
}

static size_t encode(uint32_t ch, char to[static 4])
{
	if (ch == 0 || ch > 0x10ffff || (ch >= 0xd800 && ch < 0xe000))
		ch = REPLACEMENT;
	if (ch < 0x80) {
		to[0] = (char)ch;
		return 1;
	}
	if (ch < 0x800) {
		to[0] = (char)(0xc0 | ch >> 6);
		to[1] = (char)(0x80 | (ch & 63));
		return 2;
	}
	if (ch < 0x10000) {
		to[0] = (char)(0xe0 | ch >> 12);
		to[1] = (char)(0x80 | (ch >> 6 & 63));
		to[2] = (char)(0x80 | (ch & 63));
		return 3;
	}
	to[0] = (char)(0xf0 | ch >> 18);
	to[1] = (char)(0x80 | (ch >> 12 & 63));
	to[2] = (char)(0x80 | (ch >> 6 & 63));
	to[3] = (char)(0x80 | (ch & 63));
	return 4;
}

void python_text(const uint8_t *text, size_t len, uint8_t kind, char *ret, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; kind && i + kind <= len; i += kind) {
		uint32_t ch = 0;
		char bytes[4];
		size_t n;

		memcpy(&ch, text + i, kind); /* little-endian, as all machines with Python frames */
		n = encode(ch, bytes);
		if (used + n >= size)
			break;
		memcpy(ret + used, bytes, n);
		used += n;
	}
	ret[used] = 0;
}

static int fill(struct python_codes *c, const struct record_python_code *r, struct code *ret)
{
	/* Characters of one byte become two at most; wider ones do not grow. */
	char text[2 * RECORD_PYTHON_FILE_LEN + 16];
	struct code code = {.first_line = r->first_line, .lines_len = r->lines_len};

	python_text(r->name, r->name_len, r->name_kind, text, sizeof(text));
	code.name = model_string(c->model, text[0] ? text : "[python]");
	python_text(r->file, r->file_len, r->file_kind, text, sizeof(text));
	code.file = model_file(c->model, NULL, text[0] ? text : "[python]", FILE_PYTHON);
	code.lines = malloc(MAX(r->lines_len, 1));
	if (!code.name || !code.file || !code.lines) {
		free(code.lines);
		return -ENOMEM;
	}
	memcpy(code.lines, r->lines, r->lines_len);
	*ret = code;
	return 0;
}

int python_codes_add(struct python_codes *c, const struct record_python_code *r)
{
	uint32_t *slot;

	if (c->len >= MAX_CODES)
		return -ENOSPC;
	if (array_reserve(&c->items, &c->cap, c->len + 1, sizeof(*c->items)) < 0)
		return -ENOMEM;
	slot = table_put(&c->by_address, r->code, NULL);
	if (!slot)
		return -ENOMEM;
	*slot = 0;
	if (fill(c, r, &c->items[c->len]) < 0)
		return -ENOMEM;
	*slot = (uint32_t)++c->len;
	return 0;
}

static uint32_t unknown_frame(struct python_codes *c)
{
	if (!c->unknown)
		c->unknown = model_named_frame(c->model,
					       model_file(c->model, NULL, "[python]", FILE_PYTHON),
					       0, model_string(c->model, "[python]"));
	return c->unknown;
}

/* 0, no line, when the record had no room for the part of the table that has it. */
static uint32_t find_line(const struct code *code, uint32_t offset)
{
	uint32_t line = 0;

	if (python_lines_find(code->lines, code->lines_len, code->first_line, (int32_t)offset,
			      &line) < 0)
		return 0;
	return line;
}

uint32_t python_codes_frame(struct python_codes *c, uint64_t code, uint32_t offset)
{
	const uint32_t *at = table_get(&c->by_address, code);
	const struct code *item;
	uint32_t *place;
	bool is_new;

	if (!at || !*at)
		return unknown_frame(c);
	item = &c->items[*at - 1];
	if (c->places.len > MAX_PLACES)
		table_clear(&c->places);
	place = table_put(&c->places, (uint64_t)*at << 32 | offset, &is_new);
	if (!place)
		return 0;
	if (is_new || !*place)
		*place = model_named_frame(c->model, item->file, find_line(item, offset),
					   item->name);
	return *place;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A streaming JSON writer for answers that may be long (cJSON is for requests and small answers:
 * it keeps integers as doubles). Commas and nesting are the writer's business; 64-bit integers
 * are written exactly; strings are escaped, invalid UTF-8 is replaced by U+FFFD.
 */
#ifndef SONDE_BASE_JSON_H
#define SONDE_BASE_JSON_H

#include "sonde/base/strbuf.h"

enum { JSON_MAX_DEPTH = 32 };

struct json_writer {
	struct strbuf *out;
	int depth;
	bool need_comma;
};

void json_begin(struct json_writer *w, struct strbuf *out);
void json_object_begin(struct json_writer *w,
		       const char *key); /* key NULL inside arrays and at the top */
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w, const char *key);
void json_array_end(struct json_writer *w);
void json_string(struct json_writer *w, const char *key, const char *value); /* NULL value: null */
void json_stringn(struct json_writer *w, const char *key, const char *value, size_t len);
void json_base64(struct json_writer *w, const char *key, const void *data, size_t len);
void json_u64(struct json_writer *w, const char *key, uint64_t value);
void json_i64(struct json_writer *w, const char *key, int64_t value);
void json_hex(struct json_writer *w, const char *key,
	      uint64_t value); /* "0x…": values that may exceed 2^53 */
void json_double(struct json_writer *w, const char *key,
		 double value); /* NaN and infinities: null */
void json_bool(struct json_writer *w, const char *key, bool value);
/* The members of an object that has been written elsewhere ("{…}"), as if written here. */
void json_members(struct json_writer *w, const struct strbuf *object);
void json_raw(struct json_writer *w, const char *key, const char *text,
	      size_t len); /* already JSON */

/* The length of the valid UTF-8 sequence at s (1 to 4, within len), or 0 when there is none. */
size_t utf8_sequence(const char *s, size_t len);
/* Whether the sequence of that length is a character that terminals obey: a control character of
 * ASCII, or U+0080 to U+009F; or one that ends a line (U+2028, U+2029) or turns round what is shown
 * behind it (U+202A to U+202E, U+2066 to U+2069). */
bool utf8_is_control(const char *s, size_t n);
bool utf8_is_valid(const char *s);
/* Appends s; each byte that is not UTF-8 is replaced by U+FFFD. */
void utf8_append(struct strbuf *out, const char *s);

#endif

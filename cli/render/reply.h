/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to what the daemon answered. Every getter takes NULL and a missing or mistyped member
 * and yields the neutral value ("" or 0): a newer or older daemon never crashes the command.
 * Everything returned is borrowed from the reply.
 */
#ifndef SONDE_RENDER_REPLY_H
#define SONDE_RENDER_REPLY_H

#include "sonde/base/json.h"

struct cJSON;
typedef const struct cJSON reply_t;

const char *reply_str(reply_t *object, const char *key);
uint64_t reply_u64(reply_t *object, const char *key); /* negative or not a number: 0 */
/* NAN: absent, null or not a number. */
double reply_double(reply_t *object, const char *key);
bool reply_bool(reply_t *object, const char *key);
/* A value of 64 bits that travels as "0x…"; false when it is none. */
bool reply_hex(reply_t *object, const char *key, uint64_t *ret);
reply_t *reply_get(reply_t *object, const char *key); /* NULL: absent or null */

/* Elements of an array member, and members of an object, one after another. */
size_t reply_count(reply_t *object, const char *key);
reply_t *reply_first(reply_t *object, const char *key);
reply_t *reply_at(reply_t *object, const char *key, size_t i); /* slow: walks */
reply_t *reply_child(reply_t *object); /* its first member or element; NULL: it has none */
reply_t *reply_next(reply_t *element);
const char *reply_name(reply_t *element); /* of a member of an object */
const char *reply_text(reply_t *element); /* an element that is a string */
uint64_t reply_value(reply_t *element);	  /* an element that is a number */
bool reply_has_text(reply_t *object, const char *key, const char *text); /* array has it */
/* "a, b, c" of an array of strings. */
void reply_join(reply_t *object, const char *key, const char *separator, struct strbuf *out);

#define reply_foreach(e, object, key)                                                              \
	for (reply_t *e = reply_first(object, key); e; e = reply_next(e))

/*
 * Writes an element as JSON under a key (NULL in arrays). A member called rename_from at any level
 * of it is written as rename_to (both may be NULL).
 */
void reply_write(struct json_writer *w, const char *key, reply_t *element, const char *rename_from,
		 const char *rename_to);
/* As reply_write(), but only the members of an object, into the object that is open. */
void reply_write_members(struct json_writer *w, reply_t *object, const char *rename_from,
			 const char *rename_to);

#endif

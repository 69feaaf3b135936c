/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reply.h"

#include <cjson/cJSON.h>
#include <math.h>

reply_t *reply_get(reply_t *object, const char *key)
{
	reply_t *item = object ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;

	return cJSON_IsNull(item) ? NULL : item;
}

const char *reply_text(reply_t *element)
{
	const char *s = cJSON_GetStringValue(element);

	return s ? s : "";
}

uint64_t reply_value(reply_t *element)
{
	double v = cJSON_IsNumber(element) ? element->valuedouble : 0;

	return v >= 0 && v < 18446744073709551616.0 ? (uint64_t)v : 0;
}

const char *reply_str(reply_t *object, const char *key)
{
	return reply_text(reply_get(object, key));
}

uint64_t reply_u64(reply_t *object, const char *key)
{
	return reply_value(reply_get(object, key));
}

double reply_double(reply_t *object, const char *key)
{
	reply_t *item = reply_get(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

bool reply_bool(reply_t *object, const char *key)
{
	return cJSON_IsTrue(reply_get(object, key));
}

bool reply_hex(reply_t *object, const char *key, uint64_t *ret)
{
	const char *s = reply_str(object, key);

	return startswith(s, "0x") && parse_u64(s, ret) == 0;
}

reply_t *reply_first(reply_t *object, const char *key)
{
	reply_t *item = reply_get(object, key);

	return cJSON_IsArray(item) || cJSON_IsObject(item) ? item->child : NULL;
}

reply_t *reply_child(reply_t *object)
{
	return object ? object->child : NULL;
}

reply_t *reply_next(reply_t *element)
{
	return element->next;
}

size_t reply_count(reply_t *object, const char *key)
{
	size_t n = 0;

	reply_foreach(e, object, key) n++;
	return n;
}

reply_t *reply_at(reply_t *object, const char *key, size_t i)
{
	reply_foreach(e, object, key) if (!i--) return e;
	return NULL;
}

const char *reply_name(reply_t *element)
{
	return element->string ? element->string : "";
}

bool reply_has_text(reply_t *object, const char *key, const char *text)
{
	reply_foreach(e, object, key) if (streq(reply_text(e), text)) return true;
	return false;
}

void reply_join(reply_t *object, const char *key, const char *separator, struct strbuf *out)
{
	bool first = true;

	reply_foreach(e, object, key)
	{
		if (!first)
			strbuf_puts(out, separator);
		strbuf_puts(out, reply_text(e));
		first = false;
	}
}

void reply_write_members(struct json_writer *w, reply_t *object, const char *rename_from,
			 const char *rename_to)
{
	if (!object)
		return;
	for (reply_t *e = object->child; e; e = e->next) {
		const char *key = reply_name(e);

		if (rename_from && streq(key, rename_from))
			key = rename_to;
		reply_write(w, key, e, rename_from, rename_to);
	}
}

static void write_number(struct json_writer *w, const char *key, double v)
{
	/* Integers below 2^53 were read exactly, and are written as such. */
	if (v > -9007199254740992.0 && v < 9007199254740992.0 && (double)(int64_t)v == v &&
	    !(v == 0 && signbit(v)))
		json_i64(w, key, (int64_t)v);
	else
		json_double(w, key, v);
}

void reply_write(struct json_writer *w, const char *key, reply_t *element, const char *rename_from,
		 const char *rename_to)
{
	if (cJSON_IsObject(element)) {
		json_object_begin(w, key);
		reply_write_members(w, element, rename_from, rename_to);
		json_object_end(w);
	} else if (cJSON_IsArray(element)) {
		json_array_begin(w, key);
		for (reply_t *e = element->child; e; e = e->next)
			reply_write(w, NULL, e, rename_from, rename_to);
		json_array_end(w);
	} else if (cJSON_IsString(element)) {
		json_string(w, key, element->valuestring);
	} else if (cJSON_IsNumber(element)) {
		write_number(w, key, element->valuedouble);
	} else if (cJSON_IsBool(element)) {
		json_bool(w, key, cJSON_IsTrue(element));
	} else {
		json_string(w, key, NULL);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/message.h"

#include <cjson/cJSON.h>

#include "sonde/base/json.h"

static int bad_message(struct error *e, const char *why, size_t at)
{
	return error_set(e, EBADMSG, "BadArgument", "the message is not Varlink: %s at byte %zu",
			 why, at);
}

/* Checks one string from behind its opening quote on: 0 and *i on the closing one. */
static int scan_string(const char *text, size_t len, size_t *i, struct error *e)
{
	size_t at = *i;

	while (at < len && text[at] != '"') {
		size_t n = utf8_sequence(text + at, len - at);

		if (!n)
			return bad_message(e, "invalid UTF-8", at);
		if ((unsigned char)text[at] < 0x20)
			return bad_message(e, "a control character inside a string", at);
		if (text[at] != '\\') {
			at += n;
			continue;
		}
		/* cJSON makes a NUL of it, so that everyone behind would see half the string. */
		if (len - at >= 6 && memcmp(text + at, "\\u0000", 6) == 0)
			return bad_message(e, "a NUL character inside a string", at);
		at++;
		/* The quoted character may be of several bytes: it is checked as any other. */
		if (at < len && (unsigned char)text[at] < 0x80)
			at++;
	}
	if (at >= len)
		return bad_message(e, "a string without an end", at);
	*i = at;
	return 0;
}

/*
 * What cJSON does not refuse is refused before it sees the text: it nests up to 1000 levels, on the
 * stack, and takes any bytes for a string.
 */
static int scan_message(const char *text, size_t len, struct error *e)
{
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		int r = 0;

		switch (text[i]) {
		case '"':
			i++;
			r = scan_string(text, len, &i, e);
			break;
		case '{':
		case '[':
			if (++depth > MESSAGE_MAX_DEPTH)
				r = bad_message(e, "more than 64 levels of nesting", i);
			break;
		case '}':
		case ']':
			if (depth-- == 0)
				r = bad_message(e, "a bracket that nothing opened", i);
			break;
		case '\t':
		case '\n':
		case '\r':
			break;
		default:
			/* cJSON takes every control character for a space. */
			if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
				r = bad_message(e, "a byte that is not JSON", i);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int message_parse(const char *text, size_t len, struct cJSON **ret, struct error *e)
{
	_cleanup_(message_free_jsonp) cJSON *json = NULL;
	const char *end = NULL;
	int r = scan_message(text, len, e);

	if (r < 0)
		return r;
	/* The NUL counts: cJSON then sees to it that nothing follows the object. */
	json = cJSON_ParseWithLengthOpts(text, len + 1, &end, true);
	if (!json)
		return bad_message(e, "broken JSON", end ? (size_t)(end - text) : 0);
	if (!cJSON_IsObject(json))
		return bad_message(e, "not an object", 0);
	*ret = TAKE_PTR(json);
	return 0;
}

struct cJSON *message_free_json(struct cJSON *json)
{
	cJSON_Delete(json);
	return NULL;
}

static int decode_flag(const cJSON *message, const char *name, bool *ret, struct error *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(message, name);

	if (item && !cJSON_IsNull(item) && !cJSON_IsBool(item))
		return error_set(e, EBADMSG, "BadArgument",
				 "the message is not Varlink: \"%s\" is not a bool", name);
	*ret = cJSON_IsTrue(item);
	return 0;
}

/* A call without parameters gets an empty object, so that nobody has to tell the two apart. */
static int decode_parameters(struct varlink_call *call, struct error *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(call->message, "parameters");

	if (cJSON_IsNull(item)) {
		cJSON_DeleteItemFromObjectCaseSensitive(call->message, "parameters");
		item = NULL;
	}
	if (!item)
		item = cJSON_AddObjectToObject(call->message, "parameters");
	if (!item)
		return -ENOMEM;
	if (!cJSON_IsObject(item))
		return error_set(e, EBADMSG, "BadArgument",
				 "the message is not Varlink: \"parameters\" is not an object");
	call->parameters = item;
	return 0;
}

static int decode_method(struct varlink_call *call, struct error *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(call->message, "method");

	if (!cJSON_IsString(item))
		return error_set(e, EBADMSG, "BadArgument",
				 "the message is not Varlink: \"method\" is %s",
				 item ? "not a string" : "missing");
	call->method = item->valuestring;
	return 0;
}

int varlink_call_decode(const char *text, size_t len, struct varlink_call **ret, struct error *e)
{
	_cleanup_(varlink_call_freep) struct varlink_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	r = message_parse(text, len, &call->message, e);
	if (r < 0)
		return r;
	r = decode_method(call, e);
	if (r < 0)
		return r;
	r = decode_flag(call->message, "more", &call->more, e);
	if (r < 0)
		return r;
	r = decode_flag(call->message, "oneway", &call->oneway, e);
	if (r < 0)
		return r;
	if (call->more && call->oneway)
		return error_set(e, EBADMSG, "BadArgument",
				 "the message is not Varlink: it is both \"more\" and \"oneway\"");
	r = decode_parameters(call, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(call);
	return 0;
}

struct varlink_call *varlink_call_free(struct varlink_call *call)
{
	if (!call)
		return NULL;
	cJSON_Delete(call->message);
	free(call);
	return NULL;
}

void varlink_call_encode(struct strbuf *out, const char *method, const char *parameters,
			 unsigned int flags)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	json_string(&w, "method", method);
	if (parameters)
		json_raw(&w, "parameters", parameters, strlen(parameters));
	if (flags & VARLINK_CALL_MORE)
		json_bool(&w, "more", true);
	if (flags & VARLINK_CALL_ONEWAY)
		json_bool(&w, "oneway", true);
	json_object_end(&w);
	strbuf_putc(out, '\0');
}

void varlink_reply_encode(struct strbuf *out, const char *parameters, size_t len, bool continues)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	json_raw(&w, "parameters", len ? parameters : "{}", len ? len : 2);
	if (continues)
		json_bool(&w, "continues", true);
	json_object_end(&w);
	strbuf_putc(out, '\0');
}

void varlink_error_encode(struct strbuf *out, const char *name, const char *parameters, size_t len)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	json_string(&w, "error", name);
	json_raw(&w, "parameters", len ? parameters : "{}", len ? len : 2);
	json_object_end(&w);
	strbuf_putc(out, '\0');
}

void varlink_error_encode_struct(struct strbuf *out, const char *interface, const struct error *e)
{
	char name[256];
	struct json_writer w;

	snprintf(name, sizeof(name), "%s.%s", interface, e->name[0] ? e->name : "Internal");
	json_begin(&w, out);
	json_object_begin(&w, NULL);
	json_string(&w, "error", name);
	json_object_begin(&w, "parameters");
	json_string(&w, "message", e->message);
	json_string(&w, "fix", e->fix);
	json_object_end(&w);
	json_object_end(&w);
	strbuf_putc(out, '\0');
}

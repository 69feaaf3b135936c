/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yajl calls back for each token; what is known of the place in the file is a depth and the key
 * that was read last on the way to an event and inside it.
 */
#include "json_events.h"

#include <yajl/yajl_parse.h>

#include "number.h"

static const struct {
	const char *parent, *key;
	size_t len;
} fields[] = {
#define FIELD(name, parent, key) {parent, key, sizeof(key) - 1},
#include "json_fields.def"
#undef FIELD
};

enum { DEPTH_MAX = 1000, TEXT_MAX = 1 << 20 };

struct import_json {
	yajl_handle yajl;
	const char *name;
	enum import_json_form form;
	import_event_t event;
	void *arg;
	int r; /* of event(), or -ENOMEM */

	size_t depth;	     /* how many arrays and objects are open */
	size_t events_at;    /* the depth at which events are elements; SIZE_MAX: not there */
	bool is_object;	     /* the outermost value is one */
	bool wanted_next;    /* the key "traceEvents" of it was read last */
	bool other_data;     /* its member of that name is open */
	int64_t *other_next; /* what a key of that was read of last */
	int64_t epoch_us, frequency;
	import_frame_t frame;
	void *frame_arg;
	bool frames_next; /* the key "stackFrames" of the outermost object was read last */
	bool in_frames;	  /* that object is open: its members are events meanwhile */
	struct strbuf id; /* the key of the member that is open, or comes next */
	bool found;	  /* a place for events */
	bool in_event;
	char parent[8]; /* the key whose value is open inside the event, when it is one of ours */
	int field;	/* that the next value is of; -1: none */

	struct strbuf text; /* of this event: values one behind the other */
	struct import_value values[IMPORT_FIELDS];
	size_t at[IMPORT_FIELDS];
	struct import_series series;
	size_t series_at[IMPORT_SERIES_MAX];
	char series_name[IMPORT_SERIES_NAME]; /* of the member of "args" that comes; "": none does
					       */
	uint64_t fed;
	bool failed;
};

static bool is_event_depth(const struct import_json *j)
{
	return j->depth == j->events_at;
}

static void keep(struct import_json *j, enum import_json_kind kind, const char *text, size_t len)
{
	int f = j->field;

	j->field = -1;
	if (!j->in_event || f < 0)
		return;
	/* Of several of a name the last one counts, as for other readers of JSON. */
	len = MIN(len, (size_t)TEXT_MAX);
	j->at[f] = j->text.len;
	j->values[f] = (struct import_value){.kind = kind, .len = len};
	strbuf_append(&j->text, text, len);
	for (size_t i = j->at[f]; i < j->text.len; i++)
		if (!j->text.data[i])
			j->text.data[i] = '?';
	strbuf_append(&j->text, "", 1);
}

static int scalar(struct import_json *j, enum import_json_kind kind, const char *text, size_t len)
{
	j->wanted_next = j->frames_next = false;
	j->other_next = NULL;
	keep(j, kind, text, len);
	return j->r >= 0 && !j->text.failed;
}

/* A number, or what stands for one, that may be a member of "args". */
static void keep_series(struct import_json *j, const char *text, size_t len)
{
	struct import_series *s = &j->series;

	if (!j->series_name[0])
		return;
	if (s->n == IMPORT_SERIES_MAX) {
		s->has_more = true;
	} else {
		memcpy(s->items[s->n].name, j->series_name, sizeof(j->series_name));
		j->series_at[s->n++] = j->text.len;
		strbuf_append(&j->text, text, len);
		strbuf_append(&j->text, "", 1);
	}
}

static bool is_no_number(const char *text, size_t len)
{
	return (len == 3 && (!memcmp(text, "nan", 3) || !memcmp(text, "inf", 3))) ||
	       (len == 4 && !memcmp(text, "-inf", 4));
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	if (is_no_number((const char *)text, len))
		keep_series(arg, (const char *)text, len);
	return scalar(arg, IMPORT_JSON_STRING, (const char *)text, len);
}

static int on_number(void *arg, const char *text, size_t len)
{
	struct import_json *j = arg;

	if (j->other_next && import_number(text, len, 0, j->other_next) < 0)
		*j->other_next = 0;
	keep_series(j, text, len);
	return scalar(arg, IMPORT_JSON_NUMBER, text, len);
}

static int on_null(void *arg)
{
	return scalar(arg, IMPORT_JSON_NONE, "", 0);
}

static int on_boolean(void *arg, int value)
{
	return scalar(arg, value ? IMPORT_JSON_TRUE : IMPORT_JSON_OTHER, "", 0);
}

static int find_field(const char *parent, const char *key, size_t len)
{
	for (int i = 0; i < IMPORT_FIELDS; i++)
		if (fields[i].len == len && !memcmp(fields[i].key, key, len) &&
		    streq(fields[i].parent, parent))
			return i;
	return -1;
}

static bool key_is(const char *key, size_t len, const char *wanted)
{
	return len == strlen(wanted) && !memcmp(key, wanted, len);
}

/* Keys of the object that events are in. */
static void outer_key(struct import_json *j, const char *key, size_t len)
{
	bool top = j->form == IMPORT_JSON_TRACE && j->is_object && j->depth == 1;

	j->wanted_next = top && key_is(key, len, "traceEvents");
	j->frames_next = top && j->frame && key_is(key, len, "stackFrames");
	if (top)
		j->other_data = key_is(key, len, "otherData");
	j->other_next = !j->other_data || j->depth != 2 ? NULL
			: key_is(key, len, "epoch_us")	? &j->epoch_us
			: key_is(key, len, "frequency") ? &j->frequency
							: NULL;
	if (j->in_frames && is_event_depth(j)) {
		strbuf_reset(&j->id);
		strbuf_append(&j->id, key, len);
	}
}

static int on_key(void *arg, const unsigned char *key, size_t len)
{
	struct import_json *j = arg;
	const char *text = (const char *)key;
	size_t name_len = MIN(len, sizeof(j->series_name) - 1);

	j->field = -1;
	j->series_name[0] = '\0';
	if (!j->in_event) {
		outer_key(j, text, len);
		return 1;
	}
	if (j->depth == j->events_at + 1) {
		bool is_parent = key_is(text, len, "args") || key_is(text, len, "id2");

		memcpy(j->parent, text, is_parent ? len : 0);
		j->parent[is_parent ? len : 0] = '\0';
		j->field = find_field("", text, len);
	} else if (j->depth == j->events_at + 2 && j->parent[0]) {
		j->field = find_field(j->parent, text, len);
		if (streq(j->parent, "args")) {
			memcpy(j->series_name, text, name_len);
			j->series_name[name_len] = '\0';
		}
	}
	return 1;
}

static int enter(struct import_json *j)
{
	j->wanted_next = j->frames_next = false;
	j->other_next = NULL;
	j->series_name[0] = '\0';
	keep(j, IMPORT_JSON_OTHER, "", 0);
	j->depth++;
	return j->depth <= DEPTH_MAX;
}

static int on_map_begin(void *arg)
{
	struct import_json *j = arg;

	if (j->depth == 0)
		j->is_object = true;
	if (j->frames_next) {
		j->events_at = j->depth + 1;
		j->in_frames = true;
	} else if (!j->in_event && is_event_depth(j)) {
		j->in_event = true;
		j->found |= !j->in_frames;
		j->parent[0] = '\0';
		j->field = -1;
		strbuf_reset(&j->text);
		memset(j->values, 0, sizeof(j->values));
		j->series.n = 0;
		j->series.has_more = false;
	}
	return enter(j);
}

/* Of any bytes but NUL, as texts are. */
static const char *id_of(struct import_json *j)
{
	for (size_t i = 0; i < j->id.len; i++)
		if (!j->id.data[i])
			j->id.data[i] = '?';
	return j->id.len ? j->id.data : "";
}

static int on_map_end(void *arg)
{
	struct import_json *j = arg;

	j->depth--;
	j->field = -1;
	j->series_name[0] = '\0';
	if (j->in_frames && j->depth + 1 == j->events_at) {
		j->in_frames = false;
		j->events_at = SIZE_MAX;
	}
	if (!j->in_event || !is_event_depth(j))
		return 1;
	j->in_event = false;
	for (int i = 0; i < IMPORT_FIELDS; i++)
		if (j->values[i].kind != IMPORT_JSON_NONE)
			j->values[i].text = j->text.data + j->at[i];
	for (size_t i = 0; i < j->series.n; i++)
		j->series.items[i].text = j->text.data + j->series_at[i];
	if (j->in_frames)
		j->r = j->id.failed ? -ENOMEM : j->frame(j->frame_arg, id_of(j), j->values);
	else
		j->r = j->event(j->arg, j->values, &j->series);
	return j->r >= 0;
}

static int on_array_begin(void *arg)
{
	struct import_json *j = arg;

	if (j->form == IMPORT_JSON_TRACE && !j->in_frames && (j->depth == 0 || j->wanted_next)) {
		j->events_at = j->depth + 1;
		j->found = true;
	}
	return enter(j);
}

static int on_array_end(void *arg)
{
	struct import_json *j = arg;

	/* A second array of that name is as good as the first. */
	if (!j->in_event && !j->in_frames && is_event_depth(j) && j->form == IMPORT_JSON_TRACE)
		j->events_at = SIZE_MAX;
	j->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map_begin,
	.yajl_map_key = on_key,
	.yajl_end_map = on_map_end,
	.yajl_start_array = on_array_begin,
	.yajl_end_array = on_array_end,
};

struct import_json *import_json_new(const char *name, enum import_json_form form,
				    import_event_t event, void *arg)
{
	struct import_json *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	*j = (struct import_json){
		.name = name,
		.form = form,
		.event = event,
		.arg = arg,
		.field = -1,
		.events_at = form == IMPORT_JSON_ROWS ? 0 : SIZE_MAX,
		.yajl = yajl_alloc(&callbacks, NULL, j),
	};
	if (!j->yajl)
		return import_json_free(j);
	/* Names are shown and stored by code that knows what to do with bad UTF-8. */
	yajl_config(j->yajl, yajl_dont_validate_strings, 1);
	if (form == IMPORT_JSON_ROWS)
		yajl_config(j->yajl, yajl_allow_multiple_values, 1);
	return j;
}

struct import_json *import_json_free(struct import_json *j)
{
	if (!j)
		return NULL;
	if (j->yajl)
		yajl_free(j->yajl);
	strbuf_release(&j->text);
	strbuf_release(&j->id);
	free(j);
	return NULL;
}

/* yajl's own words, without the line break and what they begin with. */
static int say_why(struct import_json *j, uint64_t at, struct error *error)
{
	unsigned char *said = yajl_get_error(j->yajl, 0, NULL, 0);
	const char *why = said ? strstr((const char *)said, "error: ") : NULL;
	int r;

	why = why ? why + strlen("error: ") : "not JSON";
	r = error_set(error, EBADMSG, "BadFile", "%s: no valid JSON at byte %llu: %.*s", j->name,
		      (unsigned long long)at, (int)strcspn(why, "\n"), why);
	if (said)
		yajl_free_error(j->yajl, said);
	return r;
}

/* Programs that write a comma behind each event leave one behind the last. */
static bool is_only_the_end(const struct import_json *j, const char *data, size_t len)
{
	const char *ends = j->is_object ? "]}" : "]";

	if (j->in_event || j->in_frames || !is_event_depth(j) || j->form != IMPORT_JSON_TRACE)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (data[i] && strchr(" \t\r\n", data[i]))
			continue;
		if (!*ends || data[i] != *ends++)
			return false;
	}
	return true;
}

int import_json_feed(struct import_json *j, const char *data, size_t len, struct error *error)
{
	yajl_status status;
	size_t consumed;

	if (j->failed)
		return is_only_the_end(j, data, len) ? 0 : say_why(j, j->fed, error);
	/* A byte order mark, as some editors put it first. */
	if (!j->fed && len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3)) {
		j->fed = 3;
		data += 3;
		len -= 3;
	}
	status = yajl_parse(j->yajl, (const unsigned char *)data, len);
	if (j->r < 0)
		return j->r;
	if (strbuf_error(&j->text) < 0)
		return -ENOMEM;
	if (status == yajl_status_ok) {
		j->fed += len;
		return 0;
	}
	consumed = MIN(yajl_get_bytes_consumed(j->yajl), len);
	/* Where it stopped is behind what it did not like. */
	consumed -= consumed > 0;
	if (status == yajl_status_client_canceled)
		return error_set(error, EBADMSG, "BadFile",
				 "%s: more than %d arrays and objects in each other at byte %llu",
				 j->name, DEPTH_MAX, (unsigned long long)(j->fed + consumed));
	j->failed = true;
	j->fed += consumed;
	return is_only_the_end(j, data + consumed, len - consumed) ? 0 : say_why(j, j->fed, error);
}

void import_json_on_frame(struct import_json *j, import_frame_t frame, void *arg)
{
	j->frame = frame;
	j->frame_arg = arg;
}

int64_t import_json_frequency(const struct import_json *j)
{
	return j->frequency;
}

int64_t import_json_epoch(const struct import_json *j)
{
	return j->epoch_us;
}

int import_json_end(struct import_json *j, struct error *error)
{
	yajl_status status;

	if (j->failed)
		return 0;
	status = yajl_complete_parse(j->yajl);
	if (j->r < 0)
		return j->r;
	if (status != yajl_status_ok && (j->in_event || !j->found))
		return error_set(error, EBADMSG, "BadFile",
				 "%s: the file is truncated: it ends in the middle of %s (byte "
				 "%llu)",
				 j->name, j->in_event ? "an event" : "a value",
				 (unsigned long long)j->fed);
	if (!j->found)
		return error_set(error, EBADMSG, "BadFile",
				 "%s: there are no events in it: neither an array nor an object "
				 "with \"traceEvents\"",
				 j->name);
	return 0;
}

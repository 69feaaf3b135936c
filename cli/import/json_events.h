/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of events out of a stream of JSON, one at a time: those of an array, or of the array
 * "traceEvents" of an object, or one behind the other. Of each the members that an event has are
 * kept, as they are written; everything else is passed over. Nothing of the file is kept.
 */
#ifndef SONDE_CLI_IMPORT_JSON_EVENTS_H
#define SONDE_CLI_IMPORT_JSON_EVENTS_H

#include "sonde/base/error.h"
#include "sonde/base/strbuf.h"

enum import_field {
#define FIELD(name, parent, key) FIELD_##name,
#include "json_fields.def"
#undef FIELD
	IMPORT_FIELDS,
};

enum import_json_kind {
	IMPORT_JSON_NONE,
	IMPORT_JSON_STRING,
	IMPORT_JSON_NUMBER,
	IMPORT_JSON_TRUE,
	IMPORT_JSON_OTHER,
};

struct import_value {
	enum import_json_kind kind;
	const char *text; /* NUL-terminated; of strings and numbers */
	size_t len;
};

static inline bool import_is_text(const struct import_value *v)
{
	return v->kind == IMPORT_JSON_STRING || v->kind == IMPORT_JSON_NUMBER;
}

/*
 * The numbers of an event's "args", as they are written, and texts that stand for what JSON has no
 * numbers for: "nan", "inf", "-inf". Names are cut.
 */
enum { IMPORT_SERIES_MAX = 16, IMPORT_SERIES_NAME = 64 };
struct import_series {
	size_t n;
	struct {
		char name[IMPORT_SERIES_NAME];
		const char *text; /* NUL-terminated */
	} items[IMPORT_SERIES_MAX];
	bool has_more; /* than there is room for */
};

enum import_json_form {
	IMPORT_JSON_TRACE, /* an array, or an object with the member "traceEvents" */
	IMPORT_JSON_ROWS,  /* objects without anything between them but white space */
};

typedef int (*import_event_t)(void *arg, const struct import_value values[IMPORT_FIELDS],
			      const struct import_series *series);

/* A member of the object "stackFrames" of a trace: its key, and its members. */
typedef int (*import_frame_t)(void *arg, const char *id,
			      const struct import_value values[IMPORT_FIELDS]);

struct import_json;

/* name: of the file, for messages; borrowed. NULL: out of memory. */
struct import_json *import_json_new(const char *name, enum import_json_form form,
				    import_event_t event, void *arg);
struct import_json *import_json_free(struct import_json *j);
DEFINE_CLEANUP(struct import_json *, import_json_free)

/* Frames are passed over where nobody asks for them. */
void import_json_on_frame(struct import_json *j, import_frame_t frame, void *arg);

/* More text. 0, what event() returned when that is below 0, or -EBADMSG with a BadFile. */
int import_json_feed(struct import_json *j, const char *data, size_t len, struct error *error);
/*
 * The end of the text. That an array is not closed is no error, as many programs leave the end
 * open; that an event is not whole is one. -EBADMSG, too, when there was no place for events.
 */
int import_json_end(struct import_json *j, struct error *error);
/* When times are 0, in microseconds since the epoch: "epoch_us" of the object's "otherData", as
 * sonde writes it; 0 when it is not there. */
int64_t import_json_epoch(const struct import_json *j);
/* Its "frequency": CPU samples a second; 0 when it is not there. */
int64_t import_json_frequency(const struct import_json *j);

#endif

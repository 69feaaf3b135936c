/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OpenTelemetry's protocol as a file: TracesData of spans, ProfilesData of samples, as protobuf or
 * as JSON. Both are one message with a long field, of which each element is made, written and
 * forgotten: a message of protobuf may come in pieces, as the same field again.
 */
#ifndef SONDE_EXPORT_OTLP_H
#define SONDE_EXPORT_OTLP_H

#include "../arena.h"
#include "common.pb-c.h"
#include "formats.h"
#include "resource.pb-c.h"

typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;
typedef Opentelemetry__Proto__Common__V1__InstrumentationScope Scope;
typedef Opentelemetry__Proto__Resource__V1__Resource Resource;

enum { OTLP_MAX_ATTRIBUTES = 24 };
#define OTLP_SCOPE "sonde"

struct otlp_traces;

struct otlp {
	bool json;
	struct json_writer w;
	const char *open;   /* the field whose array is open in JSON; NULL: none yet */
	struct arena arena; /* what is being made */
	struct otlp_traces *traces;
};

/* Attributes that are being collected; what does not fit is counted. */
struct otlp_attributes {
	KeyValue *items[OTLP_MAX_ATTRIBUTES];
	size_t n;
	uint32_t dropped;
};

void otlp_put_text(struct otlp *o, struct otlp_attributes *a, const char *key, const char *value);
void otlp_put_int(struct otlp *o, struct otlp_attributes *a, const char *key, uint64_t value);
/* A copy of the array in the arena. */
KeyValue **otlp_keep(struct otlp *o, const struct otlp_attributes *a);

Scope *otlp_scope(struct otlp *o);
/* A process; container, host: "" for none, not known. */
struct otlp_process {
	uint32_t pid;
	const char *comm, *container, *host;
};
Resource *otlp_resource(struct otlp *o, const struct otlp_process *process);
/* Writes an element of the field of that number and name, and gives up the arena. */
int otlp_emit(struct export *x, unsigned int number, const char *name, bool repeated,
	      const ProtobufCMessage *message);

/* Ids that are the same each time: bytes made of what identifies a thing. */
void otlp_id(uint8_t *id, size_t len, const uint64_t *of, size_t n);

/* Valid UTF-8, in the arena. */
char *otlp_text(struct otlp *o, const char *s);

/* Each span as it comes, and once more in order where x->look_again says so. */
int otlp_traces_look(struct export *x, const struct exported_span *span, bool in_order);
int otlp_traces_span(struct export *x, const struct exported_span *span);
int otlp_traces_end(struct export *x);
struct otlp_traces *otlp_traces_free(struct otlp_traces *t);
int otlp_profiles(struct export *x, reply_t *reply);

#endif

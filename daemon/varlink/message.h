/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Varlink messages (varlink.org): calls are decoded and encoded, replies are encoded. Decoding is
 * for text from strangers: nesting, UTF-8 and every field are checked. Encoders append the message
 * and its final NUL; parameters are given as JSON text that the caller's json_writer made.
 */
#ifndef SONDE_VARLINK_MESSAGE_H
#define SONDE_VARLINK_MESSAGE_H

#include "sonde/base/error.h"
#include "sonde/base/strbuf.h"

struct cJSON;

enum { MESSAGE_MAX_DEPTH = 64 };

struct varlink_call {
	struct cJSON *message;		/* the whole call: everything else points into it */
	const char *method;		/* "io.sonde.Status" */
	const struct cJSON *parameters; /* an object, never NULL */
	bool more, oneway;
};

enum varlink_call_flags {
	VARLINK_CALL_MORE = 1 << 0,
	VARLINK_CALL_ONEWAY = 1 << 1,
};

/*
 * Parses one JSON object of len bytes with text[len] == '\0'; the caller owns it
 * (message_free_json()). -EBADMSG with the reason in e when it is not JSON, not an object, nested
 * too deeply, not UTF-8 or has a NUL inside a string. -ENOMEM.
 */
int message_parse(const char *text, size_t len, struct cJSON **ret, struct error *e);
struct cJSON *message_free_json(struct cJSON *json);
DEFINE_CLEANUP(struct cJSON *, message_free_json)

/* As message_parse(), and checks the fields of a call. The caller owns *ret. */
int varlink_call_decode(const char *text, size_t len, struct varlink_call **ret, struct error *e);
struct varlink_call *varlink_call_free(struct varlink_call *call);
DEFINE_CLEANUP(struct varlink_call *, varlink_call_free)

/* parameters NULL: none are sent. */
void varlink_call_encode(struct strbuf *out, const char *method, const char *parameters,
			 unsigned int flags);
void varlink_reply_encode(struct strbuf *out, const char *parameters, size_t len, bool continues);
/* name is complete: "org.varlink.service.MethodNotFound". */
void varlink_error_encode(struct strbuf *out, const char *name, const char *parameters, size_t len);
/* {"error": "<interface>.<e->name>", "parameters": {"message", "fix"}} */
void varlink_error_encode_struct(struct strbuf *out, const char *interface, const struct error *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to a daemon: the one at the socket, or a private one that lives as long as the
 * connection (for a recording, or where no daemon runs and the verb can do without).
 */
#ifndef SONDE_CLI_CONNECT_H
#define SONDE_CLI_CONNECT_H

#include "options.h"

struct cJSON;
struct connection;

int connection_open(const struct options *o, struct connection **ret, struct error *e);
/* Of one recording, or of two that are to be compared, whatever -i says; second may be NULL. */
int connection_open_files(const struct options *o, const char *file, const char *second,
			  struct connection **ret, struct error *e);
/* A private daemon that writes what it is sent to a recording. */
int connection_open_import(const struct options *o, struct connection **ret, struct error *e);
/* Closes, and waits until a private daemon has ended. */
struct connection *connection_free(struct connection *c);
DEFINE_CLEANUP(struct connection *, connection_free)

/* As varlink_client_call() and so on; method without "io.sonde."; params as JSON text or NULL. */
int connection_call(struct connection *c, const char *method, const char *params,
		    struct cJSON **ret_reply, struct error *e);
int connection_stream(struct connection *c, const char *method, const char *params,
		      struct error *e);
/* The next answer of the stream; timeout as for varlink_client_next(). */
int connection_next(struct connection *c, int timeout_ms, struct cJSON **ret_reply,
		    bool *ret_continues, struct error *e);
/* Calls the method, and each() with every reply of the stream, until one fails. 0, -errno. */
int connection_each(struct connection *c, const char *method, const char *params,
		    int (*each)(void *arg, const struct cJSON *reply, bool last), void *arg,
		    struct error *e);
bool connection_has_message(struct connection *c);
int connection_fd(const struct connection *c);
/* Sends a call beside an open stream, over a second connection; nobody answers it. */
int connection_aside(struct connection *c, const char *method, const char *params, struct error *e);

#endif

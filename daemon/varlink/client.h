/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command's side of a Varlink connection: blocking calls, and streams whose descriptor can be
 * polled beside others. One call at a time. Error replies arrive as struct error: name, message and
 * fix as the daemon gave them.
 */
#ifndef SONDE_VARLINK_CLIENT_H
#define SONDE_VARLINK_CLIENT_H

#include "sonde/base/error.h"

struct cJSON;
struct varlink_client;

enum { VARLINK_MAX_REPLY = 64 * 1024 * 1024 };

/*
 * Connects to an AF_UNIX stream socket. Nobody there: -ENOENT or -ECONNREFUSED with "NoDaemon";
 * -EACCES with "PermissionDenied"; other -errno. The caller owns *ret.
 */
int varlink_client_connect(const char *path, struct varlink_client **ret, struct error *e);
/* Takes over a connected stream socket (on failure it stays the caller's). NULL: out of memory. */
struct varlink_client *varlink_client_from_fd(int fd);
struct varlink_client *varlink_client_free(struct varlink_client *client);
DEFINE_CLEANUP(struct varlink_client *, varlink_client_free)

/*
 * Calls and waits for the answer. params is JSON text or NULL. The reply's parameters (always an
 * object) are the caller's: message_free_json() or cJSON_Delete(). -EREMOTEIO: the daemon answered
 * with an error, which is in e; -EPIPE: the connection is gone; -EBADMSG, -EMSGSIZE: not Varlink;
 * -EBUSY: a stream is not at its end.
 */
int varlink_client_call(struct varlink_client *client, const char *method, const char *params,
			struct cJSON **ret_reply, struct error *e);
/* Sends a call that nobody answers. */
int varlink_client_call_oneway(struct varlink_client *client, const char *method,
			       const char *params, struct error *e);

/* Begins a stream: the answers come from varlink_client_next(). */
int varlink_client_call_more(struct varlink_client *client, const char *method, const char *params,
			     struct error *e);
/*
 * The next answer of the stream, as in varlink_client_call(); timeout in ms, -1 waits for ever, 0
 * takes only what is there. *ret_continues false: it was the last. -ETIMEDOUT (e stays unset): no
 * whole message came in time. -ENODATA: no stream is open. Any other error ends the stream.
 */
int varlink_client_next(struct varlink_client *client, int timeout_ms, struct cJSON **ret_reply,
			bool *ret_continues, struct error *e);
/*
 * Has a whole message been received already? The descriptor does not poll readable for it, so ask
 * before each poll() and take messages until this says no.
 */
bool varlink_client_has_message(struct varlink_client *client);
int varlink_client_fd(const struct varlink_client *client); /* for poll(): stays the client's */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of the server, without its socket: received bytes in, calls out, replies in, bytes
 * to send out. One call is worked on at a time and answered in order; pipelined calls wait. The
 * owner of the socket reads while varlink_peer_wants_input(), and stops making replies of a stream
 * while varlink_peer_congested(), so that neither side can make the daemon grow.
 */
#ifndef SONDE_VARLINK_SERVER_H
#define SONDE_VARLINK_SERVER_H

#include "varlink/message.h"

enum {
	VARLINK_MAX_REQUEST = 1024 * 1024,
	VARLINK_HIGH_WATER = 1024 * 1024,
};

struct varlink_peer;

/* interface: whose errors varlink_peer_reply_error() sends ("io.sonde"). NULL: out of memory. */
struct varlink_peer *varlink_peer_new(const char *interface, size_t max_request, size_t high_water);
struct varlink_peer *varlink_peer_free(struct varlink_peer *peer);
DEFINE_CLEANUP(struct varlink_peer *, varlink_peer_free)

/* Received bytes. 0 or -ENOMEM. */
int varlink_peer_feed(struct varlink_peer *peer, const void *data, size_t len);
bool varlink_peer_wants_input(const struct varlink_peer *peer);

/*
 * The next call: 1 with a call that belongs to the peer and lives until its last reply, 0 when
 * there is none or the last one is not answered yet. What is not Varlink gives -EBADMSG or
 * -EMSGSIZE with the reason in e; an error reply is then queued and the peer is closing: send what
 * is queued, then close. A oneway call too is ended with varlink_peer_reply() or an error.
 */
int varlink_peer_next_call(struct varlink_peer *peer, const struct varlink_call **ret,
			   struct error *e);
/* The call being worked on, or NULL. */
const struct varlink_call *varlink_peer_call(const struct varlink_peer *peer);
bool varlink_peer_closing(const struct varlink_peer *peer);

/*
 * Answers the current call; with continues more replies follow, else the call is over. Nothing is
 * queued for a oneway call. -EPROTO for bugs of the caller: no call to answer, or continues where
 * the call did not ask for more. -ENOMEM: the connection cannot go on and is closing.
 */
int varlink_peer_reply(struct varlink_peer *peer, const char *parameters, size_t len,
		       bool continues);
int varlink_peer_reply_error(struct varlink_peer *peer, const struct error *e);
/* A complete error name and its parameters as JSON text. */
int varlink_peer_reply_named(struct varlink_peer *peer, const char *name, const char *parameters,
			     size_t len);

/* What is to be sent: the data is good until the next reply; varlink_peer_sent() takes it off. */
void varlink_peer_output(const struct varlink_peer *peer, const char **ret_data, size_t *ret_len);
void varlink_peer_sent(struct varlink_peer *peer, size_t len);
size_t varlink_peer_backlog(const struct varlink_peer *peer); /* bytes not sent yet */
bool varlink_peer_congested(const struct varlink_peer *peer); /* backlog at the high-water mark */

#endif

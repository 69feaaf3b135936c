/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of the server: its socket, its calls, its unread output. The protocol itself is
 * varlink/server.h; here are permission, back-pressure and the lifetime of calls (server.h).
 *
 * All on the thread of the event loop. Callbacks (dispatch, gone, writable, closed) are made from
 * the loop only, never from inside call_reply() or call_fail().
 */
#ifndef SONDE_CONTROL_PEER_H
#define SONDE_CONTROL_PEER_H

#include "control/server.h"
#include "varlink/service.h"

enum {
	/* What a peer may leave unread before it is disconnected. */
	PEER_MAX_BACKLOG = 64 * 1024 * 1024,
	/* Below it, a handler of a long answer is asked for more. */
	PEER_LOW_WATER = VARLINK_HIGH_WATER / 4,
};

struct peer;

/* What all connections share; it belongs to the server and outlives them. */
struct peer_context {
	sd_event *event;
	const struct varlink_service *service;
	dispatch_t dispatch;
	void *dispatch_arg;
	/* The connection is over: frees the peer, which touches nothing afterwards. */
	void (*closed)(void *arg, struct peer *peer);
	void *closed_arg;
};

/* Takes over fd, a connected non-blocking stream socket; on failure it stays the caller's. */
int peer_new(const struct peer_context *context, int fd, uint32_t uid, bool allowed,
	     struct peer **ret);
/*
 * Sends what the socket takes without waiting, and closes. Calls that handlers still hold stay
 * valid and are gone; their gone() does not run.
 */
struct peer *peer_free(struct peer *p);
DEFINE_CLEANUP(struct peer *, peer_free)

/* May it call the interface's methods? */
bool peer_allowed(const struct peer *p);

#endif

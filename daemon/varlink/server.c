/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/server.h"

#include "varlink/frame.h"

/* An emptied output queue above this size is given back. */
enum { OUTPUT_KEEP = 256 * 1024 };

struct varlink_peer {
	char *interface;
	struct frame_buffer *input;
	struct strbuf output;
	size_t sent; /* bytes of output that are gone already */
	size_t max_request, high_water;
	struct varlink_call *call;
	bool closing;
};

struct varlink_peer *varlink_peer_new(const char *interface, size_t max_request, size_t high_water)
{
	_cleanup_(varlink_peer_freep) struct varlink_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->interface = strdup(interface);
	peer->input = frame_new(max_request);
	if (!peer->interface || !peer->input)
		return NULL;
	peer->max_request = max_request;
	peer->high_water = high_water;
	return TAKE_PTR(peer);
}

struct varlink_peer *varlink_peer_free(struct varlink_peer *peer)
{
	if (!peer)
		return NULL;
	varlink_call_free(peer->call);
	frame_free(peer->input);
	strbuf_release(&peer->output);
	free(peer->interface);
	free(peer);
	return NULL;
}

int varlink_peer_feed(struct varlink_peer *peer, const void *data, size_t len)
{
	if (peer->closing)
		return 0;
	return frame_feed(peer->input, data, len);
}

/* A peer that does not wait for answers is read no further than one request ahead. */
bool varlink_peer_wants_input(const struct varlink_peer *peer)
{
	bool busy = peer->call || varlink_peer_congested(peer);

	return !peer->closing && !(busy && frame_pending(peer->input) >= peer->max_request);
}

/* A reply that could not be queued whole must not be followed by another one. */
static int output_result(struct varlink_peer *peer)
{
	if (strbuf_error(&peer->output) == 0)
		return 0;
	strbuf_release(&peer->output);
	peer->sent = 0;
	peer->closing = true;
	return -ENOMEM;
}

static int refuse(struct varlink_peer *peer, int code, const struct error *why)
{
	peer->closing = true;
	varlink_error_encode_struct(&peer->output, peer->interface, why);
	if (output_result(peer) < 0)
		return -ENOMEM;
	return code;
}

int varlink_peer_next_call(struct varlink_peer *peer, const struct varlink_call **ret,
			   struct error *e)
{
	struct error why = {};
	const char *text;
	size_t len;
	int r;

	if (peer->call || peer->closing)
		return 0;
	r = frame_next(peer->input, &text, &len);
	if (r == 0)
		return 0;
	if (r == -EMSGSIZE)
		error_set(&why, EMSGSIZE, "BadArgument",
			  "the message is longer than %zu bytes, the most the daemon takes",
			  peer->max_request);
	else
		r = varlink_call_decode(text, len, &peer->call, &why);
	if (r < 0) {
		if (!why.name[0])
			error_set(&why, -r, "Internal", "the daemon is out of memory");
		error_set(e, -r, why.name, "%s", why.message);
		return refuse(peer, r, &why);
	}
	*ret = peer->call;
	return 1;
}

const struct varlink_call *varlink_peer_call(const struct varlink_peer *peer)
{
	return peer->call;
}

bool varlink_peer_closing(const struct varlink_peer *peer)
{
	return peer->closing;
}

static void end_call(struct varlink_peer *peer)
{
	peer->call = varlink_call_free(peer->call);
}

int varlink_peer_reply(struct varlink_peer *peer, const char *parameters, size_t len,
		       bool continues)
{
	if (!peer->call || peer->closing || (continues && !peer->call->more))
		return -EPROTO;
	if (!peer->call->oneway)
		varlink_reply_encode(&peer->output, parameters, len, continues);
	if (!continues)
		end_call(peer);
	return output_result(peer);
}

int varlink_peer_reply_error(struct varlink_peer *peer, const struct error *e)
{
	if (!peer->call || peer->closing)
		return -EPROTO;
	if (!peer->call->oneway)
		varlink_error_encode_struct(&peer->output, peer->interface, e);
	end_call(peer);
	return output_result(peer);
}

int varlink_peer_reply_named(struct varlink_peer *peer, const char *name, const char *parameters,
			     size_t len)
{
	if (!peer->call || peer->closing)
		return -EPROTO;
	if (!peer->call->oneway)
		varlink_error_encode(&peer->output, name, parameters, len);
	end_call(peer);
	return output_result(peer);
}

void varlink_peer_output(const struct varlink_peer *peer, const char **ret_data, size_t *ret_len)
{
	*ret_len = varlink_peer_backlog(peer);
	*ret_data = *ret_len ? peer->output.data + peer->sent : "";
}

/* What is gone is dropped when it is at least half, so that a slow reader costs no quadratic copy.
 */
void varlink_peer_sent(struct varlink_peer *peer, size_t len)
{
	peer->sent += MIN(len, varlink_peer_backlog(peer));
	if (peer->sent < varlink_peer_backlog(peer))
		return;
	if (peer->sent == peer->output.len && peer->output.cap > OUTPUT_KEEP)
		strbuf_release(&peer->output);
	else
		strbuf_consume(&peer->output, peer->sent);
	peer->sent = 0;
}

size_t varlink_peer_backlog(const struct varlink_peer *peer)
{
	return peer->output.len - peer->sent;
}

bool varlink_peer_congested(const struct varlink_peer *peer)
{
	return varlink_peer_backlog(peer) >= peer->high_water;
}

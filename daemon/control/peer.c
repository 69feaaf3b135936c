/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/peer.h"

#include <sys/socket.h>

#include "control/interface.h"
#include "sonde/base/log.h"
#include "varlink/client.h"

enum {
	READ_CHUNK = 64 * 1024,
	/* Calls answered before other events have their turn. */
	CALLS_AT_ONCE = 32,
	/* A reply is sent at once when so much waits: a stream then sees its true backlog. */
	FLUSH_AT = 256 * 1024,
	/* Room for what surrounds the parameters of a reply. */
	REPLY_OVERHEAD = 256,
};

struct peer {
	const struct peer_context *context;
	int fd;
	uint32_t uid;
	bool allowed;
	struct varlink_peer *varlink;
	sd_event_source *io, *work;
	struct call *calls;   /* all that somebody holds, answered or not */
	struct call *current; /* the one being answered */
	bool more_calls;  /* whole calls may be waiting in the input: nothing is read until then */
	bool input_ended; /* the peer sends nothing more, but may still read */
	bool hung_up;	  /* the peer has closed */
	bool broken;	  /* nothing can be sent any more: to be closed by the loop */
};

struct call {
	unsigned int refs;
	struct peer *peer; /* NULL once the connection is closed */
	struct call *previous, *next;
	char *method;
	cJSON *params;
	uint32_t uid;
	bool more, ended;
	bool writable_due; /* writable() runs at the next chance */
	void (*gone)(void *arg);
	void *gone_arg;
	void (*writable)(void *arg);
	void *writable_arg;
	void *data;
	void (*free_data)(void *data);
};

static void schedule(struct peer *p)
{
	if (p->work)
		sd_event_source_set_enabled(p->work, SD_EVENT_ONESHOT);
}

/* Sends until the socket is full. */
static void flush(struct peer *p)
{
	const char *data;
	size_t len;

	for (varlink_peer_output(p->varlink, &data, &len); len && !p->broken;
	     varlink_peer_output(p->varlink, &data, &len)) {
		ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			varlink_peer_sent(p->varlink, n);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			p->broken = true;
	}
}

static void check_backlog(struct peer *p)
{
	size_t backlog = varlink_peer_backlog(p->varlink);

	if (backlog >= FLUSH_AT) {
		flush(p);
		backlog = varlink_peer_backlog(p->varlink);
	}
	if (backlog > PEER_MAX_BACKLOG && !p->broken) {
		log_warn("disconnected a peer of uid %u that has left %zu MiB of answers unread",
			 p->uid, backlog >> 20);
		p->broken = true;
	}
	schedule(p);
}

static int call_new(struct peer *p, const char *method, struct call **ret)
{
	const struct varlink_call *from = varlink_peer_call(p->varlink);
	_cleanup_(call_unrefp) struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->ended = true; /* until it is complete */
	c->method = strdup(method);
	/* The original lives until the last reply only, a call until its last reference. */
	c->params = cJSON_Duplicate(from->parameters, true);
	if (!c->method || !c->params)
		return -ENOMEM;
	c->uid = p->uid;
	c->more = from->more;
	c->ended = false;
	c->peer = p;
	c->next = p->calls;
	if (c->next)
		c->next->previous = c;
	p->calls = c;
	p->current = c;
	*ret = TAKE_PTR(c);
	return 0;
}

static void unlink_call(struct call *c)
{
	struct peer *p = c->peer;

	if (!p)
		return;
	if (c->previous)
		c->previous->next = c->next;
	else
		p->calls = c->next;
	if (c->next)
		c->next->previous = c->previous;
	if (p->current == c)
		p->current = NULL;
	c->previous = c->next = NULL;
	c->peer = NULL;
}

const char *call_method(const struct call *c)
{
	return c->method;
}

const cJSON *call_params(const struct call *c)
{
	return c->params;
}

bool call_more(const struct call *c)
{
	return c->more;
}

uint32_t call_uid(const struct call *c)
{
	return c->uid;
}

struct call *call_ref(struct call *c)
{
	c->refs++;
	return c;
}

void call_set_data(struct call *c, void *data, void (*free_data)(void *data))
{
	if (c->data && c->free_data)
		c->free_data(c->data);
	c->data = data;
	c->free_data = free_data;
}

void *call_data(const struct call *c)
{
	return c->data;
}

struct call *call_unref(struct call *c)
{
	struct error forgotten = {};

	if (!c || --c->refs)
		return NULL;
	/* A handler that dropped its call: the peer must not wait for ever. */
	if (!c->ended) {
		error_set(&forgotten, EPROTO, "Internal", "the daemon gave no answer to %s",
			  c->method);
		call_fail(c, &forgotten);
	}
	unlink_call(c);
	call_set_data(c, NULL, NULL);
	cJSON_Delete(c->params);
	free(c->method);
	free(c);
	return NULL;
}

/* The connection a reply goes to, or NULL when there is none to be sent. */
static struct peer *reply_to(struct call *c, bool continues)
{
	struct peer *p = c->peer;

	if (c->ended) {
		log_error("bug: a second answer to %s", c->method);
		return NULL;
	}
	c->ended = !continues;
	if (!p)
		return NULL;
	if (c->ended) {
		p->current = NULL;
		p->more_calls = true;
	}
	c->writable_due = c->writable && continues;
	return p;
}

static void fail_call(struct peer *p, const struct error *error)
{
	/* Out of memory closes the connection by itself: the loop sees that. */
	(void)varlink_peer_reply_error(p->varlink, error);
	check_backlog(p);
}

void call_fail(struct call *c, const struct error *error)
{
	struct peer *p = reply_to(c, false);

	if (p)
		fail_call(p, error);
}

/* Replies that cannot be sent as they are; false when there is nothing against this one. */
static bool refuse_reply(const struct call *c, const struct strbuf *parameters, bool continues,
			 struct error *error)
{
	if (parameters && strbuf_error(parameters) < 0) {
		error_set(error, ENOMEM, "Internal", "the daemon is out of memory");
	} else if (parameters && parameters->len > VARLINK_MAX_REPLY - REPLY_OVERHEAD) {
		error_set(error, EMSGSIZE, "TooMany", "the answer to %s has %zu MiB, more than %d",
			  c->method, parameters->len >> 20, VARLINK_MAX_REPLY >> 20);
		error_fix(error, "ask for less: by process, or with a limit");
	} else if (continues && !c->more) {
		error_set(error, EPROTO, "BadArgument", "%s has more than one answer", c->method);
		error_fix(error, "set \"more\" in the call");
	} else {
		return false;
	}
	return true;
}

void call_reply(struct call *c, const struct strbuf *parameters, bool continues)
{
	struct error error = {};
	bool refused = !c->ended && refuse_reply(c, parameters, continues, &error);
	struct peer *p = reply_to(c, continues && !refused);

	if (!p)
		return;
	if (refused) {
		fail_call(p, &error);
		return;
	}
	(void)varlink_peer_reply(p->varlink, parameters ? parameters->data : NULL,
				 parameters ? parameters->len : 0, continues);
	check_backlog(p);
}

size_t call_backlog(const struct call *c)
{
	return c->peer ? varlink_peer_backlog(c->peer->varlink) : 0;
}

bool call_gone(const struct call *c)
{
	return !c->peer || c->peer->broken || c->peer->hung_up;
}

void call_on_gone(struct call *c, void (*gone)(void *arg), void *arg)
{
	c->gone = gone;
	c->gone_arg = arg;
}

void call_on_writable(struct call *c, void (*writable)(void *arg), void *arg)
{
	c->writable = writable;
	c->writable_arg = arg;
	c->writable_due = writable && !c->ended;
	if (c->writable_due && c->peer)
		schedule(c->peer);
}

/* Ends all calls: what their handlers do about it may free some of the others. */
static void tell_gone(struct peer *p)
{
	while (p->calls) {
		struct call *c = call_ref(p->calls);

		unlink_call(c);
		if (c->gone) {
			void (*gone)(void *arg) = TAKE_PTR(c->gone);

			gone(c->gone_arg);
		}
		call_unref(c);
	}
}

static bool answers_everybody(const char *method)
{
	return startswith(method, "org.varlink.service.");
}

static void deny(struct peer *p)
{
	struct error error = {};

	error_set(&error, EACCES, "PermissionDenied",
		  "user %u may not use sonde: it shows what every process on this machine does",
		  p->uid);
	error_fix(&error, "run the command as root, with sudo");
	log_debug("refused a call of uid %u", p->uid);
	fail_call(p, &error);
}

static int handle_call(struct peer *p)
{
	const char *method;
	struct call *c;
	int r;

	if (!p->allowed && !answers_everybody(varlink_peer_call(p->varlink)->method)) {
		deny(p);
		return 0;
	}
	r = varlink_service_handle(p->context->service, p->varlink, &method);
	if (r > 0)
		check_backlog(p);
	if (r != 0)
		return MIN(r, 0);
	r = call_new(p, method, &c);
	if (r < 0)
		return r;
	log_debug("uid %u calls %s", p->uid, method);
	p->context->dispatch(p->context->dispatch_arg, c);
	return 0;
}

/* True when there was a call, so that another one may follow. */
static bool handle_next_call(struct peer *p)
{
	const struct varlink_call *call;
	struct error why = {};
	int r = varlink_peer_next_call(p->varlink, &call, &why);

	if (r < 0)
		log_debug("closing a connection of uid %u: %s", p->uid, why.message);
	if (r <= 0)
		return false;
	if (handle_call(p) < 0)
		p->broken = true;
	return true;
}

/*
 * Takes calls out of the input until one stays unanswered, or the peer does not read. Other events
 * have their turn in between.
 */
static void handle_calls(struct peer *p)
{
	p->more_calls = true;
	for (int i = 0; i < CALLS_AT_ONCE; i++) {
		if (p->broken || varlink_peer_congested(p->varlink))
			return;
		if (!handle_next_call(p)) {
			p->more_calls = false;
			return;
		}
	}
}

static void tell_writable(struct peer *p)
{
	struct call *c = p->current;

	if (!c || !c->writable_due || p->broken ||
	    varlink_peer_backlog(p->varlink) >= PEER_LOW_WATER)
		return;
	c->writable_due = false;
	c->writable(c->writable_arg);
}

static bool is_over(const struct peer *p)
{
	if (p->broken)
		return true;
	if (p->hung_up)
		return !p->more_calls;
	if (varlink_peer_backlog(p->varlink))
		return false;
	if (varlink_peer_closing(p->varlink))
		return true;
	/* A peer that has only stopped sending gets the answers to what it has asked. */
	return p->input_ended && !p->more_calls && !varlink_peer_call(p->varlink);
}

static void close_peer(struct peer *p)
{
	p->broken = true;
	tell_gone(p);
	p->context->closed(p->context->closed_arg, p);
}

/* All that can be done now; the peer may be freed afterwards. */
static void work(struct peer *p)
{
	uint32_t events = 0;

	flush(p);
	handle_calls(p);
	flush(p);
	tell_writable(p);
	if (is_over(p)) {
		close_peer(p);
		return;
	}
	if (p->more_calls && !varlink_peer_congested(p->varlink))
		schedule(p);
	if (!p->input_ended && !p->more_calls && varlink_peer_wants_input(p->varlink))
		events |= EPOLLIN;
	if (varlink_peer_backlog(p->varlink))
		events |= EPOLLOUT;
	sd_event_source_set_io_events(p->io, events);
}

static void receive(struct peer *p)
{
	char chunk[READ_CHUNK];
	ssize_t n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n > 0) {
		if (varlink_peer_feed(p->varlink, chunk, n) < 0)
			p->broken = true;
	} else if (n == 0) {
		p->input_ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		p->input_ended = true;
		p->hung_up = true;
	}
}

/*
 * A hang-up with calls still to be read: they are taken first, as they may be of the kind that
 * wants no answer. It is over when there are no more, or when one would have to wait.
 */
static int on_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct peer *p = arg;
	bool reads = !p->input_ended && !p->more_calls && varlink_peer_wants_input(p->varlink);

	(void)source, (void)fd;
	if (reads)
		receive(p);
	if (revents & (EPOLLHUP | EPOLLERR))
		p->hung_up = p->hung_up || p->input_ended || varlink_peer_call(p->varlink) ||
			     (!reads && !p->more_calls);
	work(p);
	return 0;
}

static int on_work(sd_event_source *source, void *arg)
{
	(void)source;
	work(arg);
	return 0;
}

int peer_new(const struct peer_context *context, int fd, uint32_t uid, bool allowed,
	     struct peer **ret)
{
	_cleanup_(peer_freep) struct peer *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->context = context;
	p->fd = -EBADF;
	p->uid = uid;
	p->allowed = allowed;
	p->varlink = varlink_peer_new(SONDE_INTERFACE, VARLINK_MAX_REQUEST, VARLINK_HIGH_WATER);
	if (!p->varlink)
		return -ENOMEM;
	r = sd_event_add_io(context->event, &p->io, fd, EPOLLIN, on_io, p);
	if (r < 0)
		return r;
	r = sd_event_add_defer(context->event, &p->work, on_work, p);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(p->work, SD_EVENT_OFF);
	if (r < 0)
		return r;
	p->fd = fd;
	*ret = TAKE_PTR(p);
	return 0;
}

struct peer *peer_free(struct peer *p)
{
	if (!p)
		return NULL;
	while (p->calls)
		unlink_call(p->calls);
	if (p->fd >= 0 && !p->broken)
		flush(p);
	sd_event_source_disable_unref(p->work);
	sd_event_source_disable_unref(p->io);
	varlink_peer_free(p->varlink);
	safe_close(p->fd);
	free(p);
	return NULL;
}

bool peer_allowed(const struct peer *p)
{
	return p->allowed;
}

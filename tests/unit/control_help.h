/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server of which the tests turn the loop themselves, in one thread, and the client's side of its
 * connections on bare sockets.
 */
#ifndef SONDE_TESTS_CONTROL_HELP_H
#define SONDE_TESTS_CONTROL_HELP_H

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/server.h"
#include "varlink/server.h"

/* A server and what its handlers have seen. */
struct world {
	sd_event *event;
	struct server *server;
	char dir[64], path[96];
	struct call *held; /* calls of Status are kept */
	size_t calls, gone, idle, writable;
	size_t to_send; /* replies that Trace still has to give */
	struct strbuf payload;
};

static inline void on_gone(void *arg)
{
	struct world *w = arg;

	w->gone++;
	cr_assert(call_gone(w->held));
}

static inline void on_idle(void *arg)
{
	struct world *w = arg;

	w->idle++;
}

/* Fills up to the high-water mark; the rest when there is room again. */
static inline void on_writable(void *arg)
{
	struct world *w = arg;

	w->writable++;
	while (w->to_send && call_backlog(w->held) < VARLINK_HIGH_WATER)
		call_reply(w->held, &w->payload, --w->to_send > 0);
}

static inline void dispatch(void *arg, struct call *call)
{
	static const char sessions[] = "{\"sessions\":[]}";
	_cleanup_(call_unrefp) struct call *owned = call;
	struct world *w = arg;
	struct strbuf reply = {.data = (char *)sessions, .len = sizeof(sessions) - 1};
	struct error error = {};

	w->calls++;
	if (streq(call_method(call), "List")) {
		call_reply(call, &reply, false);
	} else if (streq(call_method(call), "Detach")) {
		error_set(&error, ENOENT, "NoSuchSession", "no session is called %s",
			  cJSON_GetStringValue(
				  cJSON_GetObjectItemCaseSensitive(call_params(call), "name")));
		call_fail(call, &error);
	} else if (streq(call_method(call), "Status")) {
		w->held = call_ref(call);
		call_on_gone(call, on_gone, w);
	} else if (streq(call_method(call), "Trace")) {
		w->held = call_ref(call);
		call_on_writable(call, on_writable, w);
	}
	/* Doctor is forgotten. */
}

static inline void world_begin(struct world *w)
{
	struct error e = {};

	*w = (struct world){.dir = "/tmp/sonde-control-XXXXXX"};
	cr_assert(mkdtemp(w->dir));
	cr_assert_eq(chmod(w->dir, 0755), 0);
	snprintf(w->path, sizeof(w->path), "%s/sub/sonde.sock", w->dir);
	cr_assert_geq(sd_event_new(&w->event), 0);
	cr_assert_eq(server_new(w->event, dispatch, w, &w->server), 0);
	server_on_idle(w->server, on_idle, w);
	cr_assert_eq(server_listen(w->server, w->path, &e), 0, "%s", e.message);
}

static inline void world_end(struct world *w)
{
	char command[128];

	call_unref(w->held);
	server_free(w->server);
	sd_event_unref(w->event);
	strbuf_release(&w->payload);
	cr_assert_eq(access(w->path, F_OK), -1, "the socket file stays behind");
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	cr_assert_eq(system(command), 0);
}

static inline void spin(struct world *w)
{
	for (int quiet = 0; quiet < 3;)
		quiet = sd_event_run(w->event, 2000) > 0 ? 0 : quiet + 1;
}

static inline int dial(struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%m");
	return fd;
}

/* Sends everything, turning the loop when the socket is full; false: the server has closed. */
static inline bool send_all(struct world *w, int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			len -= n;
		} else if (errno == EAGAIN) {
			sd_event_run(w->event, 1000);
		} else {
			return false;
		}
	}
	return true;
}

static inline void say(struct world *w, int fd, const char *text)
{
	cr_assert(send_all(w, fd, text, strlen(text) + 1));
}

/* The next message, without its NUL; NULL at the end of the connection or after a second. */
static inline char *hear(struct world *w, int fd, struct strbuf *in)
{
	char chunk[65536];

	for (int i = 0; i < 1000; i++) {
		char *end = in->len ? memchr(in->data, 0, in->len) : NULL;
		ssize_t n;

		if (end) {
			char *text = strdup(in->data);

			strbuf_consume(in, end - in->data + 1);
			return text;
		}
		sd_event_run(w->event, 0);
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n > 0)
			strbuf_append(in, chunk, n);
		else if (n == 0 || errno != EAGAIN)
			return NULL;
		else
			sd_event_run(w->event, 1000);
	}
	return NULL;
}

static inline void expect(struct world *w, int fd, const char *part)
{
	_cleanup_(strbuf_release) struct strbuf in = {};
	_cleanup_(freep) char *text = hear(w, fd, &in);

	cr_assert(text, "no answer where %s is expected", part);
	cr_assert(strstr(text, part), "%s is not in %s", part, text);
	cr_assert_eq(in.len, 0, "more than one answer");
}

static inline void expect_closed(struct world *w, int fd)
{
	char byte;
	ssize_t n;

	spin(w);
	n = recv(fd, &byte, 1, MSG_DONTWAIT);
	cr_assert_leq(n, 0, "there is more to be read");
	cr_assert(n == 0 || errno != EAGAIN, "the connection is still open");
	close(fd);
}

#endif

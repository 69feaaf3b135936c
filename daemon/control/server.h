/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Varlink server on sd-event: listens, checks peers by SO_PEERCRED, reads calls, queues
 * replies with back-pressure. It knows no method: each call is checked against the interface
 * (varlink/idl.h) and handed to the dispatcher as a struct call. A slow or stalled reader costs
 * its own connection at most, never collection.
 */
#ifndef SONDE_CONTROL_SERVER_H
#define SONDE_CONTROL_SERVER_H

#include <cjson/cJSON.h>
#include <systemd/sd-event.h>
#include "sonde/base/error.h"
#include "sonde/base/strbuf.h"

struct server;
struct call;

/*
 * Answers a call now or later: it owns one reference of the call, ends it with call_reply()
 * without continues or call_fail(), and gives the reference up with call_unref().
 */
typedef void (*dispatch_t)(void *arg, struct call *call);

int server_new(sd_event *event, dispatch_t dispatch, void *arg, struct server **ret);
struct server *server_free(struct server *s);
DEFINE_CLEANUP(struct server *, server_free)

/*
 * Listens on a path (mode 0666: the peer's uid decides, not the file's mode). Another daemon that
 * answers there is an error that says so; a stale socket file is replaced. Directories are made.
 */
int server_listen(struct server *s, const char *path, struct error *error);
/* A listening descriptor from socket activation. */
int server_listen_fd(struct server *s, int fd);
/* A connected private descriptor: trusted, whoever holds its other end started this process. */
int server_add_connection(struct server *s, int fd);
/* Connections open now. The callback runs when the last one has closed (a private daemon ends
 * then). */
size_t server_connections(const struct server *s);
void server_on_idle(struct server *s, void (*idle)(void *arg), void *arg);

/* What a handler sees of a call. A call stays valid, even when its peer has gone, until unref. */
const char *call_method(const struct call *c); /* without "io.sonde." */
const cJSON *
call_params(const struct call *c); /* an object; already checked against the interface */
bool call_more(const struct call *c);
uint32_t call_uid(const struct call *c);
struct call *call_ref(struct call *c);
struct call *call_unref(struct call *c);
DEFINE_CLEANUP(struct call *, call_unref)

/* parameters: a JSON object as text. With continues the call stays open for more replies. */
void call_reply(struct call *c, const struct strbuf *parameters, bool continues);
/* Sends the error as io.sonde.NAME {message, fix} and ends the call. */
void call_fail(struct call *c, const struct error *error);
/* Bytes queued for the peer that it has not read: a streaming handler skips when it is high. */
size_t call_backlog(const struct call *c);
bool call_gone(const struct call *c); /* the peer has closed */
/* What a handler keeps with the call; freed with it. */
void call_set_data(struct call *c, void *data, void (*free_data)(void *data));
void *call_data(const struct call *c);
/*
 * Runs once when the peer closes, however many calls it had open. Set at most one for a call;
 * NULL takes it back. For sessions that live as long as a connection.
 */
void call_on_gone(struct call *c, void (*gone)(void *arg), void *arg);
/* Runs when the backlog has drained below the low-water mark, for handlers that send long answers.
 */
void call_on_writable(struct call *c, void (*writable)(void *arg), void *arg);

#endif

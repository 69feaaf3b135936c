/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"

#include <sys/wait.h>

#include "private.h"
#include "spawn.h"
#include "varlink/client.h"
#include "varlink/message.h"

struct connection {
	const struct options *options;
	const char *file; /* a recording that a private daemon has opened; NULL: none */
	struct varlink_client *client, *second; /* second: NULL until it is needed */
	pid_t pid;				/* of a private daemon; 0: none */
	bool answered; /* it has answered once: an end from now on is no failed start */
};

static int open_private(struct connection *c, enum private_kind kind,
			const struct private_files *files, struct error *e)
{
	int fds[2], r;

	c->file = files->n ? files->files[0] : NULL;
	r = private_start(kind, files, fds, &c->pid, e);
	if (r < 0)
		return r;
	c->client = varlink_client_from_fd(fds[0]);
	if (!c->client)
		safe_close(fds[0]);
	c->second = varlink_client_from_fd(fds[1]);
	if (!c->second)
		safe_close(fds[1]);
	return c->client && c->second ? 0 : error_set(e, ENOMEM, "Internal", "out of memory");
}

static int check_file(const char *file, struct error *e)
{
	int r;

	if (access(file, R_OK) == 0)
		return 0;
	r = error_set(e, errno, "NoSuchFile", "cannot open %s: %m", file);
	error_fix(e, r == -EACCES ? "run it as the user who made it, or as root"
				  : "make one with sonde record -o FILE");
	return r;
}

static int open_recordings(struct connection *c, const struct private_files *files, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < files->n && r >= 0; i++)
		r = check_file(files->files[i], e);
	if (r >= 0 && files->compared)
		r = check_file(files->compared, e);
	return r < 0 ? r : open_private(c, PRIVATE_REPLAY, files, e);
}

static int no_daemon(const struct options *o, struct error *e)
{
	bool takes_file = option_known(o->verb, "input");

	error_set(e, ENOENT, "NoDaemon", "no daemon is running at %s", o->socket);
	error_fix(e, "start one with \"systemctl start sonded\" or \"sonded --foreground &\"%s",
		  takes_file ? ", or open a recording with -i FILE" : "");
	return -ENOENT;
}

static int open_socket(struct connection *c, struct error *e)
{
	const struct options *o = c->options;
	struct error why = {0};
	int r = varlink_client_connect(o->socket, &c->client, &why);

	if (r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR) {
		/* Who names a socket means that daemon and no other. */
		if (o->verb->needs == NEEDS_ANY && !o->socket_given)
			return open_private(c, PRIVATE_LIVE, &(struct private_files){}, e);
		return no_daemon(o, e);
	}
	if (r == -EACCES || r == -EPERM) {
		error_set(e, EACCES, "PermissionDenied", "no permission to use the daemon at %s",
			  o->socket);
		error_fix(e, "run it as root: sudo sonde %s ...", o->verb->name);
		return r;
	}
	if (r < 0)
		*e = why;
	if (r < 0 && !e->name[0])
		error_set(e, -r, "Internal", "cannot connect to %s: %s", o->socket, strerror(-r));
	return r;
}

/* kind: PRIVATE_LIVE is the daemon at the socket, or where none runs a private one. */
static int open_any(const struct options *o, enum private_kind kind,
		    const struct private_files *files, struct connection **ret, struct error *e)
{
	_cleanup_(connection_freep) struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	c->options = o;
	r = kind == PRIVATE_REPLAY   ? open_recordings(c, files, e)
	    : kind == PRIVATE_IMPORT ? open_private(c, kind, files, e)
				     : open_socket(c, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

int connection_open(const struct options *o, struct connection **ret, struct error *e)
{
	const struct private_files files = {.files = (const char *const *)o->inputs.items,
					    .n = o->inputs.n};

	return open_any(o, files.n ? PRIVATE_REPLAY : PRIVATE_LIVE, &files, ret, e);
}

int connection_open_files(const struct options *o, const char *file, const char *second,
			  struct connection **ret, struct error *e)
{
	const struct private_files files = {.files = &file, .n = 1, .compared = second};

	return open_any(o, PRIVATE_REPLAY, &files, ret, e);
}

int connection_open_import(const struct options *o, struct connection **ret, struct error *e)
{
	return open_any(o, PRIVATE_IMPORT, &(struct private_files){}, ret, e);
}

static int close_all(struct connection *c)
{
	int status = 0;

	c->client = varlink_client_free(c->client);
	c->second = varlink_client_free(c->second);
	if (c->pid > 0)
		status = private_end(c->pid);
	c->pid = 0;
	return status;
}

struct connection *connection_free(struct connection *c)
{
	if (c) {
		close_all(c);
		free(c);
	}
	return NULL;
}

/*
 * A private daemon that went away has said why on standard error, which is ours, too. Its exit
 * status, which has the same meaning as the command's, becomes the command's.
 */
static int ended(struct connection *c, struct error *e)
{
	bool answered = c->answered, replay = c->file;
	int status = close_all(c), code = spawn_exit_status(MAX(status, 0));
	const char *name = answered		      ? "Disconnected"
			   : code == EXIT_UNSUPPORTED ? "PermissionDenied"
			   : code == EXIT_NOT_FOUND   ? "NoSuchFile"
			   : replay		      ? "BadFile"
						      : "NoDaemon";

	*e = (struct error){0};
	if (status >= 0 && WIFSIGNALED(status))
		error_set(e, EPIPE, "Disconnected", "the private sonded was ended by signal %d",
			  WTERMSIG(status));
	else if (replay && !answered)
		error_set(e, EPIPE, name, "cannot read the recording %s (exit status %d of sonded)",
			  c->file, code);
	else
		error_set(e, EPIPE, name, "the private sonded ended with exit status %d", code);
	error_fix(e, "its message is above; SONDE_LOG_LEVEL=debug says more");
	return -EPIPE;
}

static int check(struct connection *c, int r, struct error *e)
{
	if (r == -EPIPE && c->pid > 0)
		return ended(c, e);
	if (r >= 0 || r == -EREMOTEIO)
		c->answered = true;
	if (r < 0 && r != -ETIMEDOUT)
		error_set(e, -r, "Internal", "the call failed: %s", strerror(-r));
	return r;
}

static const char *full_name(char buf[static 64], const char *method)
{
	snprintf(buf, 64, "io.sonde.%s", method);
	return buf;
}

static int gone(struct error *e)
{
	return error_set(e, EPIPE, "Disconnected", "the connection to the daemon is closed");
}

int connection_call(struct connection *c, const char *method, const char *params,
		    struct cJSON **ret_reply, struct error *e)
{
	char name[64];

	if (!c->client)
		return gone(e);
	return check(c,
		     varlink_client_call(c->client, full_name(name, method), params, ret_reply, e),
		     e);
}

int connection_stream(struct connection *c, const char *method, const char *params, struct error *e)
{
	char name[64];
	int r = varlink_client_call_more(c->client, full_name(name, method), params, e);

	return r < 0 ? check(c, r, e) : 0;
}

int connection_next(struct connection *c, int timeout_ms, struct cJSON **ret_reply,
		    bool *ret_continues, struct error *e)
{
	if (!c->client)
		return gone(e);
	return check(c, varlink_client_next(c->client, timeout_ms, ret_reply, ret_continues, e), e);
}

int connection_each(struct connection *c, const char *method, const char *params,
		    int (*each)(void *arg, const struct cJSON *reply, bool last), void *arg,
		    struct error *e)
{
	bool continues = true;
	int r = connection_stream(c, method, params, e);

	while (continues && r >= 0) {
		_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;

		r = connection_next(c, -1, &reply, &continues, e);
		if (r >= 0)
			r = each(arg, reply, !continues);
	}
	return r;
}

bool connection_has_message(struct connection *c)
{
	return c->client && varlink_client_has_message(c->client);
}

int connection_fd(const struct connection *c)
{
	return c->client ? varlink_client_fd(c->client) : -EBADF;
}

int connection_aside(struct connection *c, const char *method, const char *params, struct error *e)
{
	char name[64];
	int r;

	if (!c->second) {
		r = varlink_client_connect(c->options->socket, &c->second, e);
		if (r < 0)
			return r;
	}
	return varlink_client_call_oneway(c->second, full_name(name, method), params, e);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cjson/cJSON.h>

#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"
#include "varlink/frame.h"
#include "varlink/message.h"

enum { RECEIVE_CHUNK = 64 * 1024 };

struct varlink_client {
	int fd;
	bool waiting; /* a call was sent whose last answer has not come */
	bool closed;  /* the peer will send nothing more */
	struct frame_buffer *input;
};

static int closed_error(struct error *e)
{
	error_set(e, EPIPE, "Disconnected", "the daemon closed the connection");
	error_fix(e, "see why in its log: journalctl -u sonded");
	return -EPIPE;
}

static int connect_error(int code, const char *path, struct error *e)
{
	if (code == EACCES || code == EPERM) {
		error_set(e, code, "PermissionDenied", "no permission to connect to %s", path);
		error_fix(e, "run the command as root");
		return -code;
	}
	error_set(e, code, "NoDaemon", "cannot connect to the daemon at %s: %s", path,
		  strerror(code));
	error_fix(e, "start it: systemctl start sonded");
	return -code;
}

int varlink_client_connect(const char *path, struct varlink_client **ret, struct error *e)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct varlink_client *client;

	if (fd < 0)
		return error_set(e, errno, "Internal", "cannot make a socket: %m");
	if (strlen(path) >= sizeof(address.sun_path))
		return connect_error(ENAMETOOLONG, path, e);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return connect_error(errno, path, e);
	client = varlink_client_from_fd(fd);
	if (!client)
		return -ENOMEM;
	TAKE_FD(fd);
	*ret = client;
	return 0;
}

struct varlink_client *varlink_client_from_fd(int fd)
{
	struct varlink_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->input = frame_new(VARLINK_MAX_REPLY);
	if (!client->input) {
		free(client);
		return NULL;
	}
	client->fd = fd;
	return client;
}

struct varlink_client *varlink_client_free(struct varlink_client *client)
{
	if (!client)
		return NULL;
	safe_close(client->fd);
	frame_free(client->input);
	free(client);
	return NULL;
}

int varlink_client_fd(const struct varlink_client *client)
{
	return client->fd;
}

bool varlink_client_has_message(struct varlink_client *client)
{
	return frame_ready(client->input);
}

static int send_all(struct varlink_client *client, const char *data, size_t len, struct error *e)
{
	while (len) {
		ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL);
		struct pollfd poll_fd = {.fd = client->fd, .events = POLLOUT};

		if (n >= 0) {
			data += n;
			len -= n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return closed_error(e);
		} else if (errno == EAGAIN) {
			poll(&poll_fd, 1, -1);
		} else if (errno != EINTR) {
			return error_set(e, errno, "Internal", "cannot send to the daemon: %m");
		}
	}
	return 0;
}

/* Takes what the socket has without waiting: 1 for some, 0 for nothing yet. */
static int receive(struct varlink_client *client, struct error *e)
{
	char chunk[RECEIVE_CHUNK];
	ssize_t n = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n > 0) {
		if (frame_feed(client->input, chunk, n) < 0)
			return error_set(e, ENOMEM, "Internal", "out of memory");
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno != ECONNRESET && errno != EPIPE)
		return error_set(e, errno, "Internal", "cannot receive from the daemon: %m");
	client->closed = true;
	return 1;
}

/* Reads what is left in a connection that takes nothing more; true when an answer is there. */
static bool last_words(struct varlink_client *client)
{
	while (!client->closed && receive(client, NULL) > 0)
		;
	return frame_ready(client->input);
}

static int send_call(struct varlink_client *client, const char *method, const char *params,
		     unsigned int flags, struct error *e)
{
	_cleanup_(strbuf_release) struct strbuf message = {};
	struct error why = {};
	int r;

	if (client->waiting)
		return error_set(e, EBUSY, "Internal", "%s was called before another call ended",
				 method);
	varlink_call_encode(&message, method, params, flags);
	if (strbuf_error(&message) < 0)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	client->waiting = !(flags & VARLINK_CALL_ONEWAY);
	r = send_all(client, message.data, message.len, &why);
	/* A daemon that refuses a call before its end says why before it closes. */
	if (r == -EPIPE && client->waiting && last_words(client))
		return 0;
	if (r >= 0)
		return 0;
	client->waiting = false;
	error_set(e, -r, why.name, "%s", why.message);
	error_fix(e, "%s", why.fix);
	return r;
}

/* Waits until the socket is readable: 1, or 0 when the deadline (0: none) has passed. */
static int wait_readable(struct varlink_client *client, int timeout_ms, uint64_t deadline_ns,
			 struct error *e)
{
	struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
	int wait_ms = timeout_ms, r;

	if (timeout_ms > 0) {
		uint64_t now = now_monotonic_ns();

		if (now >= deadline_ns)
			return 0;
		wait_ms = (int)((deadline_ns - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
	}
	r = poll(&poll_fd, 1, wait_ms);
	if (r < 0 && errno != EINTR)
		return error_set(e, errno, "Internal", "cannot wait for the daemon: %m");
	/* After a signal the time left is worked out anew, unless none was asked for. */
	if (r < 0)
		return timeout_ms != 0;
	return r > 0;
}

/* The next whole message, good until more is received. */
static int next_message(struct varlink_client *client, int timeout_ms, const char **ret_text,
			size_t *ret_len, struct error *e)
{
	uint64_t deadline_ns = timeout_ms > 0 ? now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC : 0;

	for (;;) {
		int r = frame_next(client->input, ret_text, ret_len);

		if (r > 0)
			return 0;
		if (r < 0)
			return error_set(e, -r, "Internal",
					 "an answer of the daemon is longer than 64 MiB");
		if (client->closed)
			return closed_error(e);
		r = receive(client, e);
		if (r == 0) {
			r = wait_readable(client, timeout_ms, deadline_ns, e);
			if (r == 0)
				return -ETIMEDOUT;
		}
		if (r < 0)
			return r;
	}
}

static const char *string_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* The standard's errors speak of the protocol: what the user can do about it is said here. */
static int service_error(const char *name, const cJSON *parameters, struct error *e)
{
	const char *parameter = string_of(parameters, "parameter");
	const char *what = string_of(parameters, "method");

	if (streq(name, "InvalidParameter"))
		return error_set(e, EREMOTEIO, "BadArgument",
				 "the daemon refused the parameter \"%s\"",
				 parameter ? parameter : "?");
	if (!what)
		what = string_of(parameters, "interface");
	error_set(e, EREMOTEIO, "Internal", "the daemon does not know \"%s\" (%s)",
		  what ? what : "?", name);
	error_fix(e, "command and daemon are of different versions: systemctl restart sonded");
	return -EREMOTEIO;
}

static int error_reply(const char *full_name, const cJSON *parameters, struct error *e)
{
	const char *dot = strrchr(full_name, '.');
	const char *message = string_of(parameters, "message"), *fix = string_of(parameters, "fix");

	if (startswith(full_name, "org.varlink.service."))
		return service_error(dot + 1, parameters, e);
	if (message && *message)
		error_set(e, EREMOTEIO, dot && dot[1] ? dot + 1 : "Internal", "%s", message);
	else
		error_set(e, EREMOTEIO, dot && dot[1] ? dot + 1 : "Internal",
			  "the daemon answered with the error \"%s\" and no message", full_name);
	if (fix && *fix)
		error_fix(e, "%s", fix);
	return -EREMOTEIO;
}

static int not_varlink(struct error *e, const char *what)
{
	return error_set(e, EBADMSG, "Internal", "the daemon's answer is not Varlink: %s", what);
}

static int decode_reply(const char *text, size_t len, cJSON **ret_reply, bool *ret_continues,
			struct error *e)
{
	_cleanup_(message_free_jsonp) cJSON *message = NULL;
	const cJSON *error, *continues;
	struct error why = {};
	cJSON *parameters;
	int r = message_parse(text, len, &message, &why);

	if (r == -EBADMSG)
		return error_set(e, EBADMSG, "Internal", "the daemon's answer cannot be read: %s",
				 why.message);
	if (r < 0)
		return error_set(e, -r, "Internal", "out of memory");
	error = cJSON_GetObjectItemCaseSensitive(message, "error");
	continues = cJSON_GetObjectItemCaseSensitive(message, "continues");
	parameters = cJSON_GetObjectItemCaseSensitive(message, "parameters");
	if (parameters && !cJSON_IsObject(parameters) && !cJSON_IsNull(parameters))
		return not_varlink(e, "\"parameters\" is not an object");
	if (continues && !cJSON_IsBool(continues) && !cJSON_IsNull(continues))
		return not_varlink(e, "\"continues\" is not a bool");
	if (error && !cJSON_IsString(error) && !cJSON_IsNull(error))
		return not_varlink(e, "\"error\" is not a string");
	if (cJSON_IsString(error))
		return error_reply(error->valuestring, parameters, e);
	*ret_continues = cJSON_IsTrue(continues);
	parameters = cJSON_IsObject(parameters) ? cJSON_DetachItemViaPointer(message, parameters)
						: cJSON_CreateObject();
	if (!parameters)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	*ret_reply = parameters;
	return 0;
}

int varlink_client_next(struct varlink_client *client, int timeout_ms, struct cJSON **ret_reply,
			bool *ret_continues, struct error *e)
{
	bool continues = false;
	const char *text;
	size_t len;
	int r;

	if (!client->waiting)
		return -ENODATA;
	r = next_message(client, timeout_ms, &text, &len, e);
	if (r == -ETIMEDOUT)
		return r;
	if (r >= 0)
		r = decode_reply(text, len, ret_reply, &continues, e);
	client->waiting = r >= 0 && continues;
	if (r >= 0)
		*ret_continues = continues;
	return r;
}

int varlink_client_call(struct varlink_client *client, const char *method, const char *params,
			struct cJSON **ret_reply, struct error *e)
{
	_cleanup_(message_free_jsonp) cJSON *reply = NULL;
	bool continues = false;
	int r = send_call(client, method, params, 0, e);

	if (r < 0)
		return r;
	r = varlink_client_next(client, -1, &reply, &continues, e);
	if (r < 0)
		return r;
	if (continues) {
		client->waiting = false;
		return not_varlink(e, "it continues though one reply was asked for");
	}
	*ret_reply = TAKE_PTR(reply);
	return 0;
}

int varlink_client_call_oneway(struct varlink_client *client, const char *method,
			       const char *params, struct error *e)
{
	return send_call(client, method, params, VARLINK_CALL_ONEWAY, e);
}

int varlink_client_call_more(struct varlink_client *client, const char *method, const char *params,
			     struct error *e)
{
	return send_call(client, method, params, VARLINK_CALL_MORE, e);
}

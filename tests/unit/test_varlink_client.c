/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client against a small server made of the same parts as the daemon's, in a thread. */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sonde/base/format.h"
#include "sonde/base/json.h"
#include "varlink/client.h"
#include "varlink/message.h"
#include "varlink/params.h"
#include "varlink/service.h"

static const char interface[] = "interface io.test\n"
				"method Echo(text: string) -> (text: string)\n"
				"method Big(size: int) -> (text: string)\n"
				"method Count(to: int) -> (n: int)\n"
				"method Fail() -> ()\n"
				"method Raw(bytes: string) -> ()\n"
				"error BadArgument (message: string, fix: string)\n"
				"error NoSuchProcess (message: string, fix: string)\n";

struct server {
	int fd;
	pthread_t thread;
	struct varlink_client *client;
};

static void send_bytes(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= n;
	}
}

static void flush(int fd, struct varlink_peer *peer)
{
	const char *data;
	size_t len;

	varlink_peer_output(peer, &data, &len);
	send_bytes(fd, data, len);
	varlink_peer_sent(peer, len);
}

static void answer_count(int fd, struct varlink_peer *peer)
{
	char text[64];
	int64_t to = 0;

	param_int(varlink_peer_call(peer)->parameters, "to", PARAM_REQUIRED, 1, 1000, &to, NULL);
	for (int64_t i = 1; i <= to; i++) {
		int n = snprintf(text, sizeof(text), "{\"n\":%d}", (int)i);

		varlink_peer_reply(peer, text, n, i < to);
	}
	flush(fd, peer);
}

static void answer_big(struct varlink_peer *peer)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	struct json_writer w;
	int64_t size = 0;
	char *text;

	param_int(varlink_peer_call(peer)->parameters, "size", PARAM_REQUIRED, 1, 1 << 28, &size,
		  NULL);
	text = malloc(size);
	memset(text, 'x', size);
	json_begin(&w, &b);
	json_object_begin(&w, NULL);
	json_stringn(&w, "text", text, size);
	json_object_end(&w);
	free(text);
	varlink_peer_reply(peer, b.data, b.len, false);
}

/* False: the server hangs up. Raw sends its bytes ('|' is the NUL) without any protocol. */
static bool answer(int fd, struct varlink_peer *peer, const char *method)
{
	const struct cJSON *params = varlink_peer_call(peer)->parameters;
	struct error e = {};
	const char *text = "";

	if (streq(method, "Echo")) {
		char *json = cJSON_PrintUnformatted(params);

		varlink_peer_reply(peer, json, strlen(json), false);
		free(json);
	} else if (streq(method, "Big")) {
		answer_big(peer);
	} else if (streq(method, "Count")) {
		answer_count(fd, peer);
	} else if (streq(method, "Fail")) {
		error_set(&e, ESRCH, "NoSuchProcess", "no process 7");
		error_fix(&e, "see: ps -e");
		varlink_peer_reply_error(peer, &e);
	} else {
		char *bytes;

		param_string(params, "bytes", PARAM_REQUIRED, &text, NULL);
		bytes = strdup(text);
		for (size_t i = 0; text[i]; i++)
			if (bytes[i] == '|')
				bytes[i] = '\0';
		send_bytes(fd, bytes, strlen(text));
		free(bytes);
		return false;
	}
	return true;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	const struct varlink_service_info info = {"sonde", "test", "1", "x"};
	_cleanup_(varlink_service_freep) struct varlink_service *service = NULL;
	_cleanup_(varlink_peer_freep) struct varlink_peer *peer =
		varlink_peer_new("io.test", VARLINK_MAX_REQUEST, VARLINK_HIGH_WATER);
	const struct varlink_call *call;
	const char *method;
	char chunk[4096];
	bool open = true;
	ssize_t n;

	varlink_service_new(&info, interface, &service, NULL);
	while (open && (n = read(s->fd, chunk, sizeof(chunk))) > 0) {
		varlink_peer_feed(peer, chunk, n);
		while (open && varlink_peer_next_call(peer, &call, NULL) > 0) {
			if (varlink_service_handle(service, peer, &method) == 0)
				open = answer(s->fd, peer, method);
			flush(s->fd, peer);
		}
		flush(s->fd, peer);
		open &= !varlink_peer_closing(peer);
	}
	close(s->fd);
	return NULL;
}

static void server_start(struct server *s)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->fd = fds[1];
	s->client = varlink_client_from_fd(fds[0]);
	cr_assert_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	s->client = varlink_client_free(s->client);
	pthread_join(s->thread, NULL);
}

Test(client, calls)
{
	struct server s = {};
	struct cJSON *reply = NULL;
	struct error e = {};

	server_start(&s);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(varlink_client_call(s.client, "io.test.Echo", "{\"text\":\"\\u00e4\"}",
						 &reply, &e),
			     0, "%s", e.message);
		cr_assert_str_eq(cJSON_GetObjectItem(reply, "text")->valuestring, "\xc3\xa4");
		reply = message_free_json(reply);
	}
	server_stop(&s);
}

Test(client, error_replies)
{
	static const struct {
		const char *method, *params, *name, *message, *fix;
	} cases[] = {
		{"io.test.Fail", NULL, "NoSuchProcess", "no process 7", "see: ps -e"},
		{"io.test.Echo", "{}", "BadArgument", "text: missing, expected string", ""},
		{"io.test.Gone", NULL, "Internal",
		 "the daemon does not know \"io.test.Gone\" (MethodNotFound)",
		 "command and daemon are of different versions: systemctl restart sonded"},
		{"io.gone.Gone", NULL, "Internal",
		 "the daemon does not know \"io.gone\" (InterfaceNotFound)",
		 "command and daemon are of different versions: systemctl restart sonded"},
		{"org.varlink.service.GetInterfaceDescription", NULL, "BadArgument",
		 "the daemon refused the parameter \"interface\"", ""},
	};
	struct server s = {};

	server_start(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cJSON *reply = NULL;
		struct error e = {};

		cr_assert_eq(
			varlink_client_call(s.client, cases[i].method, cases[i].params, &reply, &e),
			-EREMOTEIO);
		cr_assert_null(reply);
		cr_assert_str_eq(e.name, cases[i].name);
		cr_assert_str_eq(e.message, cases[i].message);
		cr_assert_str_eq(e.fix, cases[i].fix);
	}
	server_stop(&s);
}

Test(client, stream)
{
	struct server s = {};
	struct cJSON *reply = NULL;
	struct error e = {};
	bool continues = true;
	int n = 0;

	server_start(&s);
	cr_assert_eq(varlink_client_next(s.client, 0, &reply, &continues, &e), -ENODATA);
	cr_assert_eq(varlink_client_call_more(s.client, "io.test.Count", "{\"to\":300}", &e), 0);
	while (continues) {
		struct pollfd p = {.fd = varlink_client_fd(s.client), .events = POLLIN};
		int r;

		if (!varlink_client_has_message(s.client))
			cr_assert_eq(poll(&p, 1, 10000), 1);
		r = varlink_client_next(s.client, 0, &reply, &continues, &e);
		if (r == -ETIMEDOUT)
			continue;
		cr_assert_eq(r, 0, "%s", e.message);
		cr_assert_eq(cJSON_GetObjectItem(reply, "n")->valueint, ++n);
		reply = message_free_json(reply);
		if (n == 5) {
			struct error busy = {};

			cr_assert_eq(
				varlink_client_call(s.client, "io.test.Fail", NULL, &reply, &busy),
				-EBUSY);
		}
	}
	cr_assert_eq(n, 300);
	/* And the connection is good for the next call. */
	cr_assert_eq(varlink_client_call(s.client, "io.test.Echo", "{\"text\":\"\"}", &reply, &e),
		     0);
	message_free_json(reply);
	server_stop(&s);
}

Test(client, big_answers, .timeout = 30)
{
	struct server s = {};
	struct cJSON *reply = NULL;
	struct error e = {};

	server_start(&s);
	cr_assert_eq(
		varlink_client_call(s.client, "io.test.Big", "{\"size\":60000000}", &reply, &e), 0,
		"%s", e.message);
	cr_assert_eq(strlen(cJSON_GetObjectItem(reply, "text")->valuestring), 60000000);
	message_free_json(reply);
	cr_assert_eq(
		varlink_client_call(s.client, "io.test.Big", "{\"size\":70000000}", &reply, &e),
		-EMSGSIZE);
	cr_assert_not_null(strstr(e.message, "longer than 64 MiB"));
	server_stop(&s);
}

Test(client, request_too_long, .timeout = 30)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	struct server s = {};
	struct cJSON *reply = NULL;
	struct error e = {};

	strbuf_puts(&b, "{\"text\":\"");
	for (int i = 0; i < 4000000; i++)
		strbuf_putc(&b, 'x');
	strbuf_puts(&b, "\"}");
	server_start(&s);
	/* The server says why and hangs up while the client is still sending. */
	cr_assert_eq(varlink_client_call(s.client, "io.test.Echo", b.data, &reply, &e), -EREMOTEIO);
	cr_assert_str_eq(e.name, "BadArgument");
	cr_assert_not_null(strstr(e.message, "longer than 1048576 bytes"), "%s", e.message);
	server_stop(&s);
}

Test(client, broken_servers)
{
	static const struct {
		const char *bytes;
		int result;
		const char *message;
	} cases[] = {
		{"", -EPIPE, "the daemon closed the connection"},
		{"{\\\"parameters\\\":{", -EPIPE, "the daemon closed the connection"},
		{"garbage|", -EBADMSG,
		 "the daemon's answer cannot be read: the message is not "
		 "Varlink: broken JSON at byte 0"},
		{"{\\\"parameters\\\":[]}|", -EBADMSG,
		 "the daemon's answer is not Varlink: \"parameters\" is not an object"},
		{"{\\\"error\\\":1}|", -EBADMSG,
		 "the daemon's answer is not Varlink: \"error\" is not a string"},
		{"{\\\"continues\\\":true}|", -EBADMSG,
		 "the daemon's answer is not Varlink: it continues though one reply was asked for"},
		{"{\\\"error\\\":\\\"io.test.Odd\\\"}|", -EREMOTEIO,
		 "the daemon answered with the error \"io.test.Odd\" and no message"},
		{"{\\\"error\\\":\\\"\\\"}|", -EREMOTEIO,
		 "the daemon answered with the error \"\" and no message"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct server s = {};
		struct cJSON *reply = NULL;
		struct error e = {};
		char params[256];
		int r;

		server_start(&s);
		snprintf(params, sizeof(params), "{\"bytes\":\"%s\"}", cases[i].bytes);
		r = varlink_client_call(s.client, "io.test.Raw", params, &reply, &e);
		cr_assert_eq(r, cases[i].result, "case %zu: %d %s", i, r, e.message);
		cr_assert_str_eq(e.message, cases[i].message);
		cr_assert_null(reply);
		if (r == -EPIPE)
			cr_assert_eq(
				varlink_client_call(s.client, "io.test.Fail", NULL, &reply, NULL),
				-EPIPE);
		server_stop(&s);
	}
}

Test(client, timeout)
{
	struct varlink_client *client;
	struct cJSON *reply = NULL;
	struct error e = {};
	bool continues;
	uint64_t start = now_monotonic_ns();
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	client = varlink_client_from_fd(fds[0]);
	cr_assert_eq(varlink_client_call_more(client, "io.test.Count", NULL, &e), 0);
	cr_assert_eq(varlink_client_next(client, 0, &reply, &continues, &e), -ETIMEDOUT);
	cr_assert_lt(now_monotonic_ns() - start, 5 * NSEC_PER_SEC);
	/* Half a message does not count. */
	cr_assert_eq(write(fds[1], "{\"parameters\":", 14), 14);
	start = now_monotonic_ns();
	cr_assert_eq(varlink_client_next(client, 50, &reply, &continues, &e), -ETIMEDOUT);
	cr_assert_geq(now_monotonic_ns() - start, 50 * NSEC_PER_MSEC);
	cr_assert_eq(e.name[0], '\0');
	cr_assert_not(varlink_client_has_message(client));
	cr_assert_eq(write(fds[1], "{}}", 4), 4);
	cr_assert_eq(varlink_client_next(client, 0, &reply, &continues, &e), 0);
	cr_assert_not(continues);
	message_free_json(reply);
	varlink_client_free(client);
	close(fds[1]);
}

Test(client, connect)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct varlink_client *client = NULL;
	struct error e = {}, refused = {}, longer = {};
	char path[64], *long_path = malloc(300);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, sizeof(path), "/tmp/test_varlink.%d", (int)getpid());
	unlink(path);
	cr_assert_eq(varlink_client_connect(path, &client, &e), -ENOENT);
	cr_assert_str_eq(e.name, "NoDaemon");
	cr_assert_eq(error_exit_status(e.name), EXIT_NO_DAEMON);
	strcpy(address.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(varlink_client_connect(path, &client, &refused), -ECONNREFUSED);
	cr_assert_not_null(strstr(refused.message, path));
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(varlink_client_connect(path, &client, NULL), 0);
	varlink_client_free(client);
	memset(long_path, 'x', 299);
	long_path[299] = '\0';
	cr_assert_eq(varlink_client_connect(long_path, &client, &longer), -ENAMETOOLONG);
	free(long_path);
	close(fd);
	unlink(path);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections: who may make them, how many, where the server listens, the protocol. */
#include "control_help.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "control/interface.h"
#include "varlink/client.h"

Test(server, answers_calls)
{
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	expect(&w, fd, "{\"parameters\":{\"sessions\":[]}}");
	say(&w, fd, "{\"method\":\"io.sonde.Detach\",\"parameters\":{\"name\":\"x\"}}");
	expect(&w, fd,
	       "{\"error\":\"io.sonde.NoSuchSession\",\"parameters\":{\"message\":"
	       "\"no session is called x\"");
	say(&w, fd, "{\"method\":\"io.sonde.Detach\",\"parameters\":{\"nom\":\"x\"}}");
	expect(&w, fd, "io.sonde.BadArgument");
	say(&w, fd, "{\"method\":\"io.sonde.Nothing\"}");
	expect(&w, fd, "org.varlink.service.MethodNotFound");
	say(&w, fd, "{\"method\":\"io.other.List\"}");
	expect(&w, fd, "org.varlink.service.InterfaceNotFound");
	say(&w, fd, "{\"method\":\"io.sonde.Doctor\"}");
	expect(&w, fd, "gave no answer to Doctor");
	say(&w, fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
	expect(&w, fd, "\"product\":\"sonded\"");
	cr_assert_eq(w.calls, 3);
	cr_assert_eq(w.idle, 0);
	close(fd);
	spin(&w);
	cr_assert_eq(w.idle, 1);
	cr_assert_eq(server_connections(w.server), 0);
	world_end(&w);
}

Test(server, tells_its_interface)
{
	_cleanup_(strbuf_release) struct strbuf in = {};
	_cleanup_(freep) char *text = NULL;
	struct world w;
	cJSON *reply;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd,
	    "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	    "\"parameters\":{\"interface\":\"io.sonde\"}}");
	text = hear(&w, fd, &in);
	reply = cJSON_Parse(text);
	cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(
				 cJSON_GetObjectItem(reply, "parameters"), "description")),
			 sonde_interface);
	cr_assert(strstr(sonde_interface, "\ninterface io.sonde\n"));
	cJSON_Delete(reply);
	close(fd);
	world_end(&w);
}

Test(server, answers_a_thousand_pipelined_calls)
{
	_cleanup_(strbuf_release) struct strbuf out = {}, in = {};
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	for (int i = 0; i < 1000; i++) {
		strbuf_printf(&out,
			      "{\"method\":\"io.sonde.Detach\",\"parameters\":{\"name\":"
			      "\"n%d\"}}",
			      i);
		strbuf_putc(&out, '\0');
	}
	cr_assert(send_all(&w, fd, out.data, out.len));
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 1000; i++) {
		_cleanup_(freep) char *text = hear(&w, fd, &in);
		char name[32];

		snprintf(name, sizeof(name), "called n%d\"", i);
		cr_assert(text && strstr(text, name), "answer %d: %s", i, text);
	}
	/* It had only stopped sending: now it is over. */
	expect_closed(&w, fd);
	cr_assert_eq(server_connections(w.server), 0);
	world_end(&w);
}

Test(server, takes_a_call_byte_by_byte)
{
	static const char call[] = "{\"method\":\"io.sonde.List\"}";
	struct world w;
	int fd, half;

	world_begin(&w);
	half = dial(&w);
	cr_assert(send_all(&w, half, call, 10));
	fd = dial(&w);
	for (size_t i = 0; i < sizeof(call); i++) {
		cr_assert_eq(w.calls, 0);
		cr_assert(send_all(&w, fd, call + i, 1));
		spin(&w);
	}
	expect(&w, fd, "sessions");
	/* The other half arrives late, but it is as good. */
	cr_assert(send_all(&w, half, call + 10, sizeof(call) - 10));
	expect(&w, half, "sessions");
	close(half);
	close(fd);
	world_end(&w);
}

Test(server, closes_on_garbage)
{
	static const char *const garbage[] = {"hello",
					      "[]",
					      "{\"method\":1}",
					      "{\"method\":\"a\"",
					      "{}",
					      "\xff\xfe",
					      "{\"method\":\"x\",\"more\":3}"};
	struct world w;

	world_begin(&w);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = dial(&w);

		say(&w, fd, garbage[i]);
		expect(&w, fd, "io.sonde.BadArgument");
		expect_closed(&w, fd);
	}
	cr_assert_eq(w.calls, 0);
	cr_assert_eq(server_connections(w.server), 0);
	world_end(&w);
}

Test(server, closes_on_deep_nesting_and_long_messages)
{
	_cleanup_(strbuf_release) struct strbuf deep = {}, in = {};
	_cleanup_(freep) char *text = NULL, *block = malloc(65536);
	struct world w;
	size_t sent = 0;
	int fd;

	world_begin(&w);
	strbuf_puts(&deep, "{\"method\":\"io.sonde.List\",\"parameters\":");
	for (int i = 0; i < 100000; i++)
		strbuf_putc(&deep, '[');
	fd = dial(&w);
	say(&w, fd, deep.data);
	expect(&w, fd, "levels of nesting");
	expect_closed(&w, fd);

	fd = dial(&w);
	memset(block, 'a', 65536);
	while (sent < 8 * VARLINK_MAX_REQUEST && send_all(&w, fd, block, 65536)) {
		sent += 65536;
		sd_event_run(w.event, 0);
	}
	cr_assert_lt(sent, 2 * VARLINK_MAX_REQUEST, "it took %zu bytes", sent);
	text = hear(&w, fd, &in);
	cr_assert(text && strstr(text, "longer than 1048576 bytes"), "%s", text);
	expect_closed(&w, fd);
	world_end(&w);
}

Test(server, has_places_for_64)
{
	struct world w;
	int fds[65];

	world_begin(&w);
	for (int i = 0; i < 64; i++) {
		fds[i] = dial(&w);
		spin(&w);
	}
	cr_assert_eq(server_connections(w.server), 64);
	fds[64] = dial(&w);
	expect(&w, fds[64], "io.sonde.TooMany");
	expect_closed(&w, fds[64]);
	/* A place that is given up can be taken. */
	close(fds[10]);
	spin(&w);
	fds[10] = dial(&w);
	say(&w, fds[10], "{\"method\":\"io.sonde.List\"}");
	expect(&w, fds[10], "sessions");
	for (int i = 0; i < 64; i++)
		close(fds[i]);
	spin(&w);
	cr_assert_eq(server_connections(w.server), 0);
	cr_assert_eq(w.idle, 1);
	world_end(&w);
}

Test(server, tells_that_descriptors_have_run_out)
{
	struct rlimit before, low;
	struct world w;
	int fd, other, highest;

	world_begin(&w);
	fd = dial(&w);
	other = dial(&w);
	highest = other + 1;
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = highest;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	spin(&w);
	setrlimit(RLIMIT_NOFILE, &before);
	expect(&w, fd, "run out of file descriptors");
	close(fd);
	close(other);
	spin(&w);
	world_end(&w);
}

/* In a child, which ends with the test that made it, however that ends. */
static int become_nobody(void)
{
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return -errno;
	alarm(60);
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

/* To be called with another uid, as SO_PEERCRED cannot be pretended. */
static int call_as_nobody(const char *path, const char *method, char *name, size_t size)
{
	_cleanup_(varlink_client_freep) struct varlink_client *client = NULL;
	_cleanup_(message_free_jsonp) cJSON *reply = NULL;
	struct error e = {};
	int r = varlink_client_connect(path, &client, &e);

	if (r == 0)
		r = varlink_client_call(client, method, NULL, &reply, &e);
	snprintf(name, size, "%s|%.60s", e.name, e.fix);
	return r;
}

Test(server, others_may_only_ask_what_it_is)
{
	struct world w;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("takes root to become somebody else");
	world_begin(&w);
	pid = fork();
	if (pid == 0) {
		char name[128];
		int failures = 0;

		if (become_nobody() < 0)
			_exit(100);
		failures +=
			call_as_nobody(w.path, "io.sonde.List", name, sizeof(name)) != -EREMOTEIO;
		failures += 2 * !startswith(name, "PermissionDenied|run the command as root");
		failures += 4 * (call_as_nobody(w.path, "org.varlink.service.GetInfo", name,
						sizeof(name)) != 0);
		_exit(failures);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		sd_event_run(w.event, 10000);
	cr_assert_eq(status, 0, "%d", WEXITSTATUS(status));
	cr_assert_eq(w.calls, 0);
	world_end(&w);
}

/* However many connections others hold, root finds a place. */
Test(server, others_cannot_take_all_places)
{
	struct world w;
	int ready[2], fd;
	char byte;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("takes root to become somebody else");
	world_begin(&w);
	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (become_nobody() < 0)
			_exit(100);
		for (int i = 0; i < 60; i++)
			(void)dial(&w);
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	spin(&w);
	cr_assert_eq(server_connections(w.server), 16);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	expect(&w, fd, "sessions");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	spin(&w);
	cr_assert_eq(server_connections(w.server), 0);
	world_end(&w);
}

Test(server, private_connections_are_trusted)
{
	struct world w;
	int pair[2], both[2];

	world_begin(&w);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(server_add_connection(w.server, pair[1]), 0);
	say(&w, pair[0], "{\"method\":\"io.sonde.List\"}");
	expect(&w, pair[0], "sessions");
	cr_assert_eq(pipe(both), 0);
	cr_assert_lt(server_add_connection(w.server, both[0]), 0);
	close(both[1]);
	close(pair[0]);
	spin(&w);
	cr_assert_eq(w.idle, 1);
	world_end(&w);
}

Test(server, a_second_daemon_is_refused)
{
	_cleanup_(server_freep) struct server *second = NULL;
	struct error e = {};
	struct world w;
	int fd;

	world_begin(&w);
	cr_assert_eq(server_new(w.event, dispatch, &w, &second), 0);
	cr_assert_eq(server_listen(second, w.path, &e), -EADDRINUSE);
	cr_assert(strstr(e.message, "another daemon answers at /tmp/"), "%s", e.message);
	cr_assert(strstr(e.fix, "--socket"), "%s", e.fix);
	second = server_free(second);
	/* The first one is not disturbed. */
	spin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	expect(&w, fd, "sessions");
	close(fd);
	world_end(&w);
}

Test(server, a_stale_socket_is_replaced)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(server_freep) struct server *s = NULL;
	struct error e = {};
	struct world w;
	struct stat st;
	int fd;

	world_begin(&w);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", w.dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	cr_assert_eq(server_new(w.event, dispatch, &w, &s), 0);
	cr_assert_eq(server_listen(s, address.sun_path, &e), 0, "%s", e.message);
	cr_assert_eq(stat(address.sun_path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0666);
	/* What another daemon has put there since is not removed. */
	unlink(address.sun_path);
	cr_assert_geq(fd = open(address.sun_path, O_CREAT | O_WRONLY, 0600), 0);
	close(fd);
	s = server_free(s);
	cr_assert_eq(access(address.sun_path, F_OK), 0);
	world_end(&w);
}

Test(server, other_files_are_left_alone)
{
	_cleanup_(server_freep) struct server *s = NULL;
	char path[128], longer[200];
	struct error e = {}, too_long = {};
	struct world w;

	world_begin(&w);
	snprintf(path, sizeof(path), "%s/file", w.dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(server_new(w.event, dispatch, &w, &s), 0);
	cr_assert_eq(server_listen(s, path, &e), -EEXIST);
	cr_assert(strstr(e.message, "is not a socket"), "%s", e.message);
	cr_assert_eq(access(path, F_OK), 0);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	cr_assert_lt(server_listen(s, longer, &too_long), 0);
	cr_assert_str_eq(too_long.name, "BadArgument");
	world_end(&w);
}

Test(server, takes_an_activated_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct world w;
	int fd, client;

	world_begin(&w);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/active", w.dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_lt(server_listen_fd(w.server, fd), 0, "it does not listen");
	cr_assert_eq(listen(fd, 5), 0);
	cr_assert_eq(server_listen_fd(w.server, fd), 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	say(&w, client, "{\"method\":\"io.sonde.List\"}");
	expect(&w, client, "sessions");
	close(client);
	world_end(&w);
}

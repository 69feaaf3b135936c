/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that take their time: peers that vanish, read slowly or not at all, stop sending. */
#include "control_help.h"

#include <fcntl.h>

#include "varlink/client.h"

Test(stream, tells_when_a_peer_vanishes)
{
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\",\"more\":true}");
	spin(&w);
	cr_assert(w.held);
	cr_assert(call_more(w.held));
	cr_assert_eq(call_uid(w.held), geteuid());
	cr_assert_not(call_gone(w.held));
	call_reply(w.held, NULL, true);
	expect(&w, fd, "\"continues\":true");
	cr_assert_eq(w.gone, 0);
	close(fd);
	spin(&w);
	cr_assert_eq(w.gone, 1);
	cr_assert_eq(w.idle, 1);
	/* The call stays valid, and nothing comes of it. */
	cr_assert_str_eq(call_method(w.held), "Status");
	cr_assert(cJSON_IsObject(call_params(w.held)));
	call_reply(w.held, NULL, true);
	call_reply(w.held, NULL, false);
	cr_assert_eq(call_backlog(w.held), 0);
	world_end(&w);
}

/* The session of a Record call outlives its answer, and ends with the connection. */
Test(stream, tells_when_a_peer_vanishes_after_the_answer)
{
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\"}");
	spin(&w);
	call_reply(w.held, NULL, false);
	expect(&w, fd, "parameters");
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	expect(&w, fd, "sessions");
	cr_assert_eq(w.gone, 0);
	/* Unread answers do not hide it. */
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	close(fd);
	spin(&w);
	cr_assert_eq(w.gone, 1);
	world_end(&w);
}

Test(stream, gone_can_be_taken_back)
{
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\"}");
	spin(&w);
	call_on_gone(w.held, NULL, NULL);
	close(fd);
	spin(&w);
	cr_assert_eq(w.gone, 0);
	cr_assert(call_gone(w.held));
	world_end(&w);
}

Test(stream, a_call_without_more_has_one_answer)
{
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\"}");
	spin(&w);
	call_reply(w.held, NULL, true);
	expect(&w, fd, "io.sonde.BadArgument");
	close(fd);
	world_end(&w);
}

static const char trace[] = "{\"method\":\"io.sonde.Trace\",\"more\":true,\"parameters\":{"
			    "\"options\":{\"specs\":[],\"selectors\":{}}}}";

static void make_payload(struct world *w, size_t len)
{
	strbuf_puts(&w->payload, "{\"text\":\"");
	for (size_t i = 0; i < len; i++)
		strbuf_putc(&w->payload, 'x');
	strbuf_puts(&w->payload, "\"}");
}

/* 40 MiB go through, and never more than the high-water mark waits. */
Test(stream, a_slow_reader_slows_the_stream)
{
	_cleanup_(strbuf_release) struct strbuf in = {};
	struct world w;
	size_t n = 0;
	int fd;

	world_begin(&w);
	make_payload(&w, 100000);
	w.to_send = 400;
	fd = dial(&w);
	say(&w, fd, trace);
	spin(&w);
	cr_assert_gt(w.to_send, 350, "nobody read, and %zu are left", w.to_send);
	for (bool last = false; !last; n++) {
		_cleanup_(freep) char *text = hear(&w, fd, &in);

		cr_assert(text, "no answer after %zu", n);
		last = !strstr(text + strlen(text) - 20, "\"continues\":true");
		cr_assert_leq(call_backlog(w.held), VARLINK_HIGH_WATER + 200000);
	}
	cr_assert_eq(n, 400);
	cr_assert_gt(w.writable, 10);
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	expect(&w, fd, "sessions");
	close(fd);
	world_end(&w);
}

Test(stream, a_stalled_reader_is_disconnected)
{
	struct world w;
	size_t n = 0;
	int fd, other;

	world_begin(&w);
	make_payload(&w, 1000000);
	fd = dial(&w);
	other = dial(&w);
	say(&w, fd, trace);
	spin(&w);
	while (!call_gone(w.held) && n < 200) {
		call_reply(w.held, &w.payload, true);
		n++;
	}
	cr_assert_gt(n, 66);
	cr_assert_lt(n, 72, "disconnected after %zu MB", n);
	call_on_gone(w.held, on_gone, &w);
	say(&w, other, "{\"method\":\"io.sonde.List\"}");
	expect(&w, other, "sessions");
	cr_assert_eq(w.gone, 1);
	cr_assert_eq(server_connections(w.server), 1);
	close(fd);
	close(other);
	world_end(&w);
}

/* Calls of a peer that reads no answers are not even looked at. */
Test(stream, a_stalled_reader_gets_no_more_answers)
{
	static const char get_info[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	_cleanup_(strbuf_release) struct strbuf out = {}, in = {};
	size_t answers = 0, sent = 0;
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	for (int i = 0; i < 60000; i++)
		strbuf_append(&out, get_info, sizeof(get_info));
	for (;;) {
		ssize_t n = send(fd, out.data + sent, out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			sent += n;
			continue;
		}
		if (sent == out.len || errno != EAGAIN)
			break;
		spin(&w);
		n = send(fd, out.data + sent, out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		sent += n;
	}
	cr_assert_gt(sent, 100000);
	cr_assert_lt(sent, out.len, "everything was taken");
	shutdown(fd, SHUT_WR);
	for (;;) {
		_cleanup_(freep) char *text = hear(&w, fd, &in);

		if (!text)
			break;
		answers++;
	}
	/* What was sent is answered all the same, once it reads; half a call is not. */
	cr_assert_eq(answers, sent / sizeof(get_info));
	spin(&w);
	cr_assert_eq(server_connections(w.server), 0);
	close(fd);
	world_end(&w);
}

Test(stream, refuses_answers_nobody_would_take)
{
	struct world w;
	int fd;

	world_begin(&w);
	w.payload.len = VARLINK_MAX_REPLY;
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\"}");
	spin(&w);
	call_reply(w.held, &w.payload, false);
	expect(&w, fd, "io.sonde.TooMany");
	close(fd);
	w.payload.len = 0;
	world_end(&w);
}

Test(stream, oneway_calls_get_no_answer)
{
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd,
	    "{\"method\":\"io.sonde.Detach\",\"oneway\":true,\"parameters\":{\"name\":\"a\"}}");
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	expect(&w, fd, "sessions");
	/* They count even when their sender leaves at once. */
	say(&w, fd, "{\"method\":\"io.sonde.List\",\"oneway\":true}");
	close(fd);
	spin(&w);
	cr_assert_eq(w.calls, 3);
	world_end(&w);
}

/* Teardown with a call under way: what was answered is sent, what is held stays valid. */
Test(stream, is_freed_with_calls_open)
{
	struct world w;
	char text[64];
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\",\"more\":true}");
	spin(&w);
	call_reply(w.held, NULL, true);
	w.server = server_free(w.server);
	cr_assert_gt(recv(fd, text, sizeof(text), 0), 0);
	cr_assert_eq(recv(fd, text, sizeof(text), 0), 0);
	cr_assert(call_gone(w.held));
	cr_assert_eq(w.gone, 0);
	call_reply(w.held, NULL, false);
	close(fd);
	world_end(&w);
}

/* It polls nothing it does not want, else spin() would never come back. */
Test(stream, a_peer_that_stopped_sending_gets_its_answer)
{
	_cleanup_(strbuf_release) struct strbuf in = {};
	_cleanup_(freep) char *first = NULL, *second = NULL;
	struct world w;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\"}");
	say(&w, fd, "{\"method\":\"io.sonde.List\"}");
	shutdown(fd, SHUT_WR);
	spin(&w);
	cr_assert_eq(w.calls, 1);
	cr_assert_not(call_gone(w.held));
	call_reply(w.held, NULL, false);
	first = hear(&w, fd, &in);
	second = hear(&w, fd, &in);
	cr_assert_str_eq(first, "{\"parameters\":{}}");
	cr_assert(second && strstr(second, "sessions"));
	expect_closed(&w, fd);
	cr_assert_eq(w.calls, 2);
	world_end(&w);
}

/* Behind a call that is not answered, no more than about a request is read. */
Test(stream, a_peer_that_goes_on_sending_is_not_read)
{
	_cleanup_(freep) char *block = calloc(1, 65536);
	struct world w;
	size_t sent = 0;
	int fd;

	world_begin(&w);
	fd = dial(&w);
	say(&w, fd, "{\"method\":\"io.sonde.Status\"}");
	spin(&w);
	memset(block, ' ', 65535);
	for (int full = 0; full < 3;) {
		ssize_t n = send(fd, block, 65536, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += n;
		full = n > 0 ? 0 : full + 1;
		spin(&w);
	}
	cr_assert_gt(sent, VARLINK_MAX_REQUEST);
	cr_assert_lt(sent, 2 * VARLINK_MAX_REQUEST);
	cr_assert_not(call_gone(w.held));
	close(fd);
	spin(&w);
	cr_assert_eq(w.gone, 1);
	cr_assert_eq(server_connections(w.server), 0);
	world_end(&w);
}

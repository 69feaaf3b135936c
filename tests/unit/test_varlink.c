/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>

#include "varlink/frame.h"
#include "varlink/params.h"
#include "varlink/service.h"

static const char interface[] = "interface io.test\n"
				"method Echo(text: string) -> (text: string)\n"
				"error BadArgument (message: string, fix: string)\n";

static cJSON *parse(const char *text)
{
	struct cJSON *json = NULL;
	struct error e = {};

	cr_assert_eq(message_parse(text, strlen(text), &json, &e), 0, "%s: %s", text, e.message);
	return json;
}

/* Frames: three messages and a half one, cut at every pair of places. */
Test(frame, split_everywhere)
{
	static const char bytes[] = "first\0\0third message\0half";
	static const char *const expected[] = {"first", "", "third message"};
	size_t len = sizeof(bytes) - 1;

	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			_cleanup_(frame_freep) struct frame_buffer *f = frame_new(13);
			size_t cuts[] = {0, a, b, len}, got = 0, n;
			const char *text;

			for (int i = 0; i < 3; i++) {
				frame_feed(f, bytes + cuts[i], cuts[i + 1] - cuts[i]);
				while (frame_next(f, &text, &n) > 0) {
					cr_assert_lt(got, 3);
					cr_assert_str_eq(text, expected[got]);
					cr_assert_eq(n, strlen(expected[got]));
					got++;
				}
			}
			cr_assert_eq(got, 3);
			cr_assert_eq(frame_pending(f), 4);
			cr_assert_not(frame_ready(f));
			frame_feed(f, "", 1);
			cr_assert(frame_ready(f));
			cr_assert_eq(frame_next(f, &text, &n), 1);
			cr_assert_str_eq(text, "half");
		}
	}
}

Test(frame, too_long)
{
	/* Without an end, and with one in the same feed: the limit is the same. */
	for (int with_end = 0; with_end < 2; with_end++) {
		_cleanup_(frame_freep) struct frame_buffer *f = frame_new(4);
		const char *text;
		size_t n;

		frame_feed(f,
			   "1234\0"
			   "12345\0ok\0",
			   with_end ? 14 : 10);
		cr_assert_eq(frame_next(f, &text, &n), 1);
		cr_assert_str_eq(text, "1234");
		cr_assert(frame_ready(f));
		cr_assert_eq(frame_next(f, &text, &n), -EMSGSIZE);
		frame_feed(f, "\0ok\0", 4);
		cr_assert_eq(frame_next(f, &text, &n), -EMSGSIZE);
	}
}

static char *repeat(const char *open, size_t count, const char *end)
{
	struct strbuf b = {};

	for (size_t i = 0; i < count; i++)
		strbuf_puts(&b, open);
	strbuf_puts(&b, end);
	return b.data;
}

Test(message, refuses_garbage)
{
	static const char *const bad[] = {
		"",
		"garbage",
		"{",
		"{}}",
		"{} {}",
		"{} x",
		"[]",
		"1",
		"\"x\"",
		"{\"method\":\"a.B\"",
		"{\"method\":\"a.B}",
		"{\"method\":1}",
		"{\"method\":null}",
		"{}",
		"{\"method\":\"a.B\",\"parameters\":[]}",
		"{\"method\":\"a.B\",\"more\":1}",
		"{\"method\":\"a.B\",\"oneway\":\"x\"}",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
		"{\"method\":\"a.\xff\"}",
		"{\"method\":\"a.\xc0\xaf\"}",
		"{\"method\":\"a.\\\xff\"}",
		"{\"method\":\"a.\\u0000B\"}",
		"{\"method\":\"a.\nB\"}",
		"{\x01}",
		"\xef\xbb\xbf{\"method\":\"a.B\"}",
		"{\"method\":\"a.\\ud800\"}",
		"{\"method\":\"a.\\x\"}",
		"{\"method\":\"a.B\",\"parameters\":{\"x\":1,}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct varlink_call *call = NULL;
		struct error e = {};
		int r = varlink_call_decode(bad[i], strlen(bad[i]), &call, &e);

		cr_assert_eq(r, -EBADMSG, "case %zu: %s: %d", i, bad[i], r);
		cr_assert_str_eq(e.name, "BadArgument");
		cr_assert(startswith(e.message, "the message is not Varlink"), "%s", e.message);
		cr_assert_null(call);
	}
}

Test(message, embedded_nul)
{
	struct cJSON *json = NULL;

	cr_assert_eq(message_parse("{}\0{}", 5, &json, NULL), -EBADMSG);
	cr_assert_eq(message_parse("{\"a\":\"x\0y\"}", 11, &json, NULL), -EBADMSG);
}

Test(message, deep_nesting)
{
	struct cJSON *json = NULL;
	struct error e = {};
	char *deep = repeat("{\"a\":", MESSAGE_MAX_DEPTH, "");
	char *deeper = repeat("[", 1000000, "");
	char *good;
	size_t len = strlen(deep) + 1 + MESSAGE_MAX_DEPTH;

	/* 64 levels are good, the 65th is not, and a million are refused at once. */
	good = calloc(1, len + 16);
	strcpy(good, deep);
	strcat(good, "1");
	memset(good + strlen(good), '}', MESSAGE_MAX_DEPTH);
	cr_assert_eq(message_parse(good, len, &json, &e), 0, "%s", e.message);
	message_free_json(json);
	strcpy(good, deep);
	strcat(good, "{}");
	memset(good + strlen(good), '}', MESSAGE_MAX_DEPTH);
	cr_assert_eq(message_parse(good, strlen(good), &json, &e), -EBADMSG);
	cr_assert_not_null(strstr(e.message, "nesting"));
	cr_assert_eq(message_parse(deeper, strlen(deeper), &json, &e), -EBADMSG);
	free(good);
	free(deep);
	free(deeper);
}

Test(message, brackets_and_quotes_in_strings)
{
	_cleanup_(message_free_jsonp) struct cJSON *json =
		parse("{\"a\":\"]]}}\\\"[[\\\\\",\"b\":\"\\\\u0000\"}");

	cr_assert_str_eq(cJSON_GetObjectItem(json, "a")->valuestring, "]]}}\"[[\\");
	cr_assert_str_eq(cJSON_GetObjectItem(json, "b")->valuestring, "\\u0000");
}

Test(message, call_round_trip)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	_cleanup_(varlink_call_freep) struct varlink_call *call = NULL;

	varlink_call_encode(&b, "io.test.Echo", "{\"text\":\"x\"}", VARLINK_CALL_MORE);
	cr_assert_str_eq(b.data, "{\"method\":\"io.test.Echo\",\"parameters\":{\"text\":\"x\"},"
				 "\"more\":true}");
	cr_assert_eq(b.len, strlen(b.data) + 1);
	cr_assert_eq(varlink_call_decode(b.data, b.len - 1, &call, NULL), 0);
	cr_assert_str_eq(call->method, "io.test.Echo");
	cr_assert(call->more && !call->oneway);
	cr_assert_str_eq(cJSON_GetObjectItem(call->parameters, "text")->valuestring, "x");
	strbuf_reset(&b);
	varlink_reply_encode(&b, "{\"n\":1}", 7, true);
	cr_assert_str_eq(b.data, "{\"parameters\":{\"n\":1},\"continues\":true}");
	strbuf_reset(&b);
	varlink_reply_encode(&b, NULL, 0, false);
	cr_assert_str_eq(b.data, "{\"parameters\":{}}");
}

Test(message, call_without_parameters)
{
	static const char *const texts[] = {"{\"method\":\"a.B\"}",
					    "{\"method\":\"a.B\",\"parameters\":null}"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(varlink_call_freep) struct varlink_call *call = NULL;

		cr_assert_eq(varlink_call_decode(texts[i], strlen(texts[i]), &call, NULL), 0);
		cr_assert(cJSON_IsObject(call->parameters));
	}
}

Test(params, values)
{
	_cleanup_(message_free_jsonp) struct cJSON *p = parse(
		"{\"s\":\"x\",\"i\":9007199254740991,\"neg\":-5,\"b\":true,\"f\":1.5,\"none\":null,"
		"\"h\":\"0xffffffffffffffff\",\"ss\":[\"a\",\"b\"],\"is\":[1,2,3],\"o\":{\"k\":1},"
		"\"os\":[{\"k\":1},{\"k\":2}],\"empty\":[]}");
	const char **strings = NULL, *s = NULL;
	const struct cJSON *o = NULL;
	int64_t *ints = NULL, i = 0;
	size_t n = 7;
	uint64_t h = 0;
	double f = 0;
	bool b = false;

	cr_assert_eq(param_string(p, "s", PARAM_REQUIRED, &s, NULL), 1);
	cr_assert_str_eq(s, "x");
	cr_assert_eq(param_int(p, "i", PARAM_REQUIRED, 0, PARAM_INT_MAX, &i, NULL), 1);
	cr_assert_eq(i, PARAM_INT_MAX);
	cr_assert_eq(param_int(p, "neg", PARAM_REQUIRED, -5, 5, &i, NULL), 1);
	cr_assert_eq(i, -5);
	cr_assert_eq(param_bool(p, "b", PARAM_REQUIRED, &b, NULL), 1);
	cr_assert(b);
	cr_assert_eq(param_float(p, "f", PARAM_REQUIRED, &f, NULL), 1);
	cr_assert_eq(f, 1.5);
	cr_assert_eq(param_hex(p, "h", PARAM_REQUIRED, &h, NULL), 1);
	cr_assert_eq(h, UINT64_MAX);
	cr_assert_eq(param_strings(p, "ss", PARAM_REQUIRED, &strings, &n, NULL), 1);
	cr_assert(n == 2 && streq(strings[1], "b"));
	free(strings);
	cr_assert_eq(param_ints(p, "is", PARAM_REQUIRED, 1, 3, &ints, &n, NULL), 1);
	cr_assert(n == 3 && ints[2] == 3);
	free(ints);
	cr_assert_eq(param_ints(p, "empty", PARAM_REQUIRED, 1, 3, &ints, &n, NULL), 1);
	cr_assert(n == 0 && !ints);
	cr_assert_eq(param_object(p, "o", PARAM_REQUIRED, &o, NULL), 1);
	cr_assert_eq(param_int(o, "k", PARAM_REQUIRED, 0, 9, &i, NULL), 1);
	cr_assert_eq(param_objects(p, "os", PARAM_REQUIRED, &o, NULL), 1);
	o = param_next(param_first(o));
	cr_assert_eq(param_int(o, "k", PARAM_REQUIRED, 0, 9, &i, NULL), 1);
	cr_assert_eq(i, 2);
	cr_assert_null(param_next(o));
	/* Absent or null: the default stays. */
	i = 42;
	cr_assert_eq(param_int(p, "none", PARAM_OPTIONAL, 0, 1, &i, NULL), 0);
	cr_assert_eq(param_int(p, "absent", PARAM_OPTIONAL, 0, 1, &i, NULL), 0);
	cr_assert_eq(i, 42);
}

#define ASSERT_BAD(call, text)                                                                     \
	do {                                                                                       \
		struct error e = {};                                                               \
		cr_assert_eq(call, -EINVAL);                                                       \
		cr_assert_str_eq(e.name, "BadArgument");                                           \
		cr_assert_str_eq(e.message, text);                                                 \
	} while (0)

Test(params, errors)
{
	_cleanup_(message_free_jsonp) struct cJSON *p = parse(
		"{\"s\":\"x\",\"big\":9007199254740993,\"f\":1.5,\"ss\":[\"a\",7],\"is\":[1,\"x\"],"
		"\"i\":11,\"h\":\"0x10000000000000000\",\"h2\":\"12\",\"os\":[{},1],\"inf\":1e999,"
		"\"n\":null}");
	const char **strings, *s;
	const struct cJSON *o;
	int64_t *ints, i;
	uint64_t h;
	size_t n;
	double f;
	bool b;

	ASSERT_BAD(param_string(p, "i", PARAM_OPTIONAL, &s, &e), "i: expected string, got int");
	ASSERT_BAD(param_string(p, "q", PARAM_REQUIRED, &s, &e), "q: missing, expected string");
	ASSERT_BAD(param_string(p, "n", PARAM_REQUIRED, &s, &e), "n: missing, expected string");
	ASSERT_BAD(param_int(p, "s", PARAM_REQUIRED, 0, 1, &i, &e), "s: expected int, got string");
	ASSERT_BAD(param_int(p, "f", PARAM_REQUIRED, 0, 1, &i, &e),
		   "f: expected int, got a fraction");
	ASSERT_BAD(param_int(p, "big", PARAM_REQUIRED, 0, PARAM_INT_MAX, &i, &e),
		   "big: expected int, got a number beyond 2^53");
	ASSERT_BAD(param_int(p, "i", PARAM_REQUIRED, 1, 10, &i, &e),
		   "i: 11 is out of range: 1 to 10");
	ASSERT_BAD(param_bool(p, "i", PARAM_REQUIRED, &b, &e), "i: expected bool, got int");
	ASSERT_BAD(param_float(p, "inf", PARAM_REQUIRED, &f, &e),
		   "inf: expected float, got a number beyond 2^53");
	ASSERT_BAD(param_strings(p, "s", PARAM_REQUIRED, &strings, &n, &e),
		   "s: expected an array of strings, got string");
	ASSERT_BAD(param_strings(p, "ss", PARAM_REQUIRED, &strings, &n, &e),
		   "ss[1]: expected string, got int");
	ASSERT_BAD(param_ints(p, "is", PARAM_REQUIRED, 0, 9, &ints, &n, &e),
		   "is[1]: expected int, got string");
	ASSERT_BAD(param_objects(p, "os", PARAM_REQUIRED, &o, &e),
		   "os[1]: expected object, got int");
	ASSERT_BAD(
		param_hex(p, "h2", PARAM_REQUIRED, &h, &e),
		"h2: expected a hexadecimal string like \"0x1f\" of at most 64 bits, got \"12\"");
	cr_assert_eq(param_hex(p, "h", PARAM_REQUIRED, &h, NULL), -EINVAL);
}

static struct varlink_service *make_service(void)
{
	const struct varlink_service_info info = {"sonde", "test", "1", "https://example.org"};
	struct varlink_service *service = NULL;

	cr_assert_eq(varlink_service_new(&info, interface, &service, NULL), 0);
	return service;
}

static void feed_text(struct varlink_peer *peer, const char *text)
{
	cr_assert_eq(varlink_peer_feed(peer, text, strlen(text) + 1), 0);
}

static void assert_output(struct varlink_peer *peer, const char *expected)
{
	const char *data;
	size_t len;

	varlink_peer_output(peer, &data, &len);
	cr_assert_eq(len, strlen(expected) + 1, "%s", data);
	cr_assert_str_eq(data, expected);
	varlink_peer_sent(peer, len);
	cr_assert_eq(varlink_peer_backlog(peer), 0);
}

Test(server, calls_in_order)
{
	_cleanup_(varlink_peer_freep) struct varlink_peer *peer =
		varlink_peer_new("io.test", 200, 80);
	const struct varlink_call *call = NULL;
	struct error e = {};

	error_set(&e, ESRCH, "NoSuchProcess", "no process 7");
	error_fix(&e, "look");
	cr_assert_eq(varlink_peer_reply(peer, "{}", 2, false), -EPROTO);
	feed_text(peer, "{\"method\":\"a.One\"}");
	feed_text(peer, "{\"method\":\"a.Two\",\"more\":true}");
	feed_text(peer, "{\"method\":\"a.Three\",\"oneway\":true}");
	feed_text(peer, "{\"method\":\"a.Four\"}");
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
	cr_assert_str_eq(call->method, "a.One");
	/* One at a time; and no stream for who did not ask for one. */
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 0);
	cr_assert_eq(varlink_peer_reply(peer, "{}", 2, true), -EPROTO);
	cr_assert_eq(varlink_peer_reply(peer, "{\"x\":1}", 7, false), 0);
	assert_output(peer, "{\"parameters\":{\"x\":1}}");
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
	cr_assert_str_eq(call->method, "a.Two");
	cr_assert_eq(varlink_peer_reply(peer, "{}", 2, true), 0);
	cr_assert_not(varlink_peer_congested(peer));
	cr_assert_eq(varlink_peer_reply(peer, "{}", 2, true), 0);
	cr_assert_eq(varlink_peer_reply(peer, "{}", 2, true), 0);
	cr_assert(varlink_peer_congested(peer));
	varlink_peer_sent(peer, 1000);
	cr_assert_eq(varlink_peer_reply_error(peer, &e), 0);
	assert_output(peer, "{\"error\":\"io.test.NoSuchProcess\",\"parameters\":"
			    "{\"message\":\"no process 7\",\"fix\":\"look\"}}");
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
	cr_assert(call->oneway);
	cr_assert_eq(varlink_peer_reply_error(peer, &e), 0);
	cr_assert_eq(varlink_peer_backlog(peer), 0);
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
	cr_assert_str_eq(call->method, "a.Four");
}

Test(server, refuses_and_closes)
{
	static const char *const bad[] = {"garbage", "{\"method\":1}", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(varlink_peer_freep) struct varlink_peer *peer =
			varlink_peer_new("io.test", 100, 100);
		const struct varlink_call *call = NULL;
		struct error e = {};
		char *text = bad[i] ? strdup(bad[i]) : repeat("x", 101, "");
		const char *out;
		size_t len;

		feed_text(peer, text);
		cr_assert_eq(varlink_peer_next_call(peer, &call, &e),
			     bad[i] ? -EBADMSG : -EMSGSIZE);
		cr_assert_str_eq(e.name, "BadArgument");
		cr_assert(varlink_peer_closing(peer));
		cr_assert_not(varlink_peer_wants_input(peer));
		varlink_peer_output(peer, &out, &len);
		cr_assert(startswith(out, "{\"error\":\"io.test.BadArgument\""), "%s", out);
		feed_text(peer, "{\"method\":\"a.B\"}");
		cr_assert_eq(varlink_peer_next_call(peer, &call, &e), 0);
		free(text);
	}
}

Test(server, greedy_peer_is_not_read)
{
	_cleanup_(varlink_peer_freep) struct varlink_peer *peer =
		varlink_peer_new("io.test", 64, 64);
	const struct varlink_call *call;

	cr_assert(varlink_peer_wants_input(peer));
	feed_text(peer, "{\"method\":\"a.B\"}");
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
	cr_assert(varlink_peer_wants_input(peer));
	for (int i = 0; i < 4; i++)
		feed_text(peer, "{\"method\":\"a.B\"}");
	cr_assert_not(varlink_peer_wants_input(peer));
	varlink_peer_reply(peer, "{}", 2, false);
	cr_assert(varlink_peer_wants_input(peer));
}

Test(service, dispatch)
{
	static const struct {
		const char *call, *reply;
	} cases[] = {
		{"{\"method\":\"org.varlink.service.GetInfo\"}",
		 "{\"parameters\":{\"vendor\":\"sonde\",\"product\":\"test\",\"version\":\"1\","
		 "\"url\":\"https://example.org\",\"interfaces\":[\"org.varlink.service\","
		 "\"io.test\"]}}"},
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
		 "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
		 "\"parameter\":"
		 "\"interface\"}}"},
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
		 "{\"interface\":\"x.y\"}}",
		 "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{"
		 "\"interface\":"
		 "\"x.y\"}}"},
		{"{\"method\":\"io.other.Echo\"}",
		 "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{"
		 "\"interface\":"
		 "\"io.other\"}}"},
		{"{\"method\":\"io.test.Gone\"}",
		 "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":"
		 "\"io.test.Gone\"}}"},
		{"{\"method\":\"Echo\"}", "{\"error\":\"org.varlink.service.InvalidParameter\","
					  "\"parameters\":{\"parameter\":"
					  "\"method\"}}"},
		{"{\"method\":\"io.test.Echo\",\"parameters\":{\"text\":1}}",
		 "{\"error\":\"io.test.BadArgument\",\"parameters\":{\"message\":\"text: expected "
		 "string, got int\",\"fix\":\"\"}}"},
	};
	_cleanup_(varlink_service_freep) struct varlink_service *service = make_service();
	_cleanup_(varlink_peer_freep) struct varlink_peer *peer =
		varlink_peer_new("io.test", VARLINK_MAX_REQUEST, VARLINK_HIGH_WATER);
	const struct varlink_call *call;
	const char *method = NULL, *out;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		feed_text(peer, cases[i].call);
		cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
		cr_assert_eq(varlink_service_handle(service, peer, &method), 1);
		assert_output(peer, cases[i].reply);
	}
	feed_text(peer, "{\"method\":\"io.test.Echo\",\"parameters\":{\"text\":\"x\"}}");
	cr_assert_eq(varlink_peer_next_call(peer, &call, NULL), 1);
	cr_assert_eq(varlink_service_handle(service, peer, &method), 0);
	cr_assert_str_eq(method, "Echo");
	cr_assert_eq(varlink_service_not_implemented(peer), 0);
	varlink_peer_output(peer, &out, &len);
	cr_assert_not_null(strstr(out, "MethodNotImplemented"));
	cr_assert_eq(varlink_service_not_implemented(peer), -EPROTO);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input's first byte chooses what the rest is: bytes of a connection, cut at places that
 * depend on the input, whose calls are checked against an interface and answered; or an interface,
 * whose text must be stable once formatted.
 */
#include <stdint.h>

#include "varlink/frame.h"
#include "varlink/params.h"
#include "varlink/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char description[] =
	"interface io.fuzz\n"
	"type Kind (cpu, offcpu)\n"
	"type Selectors (pids: ?[]int, comm: ?string, all: ?bool, inner: ?Selectors)\n"
	"method Ping(text: string) -> (text: string)\n"
	"method Run(kind: Kind, selectors: ?Selectors, limits: [string]?float, raw: ?object, hex: "
	"?string) -> ()\n"
	"error BadArgument (message: string, fix: string)\n";

static void read_params(const struct cJSON *params)
{
	const struct cJSON *object = NULL;
	const char *text = NULL;
	_cleanup_(freep) int64_t *ints = NULL;
	_cleanup_(freep) const char **strings = NULL;
	size_t count = 0;
	struct error e = {};
	uint64_t hex = 0;

	if (param_string(params, "text", PARAM_REQUIRED, &text, &e) > 0 && !text)
		abort();
	param_hex(params, "hex", PARAM_OPTIONAL, &hex, &e);
	param_strings(params, "comm", PARAM_OPTIONAL, &strings, &count, &e);
	if (param_object(params, "selectors", PARAM_OPTIONAL, &object, &e) > 0)
		param_ints(object, "pids", PARAM_REQUIRED, 0, 1 << 22, &ints, &count, &e);
	for (size_t i = 0; ints && i < count; i++)
		if (ints[i] < 0 || ints[i] > 1 << 22)
			abort();
}

static void answer_calls(const struct varlink_service *service, struct varlink_peer *peer)
{
	const struct varlink_call *call;
	struct error e = {};

	while (varlink_peer_next_call(peer, &call, &e) > 0) {
		const char *method = NULL, *out;
		size_t len;

		read_params(call->parameters);
		if (varlink_service_handle(service, peer, &method) == 0)
			varlink_peer_reply(peer, "{}", 2, false);
		if (varlink_peer_call(peer))
			abort();
		varlink_peer_output(peer, &out, &len);
		varlink_peer_sent(peer, len / 2 + 1);
	}
}

static void fuzz_connection(const uint8_t *data, size_t size)
{
	static struct varlink_service *service;
	const struct varlink_service_info info = {"v", "p", "1", "u"};
	struct varlink_peer *peer = varlink_peer_new("io.fuzz", 2048, 512);

	if (!service && varlink_service_new(&info, description, &service, NULL) < 0)
		abort();
	for (size_t at = 0; at < size;) {
		size_t n = MIN((size_t)data[at] % 61 + 1, size - at);

		varlink_peer_feed(peer, data + at, n);
		answer_calls(service, peer);
		at += n;
	}
	varlink_peer_free(peer);
}

static void fuzz_interface(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	_cleanup_(idl_freep) struct idl *first = NULL;
	_cleanup_(idl_freep) struct idl *second = NULL;
	_cleanup_(strbuf_release) struct strbuf once = {};
	_cleanup_(strbuf_release) struct strbuf twice = {};

	if (idl_parse(text, &first, NULL) < 0)
		return;
	idl_format(first, &once);
	if (idl_parse(once.data, &second, NULL) < 0)
		abort();
	idl_format(second, &twice);
	if (!streq(once.data, twice.data))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		fuzz_interface(data + 1, size - 1);
	else
		fuzz_connection(data + 1, size - 1);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the input as a signature of a recording: its text, a NUL, then the values of a call. */
#include <stdint.h>

#include "probe/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void each(void *arg, const char *name, const char *text)
{
	*(size_t *)arg += strlen(name) + strlen(text);
}

static void show(const struct signature *s, const uint8_t *values, size_t len)
{
	static const uint64_t args[RECORD_ARGS] = {0, 1, UINT64_MAX, 'x', 1ULL << 63, 0x85};
	struct strbuf out _cleanup_(strbuf_release) = {};
	struct call_values v = {.args = args,
				.values = values,
				.values_len = len,
				.valid = UINT64_MAX,
				.ret = (uint64_t)-2,
				.flags = SPAN_ARGS | SPAN_VALUES};
	size_t total = 0;
	uint8_t result;

	signature_print_args(s, &v, &out);
	signature_print_result(s, &v, &out);
	signature_print_type(s, "f", &out);
	signature_each(s, &v, each, &total);
	signature_error_rule(s, &result);
	/* Nothing that a terminal would obey. */
	for (size_t i = 0; i < out.len; i++)
		if ((unsigned char)out.data[i] < 0x20 || out.data[i] == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signature *s _cleanup_(signature_freep) = NULL;
	struct signature *again _cleanup_(signature_freep) = NULL;
	struct expr_step step = {.member = "n"};
	char name[] = "args.n";
	struct expr_ref ref = {.steps = &step, .n_steps = 1, .column = 1, .text = name};
	struct expr_binding binding;
	char *text _cleanup_(freep) = strndup((const char *)data, size);
	char *first _cleanup_(freep) = NULL, *second _cleanup_(freep) = NULL;
	size_t used;

	if (!text || signature_decode(text, &s) < 0)
		return 0;
	used = MIN(strlen(text) + 1, size);
	show(s, data + used, size - used);
	signature_bind(s, &ref, &binding, NULL);
	first = signature_encode(s);
	if (!first || signature_decode(first, &again) < 0)
		abort();
	second = signature_encode(again);
	if (!second || !streq(first, second) ||
	    signature_values_len(s) != signature_values_len(again))
		abort();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A model with spans for the tests of conditions and of spans as text. */
#ifndef SONDE_TESTS_CONTROL_HISTORY_H
#define SONDE_TESTS_CONTROL_HISTORY_H

#include <criterion/criterion.h>

#include "probe/signature.h"
#include "query/spans.h"

/* Three functions, the third called by the first, of which nothing is known but for the second. */
struct history {
	struct model *m;
	uint32_t process, paths[4];
};

static const char *const history_names[] = {"open_table", "look_up", "parse"};

static inline struct history make_history(const char *signature_of_look_up)
{
	struct history h = {};
	struct model_process *p;

	cr_assert_eq(model_new(&h.m), 0);
	h.process = model_process(h.m, 4711, 5);
	p = model_process_get(h.m, h.process);
	p->uid = 1000;
	p->cgroup = model_string(h.m, "/system.slice/app.service");
	for (int i = 0; i < 3; i++) {
		struct model_probe probe = {.name = model_string(h.m, history_names[i]),
					    .symbol = model_string(h.m, history_names[i]),
					    .file = model_file(h.m, NULL, "/usr/bin/app", 0)};

		if (i == 1 && signature_of_look_up)
			probe.signature = model_string(h.m, signature_of_look_up);
		h.paths[i] = model_path(h.m, 0, model_probe(h.m, &probe));
	}
	h.paths[3] = model_path(h.m, h.paths[0], 3);
	return h;
}

static inline struct span_row row_of(const struct history *h, int path)
{
	return (struct span_row){
		.span = {.start_ns = 1000000,
			 .duration_ns = 5000000,
			 .self_ns = 2000000,
			 .ret = (uint32_t)-2,
			 .process = h->process,
			 .tid = 4712,
			 .path = h->paths[path],
			 .depth = path == 3},
		.pid = 4711,
		.comm = "app",
		.name = history_names[path == 3 ? 2 : path],
		.binary = "app",
		.caller = path == 3 ? history_names[0] : "",
	};
}

/* The values of a call of look_up(). */
struct history_values {
	uint32_t len;
	char text[RECORD_MAX_VALUES / 4 + 12];
};

static inline struct history_values history_text(const char *text)
{
	struct history_values v = {.len = (uint32_t)strlen(text)};

	memcpy(v.text, text, v.len);
	return v;
}

/* Of int look_up(const char *table, unsigned int flags); the caller frees it. */
static inline char *history_signature(void)
{
	static const struct ctype character = {.kind = CTYPE_CHAR, .name = "char", .size = 1};
	static const struct ctype text = {
		.kind = CTYPE_POINTER, .name = "const char *", .size = 8, .target = &character};
	static const struct ctype number = {.kind = CTYPE_UINT, .name = "unsigned int", .size = 4};
	static const struct ctype ret = {
		.kind = CTYPE_INT, .is_signed = true, .name = "int", .size = 4};
	struct function_param params[] = {{.name = "table", .type = &text, .reg = 0},
					  {.name = "flags", .type = &number, .reg = 1}};
	struct function_type type = {
		.name = "look_up", .params = params, .n_params = 2, .ret = &ret, .file = ""};
	struct signature *s = NULL;
	struct error e = {};
	char *encoded;

	cr_assert_eq(signature_new(&type, 0, NULL, 0, &s), 0);
	cr_assert_eq(signature_capture_strings(s, &e), 0, "%s", e.message);
	signature_freeze(s);
	cr_assert_leq(signature_values_len(s), sizeof(struct history_values));
	encoded = signature_encode(s);
	signature_free(s);
	return encoded;
}

#endif

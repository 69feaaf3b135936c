/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans as text: calls, results, exceptions, stacks; frames are named once. */
#include "control/answer.h"
#include "control/span_text.h"
#include "control_history.h"
#include "sonde/base/strbuf.h"

static void write_row(struct span_texts *texts, const struct span_row *row, struct strbuf *out)
{
	const struct answer_span_options options = {.args = true, .texts = texts};
	struct json_writer w;

	strbuf_reset(out);
	json_begin(&w, out);
	answer_span(&w, row, &options);
	cr_assert_eq(strbuf_error(out), 0);
}

static void expect(const struct strbuf *out, const char *words)
{
	cr_expect(strstr(out->data, words), "no %s in: %s", words, out->data);
}

Test(span_text, calls_and_results)
{
	_cleanup_(freep) char *signature = history_signature();
	_cleanup_(strbuf_release) struct strbuf out = {};
	const uint64_t args[RECORD_ARGS] = {0x1000, 3};
	struct history_values values = history_text("orders");
	struct history h = make_history(signature);
	struct span_row row = row_of(&h, 1), other = row_of(&h, 0);
	struct span_texts *t = NULL;

	cr_assert_eq(span_texts_new(h.m, &t), 0);
	row.more = (struct span_more){.args = args,
				      .valid = 1,
				      .offcpu_ns = 77,
				      .values = (const uint8_t *)&values,
				      .values_len = sizeof(values)};
	for (int i = 0; i < 2; i++) { /* decoded, then known */
		write_row(t, &row, &out);
		expect(&out, "\"args\":{\"table\":\"orders\",\"flags\":\"3\"}");
		expect(&out,
		       "\"call\":\"table=\\\"orders\\\", flags=3\",\"result\":\"-2 (ENOENT)\","
		       "\"offcpu_ns\":77}");
	}
	row.span.flags = SPAN_UNWOUND;
	row.more.exception_type = model_string(h.m, "std::runtime_error");
	row.more.exception_message = model_string(h.m, "no such table");
	write_row(t, &row, &out);
	expect(&out, "\"result\":\"\"");
	expect(&out,
	       "\"exception\":{\"type\":\"std::runtime_error\",\"message\":\"no such table\"}");
	row.more = (struct span_more){};
	write_row(t, &row, &out);
	cr_expect_null(strstr(out.data, "\"call\""), "what was not kept is not shown: %s",
		       out.data);

	/* Nothing is known of the other function. */
	other.more.args = args;
	write_row(t, &other, &out);
	expect(&out, "\"args\":{\"arg0\":\"0x1000\",\"arg1\":\"0x3\"");
	cr_expect(!strstr(out.data, "\"call\"") && !strstr(out.data, "\"result\""));
	cr_expect_null(span_texts_signature(t, h.paths[0]));
	cr_expect_null(span_texts_signature(t, 999));
	span_texts_free(t);
	model_free(h.m);
}

static char *resolve(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	char *name = NULL;

	(void)file;
	++*(int *)arg;
	if (offset == 0x30)
		return NULL;
	return asprintf(&name, "f%llx", (unsigned long long)offset + strlen(path)) < 0 ? NULL
										       : name;
}

Test(span_text, stacks_leaf_first)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct history h = make_history(NULL);
	struct span_row rows[3];
	struct span_texts *t = NULL;
	struct unnamed_frames *u = NULL;
	uint32_t stack = 0, file = model_file(h.m, NULL, "/lib/libx.so", 0), frame;
	int resolved = 0;

	for (uint64_t at = 0x10; at <= 0x30; at += 0x10)
		stack = model_stack(h.m, stack, model_frame(h.m, file, at));
	frame = model_frame(h.m, FILE_ID_KERNEL, 0x40);
	model_frame_get(h.m, frame)->function = model_string(h.m, "vfs_read");
	for (int i = 0; i < 3; i++)
		rows[i] = row_of(&h, i);
	rows[0].more.stack = stack;
	/* The same frame, called by another one. */
	rows[1].more.stack =
		model_stack(h.m, model_stack(h.m, 0, frame), model_frame(h.m, file, 0x10));
	rows[2].more.stack = model_stack(h.m, stack, frame);
	cr_assert_eq(span_texts_new(h.m, &t), 0);
	write_row(t, &rows[0], &out);
	expect(&out, "\"stack\":[\"[unknown]\",\"[unknown]\",\"[unknown]\"]");
	cr_assert_eq(span_texts_unnamed(t, rows, 3, &u), 0);
	cr_assert_not_null(u);
	cr_assert_eq(unnamed_frames_resolve(u, resolve, &resolved), 0);
	cr_expect_eq(resolved, 3, "%d frames: each once, none that has a name", resolved);
	cr_assert_eq(span_texts_learn(t, u), 0);
	unnamed_frames_free(u);
	write_row(t, &rows[2], &out);
	expect(&out, "\"stack\":[\"vfs_read [kernel]\",\"[libx.so+0x30]\",\"f2c [libx.so]\","
		     "\"f1c [libx.so]\"]");
	u = NULL;
	cr_assert_eq(span_texts_unnamed(t, rows, 3, &u), 0);
	cr_expect_null(u, "all are known");
	span_texts_free(t);
	model_free(h.m);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source lines of a recording, as a question about a time reads them. */
#include "sonde/base/strbuf.h"
#include "store/history_load.h"
#include "store_help.h"

TestSuite(store_lines, .init = make_dir, .fini = remove_dir);

/* "path+offset function: function source:line, …" of a frame; NULL: it has no lines. */
static char *text_of(struct model *m, uint32_t frame)
{
	const struct model_frame *f = model_frame_peek(m, frame);
	const struct model_file *of = model_file_get(m, f->file);
	_cleanup_(strbuf_release) struct strbuf out = {};
	size_t n = 0;
	const struct model_line *lines = model_lines_get(m, frame, &n);

	if (!lines)
		return NULL;
	strbuf_printf(&out, "%s/%02x+%llu %s:", model_string_get(m, of->path), of->build_id[1],
		      (unsigned long long)f->offset, model_string_get(m, f->function));
	for (size_t i = 0; i < n; i++)
		strbuf_printf(&out, " %u %s %s:%u,", lines[i].level,
			      model_string_get(m, lines[i].function),
			      model_string_get(m, lines[i].source), lines[i].line);
	return TAKE_PTR(out.data);
}

static bool has(struct model *m, const char *text)
{
	struct model_counts counts;

	model_counts(m, &counts);
	for (uint32_t id = 1; id <= counts.frames; id++) {
		_cleanup_(freep) char *own = text_of(m, id);

		if (own && streq(own, text))
			return true;
	}
	return false;
}

Test(store_lines, of_a_part_are_those_of_the_whole)
{
	const struct history_range range = {.samples = true, .kind = SAMPLE_CPU};
	struct history_part part = {};
	struct store_reader *r = NULL;
	struct model *whole = NULL, *m = NULL;
	struct model_counts counts;
	struct recorded rec;
	struct error e = {};
	size_t n = 0;

	record(&rec, 4);
	cr_assert_eq(model_new(&whole), 0);
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, whole, &e, &r), 0, "%s", e.message);
	cr_assert_eq(history_load(file, &range, m, &e, &part), 0, "%s", e.message);
	model_counts(m, &counts);
	for (uint32_t id = 1; id <= counts.frames; id++) {
		_cleanup_(freep) char *text = text_of(m, id);

		if (!text)
			continue;
		cr_expect(has(whole, text), "%s", text);
		n++;
	}
	cr_expect_gt(n, 0, "no frame has lines");
	history_part_release(&part);
	store_reader_free(r);
	model_free(whole);
	model_free(m);
	end(&rec);
}

Test(store_lines, bad_rows_are_noticed)
{
	static const char *const changes[] = {
		"UPDATE frame_line SET level = -1",
		"UPDATE frame_line SET level = 1",
		"UPDATE frame_line SET level = 1 << 32",
		"UPDATE frame_line SET function = 99999",
		"UPDATE frame_line SET source = -1",
		"UPDATE frame_line SET line = 1 << 32",
		"UPDATE file SET flags = 1",
	};
	const struct history_range range = {.samples = true, .kind = SAMPLE_CPU};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct history_part part = {};
		struct recorded rec;
		struct model *m = NULL;
		struct error e = {};

		record(&rec, 4);
		change(changes[i]);
		cr_assert_eq(model_new(&m), 0);
		cr_expect_eq(history_load(file, &range, m, &e, &part), -EBADMSG, "%s", changes[i]);
		cr_expect_str_eq(e.name, "BadFile");
		history_part_release(&part);
		model_free(m);
		end(&rec);
		unlink(file);
	}
}

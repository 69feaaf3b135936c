/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files lack symbols or lines, and how many samples that is about. */
#include <criterion/criterion.h>

#include "query/missing.h"

TestSuite(query_missing, .timeout = 60);

/* Offsets from here on have names. */
enum { NAMED = 0x1000 };

static char *name(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	(void)arg;
	(void)file;
	(void)path;
	return offset >= NAMED ? strdup("f") : NULL;
}

/* The first byte of a build-id says what is known of its lines. */
static enum query_lines lines(void *arg, const struct model_file *file)
{
	cr_assert_null(arg);
	return (enum query_lines)(file->build_id[0] & 0xf);
}

struct made {
	struct model *m;
	struct window w;
	uint32_t process;
};

static void made_release(struct made *t)
{
	model_free(t->m);
	window_release(&t->w);
}

static void begin(struct made *t)
{
	cr_assert_eq(model_new(&t->m), 0);
	t->process = model_process(t->m, 1, 1);
}

static uint32_t file(struct made *t, uint8_t number, enum query_lines state, const char *path,
		     uint32_t flags)
{
	const uint8_t id[BUILD_ID_LEN] = {(uint8_t)(0x10 | state), number};

	return model_file(t->m, id, path, flags);
}

/* A stack of pairs of file and offset, ended by file 0; that many samples. */
static void add(struct made *t, uint64_t count, const uint32_t *frames)
{
	uint32_t stack = 0;

	for (; frames[0]; frames += 2)
		stack = model_stack(t->m, stack, model_frame(t->m, frames[0], frames[1]));
	cr_assert_eq(window_add_sample(&t->w, t->process, 0, stack, count), 0);
}

static struct snapshot *take(struct made *t)
{
	const struct window *windows[] = {&t->w};
	struct snapshot *s = NULL;

	cr_assert_eq(snapshot_take(t->m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10, &s),
		     0);
	cr_assert_eq(snapshot_name_frames(s, name, NULL), 0);
	return s;
}

static void expect(const struct missing *m, size_t i, const char *path, uint64_t samples,
		   const char *what)
{
	cr_assert_gt(m->n_rows, i);
	cr_expect_str_eq(m->rows[i].path, path);
	cr_expect_eq(m->rows[i].samples, samples, "%s: %llu", path,
		     (unsigned long long)m->rows[i].samples);
	cr_expect_str_eq(missing_name(m->rows[i].what), what, "%s", path);
}

Test(query_missing, files_by_samples)
{
	_cleanup_(made_release) struct made t = {};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(missing_freep) struct missing *m = NULL;
	uint32_t bare, plain, whole, gone, late, late_named, lined;

	begin(&t);
	bare = file(&t, 1, LINES_NONE, "/bare", 0);
	plain = file(&t, 2, LINES_NONE, "/plain", 0);
	whole = file(&t, 3, LINES_READ, "/whole", 0);
	gone = file(&t, 4, LINES_NO_FILE, "/gone", 0);
	late = file(&t, 5, LINES_UNKNOWN, "/late", 0);
	late_named = file(&t, 6, LINES_UNKNOWN, "/late-named", 0);
	lined = file(&t, 7, LINES_NO_FILE, "/lined", 0);
	/* Several frames of a file in a stack are one sample; main has a name, what it calls not.
	 */
	add(&t, 10, (uint32_t[]){bare, NAMED, bare, 1, plain, NAMED, bare, 2, 0});
	add(&t, 3, (uint32_t[]){whole, 5, plain, NAMED + 1, 0});
	add(&t, 2, (uint32_t[]){gone, NAMED, 0});
	add(&t, 4, (uint32_t[]){late, 1, late_named, NAMED, 0});
	add(&t, 5, (uint32_t[]){lined, NAMED, 0});
	s = take(&t);
	/* Of a recording that has them. */
	for (size_t i = 0; i < s->n_frames; i++)
		if (streq(s->frames[i].file_path, "/lined"))
			s->frames[i].line = 7;
	cr_assert_eq(query_missing(s, lines, NULL, &m), 0);
	cr_expect_eq(m->n_rows, 4);
	expect(m, 0, "/plain", 13, "debuginfo");
	expect(m, 1, "/bare", 10, "symbols");
	expect(m, 2, "/late", 4, "symbols");
	expect(m, 3, "/gone", 2, "file");
	cr_expect_eq(m->total_samples, 24);
}

Test(query_missing, one_file_by_two_paths_and_ties)
{
	_cleanup_(made_release) struct made t = {};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(missing_freep) struct missing *m = NULL;
	uint32_t a, a_too, b;

	begin(&t);
	b = file(&t, 2, LINES_NONE, "/b", 0);
	a = file(&t, 1, LINES_NONE, "/a", 0);
	a_too = file(&t, 1, LINES_NONE, "/container/a", 0);
	add(&t, 1, (uint32_t[]){a, 1, b, 1, a_too, 2, 0});
	add(&t, 1, (uint32_t[]){a_too, 2, 0});
	add(&t, 1, (uint32_t[]){b, 2, 0});
	s = take(&t);
	cr_assert_eq(query_missing(s, lines, NULL, &m), 0);
	cr_expect_eq(m->n_rows, 2);
	expect(m, 0, "/a", 2, "symbols");
	expect(m, 1, "/b", 2, "symbols");
}

Test(query_missing, what_no_server_can_know)
{
	_cleanup_(made_release) struct made t = {};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(missing_freep) struct missing *m = NULL;

	begin(&t);
	add(&t, 1, (uint32_t[]){file(&t, 1, LINES_NONE, "/hash", FILE_CONTENT_HASH), 1, 0});
	add(&t, 1, (uint32_t[]){file(&t, 2, LINES_NONE, "[vdso]", FILE_SPECIAL), 1, 0});
	add(&t, 1, (uint32_t[]){file(&t, 3, LINES_NONE, "//anon", 0), 1, 0});
	add(&t, 1, (uint32_t[]){file(&t, 4, LINES_NONE, "/x.py", FILE_PYTHON), 1, 0});
	add(&t, 1, (uint32_t[]){model_file(t.m, NULL, "/no-id", 0), 1, 0});
	add(&t, 1, (uint32_t[]){FILE_ID_KERNEL, 1, 0});
	add(&t, 1, (uint32_t[]){0});
	s = take(&t);
	cr_assert_eq(query_missing(s, lines, NULL, &m), 0);
	cr_expect_eq(m->n_rows, 0);
	cr_expect_eq(m->total_samples, 7);
}

Test(query_missing, nothing_at_all)
{
	_cleanup_(made_release) struct made t = {};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(missing_freep) struct missing *m = NULL;

	begin(&t);
	s = take(&t);
	cr_assert_eq(query_missing(s, lines, NULL, &m), 0);
	cr_expect_eq(m->n_rows, 0);
	cr_expect_eq(m->total_samples, 0);
}

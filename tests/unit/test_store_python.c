/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Python frames in recordings: their names are part of what they are, and come with them. */
#include "store_help.h"

TestSuite(store_python, .init = make_dir, .fini = remove_dir);

static char *never(void *arg, const struct model_file *f, const char *path, uint64_t offset)
{
	(void)arg;
	(void)offset;
	cr_assert_not(f->flags & FILE_PYTHON, "%s was asked for", path);
	return NULL;
}

/* A stack of two functions on one line of one file, in a window; the names in a window before. */
static void write_stack(struct store_writer *w, struct model *m, struct store_marks *marks)
{
	const struct store_names names = {.resolve = never, .symbol = never};
	uint32_t process = model_process(m, 77, 5), source, f, g, stack;
	struct error e = {};

	for (int i = 0; i < 2; i++) {
		struct store_batch *b = NULL;
		struct window window = {.start_ns = 10, .end_ns = 20};

		f = model_string(m, "f");
		g = model_string(m, "Class.g");
		source = model_file(m, NULL, "/a/b.py", FILE_PYTHON);
		if (i == 1) {
			stack = model_stack(m, 0, model_named_frame(m, source, 7, f));
			stack = model_stack(m, stack, model_named_frame(m, source, 7, g));
			cr_assert_eq(window_add_sample(&window, process, f, stack, 3), 0);
		}
		cr_assert_eq(store_batch_new(m, &window, marks, &b), 0);
		cr_assert_eq(store_write(w, b, &names, &e), 0, "%s", e.message);
		store_batch_free(b);
	}
}

static void expect_frame(const struct model *m, uint32_t stack, const char *name)
{
	const struct model_frame *f = model_frame_peek(m, model_stack_get(m, stack)->frame);

	cr_assert_str_eq(model_string_get(m, f->function), name);
	cr_assert_eq(f->offset, 7);
	cr_assert_eq(model_file_get(m, f->file)->flags, FILE_PYTHON);
	cr_assert_str_eq(model_string_get(m, model_file_get(m, f->file)->path), "/a/b.py");
}

Test(store_python, functions_on_one_line)
{
	struct store_writer *w = create();
	struct store_reader *r = NULL;
	struct store_marks marks = {};
	struct model *m = NULL, *again = NULL;
	struct model_counts counts;
	struct error e = {};

	cr_assert_eq(model_new(&m), 0);
	write_stack(w, m, &marks);
	cr_assert_eq(store_close(w, 1, &e, NULL), 0, "%s", e.message);
	cr_assert_eq(model_new(&again), 0);
	cr_assert_eq(store_open(file, again, &e, &r), 0, "%s", e.message);
	model_counts(again, &counts);
	cr_assert_eq(counts.frames, 2);
	cr_assert_eq(counts.stacks, 2);
	expect_frame(again, 1, "f");
	expect_frame(again, 2, "Class.g");
	store_reader_free(r);
	model_free(again);
	model_free(m);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inlined functions in stacks, reports and graphs. */
#include <criterion/criterion.h>

#include "query/inlined.h"
#include "query/query.h"

TestSuite(query_inlined, .timeout = 60);

enum { DEEP = 'd', PLAIN = 'p', UNKNOWN = 'u', OTHER = 'o' };

struct asked {
	size_t batches, offsets;
	int result;
	bool recorded; /* what get() says is in the model, and more */
};

static int prepare(void *arg, const struct model_file *file, const char *path,
		   const uint64_t *offsets, size_t n)
{
	struct asked *asked = arg;

	cr_assert(path[0] == '/' && file->build_id[0]);
	asked->batches++;
	asked->offsets += n;
	for (size_t i = 1; i < n; i++)
		cr_assert_leq(offsets[i - 1], offsets[i]);
	return asked->result;
}

/* At DEEP d2 is inlined into d1 and that into d, at PLAIN there is the function alone. */
static int get(void *arg, const struct model_file *file, uint64_t offset, size_t depth,
	       struct source_line *ret)
{
	size_t n = offset == DEEP ? 3 : offset == PLAIN ? 1 : 0;
	char name[] = {(char)offset, (char)('2' - depth), '\0'};

	cr_assert(arg && file);
	if (depth >= n)
		return 0;
	if (depth + 1 == n)
		name[1] = '\0';
	*ret = (struct source_line){strdup(name), strdup("/src/a.c"), (uint32_t)(10 + depth)};
	return 1;
}

static uint32_t stack_of(struct model *m, const uint32_t *files, const char *offsets)
{
	uint32_t stack = 0;

	for (size_t i = 0; offsets[i]; i++)
		stack = model_stack(m, stack, model_frame(m, files[i], offsets[i]));
	return stack;
}

static char *show(void *arg, const char *symbol)
{
	char *name = NULL;

	cr_assert_not_null(arg);
	return asprintf(&name, "%s!", symbol) < 0 ? NULL : name;
}

static void add_line(struct model *m, uint32_t frame, uint32_t level, const char *function,
		     const char *source, uint32_t line)
{
	const struct model_line l = {
		.function = function ? model_string(m, function) : 0,
		.source = source ? model_string(m, source) : 0,
		.line = line,
	};

	cr_assert_eq(model_line_append(m, frame, level, &l), 0);
}

/* Two functions inlined, one without a name; and a frame of which there is a name only. */
static void record_lines(struct model *m, uint32_t deep, uint32_t plain)
{
	cr_assert_eq(model_line_append(m, deep, 1, &(struct model_line){}), -EINVAL);
	add_line(m, deep, 0, "d", "/src/a.c", 12);
	add_line(m, deep, 1, NULL, "/src/a.c", 11);
	cr_assert_eq(model_line_append(m, deep, 3, &(struct model_line){}), -EINVAL);
	add_line(m, deep, 2, "d2", "/src/a.c", 10);
	cr_assert_eq(model_line_append(m, deep, 0, &(struct model_line){}), -EINVAL);
	add_line(m, plain, 0, "p", NULL, 0);
	cr_assert_eq(model_line_append(m, deep, 1, &(struct model_line){}), -EINVAL);
	cr_assert_eq(model_line_append(m, plain + 100, 0, &(struct model_line){}), -EINVAL);
}

/* main(p) calls DEEP calls PLAIN; DEEP alone; UNKNOWN calls DEEP; all in one file, and in others.
 */
static struct snapshot *take(struct asked *asked, bool named_too)
{
	_cleanup_(model_freep) struct model *m = NULL;
	struct window w = {};
	const struct window *windows[] = {&w};
	const struct source_lines lines = {prepare, get, asked, show};
	struct snapshot *s = NULL;
	const uint8_t id[BUILD_ID_LEN] = {1};
	uint32_t a, anon, source, process, stacks[4];

	cr_assert_eq(model_new(&m), 0);
	a = model_file(m, id, "/a", 0);
	anon = model_file(m, NULL, "//anon", FILE_SPECIAL);
	source = model_file(m, NULL, "/x.py", 1 << 3);
	process = model_process(m, 1, 1);
	stacks[0] = stack_of(m, (uint32_t[]){a, a, a}, "pdp");
	stacks[1] = stack_of(m, (uint32_t[]){a, a}, "pd");
	stacks[2] = stack_of(m, (uint32_t[]){a, a}, "ud");
	stacks[3] = stack_of(m, (uint32_t[]){anon, source, a}, "ddo");
	model_frame_get(m, model_frame(m, a, OTHER))->function = model_string(m, "named");
	if (asked->recorded)
		record_lines(m, model_frame(m, a, DEEP), model_frame(m, a, PLAIN));
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		const struct sample_row row = {.process = process, .stack = stacks[i]};

		cr_assert_eq(window_add_sample(&w, row.process, row.thread, row.stack, i + 1), 0);
	}
	cr_assert_eq(snapshot_take(m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10, &s), 0);
	window_release(&w);
	cr_assert_eq(snapshot_add_inlined(s, named_too, &lines),
		     asked->result == -ENOMEM ? -ENOMEM : 0);
	cr_assert_eq(snapshot_name_frames(s, NULL, NULL), 0);
	return s;
}

/* "f>g+>h:3 …": the frames of each stack from the root on, + for inlined ones, and its samples. */
static const char *text_of(const struct snapshot *s)
{
	static char text[4096];
	_cleanup_(stacks_freep) struct stacks *st = NULL;
	size_t len = 0;

	cr_assert_eq(query_stacks(s, QUERY_CPU, &st), 0);
	for (size_t i = 0; i < st->n_rows; i++) {
		for (size_t k = 0; k < st->rows[i].n_frames; k++) {
			const struct snapshot_frame *f = st->frames[st->rows[i].frames[k]];

			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s",
						k   ? ">"
						: i ? " "
						    : "",
						f->function, f->inlined ? "+" : "");
			cr_expect(!f->inlined || (streq(f->source, "/src/a.c") && f->line));
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len, ":%llu",
					(unsigned long long)st->rows[i].value);
	}
	return text;
}

Test(query_inlined, become_frames_of_stacks)
{
	struct asked asked = {};
	_cleanup_(snapshot_freep) struct snapshot *s = take(&asked, false);

	cr_expect_str_eq(text_of(s),
			 "[a+0x70]>[a+0x64]>d1+>d2+>[a+0x70]:1 [a+0x70]>[a+0x64]>d1+>d2+:2 "
			 "[a+0x75]>[a+0x64]>d1+>d2+:3 [anon+0x64]>[x.py+0x64]>named:4");
	cr_expect_eq(asked.batches, 1);
	cr_expect_eq(asked.offsets, 3, "those of the file that have no name");
}

Test(query_inlined, frames_of_recordings_keep_their_names)
{
	struct asked asked = {};
	_cleanup_(snapshot_freep) struct snapshot *s = take(&asked, true);

	cr_expect_not_null(strstr(text_of(s), ">named:4"));
	cr_expect_eq(asked.offsets, 4);
}

Test(query_inlined, of_recordings)
{
	struct asked asked = {.recorded = true};
	_cleanup_(snapshot_freep) struct snapshot *s = take(&asked, true);

	cr_expect_str_eq(text_of(s), "[a+0x70]>[a+0x64]>[unknown]+>d2!+>[a+0x70]:1 "
				     "[a+0x70]>[a+0x64]>[unknown]+>d2!+:2 "
				     "[a+0x75]>[a+0x64]>[unknown]+>d2!+:3 "
				     "[anon+0x64]>[x.py+0x64]>named:4");
	cr_expect_eq(asked.offsets, 3, "those that the recording knows nothing of");
	for (size_t i = 0; i < s->n_frames; i++)
		if (s->frames[i].offset == DEEP && !s->frames[i].inlined && s->frames[i].source)
			cr_expect_eq(s->frames[i].line, 12);
}

Test(query_inlined, out_of_time)
{
	struct asked asked = {.result = -EAGAIN};
	_cleanup_(snapshot_freep) struct snapshot *s = take(&asked, false);

	cr_expect_not_null(strstr(text_of(s), "d1+>d2+"), "what is known is taken");
}

Test(query_inlined, out_of_memory)
{
	struct asked asked = {.result = -ENOMEM};
	_cleanup_(snapshot_freep) struct snapshot *s = take(&asked, false);

	cr_expect_null(strstr(text_of(s), "d1+"));
}

/* f is inlined into g alone, in h and in itself as well; in the last stack only a caller is f. */
Test(query_inlined, samples_that_were_inlined)
{
	struct snapshot_frame frames[] = {
		{.function = "f", .file_path = "/a"},
		{.function = "f", .file_path = "/a", .inlined = true},
		{.function = "g", .file_path = "/a"},
	};
	struct snapshot_stack stacks[] = {{0, 2}, {1, 1}, {0, 0}, {3, 1}, {3, 2}, {2, 0}};
	struct snapshot_process process = {.comm = "p"};
	struct snapshot_sample samples[] = {
		{.stack = 1, .count = 1}, /* g f+ */
		{.stack = 3, .count = 2}, /* f f+ */
		{.stack = 4, .count = 4}, /* f g */
		{.stack = 5, .count = 8}, /* g f+ f */
		{.stack = 1, .count = 16},
	};
	struct snapshot s = {
		.processes = &process,
		.n_processes = 1,
		.frames = frames,
		.n_frames = ARRAY_SIZE(frames),
		.stacks = stacks,
		.n_stacks = ARRAY_SIZE(stacks),
		.samples = samples,
		.n_samples = ARRAY_SIZE(samples),
	};
	_cleanup_(report_freep) struct report *r = NULL;

	cr_assert_eq(query_report(&s, QUERY_CPU, BY_FUNC, SORT_SAMPLES, 0, &r), 0);
	cr_assert_eq(r->n_rows, 2);
	cr_expect(streq(r->rows[0].key, "f") && r->rows[0].samples == 31 &&
		  r->rows[0].inlined_samples == 17);
	cr_expect_eq(r->rows[1].inlined_samples, 0);
}

Test(query_inlined, graph_and_report)
{
	struct asked asked = {};
	_cleanup_(snapshot_freep) struct snapshot *s = take(&asked, false);
	_cleanup_(report_freep) struct report *r = NULL;
	_cleanup_(graph_freep) struct graph *g = NULL;
	size_t n = 0;

	cr_assert_eq(query_report(s, QUERY_CPU, BY_FUNC, SORT_SELF, 0, &r), 0);
	cr_assert_str_eq(r->rows[0].key, "d2");
	cr_expect_eq(r->rows[0].self_samples, 5);
	cr_expect_eq(r->rows[0].samples, 6);
	for (size_t i = 0; i < r->n_rows; i++)
		cr_expect_eq(r->rows[i].inlined_samples,
			     r->rows[i].key[0] == 'd' ? r->rows[i].samples : 0, "%s",
			     r->rows[i].key);
	cr_assert_eq(query_graph(s, QUERY_CPU, 0, 0, &g), 0);
	for (size_t i = 0; i < g->n_rows; i++) {
		cr_expect_eq(g->rows[i].inlined,
			     g->rows[i].func[0] == 'd' && g->rows[i].func[1] != '\0');
		n += g->rows[i].inlined;
	}
	cr_expect_eq(n, 4);
}

static size_t n_asked; /* of files, and 100 of recordings */

/* A file's names: of one letter, as the offset is. */
static char *resolve(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	char name[] = {(char)offset, '\0'};

	cr_assert_null(arg);
	cr_assert(file && path);
	n_asked++;
	return offset < 128 ? strdup(name) : NULL;
}

static char *resolve_louder(void *arg, const struct model_file *file, const char *path,
			    uint64_t offset)
{
	char name[] = {(char)offset, '!', '\0'};

	cr_assert_null(arg);
	cr_assert(file && path);
	return offset == 'b' ? NULL : strdup(name);
}

static char *show_plain(void *arg, const char *symbol)
{
	cr_assert_null(arg);
	n_asked += 100;
	return strdup(symbol);
}

static char *show_louder(void *arg, const char *symbol)
{
	char *name = NULL;

	cr_assert_null(arg);
	return asprintf(&name, "%s!", symbol) < 0 ? NULL : name;
}

/* Names of a recording: only those that came from the file, and only while it says the same. */
Test(query_inlined, names_are_replaced_where_the_file_still_says_them)
{
	char *names[] = {"a", "b", "python", "d", "a", "s", "t"};
	struct snapshot_frame frames[] = {
		{.offset = 'a', .mapped = true, .file_path = "/x"},
		{.offset = 'b', .mapped = true, .file_path = "/x"},
		{.offset = 'c', .mapped = true, .file_path = "/x"},
		{.offset = 'd', .file_path = ""},
		{.offset = 'a', .mapped = true, .kind = FRAME_SPAN, .file_path = "/x"},
		/* The file does not know them, but the recording does; or something else. */
		{.offset = 200, .mapped = true, .file_path = "/x", .n_lines = 1},
		{.offset = 't', .mapped = true, .file_path = "/x", .first_line = 1, .n_lines = 1},
	};
	static const char *const wanted[] = {"a!", "b", "python", "d", "a", "s!", "t"};
	struct snapshot_line lines[] = {{"s", NULL, 0}, {"other", NULL, 0}};
	const struct snapshot_names plain = {resolve, show_plain, NULL};
	const struct snapshot_names louder = {resolve_louder, show_louder, NULL};
	struct snapshot s = {.frames = frames, .n_frames = ARRAY_SIZE(frames), .lines = lines};

	for (size_t i = 0; i < s.n_frames; i++)
		frames[i].function = strdup(names[i]);
	snapshot_each_unnamed(&s, false, &plain);
	cr_assert_eq(n_asked, 0, "all have names");
	snapshot_each_unnamed(&s, true, &plain);
	cr_assert_eq(n_asked, 203);
	cr_assert_eq(snapshot_rename_frames(&s, &plain, &louder), 0);
	for (size_t i = 0; i < s.n_frames; i++) {
		cr_expect_str_eq(frames[i].function, wanted[i]);
		free(frames[i].function);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions on rows of history: what is put together for them, what is said of what is missing. */
#include "control/condition.h"
#include "control_history.h"

static struct span_condition *make(const struct history *h, const char *text)
{
	struct span_condition *c = NULL;
	struct error e = {};

	cr_assert_eq(span_condition_new(text, h->m, 500, &c, &e), 0, "%s: %s", text, e.message);
	return c;
}

static bool holds(const struct history *h, const char *text, const struct span_row *row)
{
	_cleanup_(span_condition_freep) struct span_condition *c = make(h, text);

	return span_condition_match(c, row);
}

Test(condition, fields_of_a_row)
{
	static const char *const yes[] = {
		"duration > 4ms",
		"self == 2ms",
		"ret < 0",
		"ret == -2",
		"pid == 4711 && tid == 4712 && depth == 1",
		"name == 'parse' && binary == 'app' && comm == 'app'",
		"caller =~ 'open_*'",
		"uid == 1000",
		"cgroup =~ '*/app.service'",
		"arg1 == 77",
		"offcpu_time == 1ms && cpu_time == 4ms",
		"error && !unwound",
	};
	static const char *const no[] = {
		"duration < 4ms",    "ret == 0",
		"tid == 1",	     "name == 'look_up'",
		"caller == 'main'",  "uid == 0",
		"arg1 == 78",	     "unwound",
		"offcpu_time > 1ms", "10 / (depth - 1) == 0",
	};
	const uint64_t args[RECORD_ARGS] = {5, 77};
	struct history h = make_history(NULL);
	struct span_row row = row_of(&h, 3);

	row.span.flags = SPAN_ERROR;
	row.more = (struct span_more){.args = args, .offcpu_ns = 1000000};
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		cr_expect(holds(&h, yes[i], &row), "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		cr_expect(!holds(&h, no[i], &row), "%s", no[i]);
	row.span.flags = SPAN_UNWOUND;
	cr_expect(holds(&h, "unwound", &row));
	cr_expect(!holds(&h, "ret < 0", &row) && !holds(&h, "ret >= 0", &row), "no result");
	row = row_of(&h, 0);
	cr_expect(!holds(&h, "caller == 'x'", &row), "an outermost call has no caller");
	model_free(h.m);
}

/* Spans written in source code: attributes, a category, the code of the error. */
Test(condition, attributes_of_a_row)
{
	static const char *const yes[] = {
		"attr.rows > 1000 && cat == 'io'",
		"attr.path =~ '/tmp/*'",
		"attr.hit && ret == -2",
		"binary == 'app' && error",
	};
	static const char *const no[] = {
		"attr.rows > 1001", "attr.none",	"attr.path > 5",
		"cat == 'app'",	    "attr.rows == 'x'",
	};
	const struct attribute attributes[] = {
		{.type = ATTRIBUTE_INT, .key = "rows", .key_len = 4, .number = 1001},
		{.type = ATTRIBUTE_TEXT,
		 .key = "path",
		 .key_len = 4,
		 .text = "/tmp/x",
		 .text_len = 6},
		{.type = ATTRIBUTE_BOOL, .key = "hit", .key_len = 3, .number = 1},
	};
	uint8_t values[ATTRIBUTES_MAX_BYTES];
	struct history h = make_history("span io");
	struct span_row row = row_of(&h, 1);
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		len = attributes_put(values, len, &attributes[i], &(bool){false});
	row.span.flags = SPAN_ERROR;
	row.span.ret = (uint64_t)-2;
	row.more = (struct span_more){.values = values, .values_len = (uint32_t)len};
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		cr_expect(holds(&h, yes[i], &row), "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		cr_expect(!holds(&h, no[i], &row), "%s", no[i]);
	model_free(h.m);
}

static void expect_notes(struct span_condition *c, size_t n, const char *words)
{
	struct error e = {};
	const char *const *notes;
	size_t got;

	cr_expect_eq(span_condition_finish(c, &e), 0, "%s", e.message);
	notes = span_condition_notes(c, &got);
	cr_assert_eq(got, n, "%zu notes", got);
	if (n)
		cr_expect(strstr(notes[0], words), "no \"%s\" in: %s", words, notes[0]);
}

Test(condition, what_was_not_kept_is_said_once)
{
	const uint64_t args[RECORD_ARGS] = {5, 77};
	struct history h = make_history(NULL);
	struct span_row row = row_of(&h, 1), other = row_of(&h, 0);
	struct span_condition *c = make(&h, "arg1 == 0 || arg1 != 0");

	cr_expect(!span_condition_match(c, &row) && !span_condition_match(c, &other));
	expect_notes(c, 1, "arg1 was not kept in this session: conditions on it are never true");
	span_condition_free(c);

	c = make(&h, "arg1 == 77");
	cr_expect(!span_condition_match(c, &row));
	row.more.args = args;
	cr_expect(span_condition_match(c, &row), "the same function, with arguments");
	expect_notes(c, 1, "arg1 was not kept with 1 of 2 spans");
	span_condition_free(c);

	c = make(&h, "duration > 1ms");
	cr_expect(span_condition_match(c, &row));
	expect_notes(c, 0, "");
	span_condition_free(c);

	c = make(&h, "offcpu_time < 1ms");
	cr_expect(span_condition_match(c, &row));
	expect_notes(c, 1, "offcpu_time was not kept");
	span_condition_free(c);
	model_free(h.m);
}

static void refused(const char *text, const char *words)
{
	struct history h = make_history(NULL);
	struct span_condition *c = NULL;
	struct error e = {};

	cr_expect_lt(span_condition_new(text, h.m, 0, &c, &e), 0, "%s", text);
	cr_expect_str_eq(e.name, "BadCondition");
	cr_expect(strstr(e.message, words), "no \"%s\" in: %s", words, e.message);
	model_free(h.m);
}

Test(condition, what_makes_no_sense_is_refused_before_anything_is_read)
{
	struct model *m = NULL;
	struct span_condition *c = NULL;
	struct error e = {};

	refused("duration >", "column");
	refused("duration > 10", "column 12");
	refused("args.nothing > 3", "names of this function's arguments are not known");
	refused("cpu == 1", "cpu is not kept");
	/* Of a session without probes, too. */
	cr_assert_eq(model_new(&m), 0);
	cr_expect_lt(span_condition_new("duration > 10", m, 0, &c, &e), 0);
	span_condition_free(c);
	model_free(m);
}

/* int look_up(const char *table, unsigned int flags), with the text behind table captured. */
Test(condition, arguments_by_name)
{
	_cleanup_(freep) char *signature = history_signature();
	const uint64_t args[RECORD_ARGS] = {0x1000, 0xffffffff00000003};
	struct history_values values = history_text("orders");
	struct history h = make_history(signature);
	struct span_row row = row_of(&h, 1), other = row_of(&h, 0);
	struct span_condition *c;
	struct error e = {};

	row.more = (struct span_more){.args = args,
				      .valid = 1,
				      .values = (const uint8_t *)&values,
				      .values_len = sizeof(values)};
	cr_expect(holds(&h, "args.flags == 3", &row), "4 bytes of the register");
	cr_expect(holds(&h, "str(args.table) == 'orders' && ret == -2", &row));
	cr_expect(holds(&h, "str(args.table) =~ 'ord*' && args.flags < 4KiB", &row));
	cr_expect(!holds(&h, "str(args.table) == 'order'", &row));
	row.more.valid = 0;
	cr_expect(!holds(&h, "str(args.table) == 'orders'", &row), "could not be read");
	row.more.args = NULL;
	cr_expect(!holds(&h, "args.flags == 3", &row), "not kept");

	/* One function has no such argument: said once, however many spans there are of it. */
	row.more.args = args;
	c = make(&h, "args.flags == 3");
	other.more.args = args;
	cr_expect(span_condition_match(c, &row) && !span_condition_match(c, &other) &&
		  !span_condition_match(c, &other));
	expect_notes(c, 1, "the condition means nothing in open_table: ");
	span_condition_free(c);
	/* Nothing but that function was asked about. */
	c = make(&h, "args.flags == 3");
	cr_expect(!span_condition_match(c, &other));
	cr_expect_eq(span_condition_finish(c, &e), -EINVAL);
	cr_expect_str_eq(e.name, "BadCondition");
	span_condition_free(c);
	model_free(h.m);
}

/* void look_up(void) beside a function of which nothing is known. */
Test(condition, functions_without_a_result)
{
	static const struct ctype nothing = {.kind = CTYPE_VOID, .name = "void"};
	const struct function_type type = {.name = "look_up", .ret = &nothing, .file = ""};
	_cleanup_(signature_freep) struct signature *s = NULL;
	_cleanup_(freep) char *text = NULL;
	struct span_condition *c;
	struct span_row row, other;
	struct history h;

	cr_assert_eq(signature_new(&type, 0, NULL, 0, &s), 0);
	text = signature_encode(s);
	h = make_history(text);
	row = row_of(&h, 1);
	other = row_of(&h, 0);
	c = make(&h, "ret < 0");
	cr_expect(!span_condition_match(c, &row) && span_condition_match(c, &other));
	expect_notes(c, 0, "");
	span_condition_free(c);
	c = make(&h, "ret < 0 || duration > 1ms");
	cr_expect(span_condition_match(c, &row));
	expect_notes(c, 1, "conditions on ret are never true: ");
	span_condition_free(c);
	model_free(h.m);
}

Test(condition, a_signature_that_cannot_be_read_is_none)
{
	struct history h = make_history("9 from the future");
	struct span_row row = row_of(&h, 1);

	cr_expect(holds(&h, "ret < 0", &row));
	model_free(h.m);
}

/* What the model gets later is not matched until it has been learnt; what was bound stays so. */
Test(condition, learns_what_comes_later)
{
	struct history h = make_history(NULL);
	_cleanup_(span_condition_freep) struct span_condition *c =
		make(&h, "uid == 1000 && name =~ 'open*' || name == 'late' && uid == 7");
	struct model_probe probe = {.name = model_string(h.m, "late"),
				    .symbol = model_string(h.m, "late"),
				    .file = model_file(h.m, NULL, "/usr/bin/app", 0)};
	struct span_row early = row_of(&h, 0), late = row_of(&h, 0);

	cr_expect(span_condition_match(c, &early));
	late.name = "late";
	late.span.process = model_process(h.m, 4712, 6);
	model_process_get(h.m, late.span.process)->uid = 7;
	cr_expect(!span_condition_match(c, &late), "of a process that is not known");
	cr_assert_eq(span_condition_learn(c, h.m), 0);
	late.span.path = model_path(h.m, 0, model_probe(h.m, &probe));
	cr_expect(!span_condition_match(c, &late), "of a path that is not known");
	cr_assert_eq(span_condition_learn(c, h.m), 0);
	cr_expect(span_condition_match(c, &late));
	late.span.process = h.process;
	cr_expect(!span_condition_match(c, &late), "of another user");
	cr_expect(span_condition_match(c, &early));
	expect_notes(c, 0, NULL);
	model_free(h.m);
}

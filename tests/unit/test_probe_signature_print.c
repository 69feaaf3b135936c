/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls as people read them, and what comes of text that nobody here has made. */
#include "sonde/base/attributes.h"
#include "base_random.h"
#include "probe_signature_help.h"

TestSuite(probe_signature_print, .init = setup, .fini = teardown, .timeout = 120);

/* Types made by hand: what is shown does not depend on where they come from. */
static const struct ctype_value flag_values[] = {
	{"RDONLY", 1}, {"CREATE", 2}, {"TRUNC", 4}, {"SYNC", 0x80}};
static const struct ctype_value color_values[] = {{"RED", 0}, {"GREEN", 1}, {"LAST", -1}};
static const struct ctype t_int = {CTYPE_INT, .is_signed = true, .name = "int", .size = 4};
static const struct ctype t_long = {CTYPE_INT, .is_signed = true, .name = "ssize_t", .size = 8};
static const struct ctype t_size = {CTYPE_UINT, .name = "size_t", .size = 8};
static const struct ctype t_u8 = {CTYPE_UINT, .name = "uint8_t", .size = 1};
static const struct ctype t_bool = {CTYPE_BOOL, .name = "bool", .size = 1};
static const struct ctype t_char = {CTYPE_CHAR, .is_signed = true, .name = "char", .size = 1};
static const struct ctype t_void = {CTYPE_VOID, .name = "void"};
static const struct ctype t_double = {CTYPE_FLOAT, .name = "double", .size = 8};
static const struct ctype t_struct = {CTYPE_STRUCT, .name = "struct pair", .size = 16};
static const struct ctype t_text = {CTYPE_POINTER, .name = "const char *", .size = 8,
				    .target = &t_char};
static const struct ctype t_ptr = {CTYPE_POINTER, .name = "struct request *", .size = 8,
				   .target = &t_void};
static const struct ctype t_call = {CTYPE_POINTER, .name = "int (*)(int)", .size = 8};
static const struct ctype t_flags = {CTYPE_ENUM, .is_flags = true,	.name = "enum flags",
				     .size = 4,	 .values = flag_values, .n_values = 4};
static const struct ctype t_color = {CTYPE_ENUM, .is_signed = true,	 .name = "enum color",
				     .size = 4,	 .values = color_values, .n_values = 3};

static struct function_type open_table(struct function_param params[static 8])
{
	params[0] = (struct function_param){"name", &t_text, PARAM_IN_REGISTER, 0};
	params[1] = (struct function_param){"flags", &t_flags, PARAM_IN_REGISTER, 1};
	return (struct function_type){
		.name = "open_table", .params = params, .n_params = 2, .ret = &t_int};
}

Test(probe_signature_print, calls)
{
	struct function_param params[8];
	struct function_type f = open_table(params);
	struct signature *s _cleanup_(signature_freep) = signature_of(&f);
	struct played p = {.words = {(uint64_t) "orders", 0xffffffff00000003}, .ret = 0xfffffffe};
	struct strbuf type _cleanup_(strbuf_release) = {};
	struct call_values v;

	cr_assert_eq(signature_capture_strings(s, NULL), 0);
	v = play(s, &p);
	expect_shown(s, &v, "name=\"orders\", flags=RDONLY|CREATE = -2 (ENOENT)");
	signature_print_type(s, "open_table", &type);
	cr_expect_str_eq(type.data, "int open_table(const char *name, enum flags flags)");

	/* Text that could not be read leaves its address. */
	v.valid = 0;
	p.words[0] = 0;
	p.words[1] = 0;
	expect_shown(s, &v, "name=0x0, flags=0 = -2 (ENOENT)");
	v.ret = 0xffffffff;
	expect_shown(s, &v, "name=0x0, flags=0 = -1");
	v.ret = 0x100000005;
	p.words[1] = 0x105;
	expect_shown(s, &v, "name=0x0, flags=RDONLY|TRUNC|0x100 = 5");
	v.flags |= SPAN_UNWOUND;
	expect_shown(s, &v, "name=0x0, flags=RDONLY|TRUNC|0x100 = ");
	v.flags = SPAN_TAIL;
	expect_shown(s, &v, " = ");
}

Test(probe_signature_print, kinds)
{
	struct function_param params[] = {
		{"a", &t_color, PARAM_IN_REGISTER, 0}, {"ok", &t_bool, PARAM_IN_REGISTER, 1},
		{"c", &t_char, PARAM_IN_REGISTER, 2},  {"n", &t_u8, PARAM_IN_REGISTER, 3},
		{"req", &t_ptr, PARAM_IN_REGISTER, 4}, {"len", &t_size, PARAM_IN_REGISTER, 5},
		{"x", &t_double, PARAM_IN_FLOAT, 0},   {"pair", &t_struct, PARAM_ON_STACK, 0},
		{"", &t_long, PARAM_ON_STACK, 2},      {"gone", &t_int, PARAM_NOWHERE, 0},
		{"cb", &t_call, PARAM_NOWHERE, 0},
	};
	struct function_type f = {.name = "f",
				  .params = params,
				  .n_params = ARRAY_SIZE(params),
				  .ret = &t_color,
				  .is_variadic = true};
	struct signature *s _cleanup_(signature_freep) = signature_of(&f);
	struct signature *copy _cleanup_(signature_freep) = NULL;
	struct strbuf type _cleanup_(strbuf_release) = {};
	struct played p = {.words = {0xffffffff, 0xff01, 'x', 0xffc8, 0x55d0c0de, UINT64_MAX},
			   .ret = 7};
	struct call_values v;

	p.words[RECORD_ARGS + 2] = (uint64_t)-12;
	v = play(s, &p);
	expect_shown(s, &v,
		     "a=LAST, ok=true, c='x', n=200, req=0x55d0c0de, "
		     "len=18446744073709551615, x=?, pair={...}, arg8=?, gone=?, cb=? = 7");
	cr_assert_eq(signature_capture_strings(s, NULL), 0);
	p.words[2] = '\n';
	v = play(s, &p);
	copy = through_text(s);
	v.ret = 1;
	expect_shown(copy, &v,
		     "a=LAST, ok=true, c='\\n', n=200, req=0x55d0c0de, "
		     "len=18446744073709551615, x=?, pair={...}, arg8=-12, gone=?, "
		     "cb=? = GREEN");
	p.words[2] = '\'';
	cr_expect(strstr(shown(s, &v), "c='\\''") != NULL);
	signature_print_type(copy, "f", &type);
	cr_expect_str_eq(type.data, "enum color f(enum color a, bool ok, char c, uint8_t n, "
				    "struct request *req, size_t len, double x, struct pair pair, "
				    "ssize_t arg8, int gone, int (*cb)(int), ...)");
}

Test(probe_signature_print, text)
{
	static const char *const texts[][2] = {
		{"", "\"\""},
		{"a\"b\\c\n\x1b[31m\x7f", "\"a\\\"b\\\\c\\n\\x1b[31m\\x7f\""},
		{"größe €", "\"größe €\""},
		{"bad \xff\xc3", "\"bad \\xff\\xc3\""},
		{"c1 \xc2\x9b", "\"c1 \\xc2\\x9b\""}, /* what a terminal takes for ESC [ */
		{"0123456789012345678901234567890123456789012345678901234567890123456789",
		 "\"0123456789012345678901234567890123456789012345678901234567890123\"…"},
	};
	struct function_param params[8];
	struct function_type f = open_table(params);
	struct signature *s _cleanup_(signature_freep) = NULL;

	f.n_params = 1;
	f.ret = &t_void;
	s = signature_of(&f);
	signature_capture_strings(s, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct played p = {.words = {(uint64_t)texts[i][0]}};
		struct call_values v = play(s, &p);
		char expected[256];

		snprintf(expected, sizeof(expected), "name=%s = ", texts[i][1]);
		expect_shown(s, &v, expected);
	}
}

static void collect(void *arg, const char *name, const char *text)
{
	strbuf_printf(arg, "<%s:%s>", name, text);
}

Test(probe_signature_print, each_and_untyped)
{
	struct function_param params[8];
	struct function_type f = open_table(params);
	struct signature *s _cleanup_(signature_freep) = signature_of(&f);
	struct signature *plain _cleanup_(signature_freep) = NULL;
	struct strbuf out _cleanup_(strbuf_release) = {};
	struct played p = {.words = {(uint64_t) "a \"b\"\n", 2, 0x10, 0, 5, 6}, .ret = 0xfffffff2};
	struct call_values v;

	signature_capture_strings(s, NULL);
	v = play(s, &p);
	signature_each(s, &v, collect, &out);
	cr_expect_str_eq(out.data, "<name:a \"b\"\n><flags:CREATE>");

	cr_assert_eq(signature_new(NULL, 1 << 4, NULL, 0, &plain), 0);
	bound_to(plain, "str(arg0)");
	v = play(plain, &p);
	expect_shown(plain, &v,
		     "arg0=\"a \\\"b\\\"\\n\", arg1=0x2, arg2=0x10, arg3=0x0, "
		     "arg5=0x6 = -14 (EFAULT)");
	v.ret = 0x7f0012345678;
	cr_expect(strstr(shown(plain, &v), " = 0x7f0012345678") != NULL);
	v.ret = 300;
	cr_expect(strstr(shown(plain, &v), " = 300") != NULL);
	strbuf_reset(&out);
	signature_print_type(plain, "f", &out);
	cr_expect_eq(out.len, 0);
}

Test(probe_signature_print, error_rule)
{
	static const struct {
		const struct ctype *ret;
		enum signature_error rule;
		uint8_t size;
	} rules[] = {
		{&t_int, RESULT_SIGNED, 4},    {&t_long, RESULT_SIGNED, 8},
		{&t_size, RESULT_UNSIGNED, 8}, {&t_ptr, RESULT_UNSIGNED, 8},
		{&t_bool, RESULT_UNSIGNED, 1}, {&t_char, RESULT_UNSIGNED, 1},
		{&t_color, RESULT_SIGNED, 4},  {&t_flags, RESULT_UNSIGNED, 4},
		{&t_void, RESULT_UNSIGNED, 8},
	};
	struct signature *plain _cleanup_(signature_freep) = NULL;
	uint8_t size = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct function_type f = {.name = "f", .ret = rules[i].ret};
		struct signature *s _cleanup_(signature_freep) = signature_of(&f);

		cr_expect(signature_error_rule(s, &size) == rules[i].rule && size == rules[i].size,
			  "%s", rules[i].ret->name);
	}
	cr_assert_eq(signature_new(NULL, 0, NULL, 0, &plain), 0);
	cr_expect_eq(signature_error_rule(plain, &size), RESULT_UNKNOWN);
}

static char *random_name(void)
{
	static char names[16][24];
	static size_t next;
	char *name = names[next++ % 16];
	size_t len = next_random() % 20 + 1;

	for (size_t i = 0; i < len; i++)
		name[i] = (char)(next_random() % 255 + 1);
	name[len] = '\0';
	return name;
}

/* Any signature survives being written down, and any damage to the text is noticed or harmless. */
Test(probe_signature_print, random_round_trips)
{
	static const struct ctype *const types[] = {
		&t_int,	   &t_long, &t_size, &t_u8,    &t_bool,	 &t_char, &t_double,
		&t_struct, &t_text, &t_ptr,  &t_flags, &t_color, &t_void};
	uint64_t words[FETCH_MAX_ARGS] = {};

	seed_rng();
	for (int round = 0; round < 2000; round++) {
		struct function_param params[12] = {};
		struct function_type f = {.name = "f",
					  .params = params,
					  .n_params = next_random() % 13,
					  .ret = types[next_random() % ARRAY_SIZE(types)],
					  .is_variadic = next_random() % 2};
		struct signature *s _cleanup_(signature_freep) = NULL;
		struct signature *copy _cleanup_(signature_freep) = NULL;
		struct signature *damaged _cleanup_(signature_freep) = NULL;
		struct strbuf out _cleanup_(strbuf_release) = {};
		char *text _cleanup_(freep) = NULL;
		uint8_t values[RECORD_MAX_VALUES];
		struct call_values v = {.args = words,
					.values = values,
					.values_len = sizeof(values),
					.valid = next_random(),
					.flags = SPAN_ARGS | SPAN_VALUES,
					.ret = next_random()};

		for (size_t i = 0; i < f.n_params; i++)
			params[i] = (struct function_param){
				random_name(), types[next_random() % ARRAY_SIZE(types)],
				next_random() % 5, next_random() % 8};
		for (size_t i = 0; i < f.n_params; i++)
			if (params[i].place == PARAM_IN_REGISTER || params[i].place == PARAM_SPREAD)
				params[i].reg %= RECORD_ARGS;
		cr_assert_eq(signature_new(&f, (uint8_t)next_random(), NULL, 0, &s), 0);
		signature_capture_strings(s, NULL);
		copy = through_text(s);
		for (size_t i = 0; i < sizeof(values); i++)
			values[i] = (uint8_t)next_random();
		strbuf_puts(&out, shown(s, &v));
		expect_shown(copy, &v, out.data);
		text = signature_encode(s);
		cr_assert_null(strpbrk(text, "\n\t\r\"\x1b"));
		text[next_random() % strlen(text)] = "0123 %-Az\n"[next_random() % 10];
		if (signature_decode(text, &damaged) == 0) {
			signature_free(through_text(damaged));
			shown(damaged, &v);
		}
	}
}

/* A span written in source code, whose values are its attributes. */
Test(probe_signature_print, attributes)
{
	const struct attribute attributes[] = {
		{.type = ATTRIBUTE_INT, .key = "rows", .key_len = 4, .number = (uint64_t)-3},
		{.type = ATTRIBUTE_TEXT,
		 .key = "a b",
		 .key_len = 3,
		 .text = "x\"\x1b",
		 .text_len = 3},
	};
	struct signature *s _cleanup_(signature_freep) = NULL;
	struct signature *copy _cleanup_(signature_freep) = NULL;
	struct strbuf result _cleanup_(strbuf_release) = {};
	uint8_t values[ATTRIBUTES_MAX_BYTES];
	struct call_values v = {
		.values = values, .flags = SPAN_VALUES | SPAN_ERROR, .ret = (uint64_t)-2};

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		v.values_len = attributes_put(values, v.values_len, &attributes[i], &(bool){false});
	cr_assert_eq(signature_of_source("comm/net %", &s), 0);
	copy = through_text(s);
	cr_expect_str_eq(signature_category(copy), "comm/net %");
	expect_shown(copy, &v, "rows=-3, a b=\"x\\\"\\x1b\" = -2 (ENOENT)");
	signature_print_result(copy, &v, &result);
	cr_expect_str_eq(result.data, "-2 (ENOENT)");
}

Test(probe_signature_print, refuses_foreign_text)
{
	static const char *const bad[] = {
		"",
		"1",
		"0 0 0 0 0 0 0 % 0 0 0",
		"2 0 0 0 0 0 0 % 0 0 0",
		"1 0 0 0 0 0 0 % 0 0 0 ",
		"1 0 0 0 0 0 3 % 0 0 0",
		"1 0 0 0 0 0 0 % 0 0 17",
		"1 0 0 0 0 0 0 % 0 65 0",
		"1 0 0 0 0 0 0 %0 0 0 0",
		"1 0 0 0 0 0 0 %00 0 0 0",
		"1  0 0 0 0 0 0 % 0 0 0",
		"1 0 0 0 0 0 0 % 0 0 1 a 0 0 0 % 0 1 0 0 3 0 0 0 0 0 0",
		"1 0 0 0 0 0 0 % 0 0 1 a 0 0 0 % 0 1 0 0 8 0 0 4 0 0 0",
		"1 0 0 0 0 0 0 % 0 0 1 a 0 0 0 % 0 2 0 0 0 0 0 248 64 0 0",
		"1 0 0 0 0 0 0 % 0 1 x 0 0 0 % 0 0 6 0 0",
		"span",
		"span ",
		"span io ",
		"span io x",
		"span a/b",
		"span %00",
	};
	struct signature *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(signature_decode(bad[i], &s), -EBADMSG, "%s", bad[i]);
	cr_assert_eq(signature_decode("1 0 0 0 0 0 0 % 0 0 0", &s), 0);
	signature_free(s);
}

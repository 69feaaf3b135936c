/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables in terminals of any width, wide characters, and durations as small bars. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "spark.h"
#include "text.h"

static const struct grid_column columns[] = {
	{"A", true}, {"SECOND", true, 1}, {"THIRD", false, 2}, {NULL}, {"NAME"}};

static void check_table(const char *width, const char *wanted)
{
	const struct output_config config = {.color = "never"};
	struct output *o = output_new(&config);
	struct grid *g = grid_new(columns, ARRAY_SIZE(columns));

	cr_assert(o && g);
	setenv("COLUMNS", width, 1);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		grid_text(g, i == 4 ? "a_function_with_a_name_of_some_length"
			     : i    ? "12.5 ms"
				    : "7");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		grid_text(g, i == 4 ? "\u95a2\u6570 [\u30d0\u30a4\u30ca\u30ea]" : "\u3042");
	grid_print(g, o);
	cr_expect_str_eq(output_data(o)->data, wanted, "%s columns: got\n%s", width,
			 output_data(o)->data);
	grid_free(g);
	output_free(o);
}

#define WIDE "\u95a2\u6570 [\u30d0\u30a4\u30ca\u30ea]"

Test(grid, columns_go_where_there_is_no_room)
{
	static const char all[] = " A   SECOND  THIRD    NAME\n"
				  " 7  12.5 ms  12.5 ms  a_function_with_a_name_of_some_length\n"
				  "\u3042       \u3042  \u3042       " WIDE "\n";

	check_table("100", all);
	check_table("0", all);
	check_table("many", all);
	check_table("54", " A   SECOND  THIRD    NAME\n"
			  " 7  12.5 ms  12.5 ms  a_function_with_a_name_of_some_\u2026\n"
			  "\u3042       \u3042  \u3042       " WIDE "\n");
	check_table("40", " A   SECOND  NAME\n"
			  " 7  12.5 ms  a_function_with_a_name_of_\u2026\n"
			  "\u3042       \u3042  " WIDE "\n");
	check_table("28", " A  NAME\n"
			  " 7  a_function_with_a_name_\u2026\n"
			  "\u3042  " WIDE "\n");
	/* What must stay wraps. */
	check_table("12", " A  NAME\n"
			  " 7  a_function_with_a_name_of_some_length\n"
			  "\u3042  " WIDE "\n");
}

static void check_cut(const char *text, size_t width, const char *wanted)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};

	text_append_cut(&out, text, width);
	cr_expect_str_eq(out.data ? out.data : "", wanted);
	cr_expect_leq(text_width(wanted), width);
}

static void check_name(const char *func, const char *width, const char *wanted)
{
	static const struct grid_column name[] = {{"NAME"}};
	const struct output_config config = {.color = "never"};
	struct output *o = output_new(&config);
	struct grid *g = grid_new(name, 1);
	const char *row;

	cr_assert(o && g);
	setenv("COLUMNS", width, 1);
	grid_function(g, "\u2514\u2500", func, false, "libabc.so.1");
	grid_print(g, o);
	row = strchr(output_data(o)->data, '\n');
	cr_assert(row);
	cr_expect_str_eq(row + 1, wanted);
	grid_free(g);
	output_free(o);
}

/* The end of a name goes last, and its binary first. */
Test(grid, names_are_cut_inside)
{
	check_name("run", "40", "\u2514\u2500run [libabc.so.1]\n");
	check_name("run", "14", "\u2514\u2500run [libabc\u2026\n");
	check_name("ns::map<std::string, int>::insert", "24",
		   "\u2514\u2500ns::map<s\u2026int>::insert\n");
	check_name("\u95a2\u6570\u540d\u95a2\u6570\u540d\u95a2\u6570\u540d", "16",
		   "\u2514\u2500\u95a2\u6570\u2026\u540d\u95a2\u6570\u540d\n");
}

Test(grid, wide_and_combining_characters)
{
	cr_expect_eq(text_width("\u95a2\u6570"), 4);
	cr_expect_eq(text_width("e\u0301a"), 2, "a combining accent");
	cr_expect_eq(text_width("\U0001f600"), 2);
	cr_expect_eq(text_width("\xff"), 1, "what is no character");
	check_cut("\u95a2\u6570\u540d", 6, "\u95a2\u6570\u540d");
	check_cut("\u95a2\u6570\u540d", 5, "\u95a2\u6570\u2026");
	check_cut("\u95a2\u6570\u540d", 4, "\u95a2\u2026");
	check_cut("e\u0301e\u0301e\u0301", 2, "e\u0301\u2026");
}

static void check_bars(const char *json, const char *title, const char *first, const char *last)
{
	struct cJSON *reply = cJSON_Parse(json);
	struct spark_axis axis = spark_axis_of(reply, "rows");
	size_t n = reply_count(reply, "rows");
	char buf[2 * FORMAT_MAX];
	const char *got = spark_title(&axis, buf);

	cr_assert(reply && n > 0);
	cr_expect(title ? got && streq(got, title) : !got, "%s", got ? got : "none");
	for (size_t i = 0; i < n; i += MAX(n - 1, (size_t)1)) {
		_cleanup_(strbuf_release) struct strbuf out = {0};

		spark_append(&out, &axis, reply_at(reply, "rows", i), true);
		cr_expect_str_eq(out.data ? out.data : "", i ? last : first);
	}
	cJSON_Delete(reply);
}

Test(grid, durations_as_bars)
{
	check_bars("{\"rows\":[{\"histogram\":{\"low_ns\":64,\"counts\":[1,0,8]}},{},"
		   "{\"histogram\":{\"low_ns\":16,\"counts\":[4,2]}}]}",
		   "16 ns~192 ns", "   . @", "@=    ");
	check_bars("{\"rows\":[{}]}", NULL, "", "");
	/* 32 steps in 16 characters. */
	check_bars("{\"rows\":[{\"histogram\":{\"low_ns\":1024,\"counts\":[1,1,0,0,0,0,0,0,0,0,0,0,"
		   "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2,2]}}]}",
		   "1.02 us~67.1 ms", "=              @", "");
	/* A daemon that lies. */
	check_bars("{\"rows\":[{\"histogram\":{\"low_ns\":9e15,\"counts\":[1,\"x\",-5,2]}}]}",
		   "78d 04h~312d 17h", "=  @", "");
	check_bars("{\"rows\":[{\"histogram\":{\"low_ns\":\"x\",\"counts\":{}}}]}", NULL, "", "");
}

Test(grid, shares_have_colours)
{
	cr_expect_eq(grid_share_style(20), STYLE_HOT);
	cr_expect_eq(grid_share_style(5), STYLE_WARM);
	cr_expect_eq(grid_share_style(4.9), STYLE_NONE);
	cr_expect_eq(grid_share_style(0.4), STYLE_DIM);
}

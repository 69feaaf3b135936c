/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bars of lanes, and text that is cut where a terminal ends. Whole timelines: test_cli.c. */
#include <criterion/criterion.h>

#include "lanes.h"
#include "text.h"

static void check_bar(const double *shares, size_t n, bool plain, const char *wanted)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};

	lanes_bar(&out, shares, n, plain);
	cr_expect_str_eq(out.data, wanted);
}

Test(lanes, a_bar_is_as_high_as_the_share)
{
	static const double shares[] = {0,    1e-9,  0.125, 0.126, 0.25,  0.375,     0.5, 0.625,
					0.75, 0.875, 0.876, 1,	   1.001, 1 + 1e-12, 0};

	check_bar(shares, ARRAY_SIZE(shares), false, " ▁▁▂▂▃▄▅▆▇████ ");
	check_bar(shares, ARRAY_SIZE(shares), true, " ..::-=+*#@@@@ ");
}

static void check_cut(const char *text, size_t width, const char *wanted)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};

	text_append_cut(&out, text, width);
	cr_expect_str_eq(out.data ? out.data : "", wanted);
}

Test(lanes, text_is_cut_by_what_is_seen_of_it)
{
	cr_expect_eq(text_width("\033[1;31märger\033[0m!"), 6);
	cr_expect_eq(text_width("\033[1"), 0);
	check_cut("ärger", 5, "ärger");
	check_cut("ärger!", 5, "ärge…");
	check_cut("\033[1mabc\033[0m", 3, "\033[1mabc\033[0m");
	check_cut("a\033[1mbcd\033[0m", 3, "a\033[1mb…\033[0m");
	check_cut("abcd\033[1me\033[0m", 3, "ab…");
	check_cut("abc", 1, "…");
	check_cut("abc", 0, "");
}

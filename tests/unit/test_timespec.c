/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time as people write them, at a fixed now in fixed time zones. */
#include <criterion/criterion.h>
#include <time.h>

#include "timespec.h"

/* 2026-11-30 12:08:17.250000 UTC, a Monday; the times in the tables are seconds. */
static const uint64_t now_us = 1796040497250000;

struct example {
	const char *text;
	double seconds;
};

static void check(const char *zone, const struct example *e, size_t n)
{
	setenv("TZ", zone, 1);
	tzset();
	for (size_t i = 0; i < n; i++) {
		const char *why = NULL;
		uint64_t us = 0;
		int r = timespec_parse(e[i].text, now_us, &us, &why);

		cr_expect_eq(r, 0, "%s in %s: %s", e[i].text, zone, why);
		cr_expect_eq(us, (uint64_t)(e[i].seconds * 1e6), "%s in %s: %llu, not %.6f",
			     e[i].text, zone, (unsigned long long)us, e[i].seconds);
	}
}

#define CHECK(zone, ...)                                                                           \
	do {                                                                                       \
		static const struct example examples[] = {__VA_ARGS__};                            \
		check(zone, examples, ARRAY_SIZE(examples));                                       \
	} while (0)

Test(timespec, ago)
{
	CHECK("UTC", {"10m", 1796040497.25 - 600}, {"90s", 1796040497.25 - 90},
	      {"2h", 1796040497.25 - 7200}, {"1d", 1796040497.25 - 86400},
	      {"10 min ago", 1796040497.25 - 600}, {"1 hour 30 minutes ago", 1796040497.25 - 5400},
	      {"1h30m", 1796040497.25 - 5400}, {"1.5h ago", 1796040497.25 - 5400},
	      {"2 Weeks AGO", 1796040497.25 - 14 * 86400}, {"250ms", 1796040497.0},
	      {"0s", 1796040497.25}, {"now", 1796040497.25}, {" NOW", 1796040497.25});
}

Test(timespec, of_the_calendar)
{
	CHECK("UTC", {"today", 1795996800}, {"yesterday", 1795910400}, {"14:30", 1796049000},
	      {"14:30:15", 1796049015}, {"14:30:15.5", 1796049015.5}, {"9:05", 1796029500},
	      {"yesterday 14:30", 1796049000 - 86400}, {"today 00:00:01", 1795996801},
	      {"2026-11-30", 1795996800}, {"2026-11-30T14:30:00", 1796049000},
	      {"2026-11-30 14:30", 1796049000}, {"2024-02-29", 1709164800});
	CHECK("Europe/Berlin", {"today", 1795993200}, {"yesterday", 1795906800},
	      {"14:30", 1796045400}, {"2026-11-30", 1795993200}, {"2026-07-01 00:00", 1782856800},
	      {"10m", 1796040497.25 - 600});
	/* There it is still the day before, and no whole hour apart. */
	CHECK("Asia/Kolkata", {"today", 1795977000}, {"14:30", 1796029200});
	CHECK("Pacific/Honolulu", {"2026-11-30", 1796032800}, {"today", 1796032800},
	      {"yesterday", 1795946400});
}

Test(timespec, of_a_zone)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York"};

	for (size_t i = 0; i < ARRAY_SIZE(zones); i++)
		CHECK(zones[i], {"2026-11-30T14:30:00Z", 1796049000},
		      {"2026-11-30T14:30:00+02:00", 1796041800},
		      {"2026-11-30T14:30:00.000001Z", 1796049000.000001},
		      {"2026-11-30 14:30 +0200", 1796041800}, {"2026-11-30T14:30-05", 1796067000},
		      {"2026-12-01T00:30:00+05:30", 1796065200}, {"@1796049000", 1796049000},
		      {"@1796049000.25", 1796049000.25}, {"@0", 0}, {"1970-01-01T00:00Z", 0},
		      {"2255-01-01T00:00:00Z", 8993721600});
}

/* A day of 23 and one of 25 hours: calendar days are what is said, not 86400 seconds. */
Test(timespec, where_clocks_are_changed)
{
	const char *why;
	uint64_t us;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	/* 2026-03-29 12:00 and 2026-10-25 12:00 in Berlin. */
	cr_assert_eq(timespec_parse("yesterday", 1774778400000000, &us, &why), 0);
	cr_expect_eq(us, 1774652400000000);
	cr_assert_eq(timespec_parse("yesterday 12:00", 1774778400000000, &us, &why), 0);
	cr_expect_eq(us, 1774778400000000 - 23 * 3600000000ULL);
	cr_assert_eq(timespec_parse("yesterday 12:00", 1792926000000000, &us, &why), 0);
	cr_expect_eq(us, 1792926000000000 - 25 * 3600000000ULL);
}

static void check_side(const struct range_side *side, enum range_side_kind kind, uint64_t value)
{
	cr_expect_eq(side->kind, kind);
	cr_expect(kind == RANGE_OPEN || side->value == value, "%llu, not %llu",
		  (unsigned long long)side->value, (unsigned long long)value);
}

static void check_range(const char *text, enum range_side_kind from_kind, uint64_t from,
			enum range_side_kind to_kind, uint64_t to)
{
	struct range range = {};
	const char *why = NULL;

	cr_assert_eq(timespec_parse_range(text, now_us, &range, &why), 0, "%s: %s", text, why);
	cr_expect(range.set);
	check_side(&range.from, from_kind, from);
	check_side(&range.to, to_kind, to);
}

Test(timespec, ranges)
{
	setenv("TZ", "UTC", 1);
	tzset();
	check_range("1.5s~2s", RANGE_OFFSET, 1500000000, RANGE_OFFSET, 2000000000);
	check_range("0~10ms", RANGE_OFFSET, 0, RANGE_OFFSET, 10000000);
	check_range("10ms~", RANGE_OFFSET, 10000000, RANGE_OPEN, 0);
	check_range(" ~ 10us ", RANGE_OPEN, 0, RANGE_OFFSET, 10000);
	check_range("14:30~14:31", RANGE_POINT, 1796049000000000, RANGE_POINT, 1796049060000000);
	check_range("10 min ago~", RANGE_POINT, now_us - 600000000, RANGE_OPEN, 0);
	check_range("1s~2026-11-30T14:30:00Z", RANGE_OFFSET, 1000000000, RANGE_POINT,
		    1796049000000000);
}

Test(timespec, refuses_what_is_no_range)
{
	static const struct {
		const char *text, *words;
	} wrong[] = {
		{"", "not a range"},
		{"~", "not a range"},
		{"1s", "not a range"},
		{"1s~2s~3s", "not a range"},
		{"1s~1s", "before it begins"},
		{"2s~1s", "before it begins"},
		{"14:31~14:30", "before it begins"},
		{"x~1s", "not a time such as"},
		{"1s~5", "has no unit"},
		{"1s~99999999999d", "too long"},
		{"24:00~", "no such time of day"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct range range = {};
		const char *why = NULL;

		cr_expect_eq(timespec_parse_range(wrong[i].text, now_us, &range, &why), -EINVAL);
		cr_expect(why && strstr(why, wrong[i].words), "%s: %s", wrong[i].text, why);
		cr_expect(!range.set);
	}
}

Test(timespec, refuses_what_is_none)
{
	static const struct {
		const char *text, *words;
	} wrong[] = {
		{"", "not a time such as 10m"},
		{" ", "not a time such as 10m"},
		{"tomorrow", "not a time such as 10m"},
		{"10", "has no unit"},
		{"1796049000", "has no unit"},
		{"10 parsecs", "not a time such as 10m"},
		{"10m later", "not a time such as 10m"},
		{"10m ago ago", "not a time such as 10m"},
		{"ago", "not a time such as 10m"},
		{"-10m", "not a time such as 10m"},
		{"1..5h", "not a time such as 10m"},
		{"yesterdays", "not a time such as 10m"},
		{"yesterday noon", "not a time such as 10m"},
		{"24:00", "no such time of day"},
		{"14:60", "no such time of day"},
		{"14:3", "not a time such as 10m"},
		{"14:30:", "not a time such as 10m"},
		{"14:30:15.", "not a time such as 10m"},
		{"14:30 h", "not a time such as 10m"},
		{"2026-02-29", "no such day"},
		{"2026-13-01", "no such day"},
		{"2026-11-31T14:30", "no such day"},
		{"2026-11-30T25:00", "no such time of day"},
		{"2026-11-30T", "not a time such as 10m"},
		{"2026-11-30T14", "not a time such as 10m"},
		{"2026-11-30T14:30:00+2", "not a time such as 10m"},
		{"2026-11-30T14:30:00+15:00", "not a time such as 10m"},
		{"2026-11-30T14:30:00ZZ", "not a time such as 10m"},
		{"2026-11-30Z", "not a time such as 10m"},
		{"26-11-30", "not a time such as 10m"},
		{"@", "not a time such as 10m"},
		{"@12x", "not a time such as 10m"},
		{"@1796049000000", "by seconds"},
		{"@9007199255", "from 1970 to 2255"},
		{"9999-01-01", "from 1970 to 2255"},
		{"1969-12-31T23:59Z", "from 1970 to 2255"},
		{"90000w", "from 1970 to 2255"},
		{"99999999999999999999999h", "from 1970 to 2255"},
	};

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const char *why = NULL;
		uint64_t us = 17;

		cr_expect_eq(timespec_parse(wrong[i].text, now_us, &us, &why), -EINVAL, "%s",
			     wrong[i].text);
		cr_expect(why && strstr(why, wrong[i].words), "%s: %s", wrong[i].text, why);
		cr_expect_eq(us, 17, "%s: written", wrong[i].text);
	}
}

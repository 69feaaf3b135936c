/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timespec.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "sonde/base/format.h"

#define USEC_PER_SEC 1000000ULL
/* Times travel as JSON, which keeps integers up to 2^53 exact: until the year 2255. */
#define TIME_MAX_US (1ULL << 53)

static const char understood[] = "not a time such as 10m, '2 hours ago', yesterday, 14:30, "
				 "2026-11-30T14:30:00 or @1796049000";
static const char out_of_range[] = "must be from 1970 to 2255";

/* Numbers of at least min and at most max digits; moves *s behind them. */
static bool take_digits(const char **s, int min, int max, int *ret)
{
	int n = 0, value = 0;

	for (; n < max && isdigit((unsigned char)**s); n++, (*s)++)
		value = value * 10 + (**s - '0');
	*ret = value;
	return n >= min && !isdigit((unsigned char)**s);
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static void skip_spaces(const char **s)
{
	while (**s == ' ')
		(*s)++;
}

/* ".123456"; digits beyond microseconds are cut off. */
static bool take_fraction(const char **s, uint32_t *ret_us)
{
	uint32_t scale = USEC_PER_SEC / 10, us = 0;

	if (take_char(s, '.')) {
		if (!isdigit((unsigned char)**s))
			return false;
		for (; isdigit((unsigned char)**s); (*s)++, scale /= 10)
			us += scale * (uint32_t)(**s - '0');
	}
	*ret_us = us;
	return true;
}

/* A word of letters in any case; moves *s behind it. */
static bool take_word(const char **s, const char *word)
{
	size_t len = strlen(word);

	if (strncasecmp(*s, word, len) != 0 || isalpha((unsigned char)(*s)[len]))
		return false;
	*s += len;
	return true;
}

static int finish(int64_t seconds, uint32_t us, uint64_t *ret_us, const char **ret_why)
{
	if (seconds < 0 || (uint64_t)seconds >= TIME_MAX_US / USEC_PER_SEC) {
		*ret_why = out_of_range;
		return -EINVAL;
	}
	*ret_us = (uint64_t)seconds * USEC_PER_SEC + us;
	return 0;
}

/* The unit at *s as parse_duration() knows it, and how many of them it stands for. */
static const char *take_unit(const char **s, unsigned int *ret_times)
{
	static const struct {
		const char *words, *unit;
		unsigned int times;
	} units[] = {
		{"us|usec", "us", 1},
		{"ms|msec", "ms", 1},
		{"s|sec|secs|second|seconds", "s", 1},
		{"m|min|mins|minute|minutes", "m", 1},
		{"h|hr|hrs|hour|hours", "h", 1},
		{"d|day|days", "d", 1},
		{"w|week|weeks", "d", 7},
	};
	size_t len = 0;

	while (isalpha((unsigned char)(*s)[len]))
		len++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		for (const char *w = units[i].words; len > 0 && *w;) {
			size_t n = strcspn(w, "|");

			if (n == len && strncasecmp(*s, w, n) == 0) {
				*s += len;
				*ret_times = units[i].times;
				return units[i].unit;
			}
			w += n + (w[n] == '|');
		}
	return NULL;
}

/* One number and its unit, as nanoseconds. 0: that is none. */
static bool take_span(const char **s, uint64_t *ret_ns, const char **ret_why)
{
	char number[32];
	size_t len = strspn(*s, "0123456789.");
	unsigned int times = 1;
	const char *unit;
	uint64_t ns;
	int r;

	if (!len || len + 3 > sizeof(number))
		return false;
	memcpy(number, *s, len);
	*s += len;
	skip_spaces(s);
	unit = take_unit(s, &times);
	if (!unit) {
		if (!**s)
			*ret_why = "has no unit: write 10m (or s, h, d), or @ before seconds since "
				   "the epoch";
		return false;
	}
	strcpy(number + len, unit);
	r = parse_duration(number, &ns);
	if (r == -ERANGE || (r >= 0 && __builtin_mul_overflow(ns, times, ret_ns)))
		*ret_why = out_of_range;
	else if (r >= 0)
		return true;
	return false;
}

/* "10m", "1 h 30 min ago". */
static int parse_ago(const char *s, uint64_t now_us, uint64_t *ret_us, const char **ret_why)
{
	uint64_t total = 0, ns;

	while (isdigit((unsigned char)*s)) {
		if (!take_span(&s, &ns, ret_why) || __builtin_add_overflow(total, ns, &total))
			return -EINVAL;
		skip_spaces(&s);
	}
	(void)take_word(&s, "ago");
	skip_spaces(&s);
	if (*s)
		return -EINVAL;
	if (total / NSEC_PER_USEC > now_us) {
		*ret_why = out_of_range;
		return -EINVAL;
	}
	*ret_us = now_us - total / NSEC_PER_USEC;
	return 0;
}

static int parse_epoch(const char *s, uint64_t *ret_us, const char **ret_why)
{
	size_t len = strspn(s, "0123456789");
	uint64_t seconds = 0;
	uint32_t us;

	if (!len)
		return -EINVAL;
	if (len > 11) {
		*ret_why = "is too far: @ is followed by seconds, not by fractions of them";
		return -EINVAL;
	}
	for (; len > 0; len--, s++)
		seconds = seconds * 10 + (uint64_t)(*s - '0');
	if (!take_fraction(&s, &us) || *s)
		return -EINVAL;
	return finish((int64_t)seconds, us, ret_us, ret_why);
}

/* "14:30", "14:30:15.5" */
static bool take_clock(const char **s, struct tm *tm, uint32_t *ret_us, const char **ret_why)
{
	*ret_us = 0;
	tm->tm_sec = 0;
	if (!take_digits(s, 1, 2, &tm->tm_hour) || !take_char(s, ':') ||
	    !take_digits(s, 2, 2, &tm->tm_min))
		return false;
	if (take_char(s, ':') && (!take_digits(s, 2, 2, &tm->tm_sec) || !take_fraction(s, ret_us)))
		return false;
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59) {
		*ret_why = "there is no such time of day: 00:00 to 23:59:59";
		return false;
	}
	return true;
}

/* "2026-11-30" */
static bool take_date(const char **s, struct tm *tm, const char **ret_why)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;
	bool leap;

	if (!take_digits(s, 4, 4, &year) || !take_char(s, '-') || !take_digits(s, 2, 2, &month) ||
	    !take_char(s, '-') || !take_digits(s, 2, 2, &day))
		return false;
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (month < 1 || month > 12 || day < 1 || day > days[month - 1] + (month == 2 && leap)) {
		*ret_why = "there is no such day: YEAR-MONTH-DAY";
		return false;
	}
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return true;
}

/* "Z", "+02:00", "+0200", "+02": seconds east. False: there is none, or a bad one (*s is not at
 * the end then). */
static bool take_zone(const char **s, int *ret_east)
{
	int sign = **s == '-' ? -1 : 1, hours, minutes = 0;
	const char *at = *s + 1;

	*ret_east = 0;
	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		return true;
	}
	if (**s != '+' && **s != '-')
		return false;
	if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1]))
		return false;
	hours = (at[0] - '0') * 10 + (at[1] - '0');
	at += 2;
	if (*at) {
		(void)take_char(&at, ':');
		if (!take_digits(&at, 2, 2, &minutes))
			return false;
	}
	if (hours > 14 || minutes > 59)
		return false;
	*s = at;
	*ret_east = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* "2026-11-30", behind which may stand a time of day, and behind that a zone. */
static int parse_iso(const char *s, uint64_t *ret_us, const char **ret_why)
{
	struct tm tm = {.tm_isdst = -1};
	bool has_zone = false;
	uint32_t us = 0;
	int east = 0;

	if (!take_date(&s, &tm, ret_why))
		return -EINVAL;
	if (*s == 'T' || *s == 't' || *s == ' ') {
		s++;
		if (!take_clock(&s, &tm, &us, ret_why))
			return -EINVAL;
		skip_spaces(&s);
		has_zone = take_zone(&s, &east);
		skip_spaces(&s);
	}
	if (*s)
		return -EINVAL;
	return finish(has_zone ? timegm(&tm) - east : mktime(&tm), us, ret_us, ret_why);
}

/* "14:30" of today, "yesterday", "yesterday 14:30": days of the local calendar. */
static int parse_day(const char *s, uint64_t now_us, uint64_t *ret_us, const char **ret_why)
{
	time_t now = (time_t)(now_us / USEC_PER_SEC);
	bool yesterday = take_word(&s, "yesterday"), named = yesterday || take_word(&s, "today");
	uint32_t us = 0;
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return -EINVAL;
	tm.tm_mday -= yesterday;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	skip_spaces(&s);
	if ((*s || !named) && !take_clock(&s, &tm, &us, ret_why))
		return -EINVAL;
	if (*s)
		return -EINVAL;
	return finish(mktime(&tm), us, ret_us, ret_why);
}

static int parse(const char *s, uint64_t now_us, uint64_t *ret_us, const char **ret_why)
{
	size_t digits = strspn(s, "0123456789");

	if (strcasecmp(s, "now") == 0) {
		*ret_us = now_us;
		return 0;
	}
	if (*s == '@')
		return parse_epoch(s + 1, ret_us, ret_why);
	if (digits && s[digits] == '-')
		return parse_iso(s, ret_us, ret_why);
	if (digits && s[digits] != ':')
		return parse_ago(s, now_us, ret_us, ret_why);
	return parse_day(s, now_us, ret_us, ret_why);
}

int timespec_parse(const char *text, uint64_t now_us, uint64_t *ret_us, const char **ret_why)
{
	uint64_t us;

	*ret_why = understood;
	skip_spaces(&text);
	if (parse(text, now_us, &us, ret_why) < 0)
		return -EINVAL;
	if (us >= TIME_MAX_US) {
		*ret_why = out_of_range;
		return -EINVAL;
	}
	*ret_us = us;
	return 0;
}

static int parse_side(const char *text, size_t len, uint64_t now_us, struct range_side *ret,
		      const char **ret_why)
{
	char side[64];
	int r;

	*ret = (struct range_side){.kind = RANGE_OPEN};
	while (len > 0 && *text == ' ')
		text++, len--;
	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (!len)
		return 0;
	if (len >= sizeof(side))
		return -EINVAL;
	memcpy(side, text, len);
	side[len] = '\0';
	ret->kind = RANGE_OFFSET;
	r = streq(side, "0") ? 0 : parse_duration(side, &ret->value);
	if (r >= 0 && ret->value / NSEC_PER_USEC < TIME_MAX_US)
		return 0;
	if (r >= 0 || r == -ERANGE) {
		*ret_why = "is too long";
		return -EINVAL;
	}
	ret->kind = RANGE_POINT;
	return timespec_parse(side, now_us, &ret->value, ret_why);
}

int timespec_parse_range(const char *text, uint64_t now_us, struct range *ret, const char **ret_why)
{
	static const char not_a_range[] = "not a range such as 1.5s~2s, 10ms~ or 14:30~14:31: A~B, "
					  "of which one may be left out";
	struct range range = {.set = true};
	const char *tilde = strchr(text, '~');

	*ret_why = not_a_range;
	if (!tilde || strchr(tilde + 1, '~'))
		return -EINVAL;
	if (parse_side(text, (size_t)(tilde - text), now_us, &range.from, ret_why) < 0 ||
	    parse_side(tilde + 1, strlen(tilde + 1), now_us, &range.to, ret_why) < 0)
		return -EINVAL;
	if (!range.from.kind && !range.to.kind)
		return -EINVAL;
	if (range.from.kind == range.to.kind && range.from.value >= range.to.value) {
		*ret_why = "ends before it begins";
		return -EINVAL;
	}
	*ret = range;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/format.h"

#include <ctype.h>
#include <time.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* From a minute on two units are said: "3m 05s". */
static char *format_long_duration(char *buf, uint64_t seconds)
{
	uint64_t minutes = seconds / 60, hours = minutes / 60;

	if (hours >= 24)
		snprintf(buf, FORMAT_MAX, "%llud %02uh", (unsigned long long)(hours / 24),
			 (unsigned int)(hours % 24));
	else if (hours)
		snprintf(buf, FORMAT_MAX, "%uh %02um", (unsigned int)hours,
			 (unsigned int)(minutes % 60));
	else
		snprintf(buf, FORMAT_MAX, "%um %02us", (unsigned int)minutes,
			 (unsigned int)(seconds % 60));
	return buf;
}

char *format_duration(char buf[static FORMAT_MAX], uint64_t ns)
{
	static const struct unit units[] = {
		{"us", NSEC_PER_USEC}, {"ms", NSEC_PER_MSEC}, {"s", NSEC_PER_SEC}};

	if (ns < NSEC_PER_USEC) {
		snprintf(buf, FORMAT_MAX, "%u ns", (unsigned int)ns);
		return buf;
	}
	/* Three digits; what would round up to 1000 of one unit is said as 1.00 of the next. */
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		double v = (double)ns / units[i].factor;
		double limit = units[i].factor == NSEC_PER_SEC ? 59.95 : 999.5;
		int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;

		if (v < limit) {
			snprintf(buf, FORMAT_MAX, "%.*f %s", decimals, v, units[i].name);
			return buf;
		}
	}
	return format_long_duration(buf, ns / NSEC_PER_SEC + (ns % NSEC_PER_SEC >= 500000000));
}

char *format_size(char buf[static FORMAT_MAX], uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = bytes / 1024.0;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, FORMAT_MAX, "%u B", (unsigned int)bytes);
		return buf;
	}
	while (v >= 1023.95 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		i++;
	}
	snprintf(buf, FORMAT_MAX, "%.1f %s", v, units[i]);
	return buf;
}

char *format_count(char buf[static FORMAT_MAX], uint64_t n)
{
	char digits[24], *out = buf;
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

char *format_clock(char buf[static FORMAT_MAX], uint64_t epoch_us)
{
	time_t seconds = epoch_us / 1000000;
	struct tm tm;

	if (!localtime_r(&seconds, &tm)) {
		snprintf(buf, FORMAT_MAX, "%llu us", (unsigned long long)epoch_us);
		return buf;
	}
	snprintf(buf, FORMAT_MAX, "%02u:%02u:%02u.%06u", (unsigned int)tm.tm_hour % 100,
		 (unsigned int)tm.tm_min % 100, (unsigned int)tm.tm_sec % 100,
		 (unsigned int)(epoch_us % 1000000));
	return buf;
}

char *format_date(char buf[static FORMAT_MAX], uint64_t epoch_us)
{
	time_t seconds = epoch_us / 1000000;
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(buf, FORMAT_MAX, "%F %T", &tm))
		snprintf(buf, FORMAT_MAX, "%llu us", (unsigned long long)epoch_us);
	return buf;
}

/*
 * Digits, perhaps a fraction, a unit: in integers, so that 1.1s is exactly 1,100,000,000 ns.
 * A fraction finer than the base unit (0.5ns) is -ERANGE, as an overflow is.
 */
static int parse_scaled(const char *s, const struct unit *units, size_t n_units, uint64_t *ret)
{
	unsigned __int128 whole = 0, fraction = 0, total;
	uint64_t divisor = 1, factor = 0;
	bool too_fine = false;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++)
		if (whole <= UINT64_MAX)
			whole = whole * 10 + (*s - '0');
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++) {
			if (divisor >= 1000000000000000000ULL) {
				too_fine |= *s != '0';
				continue;
			}
			fraction = fraction * 10 + (*s - '0');
			divisor *= 10;
		}
	}
	for (size_t i = 0; i < n_units && !factor; i++)
		if (streq(units[i].name, s))
			factor = units[i].factor;
	if (!factor)
		return -EINVAL;
	if (whole > UINT64_MAX || too_fine || fraction * factor % divisor)
		return -ERANGE;
	total = whole * factor + fraction * factor / divisor;
	if (total > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)total;
	return 0;
}

int parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{"ns", 1},
		{"us", NSEC_PER_USEC},
		{"\xc2\xb5s", NSEC_PER_USEC}, /* micro sign */
		{"\xce\xbcs", NSEC_PER_USEC}, /* Greek mu */
		{"ms", NSEC_PER_MSEC},
		{"s", NSEC_PER_SEC},
		{"m", 60 * NSEC_PER_SEC},
		{"min", 60 * NSEC_PER_SEC},
		{"h", 3600 * NSEC_PER_SEC},
		{"d", 86400 * NSEC_PER_SEC},
	};

	return parse_scaled(s, units, ARRAY_SIZE(units), ret_ns);
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	/* A lone letter is binary, as for dd, systemd and perf. */
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"K", 1ULL << 10},
		{"KiB", 1ULL << 10},
		{"kB", 1000},
		{"KB", 1000},
		{"M", 1ULL << 20},
		{"MiB", 1ULL << 20},
		{"MB", 1000000},
		{"G", 1ULL << 30},
		{"GiB", 1ULL << 30},
		{"GB", 1000000000},
		{"T", 1ULL << 40},
		{"TiB", 1ULL << 40},
		{"TB", 1000000000000},
	};

	return parse_scaled(s, units, ARRAY_SIZE(units), ret_bytes);
}

uint64_t now_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

uint64_t now_epoch_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "sonde/base/error.h"
#include "sonde/base/format.h"
#include "sonde/base/hex.h"
#include "sonde/base/json.h"
#include "sonde/base/log.h"
#include "sonde/base/strbuf.h"
#include "sonde/base/table.h"
#include "sonde/base/util.h"
#include "sonde/hist.h"

#include "base_random.h"

Test(util, hex)
{
	static const char *const bad[] = {"", "0", "abc", "0g", "0x00", " 00", "00 ", "0011223344"};
	uint8_t bytes[4];
	char text[9];

	cr_assert_eq(hex_decode("00fFA9", bytes, sizeof(bytes)), 0);
	cr_assert_eq(memcmp(bytes, "\0\xff\xa9\0", sizeof(bytes)), 0);
	cr_assert_eq(hex_decode("01234567", bytes, sizeof(bytes)), 0);
	hex_encode(bytes, sizeof(bytes), text);
	cr_assert_str_eq(text, "01234567");
	hex_encode(bytes, 0, text);
	cr_assert_str_eq(text, "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(hex_decode(bad[i], bytes, sizeof(bytes)), -EINVAL, "\"%s\"", bad[i]);
	for (int bits = 0; bits <= 64; bits++) {
		const uint64_t most = bits ? UINT64_MAX >> (64 - bits) : 0;
		char number[HEX_U64_SIZE], want[HEX_U64_SIZE];

		snprintf(want, sizeof(want), "0x%llx", (unsigned long long)most);
		cr_assert_eq(hex_u64(most, number), strlen(want));
		cr_assert_str_eq(number, want);
	}
}

Test(util, parse_u64)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"42", 0, 42},
		{"010", 0, 10},
		{"0x1F", 0, 31},
		{"0XffFFffFFffFFffFF", 0, UINT64_MAX},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"0x10000000000000000", -ERANGE, 0},
		{"99999999999999999999999x", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1f", -EINVAL, 0},
		{"0xg", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;
		int r = parse_u64(cases[i].text, &v);

		cr_assert_eq(r, cases[i].result, "%s: %d", cases[i].text, r);
		cr_assert_eq(v, r < 0 ? 77 : cases[i].value, "%s", cases[i].text);
	}
}

Test(util, array_reserve)
{
	uint32_t *items = NULL;
	size_t cap = 0;

	for (size_t i = 0; i < 1000; i++) {
		cr_assert_eq(array_reserve(&items, &cap, i + 1, sizeof(*items)), 0);
		cr_assert_gt(cap, i);
		for (size_t j = i; j < cap; j++)
			cr_assert_eq(items[j], 0);
		items[i] = i + 1;
	}
	for (size_t i = 0; i < 1000; i++)
		cr_assert_eq(items[i], i + 1);
	cr_assert_eq(array_reserve(&items, &cap, SIZE_MAX / 2, sizeof(*items)), -ENOMEM);
	cr_assert_eq(array_reserve(&items, &cap, SIZE_MAX, sizeof(*items)), -ENOMEM);
	cr_assert_eq(items[999], 1000);
	free(items);
}

Test(util, read_file)
{
	char path[] = "/tmp/test_base.XXXXXX";
	int fd = mkstemp(path);
	char block[10000], *text = NULL;
	size_t size = 0;

	cr_assert_geq(fd, 0);
	memset(block, 'x', sizeof(block));
	cr_assert_eq(write(fd, block, sizeof(block)), sizeof(block));
	cr_assert_eq(read_file(path, sizeof(block) - 1, &text, &size), -EFBIG);
	cr_assert_null(text);
	cr_assert_eq(read_file(path, sizeof(block), &text, &size), 0);
	cr_assert_eq(size, sizeof(block));
	cr_assert_eq(strlen(text), sizeof(block));
	free(text);
	close(fd);
	unlink(path);
	cr_assert_eq(read_file(path, 10, &text, &size), -ENOENT);
	cr_assert_eq(read_file("/proc/self/status", 1 << 20, &text, NULL), 0);
	cr_assert(startswith(text, "Name:"));
	free(text);
	cr_assert_eq(read_file("/", 10, &text, &size), -EISDIR);
}

Test(error, first_wins)
{
	struct error e = {};

	cr_assert_eq(error_set(&e, ENOENT, "NoSuchFile", "cannot open\n%s", "a\tb"), -ENOENT);
	error_fix(&e, "look\nagain");
	cr_assert_eq(error_set(&e, EIO, "Internal", "later"), -EIO);
	error_fix(&e, "later");
	cr_assert_str_eq(e.name, "NoSuchFile");
	cr_assert_str_eq(e.message, "cannot open a b");
	cr_assert_str_eq(e.fix, "look again");
	cr_assert_eq(error_set(NULL, EIO, "Internal", "nobody listens"), -EIO);
	error_fix(NULL, "nobody listens");
}

Test(error, exit_status)
{
	cr_assert_eq(error_exit_status("NoSuchProcess"), EXIT_NOT_FOUND);
	cr_assert_eq(error_exit_status("BadArgument"), EXIT_USAGE);
	cr_assert_eq(error_exit_status("PermissionDenied"), EXIT_UNSUPPORTED);
	cr_assert_eq(error_exit_status("Internal"), EXIT_FAILED);
	cr_assert_eq(error_exit_status("Whatever"), EXIT_FAILED);
	cr_assert_eq(error_exit_status(""), EXIT_FAILED);
}

Test(strbuf, random_against_model)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	static char model[1 << 20];
	size_t len = 0;

	seed_rng();
	for (int i = 0; i < 5000; i++) {
		char piece[300];
		size_t n = next_random() % sizeof(piece);

		memset(piece, 'a' + i % 26, sizeof(piece));
		piece[sizeof(piece) - 1] = '\0';
		if (next_random() % 3 == 0) {
			strbuf_consume(&b, n * 3);
			n = MIN(n * 3, len);
			memmove(model, model + n, len - n);
			len -= n;
		} else if (next_random() % 2 && n) {
			piece[n] = '\0';
			strbuf_printf(&b, "%s", piece);
			n = strlen(piece);
			memcpy(model + len, piece, n);
			len += n;
		} else {
			strbuf_append(&b, piece, n);
			memcpy(model + len, piece, n);
			len += n;
		}
		cr_assert_eq(b.len, len);
		cr_assert(!len || !memcmp(b.data, model, len));
		cr_assert(!b.data || b.data[len] == '\0');
	}
	strbuf_reset(&b);
	cr_assert_eq(b.len, 0);
	strbuf_puts(&b, "x");
	strbuf_putc(&b, 'y');
	cr_assert_str_eq(b.data, "xy");
}

Test(strbuf, failure_is_sticky)
{
	_cleanup_(strbuf_release) struct strbuf b = {};

	strbuf_puts(&b, "kept");
	strbuf_append(&b, "x", SIZE_MAX - 2);
	cr_assert_eq(strbuf_error(&b), -ENOMEM);
	strbuf_puts(&b, "ignored");
	cr_assert_str_eq(b.data, "kept");
	strbuf_reset(&b);
	cr_assert_eq(strbuf_error(&b), 0);
}

/* The naive model: an array searched from the front. */
Test(table, random_against_model)
{
	static struct {
		uint64_t key;
		uint32_t value;
	} model[3000];
	struct table t = {};
	size_t len = 0;

	seed_rng();
	cr_assert_null(table_get(&t, 0));
	for (int round = 0; round < 20000; round++) {
		/* Small, aligned and wide keys, so that they meet in the same places. */
		uint64_t key = next_random() % 1000 << (next_random() % 3 * 20);
		uint32_t *value;
		size_t at = 0;
		bool is_new = false;

		while (at < len && model[at].key != key)
			at++;
		value = table_get(&t, key);
		cr_assert_eq(value != NULL, at < len);
		if (next_random() % 3 == 0)
			continue;
		value = table_put(&t, key, &is_new);
		cr_assert_not_null(value);
		cr_assert_eq(is_new, at == len);
		if (at == len) {
			cr_assert_eq(*value, 0);
			model[len++].key = key;
		}
		cr_assert_eq(*value, model[at].value);
		*value = model[at].value = (uint32_t)next_random();
		cr_assert_eq(t.len, len);
	}
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(*table_get(&t, model[i].key), model[i].value);
	table_clear(&t);
	cr_assert_eq(t.len, 0);
	cr_assert_null(table_get(&t, model[0].key));
	cr_assert_not_null(table_put(&t, 5, NULL));
	table_release(&t);
	cr_assert_null(table_get(&t, 5));
}

Test(table, hash_bytes)
{
	struct table t = {};
	char text[32] = "";

	/* Every length and every single-byte change must tell; no collision is expected in 64 bits.
	 */
	for (size_t len = 0; len < sizeof(text); len++) {
		for (size_t i = 0; i < len; i++) {
			bool is_new = false;

			text[i] = 1;
			table_put(&t, hash_bytes(text, len, 7), &is_new);
			text[i] = 0;
			cr_assert(is_new, "length %zu, byte %zu", len, i);
		}
	}
	cr_assert_neq(hash_bytes("abc", 3, 1), hash_bytes("abc", 3, 2));
	cr_assert_eq(hash_bytes("abcdefghijk", 11, 1), hash_bytes("abcdefghijk", 11, 1));
	table_release(&t);
}

Test(hist, buckets_are_contiguous_and_narrow)
{
	seed_rng();
	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		cr_assert_eq(hist_bucket(hist_lower(b)), b);
		if (b)
			cr_assert_eq(hist_bucket(hist_lower(b) - 1), b - 1);
	}
	for (int i = 0; i < 100000; i++) {
		uint64_t ns = next_random() >> (21 + next_random() % 43);
		unsigned int b = hist_bucket(ns);

		cr_assert_leq(hist_lower(b), ns);
		if (b + 1 < HIST_BUCKETS)
			cr_assert_lt(ns, hist_lower(b + 1));
	}
	cr_assert_eq(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}

Test(format, durations)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1.00 us"},
		{1240000, "1.24 ms"},
		{9994, "9.99 us"},
		{9996, "10.0 us"},
		{99960, "100 us"},
		{999499, "999 us"},
		{999500, "1.00 ms"},
		{999600000, "1.00 s"},
		{59900000000, "59.9 s"},
		{59960000000, "1m 00s"},
		{185400000000, "3m 05s"},
		{3600 * NSEC_PER_SEC, "1h 00m"},
		{90000 * NSEC_PER_SEC, "1d 01h"},
		{UINT64_MAX, "213503d 23h"},
	};
	char buf[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(format_duration(buf, cases[i].ns), cases[i].text);
}

Test(format, sizes_and_counts)
{
	char buf[FORMAT_MAX];

	cr_assert_str_eq(format_size(buf, 0), "0 B");
	cr_assert_str_eq(format_size(buf, 1023), "1023 B");
	cr_assert_str_eq(format_size(buf, 4096), "4.0 KiB");
	cr_assert_str_eq(format_size(buf, (1 << 20) - 1), "1.0 MiB");
	cr_assert_str_eq(format_size(buf, UINT64_MAX), "16.0 EiB");
	cr_assert_str_eq(format_count(buf, 0), "0");
	cr_assert_str_eq(format_count(buf, 999), "999");
	cr_assert_str_eq(format_count(buf, 1000), "1,000");
	cr_assert_str_eq(format_count(buf, 1234567), "1,234,567");
	cr_assert_str_eq(format_count(buf, UINT64_MAX), "18,446,744,073,709,551,615");
}

Test(format, clock)
{
	char buf[FORMAT_MAX];

	setenv("TZ", "UTC0", 1);
	tzset();
	cr_assert_str_eq(format_clock(buf, 1000), "00:00:00.001000");
	cr_assert_str_eq(format_clock(buf, 50587123456), "14:03:07.123456");
	cr_assert_lt(strlen(format_clock(buf, UINT64_MAX)), FORMAT_MAX);
}

Test(format, parse_duration)
{
	static const struct {
		const char *text;
		int result;
		uint64_t ns;
	} cases[] = {
		{"10ms", 0, 10000000},
		{"1.5s", 0, 1500000000},
		{"1.1s", 0, 1100000000},
		{"250us", 0, 250000},
		{"250\xc2\xb5s", 0, 250000},
		{"3m", 0, 180 * NSEC_PER_SEC},
		{"2h", 0, 7200 * NSEC_PER_SEC},
		{"1d", 0, 86400 * NSEC_PER_SEC},
		{"0s", 0, 0},
		{"0.000000001s", 0, 1},
		{"1.50000000000000000000000000s", 0, 1500000000},
		{"18446744073709551615ns", 0, UINT64_MAX},
		{"18446744073709551616ns", -ERANGE, 0},
		{"18446744074s", -ERANGE, 0},
		{"99999999999999999999999999999999999999999999d", -ERANGE, 0},
		{"0.5ns", -ERANGE, 0},
		{"1.00000000000000000000000001s", -ERANGE, 0},
		{"10", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"ms", -EINVAL, 0},
		{"-1ms", -EINVAL, 0},
		{" 1ms", -EINVAL, 0},
		{"1 ms", -EINVAL, 0},
		{"1.ms", -EINVAL, 0},
		{".5s", -EINVAL, 0},
		{"1msx", -EINVAL, 0},
		{"1KiB", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 77;
		int r = parse_duration(cases[i].text, &ns);

		cr_assert_eq(r, cases[i].result, "%s: %d", cases[i].text, r);
		cr_assert_eq(ns, r < 0 ? 77 : cases[i].ns, "%s", cases[i].text);
	}
}

Test(format, parse_size)
{
	uint64_t n = 77;

	cr_assert_eq(parse_size("4KiB", &n), 0);
	cr_assert_eq(n, 4096);
	cr_assert_eq(parse_size("2MB", &n), 0);
	cr_assert_eq(n, 2000000);
	cr_assert_eq(parse_size("100", &n), 0);
	cr_assert_eq(n, 100);
	cr_assert_eq(parse_size("1.5MiB", &n), 0);
	cr_assert_eq(n, 1572864);
	cr_assert_eq(parse_size("4ms", &n), -EINVAL);
	cr_assert_eq(parse_size("0.3B", &n), -ERANGE);
	cr_assert_eq(parse_size("99999999999TiB", &n), -ERANGE);
	cr_assert_eq(n, 1572864);
}

/* What log_* calls print, with stderr turned into a file meanwhile. */
static char *capture_log(void (*run)(void))
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	char *text;
	long size;

	cr_assert_not_null(file);
	dup2(fileno(file), STDERR_FILENO);
	run();
	dup2(saved, STDERR_FILENO);
	close(saved);
	size = lseek(fileno(file), 0, SEEK_END);
	text = calloc(1, size + 1);
	cr_assert_eq(pread(fileno(file), text, size, 0), size);
	fclose(file);
	return text;
}

static void write_some(void)
{
	log_trace("not shown");
	log_debug("not shown");
	log_info("two\nlines \x1b[31m\"red\" \xff");
	errno = EPERM;
	log_error("%m");
	cr_assert_eq(errno, EPERM);
}

static void init_log(const char *level, const char *format)
{
	const char *bad = NULL;

	level ? setenv("SONDE_LOG_LEVEL", level, 1) : unsetenv("SONDE_LOG_LEVEL");
	format ? setenv("SONDE_LOG_FORMAT", format, 1) : unsetenv("SONDE_LOG_FORMAT");
	unsetenv("JOURNAL_STREAM");
	cr_assert_eq(log_init("unit", &bad), 0);
}

Test(log, json)
{
	char *text, *second;
	cJSON *line;

	init_log(NULL, "json");
	text = capture_log(write_some);
	second = strchr(text, '\n');
	cr_assert_not_null(second);
	*second++ = '\0';
	line = cJSON_Parse(text);
	cr_assert_not_null(line, "not JSON: %s", text);
	cr_assert_str_eq(cJSON_GetObjectItem(line, "level")->valuestring, "info");
	cr_assert_str_eq(cJSON_GetObjectItem(line, "program")->valuestring, "unit");
	cr_assert_str_eq(cJSON_GetObjectItem(line, "message")->valuestring,
			 "two\nlines \x1b[31m\"red\" \xef\xbf\xbd");
	cr_assert_eq(strlen(cJSON_GetObjectItem(line, "time")->valuestring),
		     strlen("2025-01-02T03:04:05.000006Z"));
	cJSON_Delete(line);
	cr_assert_not_null(strstr(second, "\"error\""));
	cr_assert_not_null(strstr(second, "Operation not permitted"));
	cr_assert_eq(strchr(second, '\n'), second + strlen(second) - 1);
	free(text);
}

Test(log, plain)
{
	char *text;

	init_log("info", "plain");
	text = capture_log(write_some);
	cr_assert_not_null(strstr(text, " unit: info: two\\nlines \\x1b[31m\"red\""));
	cr_assert_null(strstr(text, "not shown"));
	cr_assert_null(strchr(text, '\x1b'));
	free(text);
	init_log("error", NULL);
	text = capture_log(write_some);
	cr_assert_null(strstr(text, "lines"));
	cr_assert_not_null(strstr(text, "error: Operation not permitted"));
	free(text);
	cr_assert_not(log_enabled(LOG_WARN_));
	init_log("trace", NULL);
	cr_assert(log_enabled(LOG_TRACE_));
}

Test(log, bad_environment)
{
	const char *bad = NULL;

	setenv("SONDE_LOG_LEVEL", "loud", 1);
	cr_assert_eq(log_init("unit", &bad), -EINVAL);
	cr_assert_str_eq(bad, "SONDE_LOG_LEVEL");
	unsetenv("SONDE_LOG_LEVEL");
	setenv("SONDE_LOG_FORMAT", "xml", 1);
	cr_assert_eq(log_init("unit", &bad), -EINVAL);
	cr_assert_str_eq(bad, "SONDE_LOG_FORMAT");
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_info("thread %ld line %d end", (long)(intptr_t)arg, i);
	return NULL;
}

static void log_from_threads(void)
{
	pthread_t threads[4];

	for (intptr_t i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

Test(log, lines_stay_whole)
{
	char *text, *line, *rest;
	int count = 0;

	init_log(NULL, "plain");
	text = capture_log(log_from_threads);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		cr_assert(line[4] == '-' && streq(line + strlen(line) - 4, " end"), "%s", line);
		count++;
	}
	cr_assert_eq(count, 2000);
	free(text);
}

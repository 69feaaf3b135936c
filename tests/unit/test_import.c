/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of foreign files: each file of tests/golden/import is read by the format that it is found
 * to be of, and what is heard is what NAME.txt has. SONDE_UPDATE_GOLDEN=1 writes those anew.
 */
#include <dirent.h>

#include "import_help.h"
#include "lines.h"
#include "number.h"
#include "perf_header.h"

#define GOLDEN SONDE_SOURCE_ROOT "/tests/golden/import"

TestSuite(import, .timeout = 60);

static void check_file(const char *name)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	_cleanup_(import_input_freep) struct import_input *in = NULL;
	_cleanup_(freep) char *data = NULL, *wanted = NULL;
	const struct import_format *format = NULL;
	char path[512], golden[600];
	struct error e = {};
	size_t len, wanted_len;

	snprintf(path, sizeof(path), GOLDEN "/%s", name);
	snprintf(golden, sizeof(golden), "%s.txt", path);
	cr_assert_eq(import_input_open(path, &in, &e), 0, "%s", e.message);
	cr_assert_eq(import_format_detect(in, &format, &e), 0, "%s", e.message);
	cr_assert_eq(read_file(path, 1 << 20, &data, &len), 0);
	strbuf_printf(&out, "format %s\n", format->name);
	cr_assert_eq(import_text(format, data, len, &out, &e), 0, "%s: %s", name, e.message);
	if (getenv("SONDE_UPDATE_GOLDEN")) {
		FILE *f = fopen(golden, "w");

		cr_assert_not_null(f);
		fputs(out.data, f);
		fclose(f);
	}
	cr_assert_eq(read_file(golden, 1 << 20, &wanted, &wanted_len), 0, "%s", golden);
	cr_assert_str_eq(out.data, wanted, "%s", name);
}

static int is_input(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && (len < 4 || !streq(d->d_name + len - 4, ".txt"));
}

Test(import, golden)
{
	struct dirent **names = NULL;
	int n = scandir(GOLDEN, &names, is_input, alphasort);

	cr_assert_geq(n, 9);
	for (int i = 0; i < n; i++) {
		check_file(names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static const struct {
	const char *format, *text, *message;
} bad[] = {
	{"chrome", "[{\"ph\":\"X\",", "truncated: it ends in the middle of an event (byte 11)"},
	{"chrome", "[{\"ph\":\"X\" 1}]", "no valid JSON at byte"},
	{"chrome", "\xef\xbb\xbf[x", "no valid JSON at byte 4"},
	{"chrome", "{\"a\":1}", "neither an array nor an object with \"traceEvents\""},
	{"chrome", "{\"a\":", "truncated"},
	{"chrome", "7", "there are no events in it"},
	{"chrome", "[{}] x", "no valid JSON at byte 5"},
	{"chrome", "[{},]]]", "no valid JSON"},
	{"chrome", "[{}}]", "no valid JSON at byte 3"},
	{"chrome", "[{},]}", "no valid JSON at byte 4"},
	{"dftracer", "[\n{\"name\":\"a\"}\n{\"name\"\n{}\n", "t:4: the line is no event in JSON"},
	{"dftracer", "[\n{\"name\":\"a\"}\n{\"name\":1\n", "truncated"},
	{"folded", "a;b 1\na;b\n", "t:2: the line does not end in a number"},
	{"folded", "a;b 1\na;b -3\n", "t:2: "},
	{"pprof", "", "no profile in the pprof format"},
	{"pprof", "\x0a\x04\x08\x01", "damaged or truncated"},
	{"pprof", "\x32", "damaged or truncated"},
	{"pprof", "hello", "damaged or truncated"},
};

Test(import, bad_files)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {};
		struct error e = {};
		int r = import_text(import_format_find(bad[i].format), bad[i].text,
				    strlen(bad[i].text), &out, &e);

		cr_expect_eq(r, -EBADMSG, "%s: %d", bad[i].text, r);
		cr_expect_str_eq(e.name, "BadFile", "%s", bad[i].text);
		cr_expect_not_null(strstr(e.message, bad[i].message), "%s: %s", bad[i].text,
				   e.message);
	}
}

/* What programs leave at the end of an array that they could not close. */
Test(import, arrays_that_are_not_closed)
{
	static const char *const ends[] = {"", "\n", ",\n", "]", ",]", ", ]\n", "]\n\n"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {};
		struct error e = {};
		char text[128];

		snprintf(text, sizeof(text), "[{\"ph\":\"i\",\"name\":\"a\",\"ts\":1}%s", ends[i]);
		cr_expect_eq(
			import_text(import_format_find("chrome"), text, strlen(text), &out, &e), 0,
			"%s: %s", text, e.message);
		cr_expect_str_eq(out.data, "span 1000+0 0/0 a [] instant\n", "%s", text);
	}
}

Test(import, numbers)
{
	static const struct {
		const char *text;
		int scale, r;
		int64_t value;
	} numbers[] = {
		{"0", 3, 0, 0},
		{"1", 3, 0, 1000},
		{"-1.5", 3, 0, -1500},
		{"1700000000000000.123", 3, 0, 1700000000000000123},
		{"1700000000000000.1234", 3, 0, 1700000000000000123},
		{"1700000000000000.1235", 3, 0, 1700000000000000124},
		{"0.0004", 3, 0, 0},
		{"0.0005", 3, 0, 1},
		{"0.00000000000000000000000000000000001", 3, 0, 0},
		{"1e3", 0, 0, 1000},
		{"12.5E-1", 0, 0, 1},
		{"1e-400", 0, 0, 0},
		{"1e400", 0, -ERANGE, 0},
		{"9223372036854775807", 0, 0, INT64_MAX},
		{"9223372036854775808", 0, -ERANGE, 0},
		{"123456789012345678901234567890", 0, -ERANGE, 0},
		{"0e99999999999", 0, 0, 0},
		{"", 0, -EINVAL, 0},
		{"-", 0, -EINVAL, 0},
		{".5", 0, -EINVAL, 0},
		{"1.2.3", 0, -EINVAL, 0},
		{"1e", 0, -EINVAL, 0},
		{"1x", 0, -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t value = 0;
		int r = import_number(numbers[i].text, strlen(numbers[i].text), numbers[i].scale,
				      &value);

		cr_expect_eq(r, numbers[i].r, "%s: %d", numbers[i].text, r);
		if (r == 0)
			cr_expect_eq(value, numbers[i].value, "%s: %lld", numbers[i].text,
				     (long long)value);
	}
}

Test(import, lines)
{
	static const char text[] = "one\r\n\nth\0ree\nlast";
	_cleanup_(import_input_freep) struct import_input *in =
		import_input_of("t", text, sizeof(text) - 1);
	_cleanup_(import_lines_release) struct import_lines l = {.in = in};
	_cleanup_(freep) char *longest = malloc(IMPORT_LINE_MAX + 2);
	static const char *const wanted[] = {"one", "", "th?ree", "last"};
	struct error e = {};
	size_t len;
	char *line;

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(import_lines_next(&l, &line, &len, &e), 1);
		cr_assert_str_eq(line, wanted[i]);
		cr_assert_eq(len, strlen(wanted[i]));
	}
	cr_assert_eq(import_lines_next(&l, &line, &len, &e), 0);
	import_lines_release(&l);
	import_input_free(in);
	memset(longest, 'x', IMPORT_LINE_MAX + 1);
	in = import_input_of("t", longest, IMPORT_LINE_MAX + 1);
	l = (struct import_lines){.in = in};
	cr_assert_eq(import_lines_next(&l, &line, &len, &e), -EBADMSG);
	cr_assert_str_eq(e.message, "t:1: the line has more than 1 MiB");
}

Test(import, formats_by_name_and_content)
{
	static const struct {
		const char *name, *text, *format;
	} files[] = {
		{"x.pfw.gz", "?", "dftracer"},
		{"x.PB.GZ", "?", "pprof"},
		{"x.folded", "{", "folded"},
		{"x", " \n[", "chrome"},
		{"x", "\xef\xbb\xbf[", "chrome"},
		{"x.json", "{\"name\":1}\n{\"name\":2}", "dftracer"},
		{"x.txt", "#\na;b 3\n", "folded"},
		{"x.txt", "a 1 2.000000: cycles: \n\t 1 f (x)\n", "perf-script"},
		{"x", "# ========\n# captured on    : now\n# header", "perf-script"},
		{"x", "hello world\n", NULL},
		{"x", "\x7f\x45LF", NULL},
		{"x.pb", "SQLite format 3", NULL},
		{"x", "PERFILE2", NULL},
		{"x", "", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(import_input_freep) struct import_input *in =
			import_input_of(files[i].name, files[i].text, strlen(files[i].text));
		const struct import_format *format = NULL;
		struct error e = {};
		int r = import_format_detect(in, &format, &e);

		cr_expect_eq(r, files[i].format ? 0 : -EBADMSG, "%s", files[i].text);
		if (r == 0)
			cr_expect_str_eq(format->name, files[i].format, "%s", files[i].text);
	}
}

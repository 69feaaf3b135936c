/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed files, whole and damaged. */
#include <criterion/criterion.h>
#include <zlib.h>

#include "input.h"

TestSuite(import_input, .timeout = 60);

/* A member of gzip with n bytes of text in it, behind what is there. */
static void compress_to(uint8_t *to, size_t *len, size_t max, const uint8_t *text, size_t n)
{
	z_stream z = {.next_in = (uint8_t *)text, .next_out = to + *len};

	z.avail_in = (unsigned int)n;
	z.avail_out = (unsigned int)(max - *len);
	cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	*len += z.total_out;
	deflateEnd(&z);
}

enum { TEXT = 3000000, PACKED = 4000000 };
static uint8_t text[TEXT], packed[PACKED];

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < TEXT; i++)
		text[i] = (uint8_t)((x = x * 1103515245 + 12345) >> 28);
}

static int read_all(const void *data, size_t len, char **ret, size_t *ret_len, struct error *e)
{
	struct import_input *in = import_input_of("t.gz", data, len);
	const char *head;
	size_t head_len;
	int r = import_input_head(in, &head, &head_len, e);

	if (r >= 0)
		r = import_input_all(in, SIZE_MAX / 2, ret, ret_len, e);
	import_input_free(in);
	return r;
}

Test(import_input, whole)
{
	_cleanup_(freep) char *got = NULL, *plain = NULL;
	struct error e = {};
	size_t len = 0, n = 0;

	fill();
	compress_to(packed, &len, PACKED, text, TEXT / 3);
	compress_to(packed, &len, PACKED, text + TEXT / 3, TEXT - TEXT / 3);
	/* Padding with zeros, as on tapes. */
	memset(packed + len, 0, 100);
	cr_assert_eq(read_all(packed, len + 100, &got, &n, &e), 0, "%s", e.message);
	cr_assert_eq(n, TEXT);
	cr_assert_arr_eq(got, text, TEXT);
	cr_assert_eq(read_all(text, TEXT, &plain, &n, &e), 0);
	cr_assert_eq(n, TEXT);
	cr_assert_arr_eq(plain, text, TEXT);
}

static void refused(const void *data, size_t len, const char *message)
{
	_cleanup_(freep) char *got = NULL;
	struct error e = {};
	size_t n = 0;

	cr_assert_eq(read_all(data, len, &got, &n, &e), -EBADMSG, "%s", message);
	cr_assert_str_eq(e.name, "BadFile");
	cr_assert_not_null(strstr(e.message, message), "%s: %s", message, e.message);
}

Test(import_input, damaged)
{
	size_t len = 0;

	fill();
	compress_to(packed, &len, PACKED, text, TEXT);
	refused(packed, len - 1, "truncated");
	refused(packed, 20, "truncated");
	packed[len] = 'x';
	refused(packed, len + 1, "something else behind");
	packed[len / 2] ^= 0x55;
	refused(packed, len, "at byte");
}

Test(import_input, bomb)
{
	uint8_t *zeros = calloc(1, 72 << 20);
	size_t len = 0;

	compress_to(packed, &len, PACKED, zeros, 72 << 20);
	free(zeros);
	refused(packed, len, "grows more than 600 times");
}

Test(import_input, too_much_for_one_piece)
{
	struct import_input *in = import_input_of("t", text, 3 << 20);
	struct error e = {};
	char *got = NULL;
	size_t n = 0;

	cr_assert_eq(import_input_all(in, 2 << 20, &got, &n, &e), -EFBIG);
	cr_assert_str_eq(e.message, "t has more than 2 MiB");
	import_input_free(in);
}

Test(import_input, files)
{
	struct import_input *in = NULL;
	struct error e = {};

	cr_assert_eq(import_input_open("/nonexistent", &in, &e), -ENOENT);
	cr_assert_str_eq(e.name, "NoSuchFile");
	e = (struct error){};
	cr_assert_eq(import_input_open("/tmp", &in, &e), -EISDIR);
	cr_assert_null(in);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "sonde/base/base64.h"

/* The vectors of RFC 4648, and bytes that are no text. */
Test(base64, both_ways)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{"", 0, ""},
		{"f", 1, "Zg=="},
		{"fo", 2, "Zm8="},
		{"foo", 3, "Zm9v"},
		{"foob", 4, "Zm9vYg=="},
		{"fooba", 5, "Zm9vYmE="},
		{"foobar", 6, "Zm9vYmFy"},
		{"\0\xff\xfe\x80", 4, "AP/+gA=="},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(strbuf_release) struct strbuf text = {}, bytes = {};

		strbuf_puts(&text, "<");
		base64_encode(&text, cases[i].bytes, cases[i].len);
		cr_assert_str_eq(text.data + 1, cases[i].text);
		strbuf_puts(&bytes, "<");
		cr_assert_eq(base64_decode(&bytes, cases[i].text, strlen(cases[i].text)), 0);
		cr_assert_eq(bytes.len, cases[i].len + 1);
		cr_assert_eq(memcmp(bytes.data + 1, cases[i].bytes, cases[i].len), 0);
	}
}

Test(base64, what_is_none_is_refused)
{
	static const char *const bad[] = {"A",
					  "AA",
					  "AAA",
					  "A===",
					  "====",
					  "AA=A",
					  "=AAA",
					  "A-A=",
					  "AA==AAAA",
					  "AB==",
					  "AAB=",
					  "AA A",
					  "\xff\xff\xff\xff"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(strbuf_release) struct strbuf bytes = {};

		strbuf_puts(&bytes, "kept");
		cr_assert_eq(base64_decode(&bytes, bad[i], strlen(bad[i])), -EINVAL, "%s", bad[i]);
		cr_assert_eq(bytes.len, 4);
	}
}

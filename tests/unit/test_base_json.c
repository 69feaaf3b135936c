/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>
#include <math.h>

#include "sonde/base/json.h"

#include "base_random.h"

Test(json, exact_text)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	struct json_writer w;

	json_begin(&w, &b);
	json_object_begin(&w, NULL);
	json_string(&w, "s", "a\"b\\c\n\t\r\x01\x7f\xc3\xa4\xff");
	json_string(&w, "none", NULL);
	json_array_begin(&w, "a");
	json_u64(&w, NULL, UINT64_MAX);
	json_i64(&w, NULL, INT64_MIN);
	json_u64(&w, NULL, 0);
	json_object_begin(&w, NULL);
	json_object_end(&w);
	json_array_end(&w);
	json_hex(&w, "h", 0xdeadbeefcafef00dULL);
	json_double(&w, "d", 0.1);
	json_double(&w, "zero", -0.0);
	json_double(&w, "nan", NAN);
	json_double(&w, "inf", -INFINITY);
	json_bool(&w, "yes", true);
	json_raw(&w, "raw", "[1,2]", 5);
	json_object_end(&w);
	cr_assert_str_eq(
		b.data,
		"{\"s\":\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u007f\xc3\xa4\xef\xbf\xbd\",\"none\":null,"
		"\"a\":[18446744073709551615,-9223372036854775808,0,{}],"
		"\"h\":\"0xdeadbeefcafef00d\",\"d\":0.1,\"zero\":-0.0,\"nan\":null,\"inf\":null,"
		"\"yes\":true,"
		"\"raw\":[1,2]}");
	cr_assert_eq(strbuf_error(&b), 0);
}

Test(json, bytes)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	struct json_writer w;

	json_begin(&w, &b);
	json_array_begin(&w, NULL);
	json_base64(&w, NULL, NULL, 0);
	json_base64(&w, NULL, "\0\xff\xfe\x80", 4);
	json_array_end(&w);
	cr_assert_str_eq(b.data, "[\"\",\"AP/+gA==\"]");
}

Test(json, depth_is_checked)
{
	for (int extra = 0; extra < 2; extra++) {
		_cleanup_(strbuf_release) struct strbuf b = {};
		struct json_writer w;

		json_begin(&w, &b);
		for (int i = 0; i < JSON_MAX_DEPTH + extra; i++)
			json_array_begin(&w, NULL);
		for (int i = 0; i < JSON_MAX_DEPTH + extra; i++)
			json_array_end(&w);
		cr_assert_eq(strbuf_error(&b), extra ? -ENOMEM : 0);
		strbuf_reset(&b);
		json_begin(&w, &b);
		json_object_end(&w);
		cr_assert_eq(strbuf_error(&b), -ENOMEM);
	}
}

Test(json, utf8)
{
	static const struct {
		const char *text;
		size_t length;
	} cases[] = {
		{"a", 1},
		{"\xc3\xa4", 2},
		{"\xe2\x82\xac", 3},
		{"\xf0\x9f\x98\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0},
		{"\xc0\x80", 0},
		{"\xc1\xbf", 0},
		{"\xe0\x80\x80", 0},
		{"\xed\xa0\x80", 0},
		{"\xf0\x80\x80\x80", 0},
		{"\xf4\x90\x80\x80", 0},
		{"\xf5\x80\x80\x80", 0},
		{"\xc3", 0},
		{"\xe2\x82", 0},
		{"\xe2\x82z", 0},
		{"", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(utf8_sequence(cases[i].text, strlen(cases[i].text)), cases[i].length,
			     "case %zu", i);
}

static size_t random_text(char *out, size_t max, bool valid)
{
	static const char *const pieces[] = {"a",
					     "Z",
					     " ",
					     "\"",
					     "\\",
					     "\n",
					     "/",
					     "\t",
					     "\x01",
					     "\x1f",
					     "\xc3\xa4",
					     "\x7f",
					     "\b",
					     "\f",
					     "{",
					     "\xe2\x82\xac",
					     "\xf0\x9f\x98\x80"};
	size_t len = 0, count = next_random() % 20;

	for (size_t i = 0; i < count && len + 4 < max; i++) {
		const char *p = pieces[next_random() % ARRAY_SIZE(pieces)];

		if (!valid && next_random() % 2) {
			out[len++] = 1 + next_random() % 255;
			continue;
		}
		memcpy(out + len, p, strlen(p));
		len += strlen(p);
	}
	out[len] = '\0';
	return len;
}

/* Writes the same random value by the writer and as a cJSON tree. */
static cJSON *random_value(struct json_writer *w, const char *key, int depth)
{
	char text[128];
	cJSON *item;
	double d;

	switch (next_random() % (depth < 6 ? 8 : 6)) {
	case 0:
		random_text(text, sizeof(text), true);
		json_string(w, key, text);
		return cJSON_CreateString(text);
	case 1:
		d = (double)(int64_t)(next_random() >> 11) * (next_random() % 2 ? 1 : -1);
		json_i64(w, key, (int64_t)d);
		return cJSON_CreateNumber(d);
	case 2:
		d = (double)(int64_t)next_random() * pow(10, (int)(next_random() % 60) - 40);
		json_double(w, key, d);
		return cJSON_CreateNumber(d);
	case 3:
		json_bool(w, key, depth & 1);
		return cJSON_CreateBool(depth & 1);
	case 4:
		json_string(w, key, NULL);
		return cJSON_CreateNull();
	case 5:
		d = (double)(next_random() >> 12);
		json_u64(w, key, (uint64_t)d);
		return cJSON_CreateNumber(d);
	case 6:
		item = cJSON_CreateArray();
		json_array_begin(w, key);
		for (uint64_t n = next_random() % 6; n; n--)
			cJSON_AddItemToArray(item, random_value(w, NULL, depth + 1));
		json_array_end(w);
		return item;
	default:
		item = cJSON_CreateObject();
		json_object_begin(w, key);
		for (uint64_t n = next_random() % 6; n; n--) {
			char name[160];

			snprintf(name, sizeof(name), "%u", (unsigned int)n);
			random_text(name + strlen(name), 100, true);
			cJSON_AddItemToObject(item, name, random_value(w, name, depth + 1));
		}
		json_object_end(w);
		return item;
	}
}

Test(json, control_characters)
{
	static const struct {
		const char *text;
		bool is_control;
	} cases[] = {
		{"\n", true},	     {"\x1f", true},	  {" ", false},
		{"\x7f", true},	     {"\xc2\x80", true},  {"\xc2\x9f", true},
		{"\xc2\xa0", false}, {"\xc3\x80", false}, {"\xe0\xa0\x80", false},
		{"\u2027", false},   {"\u2028", true},	  {"\u202e", true},
		{"\u202f", false},   {"\u2065", false},	  {"\u2066", true},
		{"\u2069", true},    {"\u206a", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(utf8_is_control(cases[i].text, strlen(cases[i].text)),
			     cases[i].is_control, "%zu", i);
	cr_expect(utf8_is_control("", 1), "NUL");
}

Test(json, random_against_cjson)
{
	seed_rng();
	for (int i = 0; i < 3000; i++) {
		_cleanup_(strbuf_release) struct strbuf b = {};
		struct json_writer w;
		const char *end;
		cJSON *expected, *parsed;

		json_begin(&w, &b);
		expected = random_value(&w, NULL, 0);
		parsed = cJSON_ParseWithOpts(b.data, &end, true);
		cr_assert_not_null(parsed, "not JSON: %s", b.data);
		cr_assert(cJSON_Compare(expected, parsed, true), "differs: %s", b.data);
		cJSON_Delete(expected);
		cJSON_Delete(parsed);
	}
}

Test(json, random_bytes_become_utf8)
{
	seed_rng();
	for (int i = 0; i < 3000; i++) {
		_cleanup_(strbuf_release) struct strbuf b = {};
		struct json_writer w;
		char text[128];
		cJSON *parsed;

		random_text(text, sizeof(text), false);
		json_begin(&w, &b);
		json_string(&w, NULL, text);
		for (size_t at = 0; at < b.len;) {
			size_t n = utf8_sequence(b.data + at, b.len - at);

			cr_assert_gt(n, 0, "invalid at %zu: %s", at, b.data);
			at += n;
		}
		parsed = cJSON_Parse(b.data);
		cr_assert(cJSON_IsString(parsed), "not a string: %s", b.data);
		cJSON_Delete(parsed);
	}
}

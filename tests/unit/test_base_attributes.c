/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes, packed and unpacked; what is read may be anything. */
#include <criterion/criterion.h>

#include <math.h>

#include "base_random.h"
#include "sonde/base/attributes.h"

static struct attribute text_of(const char *key, const char *text)
{
	return (struct attribute){.type = ATTRIBUTE_TEXT,
				  .key = key,
				  .key_len = strlen(key),
				  .text = text,
				  .text_len = strlen(text)};
}

Test(base_attributes, all_types_come_back)
{
	const struct attribute in[] = {
		{.type = ATTRIBUTE_INT, .key = "i", .key_len = 1, .number = (uint64_t)-7},
		{.type = ATTRIBUTE_UINT, .key = "u", .key_len = 1, .number = UINT64_MAX},
		{.type = ATTRIBUTE_REAL, .key = "real", .key_len = 4, .real = 0.25},
		{.type = ATTRIBUTE_BOOL, .key = "b", .key_len = 1, .number = 1},
		text_of("path", "/tmp/ü"),
		text_of("", ""),
		text_of("i", "again"),
	};
	static const char *const printed[] = {"-7", "18446744073709551615", "0.25", "true", ""};
	uint8_t buf[ATTRIBUTES_MAX_BYTES];
	size_t len = 0, pos = 0;
	struct attribute a;
	bool left_out = false;

	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		len = attributes_put(buf, len, &in[i], &left_out);
	cr_assert_not(left_out);
	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		_cleanup_(strbuf_release) struct strbuf out = {};

		cr_assert(attributes_next(buf, len, &pos, &a));
		cr_expect_eq(a.type, in[i].type);
		cr_expect(a.key_len == in[i].key_len && !memcmp(a.key, in[i].key, a.key_len));
		cr_expect_eq(a.number, in[i].number);
		cr_expect_eq(a.real, in[i].real);
		cr_expect_eq(a.text_len, in[i].text_len);
		attribute_print_number(&a, &out);
		if (i < ARRAY_SIZE(printed))
			cr_expect_str_eq(out.data ? out.data : "", printed[i]);
	}
	cr_expect_not(attributes_next(buf, len, &pos, &a));
	cr_expect(attributes_find(buf, len, "i", &a) && a.type == ATTRIBUTE_TEXT, "the last one");
	cr_expect(attributes_find(buf, len, "u", &a));
	cr_expect_not(attributes_find(buf, len, "pat", &a));
}

Test(base_attributes, real_numbers_are_as_short_as_they_can_be)
{
	static const struct {
		double value;
		const char *printed;
	} cases[] = {
		{0.1, "0.1"},
		{-2.5, "-2.5"},
		{3, "3"},
		{1e300, "1e+300"},
		{0.1 + 0.2, "0.30000000000000004"},
		{-0.0, "-0"},
		{INFINITY, "inf"},
		{-INFINITY, "-inf"},
		{NAN, "nan"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct attribute a = {.type = ATTRIBUTE_REAL, .real = cases[i].value};
		_cleanup_(strbuf_release) struct strbuf out = {};

		attribute_print_number(&a, &out);
		cr_expect_str_eq(out.data, cases[i].printed);
	}
}

Test(base_attributes, no_more_than_there_is_room_for)
{
	uint8_t buf[ATTRIBUTES_MAX_BYTES];
	char wide[300] = "";
	struct attribute a = text_of("k", wide);
	size_t len = 0, pos = 0, before;
	bool left_out = false;

	for (size_t i = 0; i + 2 < sizeof(wide); i += 2)
		memcpy(wide + i, "ü", 2);
	wide[298] = '\0';
	a.text_len = 298;
	do {
		before = len;
		len = attributes_put(buf, len, &a, &left_out);
	} while (!left_out);
	cr_expect_eq(len, before);
	cr_expect_leq(len, sizeof(buf));
	cr_assert(attributes_next(buf, len, &pos, &a));
	cr_expect_eq(a.text_len, 254, "cut between characters: %zu", a.text_len);
}

/* Nothing outside is read: the sanitizers would say so. */
Test(base_attributes, anything_is_read)
{
	seed_rng();
	for (int i = 0; i < 20000; i++) {
		size_t len = next_random() % 64, pos = 0, last = 0;
		uint8_t *data = malloc(len + 1);
		struct attribute a;

		for (size_t k = 0; k < len; k++)
			data[k] = next_random() % 4 ? (uint8_t)(next_random() % 9)
						    : (uint8_t)next_random();
		data = realloc(data, len ? len : 1);
		while (attributes_next(data, len, &pos, &a)) {
			cr_assert(pos > last && pos <= len);
			last = pos;
		}
		free(data);
	}
}

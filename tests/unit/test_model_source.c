/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of spans written in source code: what programs write comes back, and nothing else. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "model/source_batch.h"

/* A batch in the making, as a program makes one: ticks of a quarter of a nanosecond. */
struct made {
	uint64_t words[SONDE_BATCH_SIZE / 8];
	size_t size;
};

static const struct sonde_anchor never = {};

static struct sonde_batch *head_of(struct made *m)
{
	return (struct sonde_batch *)m->words;
}

static void begin(struct made *m)
{
	*m = (struct made){.size = sizeof(struct sonde_batch)};
	*head_of(m) = (struct sonde_batch){
		.magic = SONDE_BATCH_MAGIC,
		.version = SONDE_SPAN_VERSION,
		.pid = 10,
		.tid = 11,
		.sequence = 1,
		.dropped = {1, 0, 2, 0},
		.first = {1000, 100},
		.begin = {5000, 1100},
		.end = {9000, 2100},
	};
}

static void put(struct made *m, const void *data, size_t len)
{
	cr_assert_leq(m->size + len, sizeof(m->words));
	memcpy((char *)m->words + m->size, data, len);
	m->size += len;
	head_of(m)->bytes = (uint32_t)m->size;
}

static void put_span(struct made *m, uint64_t start, uint64_t duration)
{
	put(m,
	    &(struct sonde_record_span){.h = {sizeof(struct sonde_record_span), SONDE_RECORD_SPAN,
					      SONDE_SPAN_ERROR, 2, 0},
					.site = 7,
					.path = sonde_path(sonde_path(0, 5), 7),
					.start = start,
					.duration = duration},
	    sizeof(struct sonde_record_span));
}

/* A line that begins where no time is, and goes back from there. */
Test(model_source, times_before_an_anchor_that_is_none)
{
	struct source_batch b;
	struct made m;

	begin(&m);
	head_of(&m)->first = (struct sonde_anchor){1000, 17000000000000000000ULL};
	head_of(&m)->end = (struct sonde_anchor){1001, 18400000000000000000ULL};
	head_of(&m)->bytes = (uint32_t)m.size;
	cr_assert_eq(source_batch_open(m.words, m.size, &never, &b), 0);
	cr_expect_eq(source_batch_ns(&b, 992), INT64_MAX);
}

Test(model_source, a_span_with_all_there_is)
{
	static const struct {
		struct sonde_record_span span;
		int64_t code;
		struct sonde_trace trace;
		struct sonde_field number;
		int64_t value;
		struct sonde_field text;
		char chars[8];
	} record = {
		.span = {.h = {sizeof(record), SONDE_RECORD_SPAN,
			       SONDE_SPAN_HAS_ERROR_CODE | SONDE_SPAN_HAS_TRACE, 1, 2},
			 .site = 7,
			 .path = 8,
			 .start = 6000,
			 .duration = 400},
		.code = -5,
		.trace = {.span_id = 77},
		.number = {.key = 1, .type = SONDE_FIELD_I64, .len = 8},
		.value = -3,
		.text = {.key = 2, .type = SONDE_FIELD_TEXT, .len = 5},
		.chars = "hello",
	};
	struct source_batch b;
	struct source_item item;
	struct made m;

	begin(&m);
	put(&m, &record, sizeof(record));
	cr_assert_eq(source_batch_open(m.words, m.size, &never, &b), 0);
	cr_expect_eq(b.dropped, 3);
	cr_assert_eq(source_batch_next(&b, &item), 1);
	cr_expect_eq(item.start_ns, 1350);
	cr_expect_eq(item.duration_ns, 100);
	cr_expect_eq(item.error_code, -5);
	cr_expect(item.has_trace && item.trace.span_id == 77);
	cr_assert_eq(item.n_fields, 2);
	cr_expect_eq((int64_t)item.fields[0].value, -3);
	cr_expect(item.fields[1].len == 5 && !memcmp(item.fields[1].text, "hello", 5));
	cr_expect_eq(source_batch_next(&b, &item), 0);
}

Test(model_source, paths_can_be_taken_back)
{
	seed_rng();
	for (int i = 0; i < 1000; i++) {
		uint64_t parent = i ? next_random() : 0, site = next_random();

		cr_assert_eq(source_parent_path(sonde_path(parent, site), site), parent);
	}
}

/* Times lie on the lines between the clocks that were read; what had begun before as well. */
Test(model_source, clocks)
{
	struct sonde_anchor now = {13000, 3100};
	struct source_batch b;
	struct made m;

	begin(&m);
	cr_assert_eq(source_batch_open(m.words, m.size, &never, &b), 0);
	cr_expect_eq(source_batch_ns(&b, 7000), 1600);
	cr_expect_eq(source_batch_ns(&b, 3000), 600, "before the batch");
	cr_expect_eq(source_batch_ns(&b, 500), 0, "before the first clock, and before 0");
	cr_expect_eq(source_batch_ns(&b, 11000), 2600);
	head_of(&m)->end = never;
	cr_assert_eq(source_batch_open(m.words, m.size, &now, &b), 0);
	cr_expect_eq(source_batch_ns(&b, 9000), 2100, "still in its block: up to now");
	head_of(&m)->begin = head_of(&m)->end = head_of(&m)->first;
	head_of(&m)->flags = SONDE_BATCH_SIMPLE;
	cr_assert_eq(source_batch_open(m.words, m.size, &now, &b), 0);
	cr_expect_eq(source_batch_ns(&b, 9000), 2100, "of the simple mode, whose clocks are old");
	cr_assert_eq(source_batch_open(m.words, m.size, &never, &b), 0);
	cr_expect_eq(source_batch_ns(&b, 9000), 100, "no way to know how fast it goes");
	head_of(&m)->flags = SONDE_BATCH_NS;
	cr_assert_eq(source_batch_open(m.words, m.size, &never, &b), 0);
	cr_expect_eq(source_batch_ns(&b, 9000), 9000);
	cr_expect_eq(source_batch_ns(&b, UINT64_MAX), INT64_MAX);
}

Test(model_source, reading_goes_on_where_it_stopped)
{
	struct source_batch b;
	struct source_item item;
	struct made m;
	size_t middle;

	begin(&m);
	put_span(&m, 6000, 4);
	middle = m.size;
	put_span(&m, 7000, 4);
	head_of(&m)->bytes = 0;
	cr_assert_eq(source_batch_open(m.words, middle, &never, &b), 0);
	cr_expect(source_batch_next(&b, &item) == 1 && source_batch_next(&b, &item) == 0);
	cr_assert_eq(source_batch_open(m.words, m.size, &never, &b), 0);
	source_batch_seek(&b, middle);
	cr_expect(source_batch_next(&b, &item) == 1 && item.start_ns == 1600);
	cr_expect_eq(source_batch_next(&b, &item), 0);
	source_batch_seek(&b, middle + 4);
	cr_expect_leq(source_batch_next(&b, &item), 0);
	source_batch_seek(&b, 1 << 20);
	cr_expect_eq(source_batch_next(&b, &item), 0);
}

static int read_all(const void *data, size_t size)
{
	struct source_batch b;
	struct source_item item;
	int r = source_batch_open(data, size, &never, &b), n = 0;

	while (r >= 0 && (r = source_batch_next(&b, &item)) > 0)
		n++;
	return r < 0 ? r : n;
}

Test(model_source, what_makes_no_sense_is_refused)
{
	struct sonde_record *h;
	struct made m;

	begin(&m);
	put_span(&m, 6000, 4);
	h = (struct sonde_record *)((char *)m.words + sizeof(struct sonde_batch));
	cr_assert_eq(read_all(m.words, m.size), 1);
	cr_expect_eq(read_all(m.words, sizeof(struct sonde_batch) - 1), -EBADMSG);
	cr_expect_eq(read_all(m.words, m.size - 8), -EBADMSG, "it says more than there is");
	h->size = 12;
	cr_expect_eq(read_all(m.words, m.size), -EBADMSG);
	h->size = 0;
	cr_expect_eq(read_all(m.words, m.size), -EBADMSG);
	h->size = 32;
	cr_expect_eq(read_all(m.words, m.size), -EBADMSG, "too short for its kind");
	h->size = sizeof(struct sonde_record_span);
	h->n_fields = 1;
	cr_expect_eq(read_all(m.words, m.size), -EBADMSG);
	h->n_fields = 0;
	h->kind = 200;
	cr_expect_eq(read_all(m.words, m.size), 0, "kinds to come are skipped");
	head_of(&m)->version++;
	cr_expect_eq(read_all(m.words, m.size), -EBADMSG);
}

/* Any bytes, mostly near what is right. */
Test(model_source, anything_is_read)
{
	struct made m;

	seed_rng();
	for (int i = 0; i < 20000; i++) {
		size_t size;
		uint8_t *copy;

		begin(&m);
		for (uint64_t n = next_random() % 6; n > 0; n--)
			put_span(&m, next_random(), next_random());
		for (uint64_t n = next_random() % 8; n > 0; n--)
			((uint8_t *)m.words)[next_random() % m.size] = (uint8_t)next_random();
		size = next_random() % 4 ? m.size : next_random() % (m.size + 1);
		copy = malloc(size + 1);
		memcpy(copy, m.words, size);
		(void)read_all(copy, size);
		free(copy);
	}
}

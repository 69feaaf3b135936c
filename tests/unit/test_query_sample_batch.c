/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw samples as columns: what goes in is read back from the text. */
#include <criterion/criterion.h>

#include "query/sample_batch.h"
#include "sonde/base/base64.h"
#include "sonde/base/varint.h"
#include "sonde/sample_columns.h"

enum { OFFSET_NS = 1000, MAX_SAMPLES = 8 };

struct made {
	struct model *m;
	struct window w;
	struct snapshot *s;
	uint32_t processes[2], names[2], stacks[3];
};

static void add(struct made *made, int process, int name, int stack)
{
	cr_assert_eq(window_add_sample(&made->w, made->processes[process], made->names[name],
				       stack < 0 ? 0 : made->stacks[stack], 1),
		     0);
}

/* Two processes; main → work, and work by itself; a sample without a stack. */
static void make(struct made *made)
{
	const struct window *w = &made->w;
	uint32_t file;

	*made = (struct made){};
	cr_assert_eq(model_new(&made->m), 0);
	file = model_file(made->m, NULL, "/app", 0);
	for (uint32_t i = 0; i < 2; i++) {
		made->processes[i] = model_process(made->m, 10 + i, 1);
		made->names[i] = model_string(made->m, i ? "pool" : "main");
	}
	made->stacks[0] = model_stack(made->m, 0, model_frame(made->m, file, 0x10));
	made->stacks[1] = model_stack(made->m, made->stacks[0], model_frame(made->m, file, 0x20));
	made->stacks[2] = model_stack(made->m, 0, model_frame(made->m, file, 0x20));
	add(made, 1, 1, 2);
	add(made, 0, 0, 1);
	add(made, 0, 1, -1);
	cr_assert_eq(snapshot_take(made->m, &w, 1, NULL, SNAPSHOT_CPU, 1000, &made->s), 0);
}

static void release(struct made *made)
{
	snapshot_free(made->s);
	window_release(&made->w);
	model_free(made->m);
}

static size_t read_column(const char *json, const char *name, uint64_t *ret)
{
	_cleanup_(strbuf_release) struct strbuf bytes = {};
	char key[32], text[256] = "";
	const uint8_t *p, *end;
	const char *at;
	size_t n = 0;

	snprintf(key, sizeof(key), "\"%s\":\"", name);
	at = strstr(json, key);
	cr_assert(at, "no %s in %s", name, json);
	sscanf(at + strlen(key), "%255[^\"]", text);
	cr_assert_eq(base64_decode(&bytes, text, strlen(text)), 0);
	p = (const uint8_t *)bytes.data;
	for (end = p + bytes.len; p < end; n++) {
		cr_assert_lt(n, MAX_SAMPLES);
		cr_assert(varint_get(&p, end, &ret[n]));
	}
	return n;
}

static struct raw_sample raw(const struct made *made, uint64_t time_ns, int process, uint32_t tid,
			     int name, int stack)
{
	return (struct raw_sample){.time_ns = time_ns,
				   .ns = time_ns / 2,
				   .process = made->processes[process],
				   .tid = tid,
				   .thread = made->names[name],
				   .stack = stack < 0 ? 0 : made->stacks[stack],
				   .count = 1};
}

static char *write_batch(struct sample_batch *b)
{
	struct strbuf out = {};
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	sample_batch_write(b, &w);
	json_object_end(&w);
	cr_assert_eq(strbuf_error(&out), 0);
	sample_batch_next(b);
	return out.data;
}

/* Index of the stack that leads to the frame at that offset, over so many frames. */
static bool is_stack(const struct snapshot *s, uint64_t number, uint64_t offset, int depth)
{
	const struct snapshot_stack *stack = &s->stacks[number - 1];

	cr_assert(number >= 1 && number <= s->n_stacks);
	if (s->frames[stack->frame].offset != offset)
		return false;
	return depth == 1 ? !stack->parent : is_stack(s, stack->parent, 0x10, depth - 1);
}

Test(sample_batch, columns_are_the_samples)
{
	_cleanup_(sample_batch_freep) struct sample_batch *b = NULL;
	_cleanup_(freep) char *first = NULL, *second = NULL;
	uint64_t times[MAX_SAMPLES], threads[MAX_SAMPLES], stacks[MAX_SAMPLES], ns[MAX_SAMPLES];
	struct made made;
	struct raw_sample samples[4];

	make(&made);
	samples[0] = raw(&made, 500, 1, 21, 1, 2);
	samples[1] = raw(&made, 400, 0, 20, 0, 1); /* not in order */
	samples[2] = raw(&made, 900, 1, 21, 1, 2);
	samples[3] = raw(&made, 950, 0, 22, 1, -1);
	cr_assert_eq(sample_batch_new(&made.w, made.s, OFFSET_NS, &b), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(sample_batch_add(b, &samples[i]), 0);
	cr_assert_eq(sample_batch_count(b), 3);
	first = write_batch(b);
	cr_assert_eq(sample_batch_add(b, &samples[3]), 0);
	second = write_batch(b);
	cr_assert_eq(read_column(first, "time", times), 3);
	cr_assert_eq(read_column(first, "thread", threads), 3);
	cr_assert_eq(read_column(first, "stack", stacks), 3);
	cr_assert_eq(read_column(first, "ns", ns), 3);
	cr_expect_eq(unzigzag(times[0]), 1500);
	cr_expect_eq((int64_t)unzigzag(times[1]), -100);
	cr_expect_eq(unzigzag(times[2]), 500);
	cr_expect(threads[0] == 0 && threads[1] == 1 && threads[2] == 0);
	cr_expect(ns[0] == 250 && ns[1] == 200 && ns[2] == 450);
	cr_expect(is_stack(made.s, stacks[0], 0x20, 1) && stacks[2] == stacks[0]);
	cr_expect(is_stack(made.s, stacks[1], 0x20, 2));
	/* The snapshot has processes in the order of the sums. */
	cr_expect(strstr(first, "\"count\":3"), "%s", first);
	cr_expect(strstr(first, "\"threads\":[{\"process\":0,\"tid\":21,\"name\":\"pool\"},"
				"{\"process\":1,\"tid\":20,\"name\":\"main\"}]"),
		  "%s", first);
	cr_assert_eq(read_column(second, "time", times), 1);
	cr_assert_eq(read_column(second, "stack", stacks), 1);
	cr_expect_eq(unzigzag(times[0]), 1950, "to 0 again");
	cr_expect_eq(stacks[0], 0, "no stack");
	cr_expect(strstr(second, "\"threads\":[{\"process\":1,\"tid\":22,\"name\":\"pool\"}]"),
		  "%s", second);
	release(&made);
}

Test(sample_batch, only_what_was_added_up)
{
	_cleanup_(sample_batch_freep) struct sample_batch *b = NULL, *other = NULL;
	struct window nothing = {};
	struct raw_sample sample;
	struct made made;

	make(&made);
	cr_assert_eq(sample_batch_new(&made.w, made.s, 0, &b), 0);
	sample = raw(&made, 1, 0, 20, 0, 0);
	cr_expect_eq(sample_batch_add(b, &sample), -EBADMSG, "a stack that no sum has");
	sample = raw(&made, 1, 0, 20, 0, 1);
	sample.process = 99;
	cr_expect_eq(sample_batch_add(b, &sample), -EBADMSG);
	cr_expect_eq(sample_batch_count(b), 0);
	cr_expect_eq(sample_batch_new(&nothing, made.s, 0, &other), -EBADMSG, "of something else");
	release(&made);
}

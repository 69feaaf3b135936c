/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random conditions that are well-typed for the function of expr_help.h, and random calls with the
 * values where arithmetic goes wrong.
 */
#ifndef SONDE_TESTS_EXPR_RANDOM_H
#define SONDE_TESTS_EXPR_RANDOM_H

#include "base_random.h"
#include "expr_help.h"
#include "sonde/base/strbuf.h"

static const char *const random_texts[] = {"",	      "a",	   "sh",       "nginx",
					   "/tmp/da", "/tmp/data", "/tmp/dat", "abcdefghijklmno"};

static inline uint64_t below(uint64_t n)
{
	return next_random() % n;
}

static inline const char *one_of(const char *const *list, size_t n)
{
	return list[below(n)];
}
#define ONE_OF(...)                                                                                \
	one_of((const char *const[]){__VA_ARGS__}, ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static inline uint64_t edge_value(void)
{
	static const uint64_t edges[] = {0,
					 1,
					 2,
					 3,
					 7,
					 10,
					 63,
					 64,
					 65,
					 255,
					 256,
					 4096,
					 5000,
					 0x7fffffff,
					 0x80000000,
					 0xffffffff,
					 0xfffffffe,
					 0x100000000,
					 INT64_MAX,
					 (uint64_t)INT64_MAX + 1,
					 (uint64_t)INT64_MAX + 2,
					 UINT64_MAX,
					 UINT64_MAX - 1,
					 (uint64_t)-7,
					 (uint64_t)-64,
					 10000000,
					 12345678};

	return below(4) ? edges[below(ARRAY_SIZE(edges))] : next_random() >> below(64);
}

static inline void random_text(uint8_t *at, size_t room)
{
	const char *text = one_of(random_texts, ARRAY_SIZE(random_texts));
	uint32_t len = MIN(strlen(text), room);

	memcpy(at + 4, text, len);
	/* Now and then a length that nothing of ours writes, or a byte that differs. */
	if (!below(30))
		len = edge_value();
	if (!below(10))
		at[4 + below(room)] ^= 1 << below(8);
	memcpy(at, &len, sizeof(len));
}

static inline struct record_call random_call(void)
{
	struct record_call c = {};
	const char *comm = one_of(random_texts, ARRAY_SIZE(random_texts));
	uint64_t value;

	c.span.h = (struct record_header){RECORD_CALL, below(1 << 10), below(64), edge_value()};
	if (below(4))
		c.span.h.flags &= ~(SPAN_UNWOUND | SPAN_TAIL);
	c.span.pid = edge_value();
	c.span.tid = edge_value();
	c.span.depth = edge_value();
	c.span.start_ns = edge_value();
	c.span.duration_ns = edge_value();
	c.span.self_ns = edge_value();
	c.span.ret = edge_value();
	c.offcpu_ns = edge_value();
	c.cgroup = edge_value();
	c.uid = below(3) ? below(3) : edge_value();
	c.caller = below(8) ? below(6) : edge_value();
	memcpy(c.comm, comm, strlen(comm));
	if (!below(10))
		c.comm[below(RECORD_COMM_LEN)] ^= 1 << below(8);
	for (size_t i = 0; i < RECORD_ARGS; i++)
		c.args[i] = edge_value();
	c.valid = below(3) ? UINT64_MAX : next_random();
	for (size_t at = 0; at < RECORD_MAX_VALUES; at += 8) {
		value = edge_value();
		memcpy(c.values + at, &value, 8);
	}
	random_text(c.values + 16, HELP_TEXT_ROOM);
	random_text(c.values + 40, HELP_SHORT_ROOM);
	return c;
}

static inline void gen_number(struct strbuf *b, unsigned int depth);
static inline void gen_bool(struct strbuf *b, unsigned int depth);

static inline void gen_number_leaf(struct strbuf *b)
{
	static const char *const names[] = {"arg0",
					    "arg1",
					    "arg2",
					    "arg3",
					    "arg4",
					    "arg5",
					    "args.flags",
					    "args.color",
					    "args.small",
					    "args.word",
					    "args.len",
					    "args.delta",
					    "args.req->headers[2].len",
					    "ret",
					    "depth",
					    "cpu",
					    "pid",
					    "tid",
					    "uid",
					    "cgroup",
					    "duration_ms",
					    "duration_us",
					    "args.lost"};

	switch (below(6)) {
	case 0:
		strbuf_printf(b, "%llu", (unsigned long long)edge_value());
		break;
	case 1:
		strbuf_printf(b, below(2) ? "0x%llx" : "-%llu",
			      (unsigned long long)(edge_value() >> 1));
		break;
	case 2:
		strbuf_puts(b,
			    ONE_OF("4KiB", "2MB", "-ENOENT", "EAGAIN", "1GiB", "0", "1", "2", "3"));
		break;
	default:
		strbuf_puts(b, one_of(names, ARRAY_SIZE(names)));
	}
}

static inline void gen_duration(struct strbuf *b, unsigned int depth)
{
	if (!depth || !below(3)) {
		strbuf_puts(b, ONE_OF("duration", "self", "cpu_time", "offcpu_time", "args.timeout",
				      "10ms", "0ns", "1s", "250us", "7ns"));
		return;
	}
	strbuf_putc(b, '(');
	switch (below(5)) {
	case 0:
		strbuf_putc(b, '-');
		gen_duration(b, depth - 1);
		break;
	case 1:
		gen_duration(b, depth - 1);
		strbuf_puts(b, ONE_OF(" * ", " / "));
		gen_number(b, depth - 1);
		break;
	case 2:
		gen_number(b, depth - 1);
		strbuf_puts(b, " * ");
		gen_duration(b, depth - 1);
		break;
	default:
		gen_duration(b, depth - 1);
		strbuf_puts(b, ONE_OF(" + ", " - ", " % "));
		gen_duration(b, depth - 1);
	}
	strbuf_putc(b, ')');
}

static inline void gen_number(struct strbuf *b, unsigned int depth)
{
	if (!depth || !below(3)) {
		gen_number_leaf(b);
		return;
	}
	strbuf_putc(b, '(');
	switch (below(10)) {
	case 0:
		strbuf_puts(b, ONE_OF("-", "~"));
		gen_number(b, depth - 1);
		break;
	case 1:
		gen_duration(b, depth - 1);
		strbuf_puts(b, " / ");
		gen_duration(b, depth - 1);
		break;
	case 2:
		strbuf_puts(b, "args.p ");
		strbuf_puts(b, ONE_OF("& ", ">> ", "% "));
		gen_number(b, depth - 1);
		break;
	default:
		gen_number(b, depth - 1);
		strbuf_puts(b, ONE_OF(" + ", " - ", " * ", " / ", " % ", " << ", " >> ", " & ",
				      " | ", " ^ ", " / ", " % "));
		gen_number(b, depth - 1);
	}
	strbuf_putc(b, ')');
}

#define COMPARISON ONE_OF(" == ", " != ", " < ", " <= ", " > ", " >= ")

static inline void gen_text_test(struct strbuf *b)
{
	const char *what = ONE_OF("comm", "args.path", "str(arg1)", "caller", "args.gone", "name");
	size_t room = streq(what, "str(arg1)") ? HELP_SHORT_ROOM : 15;
	const char *text;

	do
		text = streq(what, "caller") ? one_of(help_callers, 4)
					     : one_of(random_texts, ARRAY_SIZE(random_texts));
	while (strlen(text) > room);
	switch (below(4)) {
	case 0:
		strbuf_printf(b, "%s %s ('%s', \"sh\")", what, ONE_OF("in", "not in", "!in"), text);
		break;
	case 1:
		strbuf_printf(b, "%s %s '%.*s*'", what, ONE_OF("=~", "!~"),
			      (int)below(strlen(text) + 1), text);
		break;
	default:
		strbuf_printf(b, "%s %s '%s'", what, ONE_OF("==", "!="), text);
	}
}

/* A whole number held against one with a fraction, or an exponent. */
static inline void gen_decimal_test(struct strbuf *b, unsigned int depth)
{
	bool is_left = below(2);

	if (!is_left) {
		gen_number(b, depth);
		strbuf_puts(b, COMPARISON);
	}
	strbuf_printf(b, "%s%llu.%llue%d", ONE_OF("", "-"),
		      (unsigned long long)edge_value() % 1000000000, (unsigned long long)below(100),
		      (int)below(16) - 4);
	if (is_left) {
		strbuf_puts(b, COMPARISON);
		gen_number(b, depth);
	}
}

static inline void gen_in(struct strbuf *b, unsigned int depth)
{
	bool durations = below(2);

	(durations ? gen_duration : gen_number)(b, depth);
	strbuf_puts(b, ONE_OF(" in (", " not in ("));
	for (size_t i = 0, n = 1 + below(4); i < n; i++) {
		strbuf_puts(b, i ? ", " : "");
		(durations ? gen_duration : gen_number)(b, depth - 1);
	}
	strbuf_putc(b, ')');
}

static inline void gen_bool_leaf(struct strbuf *b)
{
	strbuf_puts(b, ONE_OF("error", "unwound", "args.ok", "args.done", "true", "false", "args.p",
			      "(args.flags & CREAT)", "(args.p == NULL)",
			      "(args.color in (RED, GREEN))", "(start < '2024-01-01Z')",
			      "(start + duration > '2100-01-01Z')", "(args.ok == args.done)",
			      "(args.done == false)", "(args.ok != true)", "(error == args.done)"));
}

static inline void gen_bool(struct strbuf *b, unsigned int depth)
{
	if (!depth) {
		gen_bool_leaf(b);
		return;
	}
	strbuf_putc(b, '(');
	switch (below(13)) {
	case 0:
		gen_bool_leaf(b);
		break;
	case 1:
		gen_text_test(b);
		break;
	case 2:
		strbuf_putc(b, '!');
		gen_bool(b, depth - 1);
		break;
	case 3:
		gen_in(b, depth);
		break;
	case 4:
		strbuf_putc(b, '!');
		gen_bool(b, depth - 1);
		strbuf_puts(b, ONE_OF(" == !", " != !"));
		gen_bool(b, depth - 1);
		break;
	case 5:
		gen_duration(b, depth);
		strbuf_puts(b, COMPARISON);
		gen_duration(b, depth);
		break;
	case 6:
		gen_number(b, depth);
		break;
	case 7:
		gen_decimal_test(b, depth);
		break;
	case 8:
	case 9:
		gen_bool(b, depth - 1);
		strbuf_puts(b, ONE_OF(" && ", " || "));
		gen_bool(b, depth - 1);
		break;
	default:
		gen_number(b, depth);
		strbuf_puts(b, COMPARISON);
		gen_number(b, depth);
	}
	strbuf_putc(b, ')');
}

/* A whole condition; now and then with a term that is the daemon's. */
static inline void gen_condition(struct strbuf *b)
{
	gen_bool(b, 1 + below(4));
	if (!below(4)) {
		strbuf_puts(b, " && ");
		gen_bool(b, 1 + below(3));
	}
	if (!below(8))
		strbuf_puts(b, ONE_OF(" && comm =~ /n/", " && args.path =~ '*a?*'",
				      " && name == 'open'", " && cgroup != '/x'"));
}

#endif

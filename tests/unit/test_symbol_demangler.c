/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names by the reader process: as demangled here, by few questions, and whatever it dies of. */
#include "reader_help.h"
#include "sonde/base/format.h"
#include "symbol/demangler.h"
#include "symbol/symbolizer.h"

TestSuite(symbol_demangler, .init = setup, .fini = teardown, .timeout = 120);

static struct demangler *demangler_by(struct reader *r)
{
	struct demangler *d = NULL;

	cr_assert_eq(demangler_new(&d), 0);
	demangler_set_reader(d, r);
	return d;
}

struct names {
	char **items;
	size_t n, cap;
};

static void names_donep(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
}

static int add_name(const struct symbol *symbol, void *data)
{
	struct names *names = data;

	cr_assert_eq(array_reserve(&names->items, &names->cap, names->n + 1, sizeof(char *)), 0);
	names->items[names->n++] = strdup(symbol->name);
	return 0;
}

static void assert_as_here(struct demangler *d, const struct names *names,
			   enum demangle_style style)
{
	for (size_t i = 0; i < names->n; i++) {
		char *here _cleanup_(freep) = demangle_as(names->items[i], style);
		char *there _cleanup_(freep) = demangler_name(d, names->items[i], style);

		cr_assert_eq(!here, !there, "%s", names->items[i]);
		if (here)
			cr_assert_str_eq(here, there);
	}
}

/* Of a real library, each in both forms, and of none: a few questions for many names. */
Test(symbol_demangler, names_are_those_demangled_here)
{
	struct names names _cleanup_(names_donep) = {};
	struct symtab *st _cleanup_(symtab_freep) =
		load("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct demangler *d _cleanup_(demangler_freep) = demangler_by(r);
	static const char *const more[] = {
		"main",
		"",
		"_",
		"_Z",
		"_ZN3fo",
		"_RNvNtCs1234_7mycrate3foo3bar",
		"_R",
		"_GLOBAL__I_a",
		"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		"_ZN3foo3barEi.cold",
		"_start",
	};
	uint64_t expected;

	symtab_each(st, add_name, &names);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		add_name(&(struct symbol){.name = more[i]}, &names);
	cr_assert_gt(names.n, 3000);
	for (enum demangle_style style = DEMANGLE_SHORT; style <= DEMANGLE_NONE; style++) {
		cr_assert_eq(demangler_prepare(d, (const char *const *)names.items, names.n, style),
			     0);
		assert_as_here(d, &names, style);
	}
	expected = 2 * ((names.n + NAMES_MAX - 1) / NAMES_MAX);
	cr_assert_leq(demangler_questions(d), expected);
	/* Again: all is known. */
	expected = demangler_questions(d);
	cr_assert_eq(demangler_prepare(d, (const char *const *)names.items, names.n, 0), 0);
	assert_as_here(d, &names, DEMANGLE_SHORT);
	cr_assert_eq(demangler_questions(d), expected);
}

/* A report over 10,000 functions. */
Test(symbol_demangler, few_questions_for_many_names)
{
	struct names names _cleanup_(names_donep) = {};
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct demangler *d _cleanup_(demangler_freep) = demangler_by(r);
	char name[64];

	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "_Z7f%06dv", i / 2);
		add_name(&(struct symbol){.name = name}, &names);
	}
	cr_assert_eq(demangler_prepare(d, (const char *const *)names.items, names.n, 0), 0);
	assert_as_here(d, &names, DEMANGLE_SHORT);
	cr_assert_eq(demangler_questions(d), 3);
	/* One that was not announced. */
	char *one _cleanup_(freep) = demangler_name(d, "_Z5extrav", DEMANGLE_FULL);
	cr_assert_str_eq(one, "extra()");
	cr_assert_eq(demangler_questions(d), 4);
}

static void expect(struct demangler *d, const char *name, const char *wanted)
{
	char *text _cleanup_(freep) = demangler_name(d, name, DEMANGLE_SHORT);

	cr_expect_str_eq(text ? text : "(none)", wanted, "%s: %s", name, text);
}

/* It dies of two names of a batch: the others have theirs, and the two are known for it. */
Test(symbol_demangler, names_that_kill)
{
	static const char *const names[] = {"_Z3onev",	 "_Z4segvv", "_Z3twov", "_Z5segv2v",
					    "_Z5threev", "_Z4hangv", "_Z4fourv"};
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct demangler *d _cleanup_(demangler_freep) = demangler_by(r);
	struct reader_failure failures[8];
	uint64_t questions;

	/* A fifth for a question. */
	reader_set_limit(r, 5 * NSEC_PER_SEC);
	cr_assert_eq(demangler_prepare(d, names, ARRAY_SIZE(names), DEMANGLE_SHORT), 0);
	questions = demangler_questions(d);
	expect(d, "_Z3onev", "one");
	expect(d, "_Z4segvv", "(none)");
	expect(d, "_Z3twov", "two");
	expect(d, "_Z5segv2v", "(none)");
	expect(d, "_Z5threev", "three");
	expect(d, "_Z4hangv", "(none)");
	expect(d, "_Z4fourv", "four");
	cr_expect_eq(demangler_questions(d), questions, "none is tried again");
	cr_assert_eq(reader_failures(r, failures, ARRAY_SIZE(failures)), 3);
	cr_expect_str_eq(failures[2].reason,
			 "The reader was killed by a bad memory access while demangling _Z4segvv");
	cr_expect_str_eq(failures[0].reason,
			 "The reader took too long and was killed while demangling _Z4hangv");
	cr_expect_str_eq(failures[0].path, "");
}

/* More than anybody has by accident: the rest of that question is left as it is. */
Test(symbol_demangler, many_names_that_kill)
{
	struct names names _cleanup_(names_donep) = {};
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct demangler *d _cleanup_(demangler_freep) = demangler_by(r);
	struct reader_failure failures[READER_FAILURES_MAX];
	char name[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "_Z8segv%04dv", i);
		add_name(&(struct symbol){.name = name}, &names);
	}
	cr_assert_eq(demangler_prepare(d, (const char *const *)names.items, names.n, 0), 0);
	cr_assert_eq(reader_failures(r, failures, ARRAY_SIZE(failures)), 4);
	expect(d, "_Z8segv0999v", "(none)");
	expect(d, "_Z4finev", "fine");
}

Test(symbol_demangler, a_reader_that_cannot_be_started)
{
	struct reader *r _cleanup_(reader_freep) = NULL;
	struct demangler *d _cleanup_(demangler_freep) = NULL;
	struct reader_failure failure;

	cr_assert_eq(reader_new("/nonexistent", &r), 0);
	d = demangler_by(r);
	expect(d, "_Z3onev", "(none)");
	expect(d, "_Z3twov", "(none)");
	cr_assert_eq(demangler_questions(d), 1, "not for each name");
	cr_assert_eq(reader_failures(r, &failure, 1), 0, "no fault of the name");
}

/* The names of a symbolizer with a reader are those of the reader: this one dies of some. */
Test(symbol_demangler, the_symbolizer_asks_it)
{
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	char *text _cleanup_(freep) = NULL;

	cr_assert_eq(symbolizer_new(&s), 0);
	symbolizer_set_reader(s, r);
	expect(symbolizer_demangler(s), "_Z4finev", "fine");
	expect(symbolizer_demangler(s), "_Z4segvv", "(none)");
}

/* A valid image, then one with each number made wrong. */
Test(symbol_demangler, images_are_checked)
{
	enum { AT = sizeof(struct name_image_header), TEXTS = AT + 3 * 4 };
	static const struct {
		size_t at;
		uint64_t value;
		size_t size;
		bool is_good;
	} lies[] = {
		{0, 0, 0, true},
		{0, 'x', 1, false},
		{8, 2, 4, false},
		{12, 2, 4, false},
		{12, 4, 4, false},
		{16, 0, 8, false},
		{16, 8, 8, false},
		{16, UINT64_MAX, 8, false},
		{AT, 2, 4, false},
		{AT, 0, 4, false},
		{AT + 4, 1, 4, false},
		{AT + 8, 1, 4, false},
		{AT + 8, 0, 4, false},
		{TEXTS, 'x', 1, false},
		{TEXTS + 1, 0, 1, false},
		{TEXTS + 4, 'x', 1, false},
		{TEXTS + 8, 'x', 1, false},
	};
	const uint32_t at[] = {1, 0, 5};
	const struct name_image made = {
		.texts_at = at, .n = 3, .texts = "\0one\0two", .texts_size = 9};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct name_image image _cleanup_(name_image_release) = {};
		int fd _cleanup_(closep) = memfd_create("image", MFD_CLOEXEC);
		struct error error = {};

		cr_assert_eq(name_image_write(&made, fd), 0);
		cr_assert_eq(pwrite(fd, &lies[i].value, lies[i].size, (off_t)lies[i].at),
			     lies[i].size);
		cr_expect_eq(name_image_open(fd, 3, &error, &image), lies[i].is_good ? 0 : -EBADMSG,
			     "%zu: %s", i, error.message);
		if (!lies[i].is_good)
			continue;
		cr_expect_str_eq(name_image_get(&image, 0), "one");
		cr_expect_null(name_image_get(&image, 1));
		cr_expect_str_eq(name_image_get(&image, 2), "two");
	}
}

Test(symbol_demangler, seeds_are_valid)
{
	static const char *const names[] = {"none", "some"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct name_image image _cleanup_(name_image_release) = {};
		int fd _cleanup_(closep) = -EBADF;
		struct error error = {};
		char path[512];

		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/name_image/%s",
			 SONDE_SOURCE_ROOT, names[i]);
		fd = open_file(path);
		cr_assert_eq(name_image_open(fd, 3, &error, &image), 0, "%s: %s", names[i],
			     error.message);
	}
}

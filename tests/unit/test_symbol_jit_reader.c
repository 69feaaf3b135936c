/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Perf maps and jitdump files by the reader process: as in this one, and what a hostile one says.
 */
#include <sys/mman.h>

#include "base_random.h"
#include "reader_help.h"
#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"
#include "symbol/jitdump.h"
#include "symbol/perf_map.h"

TestSuite(symbol_jit_reader, .init = setup, .fini = teardown, .timeout = 120);

static void assert_same(const struct jit_image *a, const struct jit_image *b)
{
	cr_assert_eq(a->flags, b->flags);
	cr_assert_eq(memcmp(&a->cursor, &b->cursor, sizeof(a->cursor)), 0);
	cr_assert_eq(a->n_records, b->n_records);
	cr_assert_eq(a->n_lines, b->n_lines);
	cr_assert_eq(a->names.len, b->names.len);
	for (size_t i = 0; i < a->n_records; i++)
		cr_assert_eq(memcmp(&a->records[i], &b->records[i], sizeof(*a->records)), 0);
	for (size_t i = 0; i < a->n_lines; i++)
		cr_assert_eq(memcmp(&a->lines[i], &b->lines[i], sizeof(*a->lines)), 0);
	if (a->names.len)
		cr_assert_eq(memcmp(a->names.text, b->names.text, a->names.len), 0);
}

/* Of a file that grows, piece by piece, with the place to go on from that the last answer said. */
static void grow(enum jit_kind kind, const uint8_t *content, size_t size)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	int file _cleanup_(closep) = memfd_create("grows", MFD_CLOEXEC);
	struct jit_question q = {
		.max = SIZE_MAX, .max_records = JIT_RECORDS_MAX, .max_lines = JIT_LINES_MAX};
	size_t records = 0;

	for (size_t at = 0; at < size;) {
		struct jit_image here _cleanup_(jit_image_release) = {};
		struct jit_image there _cleanup_(jit_image_release) = {};
		size_t n = MIN(1 + next_random() % (size / 8 + 1), size - at);
		struct error error = {};

		cr_assert_eq(write_fully(file, content + at, n), 0);
		at += n;
		cr_assert_eq(jit_read(NULL, kind, file, "f", &q, NULL, &here), 0);
		cr_assert_eq(jit_read(r, kind, file, "f", &q, &error, &there), 0, "%s",
			     error.message);
		assert_same(&here, &there);
		q.cursor = there.cursor;
		records += there.n_records;
	}
	cr_assert_gt(records, 0);
}

static void grow_seed(enum jit_kind kind, const char *name)
{
	char path[512];
	char *content _cleanup_(freep) = NULL;
	size_t size;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", SONDE_SOURCE_ROOT, name);
	cr_assert_eq(read_file(path, 1 << 20, &content, &size), 0);
	/* The seeds of jitdump files have one byte before. */
	grow(kind, (uint8_t *)content + (kind == JIT_DUMP), size - (kind == JIT_DUMP));
}

Test(symbol_jit_reader, what_is_read_is_what_is_read_here)
{
	struct strbuf b _cleanup_(strbuf_release) = {};

	seed_rng();
	for (unsigned i = 0; i < 5000; i++)
		strbuf_printf(&b, "%x %x name_%u of_%lu\n", i * 32, 1 + i % 40, i,
			      (unsigned long)next_random());
	grow(JIT_PERF_MAP, (uint8_t *)b.data, b.len);
	grow_seed(JIT_PERF_MAP, "perf_map/lines");
	grow_seed(JIT_PERF_MAP, "perf_map/overlap");
	grow_seed(JIT_PERF_MAP, "perf_map/odd");
	grow_seed(JIT_DUMP, "jitdump/little");
	grow_seed(JIT_DUMP, "jitdump/big");
	grow_seed(JIT_DUMP, "jitdump/clock");
}

/* Whatever it does, the daemon has a sentence that names the file, and no table of nonsense. */
Test(symbol_jit_reader, hostile_readers)
{
	static const struct {
		const char *content;
		int result;
	} cases[] = {
		{"segv", -EPIPE},   {"exit", -EPIPE},	 {"short", -EPROTO}, {"kind", -EPROTO},
		{"junk", -EBADMSG}, {"empty", -EBADMSG}, {"keep", -EUCLEAN},
	};
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct jit_question q = {.max = 1 << 20, .max_records = 1000};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = path_of(cases[i].content);
		struct jit_image image = {};
		struct error error = {};
		int fd _cleanup_(closep) = -EBADF;

		write_file(path, cases[i].content, strlen(cases[i].content));
		fd = open_file(path);
		cr_assert_eq(jit_read(r, JIT_PERF_MAP, fd, path, &q, &error, &image),
			     cases[i].result, "%s: %s", path, error.message);
		cr_assert_not_null(strstr(error.message, path), "%s", error.message);
	}
}

/* A valid image, then one with each number of its header, or of a record, made wrong. */
Test(symbol_jit_reader, images_are_checked)
{
	enum { AT_CURSOR = 16, AT_COUNTS = AT_CURSOR + sizeof(struct jit_cursor) };
	static const struct {
		size_t at;
		uint64_t value;
		size_t size;
		bool is_good;
	} lies[] = {
		{0, 0, 0, true},
		{0, 'x', 1, false},
		{8, 2, 4, false},
		{AT_CURSOR, UINT64_MAX, 8, false},
		{AT_CURSOR, 3, 8, false},
		{AT_CURSOR + 96, 65, 4, false},
		{AT_COUNTS, 3, 8, false},
		{AT_COUNTS, UINT64_MAX, 8, false},
		{AT_COUNTS + 8, 2, 8, false},
		{AT_COUNTS + 16, UINT64_MAX - 1, 8, false},
		{AT_COUNTS + 24, 9, 4, false},
		{AT_COUNTS + 24, 0, 4, false},
		{AT_COUNTS + 28, 4096, 4, false},
		{AT_COUNTS + 24 + 48, 2, 4, false},
		{AT_COUNTS + 24 + 52, 2, 4, false},
	};
	struct jit_image made _cleanup_(jit_image_release) = {.max_records = 10, .max_lines = 10};

	made.cursor = (struct jit_cursor){.offset = 100, .last_len = 64};
	cr_assert(jit_image_add_line(&made, &(struct jit_line){1, 2, 0}));
	cr_assert(jit_image_add(&made, &(struct jit_record){
					       .kind = JIT_CODE,
					       .name = jit_names_add(&made.names, "name", 4),
					       .start = 16,
					       .size = 16,
					       .n_lines = 1,
				       }));
	cr_assert(jit_image_add(&made, &(struct jit_record){.kind = JIT_MOVE}));
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct jit_image image _cleanup_(jit_image_release) = {};
		int fd _cleanup_(closep) = memfd_create("image", MFD_CLOEXEC);
		struct error error = {};

		cr_assert_eq(jit_image_write(&made, fd), 0);
		cr_assert_eq(pwrite(fd, &lies[i].value, lies[i].size, (off_t)lies[i].at),
			     lies[i].size);
		cr_expect_eq(jit_image_open(fd, 1 << 20, &error, &image),
			     lies[i].is_good ? 0 : -EBADMSG, "%zu: %s", i, error.message);
	}
	/* More than there can be in what was to be read. */
	for (uint32_t i = 0; i < 50000; i++) {
		made.max_records = 100000;
		cr_assert(jit_image_add(&made, &(struct jit_record){.kind = JIT_MOVE}));
	}
	for (int large = 0; large < 2; large++) {
		struct jit_image image _cleanup_(jit_image_release) = {};
		int fd _cleanup_(closep) = memfd_create("image", MFD_CLOEXEC);

		cr_assert_eq(jit_image_write(&made, fd), 0);
		cr_assert_eq(jit_image_open(fd, large ? 1 << 20 : 1, NULL, &image),
			     large ? 0 : -EBADMSG);
	}
}

/* Within the time to identify, as samples wait. */
Test(symbol_jit_reader, one_that_hangs_is_killed)
{
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct jit_question q = {.max = 1 << 20, .max_records = 1000};
	struct jit_image image = {};
	struct error error = {};
	int fd _cleanup_(closep) = -EBADF;
	struct reader_failure failure;

	write_file(path_of("hang"), "hang", 4);
	fd = open_file(path_of("hang"));
	reader_set_limit(r, 250 * NSEC_PER_MSEC);
	cr_assert_eq(jit_read(r, JIT_DUMP, fd, "/x/hang", &q, &error, &image), -ETIMEDOUT);
	cr_assert_not_null(strstr(error.message, "took too long"), "%s", error.message);
	cr_assert_eq(reader_failures(r, &failure, 1), 1);
	cr_assert_str_eq(failure.path, "/x/hang");
	cr_assert_eq(jit_read(NULL, JIT_DUMP, fd, "/x/hang", &q, NULL, &image), 0);
	jit_image_release(&image);
}

/* What the fuzzer starts from passes the checks, or it would not get far. */
Test(symbol_jit_reader, seeds_are_valid)
{
	static const char *const names[] = {"map", "dump", "empty"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct jit_image image _cleanup_(jit_image_release) = {};
		int fd _cleanup_(closep) = -EBADF;
		struct error error = {};
		char path[512];

		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/jit_image/%s", SONDE_SOURCE_ROOT,
			 names[i]);
		fd = open_file(path);
		cr_assert_eq(jit_image_open(fd, 4096, &error, &image), 0, "%s: %s", names[i],
			     error.message);
	}
}

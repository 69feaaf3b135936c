/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Perf maps: what is read of them, by the reader process, and what is refused. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base_random.h"
#include "symbol/code_ranges.h"
#include "symbol/perf_map.h"
#include "symbol/reader.h"

static char path[64];
static struct perf_map *map;
static struct reader *reader;

static int open_map_of(pid_t pid, const char **ret_reason)
{
	struct jit_owner owner;
	int r = jit_owner_open((uint32_t)pid, &owner);

	if (r < 0)
		return r;
	r = perf_map_open(&owner, &map, ret_reason);
	jit_owner_close(&owner);
	return r;
}

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	cr_assert_eq(reader_new(NULL, &reader), 0);
}

static void teardown(void)
{
	reader = reader_free(reader);
	map = perf_map_free(map);
	unlink(path);
}

TestSuite(jit_map, .init = setup, .fini = teardown);

static void write_map(const char *text, const char *mode)
{
	FILE *f = fopen(path, mode);

	cr_assert_not_null(f);
	fputs(text, f);
	cr_assert_eq(fclose(f), 0);
}

static void open_map(const char *text)
{
	write_map(text, "w");
	cr_assert_eq(open_map_of(getpid(), NULL), 0);
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
}

/* The name at an address; NULL: there must be none. */
static void check(uint64_t address, const char *name)
{
	const char *found = perf_map_find(map, address);

	if (!name)
		cr_assert_null(found, "%#lx is %s", (unsigned long)address, found);
	else
		cr_assert(found && streq(found, name), "%#lx is %s, not %s", (unsigned long)address,
			  found ? found : "nothing", name);
}

Test(jit_map, lines)
{
	open_map("1000 20 one\n2000 10 JS:~two words /a b.js:1\n0x3000 0x8 three\r\n"
		 "FFFFFFFFFFFFFF00 ff last\n 4000 10 indented\n5000\t10\ttabs\n6000 10 \x1b[1m\n");
	check(0xfff, NULL);
	check(0x1000, "one");
	check(0x101f, "one");
	check(0x1020, NULL);
	check(0x2005, "JS:~two words /a b.js:1");
	check(0x3007, "three");
	check(0xFFFFFFFFFFFFFF00, "last");
	check(0x4000, NULL);
	check(0x5000, "tabs");
	check(0x6000, "?[1m");
	cr_assert_eq(perf_map_entries(map), 6);
}

Test(jit_map, later_lines_lie_on_top)
{
	open_map("1000 100 a\n1050 10 b\n1000 8 c\n");
	check(0x1000, "c");
	check(0x1008, "a");
	check(0x104f, "a");
	check(0x1050, "b");
	check(0x1060, "a");
	write_map("1000 100 d\n900 701 e\n", "a");
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
	check(0x1000, "e");
	check(0x1001, "d");
	check(0x10ff, "d");
	check(0x1100, NULL);
}

Test(jit_map, what_is_no_line_is_passed_over)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fputs("\n\n1000\n1000 10\n1000 10 \nxyz 10 a\n1000 zz a\n1000 0 a\n-1000 10 a\n"
	      "ffffffffffffffff 10 a\n11111111111111111 10 a\n1000 11111111111111111 a\n2000 10 ",
	      f);
	for (int i = 0; i < 1 << 20; i++)
		putc('x', f);
	fputs("\n0x 10 a\n1000 10 good\n\x01\xff\xfe\x80 \n3000 10 no end of line", f);
	fclose(f);
	open_map(text);
	free(text);
	check(0x1000, "good");
	check(0x2000, NULL);
	check(0x3000, NULL);
	cr_assert_eq(perf_map_entries(map), 1);
	write_map(" yet\n", "a");
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
	check(0x3000, "no end of line yet");
}

Test(jit_map, a_line_without_end)
{
	char block[65536];

	memset(block, 'a', sizeof(block));
	cr_assert_eq(perf_map_new(&map), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(perf_map_feed(map, block, sizeof(block)), sizeof(block));
	cr_assert_eq(perf_map_feed(map, "\n10 10 x\n", 9), 9);
	check(0x10, "x");
	cr_assert_lt(perf_map_bytes(map), 4096);
}

Test(jit_map, a_file_written_anew_is_read_anew)
{
	open_map("1000 10 old\n2000 10 older\n");
	check(0x2000, "older");
	write_map("1000 10 new\n", "w");
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
	check(0x1000, "new");
	check(0x2000, NULL);
	write_map("2000 10 longer than it was before\n", "w");
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
	check(0x1000, NULL);
	check(0x2000, "longer than it was before");
	cr_assert(!perf_map_is_unlinked(map));
	unlink(path);
	cr_assert(perf_map_is_unlinked(map));
	check(0x2000, "longer than it was before");
}

Test(jit_map, what_is_not_read_at_once_is_read_later)
{
	FILE *f = fopen(path, "w");

	for (unsigned int i = 0; i < 100000; i++)
		fprintf(f, "%x 10 name_%u\n", i * 16, i);
	fclose(f);
	cr_assert_eq(open_map_of(getpid(), NULL), 0);
	cr_assert_eq(perf_map_refresh(map, reader, 1, NULL), 1);
	check(0, "name_0");
	check(99999 * 16, NULL);
	for (int i = 0; perf_map_refresh(map, reader, 1, NULL) == 1; i++)
		cr_assert_lt(i, 100);
	check(99999 * 16, "name_99999");
}

Test(jit_map, bounds_hold, .timeout = 120)
{
	FILE *f = fopen(path, "w");

	/* Two million lines from the highest address down, each on top of part of those before. */
	for (unsigned int i = 0; i < 2 * PERF_MAP_MAX_ENTRIES; i++)
		fprintf(f, "%x 40 n\n", 0x7fffffff - i * 8);
	fclose(f);
	cr_assert_eq(open_map_of(getpid(), NULL), 0);
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
	cr_assert_eq(perf_map_entries(map), PERF_MAP_MAX_ENTRIES);
	check(0x7fffffff, "n");
	cr_assert_lt(perf_map_bytes(map), (size_t)128 << 20);
}

/* What opening says of the file there is. */
static const char *refusal(int error)
{
	const char *reason = NULL;

	cr_assert_eq(open_map_of(getpid(), &reason), error);
	cr_assert_null(map);
	return reason ? reason : "";
}

Test(jit_map, other_files_are_refused)
{
	char target[80];

	cr_assert_str_eq(refusal(-ENOENT), "");
	snprintf(target, sizeof(target), "%s.target", path);
	close(open(target, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(symlink(target, path), 0);
	cr_assert_str_eq(refusal(-ELOOP), "it is a symbolic link");
	unlink(path);
	unlink(target);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_str_eq(refusal(-EINVAL), "it is no regular file");
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_str_eq(refusal(-EINVAL), "it is no regular file");
	rmdir(path);
	cr_assert_eq(open_map_of(0x7fffffff, NULL), -ESRCH);
	/* Left by a process that had the number before. */
	write_map("1000 10 a\n", "w");
	cr_assert_eq(utimensat(AT_FDCWD, path, (struct timespec[]){{1000}, {1000}}, 0), 0);
	cr_assert_str_eq(refusal(-ESTALE), "it is older than the process");
	if (geteuid() != 0)
		cr_skip_test("needs root");
	write_map("1000 10 a\n", "w");
	cr_assert_eq(chown(path, 12345, 12345), 0);
	cr_assert_str_eq(refusal(-EPERM), "it belongs to another user than the process");
}

/* Of another process than the one that reads, when it has gone. */
Test(jit_map, a_process_that_is_gone)
{
	struct jit_owner owner;
	int gate[2];
	pid_t pid;

	cr_assert_eq(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(gate[1]);
		_exit(read(gate[0], &c, 1) < 0);
	}
	close(gate[0]);
	cr_assert_eq(jit_owner_open((uint32_t)pid, &owner), 0);
	close(gate[1]);
	waitpid(pid, NULL, 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	write_map("1000 10 a\n", "w");
	cr_assert_eq(perf_map_open(&owner, &map, NULL), 0);
	jit_owner_close(&owner);
	cr_assert_eq(perf_map_refresh(map, reader, SIZE_MAX, NULL), 0);
	check(0x1000, "a");
}

/* Against a table of every address. */
Test(jit_map, ranges_are_as_if_painted)
{
	enum { SIZE = 4096 };
	static uint32_t painted[SIZE];
	struct code_ranges ranges = {};

	seed_rng();
	for (uint32_t id = 1; id <= 4000; id++) {
		uint32_t start = (uint32_t)next_random() % SIZE;
		uint32_t len = 1 + (uint32_t)next_random() % (id % 7 ? 40 : 1000);
		uint32_t end = MIN(start + len, SIZE), what = id % 5 ? id : 0;

		cr_assert_eq(code_ranges_add(&ranges, start, end, what), 0);
		for (uint32_t i = start; i < end; i++)
			painted[i] = what;
		for (uint32_t i = 0; i < SIZE && id % 50 == 0; i++)
			cr_assert_eq(code_ranges_find(&ranges, i), painted[i], "at %u after %u", i,
				     id);
	}
	cr_assert_leq(ranges.n, 14);
	cr_assert_eq(code_ranges_add(&ranges, 5, 5, 1), -EINVAL);
	code_ranges_release(&ranges);
}

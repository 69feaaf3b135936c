/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jitdump files, written here as a compiler would, in either byte order. */
#include <byteswap.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "symbol/jitdump.h"
#include "symbol/reader.h"

static uint8_t bytes[65536];
static size_t len;
static bool swap;
static struct jitdump *dump;

static void setup(void)
{
	cr_assert_eq(jitdump_new(&dump), 0);
}

static void teardown(void)
{
	dump = jitdump_free(dump);
}

TestSuite(jitdump, .init = setup, .fini = teardown);

static void put32(uint32_t v)
{
	v = swap ? bswap_32(v) : v;
	memcpy(bytes + len, &v, sizeof(v));
	len += sizeof(v);
}

static void put64(uint64_t v)
{
	v = swap ? bswap_64(v) : v;
	memcpy(bytes + len, &v, sizeof(v));
	len += sizeof(v);
}

static void put_text(const char *text)
{
	memcpy(bytes + len, text, strlen(text) + 1);
	len += strlen(text) + 1;
}

static void header(uint64_t flags)
{
	put32(0x4A695444);
	put32(1);
	put32(40);
	put32(62);
	put32(0);
	put32(4711);
	put64(1);
	put64(flags);
}

static void load(uint64_t time_ns, uint64_t address, uint64_t size, uint64_t index,
		 const char *name)
{
	put32(0);
	put32((uint32_t)(56 + strlen(name) + 1 + size));
	put64(time_ns);
	put32(1);
	put32(1);
	put64(address);
	put64(address);
	put64(size);
	put64(index);
	put_text(name);
	memset(bytes + len, 0x90, size);
	len += size;
}

static void move(uint64_t time_ns, uint64_t from, uint64_t to, uint64_t size, uint64_t index)
{
	put32(1);
	put32(64);
	put64(time_ns);
	put32(1);
	put32(1);
	put64(to);
	put64(from);
	put64(to);
	put64(size);
	put64(index);
}

static void record(uint32_t id)
{
	put32(id);
	put32(16);
	put64(0);
}

static void feed(void)
{
	cr_assert_eq(jitdump_feed(dump, bytes, len), len);
	cr_assert(!jitdump_is_bad(dump));
	len = 0;
}

static void check(uint64_t address, uint64_t time_ns, const char *name)
{
	struct jitdump_place place = {};
	bool found = jitdump_find(dump, address, time_ns, &place);

	cr_assert_eq(found, name != NULL, "%#lx: %s", (unsigned long)address, place.name);
	if (name)
		cr_assert_str_eq(place.name, name);
}

#define SEC NSEC_PER_SEC

Test(jitdump, code_is_named_by_time)
{
	for (int order = 0; order < 2; order++) {
		swap = order;
		header(0);
		load(10 * SEC, 0x1000, 0x20, 1, "first");
		load(20 * SEC, 0x1010, 0x20, 2, "second");
		record(77);
		load(30 * SEC, 0x1000, 0x10, 3, "third");
		feed();
		check(0x1000, 15 * SEC, "first");
		check(0x101f, 15 * SEC, "first");
		check(0x1010, 25 * SEC, "second");
		check(0x1000, 25 * SEC, "first");
		check(0x1000, 30 * SEC, "third");
		check(0x102f, 40 * SEC, "second");
		check(0x1030, 40 * SEC, NULL);
		/* Written a little after it ran; but not much. */
		check(0x1000, 10 * SEC - SEC / 20, "first");
		check(0x1000, 5 * SEC, NULL);
		jitdump_free(dump);
		setup();
	}
}

Test(jitdump, code_moves)
{
	header(0);
	load(10 * SEC, 0x1000, 0x20, 1, "walker");
	move(20 * SEC, 0x1000, 0x1010, 0x20, 1);
	move(20 * SEC, 0x9000, 0x9010, 0x20, 5);
	move(30 * SEC, 0x1010, 0x5000, 0x20, 1);
	feed();
	check(0x1000, 15 * SEC, "walker");
	check(0x1000, 25 * SEC, NULL);
	check(0x1010, 25 * SEC, "walker");
	check(0x102f, 25 * SEC, "walker");
	check(0x5000, 25 * SEC, NULL);
	check(0x5000, 35 * SEC, "walker");
	check(0x1010, 35 * SEC, NULL);
	check(0x9010, 35 * SEC, NULL);
}

static void check_line(uint64_t address, const char *file, uint32_t line)
{
	struct jitdump_place place;

	cr_assert(jitdump_find(dump, address, 50 * SEC, &place));
	cr_assert_eq(place.line, line);
	if (file)
		cr_assert_str_eq(place.file, file);
	else
		cr_assert_null(place.file);
}

Test(jitdump, lines)
{
	size_t at;

	header(0);
	at = len;
	put32(2);
	put32(0);
	put64(1);
	put64(0x1000);
	put64(3);
	put64(0x1000);
	put32(7);
	put32(0);
	put_text("a.js");
	put64(0x1010);
	put32(8);
	put32(0);
	put_text("\xff");
	put64(0x1018);
	put32(3);
	put32(0);
	put_text("b.js");
	*(uint32_t *)(bytes + at + 4) = (uint32_t)(len - at);
	load(10 * SEC, 0x1000, 0x20, 1, "f");
	load(10 * SEC, 0x2000, 0x20, 2, "g");
	move(11 * SEC, 0x1000, 0x3000, 0x20, 1);
	feed();
	check_line(0x3000, "a.js", 7);
	check_line(0x300f, "a.js", 7);
	check_line(0x3010, "a.js", 8);
	check_line(0x301f, "b.js", 3);
	check_line(0x2000, NULL, 0);
}

Test(jitdump, another_clock_says_nothing_of_times)
{
	header(1);
	load(UINT64_MAX, 0x1000, 0x20, 1, "f");
	feed();
	check(0x1000, 5, "f");
}

Test(jitdump, any_cut_is_read_on)
{
	size_t all, at;

	header(0);
	load(1, 0x1000, 0x20, 1, "one");
	move(2, 0x1000, 0x2000, 0x20, 1);
	load(3, 0x3000, 0x20, 2, "two");
	record(3);
	all = len;
	for (size_t cut = 0; cut <= all; cut++) {
		at = jitdump_feed(dump, bytes, cut);
		cr_assert(!jitdump_is_bad(dump));
		while (at < all) {
			size_t n = jitdump_feed(dump, bytes + at, all - at);

			cr_assert_gt(n, 0);
			at += n;
		}
		cr_assert_eq(at, all);
		check(0x2000, 9, "one");
		check(0x3000, 9, "two");
		jitdump_free(dump);
		setup();
	}
}

Test(jitdump, nothing_is_read_after_the_end)
{
	header(0);
	record(3);
	load(1, 0x1000, 0x20, 1, "late");
	cr_assert_eq(jitdump_feed(dump, bytes, len), 56);
	check(0x1000, 9, NULL);
}

Test(jitdump, hostile)
{
	memset(bytes, 'x', 100);
	cr_assert_eq(jitdump_feed(dump, bytes, 100), 0);
	cr_assert(jitdump_is_bad(dump));
	teardown();
	setup();
	header(0);
	load(1, 0x1000, 0x20, 1, "good");
	load(1, 0x2000, 0, 2, "empty");
	load(1, 0x2000, 0x10, 2, "");
	/* Around the end of addresses, and a record that goes beyond the end of the file. */
	load(1, UINT64_MAX, 0x20, 3, "around");
	move(2, UINT64_MAX, UINT64_MAX, UINT64_MAX, 1);
	put32(0);
	put32(UINT32_MAX);
	len += 48;
	put_text("far");
	cr_assert_gt(jitdump_feed(dump, bytes, len), UINT32_MAX);
	check(0x1000, 9, "good");
	check(0x2000, 9, NULL);
	check(UINT64_MAX, 9, NULL);
	/* A length that leads nowhere. */
	len = 0;
	put32(0);
	put32(8);
	put64(0);
	cr_assert_eq(jitdump_feed(dump, bytes, len), 0);
	cr_assert(jitdump_is_bad(dump));
	check(0x1000, 9, "good");
}

Test(jitdump, the_mapped_file_is_read_as_it_grows)
{
	struct reader *reader _cleanup_(reader_freep) = NULL;
	struct jitdump *mapped = NULL;
	struct jit_owner owner;
	char path[64];
	void *mark;
	int fd;

	cr_assert_eq(reader_new(NULL, &reader), 0);
	snprintf(path, sizeof(path), "/tmp/jit-%d.dump", getpid());
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	cr_assert_geq(fd, 0);
	header(0);
	load(1, 0x1000, 0x20, 1, "one");
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	mark = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	cr_assert_neq(mark, MAP_FAILED);
	/* Where its path leads does not matter. */
	unlink(path);
	cr_assert_eq(jit_owner_open((uint32_t)getpid(), &owner), 0);
	if (jitdump_open(&owner, (uintptr_t)mark, (uintptr_t)mark + 4096, &mapped, NULL) == -EPERM)
		cr_skip_test("map_files may not be read");
	jit_owner_close(&owner);
	jitdump_free(dump);
	dump = mapped;
	cr_assert_eq(jitdump_refresh(dump, reader, SIZE_MAX, NULL), 0);
	check(0x1000, 9, "one");
	len = 0;
	load(2, 0x1000, 0x20, 2, "two");
	cr_assert_eq(write(fd, bytes, len - 40), (ssize_t)len - 40);
	cr_assert_eq(jitdump_refresh(dump, reader, SIZE_MAX, NULL), 0);
	cr_assert_eq(write(fd, bytes + len - 40, 40), 40);
	cr_assert_eq(jitdump_refresh(dump, reader, SIZE_MAX, NULL), 0);
	check(0x1000, 9, "two");
	close(fd);
}

Test(jitdump, paths)
{
	cr_assert(jitdump_is_path("/tmp/jit-1.dump"));
	cr_assert(jitdump_is_path("jit-123.dump"));
	cr_assert(!jitdump_is_path("/tmp/jit-.dump"));
	cr_assert(!jitdump_is_path("/tmp/jit-1x.dump"));
	cr_assert(!jitdump_is_path("/tmp/jit-1.dump.so"));
	cr_assert(!jitdump_is_path("/jit-1.dump/x"));
	cr_assert(!jitdump_is_path(""));
}

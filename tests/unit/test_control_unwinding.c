/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes are unwound by tables, with files of this machine and processes that are made
 * up. Needs root, else it is skipped.
 */
#include <criterion/criterion.h>

#include "control/unwinding.h"
#include "sonde/base/format.h"

static struct {
	sd_event *event;
	struct kernel_side *kernel;
	struct symbolizer *symbolizer;
	struct model *model;
	struct unwinding *unwinding;
} world;

static void open_world(uint64_t max_bytes)
{
	struct error e = {0};
	int r = kernel_side_open(1 << 16, &e, &world.kernel);

	if (r == -EPERM || r == -EACCES)
		cr_skip_test("%s", e.message);
	cr_assert_eq(r, 0, "%s", e.message);
	cr_assert_geq(sd_event_new(&world.event), 0);
	cr_assert_eq(symbolizer_new(&world.symbolizer), 0);
	cr_assert_eq(model_new(&world.model), 0);
	cr_assert_eq(unwinding_new(world.event, world.kernel, world.symbolizer, max_bytes,
				   &world.unwinding),
		     0);
	unwinding_set_model(world.unwinding, world.model);
}

static void close_world(void)
{
	unwinding_free(world.unwinding);
	model_free(world.model);
	symbolizer_free(world.symbolizer);
	sd_event_unref(world.event);
	kernel_side_free(world.kernel);
}

/* Adds a mapping of all of a file's code to a process; false: there is no such file. */
static bool map_file(uint32_t process, const char *path)
{
	struct elf_image *image = NULL;
	const struct elf_segment *segments;
	struct model_mapping map;
	size_t n;

	if (elf_image_open_path(path, NULL, &image) < 0)
		return false;
	segments = elf_image_segments(image, &n);
	for (size_t i = 0; i < n; i++) {
		if (!segments[i].executable)
			continue;
		map = (struct model_mapping){
			.start = 0x7f0000000000 + (uint64_t)rand() % 1000 * 0x10000000,
			.offset = segments[i].offset & ~4095ULL,
			.since_ns = 1,
			.file = model_file(world.model, elf_image_build_id(image), path, 0)};
		map.end = map.start + segments[i].file_size;
		cr_assert_eq(model_process_map(world.model, process, &map), 0);
	}
	elf_image_free(image);
	return true;
}

static struct unwinding_stats stats(void)
{
	struct unwinding_stats s;

	unwinding_stats(world.unwinding, &s);
	return s;
}

/* What a batch of records does. */
static void turn(void)
{
	unwinding_refresh(world.unwinding);
	unwinding_settle(world.unwinding);
}

#define LIBC   "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBM   "/usr/lib/x86_64-linux-gnu/libm.so.6"
#define LIBCXX "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"

Test(unwinding, tables_are_shared_and_outlive_processes)
{
	uint32_t a, b;

	open_world(1 << 30);
	a = model_process(world.model, 1000001, 1);
	b = model_process(world.model, 1000002, 1);
	if (!map_file(a, LIBC) || !map_file(b, LIBC))
		cr_skip_test("there is no " LIBC);
	unwinding_want(world.unwinding, a);
	cr_expect_eq(stats().processes, 0, "without a table");
	turn();
	cr_expect_eq(stats().processes, 1);
	cr_expect_eq(stats().files.tables, 1);
	cr_expect_gt(stats().files.bytes, 100000);
	unwinding_forked(world.unwinding, a, b);
	unwinding_refresh(world.unwinding);
	cr_expect_eq(stats().processes, 2, "at once, as the table is there");
	cr_expect_eq(stats().files.tables, 1);
	/* A file more. */
	cr_assert(map_file(a, LIBM));
	unwinding_mapped(world.unwinding, a);
	turn();
	cr_expect_eq(stats().files.tables, 2);
	unwinding_gone(world.unwinding, a);
	unwinding_gone(world.unwinding, b);
	cr_expect_eq(stats().processes, 0);
	cr_expect_eq(stats().files.tables, 2, "kept for the next");
	close_world();
}

Test(unwinding, memory_is_bounded)
{
	uint32_t a, b, c;
	uint64_t bytes;

	open_world(400000);
	a = model_process(world.model, 1000001, 1);
	b = model_process(world.model, 1000002, 1);
	c = model_process(world.model, 1000003, 1);
	if (!map_file(a, LIBC) || !map_file(b, LIBCXX) || !map_file(c, LIBM))
		cr_skip_test("there is no " LIBC " or " LIBCXX);
	unwinding_want(world.unwinding, a);
	turn();
	cr_assert_eq(stats().processes, 1);
	bytes = stats().files.bytes;
	unwinding_want(world.unwinding, b);
	turn();
	/* Both do not fit: that which has yielded no stack for longest is gone, with its table. */
	cr_expect_eq(stats().processes, 1);
	cr_expect_eq(stats().files.tables, 1);
	cr_expect_eq(stats().files.evictions, 1);
	cr_expect_neq(stats().files.bytes, bytes);
	cr_expect_leq(stats().files.bytes, 400000);
	/* And does not push the other out in its turn. */
	unwinding_want(world.unwinding, a);
	turn();
	cr_expect_eq(stats().files.evictions, 1);
	/* A small one fits beside it. */
	unwinding_want(world.unwinding, c);
	turn();
	cr_expect_eq(stats().processes, 2);
	close_world();
}

Test(unwinding, nothing_to_unwind_by)
{
	uint32_t a, b, gone;
	struct model_mapping anonymous = {.start = 4096, .end = 8192, .since_ns = 1};

	open_world(1 << 30);
	a = model_process(world.model, 1000001, 1);
	b = model_process(world.model, 1000002, 1);
	gone = model_process(world.model, 1000003, 1);
	anonymous.file = model_file(world.model, NULL, "//anon", FILE_SPECIAL);
	cr_assert_eq(model_process_map(world.model, a, &anonymous), 0);
	anonymous.file = model_file(world.model, (const uint8_t *)"not the id of that f", LIBC, 0);
	cr_assert_eq(model_process_map(world.model, b, &anonymous), 0);
	model_process_get(world.model, gone)->flags |= PROCESS_EXITED;
	unwinding_want(world.unwinding, 0);
	unwinding_want(world.unwinding, a);
	unwinding_want(world.unwinding, b);
	unwinding_want(world.unwinding, gone);
	turn();
	cr_expect_eq(stats().processes, 0);
	cr_expect_eq(stats().files.tables, 0);
	cr_expect_eq(stats().files.none, 1, "of a file that was replaced");
	/* Another model begins: what was known of processes means nothing any more. */
	unwinding_set_model(world.unwinding, NULL);
	unwinding_refresh(world.unwinding);
	close_world();
}

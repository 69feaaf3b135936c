/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of code that this very process says it has made. */
#include <criterion/criterion.h>
#include <sys/stat.h>

#include "control/jit.h"
#include "sonde/base/format.h"
#include "symbol/reader.h"

#define CODE 0x7000000000

static char path[64];
static struct model *model;
static struct jit *jit;
static uint32_t process, anonymous;

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	cr_assert_eq(model_new(&model), 0);
	cr_assert_eq(jit_new(model, &jit), 0);
	process = model_process(model, (uint32_t)getpid(), 1);
	anonymous = model_file(model, NULL, "//anon", FILE_SPECIAL);
	cr_assert_eq(model_process_map(model, process,
				       &(struct model_mapping){.start = CODE,
							       .end = CODE + 4096,
							       .since_ns = 1,
							       .file = anonymous}),
		     0);
}

static void teardown(void)
{
	jit_free(jit);
	model_free(model);
	unlink(path);
}

TestSuite(control_jit, .init = setup, .fini = teardown);

static void write_map(const char *text)
{
	FILE *f = fopen(path, "a");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static uint32_t frame_of(uint64_t address)
{
	jit_begin(jit, process, now_monotonic_ns());
	return jit_frame(jit, model_mapping_at(model, process, address), address);
}

static const char *name(uint32_t frame)
{
	return model_string_get(model, model_frame_peek(model, frame)->function);
}

static const char *file(uint32_t frame)
{
	return model_string_get(model,
				model_file_get(model, model_frame_peek(model, frame)->file)->path);
}

Test(control_jit, named_when_it_arrives)
{
	uint32_t one, two;

	write_map("7000000000 20 one\n7000000020 20 two\n");
	one = frame_of(CODE + 5);
	two = frame_of(CODE + 0x25);
	cr_assert_str_eq(name(one), "one");
	cr_assert_str_eq(file(one), "[jit]");
	cr_assert_eq(model_frame_peek(model, one)->offset, CODE + 5);
	cr_assert_str_eq(name(two), "two");
	cr_assert_eq(frame_of(CODE + 5), one);
	/* The same place is something else later; what was is as it was. */
	usleep(120000);
	write_map("7000000000 20 other\n");
	cr_assert_str_eq(name(frame_of(CODE + 5)), "other");
	cr_assert_str_eq(name(one), "one");
}

Test(control_jit, named_later)
{
	uint32_t frame = frame_of(CODE + 5), again;

	cr_assert_neq(frame, 0);
	cr_assert_str_eq(name(frame), "");
	cr_assert_str_eq(file(frame), "//anon");
	cr_assert_eq(model_frame_peek(model, frame)->offset, 5);
	cr_assert_neq(frame, model_frame(model, anonymous, 5), "all processes' memory");
	cr_assert_eq(frame_of(CODE + 5), frame);
	write_map("7000000000 20 late\n");
	jit_refresh(jit);
	usleep(120000);
	jit_refresh(jit);
	cr_assert_str_eq(name(frame), "late");
	cr_assert_str_eq(file(frame), "[jit]");
	again = frame_of(CODE + 5);
	cr_assert_str_eq(name(again), "late");
}

Test(control_jit, named_at_the_end)
{
	uint32_t frame = frame_of(CODE + 5);

	write_map("7000000000 20 last\n");
	jit_gone(jit, process);
	cr_assert_str_eq(name(frame), "last");
	jit_gone(jit, process);
	jit_gone(jit, 0);
}

Test(control_jit, memory_of_files_and_the_kernel_is_left_alone)
{
	static const char *const paths[] = {"[vdso]", "[uprobes]", "[vsyscall]"};
	struct model_mapping map = {.start = CODE, .end = CODE + 4096};

	write_map("7000000000 1000 lie\n");
	jit_begin(jit, process, 1);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		map.file = model_file(model, NULL, paths[i], FILE_SPECIAL);
		cr_assert_eq(jit_frame(jit, &map, CODE), 0);
	}
	map.file = model_file(model, NULL, "/usr/lib/libc.so.6", 0);
	cr_assert_eq(jit_frame(jit, &map, CODE), 0);
	cr_assert_eq(jit_frame(NULL, &map, CODE), 0);
	map.file = model_file(model, NULL, "/memfd:code", FILE_SPECIAL);
	cr_assert_str_eq(name(jit_frame(jit, &map, CODE)), "lie");
}

/* It is no fault of the file, which is read when there is a reader. */
Test(control_jit, without_a_reader_there_is_no_name_yet)
{
	struct reader *none _cleanup_(reader_freep) = NULL;
	uint32_t frame;

	cr_assert_eq(reader_new("/nonexistent", &none), 0);
	jit_set_reader(jit, none);
	write_map("7000000000 20 one\n");
	frame = frame_of(CODE + 5);
	cr_assert_str_eq(name(frame), "");
	jit_set_reader(jit, NULL);
	usleep(120000);
	jit_refresh(jit);
	cr_assert_str_eq(name(frame), "one");
}

/* One that ends whatever it is asked: the file is not tried again. */
Test(control_jit, what_the_reader_fails_at_is_left_alone)
{
	struct reader *bad _cleanup_(reader_freep) = NULL;
	struct reader_failure failures[2];
	char program[80];
	uint32_t frame;
	FILE *f;

	/* It greets, takes one question and ends. */
	snprintf(program, sizeof(program), "/tmp/sonde-jit-%d", getpid());
	f = fopen(program, "we");
	cr_assert_not_null(f);
	fprintf(f,
		"#!/bin/sh\ndd if=/dev/zero bs=%zu count=1 >&3 2>/dev/null\n"
		"dd bs=4096 count=1 <&3 >/dev/null 2>&1\n",
		sizeof(struct reader_answer));
	fclose(f);
	cr_assert_eq(chmod(program, 0700), 0);
	cr_assert_eq(reader_new(program, &bad), 0);
	jit_set_reader(jit, bad);
	write_map("7000000000 20 one\n");
	frame = frame_of(CODE + 5);
	unlink(program);
	cr_assert_str_eq(name(frame), "");
	cr_assert_eq(reader_failures(bad, failures, 2), 1);
	cr_assert_str_eq(failures[0].path, path);
	usleep(120000);
	write_map("7000000020 20 two\n");
	jit_refresh(jit);
	cr_assert_eq(reader_failures(bad, failures, 2), 1, "not asked again");
	jit_set_reader(jit, NULL);
}

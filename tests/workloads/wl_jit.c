/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes two functions in anonymous memory, outer -> inner -> jit_leaf(), as a just-in-time compiler
 * does, and names them. Half of the time goes by in inner, half in jit_leaf().
 *
 *   wl_jit [--wait] [--ms N] MODE
 *
 *   map      "JS:~outer a.js:1" and "inner" in /tmp/perf-PID.map, before they run
 *   late     the same, but written when all is over: nothing has a name while it runs
 *   dump     the same in jit-PID.dump, in the current directory
 *   replace  phase_one() and phase_two() run for N ms each; in between other code, "outer_two" and
 *            "inner_two", takes the place of "outer_one" and "inner_one". What a jitdump says of
 *            both is written at the end, as by a compiler with a large buffer
 *   append   the same with a perf map, whose lines are written when the code is made
 *   none     nothing is named
 *
 * Without --ms it runs for a second, of CPU time. Without a mode (--verify) it is as with "none".
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "wl.h"

enum { SPIN = 100000, OUTER_AT = 256, INNER_AT = 1024, PIECE = 64 };

static uint8_t *memory;
static FILE *map, *dump;

WL_FUNC void jit_leaf(void)
{
	WL_SPIN(SPIN);
}

/* push %rbp; mov %rsp,%rbp; mov $spin,%ecx; 1: dec %ecx; jnz 1b; mov $target,%rax; call *%rax;
 * pop %rbp; ret */
static void assemble(size_t at, uint32_t spin, uintptr_t target)
{
	uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xb9, 0, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0x48,
			  0xb8, 0,    0,    0,	  0,	0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3};

	memcpy(code + 5, &spin, sizeof(spin));
	memcpy(code + 15, &target, sizeof(target));
	memcpy(memory + at, code, sizeof(code));
}

static void make_code(void)
{
	if (memory && mprotect(memory, 4096, PROT_READ | PROT_WRITE))
		_exit(3);
	if (!memory)
		memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	if (memory == MAP_FAILED)
		_exit(3);
	assemble(OUTER_AT, 1, (uintptr_t)memory + INNER_AT);
	assemble(INNER_AT, SPIN, (uintptr_t)jit_leaf);
	if (mprotect(memory, 4096, PROT_READ | PROT_EXEC))
		_exit(3);
}

static void run(uint64_t ms)
{
	uint64_t end = wl_clock(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000;
	void (*outer)(void);

	*(void **)&outer = memory + OUTER_AT;
	while (wl_clock(CLOCK_PROCESS_CPUTIME_ID) < end)
		outer();
}

WL_FUNC void phase_one(uint64_t ms)
{
	run(ms);
	WL_FRAME();
}

WL_FUNC void phase_two(uint64_t ms)
{
	run(ms);
	WL_FRAME();
}

static FILE *create(const char *prefix, const char *suffix)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s-%d.%s", prefix, (int)getpid(), suffix);
	f = fopen(path, "w+");
	if (!f) {
		perror(path);
		_exit(3);
	}
	return f;
}

static void write_line(size_t at, const char *name)
{
	fprintf(map, "%lx %x %s\n", (unsigned long)(memory + at), PIECE, name);
	fflush(map);
}

/* The header, and the mapping by which profilers know of the file. */
static void begin_dump(void)
{
	struct {
		uint32_t magic, version, size, machine, pad, pid;
		uint64_t time, flags;
	} header = {0x4A695444, 1, 40, 62, 0, (uint32_t)getpid(), 0, 0};

	dump = create("jit", "dump");
	header.time = wl_clock(CLOCK_MONOTONIC);
	fwrite(&header, sizeof(header), 1, dump);
	fflush(dump);
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(dump), 0) == MAP_FAILED)
		_exit(3);
}

static void write_load(uint64_t time, size_t at, uint64_t index, const char *name)
{
	struct {
		uint32_t id, size;
		uint64_t time;
		uint32_t pid, tid;
		uint64_t vma, address, code_size, index;
	} load = {0,	sizeof(load) + (uint32_t)strlen(name) + 1 + PIECE,
		  time, (uint32_t)getpid(),
		  1,	(uintptr_t)memory + at,
		  0,	PIECE,
		  index};

	load.address = load.vma;
	fwrite(&load, sizeof(load), 1, dump);
	fwrite(name, strlen(name) + 1, 1, dump);
	fwrite(memory + at, PIECE, 1, dump);
}

static void name_code(void)
{
	if (map) {
		write_line(OUTER_AT, "JS:~outer a.js:1");
		write_line(INNER_AT, "inner");
	} else if (dump) {
		write_load(wl_clock(CLOCK_MONOTONIC), OUTER_AT, 1, "JS:~outer a.js:1");
		write_load(wl_clock(CLOCK_MONOTONIC), INNER_AT, 2, "inner");
		fflush(dump);
	}
}

static void run_replaced(uint64_t ms)
{
	uint64_t one = wl_clock(CLOCK_MONOTONIC), two;

	make_code();
	if (map) {
		write_line(OUTER_AT, "outer_one");
		write_line(INNER_AT, "inner_one");
	}
	phase_one(ms);
	make_code();
	two = wl_clock(CLOCK_MONOTONIC);
	if (map) {
		write_line(OUTER_AT, "outer_two");
		write_line(INNER_AT, "inner_two");
	}
	phase_two(ms);
	if (dump) {
		write_load(one, OUTER_AT, 1, "outer_one");
		write_load(one, INNER_AT, 2, "inner_one");
		write_load(two, OUTER_AT, 3, "outer_two");
		write_load(two, INNER_AT, 4, "inner_two");
		fflush(dump);
	}
}

int main(int argc, char **argv)
{
	struct wl_options gate = {};
	const char *mode = argc > 1 ? argv[argc - 1] : "";
	uint64_t ms = 1000;
	int is_late = strcmp(mode, "late") == 0, is_dump = strcmp(mode, "dump") == 0;

	for (int i = 1; i < argc - 1; i++) {
		if (strcmp(argv[i], "--wait") == 0)
			gate.wait = 1;
		else if (strcmp(argv[i], "--ms") == 0)
			ms = (uint64_t)wl_number(argv[0], argv[++i]);
	}
	wl_gate(&gate);
	if (strcmp(mode, "map") == 0 || strcmp(mode, "append") == 0)
		map = create("/tmp/perf", "map");
	else if (is_dump || strcmp(mode, "replace") == 0)
		begin_dump();
	if (strcmp(mode, "append") == 0 || strcmp(mode, "replace") == 0) {
		run_replaced(ms);
		return wl_done(0);
	}
	make_code();
	name_code();
	phase_one(ms);
	if (is_late) {
		map = create("/tmp/perf", "map");
		name_code();
	}
	return wl_done(0);
}

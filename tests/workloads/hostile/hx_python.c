/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that says it is CPython 3.13, and lies: hx_python WHAT MS.
 *
 * cycle: interpreters, threads and frames lead to themselves. texts: names and tables of lines are
 * endless, overlap the end of memory or are nowhere. threads: thousands of states before the right
 * one. refused: built without the global lock, it says, which is not known. nowhere: all lies.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 200, STATES = 20000 };

struct interpreter {
	void *next, *threads;
};
struct state {
	void *next, *frame;
	uint64_t number;
};
struct frame {
	void *code, *previous;
	uint64_t instruction, owner, rest[6];
};
struct code {
	uint64_t size[3];
	void *file, *name, *lines;
	uint32_t first_line, pad;
	uint64_t instructions;
};
struct string {
	uint64_t kind[2], length, state;
	uint8_t text[64];
};

struct runtime {
	uint64_t words[120];
	void *interpreters;
	uint64_t pad[40];
};

__attribute__((section(".PyRuntime"), used)) struct runtime _PyRuntime = {.words = {1}};
const unsigned long Py_Version = 0x030d00f0;

static struct interpreter interpreters[2];
static struct state states[STATES];
static struct frame frames[FRAMES];
static struct code codes[FRAMES];

static void publish(void)
{
	uint64_t *w = _PyRuntime.words;

	memcpy(w, "xdebugpy", 8);
	w[1] = Py_Version;
	w[3] = sizeof(_PyRuntime);
	w[5] = offsetof(struct runtime, interpreters);
	w[8] = offsetof(struct interpreter, next);
	w[9] = offsetof(struct interpreter, threads);
	w[21] = offsetof(struct state, next);
	w[23] = offsetof(struct state, frame);
	w[25] = offsetof(struct state, number);
	w[29] = offsetof(struct frame, previous);
	w[30] = offsetof(struct frame, code);
	w[31] = offsetof(struct frame, instruction);
	w[33] = offsetof(struct frame, owner);
	w[35] = offsetof(struct code, file);
	w[37] = offsetof(struct code, name);
	w[38] = offsetof(struct code, lines);
	w[39] = offsetof(struct code, first_line);
	w[43] = offsetof(struct code, instructions);
	w[65] = w[69] = offsetof(struct string, length);
	w[68] = offsetof(struct string, state);
	w[66] = w[70] = offsetof(struct string, text);
}

/* A text of that many characters of that kind, at the very end of a mapping. */
static struct string *text(uint32_t kind, uint64_t length)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct string *s;

	if (page == MAP_FAILED || munmap(page + 4096, 4096) < 0)
		exit(1);
	s = (struct string *)(page + 4096) - 1;
	s->length = length;
	s->state = kind << 2 | 1 << 5 | (kind == 1) << 6;
	memset(s->text, 0xff, sizeof(s->text));
	return s;
}

static void link_all(void)
{
	_PyRuntime.interpreters = &interpreters[0];
	interpreters[0].threads = &states[0];
	states[0].number = (uint64_t)syscall(SYS_gettid);
	states[0].frame = &frames[0];
	for (int i = 0; i < FRAMES; i++) {
		frames[i].code = &codes[i];
		frames[i].previous = i + 1 < FRAMES ? &frames[i + 1] : NULL;
		frames[i].instruction = (uint64_t)i << 33;
	}
}

static void make_texts(void)
{
	static const uint64_t lengths[] = {0, 1, 63, 64, 65, 5000, 1 << 20, 1ULL << 40, UINT64_MAX};
	static const uint32_t kinds[] = {0, 1, 2, 3, 4, 7};
	int n = 0;

	for (size_t i = 0; i < sizeof(lengths) / 8; i++)
		for (size_t k = 0; k < sizeof(kinds) / 4; k++, n++) {
			struct string *s = text(kinds[k], lengths[i]);

			codes[n] =
				(struct code){.file = s, .name = s, .lines = s, .first_line = ~0U};
		}
	for (int i = n; i < FRAMES; i++)
		codes[i].name = codes[i].file = codes[i].lines = (void *)((uint64_t)i << (i % 50));
}

static void lie(const char *what)
{
	publish();
	link_all();
	if (strcmp(what, "cycle") == 0) {
		interpreters[0].next = &interpreters[0];
		states[0].next = &states[0];
		for (int i = 0; i < FRAMES; i++)
			frames[i].previous = &frames[0];
	} else if (strcmp(what, "texts") == 0) {
		make_texts();
	} else if (strcmp(what, "threads") == 0) {
		interpreters[0].next = &interpreters[1];
		for (int i = 0; i < STATES - 1; i++)
			states[i].next = &states[i + 1];
		states[STATES - 1].number = states[0].number;
	} else if (strcmp(what, "refused") == 0) {
		_PyRuntime.words[2] = 1;
	} else {
		_PyRuntime.interpreters = (void *)0x7fff00000001;
	}
}

/* Known by its name. */
__attribute__((noinline, used)) uint64_t _PyEval_EvalFrameDefault(uint64_t end_ns)
{
	struct timespec now;
	volatile uint64_t n = 0;

	do {
		for (int i = 0; i < 5000; i++)
			n += (uint64_t)i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec < end_ns);
	return n;
}

int main(int argc, char **argv)
{
	uint64_t ms = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;

	lie(argc > 1 ? argv[1] : "");
	return _PyEval_EvalFrameDefault(ms * 1000000) == 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JIT: writes code, runs it, and writes it anew, in memory that no file knows. The code has no
 * unwind tables. 50 rounds, each with another program in the same pages:
 *
 *   enter → (code) → called_back → (code) → inner_back    called_back 3 times a round, from a loop
 *                                in the code; it runs a second piece of code, which calls
 *                                inner_back
 *   tail_back                    once a round: the code ends by a jump to it
 *
 * So 50 calls of enter and of tail_back, 150 of called_back and of inner_back. Odd rounds change
 * the protection of the pages between writing and running, even ones leave all of it allowed.
 */
#include <sys/mman.h>

#include "hx.h"

enum { PAGE = 4096 };

typedef uint64_t program(uint64_t x);

static uint64_t n_enter, n_called_back, n_inner_back, n_tail_back;
static uint8_t *pages;

HX_FUNC uint64_t inner_back(uint64_t x)
{
	HX_COUNT(n_inner_back);
	return x + 3;
}

HX_FUNC uint64_t called_back(uint64_t x)
{
	program *second = (program *)(void *)(pages + PAGE);

	HX_COUNT(n_called_back);
	return second(x) * 2;
}

HX_FUNC uint64_t tail_back(uint64_t x)
{
	HX_COUNT(n_tail_back);
	return x ^ 0x1234;
}

HX_FUNC uint64_t enter(program *code, uint64_t x)
{
	HX_COUNT(n_enter);
	return code(x) + 1;
}

static uint8_t *put(uint8_t *at, const char *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

#define PUT(at, bytes) put(at, bytes, sizeof(bytes) - 1)

static uint8_t *put_pointer(uint8_t *at, uint64_t (*function)(uint64_t))
{
	uintptr_t address = (uintptr_t)function;

	memcpy(at, &address, 8);
	return at + 8;
}

/* rbx counts down from 3, and called_back is called each time; then on to tail_back. */
static void write_first(uint8_t *at, uint8_t add)
{
	at = PUT(at, "\x53\xbb\x03\x00\x00\x00"); /* push %rbx; mov $3, %ebx */
	at = PUT(at, "\x48\x83\xc7");		  /* again: add $…, %rdi */
	*at++ = add;
	at = PUT(at, "\x48\xb8"); /* mov $called_back, %rax */
	at = put_pointer(at, called_back);
	at = PUT(at, "\xff\xd0\x48\x89\xc7"); /* call *%rax; mov %rax, %rdi */
	at = PUT(at, "\xff\xcb\x75\xe9");     /* dec %ebx; jnz again */
	at = PUT(at, "\x5b\x48\xb8");	      /* pop %rbx; mov $tail_back, %rax */
	at = put_pointer(at, tail_back);
	PUT(at, "\xff\xe0"); /* jmp *%rax */
}

/* Calls inner_back with a frame of another size in each round. */
static void write_second(uint8_t *at, uint8_t frame)
{
	at = PUT(at, "\x48\x83\xec"); /* sub $…, %rsp */
	*at++ = frame;
	at = PUT(at, "\x48\xb8"); /* mov $inner_back, %rax */
	at = put_pointer(at, inner_back);
	at = PUT(at, "\xff\xd0\x48\x83\xc4"); /* call *%rax; add $…, %rsp */
	*at++ = frame;
	*at = 0xc3; /* ret */
}

static void protect(int protection)
{
	if (mprotect(pages, 2 * PAGE, protection) != 0)
		abort();
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);

	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return 1;
	wl_gate(&o);
	for (uint8_t i = 0; i < 50; i++) {
		protect(PROT_READ | PROT_WRITE | (i % 2 ? 0 : PROT_EXEC));
		write_first(pages + i, (uint8_t)(i % 100));
		write_second(pages + PAGE, (uint8_t)(8 + 16 * (i % 7)));
		protect(PROT_READ | PROT_EXEC | (i % 2 ? 0 : PROT_WRITE));
		hx_mix(enter((program *)(void *)(pages + i), i));
	}
	hx_calls("enter", n_enter, 50);
	hx_unwound("enter", 0, 0);
	hx_calls("called_back", n_called_back, 150);
	hx_unwound("called_back", 0, 0);
	hx_calls("inner_back", n_inner_back, 150);
	hx_unwound("inner_back", 0, 0);
	hx_calls("tail_back", n_tail_back, 50);
	hx_unwound("tail_back", 0, 0);
	return hx_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames that no table describes, amid frames without frame pointers: functions of
 * st_middle_bare.c, and machine code in anonymous memory, as a just-in-time compiler leaves it.
 * Both have frame pointers.
 */
#include <sys/mman.h>

#include "st_main.h"
#include "st_middle.h"

WL_FUNC void bare_leaf(void)
{
	ST_SPIN();
}

WL_FUNC void bare_callback(void)
{
	ST_LIVE(bare_leaf());
}

WL_FUNC void bare_top(void)
{
	ST_LIVE(bare_outer(bare_callback));
}

static void (*jit)(void (*callback)(void));

WL_FUNC void jit_leaf(void)
{
	ST_SPIN();
}

WL_FUNC static void jit_callback(void)
{
	ST_LIVE(jit_leaf());
}

WL_FUNC void jit_run(void)
{
	ST_LIVE(jit(jit_callback));
}

static void assemble(void)
{
	/* push %rbp; mov %rsp,%rbp; call *%rdi; nop; pop %rbp; ret */
	static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x90, 0x5d, 0xc3};
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(3);
	memcpy((char *)memory + 256, code, sizeof(code));
	if (mprotect(memory, 4096, PROT_READ | PROT_EXEC))
		_exit(3);
	*(void **)&jit = (char *)memory + 256;
}

static const struct st_case cases[] = {
	{"stack bare: bare_leaf;bare_callback;bare_inner;bare_outer;bare_top" ST_END, bare_top},
	{"stack jit: jit_leaf;jit_callback;?;jit_run" ST_END, jit_run},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	assemble();
	return drive(st_begin(argc, argv, cases), cases);
}

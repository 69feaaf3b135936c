/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cost of a probe whose program does nothing: what no tool can go below on this machine.
 *
 *   floor PATH OFFSET session|pair|entry
 *
 * attaches until stdin ends. Raw system calls, as libbpf 1.1 has no multi links.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "multi.h"

static int load(uint32_t attach_type)
{
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_KPROBE;
	attr.expected_attach_type = attach_type;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int attach(const char *path, uint64_t offset, uint32_t attach_type, uint32_t flags)
{
	int program = load(attach_type);

	return program < 0 ? -1 : multi_attach(program, path, offset, 0, attach_type, flags);
}

int main(int argc, char **argv)
{
	uint64_t offset = argc == 4 ? strtoull(argv[2], NULL, 0) : 0;
	const char *how = argc == 4 ? argv[3] : "";
	int r;

	if (strcmp(how, "session") == 0) {
		r = attach(argv[1], offset, SESSION, 0);
	} else if (strcmp(how, "entry") == 0 || strcmp(how, "pair") == 0) {
		r = attach(argv[1], offset, MULTI, 0);
		if (r >= 0 && strcmp(how, "pair") == 0)
			r = attach(argv[1], offset, MULTI, IS_RETURN);
	} else {
		return 2;
	}
	if (r < 0) {
		perror("floor");
		return 1;
	}
	while (getchar() != EOF)
		;
	return 0;
}

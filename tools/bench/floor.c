/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cost of a probe whose program does nothing: what no tool can go below on this machine.
 *
 *   floor PATH OFFSET session|pair|entry
 *
 * attaches until stdin ends. Raw system calls, as libbpf 1.1 has no multi links.
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MULTI = 48, SESSION = 57, IS_RETURN = 1 };

/* union bpf_attr as BPF_LINK_CREATE reads it for a multi link (linux/bpf.h of 6.6 and later). */
struct multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

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
	struct multi_attr attr = {
		.attach_type = attach_type,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)&offset,
		.cnt = 1,
		.multi_flags = flags,
	};
	int program = load(attach_type);

	if (program < 0)
		return -1;
	attr.prog_fd = (uint32_t)program;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
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

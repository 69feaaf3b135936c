/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multi links by hand, as libbpf 1.1 has none. */
#ifndef SONDE_BENCH_MULTI_H
#define SONDE_BENCH_MULTI_H

#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Attach types of programs, flag of links. */
enum { MULTI = 48, SESSION = 57, IS_RETURN = 1 };

/* union bpf_attr as BPF_LINK_CREATE reads it for a multi link (linux/bpf.h of 6.6 and later). */
struct multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

/* offset, and that of the semaphore (0: none), are those in the file. Returns a descriptor, or -1
 * with errno. */
static inline int multi_attach(int program, const char *path, uint64_t offset, uint64_t semaphore,
			       uint32_t attach_type, uint32_t flags)
{
	struct multi_attr attr = {
		.prog_fd = (uint32_t)program,
		.attach_type = attach_type,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)&offset,
		.ref_ctr_offsets = semaphore ? (uintptr_t)&semaphore : 0,
		.cnt = 1,
		.multi_flags = flags,
	};

	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

#endif

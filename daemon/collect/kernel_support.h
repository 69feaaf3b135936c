/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel lets this process do with bpf(2), found out by doing it. */
#ifndef SONDE_COLLECT_KERNEL_SUPPORT_H
#define SONDE_COLLECT_KERNEL_SUPPORT_H

/* Each: 0 when it worked, else -errno. */
struct kernel_support {
	int load; /* the smallest program there is */
	int ring_buffer, task_storage;
	int tp_btf; /* tracing programs on a BTF tracepoint */
};

void kernel_support_probe(struct kernel_support *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_support.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "sonde/base/util.h"

static const struct bpf_insn return_zero[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
	{.code = BPF_JMP | BPF_EXIT},
};

static int close_result(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Task storage must say what it holds: a struct of one int, as BTF made by hand. */
static int try_task_storage(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	struct btf *btf = btf__new_empty();
	int type, r;

	if (!btf)
		return -ENOMEM;
	type = btf__add_int(btf, "int", sizeof(int), BTF_INT_SIGNED);
	r = btf__load_into_kernel(btf);
	if (type > 0 && r >= 0) {
		opts.btf_fd = (uint32_t)btf__fd(btf);
		opts.btf_key_type_id = opts.btf_value_type_id = (uint32_t)type;
		r = close_result(bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "sonde_try", sizeof(int),
						sizeof(int), 0, &opts));
	}
	btf__free(btf);
	return r;
}

static int try_tp_btf(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id("sched_process_exec", BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	opts.attach_btf_id = (uint32_t)id;
	return close_result(bpf_prog_load(BPF_PROG_TYPE_TRACING, "sonde_try", "GPL", return_zero,
					  ARRAY_SIZE(return_zero), &opts));
}

void kernel_support_probe(struct kernel_support *ret)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	*ret = (struct kernel_support){
		.load = close_result(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "sonde_try", "GPL",
						   return_zero, ARRAY_SIZE(return_zero), NULL)),
		.ring_buffer = close_result(
			bpf_map_create(BPF_MAP_TYPE_RINGBUF, "sonde_try", 0, 0, page, NULL)),
		.task_storage = try_task_storage(),
		.tp_btf = try_tp_btf(),
	};
}

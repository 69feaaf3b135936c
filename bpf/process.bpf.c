// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of processes: fork, exec and exit as records, and the one place where a forked child
 * becomes a target because its parent is one. Executable mappings come from perf's MMAP2 records
 * (daemon/collect/mmap_events.c), as no tracepoint has them.
 */
#include "python_maps.bpf.h"
#include "unwind_maps.bpf.h"

#define EEXIST 17

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid), tgid = BPF_CORE_READ(child, tgid);
	__u64 *mask;
	struct record_fork *r;

	if (tgid != (__u32)BPF_CORE_READ(child, pid))
		return 0;
	mask = bpf_map_lookup_elem(&targets, &parent_tgid);
	if (mask && *mask) {
		__u64 inherited = *mask;

		bpf_map_update_elem(&targets, &tgid, &inherited, BPF_ANY);
	}
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		count_loss(0, LOSS_RING_EVENT);
		return 0;
	}
	set_header(&r->h, RECORD_FORK, mask && *mask ? FORK_FOLLOWED : 0, 0);
	r->parent_pid = parent_tgid;
	r->pid = tgid;
	r->time_ns = bpf_ktime_get_ns();
	r->start_ns = BPF_CORE_READ(child, start_boottime);
	r->uid = BPF_CORE_READ(child, cred, uid.val);
	r->pad = 0;
	BPF_CORE_READ_STR_INTO(&r->comm, child, comm);
	/* Links that hold for one process only are made for the child by the daemon, at once. */
	bpf_ringbuf_submit(r, mask && *mask ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	const char *filename = BPF_CORE_READ(bprm, filename);
	struct record_exec *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) {
		count_loss(0, LOSS_RING_EVENT);
		return 0;
	}
	set_header(&r->h, RECORD_EXEC, 0, 0);
	r->pid = BPF_CORE_READ(task, tgid);
	r->uid = BPF_CORE_READ(task, cred, uid.val);
	r->time_ns = bpf_ktime_get_ns();
	r->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	BPF_CORE_READ_STR_INTO(&r->comm, task, comm);
	if (bpf_probe_read_kernel_str(r->filename, sizeof(r->filename), filename) < 0)
		r->filename[0] = 0;
	/* The ring is not cleared between laps: what is behind the text is of other records. */
	r->filename[sizeof(r->filename) - 1] = 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Processes that have ended of late: their last threads may exit on two CPUs at the same time. */
struct ended {
	__u64 start_ns;
	__u32 tgid, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct ended);
	__type(value, __u8);
} ended SEC(".maps");

/* Whether nobody has noted the end of this process yet. */
static __always_inline bool is_first(struct task_struct *task, __u32 tgid)
{
	struct ended key = {.start_ns = BPF_CORE_READ(task, group_leader, start_boottime),
			    .tgid = tgid};
	__u8 one = 1;

	return bpf_map_update_elem(&ended, &key, &one, BPF_NOEXIST) != -EEXIST;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	struct record_exit *r;

	/* The count has been taken down before the tracepoint: zero is the last thread, or those
	 * that took it down one after another and have come here since. */
	if (BPF_CORE_READ(task, signal, live.counter) != 0 || !is_first(task, tgid))
		return 0;
	bpf_map_delete_elem(&targets, &tgid);
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		count_loss(0, LOSS_RING_EVENT);
		return 0;
	}
	set_header(&r->h, RECORD_EXIT, 0, 0);
	r->pid = tgid;
	r->status = BPF_CORE_READ(task, exit_code);
	r->time_ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

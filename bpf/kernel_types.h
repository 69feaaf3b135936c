/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel types the programs read, cut down to the fields they touch. CO-RE relocates every
 * access to the running kernel's layout, so order and size here mean nothing; a field's name and
 * type do. Numbers of the user ABI come from the uapi headers.
 */
#ifndef SONDE_BPF_KERNEL_TYPES_H
#define SONDE_BPF_KERNEL_TYPES_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <asm/ptrace.h>
#include <stdbool.h>

#ifndef PF_KTHREAD
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#endif

#ifndef PF_EXITING
#define PF_EXITING 0x00000004
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
	int group_exit_code;
};

struct xol_area {
	unsigned long vaddr; /* page of the return trampoline in the target */
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
};

/* A function whose return is probed. */
struct return_instance {
	unsigned long stack;	      /* where its return address lies, */
	unsigned long orig_ret_vaddr; /* and what that was */
	struct return_instance *next; /* around it */
};

struct uprobe_task {
	unsigned int depth; /* return probes whose functions have not returned */
	struct return_instance *return_instances; /* innermost first */
	unsigned long vaddr;			  /* of the instruction that is stepped over, */
	unsigned long xol_vaddr;		  /* and of its copy */
};

struct sched_entity {
	__u64 sum_exec_runtime; /* ns on the CPU, up to the last tick or switch */
};

/* The number of a thread in one PID namespace; the innermost is that of its level. */
struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct task_struct {
	struct pid *thread_pid;
	unsigned int flags;
	int pid;
	int tgid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct uprobe_task *utask;
	struct sched_entity se;
	unsigned long nvcsw, nivcsw; /* times it was switched out */
	unsigned long sas_ss_sp;     /* the stack for signal handlers, and its size */
	unsigned long sas_ss_size;
	const struct cred *cred;
	char comm[16];
};

struct linux_binprm {
	const char *filename;
};

/* The context of a program that is run for a task at the daemon's asking. */
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task; /* NULL: there are no more */
};

#pragma clang attribute pop

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel side (bpf/) writes to the ring buffer and the daemon reads. Kinds and flag bits
 * are append-only and numbers are never reused: a recording made by one version may be replayed
 * by another. Times are CLOCK_MONOTONIC nanoseconds. Process and thread numbers are those of the
 * initial PID namespace. All fields are native-endian; a record's length is the ring's.
 */
#ifndef SONDE_RECORD_H
#define SONDE_RECORD_H

#ifdef __bpf__
#include <linux/types.h>
#else
#include <assert.h>
#include <linux/types.h>
#include <stddef.h>
#endif

enum record_kind {
	RECORD_SPAN = 1,   /* a call ended: struct record_span, with args when SPAN_ARGS is set */
	RECORD_PATH = 2,   /* first use of a call path: struct record_path, before its first span */
	RECORD_SAMPLE = 3, /* a CPU sample: struct record_sample and its addresses */
	RECORD_FORK = 4,   /* a process (not a thread) was created: struct record_fork */
	RECORD_EXEC = 5,   /* a process replaced its program: struct record_exec */
	RECORD_EXIT = 6,   /* the last thread of a process ended: struct record_exit */
	RECORD_MMAP = 7, /* executable memory was mapped; made by the collector from perf's MMAP2 */
	RECORD_IMAGE =
		8, /* an exec has replaced the address space, before anything is mapped into it */
};

enum record_flags {
	SPAN_UNWOUND =
		1 << 0,	     /* never returned: an exception, longjmp or thread cancel passed it */
	SPAN_ERROR = 1 << 1, /* the return value is an error by the session's rule */
	SPAN_ARGS = 1 << 2,  /* six argument registers follow */
	FORK_FOLLOWED = 1 << 3, /* the parent was a target, so the child is one too */
	MMAP_BUILD_ID = 1 << 4, /* build_id is valid */
};

enum {
	RECORD_COMM_LEN = 16,
	RECORD_ARGS =
		6, /* integer argument registers of the x86-64 and arm64 calling conventions */
	RECORD_MAX_STACK = 127, /* frames of one stack, user and kernel each */
	RECORD_MAX_OPEN = 64,	/* open spans of a thread; the kernel keeps as many return probes */
	RECORD_FILENAME_LEN = 128,
	RECORD_BUILD_ID_LEN = 20,
	RECORD_MAX_SESSIONS =
		64, /* sessions that can be active at a time: bits of a target's mask */
};

struct record_header {
	__u16 kind;
	__u16 flags;
	__u16 session; /* slot of the session, 0 … RECORD_MAX_SESSIONS - 1; 0 for process events */
	__u16 cpu;
};

struct record_span {
	struct record_header h;
	__u32 pid, tid;
	__u32 probe; /* index in the session's list of probes */
	__u16 depth; /* probed calls of this session open above it: 0 is outermost */
	__u16 pad;
	__u64 start_ns;
	__u64 duration_ns;
	__u64 self_ns; /* duration less that of the probed calls made inside */
	__u64 ret;     /* the return register; meaningless when SPAN_UNWOUND is set */
	__u64 path;    /* identity of the call path, see record_path */
};

struct record_span_args {
	struct record_span span;
	__u64 args[RECORD_ARGS];
};

/* A call path is a hash of its parent path and the probe; the outermost has parent 0. */
struct record_path {
	struct record_header h;
	__u32 probe;
	__u32 pad;
	__u64 path;
	__u64 parent;
};

struct record_sample {
	struct record_header h;
	__u32 pid, tid;
	__u64 time_ns;
	char comm[RECORD_COMM_LEN]; /* of the thread; NUL-padded */
	__u16 user_count;	    /* addresses of the user stack, which come first, leaf first */
	__u16 kernel_count;	    /* addresses of the kernel stack, after them, leaf first */
	__u32 pad;
	__u64 ips[];
};

struct record_fork {
	struct record_header h;
	__u32 parent_pid, pid;
	__u64 time_ns;
	__u64 start_ns; /* of the child, CLOCK_BOOTTIME: with the pid it names a process for ever */
	__u32 uid;
	__u32 pad;
	char comm[RECORD_COMM_LEN];
};

struct record_exec {
	struct record_header h;
	__u32 pid, uid;
	__u64 time_ns;
	__u64 start_ns;
	char comm[RECORD_COMM_LEN];
	char filename[RECORD_FILENAME_LEN]; /* as given to execve, cut, NUL-terminated */
};

struct record_exit {
	struct record_header h;
	__u32 pid;
	__s32 status; /* as wait(2) gives it */
	__u64 time_ns;
};

struct record_mmap {
	struct record_header h;
	__u32 pid, path_len; /* bytes of path, without a NUL */
	__u64 time_ns;
	__u64 address, length, file_offset;
	__u8 build_id[RECORD_BUILD_ID_LEN]; /* zero-padded; valid when MMAP_BUILD_ID is set */
	__u32 pad;
	char path[];
};

struct record_image {
	struct record_header h;
	__u32 pid, pad;
	__u64 time_ns;
};

/* What was lost and why: indices of the per-CPU counter map, one row a slot of sessions. */
enum loss_kind {
	LOSS_RING_SPAN = 0,   /* a span that passed its filters found the ring full */
	LOSS_RING_SAMPLE = 1, /* a sample found the ring full */
	LOSS_RING_EVENT = 2,  /* a process event or path found the ring full */
	LOSS_TOO_DEEP = 3,    /* a call nested deeper than RECORD_MAX_OPEN probed calls */
	LOSS_NO_MEMORY = 4,   /* no memory for a thread's state */
	LOSS_RETURN =
		5, /* no span: a return without its entry (attached in the middle of the call) */
	LOSS_STACK = 6,	     /* no sample lost: its stack could not be read or was cut */
	LOSS_PATHS_FULL = 7, /* the table of announced paths is full: paths are announced again */
	FILTERED_SPAN = 8,   /* no loss: a call that the session's filters left out */
	LOSS_COUNTERS = 9,
};

#ifndef __bpf__
static_assert(sizeof(struct record_header) == 8, "record ABI");
static_assert(sizeof(struct record_span) == 64, "record ABI");
static_assert(offsetof(struct record_span, start_ns) == 24, "record ABI");
static_assert(sizeof(struct record_span_args) == 112, "record ABI");
static_assert(sizeof(struct record_path) == 32, "record ABI");
static_assert(offsetof(struct record_sample, ips) == 48, "record ABI");
static_assert(sizeof(struct record_fork) == 56, "record ABI");
static_assert(sizeof(struct record_exec) == 176, "record ABI");
static_assert(sizeof(struct record_exit) == 24, "record ABI");
static_assert(offsetof(struct record_mmap, path) == 72, "record ABI");
static_assert(sizeof(struct record_image) == 24, "record ABI");
#endif

#endif

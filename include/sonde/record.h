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
	RECORD_CALL =
		9, /* as RECORD_SPAN, with all that conditions and captures know of the call */
	RECORD_THROW = 10, /* an exception begins to leave calls: struct record_throw */
	RECORD_STACK =
		11, /* the user stack of the call whose record follows: struct record_stack */
	RECORD_PYTHON = 12, /* Python frames of the sample, stack or wait that follows: struct
			       record_python */
	RECORD_PYTHON_CODE =
		13,	  /* first use of a Python function, before it: struct record_python_code */
	RECORD_WAIT = 14, /* a thread begins to wait: struct record_sample, of its time */
	RECORD_WAIT_END = 15, /* it runs again: struct record_wait_end */
	RECORD_SOURCE = 16,   /* spans written in source code: struct record_source */
	RECORD_AROUND = 17,   /* a call around such spans: struct record_around */
};

enum record_flags {
	SPAN_UNWOUND =
		1 << 0,	     /* never returned: an exception, longjmp or thread cancel passed it */
	SPAN_ERROR = 1 << 1, /* the return value is an error by the session's rule */
	SPAN_ARGS = 1 << 2,  /* six argument registers follow */
	FORK_FOLLOWED = 1 << 3, /* the parent was a target, so the child is one too */
	/* 1 << 4 was MMAP_BUILD_ID */
	SPAN_UNDECIDED = 1 << 5, /* the condition was not evaluated: the daemon decides */
	SPAN_TAIL = 1 << 6,	 /* ended by a jump to another function: ret is not known */
	SPAN_KERNEL = 1 << 7,	 /* a call of a kernel function */
	SPAN_VALUES = 1 << 8,	 /* values follow: RECORD_CALL only */
	SPAN_INSTANT = 1 << 9,	 /* no call: a static probe was passed; its duration is 0 */
	/* Of RECORD_SAMPLE and RECORD_STACK: how the user stack was found. */
	STACK_TABLES = 1 << 10,	  /* by unwind tables; else all of it by frame pointers */
	STACK_WHOLE = 1 << 11,	  /* up to the outermost frame; only with STACK_TABLES */
	STACK_POINTERS = 1 << 12, /* with tables, but not every frame: some by frame pointers */
	PYTHON_WHOLE = 1 << 13,	  /* of RECORD_PYTHON: up to the outermost frame */
	SOURCE_ENDED = 1 << 14,	  /* of RECORD_SOURCE: what an ended thread had not sent */
	/* Of an instant: the value of a counter, which is its attribute "value". It is no call. */
	SPAN_COUNTER = 1 << 15,
	/* Of spans, of which no record has the flag that it shares the bit with: no scope, but
	 * begun and ended by hand in the source. */
	SPAN_ASYNC = STACK_TABLES,
	/* Of RECORD_AROUND, and of no span, which it shares the bit with: not ended, as somebody
	 * looked. */
	AROUND_OPEN = SPAN_COUNTER,
};

/* Of a frame of RECORD_PYTHON. The last two mark entries that are no frames of the program. */
enum python_frame_flags {
	/* CPython 3.11: the outermost of the frames that one call of the evaluation runs. */
	PYTHON_ENTRY = 1 << 0,
	/* CPython 3.12 and later have a frame for each call of the evaluation, outside those that
	 * it runs: code is its address, which is on the C stack. */
	PYTHON_SHIM = 1 << 1,
	/* The frames of one interpreter begin; code is an address of the C stack where it is known
	 * to be inside all evaluations of it, or 0. */
	PYTHON_BEGIN = 1 << 2,
};

enum {
	RECORD_COMM_LEN = 16,
	RECORD_ARGS =
		6, /* integer argument registers of the x86-64 and arm64 calling conventions */
	RECORD_MAX_STACK = 127, /* frames of one stack, user and kernel each */
	RECORD_MAX_OPEN = 64,	/* open spans of a thread; the kernel keeps as many return probes */
	RECORD_MAX_VALUES = 256,  /* bytes of captured values of a call */
	RECORD_MAX_CAPTURES = 16, /* captured values of a call */
	RECORD_TYPE_LEN = 64,	  /* of an exception's type, mangled */
	RECORD_MESSAGE_LEN = 128,
	RECORD_FILENAME_LEN = 128,
	RECORD_MAX_PYTHON = 127, /* entries of RECORD_PYTHON */
	/* Bytes of text of a Python function; multiples of 4, as characters may be as wide. */
	RECORD_PYTHON_NAME_LEN = 252,
	RECORD_PYTHON_FILE_LEN = 508,
	RECORD_PYTHON_LINES_LEN = 4092,
	RECORD_SOURCE_BYTES = 16384, /* of a batch of RECORD_SOURCE */
	RECORD_SOURCE_OPEN = 24,     /* of an open span in it */
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

/*
 * What a condition is decided on; the generated programs (daemon/expr) read it where the kernel
 * side puts it together, so nothing moves without them. Only what the session asked for is filled
 * in, the rest is zero. A capture's value starts at a multiple of 8 in values: a number takes 8
 * bytes, extended to 64 bits by its sign; text and buffers are a struct record_text. The record
 * is cut off behind the values the probe has.
 */
struct record_call {
	struct record_span span;
	__u64 offcpu_ns; /* of duration_ns: not running */
	__u64 cgroup;	 /* id of the version 2 cgroup: its directory's inode */
	__u32 uid;
	__u32 caller; /* index + 1 of the probe of the span around it; 0: outermost */
	char comm[RECORD_COMM_LEN];
	__u64 args[RECORD_ARGS]; /* registers at entry; those redacted or overwritten are 0 */
	__u64 valid;		 /* bit i: capture i could be read */
	__u8 values[RECORD_MAX_VALUES];
};

struct record_text {
	__u32 len;   /* bytes of text that are there, without a NUL */
	char text[]; /* as many as the capture has room for, then zeros up to a multiple of 8 */
};

/* Sent when a thread with open spans throws; the spans it ends come after it. */
struct record_throw {
	struct record_header h;
	__u32 pid, tid;
	__u64 time_ns;
	char type[RECORD_TYPE_LEN];	  /* mangled, NUL-terminated; "" when not known */
	char message[RECORD_MESSAGE_LEN]; /* what() of the standard exceptions that keep one */
};

struct record_stack {
	struct record_header h;
	__u32 pid, tid;
	__u64 time_ns; /* the call's start_ns + duration_ns */
	__u32 user_count, pad;
	__u64 ips[]; /* leaf first */
};

/*
 * A call path is a hash of its parent path, the probe and, where one was begun in between, of the
 * span written in source code that the call is in; the outermost has parent 0.
 */
struct record_path {
	struct record_header h;
	__u32 probe;
	__u32 in_source; /* not 0: source was begun inside the parent */
	__u64 path;
	__u64 parent;
	__u64 source; /* path of the span written in source code that was open; 0: none */
};

struct record_sample {
	struct record_header h;
	__u32 pid, tid;
	__u64 time_ns;
	char comm[RECORD_COMM_LEN]; /* of the thread; NUL-padded */
	__u16 user_count;	    /* addresses of the user stack, which come first, leaf first */
	__u16 kernel_count;	    /* addresses of the kernel stack, after them, leaf first */
	__u32 weight; /* of a wait: how many it stands for as far as is known, from 1 on */
	/* Of callers where the call returns to; of one that a signal has interrupted, the byte
	 * behind the place: one less is in the frame's function either way. */
	__u64 ips[];
};

/* Only of waits that were sent, see bpf/offcpu.bpf.c. */
struct record_wait_end {
	struct record_header h;
	__u32 pid, tid;
	__u64 since_ns; /* time_ns of its beginning */
	__u64 duration_ns;
	__u64 total_ns; /* of all waits it stands for; 0: it was not drawn */
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
	__u64 inode; /* of the file; 0: of none */
	char path[];
};

struct record_image {
	struct record_header h;
	__u32 pid, pad;
	__u64 time_ns;
};

/* Frames that CPython has on its own stack, leaf first; kernel side: bpf/python.bpf.h. */
struct record_python_frame {
	__u64 code;   /* address of the code object, see record_python_code */
	__u32 offset; /* of the instruction in the bytecode; in a function that begins, -2 or so */
	__u32 flags;  /* enum python_frame_flags */
};

struct record_python {
	struct record_header h;
	__u32 pid, tid;
	__u64 time_ns; /* that of the record it belongs to */
	__u32 program; /* number the daemon gave to the program the process runs */
	__u32 count;
	struct record_python_frame frames[];
};

/*
 * A code object, cut off behind the lines that are there. Text is of characters of name_kind and
 * file_kind bytes each: 1 for Latin-1, 2 and 4 for UCS-2 and UCS-4. Of too long a file name the
 * end is kept, of everything else the beginning.
 */
struct record_python_code {
	struct record_header h;
	__u32 pid, program;
	__u64 code;
	__u32 first_line;
	__u16 name_len, file_len;	   /* bytes */
	__u8 name_kind, file_kind;	   /* 0: could not be read */
	__u16 lines_len;		   /* bytes of the table of lines that are in the record */
	__u32 lines_size;		   /* bytes it has */
	__u8 name[RECORD_PYTHON_NAME_LEN]; /* qualified */
	__u8 file[RECORD_PYTHON_FILE_LEN];
	__u8 lines[RECORD_PYTHON_LINES_LEN]; /* co_linetable */
};

/*
 * A batch as the program has put it together (struct sonde_batch of span/abi.h and its records),
 * and from the next multiple of 8 bytes on the spans that are open around it (struct sonde_open,
 * outermost first). Nothing of it has been looked at. What is behind that is of other records. With
 * no bytes it only says where a thread has its block.
 */
struct record_source {
	struct record_header h;
	__u32 pid, tid;
	__u64 time_ns;
	__u64 block;  /* address of the thread's struct sonde_block; 0: not known */
	__u32 bytes;  /* of the batch, at most RECORD_SOURCE_BYTES */
	__u32 n_open; /* at most RECORD_MAX_OPEN */
	__u8 data[];
};

/*
 * A probed call around spans written in source code: those that the thread recorded in this object
 * from the one place on up to the other. A place is the number of a batch and the bytes of it that
 * there were: sequence << SOURCE_AT_SHIFT | used. Of calls inside each other the inner comes first,
 * and all of them come before the batch. to 0: around the one span of the batch without a number
 * that comes next. With AROUND_OPEN it is up to where the thread was known to be before;
 * path 0: these were all, and all that was sent before them.
 */
enum { SOURCE_AT_SHIFT = 15 };

struct record_around {
	struct record_header h;
	__u32 pid, tid;
	__u64 control; /* address of the object's struct sonde_control */
	__u64 from, to;
	__u64 path;	/* of the call */
	__u64 start_ns; /* of the call: which one it is */
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
	LOSS_UNDECIDED = 9, /* statistics only: a call that ended without its condition evaluated */
	PARTIAL_STACK =
		10, /* no loss: a sample whose user stack is not known to be whole; the daemon's */
	POINTERS_STACK =
		11, /* no loss: one whose user stack has frames found by frame pointers; likewise */
	LOSS_PROGRAM = 12, /* spans in source code that their program had no room for, as it says */
	LOSS_BATCH = 13, /* batches of them that could not be read, did not come or made no sense */
	LOSS_COUNTERS = 14,
};

#ifndef __bpf__
static_assert(sizeof(struct record_header) == 8, "record ABI");
static_assert(sizeof(struct record_span) == 64, "record ABI");
static_assert(offsetof(struct record_span, start_ns) == 24, "record ABI");
static_assert(sizeof(struct record_span_args) == 112, "record ABI");
static_assert(offsetof(struct record_call, offcpu_ns) == 64, "record ABI");
static_assert(offsetof(struct record_call, comm) == 88, "record ABI");
static_assert(offsetof(struct record_call, args) == 104, "record ABI");
static_assert(offsetof(struct record_call, valid) == 152, "record ABI");
static_assert(offsetof(struct record_call, values) == 160, "record ABI");
static_assert(sizeof(struct record_throw) == 24 + RECORD_TYPE_LEN + RECORD_MESSAGE_LEN,
	      "record ABI");
static_assert(offsetof(struct record_stack, ips) == 32, "record ABI");
static_assert(sizeof(struct record_path) == 40, "record ABI");
static_assert(offsetof(struct record_sample, ips) == 48, "record ABI");
static_assert(sizeof(struct record_wait_end) == 40, "record ABI");
static_assert(sizeof(struct record_fork) == 56, "record ABI");
static_assert(sizeof(struct record_exec) == 176, "record ABI");
static_assert(sizeof(struct record_exit) == 24, "record ABI");
static_assert(offsetof(struct record_mmap, path) == 56, "record ABI");
static_assert(sizeof(struct record_image) == 24, "record ABI");
static_assert(sizeof(struct record_python_frame) == 16, "record ABI");
static_assert(offsetof(struct record_python, frames) == 32, "record ABI");
static_assert(offsetof(struct record_python_code, name) == 40, "record ABI");
static_assert(offsetof(struct record_python_code, lines) == 800, "record ABI");
static_assert(offsetof(struct record_source, data) == 40, "record ABI");
static_assert(sizeof(struct record_around) == 56, "record ABI");
#endif

#endif

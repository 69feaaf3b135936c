/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel side has to know of a process to read the frames of the CPython in it: where its
 * interpreters are, and where fields are in its structures, which differ between releases.
 */
#ifndef SONDE_PYTHON_H
#define SONDE_PYTHON_H

#ifdef __bpf__
#include <linux/types.h>
#else
#include <assert.h>
#include <linux/types.h>
#include <stddef.h>
#endif

enum {
	PYTHON_MAX_PROCESSES = 4096,
	PYTHON_MAX_THREADS = 16384,
	PYTHON_MAX_CODES = 16384,
	PYTHON_MAX_CHAINS = 4,	 /* interpreters that a thread is in at a time */
	PYTHON_FRAME_BYTES = 80, /* of a frame, read at once; no field lies behind */
	/* Of a code object, from code_file on: code_name and code_lines are in it. */
	PYTHON_TEXTS_BYTES = 32,
	PYTHON_NONE = 0xffff, /* as an offset: there is no such field */
};

/* In bytes from the start of the structure named first. */
struct python_offsets {
	__u16 interpreter_next, interpreter_threads;
	__u16 thread_next, thread_native_id;
	/* 3.11 and 3.12: to a structure on the C stack, which has the frame; later, to the frame.
	 */
	__u16 thread_frame, cframe_frame;
	__u16 frame_code, frame_previous, frame_instruction, frame_owner;
	__u16 frame_entry; /* 3.11 only */
	__u16 shim_owner;  /* owners from this on are shims'; PYTHON_NONE in 3.11 */
	__u16 code_file, code_name, code_lines, code_first_line, code_instructions;
	__u16 string_length, string_state;
	__u16 string_ascii, string_wide; /* where characters begin */
	__u16 bytes_length, bytes_data;
};

struct python_process {
	__u64 interpreters; /* address of the pointer to the first */
	__u32 program;	    /* for the records: a pid may run one program after another */
	struct python_offsets offsets;
	__u16 pad[3];
};

/* What has been announced by RECORD_PYTHON_CODE. */
struct python_code_key {
	__u64 code;
	__u32 program, pad;
};

/*
 * If these differ, another code object is at the same address. That of a module is freed once it
 * has run; all of them have the same name and first line.
 */
struct python_code_check {
	__u64 name, file, lines; /* addresses of them */
	__u32 first_line, pad;
};

/* The state of a thread (PyThreadState), as found last time. */
struct python_thread {
	__u64 state;
	__u32 program, pad;
};

#ifndef __bpf__
static_assert(sizeof(struct python_offsets) == 46, "no padding");
static_assert(sizeof(struct python_process) == 64, "no padding");
#endif

#endif

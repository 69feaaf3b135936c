/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the span programs know of each probe of their session, and how the attach cookie of a
 * return site is put together. Shared by bpf/span.bpf.c and the daemon.
 */
#ifndef SONDE_PROBE_INFO_H
#define SONDE_PROBE_INFO_H

#include "sonde/record.h"

enum probe_info_flags {
	PROBE_GATE = 1 << 0,	      /* --inside: spans are those below a call of this function */
	PROBE_HIDDEN = 1 << 1,	      /* its calls are followed, but are no spans themselves */
	PROBE_RESULT_SIGNED = 1 << 2, /* the result is an error below 0, as result_size bytes */
	PROBE_RESULT_UNSIGNED = 1 << 3, /* the result is never an error */
};

struct probe_info {
	__u32 code_size; /* bytes of the function, for jumps by register */
	__u16 end;	 /* index in `programs` of the condition on the ended call; 0: none */
	__u16 begin;	 /* the same for the begun call */
	__u16 values_len;
	__u8 flags;
	__u8 kept_args;	  /* bit i: argument register i may be recorded */
	__u8 sp_below;	  /* bytes the stack pointer is below that of the entry, at the probe */
	__u8 result_size; /* 1, 2, 4, 8 */
	__u16 pad;
};

/* What is to be found out about each call: bits of the session's `wants`. */
enum span_wants {
	WANT_ARGS = 1 << 0,
	WANT_VALUES = 1 << 1,
	WANT_COMM = 1 << 2,
	WANT_UID = 1 << 3,
	WANT_CGROUP = 1 << 4,
	WANT_OFFCPU = 1 << 5,
	WANT_CALLER = 1 << 6,
};

/* Elements of the map `programs`: what conditions end in, then the conditions themselves. */
enum span_programs {
	PROGRAM_EMIT = 0,	/* the call is a span */
	PROGRAM_REJECT = 1,	/* it is none */
	PROGRAM_EMIT_STACK = 2, /* it is one, and its user stack goes with it */
	PROGRAM_HIDE = 3,	/* the begun call is none */
	PROGRAM_FIRST = 4,	/* conditions from here on */
	PROGRAMS_MAX = 4096,
};

/*
 * The cookie of a return probe is the probe's index, that of an entry too, but for a bit; that of
 * a return site has more.
 */
enum {
	SITE_PROBE_BITS = 32,	/* index of the probe */
	ENTRY_SITES_SHIFT = 32, /* of an entry: the function's ends are return sites */
	SITE_KIND_SHIFT = 32,	/* enum return_way */
	SITE_CODE_SHIFT = 35,	/* condition or register, 4 bits */
	SITE_DELTA_SHIFT = 39,	/* bytes from the function's start to the site, 25 bits */
};

/*
 * Static probes that pair up are several places each, whose probes have indices in a row: those
 * that begin a span, then those that end it. Each has a row of fetches; that of an end has the
 * result. The cookie of an end: its probe's index, how far before it the first that begins a span
 * is, and how many of these there are.
 */
enum {
	PAIR_BACK_SHIFT = 32,  /* 16 bits */
	PAIR_COUNT_SHIFT = 48, /* 16 bits */
};

enum return_way {
	WAY_RET = 0,
	WAY_JUMP = 1,
	WAY_JUMP_IF = 2,  /* code: number of the condition */
	WAY_JUMP_REG = 3, /* code: number of the register that has the target */
};

#ifndef __bpf__
static_assert(sizeof(struct probe_info) == 16, "shared with the span programs");
#endif

#endif

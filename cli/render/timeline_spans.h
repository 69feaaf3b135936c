/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spans of a timeline as they are gathered, in any order, and how they are arranged: processes
 * and their threads in the order in which they first began a span, of each thread as many rows as
 * its spans are nested deep. In a row spans come in order and do not overlap, whatever was added.
 */
#ifndef SONDE_RENDER_TIMELINE_SPANS_H
#define SONDE_RENDER_TIMELINE_SPANS_H

#include "timeline_counters.h"
#include "timeline_samples.h"

/* What is nested deeper is not shown, but counted. */
enum { TIMELINE_MAX_ROWS = 512 };

enum timeline_flags {
	TIMELINE_ERROR = 1 << 0,
	TIMELINE_UNWOUND = 1 << 1,
	TIMELINE_KERNEL = 1 << 2,
	TIMELINE_INSTANT = 1 << 3,
};

struct timeline_span {
	uint64_t start_ns;		 /* since the epoch */
	uint64_t duration_ns, offcpu_ns; /* offcpu_ns 0: none, or not known */
	uint32_t thread, function;	 /* what timeline_add_thread() and _function() gave */
	uint16_t depth;			 /* of two that are alike the lower one is outside */
	uint16_t flags;			 /* enum timeline_flags */
};

/* What a process did in a window of time, by samples. */
struct timeline_use {
	uint32_t process;
	uint64_t start_us, end_us; /* since the epoch */
	uint64_t cpu_ns, wait_ns;
};

struct timeline_process {
	uint32_t pid;
	char *comm;
};
struct timeline_thread {
	uint32_t process, tid;
	char *name; /* NULL: not known */
};
struct timeline_function {
	char *name, *binary;
};

struct timeline {
	struct timeline_process *processes;
	struct timeline_thread *threads;
	struct timeline_function *functions;
	struct timeline_span *spans;
	struct timeline_use *uses;
	struct timeline_samples samples;
	size_t n_processes, n_threads, n_functions, n_spans, n_uses;
	size_t processes_cap, threads_cap, functions_cap, spans_cap, uses_cap;
	struct timeline_counters counters;
	bool has_offcpu, has_times; /* has_times: zero_ns and end_ns are known */
	size_t limit; /* spans of each thread that are shown, the first ones; 0: all */
	/* What is kept of what is added from then on: spans and waits that end, and samples that
	 * were taken, at from_ns or later and begin before until_ns (0: all), of spans and of
	 * samples the first `most` (0: all). */
	uint64_t from_ns, until_ns;
	size_t most;
	uint64_t more;		  /* spans, and values of counters, beyond `most` of them */
	uint64_t more_samples;	  /* beyond `most` */
	uint64_t zero_ns, end_ns; /* when the first of all began, and the last one ended */
	/* From timeline_arrange() on. */
	uint64_t too_deep, beyond_limit; /* spans that are not shown */
};

/* Starts as all zero. These return the number of what was added, or -errno. */
int timeline_add_process(struct timeline *t, uint32_t pid, const char *comm);
int timeline_add_thread(struct timeline *t, uint32_t process, uint32_t tid);
int timeline_add_function(struct timeline *t, const char *name, const char *binary);
/* 0, also when it is not to be kept; -EINVAL (no such thread or function), -ENOMEM. An end beyond
 * all time is cut. */
int timeline_add_span(struct timeline *t, const struct timeline_span *span);
/* The value of a counter of a process, to be kept as a span of that time is. -EINVAL, -ENOMEM. */
int timeline_add_value(struct timeline *t, uint32_t process, const char *name, uint64_t time_ns,
		       double value);
/* As timeline_add_span(). */
int timeline_add_sample(struct timeline *t, enum timeline_sample_kind kind,
			const struct timeline_sample *sample);
/* What a thread is called turns out: 0 or -ENOMEM. The first name stays. */
int timeline_name_thread(struct timeline *t, uint32_t thread, const char *name);
int timeline_add_use(struct timeline *t, const struct timeline_use *use);
void timeline_release(struct timeline *t);

/* Before samples are added: forgets the spans that had ended before from_ns, and those that began
 * at until_ns or later; and values of counters likewise. */
void timeline_cut(struct timeline *t, uint64_t from_ns, uint64_t until_ns);

/*
 * Sorts what was added: by thread as they are shown, then by row, then by start. each() gets
 * the rows one after another; those of a thread stay until the next thread's first. 0, -ENOMEM, or
 * what each() returned below 0.
 */
int timeline_arrange(struct timeline *t,
		     int (*each)(void *arg, uint32_t thread, const struct timeline_span *spans,
				 size_t n),
		     void *arg);

#endif

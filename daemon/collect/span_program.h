/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The span programs of one session, loaded with its options as constants. Attaching them is the
 * business of probe/: it takes the program descriptors. Closing the last link and freeing this
 * takes everything of the session out of the kernel.
 */
#ifndef SONDE_COLLECT_SPAN_PROGRAM_H
#define SONDE_COLLECT_SPAN_PROGRAM_H

#include "kernel_side.h"
#include "sonde/fetch.h"
#include "sonde/kernel_stat.h"
#include "sonde/probe_info.h"

struct span_options {
	uint32_t slot;
	uint64_t path_seed; /* different for each session */
	uint32_t n_probes;
	bool multi;	     /* to be attached by multi links (probe/attach.h) */
	bool session_link;   /* stats_only by one session link: the kernel has it */
	bool filter_targets; /* some links cover processes that are no targets */
	bool errors_only, unwound_only, null_is_error, stats_only;
	bool rich;	   /* conditions, arguments or captures: span_program_set_*() */
	bool use_info;	   /* some probe has a probe_info that says something */
	bool has_gates;	   /* --inside */
	bool goroutines;   /* a Go program's functions */
	bool sites;	   /* some probe has return sites */
	bool throws;	   /* exceptions are followed */
	bool sources;	   /* spans written in source code */
	bool only_sources; /* and nothing else: no calls are followed */
	bool statics;	   /* static probes: takes span_program_set_fetches(), rich or not */
	bool stacks;	   /* a condition may ask for the user stack */
	bool offcpu;	   /* time off the CPU is taken */
	bool kernel;	   /* kernel functions; kernel_multi: by kprobe.multi links */
	bool kernel_multi;
	uint32_t max_depth; /* 0: no limit */
	uint64_t min_duration_ns;
};

struct span_program;

int span_program_load(const struct kernel_side *kernel, const struct span_options *options,
		      struct error *error, struct span_program **ret);
struct span_program *span_program_free(struct span_program *p);
DEFINE_CLEANUP(struct span_program *, span_program_free)

/* The programs that are attached; those that end conditions are none of them. */
enum span_part {
	SPAN_PART_ENTRY,
	SPAN_PART_RETURN,
	SPAN_PART_SITE,
	SPAN_PART_THROW,
	SPAN_PART_CATCH,
	SPAN_PART_STATIC_ENTRY,
	SPAN_PART_STATIC_RETURN,
	SPAN_PART_STATIC_INSTANT,
	SPAN_PART_SOURCE_BATCH,
	SPAN_PART_SOURCE_THREAD,
	SPAN_PART_SOURCE_SINGLE,
	SPAN_PART_KERNEL_ENTRY,
	SPAN_PART_KERNEL_RETURN,
	SPAN_PART_SESSION,
};
/* Descriptor of a loaded program, -1 for what the session does not use. */
int span_program_fd(const struct span_program *p, enum span_part part);

/*
 * Loads fentry or fexit for one kernel function by name: it shares all that p has. A descriptor
 * that is the caller's, or -errno. At least p must have been loaded with `kernel`.
 */
int span_program_load_tracing(struct span_program *p, const char *function, bool is_return);

/*
 * What each probe is like, how its captures are read, and what all calls are asked for (enum
 * span_wants): before activation, or while active (calls under way then have what they began with).
 * 0 or -errno.
 */
int span_program_set_info(struct span_program *p, uint32_t probe, const struct probe_info *info);
int span_program_set_fetches(struct span_program *p, uint32_t probe, const struct fetch *fetches,
			     size_t n);
void span_program_set_wants(struct span_program *p, uint32_t wants, bool send_calls);

/* What generated conditions are compiled for: see expr/code.h. */
struct span_condition_target {
	int facts_fd, verdict_fd;
	int prog_type, attach_type;
};
void span_program_condition_target(const struct span_program *p, bool kernel,
				   struct span_condition_target *ret);
/* Puts a loaded condition into the program array; it is kept by it. fd -1 takes it out. */
int span_program_set_condition(struct span_program *p, bool kernel, uint32_t index, int fd);
/* Whether element PROGRAM_FIRST is the condition on the end of all user functions' calls. */
void span_program_share_condition(struct span_program *p, bool shared);

/*
 * Whether calls are taken note of. To be set when all links are in place and cleared before the
 * first is taken off: links come and go one after the other, and halves of calls are no spans.
 */
void span_program_set_active(struct span_program *p, bool active);

/* A process that is a target, so that its calls need no look-up; 0 when it has ended. */
void span_program_set_first_target(struct span_program *p, uint32_t pid);

/*
 * Has the kernel send RECORD_AROUND, flagged AROUND_OPEN, for each call that the thread has open
 * and that may have spans written in source code inside. They are in the ring on return. 0 or
 * -errno.
 */
int span_program_look(const struct span_program *p, uint32_t tid);

/* Sums one probe's statistics over CPUs (stats-only sessions). */
int span_program_stat(const struct span_program *p, uint32_t probe, struct kernel_stat *ret);

#endif

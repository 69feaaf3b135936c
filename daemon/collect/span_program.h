/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The span programs of one session, loaded with its options as constants. Attaching them is the
 * business of probe/: it takes the program descriptors. Closing the last link and freeing this
 * takes everything of the session out of the kernel.
 */
#ifndef SONDE_COLLECT_SPAN_PROGRAM_H
#define SONDE_COLLECT_SPAN_PROGRAM_H

#include "kernel_side.h"
#include "sonde/kernel_stat.h"

struct span_options {
	uint32_t slot;
	uint64_t path_seed; /* different for each session */
	uint32_t n_probes;
	bool multi;	     /* to be attached by multi links (probe/attach.h) */
	bool session_link;   /* stats_only by one session link: the kernel has it */
	bool filter_targets; /* some links cover processes that are no targets */
	bool want_args, errors_only, null_is_error, stats_only;
	uint32_t max_depth; /* 0: no limit */
	uint64_t min_duration_ns;
};

struct span_program;

int span_program_load(const struct kernel_side *kernel, const struct span_options *options,
		      struct error *error, struct span_program **ret);
struct span_program *span_program_free(struct span_program *p);
DEFINE_CLEANUP(struct span_program *, span_program_free)

/* Descriptors of the loaded programs, -1 for what the session does not use. */
int span_program_entry_fd(const struct span_program *p);
int span_program_return_fd(const struct span_program *p);
int span_program_session_fd(const struct span_program *p);

/*
 * Whether calls are taken note of. To be set when all links are in place and cleared before the
 * first is taken off: links come and go one after the other, and halves of calls are no spans.
 */
void span_program_set_active(struct span_program *p, bool active);

/* A process that is a target, so that its calls need no look-up; 0 when it has ended. */
void span_program_set_first_target(struct span_program *p, uint32_t pid);

/* Sums one probe's statistics over CPUs (stats-only sessions). */
int span_program_stat(const struct span_program *p, uint32_t probe, struct kernel_stat *ret);

#endif

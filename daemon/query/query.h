/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions as pure functions from a snapshot (whose frames have names) to rows. Names follow
 * io.sonde.varlink; durations are nanoseconds. Strings in rows point into the snapshot, which must
 * outlive the answer, unless said otherwise.
 */
#ifndef SONDE_QUERY_QUERY_H
#define SONDE_QUERY_QUERY_H

#include "snapshot.h"

enum query_kind { QUERY_SPAN, QUERY_CPU, QUERY_OFFCPU };
static inline bool query_is_about_samples(enum query_kind kind)
{
	return kind != QUERY_SPAN;
}
/* What a snapshot needs to hold for such a question. */
static inline unsigned int query_parts(enum query_kind kind)
{
	return kind == QUERY_SPAN  ? SNAPSHOT_SPANS
	       : kind == QUERY_CPU ? SNAPSHOT_CPU
				   : SNAPSHOT_OFFCPU;
}
/* As the Varlink interface writes it. */
static inline const char *query_kind_text(enum query_kind kind)
{
	return kind == QUERY_SPAN ? "span" : kind == QUERY_CPU ? "cpu" : "offcpu";
}
enum report_by {
	BY_FUNC,
	BY_PROBE,
	BY_COMM,
	BY_PID,
	BY_THREAD,
	BY_CONTAINER,
	BY_CGROUP,
	BY_HOST,
	BY_CATEGORY,
};
enum report_sort {
	SORT_TOTAL,
	SORT_SELF,
	SORT_CALLS,
	SORT_ERRORS,
	SORT_AVG,
	SORT_P50,
	SORT_P99,
	SORT_MAX,
	SORT_SAMPLES,
};
/* "func" → BY_FUNC and so on; -EINVAL for anything else. */
int report_by_parse(const char *s, enum report_by *ret);
int report_sort_parse(const char *s, enum report_sort *ret);
/* What to sort by when nobody said: spans by total, samples by self. */
enum report_sort report_sort_default(enum query_kind kind);

/*
 * Functions are merged by what the reader sees of them: name, binary (the file name of the path)
 * and kind. Quantiles come from the histograms, but never lie outside of [lowest, highest] call.
 */
struct report_row {
	/* A name, "comm", "pid comm" or "pid (pid in its namespace) comm", "thread", a container's
	 * id or "[host]", a control group, a category (groups_of_categories()); in the snapshot
	 * or the report. */
	const char *key;
	const char *binary; /* file name of the path, "" when it does not apply */
	uint64_t calls, errors, total_ns, self_ns, avg_ns, p50_ns, p99_ns, max_ns;
	uint64_t samples, self_samples;
	uint64_t inlined_samples; /* of samples: the function was running, but inlined only */
	struct hist hist;	  /* of the durations of calls; owned */
};

struct report {
	struct report_row *rows;
	size_t n_rows;
	uint64_t total_ns; /* spans: sum of self times; samples: samples × period */
	uint64_t total_samples;
	char **texts; /* keys that are not in the snapshot; owned */
	size_t n_texts;
};

/*
 * limit 0: all. Rows descend, ties by total, samples and name. A key counts a sample and
 * (inclusive) time once: calls made inside a call of the same key add to calls, avg_ns, the
 * quantiles and self_ns, but not to total_ns, unless that outer call has not ended. Samples by what
 * is no function have self equal to total. -EINVAL: samples by probe or category. -EOPNOTSUPP:
 * spans by thread, which takes raw spans.
 */
int query_report(const struct snapshot *s, enum query_kind kind, enum report_by by,
		 enum report_sort sort, size_t limit, struct report **ret);
struct report *report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report_free)

struct graph_row {
	uint32_t id, parent, depth; /* id from 1; parent 0, depth 0: root. Depth first, siblings by
				       total, largest first */
	const char *func, *binary;
	enum frame_kind kind;
	bool inlined; /* into its parent */
	uint64_t calls, errors, total_ns, self_ns, avg_ns, p50_ns, p99_ns, max_ns, samples,
		self_samples;
	struct hist hist; /* as in a report's row */
};

struct graph {
	struct graph_row *rows;
	size_t n_rows;
	uint64_t total_ns, total_samples;
};

/*
 * The call tree, processes merged. A path whose own calls have not ended has calls 0 and the total
 * of its children. Nodes below min_percent of the graph's total are left out with all that is below
 * them, unless their children (of a call that has not ended) reach it. max_depth: levels shown, 0
 * for all.
 */
int query_graph(const struct snapshot *s, enum query_kind kind, double min_percent,
		uint32_t max_depth, struct graph **ret);
struct graph *graph_free(struct graph *g);
DEFINE_CLEANUP(struct graph *, graph_free)

struct stack_row {
	uint32_t process;   /* index in the snapshot */
	const char *thread; /* "" for spans */
	uint32_t *frames;   /* indices into the answer's frames, root first */
	size_t n_frames;
	uint64_t value; /* samples, or self nanoseconds */
};

struct stacks {
	/* Distinct by (function, file, kind, inlined); each stands for the first line of all. */
	const struct snapshot_frame **frames;
	size_t n_frames;
	struct stack_row *rows; /* merged by (process, thread, frames) */
	bool by_comm; /* of processes and threads of that name: the first process stands for them */
	size_t n_rows;
	uint32_t *pool; /* what the rows' frames point into */
};

int query_stacks(const struct snapshot *s, enum query_kind kind, struct stacks **ret);
/* Merged by (comm, frames): long history has too many processes for anything else. */
int query_stacks_by_comm(const struct snapshot *s, enum query_kind kind, struct stacks **ret);
struct stacks *stacks_free(struct stacks *s);
DEFINE_CLEANUP(struct stacks *, stacks_free)

#endif

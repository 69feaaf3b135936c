/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a question needs of a model and a window, copied out by the thread that owns them, so that
 * a worker can name frames and compute the answer while collection goes on. Self-contained: no
 * pointer into the model remains.
 */
#ifndef SONDE_QUERY_SNAPSHOT_H
#define SONDE_QUERY_SNAPSHOT_H

#include "model/model.h"
#include "model/window.h"
#include "selectors.h"
#include "sonde/base/error.h"

/* Strings that are const belong to snapshot.strings. */
struct snapshot_process {
	uint32_t pid, uid;
	uint32_t ns_pid; /* in its own PID namespace; 0: in the daemon's, or not known */
	const char *comm;
	const char *cgroup, *container; /* "": not known, in none */
	const char *host;		/* the machine's name; "": not known */
};

enum frame_kind { FRAME_USER, FRAME_KERNEL, FRAME_SPAN };

struct snapshot_frame {
	struct model_file file; /* path: replaced by file_path below; all zero when not mapped */
	const char *file_path;	/* "" when there is none */
	const char *category;	/* of a span written in source code; NULL: it has none */
	uint64_t offset;
	char *function; /* owned; NULL until snapshot_name_frames() */
	enum frame_kind kind;
	bool mapped;   /* file and offset are valid: the address lay in a known mapping */
	bool inlined;  /* into the frame below it, which is of the same address */
	bool nameless; /* there is no symbol for it: its function is a substitute */
	uint32_t line; /* in source; 0: not known */
	char *source;  /* owned; NULL: not known */
	/* In snapshot.lines, by level: what a recording says of it. */
	uint32_t first_line, n_lines;
};

/* struct model_line; NULL: not known. */
struct snapshot_line {
	const char *function, *source;
	uint32_t line;
};

struct snapshot_stack {
	uint32_t parent; /* index + 1; 0 for none; always lower than its own index + 1 */
	uint32_t frame;	 /* index */
};

struct snapshot_sample {
	uint32_t process, stack; /* indices */
	const char *thread;
	uint32_t window; /* index; 0 when windows are added up */
	uint64_t count;
	uint64_t ns; /* what they stand for */
};

/* A call path, and its statistics in one process. Parents come first. */
struct snapshot_path {
	uint32_t parent; /* index + 1; 0 for none */
	uint32_t frame;	 /* index: a frame of kind FRAME_SPAN named by its probe */
	const char *spec;
};

struct snapshot_stat {
	uint32_t process, path; /* indices */
	uint32_t window;	/* index; 0 when windows are added up */
	struct span_stat stat;	/* with its own histogram, and the model's ids */
	uint64_t samples; /* of the CPU in these calls and none of those inside; 0: not known */
};

/* Of a snapshot that keeps windows apart. CLOCK_MONOTONIC. */
struct snapshot_window {
	uint64_t start_ns, end_ns;
};

/*
 * Statistics are added up over windows, one row a (process, path). Samples may have several rows
 * of the same (process, thread, stack): every answer adds them up anyway. They are of one kind.
 */
struct snapshot {
	uint64_t period_ns; /* time between two samples of a CPU; 0 when there are none */
	struct snapshot_process *processes;
	size_t n_processes;
	struct snapshot_frame *frames;
	size_t n_frames;
	struct snapshot_stack *stacks;
	size_t n_stacks;
	struct snapshot_sample *samples;
	size_t n_samples;
	struct snapshot_path *paths;
	size_t n_paths;
	struct snapshot_stat *stats;
	size_t n_stats;
	struct snapshot_line *lines;
	size_t n_lines;
	struct snapshot_window *windows; /* NULL: they are added up */
	size_t n_windows;
	char **strings; /* those of the model that were needed, each once */
	size_t n_strings;
};

/* What is copied: a window may hold much that an answer does not show. Samples of one kind only. */
enum snapshot_parts { SNAPSHOT_SPANS = 1, SNAPSHOT_CPU = 2, SNAPSHOT_OFFCPU = 4 };

/*
 * Copies what the selectors (NULL: all) let through. windows: any number, added up (a live session
 * has its total and its open window). Samples without a stack get one "[unknown]" frame.
 * parts: enum snapshot_parts; period_ns: what a CPU sample stands for.
 * -EBADMSG for a row, of these parts, whose ids the model does not have.
 */
int snapshot_take(struct model *m, const struct window *const *windows, size_t n_windows,
		  const struct selectors *selectors, unsigned int parts, uint64_t period_ns,
		  struct snapshot **ret);

/*
 * The same, but rows of different windows stay apart and say which window they are of: for
 * comparisons, which need to know how much a figure varies from one window to the next.
 */
int snapshot_take_apart(struct model *m, const struct window *const *windows, size_t n_windows,
			const struct selectors *selectors, unsigned int parts, uint64_t period_ns,
			struct snapshot **ret);

/* Names one frame: a malloc'd string or NULL when unknown. Called once a frame, by the worker. */
typedef char *(*snapshot_resolve_t)(void *arg, const struct model_file *file, const char *path,
				    uint64_t offset);
/*
 * Gives every frame without a name one: by resolve, else "[libfoo.so+0x1234]", "[kernel]" or
 * "[unknown]". Frames that get the same name in the same file stay separate frames; answers merge
 * them by (name, file).
 */
int snapshot_name_frames(struct snapshot *s, snapshot_resolve_t resolve, void *arg);

/* A way to name frames. */
struct snapshot_names {
	snapshot_resolve_t resolve; /* by their files */
	/* By the name in the file that a recording has: malloc'd, NULL when out of memory. */
	char *(*show)(void *arg, const char *symbol);
	void *arg;
};
/*
 * Gives frames that have a name already, of a recording, another by `better`, but only those whose
 * name is what `plain` says: then it was the file that they were named by. What the file says is
 * in the recording, else it must be still there.
 */
int snapshot_rename_frames(struct snapshot *s, const struct snapshot_names *plain,
			   const struct snapshot_names *better);
/*
 * Calls names->resolve for each frame that snapshot_name_frames() will call it for, and, with
 * named_too, what snapshot_rename_frames() may call of it; drops what they return.
 */
void snapshot_each_unnamed(const struct snapshot *s, bool named_too,
			   const struct snapshot_names *names);

/* How many samples, or calls, it holds. */
uint64_t snapshot_count(const struct snapshot *s, bool samples);
/* Then a process's number alone does not name it. */
bool snapshot_has_several_hosts(const struct snapshot *s);

struct snapshot *snapshot_free(struct snapshot *s);
DEFINE_CLEANUP(struct snapshot *, snapshot_free)

#endif

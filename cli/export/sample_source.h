/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The samples of ExportSamples streams, from batches of columns to one sample after another, as
 * span_source.h has spans. A source takes several answers, one after the other (CPU samples, then
 * waits): what they name is numbered through all of them.
 */
#ifndef SONDE_EXPORT_SAMPLE_SOURCE_H
#define SONDE_EXPORT_SAMPLE_SOURCE_H

#include "sonde/sample_columns.h"
#include "span_source.h"

struct exported_frame {
	char *func, *path; /* path: "[kernel]" of the kernel, "" when it is not known */
	char *file;	   /* in the source; NULL: not known */
	uint32_t line;	   /* 0: not known */
	bool inlined, kernel;
};

/* A stack is a frame below another stack. */
struct exported_stack {
	uint32_t parent; /* 1 + an index, of one before it; 0: it is the outermost frame */
	uint32_t frame;	 /* an index */
};

struct exported_sample {
	uint64_t time_ns; /* since the epoch; of a wait when it began */
	uint64_t ns;	  /* of a wait how long it was, 0 when that is not known */
	uint32_t thread;  /* an index: always in the table */
	uint32_t stack;	  /* 1 + an index; 0: none */
	bool waits;
};

/* Starts as all zero. */
struct sample_source {
	struct span_source names; /* processes and threads of it */
	struct exported_frame *frames;
	struct exported_stack *stacks;
	size_t n_frames, n_stacks, frames_cap, stacks_cap;
	uint64_t n_samples; /* taken so far */
	/* Where the tables of the answer at hand begin. */
	size_t first_process, first_thread, first_frame, first_stack;
	struct strbuf columns[SAMPLE_COLUMNS];
};

/* Before the first reply of each answer. */
void sample_source_begin(struct sample_source *s);
/*
 * Takes a reply and calls each() with its samples; stops when that fails. 0, -errno of each(), or
 * -errno with the error set: what came is not what ExportSamples sends.
 */
int sample_source_take(struct sample_source *s, reply_t *reply,
		       int (*each)(void *arg, const struct exported_sample *sample), void *arg,
		       struct error *e);
void sample_source_release(struct sample_source *s);

/* "libfoo.so", "[kernel]", "". */
const char *exported_frame_binary(const struct exported_frame *f);

#endif

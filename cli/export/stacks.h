/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of ExportStacks as arrays, every index of it checked. Strings are the reply's. */
#ifndef SONDE_EXPORT_STACKS_H
#define SONDE_EXPORT_STACKS_H

#include "../render/flame_tree.h"
#include "../render/session.h"
#include "sonde/base/error.h"

struct stacks_process {
	uint32_t pid, ns_pid;
	const char *comm, *container;
	const char *host; /* NULL: that of the session */
};

struct stacks_frame {
	const char *func, *path, *build_id, *file; /* "": not known, or none */
	uint64_t offset;			   /* in the file, of the kernel the address */
	uint32_t line;				   /* 0: not known */
	bool inlined;
	enum flame_kind kind;
};

/* Of spans: the calls of a path, and their self time. */
struct stacks_sample {
	uint32_t process, stack;
	const char *thread; /* "" of spans */
	uint64_t count, ns;
	reply_t *calls; /* an ExportCalls; NULL of samples */
};

struct stacks {
	enum answer_kind kind;
	uint64_t period_ns; /* between two CPU samples; 0 of others */
	struct stacks_process *processes;
	struct stacks_frame *frames;
	uint32_t *parents, *leaves, *depths; /* of each stack; parents: index + 1; depths from 1 */
	struct stacks_sample *samples;
	size_t n_processes, n_frames, n_stacks, n_samples;
	uint32_t max_depth;
	uint32_t *chain; /* room for max_depth frames */
};

/* 0, -ENOMEM, or -EBADMSG with the error set. */
int stacks_read(reply_t *reply, struct stacks *ret, struct error *e);
void stacks_release(struct stacks *s);

/* The frames of a stack, root first, good until the next call: indices. */
const uint32_t *stacks_chain(const struct stacks *s, uint32_t stack, size_t *ret_n);
/* What `sonde flame` counts: CPU samples, else nanoseconds. */
static inline uint64_t stacks_value(const struct stacks *s, const struct stacks_sample *sample)
{
	return s->kind == ANSWER_CPU ? sample->count : sample->ns;
}
/* "libfoo.so", "[kernel]", "". */
const char *stacks_binary(const struct stacks_frame *f);

#endif

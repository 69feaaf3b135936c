/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several recordings as one: all that they say goes into one model, where processes, frames and
 * stacks that are the same are one; sessions of a name become one session, whose totals are added
 * up. Raw spans stay in the files and are translated when they are asked for. Times of spans are
 * nanoseconds since the epoch, as each recording has a clock of its own.
 */
#ifndef SONDE_CONTROL_MERGED_H
#define SONDE_CONTROL_MERGED_H

#include "control/session.h"

struct merged;
struct translator;

/* One of the recordings. Its reader belongs to one thread at a time. */
struct merged_part {
	const char *path; /* borrowed */
	struct store_reader *reader;
	struct translator *translator; /* of all that is in it: it adds nothing any more */
	/* Of a CPU sample, where the parts differ in frequency; else 0: the session knows. */
	uint64_t period_ns;
};

enum { MERGED_MAX = 64 };

/* Paths are borrowed; the context's model is new. BadArgument when a file is named twice. */
int merged_open(struct session_context *context, const char *const *paths, size_t n,
		struct error *error, struct merged **ret);
struct merged *merged_free(struct merged *m); /* not the sessions that were taken */
DEFINE_CLEANUP(struct merged *, merged_free)

/* The sessions by name, in a list, now the caller's. They need the merged one. */
struct session *merged_take_sessions(struct merged *m);
/* All of them as one: what a question is about that names none. */
struct session *merged_whole(struct merged *m);
const struct merged_part *merged_parts(const struct merged *m, size_t *ret_n);

/* Has a model that was loaded of the part say which host it is of. */
int merged_set_host(const struct merged_part *part, struct model *m);
/* Packed raw spans of a session's parts are numbered, from 0 on. */
size_t merged_chunks(const struct merged_part *const *parts, size_t n);
/* On a worker: hands on those of one number, in the terms of the session's model. */
int merged_chunk(const struct merged_part *const *parts, size_t n, size_t i,
		 int (*each)(void *arg, const struct span_set *set), void *arg,
		 struct error *error);

/* Raw samples likewise: packed ones are numbered, from 0 on; the caller releases *ret. */
size_t merged_sample_chunks(const struct merged_part *const *parts, size_t n);
int merged_samples(const struct merged_part *const *parts, size_t n, size_t i,
		   struct raw_sample_set *ret, struct error *error);

#endif

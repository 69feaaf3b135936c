/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw samples of a session, or its raw waits, as a worker reads them: copied out, or, of a
 * recording, to be read from its file.
 */
#ifndef SONDE_CONTROL_RAW_SAMPLES_H
#define SONDE_CONTROL_RAW_SAMPLES_H

#include "control/methods.h"
#include "query/sample_times.h"
#include "store/raw_sample_chunk.h"

/* Starts as all zero. */
struct raw_samples {
	enum sample_kind kind;
	bool *is_wanted; /* of each process, by the model's id */
	size_t n_processes;
	struct raw_sample_chunk *chunks;
	size_t n_chunks;
	struct raw_sample_set open;	  /* of the window that is still open */
	struct store_reader *reader;	  /* borrowed, of a recording */
	const struct merged_part **parts; /* likewise, of several */
	size_t n_parts;
	uint64_t since_ns, until_ns; /* of samples that are handed on; 0: no such limit */
	uint64_t counted;	     /* as many samples of the kind there were */
	uint64_t n;		     /* of them there are raw, as seen by raw_samples_part() */
};

/*
 * On the main thread. Fails with the error set when the session cannot have any; that it has none
 * all the same shows when they are read.
 */
int raw_samples_take(struct daemon *d, const struct asked *asked, struct raw_samples *ret,
		     struct error *error);
/* On a worker: hands on those of a part that are wanted, about in the order of time. Parts are
 * numbered from 0 on; they can be read more than once. Stops when each() fails, and returns that.
 */
size_t raw_samples_parts(const struct raw_samples *r);
int raw_samples_part(struct raw_samples *r, size_t i,
		     int (*each)(void *arg, const struct raw_sample *sample), void *arg,
		     struct error *error);
/* Those of all parts. */
int raw_samples_each(struct raw_samples *r, int (*each)(void *arg, const struct raw_sample *sample),
		     void *arg, struct error *error);
/* When they were taken, by their number in that order. -E2BIG, without a message: too many. */
int raw_samples_times(struct raw_samples *r, struct sample_times **ret, struct error *error);
void raw_samples_release(struct raw_samples *r);

#endif

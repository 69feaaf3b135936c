/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The samples of a session that were taken in spans that a question is about (the member in of a
 * Query): raw samples and raw spans are brought together by thread and time. Samples stay where
 * they are, only their times are in memory, so they are gone through twice.
 */
#ifndef SONDE_CONTROL_SAMPLES_IN_H
#define SONDE_CONTROL_SAMPLES_IN_H

#include "control/raw_samples.h"
#include "control/raw_spans.h"

struct samples_in;

/*
 * On the main thread. Without asked->in all samples are meant. Fails with the error set when what
 * is asked makes no sense, or the session has no raw samples or spans that could answer it.
 */
int samples_in_take(struct daemon *d, const struct asked *asked, struct samples_in **ret,
		    struct error *error);
struct samples_in *samples_in_free(struct samples_in *s);
DEFINE_CLEANUP(struct samples_in *, samples_in_free)

/* On a worker, once: finds them. */
int samples_in_find(struct samples_in *s, struct error *error);
/* Then: their sums, owned by s. */
const struct window *samples_in_sums(const struct samples_in *s);
/* Then, in order and each once, from 0 on: hands them on part by part. */
size_t samples_in_parts(const struct samples_in *s);
int samples_in_part(struct samples_in *s, size_t i,
		    int (*each)(void *arg, const struct raw_sample *sample), void *arg,
		    struct error *error);

/* Once they are found: raw spans that were asked, if any were. */
void samples_in_add_coverage(const struct samples_in *s, struct coverage *c);
/* What could not be decided and what is not there, as "notes", if there is any. */
void samples_in_write_notes(const struct samples_in *s, struct json_writer *w);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one model has said in the terms of another: ids of the first become ids of the second, which
 * gets what it lacks. Things are the same in both by their content (a file by build-id and path, a
 * frame by file, offset and name, a process by host, boot, pid and start); probes are the session's
 * and never the same. Only what is asked for, and what that needs, gets into the second one.
 */
#ifndef SONDE_MODEL_TRANSLATE_H
#define SONDE_MODEL_TRANSLATE_H

#include "model.h"
#include "window.h"

struct translator;

/* Both are borrowed; `from` must not change as long as the translator is used, but for what
 * translator_catch_up() is told of. */
int translator_new(const struct model *from, struct model *to, struct translator **ret);
struct translator *translator_free(struct translator *t);
DEFINE_CLEANUP(struct translator *, translator_free)

/* Times of CLOCK_MONOTONIC are moved by that much; 0 until it is called. */
void translator_set_shift(struct translator *t, int64_t shift_ns);

/* `from` has got more, or what it has has changed: processes that were asked for, and frames that
 * became others, change in `to` likewise. 0 or -ENOMEM. */
int translator_catch_up(struct translator *t);

/* 0 becomes 0. -EINVAL for an id that `from` does not have, -ENOMEM. */
int translate_process(struct translator *t, uint32_t id, uint32_t *ret);
int translate_stack(struct translator *t, uint32_t id, uint32_t *ret);
int translate_probe(struct translator *t, uint32_t id, uint32_t *ret);
int translate_path(struct translator *t, uint32_t id, uint32_t *ret);

/* All that there is: then `from` is not needed any more, and any thread may ask, as `to` gets no
 * more from it. */
int translate_everything(struct translator *t);
/* All stacks and what they are made of, asked for or not: they get the order that they had. */
int translate_all_stacks(struct translator *t);

/* What a span names beyond its process and path; the rest is left as it is. */
int translate_more(struct translator *t, struct span_more *more);
int translate_sample(struct translator *t, const struct sample_row *row, struct sample_row *ret);
/* Raw spans and what they carry, in place; times are moved as those of processes. */
int translate_spans(struct translator *t, struct raw_span *spans, size_t n, struct more_pool *more);
/* Raw samples, in place; times likewise. */
int translate_raw_samples(struct translator *t, struct raw_sample *samples, size_t n);
/* Adds samples, statistics and losses of src to dst, as window_merge(). */
int translate_window(struct translator *t, const struct window *src, struct window *dst);

#endif

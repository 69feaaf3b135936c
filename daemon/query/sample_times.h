/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When which thread was sampled: finds the samples that were taken during spans. Samples are kept,
 * as there are far fewer of them than of spans, which are handed by. Samples are numbered from 0 on
 * as they are added; n samples and m spans take O((n + m) log n), and 24 bytes a sample.
 */
#ifndef SONDE_QUERY_SAMPLE_TIMES_H
#define SONDE_QUERY_SAMPLE_TIMES_H

#include "model/window.h"

/* Beyond that many sample_times_add() fails. */
enum { SAMPLE_TIMES_MAX = 1 << 24 };

struct sample_times;

int sample_times_new(struct sample_times **ret);
struct sample_times *sample_times_free(struct sample_times *t);
DEFINE_CLEANUP(struct sample_times *, sample_times_free)

/* In any order. 0; -E2BIG: there are SAMPLE_TIMES_MAX; -ENOMEM. */
int sample_times_add(struct sample_times *t, uint32_t process, uint32_t tid, uint64_t time_ns);
/* After the last one, once, and before any span. 0 or -ENOMEM. */
int sample_times_sort(struct sample_times *t);

/* Notes those that the span's thread had from its start on until before its end. */
void sample_times_note(struct sample_times *t, const struct raw_span *span);
bool sample_times_noted(const struct sample_times *t, size_t i);
size_t sample_times_count(const struct sample_times *t);       /* added */
size_t sample_times_count_noted(const struct sample_times *t); /* of these */

/*
 * The other way to go about it: each sample is of the innermost span that it was taken in. Gives
 * those that the span's thread had during it to its path, but for those that a span has which began
 * later; a path of 0 is nobody's, but takes them from others all the same. Takes as long as spans
 * are nested. 0 or -ENOMEM.
 */
int sample_times_claim(struct sample_times *t, const struct raw_span *span);
/* The path that has it, 0 for none. */
uint32_t sample_times_path(const struct sample_times *t, size_t i);

#endif

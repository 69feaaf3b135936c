/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A condition asked of history. Made on the thread that owns the model, of which it copies what it
 * needs; then matched by a worker, which binds it to each function when the first span of it comes.
 */
#ifndef SONDE_CONTROL_CONDITION_H
#define SONDE_CONTROL_CONDITION_H

#include "query/spans.h"
#include "sonde/base/error.h"

struct span_condition;

/*
 * BadCondition when the text is none, or makes sense for no function of the model that has spans.
 * monotonic_to_epoch_ns: for `start`.
 */
int span_condition_new(const char *text, struct model *m, int64_t monotonic_to_epoch_ns,
		       struct span_condition **ret, struct error *error);
struct span_condition *span_condition_free(struct span_condition *c);
DEFINE_CLEANUP(struct span_condition *, span_condition_free)

/* Functions, paths and processes that the model has got since: spans of others never match. */
int span_condition_learn(struct span_condition *c, struct model *m);

/* For spans_filter.match; arg is the condition. False where it has no meaning for the function. */
bool span_condition_match(void *condition, const struct span_row *row);
/*
 * After the last match, once: 0; BadCondition when it had a meaning for none of the functions it
 * was asked about; -ENOMEM.
 */
int span_condition_finish(struct span_condition *c, struct error *error);
/* Then: what of it could not be decided, a sentence each; owned by the condition. */
const char *const *span_condition_notes(const struct span_condition *c, size_t *ret_n);

#endif

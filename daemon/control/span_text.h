/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans as people read them: the call with its arguments, the result, the exception, the stack. Of
 * live spans and of history alike: answer_span() writes them when its options have a span_texts.
 * Caches the decoded signature of each probe and the name of each frame, by the model's ids, so
 * there is one for a model; it belongs to the thread that owns the model.
 */
#ifndef SONDE_CONTROL_SPAN_TEXT_H
#define SONDE_CONTROL_SPAN_TEXT_H

#include "query/snapshot.h"
#include "query/spans.h"
#include "sonde/base/json.h"

struct signature;
struct span_texts;

int span_texts_new(struct model *m, struct span_texts **ret);
struct span_texts *span_texts_free(struct span_texts *t);
DEFINE_CLEANUP(struct span_texts *, span_texts_free)

/*
 * The frames of these rows' stacks that have no name yet; NULL when there are none. A worker names
 * them, then they are learnt; until then they stand as they are in their file.
 */
struct unnamed_frames;
struct symbolizer;
int span_texts_unnamed(struct span_texts *t, const struct span_row *rows, size_t n,
		       struct unnamed_frames **ret);
/* Before they are resolved by that symbolizer: demangles their names by one question. */
void unnamed_frames_prepare(const struct unnamed_frames *u, struct symbolizer *symbolizer);
int unnamed_frames_resolve(struct unnamed_frames *u, snapshot_resolve_t resolve, void *arg);
int span_texts_learn(struct span_texts *t, const struct unnamed_frames *u);
struct unnamed_frames *unnamed_frames_free(struct unnamed_frames *u);
DEFINE_CLEANUP(struct unnamed_frames *, unnamed_frames_free)

/* What is known of the arguments of a path's function; NULL: nothing. */
const struct signature *span_texts_signature(struct span_texts *t, uint32_t path);
/* The members "call", "result", "offcpu_ns", "exception" and "stack" of a Span: those it has. */
void span_texts_write(struct span_texts *t, struct json_writer *w, const struct span_row *row);
/* Whether it is a span written in source code, whose attributes are always shown. */
bool span_texts_has_attributes(struct span_texts *t, const struct span_row *row);
/* The members of its "args": by name, else arg0 … arg5. */
void span_texts_write_args(struct span_texts *t, struct json_writer *w, const struct span_row *row);

/* The same by a signature that is at hand, on any thread; signature NULL: not known. */
void span_write_args(const struct signature *signature, struct json_writer *w,
		     const struct raw_span *span, const struct span_more *more);
/* As people read it; signature is not NULL. */
void span_write_result(const struct signature *signature, struct strbuf *out,
		       const struct raw_span *span, const struct span_more *more);

#endif

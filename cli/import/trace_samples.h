/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The samples and waits of a trace, as sonde writes them: instants of the category "cpu", complete
 * events (or instants) of the category "offcpu", both with a stack, a node of "stackFrames". As
 * that may come behind them they are kept, in order of time, until all is known.
 */
#ifndef SONDE_CLI_IMPORT_TRACE_SAMPLES_H
#define SONDE_CLI_IMPORT_TRACE_SAMPLES_H

#include "json_events.h"
#include "sink.h"

struct import_trace_samples;

/* The sink is borrowed. NULL: out of memory. */
struct import_trace_samples *import_trace_samples_new(struct import_sink *sink);
struct import_trace_samples *import_trace_samples_free(struct import_trace_samples *t);
DEFINE_CLEANUP(struct import_trace_samples *, import_trace_samples_free)

/* 1 when the event is a sample, whose place and time the span has; 0 when it is none; -errno. */
int import_trace_samples_add(struct import_trace_samples *t,
			     const struct import_value v[IMPORT_FIELDS],
			     const struct import_span *span, struct error *error);
/* What a thread is called: 0, -ENOMEM. */
int import_trace_samples_name(struct import_trace_samples *t, uint32_t pid, uint32_t tid,
			      const char *name);
/* A node of "stackFrames": an import_frame_t. */
int import_trace_samples_frame(void *arg, const char *id,
			       const struct import_value v[IMPORT_FIELDS]);
/* Hands all on. The sink's epoch is known by then. */
int import_trace_samples_finish(struct import_trace_samples *t, struct error *error);

#endif

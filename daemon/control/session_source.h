/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside session: spans written in source code (sonde/span.h). Batches of threads become spans of
 * the session: in nanoseconds, with their place in the call tree, their own time and their
 * attributes, and counted where some are missing.
 */
#ifndef SONDE_CONTROL_SESSION_SOURCE_H
#define SONDE_CONTROL_SESSION_SOURCE_H

#include "control/source_tree.h"

/* Whether one of the specifications asks for such spans. */
bool session_wants_sources(const struct session *s);
/* Refuses options that have no meaning for them; sets s->sources. */
int session_sources_start(struct session *s, struct error *error);
struct session_sources *session_sources_free(struct session_sources *s);

/* Reads what idle threads keep in their memory: once a period of flushing, or all: the last time.
 */
void session_sources_drain(struct session *s, bool all);
/* Before the session's probes go: which calls are around what is there. */
void session_sources_look(struct session *s);
/* A process has ended: what is known of its threads goes. */
void session_sources_exited(struct session *s, uint32_t pid);
/* The kernel side says what a call path is. */
void session_sources_path(struct session *s, const struct record_path *r);
uint32_t session_sources_call_path(struct session *s, uint64_t path);
/* A call that has spans inside, which come in the next batch. */
void session_sources_around(struct session *s, const struct record_around *r);
/* A call has come: its time is none of the own time of the span that it is in. */
void session_sources_arrived(struct session *s, const struct record_span *r);
/* Whether what is around it or inside it is still to come. */
bool session_sources_waits(struct session *s, const struct record_span *r);
/* It is kept now: its depth is below that span, and spans inside are not its own time. */
void session_sources_called(struct session *s, const struct record_span *r, struct raw_span *span);
/* Batches that have not come since it was last asked: but for those that the kernel side has
 * counted by their spans, as the ring was full. */
uint64_t session_sources_missed(struct session *s, bool ring_was_full);
int session_sources_set_where(struct session *s, const char *where, struct error *error);

#endif

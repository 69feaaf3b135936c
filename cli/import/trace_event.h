/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of the Trace Event Format, which Chrome made and many write: complete ones, beginnings and
 * ends, instants, values of counters, names of processes and threads, samples. DFTracer's files are
 * made of them, too.
 */
#ifndef SONDE_CLI_IMPORT_TRACE_EVENT_H
#define SONDE_CLI_IMPORT_TRACE_EVENT_H

#include "json_events.h"
#include "sink.h"

struct import_events;

/* The sink is borrowed. NULL: out of memory. */
struct import_events *import_events_new(struct import_sink *sink, struct error *error);
struct import_events *import_events_free(struct import_events *t);
DEFINE_CLEANUP(struct import_events *, import_events_free)

/* An import_event_t. arg: a struct import_events. */
int import_events_add(void *arg, const struct import_value values[IMPORT_FIELDS],
		      const struct import_series *series);
/* An import_frame_t, likewise. */
int import_events_frame(void *arg, const char *id, const struct import_value values[IMPORT_FIELDS]);
/* After the last one, with the sink's epoch: hands on what could not be said before. */
int import_events_finish(struct import_events *t);

/* The number of an event's process or thread; of one that has none that fits, one that is made up.
 * -ENOMEM. */
int import_events_pid(struct import_events *t, const struct import_value *v, uint32_t *ret);

#endif

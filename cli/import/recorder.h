/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink of an import: numbers what parsers name, puts spans in order, and sends all of it in
 * batches. How they are sent is the caller's business.
 */
#ifndef SONDE_CLI_IMPORT_RECORDER_H
#define SONDE_CLI_IMPORT_RECORDER_H

#include "sink.h"

struct import_recorder;

enum import_kinds {
	IMPORT_SPANS = 1 << 0,
	IMPORT_CPU = 1 << 1,
	IMPORT_WAITS = 1 << 2,
};

struct import_begin {
	unsigned int kinds; /* enum import_kinds */
	uint64_t frequency; /* of CPU samples; 0: not known */
	uint64_t started_us;
};

struct import_recorder_ops {
	/* Once, before the first batch. */
	int (*begin)(void *arg, const struct import_begin *begin);
	/* params: JSON, of ImportBatch. */
	int (*send)(void *arg, const char *params);
	void *arg;
};

/* now_us: when samples without a time were taken. error: for what the recorder itself cannot do.
 * NULL: out of memory. */
struct import_recorder *import_recorder_new(const struct import_recorder_ops *ops, uint64_t now_us,
					    struct error *error);
struct import_recorder *import_recorder_free(struct import_recorder *r);
DEFINE_CLEANUP(struct import_recorder *, import_recorder_free)

struct import_sink *import_recorder_sink(struct import_recorder *r);
/* After the parser: sends what is left. *ret_ended_us: the last time of all; 0: nothing was sent.
 */
int import_recorder_finish(struct import_recorder *r, uint64_t *ret_ended_us);

#endif

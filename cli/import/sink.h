/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a parser of a foreign file says, whatever its format: processes, threads, spans and samples
 * as they come, in any order, and how many of what it had to leave out. Texts are borrowed for the
 * call and may be of any bytes but NUL; functions return 0 or -errno, which ends the parser.
 */
#ifndef SONDE_CLI_IMPORT_SINK_H
#define SONDE_CLI_IMPORT_SINK_H

#include "sonde/base/error.h"

enum import_note {
#define NOTE(name, singular, plural) NOTE_##name,
#include "notes.def"
#undef NOTE
	IMPORT_NOTES,
};

/* Times that a recording can hold: microseconds since the epoch, on either side of it. */
#define IMPORT_MAX_US	((int64_t)1 << 51)
#define IMPORT_MAX_SPAN ((uint64_t)1 << 53) /* nanoseconds, about 104 days */

/* As flags of ImportSpans. */
enum import_span_flags {
	IMPORT_ERROR = 1 << 0,
	IMPORT_INSTANT = 1 << 1,
	IMPORT_UNWOUND = 1 << 2,
	IMPORT_COUNTER = 1 << 3, /* an instant that is the value of a counter */
};

struct import_span {
	int64_t start_ns;
	uint64_t duration_ns;
	uint64_t lane; /* spans of a lane nest by time; those of other lanes have nothing to do with
			  them */
	uint32_t pid, tid;
	const char *name, *category; /* category: NULL for none */
	const char *binary;	     /* NULL: the category says what it belongs to */
	uint32_t flags;
	double value; /* of a counter */
};

struct import_frame {
	const char *name, *binary; /* binary: NULL when it is not known */
	const char *build_id;	   /* hexadecimal; NULL for none */
	uint64_t offset;	   /* in the file, with a build-id only */
	bool kernel;
};

struct import_sample {
	bool has_time, waits;
	int64_t time_us;
	uint32_t pid, tid;
	const char *comm, *thread; /* comm NULL: what process() has said; thread NULL: not known */
	uint64_t count, total_ns;  /* total_ns: of waits */
};

struct import_sink {
	void *arg;
	int (*process)(void *arg, uint32_t pid, const char *name);
	int (*span)(void *arg, const struct import_span *span);
	/* Frames come innermost first. */
	int (*sample)(void *arg, const struct import_sample *sample,
		      const struct import_frame *frames, size_t n);
	uint64_t period_ns; /* that a CPU sample stands for; 0: not known. Before the first one. */
	/* What other kinds than that of the first sample there are; spans, as many as have come by
	 * then. Before the first one. */
	bool cpu_too, waits_too;
	int64_t epoch_us; /* when times of spans are 0; 0: they are since the epoch. At the end. */
	uint64_t notes[IMPORT_NOTES];
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two kinds of lines that a sample has in the output of perf script. */
#ifndef SONDE_CLI_IMPORT_PERF_HEADER_H
#define SONDE_CLI_IMPORT_PERF_HEADER_H

#include "sonde/base/util.h"

/* "perf 4711/4712 [001] 12.345678:  250000 cpu-clock:pppH:  …" Texts point into the line. */
struct perf_header {
	const char *comm;
	uint32_t pid, tid; /* the same when only one is there */
	bool has_time;
	int64_t time_us;
	uint64_t period; /* 0: not there */
	const char *event;
	char *rest; /* what is behind the event: a frame, when samples have no stacks */
};

/* "  7f12 main+0x12 (/bin/app)" */
struct perf_frame {
	uint64_t address;
	const char *symbol, *binary; /* binary: NULL for none */
};

/* These change the line. false: it is none. */
bool perf_header_parse(char *line, struct perf_header *ret);
bool perf_frame_parse(char *line, struct perf_frame *ret);

#endif

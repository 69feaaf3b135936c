/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the halves of the recorder share: samples in recorder.c, spans in recorder_spans.c. */
#ifndef SONDE_CLI_IMPORT_RECORDER_PRIVATE_H
#define SONDE_CLI_IMPORT_RECORDER_PRIVATE_H

#include "batch.h"
#include "intern.h"
#include "nest.h"
#include "recorder.h"
#include "sorter.h"

/* Names, 0 for none. Without a binary the category says what a span belongs to. */
struct import_span_kind {
	uint32_t category, binary;
};

/* Names of spans are kept until all are in order: what comes with one of these is numbered then. */
struct import_recorder {
	struct import_recorder_ops ops;
	struct import_sink sink;
	struct error *error;
	struct import_batch batch;
	bool begun;
	unsigned int kinds;
	uint64_t now_us;
	int64_t last_us, ended_us; /* of the rows before; the highest */
	bool timed;		   /* samples have times */
	struct import_strings strings;
	struct strbuf clean; /* a text that had to be changed */
	struct import_keys processes, threads, files, frames, stacks, probes, paths;

	struct import_sorter *spans;
	uint64_t n_spans;
	struct import_strings names; /* of spans and processes, not yet sent */
	struct import_keys belongs;  /* what spans belong to: category and binary, of names */
	struct table comms;	     /* by pid, of processes that have a name: one of names */
	int64_t first_ns;	     /* the least start of spans */
	int64_t shift_ns;
};

int recorder_begin(struct import_recorder *r, const struct import_begin *begin);
/* Sends the batch when it is large enough, or at once. */
int recorder_send(struct import_recorder *r, bool now);

/* Numbers, sent with the batch when they are new. 0: out of memory. */
uint32_t recorder_string(struct import_recorder *r, const char *text);
uint32_t recorder_thread(struct import_recorder *r, uint32_t pid, uint32_t tid, const char *comm,
			 const char *thread);
uint32_t recorder_file(struct import_recorder *r, const char *path, const char *build_id);

/* What a process is called; NULL: it has no name. */
const char *recorder_comm(const struct import_recorder *r, uint32_t pid);
int recorder_note_process(void *arg, uint32_t pid, const char *name);
int recorder_keep_span(void *arg, const struct import_span *span);
/* Sends all spans. */
int recorder_send_spans(struct import_recorder *r);

#endif

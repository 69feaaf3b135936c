/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch of spans written in source code (include/sonde/span/abi.h), taken apart. It comes out of
 * a program's memory, which may hold anything: every size, count and offset is checked here, and
 * times are nanoseconds of CLOCK_MONOTONIC when they leave. Pure functions from bytes; nothing is
 * copied, so the bytes must stay while what was read from them is used.
 */
#ifndef SONDE_MODEL_SOURCE_BATCH_H
#define SONDE_MODEL_SOURCE_BATCH_H

#define SONDE_SPAN_ABI_ONLY
#include "sonde/base/util.h"
#include "sonde/span.h"

struct source_field {
	uint64_t key;
	enum sonde_field_type type;
	uint64_t value;	  /* of all but texts: its bits */
	const char *text; /* of texts: len bytes, which may be anything */
	size_t len;
};

/* One record. What is not of its kind is zero. */
struct source_item {
	enum sonde_record_kind kind;
	uint16_t flags; /* enum sonde_record_flags */
	uint16_t
		depth; /* spans of the object open around it, those that are not recorded as well */
	uint64_t site, path;
	uint64_t start_ns, duration_ns; /* of events, start_ns alone */
	int64_t error_code;
	bool has_trace;
	struct sonde_trace trace;
	uint64_t value; /* of struct sonde_record_event */
	/* Of SITE and KEY: id, and texts that may be anything. */
	uint64_t id;
	const char *category, *name;
	size_t category_len, name_len;
	size_t n_fields;
	struct source_field fields[SONDE_MAX_FIELDS]; /* n_fields of them; the rest is not set */
};

/* A line through two readings of the clocks. */
struct source_line_of_time {
	struct sonde_anchor from;
	double rate; /* nanoseconds a tick; 0: not known */
};

struct source_batch {
	struct sonde_batch head;
	uint64_t dropped;			   /* of all kinds */
	struct source_line_of_time inside, before; /* the batch's beginning */
	const uint8_t *data;
	size_t size, pos;
};

/*
 * size: all there is; head.bytes may say less, and in a block says nothing. now: for batches that
 * have not left, which have no end: the clocks as they are now, or zeros. -EBADMSG: it is none.
 */
int source_batch_open(const void *data, size_t size, const struct sonde_anchor *now,
		      struct source_batch *ret);
/*
 * Goes on at that offset instead of at the first record: for bytes that have been read before.
 * Where no record begins there the next one makes no sense.
 */
void source_batch_seek(struct source_batch *b, size_t offset);
/* The next record that is known: 1; 0 at the end; -EBADMSG, and nothing behind that can be read. */
int source_batch_next(struct source_batch *b, struct source_item *ret);
/* A time in ticks of this batch; it saturates. */
uint64_t source_batch_ns(const struct source_batch *b, uint64_t ticks);
/* The path that is around the one that sonde_path() has made with that site. */
uint64_t source_parent_path(uint64_t path, uint64_t site);

#endif

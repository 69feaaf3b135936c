/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans as they travel from the daemon to exporters: batches, column by column, each number a
 * varint (base/varint.h). io.sonde.varlink says the same to other clients: SpanColumns.
 */
#ifndef SONDE_SPAN_COLUMNS_H
#define SONDE_SPAN_COLUMNS_H

enum span_column {
#define COLUMN(id, name) SPAN_COLUMN_##id,
#include "sonde/span_columns.def"
#undef COLUMN
	SPAN_COLUMNS,
};

/* What the column of flags says, whatever the records of the kernel have for it. */
enum exported_flags {
	EXPORTED_UNWOUND = 1 << 0, /* ended by an exception, a longjmp or the thread's end */
	EXPORTED_ERROR = 1 << 1,
	EXPORTED_TAIL = 1 << 2, /* ended by a jump to another function */
	EXPORTED_KERNEL = 1 << 3,
	EXPORTED_INSTANT = 1 << 4, /* a static probe was passed: no duration, no result */
	EXPORTED_COUNTER = 1 << 5, /* an instant that is the value of a counter, and no call */
	EXPORTED_ASYNC = 1 << 6,   /* no scope: begun and ended by hand, maybe on another thread */
};

#endif

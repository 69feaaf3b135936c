/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durations of calls as a small bar chart: a character for each step of the histogram that a row of
 * report or graph has (io.sonde.varlink: Histogram), or for some of them. All rows of a table share
 * an axis, so that they can be compared; the highest bar of each row is full.
 */
#ifndef SONDE_RENDER_SPARK_H
#define SONDE_RENDER_SPARK_H

#include "grid.h"
#include "sonde/base/format.h"

enum { SPARK_WIDTH = 16 };

/* Starts as zero: no row has a histogram. */
struct spark_axis {
	uint32_t first, end; /* steps */
};

/* From the lowest to the highest of the rows in an array member. */
struct spark_axis spark_axis_of(reply_t *reply, const char *key);
/* "1.02 us~67.1 ms"; NULL when there is none. */
const char *spark_title(const struct spark_axis *axis, char buf[static 2 * FORMAT_MAX]);
/* Appends the bars of a row: nothing where it has none. plain: in ASCII. */
void spark_append(struct strbuf *out, const struct spark_axis *axis, reply_t *row, bool plain);
/* The same as a cell of a table. */
void grid_spark(struct grid *g, struct output *o, const struct spark_axis *axis, reply_t *row);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparisons and gates as JSON, in the shapes of io.sonde.varlink; as answer.h. */
#ifndef SONDE_CONTROL_ANSWER_DIFF_H
#define SONDE_CONTROL_ANSWER_DIFF_H

#include "query/gate.h"
#include "sonde/base/json.h"

/* "rows" and "total_rows"; limit 0: all. */
void answer_diff_rows(struct json_writer *w, const struct comparison *c, size_t limit);
/* The members seconds, blocks, calls, samples and total_ns of a side. */
void answer_diff_side(struct json_writer *w, const struct comparison *c, size_t side);
/* An element of "gates". */
void answer_gate(struct json_writer *w, const struct gate *g, const struct gate_result *r);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What parts of a store have raw: packed rows become sets of the part, in the terms of its model.
 */
#ifndef SONDE_STORE_HISTORY_LOAD_RAW_H
#define SONDE_STORE_HISTORY_LOAD_RAW_H

#include "slice.h"

/* row: id, data. shift_ns makes its times those of the part. */
int history_add_raw_spans(struct slice *s, struct history_part *p, sqlite3_stmt *row,
			  int64_t shift_ns);
/* The same; CPU samples get their total_ns, as rows of samples do, unless frequency is 0. */
int history_add_raw_samples(struct slice *s, struct history_part *p, enum sample_kind kind,
			    sqlite3_stmt *row, int64_t shift_ns, uint32_t frequency);
/* Releases the sets; their arrays stay. */
void history_drop_raw(struct history_part *p);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recording says of places in the source, for another one that is made of it. */
#ifndef SONDE_CONTROL_RECORDED_LINES_H
#define SONDE_CONTROL_RECORDED_LINES_H

#include "store/store.h"

struct recorded_lines;

/* The model is borrowed, and must not change: it is read from any thread. */
int recorded_lines_new(const struct model *m, struct recorded_lines **ret);
struct recorded_lines *recorded_lines_free(struct recorded_lines *l);
DEFINE_CLEANUP(struct recorded_lines *, recorded_lines_free)

/* Of frames that have their names. Good as long as l is. */
void recorded_lines_names(struct recorded_lines *l, struct store_names *ret);

#endif

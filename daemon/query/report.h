/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reports of different origins share. */
#ifndef SONDE_QUERY_REPORT_H
#define SONDE_QUERY_REPORT_H

#include "query.h"

/* Largest first, ties by total, samples and name; then all but the first `limit` rows go (0: none).
 */
void report_sort_rows(struct report *report, enum report_sort sort, size_t limit);

#endif

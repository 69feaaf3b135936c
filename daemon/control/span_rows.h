/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A raw span with what the model says of its process and function: for those that are sent or
 * asked as they end. */
#ifndef SONDE_CONTROL_SPAN_ROWS_H
#define SONDE_CONTROL_SPAN_ROWS_H

#include "query/spans.h"

/* False: the model does not have its process or path. Texts are the model's. */
bool span_row_of(const struct model *m, const struct raw_span *span, const struct span_more *more,
		 struct span_row *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the formats of answers (json, csv, md) share: the columns of report, graph and spans. */
#ifndef SONDE_EXPORT_ANSWER_H
#define SONDE_EXPORT_ANSWER_H

#include "export.h"

enum column_kind { COLUMN_TEXT, COLUMN_COUNT, COLUMN_NS };

struct answer_column {
	const char *name; /* as the member of a row */
	enum column_kind kind;
};

/* Of rows of Report or Graph, by what they have. The column of the name is called as it is grouped
 * by: answer_title(). */
const struct answer_column *answer_columns(reply_t *reply, size_t *ret_n);
const char *answer_title(const struct options *o, const struct answer_column *c);
/* Of raw spans, and the text of each column, good until the next call. */
const struct answer_column *answer_span_columns(size_t *ret_n);

/* A span's cells, in the order of the columns, handed to put(). */
void answer_span_cells(const struct span_source *source, const struct exported_span *span,
		       void (*put)(void *arg, size_t i, const char *text), void *arg);

/* "error unwound": what flags say, with a separator. */
void answer_flags(struct strbuf *out, uint32_t flags, const char *separator);

#endif

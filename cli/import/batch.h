/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch of an import in the making: the parameters of ImportBatch, column by column. */
#ifndef SONDE_CLI_IMPORT_BATCH_H
#define SONDE_CLI_IMPORT_BATCH_H

#include "sonde/base/strbuf.h"

enum import_column_id {
#define TABLE(name)
#define COLUMN(table, name, optional) COLUMN_##table##_##name,
#include "columns.def"
#undef TABLE
#undef COLUMN
	IMPORT_COLUMNS,
};

/* Starts as all zero. */
struct import_batch {
	struct strbuf strings;
	struct {
		struct strbuf text; /* numbers with commas between them */
		bool any;	    /* one is not 0 */
	} columns[IMPORT_COLUMNS];
	size_t size; /* roughly, of what import_batch_write() writes */
};

/* A batch of that size is to be sent: what can come on top fits into a call. */
enum { IMPORT_BATCH_SIZE = 512 * 1024, IMPORT_TEXT_MAX = 16384 };

/* text: at most IMPORT_TEXT_MAX bytes. */
void import_batch_string(struct import_batch *b, const char *text, size_t len);
void import_batch_add(struct import_batch *b, enum import_column_id column, int64_t value);
/* The parameters as JSON. 0 or -ENOMEM, also of what was added. */
int import_batch_write(const struct import_batch *b, struct strbuf *out);
void import_batch_clear(struct import_batch *b);
void import_batch_release(struct import_batch *b);

#endif

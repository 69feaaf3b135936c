/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What creating, writing and closing a file share. */
#ifndef SONDE_STORE_WRITER_H
#define SONDE_STORE_WRITER_H

#include "batch.h"
#include "line_writer.h"
#include "model/strings.h"
#include "schema.h"

enum statement {
	INSERT_STRING,
	INSERT_FILE,
	INSERT_PROCESS,
	INSERT_EVENT,
	INSERT_SYMBOL,
	INSERT_FRAME,
	UPDATE_FRAME,
	INSERT_LINE,
	DELETE_LINES,
	INSERT_STACK,
	INSERT_PROBE,
	INSERT_PATH,
	INSERT_WINDOW,
	INSERT_SAMPLES,
	INSERT_SPAN_STAT,
	INSERT_SPAN_CHUNK,
	INSERT_LOSS,
	STATEMENTS,
};

struct store_writer {
	sqlite3 *db;
	char *path;    /* absolute: what the file is called in the end */
	char *written; /* absolute: what is written, path or path.new */
	sqlite3_stmt *statements[STATEMENTS];
	struct store_marks have;  /* what was committed */
	uint32_t symbols_written; /* of symbols, committed */
	struct strings symbols;	  /* names of functions; ids are those of the table symbol */
	struct batch_file *files; /* by id; [0] is unused */
	size_t files_cap;
	struct line_writer lines;
	struct table process_rows; /* process id to the hash of its row in the file */
	uint64_t n_windows;
};

#endif

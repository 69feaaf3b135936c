/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What another tool has measured, on its way to a recording. A client has parsed it and sends
 * columns of numbers; every one of them is checked here before it becomes a part of the model.
 * Rows are gathered in windows, as those of a session are.
 */
#ifndef SONDE_CONTROL_IMPORT_H
#define SONDE_CONTROL_IMPORT_H

#include "model/model.h"
#include "model/window.h"
#include "sonde/base/error.h"
#include "store/store.h"

struct cJSON;

enum { IMPORT_MAX_THINGS = 1 << 24 };

struct import;

/* row is borrowed for the call. The file gets its name when it is complete. */
int import_new(const char *path, const struct store_session *row, struct error *error,
	       struct import **ret);
/* What has not been completed is removed. */
struct import *import_free(struct import *i);
DEFINE_CLEANUP(struct import *, import_free)

/*
 * Takes a batch: the parameters of ImportBatch. BadArgument names what is wrong with it; the import
 * is then over. True in *ret_due: there are windows to be written before the next batch.
 */
int import_take(struct import *i, const struct cJSON *params, bool *ret_due, struct error *error);
/* Closes the last window, to be written too. */
int import_roll(struct import *i);
/* Writes what import_take() and import_roll() have left: on any thread, while nothing else is done
 * with the import. */
int import_write(struct import *i, struct error *error);

struct import_totals {
	uint64_t windows, samples, spans, bytes;
};
/* Completes the file: import_write() must have written the last window. */
int import_complete(struct import *i, uint64_t ended_us, struct error *error,
		    struct import_totals *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that start with the daemon: files NAME.conf of a directory, each a section [session]
 * whose keys are the long options of `sonde attach`, and spec, which like inside, capture and
 * redact may be given more than once. A file counts only when nobody but its owner, who is root or
 * the daemon's user, can write to it.
 */
#ifndef SONDE_CONTROL_SESSION_FILE_H
#define SONDE_CONTROL_SESSION_FILE_H

#include "control/session.h"

struct cJSON;

/* BadFile with "PATH:LINE: …", or what is wrong with the options. The caller releases *ret. */
int session_file_read(const char *path, struct session_options *ret, struct error *error);
/* The same of an open file, whoever it belongs to; path is for messages. */
int session_file_parse(FILE *f, const char *path, struct session_options *ret, struct error *error);
/* Calls back for each file in the order of their names; error says why it could not be read. */
void session_files_each(const char *dir,
			void (*each)(void *arg, const char *path, struct session_options *o,
				     struct error *error),
			void *arg);
/*
 * Writes dir/NAME.conf for SessionOptions as they came over the wire; an existing file is
 * replaced. BadArgument for options that only make sense for running processes.
 */
int session_file_write(const char *dir, const struct cJSON *options, struct error *error);
/* Removes it; 0, or -ENOENT. */
int session_file_remove(const char *dir, const char *name);

#endif

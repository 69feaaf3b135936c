/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of a recording and what writer and reader share about SQLite: opening, one place that
 * turns its result codes into errors, and the rule by which a file is known as ours.
 */
#ifndef SONDE_STORE_SCHEMA_H
#define SONDE_STORE_SCHEMA_H

#include <sqlite3.h>

#include "sonde/base/error.h"

/* No time, duration or count of a row is larger; the writer cuts what is, the reader refuses it. */
#define STORE_MAX_NUMBER (1ULL << 62)

/* Makes the tables of that version in a new database; false: the code is in db. */
bool schema_create(sqlite3 *db, int version);
/* Those of them that version `since` did not have, or had otherwise: these are gone by then. */
bool schema_create_since(sqlite3 *db, int since, int version);

struct store_session;
/* A row of `session` (id 0: the next), with its specifications; false: the code is in db. */
bool schema_insert_session(sqlite3 *db, int64_t id, const struct store_session *s, int64_t *ret);

/* -errno of a failed call on db, from its code and the system's error. */
int schema_errno(sqlite3 *db);
/* Sets WriteFailed and returns -errno (-ENOSPC when the disk is full). */
int schema_write_error(sqlite3 *db, const char *path, struct error *error);
/*
 * Whether the file's file system is read-only. Some turn so without a flag that could be asked for,
 * and SQLite does not keep what a write to its log failed with: an unnamed file beside it is tried.
 */
bool schema_is_read_only(const char *path);
/* Sets WriteFailed and returns -EROFS. */
int schema_read_only_error(const char *path, struct error *error);
/* Sets BadFile (or the system's error) for a failed read and returns -errno. */
int schema_read_error(sqlite3 *db, const char *path, struct error *error);

void schema_closep(sqlite3 **db);
void schema_finalizep(sqlite3_stmt **stmt);

/* The number a one-column query answers. 0, or -EBADMSG with the code in db. */
int schema_number(sqlite3 *db, const char *sql, int64_t *ret);

/*
 * Opens a file that others may have made, read-only: limits are set, nothing of its schema is
 * trusted. A file whose writer was killed in a directory that cannot be written to is copied to a
 * private directory first, named in *ret_copy (else NULL): the caller removes it by
 * schema_remove_copy(). Its contents are not checked yet.
 */
int schema_open_reader(const char *path, struct error *error, sqlite3 **ret, char **ret_copy);
void schema_remove_copy(const char *dir);
/*
 * SQLite walks what a damaged file's pages say, which may be in circles: from now on what is run on
 * db is interrupted after as many steps as a good file of its size can need. left is borrowed.
 */
void schema_limit_steps(sqlite3 *db, uint64_t *left);
/* That the file is a recording and its tables are those of its version, which is returned. */
int schema_check(sqlite3 *db, const char *path, struct error *error);
/* That no bytes are missing at the end: SQLite takes what is missing of the last page for zeros. */
int schema_check_length(sqlite3 *db, const char *path, struct error *error);
/* Whether the file at an absolute path says that it is a recording; nothing is locked or recovered.
 */
bool schema_is_recording(const char *path);

#endif

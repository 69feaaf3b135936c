/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "schema.h"

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

void schema_closep(sqlite3 **db)
{
	sqlite3_close(*db);
}

void schema_finalizep(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

int schema_errno(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db), system = sqlite3_system_errno(db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR:
		/* Growing the -shm file fails without an error number when the disk is full. */
		return system ? -system : code == SQLITE_IOERR_SHMSIZE ? -ENOSPC : -EIO;
	case SQLITE_CANTOPEN:
		return system ? -system : -ENOENT;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	default:
		return -EBADMSG;
	}
}

/* The file itself is not tried: to close it would drop SQLite's locks on it. */
bool schema_is_read_only(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	_cleanup_(closep) int fd = -1;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 && errno == EROFS;
}

int schema_read_only_error(const char *path, struct error *error)
{
	error_set(error, EROFS, "WriteFailed", "cannot write %s: its file system is read-only",
		  path);
	error_fix(error,
		  "Look for errors of the disk in the kernel's log, and mount it to be written; "
		  "what was written before can be read.");
	return -EROFS;
}

int schema_write_error(sqlite3 *db, const char *path, struct error *error)
{
	int r = schema_errno(db);

	if ((r == -EIO || r == -EACCES || r == -ENOENT) && schema_is_read_only(path))
		return schema_read_only_error(path, error);
	if (r == -ENOSPC || r == -EDQUOT) {
		error_set(error, -r, "WriteFailed", "cannot write %s: the disk is full", path);
		error_fix(error, "Free space or record to another disk; what was written before is "
				 "complete and can be read.");
	} else if (r == -EBUSY) {
		error_set(error, -r, "WriteFailed",
			  "cannot write %s: another program has locked it", path);
		error_fix(error, "Wait until that program has ended, or end it.");
	} else {
		error_set(error, -r, "WriteFailed", "cannot write %s: %s", path,
			  r == -EBADMSG ? sqlite3_errmsg(db) : strerror(-r));
		error_fix(error,
			  "Check the disk and the file's permissions, or choose another file.");
	}
	return r;
}

int schema_read_error(sqlite3 *db, const char *path, struct error *error)
{
	int r = schema_errno(db), code = sqlite3_extended_errcode(db) & 0xff;

	if (code == SQLITE_NOTADB) {
		error_set(error, -r, "BadFile", "%s is not a sonde recording", path);
		error_fix(error, "Give a file that 'sonde record -o FILE' has written.");
	} else if (r == -EBADMSG || code == SQLITE_IOERR) {
		error_set(error, -r, "BadFile", "%s is damaged or cut off: %s", path,
			  code == SQLITE_INTERRUPT ? "its tables have no end" : sqlite3_errmsg(db));
		error_fix(error, "Copy it again from where it was recorded, or record again.");
	} else if (code == SQLITE_BUSY) {
		error_set(error, -r, "BadFile", "%s is locked by another program", path);
		error_fix(error, "Wait until that program has closed it.");
	} else {
		error_set(error, -r, "NoSuchFile", "cannot read %s: %s", path, strerror(-r));
		error_fix(error, "Check the file's permissions.");
	}
	return r;
}

int schema_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		return -EBADMSG;
	*ret = sqlite3_column_int64(stmt, 0);
	return 0;
}

/* The text by which the file created a table of that name, or NULL. Views are not tables. */
static const char *table_text(sqlite3_stmt *stmt, const char *name)
{
	sqlite3_reset(stmt);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT);
	return sqlite3_step(stmt) == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
}

static int check_tables(sqlite3 *db, int version, const char *path, struct error *error)
{
	static const char find[] = "SELECT sql FROM sqlite_schema WHERE name = ?"
				   " AND type = 'table' AND rootpage > 0";
	_cleanup_(schema_closep) sqlite3 *ours = NULL;
	_cleanup_(schema_finalizep) sqlite3_stmt *all = NULL, *theirs = NULL;
	int code;

	if (sqlite3_open(":memory:", &ours) != SQLITE_OK || !schema_create(ours, version) ||
	    sqlite3_prepare_v2(ours, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'", -1,
			       &all, NULL) != SQLITE_OK)
		return -ENOMEM;
	if (sqlite3_prepare_v2(db, find, -1, &theirs, NULL) != SQLITE_OK)
		return schema_read_error(db, path, error);
	while ((code = sqlite3_step(all)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(all, 0);
		const char *want = (const char *)sqlite3_column_text(all, 1);
		const char *have = table_text(theirs, name);

		if (!have || !want || !streq(have, want)) {
			error_set(
				error, EBADMSG, "BadFile",
				"%s is damaged: its table '%s' is missing or not as sonde makes it",
				path, name);
			error_fix(error,
				  "Copy it again from where it was recorded, or record again.");
			return -EBADMSG;
		}
	}
	return code == SQLITE_DONE ? 0 : -ENOMEM;
}

int schema_check(sqlite3 *db, const char *path, struct error *error)
{
	int64_t application, version;
	int r;

	if (schema_number(db, "PRAGMA application_id", &application) < 0 ||
	    schema_number(db, "PRAGMA user_version", &version) < 0)
		return schema_read_error(db, path, error);
	if (application != STORE_APPLICATION_ID) {
		error_set(error, EBADMSG, "BadFile",
			  "%s is an SQLite database, but not a sonde recording", path);
		error_fix(error, "Give a file that 'sonde record -o FILE' has written.");
		return -EBADMSG;
	}
	if (version > STORE_VERSION) {
		error_set(error, EBADMSG, "BadFile",
			  "%s was written by a newer sonde: it has format %lld, this sonde reads "
			  "up to %d",
			  path, (long long)version, STORE_VERSION);
		error_fix(error, "Update sonde to the version that recorded it.");
		return -EBADMSG;
	}
	if (version < 1) {
		error_set(error, EBADMSG, "BadFile", "%s is damaged: it has no format version",
			  path);
		error_fix(error, "Copy it again from where it was recorded, or record again.");
		return -EBADMSG;
	}
	r = schema_check_length(db, path, error);
	if (r >= 0)
		r = check_tables(db, version, path, error);
	return r < 0 ? r : version;
}

bool schema_insert_session(sqlite3 *db, int64_t id, const struct store_session *s, int64_t *ret)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *session = NULL, *spec = NULL;
	const char *sql = "INSERT INTO session VALUES(?9, ?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8)";

	if (sqlite3_prepare_v2(db, sql, -1, &session, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "INSERT INTO session_spec VALUES(?2, ?1)", -1, &spec, NULL) !=
		    SQLITE_OK)
		return false;
	sqlite3_bind_text(session, 1, s->name ? s->name : "", -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(session, 2, s->targets ? s->targets : "", -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(session, 3, s->frequency);
	sqlite3_bind_int64(session, 4, MIN(s->started_us, STORE_MAX_NUMBER));
	sqlite3_bind_int64(session, 5, s->flags);
	sqlite3_bind_int64(session, 6, s->monotonic_to_epoch_ns);
	sqlite3_bind_text(session, 7, s->where, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(session, 8, s->begin, -1, SQLITE_TRANSIENT);
	if (id)
		sqlite3_bind_int64(session, 9, id);
	if (sqlite3_step(session) != SQLITE_DONE)
		return false;
	*ret = sqlite3_last_insert_rowid(db);
	sqlite3_bind_int64(spec, 2, *ret);
	for (size_t i = 0; i < s->n_specs; i++) {
		sqlite3_reset(spec);
		sqlite3_bind_text(spec, 1, s->specs[i], -1, SQLITE_TRANSIENT);
		if (sqlite3_step(spec) != SQLITE_DONE)
			return false;
	}
	return true;
}

enum { STEPS_AT_ONCE = 100000 };

static int spend_steps(void *arg)
{
	uint64_t *left = arg;

	if (*left < STEPS_AT_ONCE)
		return 1;
	*left -= STEPS_AT_ONCE;
	return 0;
}

void schema_limit_steps(sqlite3 *db, uint64_t *left)
{
	int64_t pages = 0, size = 0;

	/* Each row takes some tens of steps of SQLite's machine and some bytes of the file. */
	*left = 10000000;
	sqlite3_progress_handler(db, STEPS_AT_ONCE, spend_steps, left);
	if (schema_number(db, "PRAGMA page_count", &pages) == 0 &&
	    schema_number(db, "PRAGMA page_size", &size) == 0 && pages > 0 && size > 0)
		*left += (uint64_t)pages * (uint64_t)size * 16;
}

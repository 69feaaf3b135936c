/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening files that others have made. A finished recording is one file. One whose writer was
 * killed has its last windows in FILE-wal, which SQLite reads only when it may also write
 * FILE-shm; where it may not, the files are copied to a private directory and opened there.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "schema.h"
#include "sonde/base/strbuf.h"
#include "store.h"

enum {
	MAX_ROW = 16 << 20, /* the largest chunk of raw spans is under 9 MiB */
	BUSY_MS = 5000,
};

static const char *const companions[] = {"-wal", "-journal"};

/* The name as a URI, for ?immutable=1. The path is absolute. */
static char *immutable_uri(const char *path)
{
	_cleanup_(strbuf_release) struct strbuf uri = {};

	strbuf_puts(&uri, "file://");
	for (const char *p = path; *p; p++) {
		if (strchr("%?#", *p) || (unsigned char)*p < 0x20)
			strbuf_printf(&uri, "%%%02x", (unsigned char)*p);
		else
			strbuf_putc(&uri, *p);
	}
	strbuf_puts(&uri, "?immutable=1");
	return strbuf_error(&uri) < 0 ? NULL : TAKE_PTR(uri.data);
}

static void limit(sqlite3 *db)
{
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, MAX_ROW);
	sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 64 << 10);
	sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 50);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_busy_timeout(db, BUSY_MS);
}

/* Opens and reads the header, so that what is wrong with the file shows here. A SQLite code. */
static int open_limited(const char *name, int flags, sqlite3 **ret)
{
	_cleanup_(schema_closep) sqlite3 *db = NULL;
	/* A connection is of one thread at a time: no column needs a lock. */
	int code = sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX,
				   NULL);

	if (code == SQLITE_OK) {
		limit(db);
		code = sqlite3_exec(db,
				    "PRAGMA cell_size_check = ON; PRAGMA query_only = ON;"
				    "PRAGMA temp_store = MEMORY; PRAGMA schema_version;",
				    NULL, NULL, NULL);
	}
	if (!db)
		return SQLITE_NOMEM;
	*ret = TAKE_PTR(db);
	return code;
}

bool schema_is_recording(const char *path)
{
	_cleanup_(schema_closep) sqlite3 *db = NULL;
	_cleanup_(freep) char *uri = immutable_uri(path);
	int64_t id;

	return uri && open_limited(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &db) == SQLITE_OK &&
	       schema_number(db, "PRAGMA application_id", &id) == 0 && id == STORE_APPLICATION_ID;
}

static int copy_file(const char *from, const char *to)
{
	_cleanup_(closep) int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(closep) int out = -1;
	_cleanup_(freep) char *buffer = malloc(1 << 16);
	struct stat st;
	ssize_t n;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!buffer)
		return -ENOMEM;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	while ((n = read(in, buffer, 1 << 16)) > 0)
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(out, buffer + done, n - done);
			if (w < 0)
				return -errno;
		}
	return n < 0 ? -errno : 0;
}

void schema_remove_copy(const char *dir)
{
	static const char *const names[] = {"r", "r-wal", "r-shm", "r-journal"};
	char name[4096];

	if (!dir)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		unlink(name);
	}
	rmdir(dir);
}

static void remove_copyp(char **dir)
{
	schema_remove_copy(*dir);
	free(*dir);
}

/* Copies the file and what its writer left beside it, and opens the copy, which may be written to.
 */
static int open_copy(const char *path, struct error *error, sqlite3 **ret, char **ret_copy)
{
	_cleanup_(remove_copyp) char *dir = NULL;
	_cleanup_(schema_closep) sqlite3 *db = NULL;
	const char *tmp = getenv("TMPDIR");
	char from[4096], to[4096];
	int r;

	if (asprintf(&dir, "%s/sonde-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(dir)) {
		r = -errno;
		free(TAKE_PTR(dir));
	} else {
		snprintf(to, sizeof(to), "%s/r", dir);
		r = copy_file(path, to);
	}
	for (size_t i = 0; i < ARRAY_SIZE(companions) && r >= 0; i++) {
		snprintf(from, sizeof(from), "%s%s", path, companions[i]);
		snprintf(to, sizeof(to), "%s/r%s", dir, companions[i]);
		r = copy_file(from, to);
		r = r == -ENOENT ? 0 : r;
	}
	if (r < 0) {
		error_set(error, -r, "NoSuchFile",
			  "%s was not finished and cannot be copied to recover it: %s", path,
			  strerror(-r));
		error_fix(error,
			  "Copy it and %s-wal to a directory that you can write to, with room "
			  "for both.",
			  path);
		return r;
	}
	snprintf(to, sizeof(to), "%s/r", dir);
	if (open_limited(to, SQLITE_OPEN_READWRITE, &db) != SQLITE_OK)
		return schema_read_error(db, path, error);
	*ret = TAKE_PTR(db);
	*ret_copy = TAKE_PTR(dir);
	return 0;
}

static int check_is_file(const char *path, struct error *error)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int r = -errno;

		if (r == -ENOENT || r == -ENOTDIR) {
			error_set(error, -r, "NoSuchFile", "there is no file %s", path);
			error_fix(error, "Check the name.");
		} else {
			error_set(error, -r, "NoSuchFile", "cannot open %s: %s", path,
				  strerror(-r));
			error_fix(error, "Check the permissions of the file and its directories.");
		}
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(error, EBADMSG, "BadFile", "%s is not a regular file", path);
		error_fix(error, "Give a file that 'sonde record -o FILE' has written.");
		return -EBADMSG;
	}
	if (st.st_size == 0) {
		error_set(error, EBADMSG, "BadFile", "%s is empty", path);
		error_fix(error, "Record again.");
		return -EBADMSG;
	}
	if (access(path, R_OK) < 0) {
		int r = -errno;

		error_set(error, -r, "NoSuchFile", "cannot read %s: %s", path, strerror(-r));
		error_fix(error, "Run the command as the user who recorded it, or as root.");
		return r;
	}
	return 0;
}

static bool has_companion(const char *path)
{
	char name[4096];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
		snprintf(name, sizeof(name), "%s%s", path, companions[i]);
		if (stat(name, &st) == 0 && st.st_size > 0)
			return true;
	}
	return false;
}

int schema_check_length(sqlite3 *db, const char *path, struct error *error)
{
	int64_t pages, size;
	struct stat st;

	if (has_companion(path))
		return 0;
	if (schema_number(db, "PRAGMA page_size", &size) < 0 ||
	    schema_number(db, "PRAGMA page_count", &pages) < 0)
		return schema_read_error(db, path, error);
	if (stat(path, &st) == 0 && st.st_size >= pages * size)
		return 0;
	error_set(error, EBADMSG, "BadFile", "%s is cut off: it should have %lld bytes", path,
		  (long long)(pages * size));
	error_fix(error, "Copy it again from where it was recorded, or record again.");
	return -EBADMSG;
}

int schema_open_reader(const char *path, struct error *error, sqlite3 **ret, char **ret_copy)
{
	_cleanup_(schema_closep) sqlite3 *db = NULL;
	_cleanup_(freep) char *real = NULL, *uri = NULL;
	int r = check_is_file(path, error), code;

	if (r < 0)
		return r;
	/* Absolute: SQLite gives some relative names, as ":memory:", a meaning of their own. */
	real = realpath(path, NULL);
	if (!real)
		return error_set(error, errno, "NoSuchFile", "cannot open %s: %s", path,
				 strerror(errno));
	*ret_copy = NULL;
	code = open_limited(real, SQLITE_OPEN_READONLY, &db);
	if ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY) {
		if (has_companion(real))
			return open_copy(real, error, ret, ret_copy);
		/* Nobody was writing when the machine stopped: what the file holds is all there is.
		 */
		uri = immutable_uri(real);
		if (!uri)
			return -ENOMEM;
		schema_closep(&db);
		db = NULL;
		code = open_limited(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &db);
	}
	if (code == SQLITE_NOMEM)
		return -ENOMEM;
	if (code != SQLITE_OK)
		return schema_read_error(db, path, error);
	*ret = TAKE_PTR(db);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a file begins and ends. */
#include <fcntl.h>
#include <sys/stat.h>

#include "meta.h"
#include "sonde/base/host.h"
#include "writer.h"

static const char *const inserts[STATEMENTS] = {
	[INSERT_STRING] = "INSERT INTO string(id, value) VALUES(?, ?)",
	[INSERT_FILE] = "INSERT INTO file(id, path, flags, build_id) VALUES(?, ?, ?, ?)",
	[INSERT_PROCESS] =
		"INSERT OR REPLACE INTO process(id, session, pid, ppid, uid, flags, exit_status,"
		" ns_pid, start_ns, exec_ns, exit_ns, comm, exe, cmdline, cgroup, container)"
		" VALUES(?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[INSERT_EVENT] =
		"INSERT OR REPLACE INTO event(session, time_ns, process, detail, kind, text)"
		" VALUES(1, ?, ?, ?, ?, '')",
	[INSERT_SYMBOL] = "INSERT INTO symbol(id, name) VALUES(?, ?)",
	[INSERT_FRAME] = "INSERT INTO frame(id, file, offset, function) VALUES(?, ?, ?, ?)",
	[UPDATE_FRAME] = "UPDATE frame SET file = ?, offset = ?, function = ? WHERE id = ?",
	[INSERT_LINE] = "INSERT INTO frame_line(frame, level, function, source, line)"
			" VALUES(?, ?, ?, ?, ?)",
	[DELETE_LINES] = "DELETE FROM frame_line WHERE frame = ?",
	[INSERT_STACK] = "INSERT INTO stack(id, parent, frame) VALUES(?, ?, ?)",
	[INSERT_PROBE] =
		"INSERT INTO probe(id, spec, symbol, name, file, offset, strategy, skipped,"
		" signature) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[INSERT_PATH] = "INSERT INTO path(id, parent, probe) VALUES(?, ?, ?)",
	[INSERT_WINDOW] = "INSERT INTO window(id, session, start_ns, end_ns) VALUES(?, ?, ?, ?)",
	[INSERT_SAMPLES] = "INSERT INTO sample_chunk(window, kind, count, samples, data)"
			   " VALUES(?, ?, ?, ?, ?)",
	[INSERT_SPAN_STAT] = "INSERT INTO span_stat(window, process, path, calls, errors, unwound,"
			     " total_ns, self_ns, min_ns, max_ns, histogram)"
			     " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[INSERT_SPAN_CHUNK] = "INSERT INTO span_chunk(window, first_ns, last_ns, count, data)"
			      " VALUES(?, ?, ?, ?, ?)",
	[INSERT_RAW_SAMPLES] =
		"INSERT INTO raw_sample_chunk(window, kind, first_ns, last_ns, count, data)"
		" VALUES(?, ?, ?, ?, ?, ?)",
	[INSERT_LOSS] = "INSERT INTO loss(window, kind, count) VALUES(?, ?, ?)",
};

static void remove_with_companions(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char name[4096];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static void close_db(struct store_writer *w)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(w->statements[i]);
		w->statements[i] = NULL;
	}
	sqlite3_close(w->db);
	w->db = NULL;
}

struct store_writer *store_writer_free(struct store_writer *w)
{
	if (!w)
		return NULL;
	close_db(w);
	/* Nothing is in it that the recording it would have replaced does not say better. */
	if (w->written && !streq(w->written, w->path) && !w->n_windows)
		remove_with_companions(w->written);
	for (size_t i = 0; i < w->files_cap; i++)
		free(w->files[i].path);
	free(w->files);
	strings_release(&w->symbols);
	line_writer_release(&w->lines);
	table_release(&w->process_rows);
	free(w->path);
	free(w->written);
	free(w);
	return NULL;
}

void store_discard(struct store_writer *w)
{
	if (!w)
		return;
	close_db(w);
	if (w->written)
		remove_with_companions(w->written);
	store_writer_free(w);
}

/* The absolute name of a file that need not exist. */
static int absolute(const char *path, char **ret)
{
	_cleanup_(freep) char *dir = NULL, *real = NULL;
	const char *base = strrchr(path, '/');

	real = realpath(path, NULL);
	if (!real && errno == ENOENT) {
		dir = base ? strndup(path, base - path + 1) : strdup("./");
		base = base ? base + 1 : path;
		if (!dir)
			return -ENOMEM;
		if (!*base)
			return -EISDIR;
		real = realpath(dir, NULL);
		if (!real)
			return -errno;
		return asprintf(ret, "%s/%s", streq(real, "/") ? "" : real, base) < 0 ? -ENOMEM : 0;
	}
	if (!real)
		return -errno;
	*ret = TAKE_PTR(real);
	return 0;
}

static int create_empty(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int cannot_create(const char *path, int r, struct error *error)
{
	error_set(error, -r, "WriteFailed", "cannot create %s: %s", path, strerror(-r));
	error_fix(error, r == -ENOENT
				 ? "Create its directory first."
				 : "Check the permissions of the directory, or choose another.");
	return r;
}

/* What is in the way of a file to be written: 0 nothing, 1 a recording, or BadFile. */
static int look_at(const char *path, struct error *error)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : cannot_create(path, -errno, error);
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return unlink(path) < 0 ? cannot_create(path, -errno, error) : 0;
	if (S_ISREG(st.st_mode) && schema_is_recording(path))
		return 1;
	error_set(error, EEXIST, "BadFile",
		  "%s exists and is not a sonde recording: choose another name", path);
	error_fix(error, "Choose another name, or remove that file first.");
	return -EEXIST;
}

static int choose_name(struct store_writer *w, const char *path, bool unseen, struct error *error)
{
	int r = absolute(path, &w->path);

	if (r < 0)
		return cannot_create(path, r, error);
	r = look_at(w->path, error);
	if (r < 0)
		return r;
	r |= unseen;
	if (asprintf(&w->written, "%s%s", w->path, r ? ".new" : "") < 0) {
		w->written = NULL;
		return -ENOMEM;
	}
	if (r) {
		r = look_at(w->written, error);
		if (r < 0) {
			free(TAKE_PTR(w->written)); /* not ours: it must not be removed */
			return r;
		}
		/* Left behind by a writer that was killed while it replaced this recording. */
		remove_with_companions(w->written);
	}
	r = create_empty(w->written);
	if (r < 0) {
		free(TAKE_PTR(w->written));
		return cannot_create(path, r, error);
	}
	return 0;
}

static bool put_host(sqlite3 *db, const struct store_session *session)
{
	char host[HOST_NAME_MAX_LEN + 1], boot[HOST_BOOT_LEN + 1];

	if (session->host && !*session->host)
		return true;
	host_name(host);
	host_boot(boot);
	return meta_put(db, META_HOST, session->host ? session->host : host) &&
	       meta_put(db, META_BOOT, session->boot ? session->boot : boot);
}

/*
 * The tables are made before the write-ahead log is switched on, so that the file itself says what
 * it is from the first moment on, whatever becomes of the log.
 */
static bool begin_file(struct store_writer *w, const struct store_session *session)
{
	static const char meta[] = "INSERT INTO meta VALUES('sonde', '" SONDE_VERSION "')";
	static const char log[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";
	char marks[128];
	int64_t id;

	snprintf(marks, sizeof(marks), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
		 STORE_APPLICATION_ID, STORE_VERSION);
	if (sqlite3_exec(w->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(w->db, marks, NULL, NULL, NULL) != SQLITE_OK ||
	    !schema_create(w->db, STORE_VERSION) ||
	    sqlite3_exec(w->db, meta, NULL, NULL, NULL) != SQLITE_OK || !put_host(w->db, session) ||
	    !schema_insert_session(w->db, 1, session, &id) ||
	    sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(w->db, log, NULL, NULL, NULL) != SQLITE_OK)
		return false;
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(w->db, inserts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &w->statements[i], NULL) != SQLITE_OK)
			return false;
	return true;
}

static int create(const char *path, const struct store_session *session, bool unseen,
		  struct error *error, struct store_writer **ret)
{
	_cleanup_(store_writer_freep) struct store_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->unseen = unseen;
	r = choose_name(w, path, unseen, error);
	if (r < 0)
		return r;
	r = sqlite3_open_v2(w->written, &w->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE,
			    NULL);
	if (!w->db)
		return -ENOMEM;
	sqlite3_busy_timeout(w->db, 2000);
	if (r != SQLITE_OK || !begin_file(w, session)) {
		r = store_writer_failed(w, error);
		close_db(w);
		remove_with_companions(w->written);
		return r;
	}
	*ret = TAKE_PTR(w);
	return 0;
}

int store_create(const char *path, const struct store_session *session, struct error *error,
		 struct store_writer **ret)
{
	return create(path, session, false, error, ret);
}

int store_create_unseen(const char *path, const struct store_session *session, struct error *error,
			struct store_writer **ret)
{
	return create(path, session, true, error, ret);
}

/* Makes a rename last: the directory entry is written out. */
static void sync_directory_of(const char *path)
{
	_cleanup_(freep) char *dir = strndup(path, strrchr(path, '/') - path + 1);
	_cleanup_(closep) int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0)
		fsync(fd);
}

static int replace_old(struct store_writer *w, struct error *error)
{
	char name[4096];

	/* A log left by the old file's writer would be taken for the new file's. */
	snprintf(name, sizeof(name), "%s-wal", w->path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", w->path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-journal", w->path);
	unlink(name);
	if (rename(w->written, w->path) < 0) {
		int r = -errno;

		error_set(error, -r, "WriteFailed", "cannot replace %s: %s", w->path, strerror(-r));
		error_fix(error, "The recording is complete in %s: move it yourself.", w->written);
		return r;
	}
	sync_directory_of(w->path);
	return 0;
}

int store_close(struct store_writer *writer, uint64_t ended_us, struct error *error,
		uint64_t *ret_bytes)
{
	_cleanup_(store_writer_freep) struct store_writer *w = writer;
	bool replaces = !streq(w->written, w->path);
	char end[128];
	struct stat st;
	int r;

	snprintf(end, sizeof(end), "UPDATE session SET ended_us = %lld WHERE id = 1",
		 (long long)MIN(ended_us, STORE_MAX_NUMBER));
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(w->statements[i]);
		w->statements[i] = NULL;
	}
	/* A reader that has the file open keeps the log alive; then the last one to close removes
	 * it. */
	if (sqlite3_exec(w->db, end, NULL, NULL, NULL) != SQLITE_OK ||
	    (sqlite3_exec(w->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) !=
		     SQLITE_OK &&
	     sqlite3_errcode(w->db) != SQLITE_BUSY) ||
	    (sqlite3_exec(w->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK &&
	     sqlite3_errcode(w->db) != SQLITE_BUSY)) {
		r = store_writer_failed(w, error);
		if (w->unseen)
			store_discard(TAKE_PTR(w));
		else
			w->n_windows =
				MAX(w->n_windows, 1); /* keeps what there is of a replacement */
		return r;
	}
	close_db(w);
	w->n_windows = MAX(w->n_windows, 1);
	if (replaces) {
		r = replace_old(w, error);
		if (r < 0)
			return r;
	}
	if (ret_bytes && stat(w->path, &st) == 0)
		*ret_bytes = st.st_size;
	return 0;
}

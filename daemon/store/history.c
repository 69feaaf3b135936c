/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the rolling store is opened, whatever state its last daemon or its disk has left it in. */
#include "history.h"

#include <sys/stat.h>
#include <time.h>

#include "history_private.h"

enum { PAGE = 4096, BUSY_MS = 2000, WAL_PAGES = 512 };

/* Indexes that find things by what they are; recordings do without, so these are no tables. */
static const char indexes[] =
	"CREATE INDEX IF NOT EXISTS string_value ON string(value);"
	"CREATE INDEX IF NOT EXISTS file_path ON file(path);"
	"CREATE INDEX IF NOT EXISTS symbol_name ON symbol(name);"
	"CREATE INDEX IF NOT EXISTS frame_place ON frame(offset, file, function);"
	"CREATE INDEX IF NOT EXISTS stack_node ON stack(parent, frame);"
	"CREATE INDEX IF NOT EXISTS probe_name ON probe(name, file, offset);"
	"CREATE INDEX IF NOT EXISTS path_node ON path(parent, probe);"
	"CREATE INDEX IF NOT EXISTS process_program ON process(comm, exe) WHERE session = 0;"
	"CREATE INDEX IF NOT EXISTS sample_chunk_window ON sample_chunk(window);"
	"CREATE INDEX IF NOT EXISTS span_stat_window ON span_stat(window);"
	"CREATE INDEX IF NOT EXISTS span_chunk_window ON span_chunk(window);"
	"CREATE INDEX IF NOT EXISTS loss_window ON loss(window);";

bool history_exec(struct history *h, const char *sql)
{
	return sqlite3_exec(h->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

void history_rollback(struct history *h)
{
	if (!sqlite3_get_autocommit(h->db))
		history_exec(h, "ROLLBACK");
}

static void close_db(struct history *h)
{
	for (int i = 0; i < H_STATEMENTS; i++) {
		sqlite3_finalize(h->statements[i]);
		h->statements[i] = NULL;
	}
	sqlite3_close(h->db);
	h->db = NULL;
}

struct history *history_free(struct history *h)
{
	if (!h)
		return NULL;
	if (h->db)
		history_exec(h, "INSERT OR REPLACE INTO meta VALUES('state', 'closed');"
				"PRAGMA wal_checkpoint(TRUNCATE);");
	close_db(h);
	history_forget_ids(h);
	table_release(&h->live);
	free(h->path);
	free(h);
	return NULL;
}

static bool make_tables(struct history *h)
{
	char marks[256];

	snprintf(marks, sizeof(marks),
		 "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL;"
		 "BEGIN IMMEDIATE; PRAGMA application_id = %d; PRAGMA user_version = %d;",
		 PAGE, STORE_APPLICATION_ID, STORE_VERSION);
	return history_exec(h, marks) && schema_create(h->db, STORE_VERSION) &&
	       history_exec(h, "INSERT INTO meta VALUES('sonde', '" SONDE_VERSION "'); COMMIT;");
}

/*
 * The hard limit is what SQLite refuses to grow over; tending keeps the file below the soft one.
 * FULL: what has been written is on the disk, also when the machine stops then; once a window costs
 * little.
 */
static int prepare(struct history *h)
{
	char limits[256];
	int r;

	sqlite3_busy_timeout(h->db, BUSY_MS);
	snprintf(limits, sizeof(limits),
		 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		 "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d;"
		 "PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA max_page_count = "
		 "%llu;",
		 WAL_PAGES, WAL_PAGES * PAGE,
		 (unsigned long long)(h->limits.max_bytes + h->limits.max_bytes / 20) / PAGE);
	if (!history_exec(h, limits))
		return -1;
	r = h->version == STORE_VERSION ? 0 : history_migrate(h, h->version);
	if (r < 0)
		return r;
	return history_functions(h->db) && history_exec(h, indexes) && history_prepare(h) ? 0 : -1;
}

/* One sentence of what is wrong with a file that is there; "" for nothing. -errno when that cannot
 * be said now: a disk that fails or is read-only is no damage. */
static int look_for_damage(struct history *h, bool unclean, struct error *error, char *text,
			   size_t size)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	struct error why = {};
	const char *answer;
	int r = schema_check(h->db, h->path, &why);

	if (r == -EBADMSG)
		snprintf(text, size, "%s", why.message);
	else if (r < 0)
		return schema_write_error(h->db, h->path, error);
	else if (r < HISTORY_OLDEST)
		snprintf(text, size, "it is of another format");
	h->version = r;
	/* What was closed as it should be is not read through: it may be large. */
	if (text[0] || !unclean)
		return 0;
	if (sqlite3_prepare_v2(h->db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK ||
	    sqlite3_step(s) != SQLITE_ROW) {
		if (schema_errno(h->db) != -EBADMSG)
			return schema_write_error(h->db, h->path, error);
		snprintf(text, size, "%s", sqlite3_errmsg(h->db));
		return 0;
	}
	answer = (const char *)sqlite3_column_text(s, 0);
	if (!answer || !streq(answer, "ok"))
		snprintf(text, size, "%s", answer ? answer : "its check failed");
	return 0;
}

static bool was_closed(sqlite3 *db)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	const char *state;

	if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = 'state'", -1, &s, NULL) !=
		    SQLITE_OK ||
	    sqlite3_step(s) != SQLITE_ROW)
		return false;
	state = (const char *)sqlite3_column_text(s, 0);
	return state && streq(state, "closed");
}

static void move_companion(const char *from, const char *to, const char *suffix)
{
	char old[4200], new[4200];

	snprintf(old, sizeof(old), "%s%s", from, suffix);
	snprintf(new, sizeof(new), "%s%s", to, suffix);
	(void)rename(old, new);
}

/* A damaged store may still tell somebody something: it is kept under another name. */
static int set_aside(struct history *h, struct error *error, char **ret)
{
	_cleanup_(freep) char *to = NULL;
	struct timespec now;

	close_db(h);
	clock_gettime(CLOCK_REALTIME, &now);
	if (asprintf(&to, "%s.damaged-%lld.%03ld", h->path, (long long)now.tv_sec,
		     now.tv_nsec / 1000000) < 0) {
		to = NULL;
		return -ENOMEM;
	}
	if (rename(h->path, to) < 0) {
		int r = -errno;

		error_set(error, -r, "WriteFailed", "%s is damaged and cannot be set aside: %s",
			  h->path, strerror(-r));
		error_fix(error, "Move it away by hand, and start sonded again.");
		return r;
	}
	move_companion(h->path, to, "-wal");
	move_companion(h->path, to, "-shm");
	*ret = TAKE_PTR(to);
	return 0;
}

static int open_db(struct history *h)
{
	mode_t mask = umask(0077);
	int code = sqlite3_open_v2(
		h->path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE,
		NULL);

	umask(mask);
	return code;
}

static uint64_t last_seen(sqlite3 *db)
{
	int64_t us = 0;

	(void)schema_number(db,
			    "SELECT ifnull(max((w.end_ns + s.monotonic_to_epoch_ns) / 1000), 0)"
			    " FROM window w JOIN session s ON s.id = w.session",
			    &us);
	return us < 0 ? 0 : (uint64_t)us;
}

/* Its daemon was killed before it had made the tables: nothing was in it. */
static bool is_unborn(struct history *h)
{
	int64_t id, tables;

	return schema_number(h->db, "PRAGMA application_id", &id) == 0 && id == 0 &&
	       schema_number(h->db, "SELECT count(*) FROM sqlite_schema", &tables) == 0 &&
	       tables == 0;
}

/* A file that was there: used, or set aside. 0: it is used; 1: there is none now; -errno. */
static int take_old(struct history *h, struct error *error, struct history_found *found)
{
	int code = open_db(h);
	bool closed = code == SQLITE_OK && was_closed(h->db);
	int r = 0;

	if (code == SQLITE_OK && is_unborn(h)) {
		close_db(h);
		return 1;
	}
	if (code == SQLITE_OK)
		r = look_for_damage(h, !closed, error, found->damage, sizeof(found->damage));
	else if ((code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT)
		snprintf(found->damage, sizeof(found->damage), "%s", sqlite3_errmsg(h->db));
	else
		return schema_write_error(h->db, h->path, error);
	if (r < 0)
		return r;
	if (found->damage[0]) {
		r = set_aside(h, error, &found->set_aside);
		return r < 0 ? r : 1;
	}
	found->was_there = true;
	found->unclean = !closed;
	found->last_seen_us = last_seen(h->db);
	return 0;
}

static int make_directory(const char *dir, struct error *error)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	error_set(error, errno, "WriteFailed", "cannot make %s: %s", dir, strerror(errno));
	error_fix(error, "Check its parent's permissions, or choose another with store = PATH.");
	return -errno;
}

static int begin_using(struct history *h, struct error *error)
{
	int r = prepare(h);

	if (r == HISTORY_NO_MEMORY)
		return -ENOMEM;
	if (r < 0 || !history_exec(h, "INSERT OR REPLACE INTO meta VALUES('state', 'open')"))
		return schema_write_error(h->db, h->path, error);
	return 0;
}

int history_open(const char *dir, const struct history_limits *limits, struct error *error,
		 struct history_found *ret_found, struct history **ret)
{
	_cleanup_(history_freep) struct history *h = calloc(1, sizeof(*h));
	struct history_found found = {};
	struct stat st;
	int r = h ? make_directory(dir, error) : -ENOMEM;

	if (r < 0)
		return r;
	h->limits = *limits;
	if (asprintf(&h->path, "%s/%s", dir, HISTORY_FILE) < 0) {
		h->path = NULL;
		return -ENOMEM;
	}
	/* SQLite would look for a way for minutes. */
	if (schema_is_read_only(h->path))
		return schema_read_only_error(h->path, error);
	r = stat(h->path, &st) == 0 && st.st_size > 0 ? take_old(h, error, &found) : 1;
	if (r == 1) {
		r = open_db(h) == SQLITE_OK && make_tables(h) ? 0 : -1;
		h->version = STORE_VERSION;
		if (r < 0)
			r = schema_write_error(h->db, h->path, error);
	}
	if (r >= 0)
		r = begin_using(h, error);
	if (r < 0) {
		free(found.set_aside);
		close_db(h);
		return r;
	}
	*ret_found = found;
	*ret = TAKE_PTR(h);
	return 0;
}

int history_begin_session(struct history *h, const struct store_session *s, struct error *error,
			  int64_t *ret)
{
	if (!history_exec(h, "BEGIN IMMEDIATE") || !schema_insert_session(h->db, 0, s, ret) ||
	    !history_exec(h, "COMMIT")) {
		int r = schema_write_error(h->db, h->path, error);

		history_rollback(h);
		return r;
	}
	return 0;
}

int history_end_session(struct history *h, int64_t session, uint64_t ended_us, struct error *error)
{
	char end[128];

	snprintf(end, sizeof(end), "UPDATE session SET ended_us = %lld WHERE id = %lld",
		 (long long)MIN(ended_us, STORE_MAX_NUMBER), (long long)session);
	return history_exec(h, end) ? 0 : schema_write_error(h->db, h->path, error);
}

int history_stats(struct history *h, struct history_stats *ret)
{
	int64_t pages = 0, windows = 0, first = 0;

	if (schema_number(h->db, "PRAGMA page_count", &pages) < 0 ||
	    schema_number(h->db, "SELECT count(*) FROM window", &windows) < 0 ||
	    schema_number(h->db,
			  "SELECT ifnull(min((w.start_ns + s.monotonic_to_epoch_ns) / 1000), 0)"
			  " FROM window w JOIN session s ON s.id = w.session",
			  &first) < 0)
		return -EBADMSG;
	*ret = (struct history_stats){.bytes = (uint64_t)pages * PAGE,
				      .windows = (uint64_t)windows,
				      .first_us = (uint64_t)MAX(first, 0),
				      .last_us = last_seen(h->db)};
	return 0;
}

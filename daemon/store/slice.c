/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slice.h"

#include "model/source_lines.h"

enum { PAGE = 4096 };

void slice_release(struct slice *s)
{
	struct translation *all[] = {&s->strings, &s->files,  &s->processes, &s->symbols,
				     &s->frames,  &s->stacks, &s->probes,    &s->paths};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		sqlite3_finalize(all[i]->find);
		for (size_t k = 0; k < all[i]->n_pages; k++)
			free(all[i]->pages[k]);
		free(all[i]->pages);
	}
	sqlite3_close(s->db);
	schema_remove_copy(s->copy);
	free(s->copy);
}

int slice_damaged(struct slice *s, const char *table, int64_t row)
{
	error_set(s->error, EBADMSG, "BadFile",
		  "%s is damaged: row %lld of its table '%s' makes no sense", s->path,
		  (long long)row, table);
	error_fix(s->error, "Copy it again from where it was recorded, or record again.");
	return -EBADMSG;
}

static uint32_t *slot_of(struct translation *t, int64_t id)
{
	size_t page = (size_t)id / PAGE;

	if (page >= t->n_pages &&
	    array_reserve(&t->pages, &t->n_pages, page + 1, sizeof(*t->pages)) < 0)
		return NULL;
	if (!t->pages[page])
		t->pages[page] = calloc(PAGE, sizeof(**t->pages));
	return t->pages[page] ? &t->pages[page][id % PAGE] : NULL;
}

/* 1 and *ret when that id is known, or is 0; 0 when t->find is at its row; -errno. */
static int look_up(struct slice *s, struct translation *t, const char *table, int64_t id,
		   uint32_t *ret)
{
	const uint32_t *known;
	int code;

	*ret = 0;
	if (id == 0)
		return 1;
	if (id < 0 || id > UINT32_MAX - 1)
		return -EBADMSG;
	known = slot_of(t, id);
	if (!known)
		return -ENOMEM;
	if (*known) {
		*ret = *known - 1;
		return 1;
	}
	sqlite3_reset(t->find);
	sqlite3_bind_int64(t->find, 1, id);
	code = sqlite3_step(t->find);
	return code == SQLITE_ROW    ? 0
	       : code == SQLITE_DONE ? slice_damaged(s, table, id)
				     : schema_read_error(s->db, s->path, s->error);
}

static int remember(struct translation *t, int64_t id, uint32_t model_id, uint32_t *ret)
{
	if (!model_id)
		return -ENOMEM;
	t->pages[id / PAGE][id % PAGE] = model_id + 1; /* made by look_up() */
	*ret = model_id;
	return 0;
}

static int column_text(struct slice *s, struct translation *t, const char *table, int64_t id,
		       uint32_t *ret)
{
	const char *text;
	int r = look_up(s, t, table, id, ret);

	if (r)
		return MIN(r, 0);
	text = (const char *)sqlite3_column_text(t->find, 0);
	return text ? remember(t, id, model_string(s->m, text), ret) : slice_damaged(s, table, id);
}

int slice_string(struct slice *s, int64_t id, uint32_t *ret)
{
	return column_text(s, &s->strings, "string", id, ret);
}

static int get_file(struct slice *s, int64_t id, uint32_t *ret)
{
	struct translation *t = &s->files;
	const uint8_t *build_id = NULL;
	uint32_t path = 0;
	int64_t flags;
	int r = look_up(s, t, "file", id, ret);

	if (r)
		return MIN(r, 0);
	flags = sqlite3_column_int64(t->find, 1);
	r = slice_string(s, sqlite3_column_int64(t->find, 0), &path);
	if (r < 0 || !path || flags < 0 || flags > UINT32_MAX)
		return r < 0 ? r : slice_damaged(s, "file", id);
	if (sqlite3_column_type(t->find, 2) == SQLITE_BLOB &&
	    sqlite3_column_bytes(t->find, 2) == BUILD_ID_LEN)
		build_id = sqlite3_column_blob(t->find, 2);
	return remember(t, id,
			model_file(s->m, build_id, model_string_get(s->m, path), (uint32_t)flags),
			ret);
}

/* A time of the process's run, on the clock of all; 0 stays. */
static uint64_t shifted(const struct slice *s, sqlite3_stmt *row, int column)
{
	int64_t ns = sqlite3_column_int64(row, column);

	return ns ? (uint64_t)(ns + sqlite3_column_int64(row, 14) - s->base_ns) : 0;
}

int slice_process(struct slice *s, int64_t id, uint32_t *ret)
{
	struct translation *t = &s->processes;
	struct model_process p = {};
	uint32_t *const strings[] = {&p.comm, &p.exe, &p.cmdline, &p.cgroup, &p.container};
	int r = look_up(s, t, "process", id, ret);

	if (r)
		return MIN(r, 0);
	p.pid = (uint32_t)sqlite3_column_int64(t->find, 0);
	p.ppid = (uint32_t)sqlite3_column_int64(t->find, 1);
	p.uid = (uint32_t)sqlite3_column_int64(t->find, 2);
	p.flags = (uint32_t)sqlite3_column_int64(t->find, 3) & PROCESS_EXITED;
	p.exit_status = (int32_t)sqlite3_column_int64(t->find, 4);
	p.ns_pid = (uint32_t)sqlite3_column_int64(t->find, 5);
	p.start_ns = (uint64_t)sqlite3_column_int64(t->find, 6);
	p.exec_ns = shifted(s, t->find, 7);
	p.exit_ns = shifted(s, t->find, 8);
	for (int i = 0; i < 5 && r >= 0; i++)
		r = slice_string(s, sqlite3_column_int64(t->find, 9 + i), strings[i]);
	if (r < 0)
		return r;
	r = remember(t, id, model_process_append(s->m, p.pid, p.start_ns), ret);
	if (r >= 0)
		*model_process_get(s->m, *ret) = p;
	return r;
}

static int get_frame(struct slice *s, int64_t id, uint32_t *ret)
{
	struct translation *t = &s->frames;
	uint32_t file, function;
	uint64_t offset;
	int r = look_up(s, t, "frame", id, ret);

	if (r)
		return MIN(r, 0);
	offset = (uint64_t)sqlite3_column_int64(t->find, 1);
	r = get_file(s, sqlite3_column_int64(t->find, 0), &file);
	if (r >= 0)
		r = column_text(s, &s->symbols, "symbol", sqlite3_column_int64(t->find, 2),
				&function);
	if (r < 0)
		return r;
	return remember(t, id,
			function ? model_named_frame(s->m, file, offset, function)
				 : model_frame(s->m, file, offset),
			ret);
}

typedef int (*get_item_t)(struct slice *s, int64_t id, uint32_t *ret);
typedef uint32_t (*add_node_t)(struct model *m, uint32_t parent, uint32_t item);

/* A stack or a call path, by climbing to what is known and coming back. */
static int get_node(struct slice *s, struct translation *t, const char *table, int64_t id,
		    get_item_t get_item, add_node_t add, uint32_t *ret)
{
	int64_t chain[MODEL_MAX_DEPTH], items[MODEL_MAX_DEPTH];
	size_t n = 0;
	int r;

	while ((r = look_up(s, t, table, id, ret)) == 0) {
		if (n == MODEL_MAX_DEPTH)
			return slice_damaged(s, table, id);
		chain[n] = id;
		items[n++] = sqlite3_column_int64(t->find, 1);
		id = sqlite3_column_int64(t->find, 0);
	}
	while (n > 0 && r >= 0) {
		uint32_t item, parent = *ret;

		r = get_item(s, items[--n], &item);
		if (r >= 0)
			r = remember(t, chain[n], add(s->m, parent, item), ret);
	}
	return r < 0 ? r : 0;
}

int slice_stack(struct slice *s, int64_t id, uint32_t *ret)
{
	return get_node(s, &s->stacks, "stack", id, get_frame, model_stack, ret);
}

static int get_probe(struct slice *s, int64_t id, uint32_t *ret)
{
	struct translation *t = &s->probes;
	struct model_probe p = {};
	uint32_t *const strings[] = {&p.spec, &p.symbol, &p.name, &p.strategy, &p.signature};
	int r = look_up(s, t, "probe", id, ret);

	if (r)
		return MIN(r, 0);
	p.offset = (uint64_t)sqlite3_column_int64(t->find, 6);
	p.skipped = (uint32_t)sqlite3_column_int64(t->find, 7);
	for (int i = 0; i < 5 && r >= 0; i++)
		r = slice_string(s, sqlite3_column_int64(t->find, i), strings[i]);
	if (r >= 0)
		r = get_file(s, sqlite3_column_int64(t->find, 5), &p.file);
	return r < 0 ? r : remember(t, id, model_probe(s->m, &p), ret);
}

int slice_path(struct slice *s, int64_t id, uint32_t *ret)
{
	return get_node(s, &s->paths, "path", id, get_probe, model_path, ret);
}

/* The model's frame of a row of frame_line; 0: nothing that was loaded needs it. */
static uint32_t frame_of_line(const struct slice *s, int64_t id)
{
	const struct translation *t = &s->frames;
	size_t page = (size_t)id / PAGE;

	if (id <= 0 || page >= t->n_pages || !t->pages[page] || !t->pages[page][id % PAGE])
		return 0;
	return t->pages[page][id % PAGE] - 1;
}

static int add_line(struct slice *s, uint32_t frame, sqlite3_stmt *row)
{
	int64_t id = sqlite3_column_int64(row, 0), level = sqlite3_column_int64(row, 2),
		number = sqlite3_column_int64(row, 5);
	const struct model_file *file = model_file_get(s->m, model_frame_peek(s->m, frame)->file);
	struct model_line line = {.line = (uint32_t)number};
	int r;

	/* Only what is in a file can have lines: names of other frames are not their files'. */
	if (level < 0 || level >= MODEL_MAX_LINES || number < 0 || number > UINT32_MAX || !file ||
	    !source_lines_may_know(file, model_string_get(s->m, file->path)))
		return slice_damaged(s, "frame_line", id);
	r = column_text(s, &s->symbols, "symbol", sqlite3_column_int64(row, 3), &line.function);
	if (r >= 0)
		r = column_text(s, &s->symbols, "symbol", sqlite3_column_int64(row, 4),
				&line.source);
	if (r >= 0)
		r = model_line_append(s->m, frame, (uint32_t)level, &line);
	return r == -EINVAL ? slice_damaged(s, "frame_line", id) : r;
}

int slice_lines(struct slice *s)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *row = NULL;
	bool is_known = false;
	int code = SQLITE_DONE, r = 0;

	if (s->version < 3)
		return 0;
	/* In the order in which they were written: those of a frame are in a row, by level. */
	if (sqlite3_prepare_v2(s->db,
			       "SELECT rowid, frame, level, function, source, line"
			       " FROM frame_line NOT INDEXED",
			       -1, &row, NULL) != SQLITE_OK)
		return schema_read_error(s->db, s->path, s->error);
	while (r >= 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		uint32_t frame = frame_of_line(s, sqlite3_column_int64(row, 1));
		size_t n;

		/* Two rows of frames may be one frame of the model. */
		if (frame && sqlite3_column_int64(row, 2) == 0)
			is_known = model_lines_get(s->m, frame, &n);
		if (frame && !is_known)
			r = add_line(s, frame, row);
	}
	if (r >= 0 && code != SQLITE_DONE)
		r = schema_read_error(s->db, s->path, s->error);
	return r;
}

static bool prepare_find(struct slice *s, struct translation *t, const char *sql)
{
	return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &t->find, NULL) ==
	       SQLITE_OK;
}

int slice_prepare(struct slice *s)
{
	bool old = s->version < 3;
	bool good =
		prepare_find(s, &s->strings, "SELECT value FROM string WHERE id = ?") &&
		prepare_find(s, &s->files, "SELECT path, flags, build_id FROM file WHERE id = ?") &&
		prepare_find(
			s, &s->processes,
			old ? "SELECT p.pid, p.ppid, p.uid, p.flags, p.exit_status, 0, p.start_ns,"
			      " p.exec_ns, p.exit_ns, p.comm, p.exe, p.cmdline, p.cgroup, 0,"
			      " s.monotonic_to_epoch_ns FROM process p JOIN session s ON s.id = 1"
			      " WHERE p.id = ?"
			    : "SELECT p.pid, p.ppid, p.uid, p.flags, p.exit_status, p.ns_pid,"
			      " p.start_ns, p.exec_ns, p.exit_ns, p.comm, p.exe, p.cmdline,"
			      " p.cgroup, p.container, s.monotonic_to_epoch_ns FROM process p"
			      " LEFT JOIN session s ON s.id = p.session WHERE p.id = ?") &&
		prepare_find(s, &s->symbols, "SELECT name FROM symbol WHERE id = ?") &&
		prepare_find(s, &s->frames,
			     "SELECT file, offset, function FROM frame WHERE id = ?") &&
		prepare_find(s, &s->stacks, "SELECT parent, frame FROM stack WHERE id = ?") &&
		prepare_find(
			s, &s->probes,
			s->version < 2
				? "SELECT spec, symbol, name, strategy, 0, file, offset, skipped"
				  " FROM probe WHERE id = ?"
				: "SELECT spec, symbol, name, strategy, signature, file, offset,"
				  " skipped FROM probe WHERE id = ?") &&
		prepare_find(s, &s->paths, "SELECT parent, probe FROM path WHERE id = ?");

	return good ? 0 : schema_read_error(s->db, s->path, s->error);
}

int slice_open(struct slice *s)
{
	int r = schema_open_reader(s->path, s->error, &s->db, &s->copy);

	/* One view for all tables, though they are written to meanwhile. */
	if (r >= 0 && sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		r = schema_read_error(s->db, s->path, s->error);
	if (r >= 0)
		schema_limit_steps(s->db, &s->steps_left);
	if (r >= 0)
		s->version = r = schema_check(s->db, s->path, s->error);
	return r;
}

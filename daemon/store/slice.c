/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slice.h"

#include "model/source_lines.h"

enum {
	PAGE = 4096,
	BLOCK = 64, /* rows that are read ahead */
	NUMBERS = 4 /* of a row that is read ahead, at most */
};

void slice_release(struct slice *s)
{
	struct translation *all[] = {&s->strings, &s->files,  &s->processes, &s->symbols,
				     &s->frames,  &s->stacks, &s->probes,    &s->paths};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		sqlite3_finalize(all[i]->find);
		for (size_t k = 0; k < all[i]->n_pages; k++)
			free(all[i]->pages[k]);
		free(all[i]->pages);
		sqlite3_finalize(all[i]->ahead.range);
		for (size_t k = 0; k < all[i]->ahead.n_blocks; k++)
			free(all[i]->ahead.blocks[k]);
		free(all[i]->ahead.blocks);
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

/* 1 and *ret when that id is known, or is 0; 0; -errno. */
static int known(struct translation *t, int64_t id, uint32_t *ret)
{
	const uint32_t *slot;

	*ret = 0;
	if (id == 0)
		return 1;
	if (id < 0 || id > UINT32_MAX - 1)
		return -EBADMSG;
	slot = slot_of(t, id);
	if (!slot)
		return -ENOMEM;
	if (*slot)
		*ret = *slot - 1;
	return *slot != 0;
}

/* 0 when t->find is at the row of that id; -errno. */
static int find_row(struct slice *s, struct translation *t, const char *table, int64_t id)
{
	int code;

	sqlite3_reset(t->find);
	sqlite3_bind_int64(t->find, 1, id);
	code = sqlite3_step(t->find);
	return code == SQLITE_ROW    ? 0
	       : code == SQLITE_DONE ? slice_damaged(s, table, id)
				     : schema_read_error(s->db, s->path, s->error);
}

/* 1 and *ret when that id is known, or is 0; 0 when t->find is at its row; -errno. */
static int look_up(struct slice *s, struct translation *t, const char *table, int64_t id,
		   uint32_t *ret)
{
	int r = known(t, id, ret);

	return r ? r : find_row(s, t, table, id);
}

/* The numbers of a row from that column on; false when one has more than 32 bits. */
static bool get_numbers(sqlite3_stmt *row, int column, uint32_t ret[static NUMBERS])
{
	int n = sqlite3_column_count(row) - column;

	for (int i = 0; i < n && i < NUMBERS; i++) {
		int64_t v = sqlite3_column_int64(row, column + i);

		if (v < 0 || v > UINT32_MAX)
			return false;
		ret[i] = (uint32_t)v;
	}
	return true;
}

static int read_block(struct slice *s, struct ahead *a, size_t block)
{
	uint32_t *to;
	int code;

	if (block >= a->n_blocks &&
	    array_reserve(&a->blocks, &a->n_blocks, block + 1, sizeof(*a->blocks)) < 0)
		return -ENOMEM;
	if (a->blocks[block])
		return 0;
	to = a->blocks[block] = calloc(2 + BLOCK * NUMBERS, sizeof(*to));
	if (!to)
		return -ENOMEM;
	sqlite3_reset(a->range);
	sqlite3_bind_int64(a->range, 1, (int64_t)block * BLOCK);
	sqlite3_bind_int64(a->range, 2, (int64_t)block * BLOCK + BLOCK - 1);
	while ((code = sqlite3_step(a->range)) == SQLITE_ROW) {
		int64_t i = sqlite3_column_int64(a->range, 0) - (int64_t)block * BLOCK;

		if (i >= 0 && i < BLOCK && get_numbers(a->range, 1, to + 2 + i * NUMBERS))
			to[i / 32] |= 1U << i % 32;
	}
	return code == SQLITE_DONE ? 0 : schema_read_error(s->db, s->path, s->error);
}

/* What a row has beside its id, of tables that have nothing but numbers. */
static int row_numbers(struct slice *s, struct translation *t, const char *table, int64_t id,
		       uint32_t ret[static NUMBERS])
{
	struct ahead *a = &t->ahead;
	size_t block = (size_t)id / BLOCK, i = (size_t)id % BLOCK;
	bool near = a->range && a->last / BLOCK == id / BLOCK;
	int r = near ? read_block(s, a, block) : 0;

	if (r < 0)
		return r;
	a->last = id;
	if (block < a->n_blocks && a->blocks[block] && a->blocks[block][i / 32] & 1U << i % 32) {
		memcpy(ret, a->blocks[block] + 2 + i * NUMBERS, NUMBERS * sizeof(*ret));
		return 0;
	}
	r = find_row(s, t, table, id);
	return r < 0 ? r : get_numbers(t->find, 0, ret) ? 0 : slice_damaged(s, table, id);
}

static int remember(struct translation *t, int64_t id, uint32_t model_id, uint32_t *ret)
{
	if (!model_id)
		return -ENOMEM;
	t->pages[id / PAGE][id % PAGE] = model_id + 1; /* made by known() */
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
	uint32_t row[NUMBERS] = {}, file, function;
	uint64_t offset;
	int r = known(t, id, ret);

	if (r)
		return MIN(r, 0);
	r = row_numbers(s, t, "frame", id, row);
	offset = (uint64_t)row[3] << 32 | row[2];
	if (r >= 0)
		r = get_file(s, row[0], &file);
	if (r >= 0)
		r = column_text(s, &s->symbols, "symbol", row[1], &function);
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
	uint32_t chain[MODEL_MAX_DEPTH], items[MODEL_MAX_DEPTH], row[NUMBERS] = {};
	size_t n = 0;
	int r;

	while ((r = known(t, id, ret)) == 0) {
		if (n == MODEL_MAX_DEPTH)
			return slice_damaged(s, table, id);
		r = row_numbers(s, t, table, id, row);
		if (r < 0)
			return r;
		chain[n] = (uint32_t)id;
		items[n++] = row[1];
		id = row[0];
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

	if (s->version < 3 || !s->frames.n_pages)
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

static bool prepare(struct slice *s, sqlite3_stmt **ret, const char *sql)
{
	return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) ==
	       SQLITE_OK;
}

static bool prepare_find(struct slice *s, struct translation *t, const char *sql)
{
	return prepare(s, &t->find, sql);
}

static bool prepare_processes(struct slice *s)
{
	bool old = s->version < 3;
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "SELECT p.pid, p.ppid, p.uid, p.flags, p.exit_status, %s, p.start_ns, p.exec_ns,"
		 " p.exit_ns, p.comm, %s, p.cgroup, %s, s.monotonic_to_epoch_ns FROM process p"
		 " LEFT JOIN session s ON s.id = %s WHERE p.id = ?",
		 old ? "0" : "p.ns_pid", s->brief ? "0, 0" : "p.exe, p.cmdline",
		 old ? "0" : "p.container", old ? "1" : "p.session");
	return prepare_find(s, &s->processes, sql);
}

int slice_prepare(struct slice *s)
{
	bool good =
		prepare_find(s, &s->strings, "SELECT value FROM string WHERE id = ?") &&
		prepare_find(s, &s->files, "SELECT path, flags, build_id FROM file WHERE id = ?") &&
		prepare_processes(s) &&
		prepare_find(s, &s->symbols, "SELECT name FROM symbol WHERE id = ?") &&
		prepare_find(s, &s->frames,
			     "SELECT file, function, offset & 0xffffffff,"
			     " offset >> 32 & 0xffffffff FROM frame WHERE id = ?") &&
		prepare(s, &s->frames.ahead.range,
			"SELECT id, file, function, offset & 0xffffffff,"
			" offset >> 32 & 0xffffffff FROM frame WHERE id BETWEEN ? AND ?") &&
		prepare(s, &s->stacks.ahead.range,
			"SELECT id, parent, frame FROM stack WHERE id BETWEEN ? AND ?") &&
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

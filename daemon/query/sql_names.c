/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rows name by their ids, looked up by statements of our own on the same connection, so within
 * the transaction of the query. Small tables are read as a whole when they are first needed; of
 * frames, stacks and strings what is asked for. Nothing of the file is trusted: an id that it does
 * not have has no name.
 */
#include "sql_private.h"

/* Statements of our own, which the authorizer does not refuse. The text is for sql_for_version().
 */
static int prepare(struct sql *q, const char *text, sqlite3_stmt **ret)
{
	_cleanup_(freep) char *sql = sql_for_version(q, text);
	int code;

	if (!sql)
		return SQLITE_NOMEM;
	q->inside++;
	code = sqlite3_prepare_v2(q->db, sql, -1, ret, NULL);
	q->inside--;
	return code;
}

static int step(struct sql *q, sqlite3_stmt *s)
{
	int code;

	/* What a statement needs may be worked out again when it begins. */
	q->inside++;
	code = sqlite3_step(s);
	q->inside--;
	return code;
}

int sql_note(struct sql *q, int code)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return SQLITE_OK;
	if (!q->own_code)
		q->own_code = code;
	return code;
}

/* Calls back with each row until one is refused (a SQLite code). */
static int each_row(struct sql *q, const char *text, int (*row)(struct sql *q, sqlite3_stmt *s))
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	int code = prepare(q, text, &s);

	while (code == SQLITE_OK && (code = step(q, s)) == SQLITE_ROW)
		code = row(q, s);
	return sql_note(q, code);
}

/* "" for NULL. */
static char *copy_text(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return strdup(text ? text : "");
}

/* 0 for an id that is new, where value is put; one that was there stays as it was. */
static int put(struct table *t, int64_t id, size_t value)
{
	uint32_t *slot;
	bool is_new;

	if (value >= UINT32_MAX || !(slot = table_put(t, id, &is_new)))
		return SQLITE_NOMEM;
	if (is_new)
		*slot = value;
	return SQLITE_OK;
}

static int row_path(struct sql *q, sqlite3_stmt *s)
{
	struct sql_names *n = &q->names;
	_cleanup_(freep) char *binary = copy_text(s, 2);
	struct sql_path *p;

	if (!binary || array_reserve(&n->paths, &n->paths_cap, n->n_paths + 1, sizeof(*p)) < 0)
		return SQLITE_NOMEM;
	p = &n->paths[n->n_paths];
	p->id = sqlite3_column_int64(s, 0);
	p->function = copy_text(s, 1);
	p->binary = strdup(path_base(binary));
	p->signature_text = copy_text(s, 3);
	n->n_paths++;
	if (!p->function || !p->binary || !p->signature_text)
		return SQLITE_NOMEM;
	return put(&n->path_index, p->id, n->n_paths - 1);
}

int sql_read_paths(struct sql *q)
{
	if (q->names.has_paths)
		return SQLITE_OK;
	q->names.has_paths = true;
	return each_row(q,
			"SELECT h.id, coalesce(nullif(n.value, ''), nullif(y.value, ''), z.value),"
			" d.value, g.value FROM main.path h LEFT JOIN {probe} b ON b.id = h.probe"
			" LEFT JOIN main.string n ON n.id = b.name"
			" LEFT JOIN main.string y ON y.id = b.symbol"
			" LEFT JOIN main.string z ON z.id = b.spec"
			" LEFT JOIN main.file f ON f.id = b.file"
			" LEFT JOIN main.string d ON d.id = f.path"
			" LEFT JOIN main.string g ON g.id = b.signature",
			row_path);
}

struct sql_path *sql_path(struct sql *q, int64_t id)
{
	const uint32_t *i;

	if (sql_read_paths(q) != SQLITE_OK)
		return NULL;
	i = table_get(&q->names.path_index, id);
	return i ? &q->names.paths[*i] : NULL;
}

static int row_process(struct sql *q, sqlite3_stmt *s)
{
	struct sql_names *n = &q->names;
	struct sql_process *p;

	if (array_reserve(&n->processes, &n->processes_cap, n->n_processes + 1, sizeof(*p)) < 0)
		return SQLITE_NOMEM;
	p = &n->processes[n->n_processes];
	p->pid = (uint32_t)sqlite3_column_int64(s, 1);
	p->comm = copy_text(s, 2);
	n->n_processes++;
	return p->comm ? put(&n->process_index, sqlite3_column_int64(s, 0), n->n_processes - 1)
		       : SQLITE_NOMEM;
}

const struct sql_process *sql_process(struct sql *q, int64_t id)
{
	const uint32_t *i;

	if (!q->names.has_processes) {
		q->names.has_processes = true;
		if (each_row(q,
			     "SELECT p.id, p.pid, c.value FROM main.process p"
			     " LEFT JOIN main.string c ON c.id = p.comm",
			     row_process) != SQLITE_OK)
			return NULL;
	}
	i = table_get(&q->names.process_index, id);
	return i ? &q->names.processes[*i] : NULL;
}

/* The row of that id; the caller resets the statement. */
static bool find(struct sql *q, sqlite3_stmt **s, const char *text, int64_t id)
{
	int code = *s ? SQLITE_OK : prepare(q, text, s);

	if (code == SQLITE_OK) {
		sqlite3_bind_int64(*s, 1, id);
		code = step(q, *s);
	}
	(void)sql_note(q, code);
	return code == SQLITE_ROW;
}

/* As snapshot_name_frames() names what has no symbol. */
static char *frame_function(sqlite3_stmt *s)
{
	const char *name = (const char *)sqlite3_column_text(s, 0);
	const char *path = (const char *)sqlite3_column_text(s, 1);
	int64_t flags = sqlite3_column_int64(s, 2);
	const char *base = path_base(path ? path : "");
	size_t len = strlen(base);
	char *text;

	if (name && *name)
		return strdup(name);
	if (flags & FILE_KERNEL)
		return strdup("[kernel]");
	if (!len)
		return strdup("[unknown]");
	if (len > 2 && base[0] == '[' && base[len - 1] == ']') {
		base++;
		len -= 2;
	}
	if (asprintf(&text, "[%.*s+0x%llx]", (int)MIN(len, 4096), base,
		     (unsigned long long)sqlite3_column_int64(s, 3)) < 0)
		return NULL;
	return text;
}

static const struct sql_frame *add_frame(struct sql *q, int64_t id, sqlite3_stmt *s)
{
	struct sql_names *n = &q->names;
	const char *path = (const char *)sqlite3_column_text(s, 1);
	struct sql_frame *f;

	if (array_reserve(&n->frames, &n->frames_cap, n->n_frames + 1, sizeof(*f)) < 0)
		return NULL;
	f = &n->frames[n->n_frames];
	f->binary = strdup(path_base(path ? path : ""));
	f->function = frame_function(s);
	n->n_frames++;
	if (!f->binary || !f->function || put(&n->frame_index, id, n->n_frames - 1) != SQLITE_OK) {
		(void)sql_note(q, SQLITE_NOMEM);
		return NULL;
	}
	return f;
}

const struct sql_frame *sql_frame(struct sql *q, int64_t id)
{
	struct sql_names *n = &q->names;
	const uint32_t *i = table_get(&n->frame_index, id);
	const struct sql_frame *f = NULL;

	if (i)
		return &n->frames[*i];
	if (find(q, &n->frame,
		 "SELECT y.name, d.value, b.flags, f.offset FROM main.frame f"
		 " LEFT JOIN main.symbol y ON y.id = f.function"
		 " LEFT JOIN main.file b ON b.id = f.file"
		 " LEFT JOIN main.string d ON d.id = b.path WHERE f.id = ?",
		 id))
		f = add_frame(q, id, n->frame);
	sqlite3_reset(n->frame);
	return f;
}

bool sql_stack(struct sql *q, int64_t id, int64_t *ret_parent, int64_t *ret_frame)
{
	sqlite3_stmt **s = &q->names.stack;
	bool found = find(q, s, "SELECT parent, frame FROM main.stack WHERE id = ?", id);

	if (found) {
		*ret_parent = sqlite3_column_int64(*s, 0);
		*ret_frame = sqlite3_column_int64(*s, 1);
	}
	sqlite3_reset(*s);
	return found;
}

char *sql_string(struct sql *q, int64_t id)
{
	sqlite3_stmt **s = &q->names.string;
	char *text = NULL;

	if (find(q, s, "SELECT value FROM main.string WHERE id = ?", id))
		text = copy_text(*s, 0);
	sqlite3_reset(*s);
	return text;
}

/* Rows come by frame, from the outermost function on. */
static int row_inlined(struct sql *q, sqlite3_stmt *s)
{
	struct sql_names *n = &q->names;
	const char *name = (const char *)sqlite3_column_text(s, 1);
	uint32_t *slot;
	bool is_new;
	char *text;

	slot = table_put(&n->inlined_index, sqlite3_column_int64(s, 0), &is_new);
	if (!slot ||
	    array_reserve(&n->inlined, &n->inlined_cap, n->n_inlined + 1, sizeof(char *)) < 0)
		return SQLITE_NOMEM;
	if (is_new)
		*slot = n->n_inlined++;
	if (asprintf(&text, "%s;%s", is_new ? "" : n->inlined[*slot], name ? name : "[unknown]") <
	    0)
		return SQLITE_NOMEM;
	free(n->inlined[*slot]);
	n->inlined[*slot] = text;
	return SQLITE_OK;
}

const char *sql_inlined(struct sql *q, int64_t frame)
{
	const uint32_t *i;

	if (!q->names.has_inlined) {
		q->names.has_inlined = true;
		if (each_row(q,
			     "SELECT l.frame, y.name FROM {frame_line} l"
			     " LEFT JOIN main.symbol y ON y.id = l.function"
			     " WHERE l.level BETWEEN 1 AND 64 ORDER BY l.frame, l.level",
			     row_inlined) != SQLITE_OK)
			return NULL;
	}
	i = table_get(&q->names.inlined_index, frame);
	return i ? q->names.inlined[*i] : NULL;
}

static int64_t to_epoch_us(int64_t time_ns, int64_t offset_ns)
{
	return (int64_t)(((__int128)time_ns + offset_ns) / 1000);
}

static int add_chunk(struct sql_chunks *to, sqlite3_stmt *s)
{
	int64_t offset = sqlite3_column_int64(s, 5);

	if (array_reserve(&to->items, &to->cap, to->n + 1, sizeof(*to->items)) < 0)
		return SQLITE_NOMEM;
	to->items[to->n++] = (struct sql_chunk){
		.id = sqlite3_column_int64(s, 0),
		.window = sqlite3_column_int64(s, 1),
		.first_us = to_epoch_us(sqlite3_column_int64(s, 2), offset),
		.last_us = to_epoch_us(sqlite3_column_int64(s, 3), offset),
		.session = sqlite3_column_int64(s, 4),
		.offset_ns = offset,
		.kind = sqlite3_column_int64(s, 6),
		.frequency = sqlite3_column_int64(s, 7),
	};
	return SQLITE_OK;
}

static int row_spans(struct sql *q, sqlite3_stmt *s)
{
	return add_chunk(&q->names.spans, s);
}

static int row_samples(struct sql *q, sqlite3_stmt *s)
{
	return add_chunk(&q->names.samples, s);
}

int sql_read_span_chunks(struct sql *q)
{
	if (q->names.spans.are_read)
		return SQLITE_OK;
	q->names.spans.are_read = true;
	return each_row(q,
			"SELECT k.id, k.window, k.first_ns, k.last_ns, w.session,"
			" s.monotonic_to_epoch_ns, 0, 0 FROM main.span_chunk k"
			" LEFT JOIN main.window w ON w.id = k.window"
			" LEFT JOIN main.session s ON s.id = w.session"
			" ORDER BY s.id, k.first_ns, k.id",
			row_spans);
}

int sql_read_sample_chunks(struct sql *q)
{
	if (q->names.samples.are_read || q->version < 5)
		return SQLITE_OK;
	q->names.samples.are_read = true;
	return each_row(q,
			"SELECT k.id, k.window, k.first_ns, k.last_ns, w.session,"
			" s.monotonic_to_epoch_ns, k.kind, s.frequency FROM main.raw_sample_chunk k"
			" LEFT JOIN main.window w ON w.id = k.window"
			" LEFT JOIN main.session s ON s.id = w.session"
			" ORDER BY s.id, k.first_ns, k.id",
			row_samples);
}

static int row_seen(struct sql *q, sqlite3_stmt *s)
{
	struct sql_names *n = &q->names;

	if (array_reserve(&n->seen, &n->seen_cap, n->n_seen + 1, sizeof(*n->seen)) < 0)
		return SQLITE_NOMEM;
	n->seen[n->n_seen++] = (struct sql_seen){
		.window = sqlite3_column_int64(s, 0),
		.path = sqlite3_column_int64(s, 1),
	};
	return SQLITE_OK;
}

int sql_read_seen(struct sql *q)
{
	if (q->names.has_seen)
		return SQLITE_OK;
	q->names.has_seen = true;
	return each_row(q, "SELECT window, path FROM main.span_stat", row_seen);
}

void sql_names_release(struct sql *q)
{
	struct sql_names *n = &q->names;

	for (size_t i = 0; i < n->n_paths; i++) {
		if (n->paths[i].signature)
			q->options.texts.close(n->paths[i].signature);
		free(n->paths[i].function);
		free(n->paths[i].binary);
		free(n->paths[i].signature_text);
	}
	for (size_t i = 0; i < n->n_processes; i++)
		free(n->processes[i].comm);
	for (size_t i = 0; i < n->n_frames; i++) {
		free(n->frames[i].function);
		free(n->frames[i].binary);
	}
	for (size_t i = 0; i < n->n_inlined; i++)
		free(n->inlined[i]);
	free(n->paths);
	free(n->processes);
	free(n->frames);
	free(n->inlined);
	free(n->spans.items);
	free(n->samples.items);
	free(n->seen);
	table_release(&n->path_index);
	table_release(&n->process_index);
	table_release(&n->frame_index);
	table_release(&n->inlined_index);
	sqlite3_finalize(n->frame);
	sqlite3_finalize(n->stack);
	sqlite3_finalize(n->string);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "load.h"

#include "hist_pack.h"
#include "load_columns.h"
#include "sample_chunk.h"

int load_bad_row(const char *path, const char *table, int64_t row, struct error *error)
{
	error_set(error, EBADMSG, "BadFile",
		  "%s is damaged: row %lld of its table '%s' makes no sense", path, (long long)row,
		  table);
	error_fix(error, "Copy it again from where it was recorded, or record again.");
	return -EBADMSG;
}

static bool get_text(sqlite3_stmt *s, int column, const char **ret, size_t *ret_len)
{
	if (sqlite3_column_type(s, column) != SQLITE_TEXT)
		return false;
	*ret = (const char *)sqlite3_column_text(s, column);
	*ret_len = sqlite3_column_bytes(s, column);
	return *ret && !memchr(*ret, '\0', *ret_len);
}

/* A copy of the text, NULL for NULL. */
static bool get_text_or_null(sqlite3_stmt *s, int column, char **ret)
{
	const char *text;
	size_t len;

	if (sqlite3_column_type(s, column) == SQLITE_NULL)
		return true;
	if (!get_text(s, column, &text, &len))
		return false;
	*ret = strdup(text);
	return *ret;
}

typedef bool (*load_row_t)(struct load *l, sqlite3_stmt *s);

static bool row_session(struct load *l, sqlite3_stmt *s)
{
	const char *name, *targets;
	size_t len;

	if (l->has_session || sqlite3_column_int64(s, 0) != 1 || !get_text(s, 1, &name, &len) ||
	    !get_text(s, 2, &targets, &len) || !get_id(s, 3, UINT32_MAX, &l->session.frequency) ||
	    !get_number(s, 4, STORE_MAX_NUMBER, &l->session.started_us) ||
	    !get_number(s, 5, STORE_MAX_NUMBER, &l->session.ended_us) ||
	    !get_id(s, 6, UINT32_MAX, &l->session.flags) ||
	    !get_i64(s, 7, &l->session.monotonic_to_epoch_ns))
		return false;
	l->has_session = true;
	l->session.name = strdup(name);
	l->session.targets = strdup(targets);
	return l->session.name && l->session.targets && get_text_or_null(s, 8, &l->session.where) &&
	       get_text_or_null(s, 9, &l->session.begin);
}

static bool row_spec(struct load *l, sqlite3_stmt *s)
{
	size_t cap = l->session.n_specs, len;
	const char *spec;
	uint32_t session;

	if (!get_id(s, 1, 1, &session) || !get_text(s, 2, &spec, &len) ||
	    array_reserve(&l->session.specs, &cap, cap + 1, sizeof(*l->session.specs)) < 0)
		return false;
	l->session.specs[l->session.n_specs] = strdup(spec);
	return l->session.specs[l->session.n_specs++] != NULL;
}

/* Dense ids: the row must get from the model the id that it has in the file. */
static bool is_next(sqlite3_stmt *s, uint32_t id)
{
	return id && sqlite3_column_int64(s, 0) == id;
}

static bool row_string(struct load *l, sqlite3_stmt *s)
{
	const char *text;
	size_t len;

	return get_text(s, 1, &text, &len) && is_next(s, l->have.strings + 1) &&
	       model_stringn(l->model, text, len) == ++l->have.strings;
}

static bool row_file(struct load *l, sqlite3_stmt *s)
{
	const uint8_t *build_id = NULL;
	uint32_t path, flags;

	if (!is_next(s, l->have.files + 1) || !get_id(s, 2, l->have.strings, &path) || !path ||
	    !get_id(s, 3, UINT32_MAX, &flags))
		return false;
	if (sqlite3_column_type(s, 1) == SQLITE_BLOB && sqlite3_column_bytes(s, 1) == BUILD_ID_LEN)
		build_id = sqlite3_column_blob(s, 1);
	else if (sqlite3_column_type(s, 1) != SQLITE_NULL)
		return false;
	return model_file(l->model, build_id, model_string_get(l->model, path), flags) ==
	       ++l->have.files;
}

static bool row_process(struct load *l, sqlite3_stmt *s)
{
	struct model_process p = {}, *process;
	uint32_t strings = l->have.strings;
	int64_t status;

	if (!is_next(s, l->have.processes + 1) || !get_id(s, 1, UINT32_MAX, &p.pid) ||
	    !get_id(s, 2, UINT32_MAX, &p.ppid) || !get_id(s, 3, UINT32_MAX, &p.uid) ||
	    !get_id(s, 4, PROCESS_EXITED, &p.flags) || !get_i64(s, 5, &status) ||
	    status != (int32_t)status || !get_id(s, 6, UINT32_MAX, &p.ns_pid) ||
	    !get_number(s, 7, STORE_MAX_NUMBER, &p.start_ns) ||
	    !get_number(s, 8, STORE_MAX_NUMBER, &p.exec_ns) ||
	    !get_number(s, 9, STORE_MAX_NUMBER, &p.exit_ns) || !get_id(s, 10, strings, &p.comm) ||
	    !get_id(s, 11, strings, &p.exe) || !get_id(s, 12, strings, &p.cmdline) ||
	    !get_id(s, 13, strings, &p.cgroup) || !get_id(s, 14, strings, &p.container))
		return false;
	if (model_process_append(l->model, p.pid, p.start_ns) != ++l->have.processes)
		return false;
	process = model_process_get(l->model, l->have.processes);
	p.exit_status = status;
	*process = p;
	return true;
}

static bool row_symbol(struct load *l, sqlite3_stmt *s)
{
	const char *name;
	uint32_t string;
	size_t len;

	if (!is_next(s, l->n_symbols + 1) || !get_text(s, 1, &name, &len) ||
	    array_reserve(&l->symbols, &l->symbols_cap, (size_t)l->n_symbols + 2,
			  sizeof(*l->symbols)) < 0)
		return false;
	string = model_stringn(l->model, name, len);
	l->symbols[++l->n_symbols] = string;
	return string != 0;
}

static bool row_frame(struct load *l, sqlite3_stmt *s)
{
	uint32_t file, function;
	int64_t offset;

	if (!is_next(s, l->have.frames + 1) || !get_id(s, 1, l->have.files, &file) ||
	    !get_i64(s, 2, &offset) || !get_id(s, 3, l->n_symbols, &function))
		return false;
	/* One place may have several names, even the same one twice: model_frame_become(). */
	return ++l->have.frames ==
	       (function ? model_frame_append(l->model, file, offset, l->symbols[function])
			 : model_frame(l->model, file, offset));
}

/* Only what is in a file can have lines: names of other frames are not their files'. */
static bool row_line(struct load *l, sqlite3_stmt *s)
{
	struct model_line line = {};
	uint32_t frame, level, function, source;
	const struct model_file *file;

	if (!get_id(s, 1, l->have.frames, &frame) || !frame ||
	    !get_id(s, 2, MODEL_MAX_LINES - 1, &level) || !get_id(s, 3, l->n_symbols, &function) ||
	    !get_id(s, 4, l->n_symbols, &source) || !get_id(s, 5, UINT32_MAX, &line.line))
		return false;
	file = model_file_get(l->model, model_frame_peek(l->model, frame)->file);
	if (!file || !source_lines_may_know(file, model_string_get(l->model, file->path)))
		return false;
	line.function = function ? l->symbols[function] : 0;
	line.source = source ? l->symbols[source] : 0;
	return model_line_append(l->model, frame, level, &line) == 0;
}

static bool row_stack(struct load *l, sqlite3_stmt *s)
{
	uint32_t parent, frame;

	/* What is loaded already is below the row's own id: no cycles. */
	return is_next(s, l->have.stacks + 1) && get_id(s, 1, l->have.stacks, &parent) &&
	       get_id(s, 2, l->have.frames, &frame) &&
	       model_stack(l->model, parent, frame) == ++l->have.stacks;
}

static bool row_probe(struct load *l, sqlite3_stmt *s)
{
	uint32_t strings = l->have.strings;
	struct model_probe p = {};
	int64_t offset;

	if (!is_next(s, l->have.probes + 1) || !get_id(s, 1, strings, &p.spec) ||
	    !get_id(s, 2, strings, &p.symbol) || !get_id(s, 3, strings, &p.name) ||
	    !get_id(s, 4, l->have.files, &p.file) || !get_i64(s, 5, &offset) ||
	    !get_id(s, 6, strings, &p.strategy) || !get_id(s, 7, UINT32_MAX, &p.skipped) ||
	    !get_id(s, 8, strings, &p.signature))
		return false;
	p.offset = offset;
	return model_probe(l->model, &p) == ++l->have.probes;
}

static bool row_path(struct load *l, sqlite3_stmt *s)
{
	uint32_t parent, probe;

	return is_next(s, l->have.paths + 1) && get_id(s, 1, l->have.paths, &parent) &&
	       get_id(s, 2, l->have.probes, &probe) &&
	       model_path(l->model, parent, probe) == ++l->have.paths;
}

static bool keep_window(struct load *l, const struct window *w)
{
	if (!l->apart)
		return true;
	if (array_reserve(&l->windows, &l->windows_cap, (size_t)l->n_windows + 1,
			  sizeof(*l->windows)) < 0)
		return false;
	l->windows[l->n_windows] = *w;
	return true;
}

static bool row_window(struct load *l, sqlite3_stmt *s)
{
	struct window w = {};
	uint32_t session;

	return is_next(s, ++l->n_windows) && get_id(s, 1, 1, &session) && session == 1 &&
	       get_number(s, 2, STORE_MAX_NUMBER, &w.start_ns) &&
	       get_number(s, 3, STORE_MAX_NUMBER, &w.end_ns) && w.start_ns <= w.end_ns &&
	       keep_window(l, &w) && window_merge(&l->total, &w) == 0;
}

static bool keep_rows(struct load *l, uint32_t window, const struct sample_row *rows, size_t n)
{
	return window_add_rows(&l->total, rows, n) == 0 &&
	       (!l->apart || window_add_rows(&l->windows[window], rows, n) == 0);
}

static bool keep_stat(struct load *l, uint32_t window, const struct span_stat *stat)
{
	return window_add_stat(&l->total, stat) == 0 &&
	       (!l->apart || window_add_stat(&l->windows[window], stat) == 0);
}

static bool row_sample(struct load *l, sqlite3_stmt *s)
{
	uint32_t window, process, thread, kind, stack;
	uint64_t count, total_ns;

	return get_id(s, 1, l->n_windows, &window) && window &&
	       get_id(s, 2, l->have.processes, &process) && process &&
	       get_id(s, 3, l->have.strings, &thread) && get_id(s, 4, SAMPLE_KINDS - 1, &kind) &&
	       get_id(s, 5, l->have.stacks, &stack) && get_number(s, 6, STORE_MAX_NUMBER, &count) &&
	       get_number(s, 7, STORE_MAX_NUMBER, &total_ns) &&
	       keep_rows(l, window,
			 &(struct sample_row){.process = process,
					      .thread = thread,
					      .stack = stack,
					      .kind = kind,
					      .count = count,
					      .total_ns = total_ns},
			 1);
}

static bool row_samples(struct load *l, sqlite3_stmt *s)
{
	_cleanup_(sample_set_release) struct sample_set set = {};
	uint32_t window, kind, count;
	uint64_t samples, sum = 0;

	if (!get_id(s, 1, l->n_windows, &window) || !window ||
	    !get_id(s, 2, SAMPLE_KINDS - 1, &kind) || !get_id(s, 3, SAMPLE_CHUNK_MAX, &count) ||
	    !get_number(s, 4, STORE_MAX_NUMBER, &samples) ||
	    sqlite3_column_type(s, 5) != SQLITE_BLOB ||
	    sample_chunk_decode(sqlite3_column_blob(s, 5), sqlite3_column_bytes(s, 5), kind, &set) <
		    0 ||
	    set.n != count)
		return false;
	for (size_t i = 0; i < set.n; i++) {
		const struct sample_row *row = &set.rows[i];

		if (!row->process || row->process > l->have.processes ||
		    row->thread > l->have.strings || row->stack > l->have.stacks)
			return false;
		sum = MIN(sum + row->count, STORE_MAX_NUMBER);
	}
	return sum == samples && keep_rows(l, window, set.rows, set.n);
}

static bool row_stat(struct load *l, sqlite3_stmt *s)
{
	struct span_stat stat = {};
	uint32_t window;
	bool good;

	if (!get_id(s, 1, l->n_windows, &window) || !window ||
	    !get_id(s, 2, l->have.processes, &stat.process) || !stat.process ||
	    !get_id(s, 3, l->have.paths, &stat.path) || !stat.path ||
	    !get_number(s, 4, STORE_MAX_NUMBER, &stat.calls) ||
	    !get_number(s, 5, STORE_MAX_NUMBER, &stat.errors) ||
	    !get_number(s, 6, STORE_MAX_NUMBER, &stat.unwound) ||
	    !get_number(s, 7, STORE_MAX_NUMBER, &stat.total_ns) ||
	    !get_number(s, 8, STORE_MAX_NUMBER, &stat.self_ns) ||
	    !get_number(s, 9, STORE_MAX_NUMBER, &stat.min_ns) ||
	    !get_number(s, 10, STORE_MAX_NUMBER, &stat.max_ns) ||
	    sqlite3_column_type(s, 11) != SQLITE_BLOB)
		return false;
	good = hist_unpack(sqlite3_column_blob(s, 11), sqlite3_column_bytes(s, 11), &stat.hist) &&
	       keep_stat(l, window, &stat);
	hist_release(&stat.hist);
	return good;
}

static bool row_loss(struct load *l, sqlite3_stmt *s)
{
	uint64_t kind, count;
	uint32_t window;

	if (!get_id(s, 1, l->n_windows, &window) || !window ||
	    !get_number(s, 2, UINT32_MAX, &kind) || !get_number(s, 3, STORE_MAX_NUMBER, &count))
		return false;
	/* Kinds are append-only: one that a newer writer knew is passed over. */
	if (kind < LOSS_COUNTERS)
		l->total.losses[kind] += count;
	if (kind < LOSS_COUNTERS && l->apart)
		l->windows[window].losses[kind] += count;
	return true;
}

/* In this order: a row names only what came before. */
static const struct {
	const char *table, *sql;
	load_row_t row;
	const char *old; /* of versions up to `until`, which had less; NULL: no such table */
	int until, last; /* last: the last version that has the table; 0: the newest */
} tables[] = {
	{"session",
	 "SELECT id, name, targets, frequency, started_us, ended_us, flags,"
	 " monotonic_to_epoch_ns, where_text, begin_text FROM session NOT INDEXED",
	 row_session,
	 "SELECT id, name, targets, frequency, started_us, ended_us, flags,"
	 " monotonic_to_epoch_ns, NULL, NULL FROM session NOT INDEXED",
	 1},
	{"session_spec", "SELECT rowid, session, spec FROM session_spec NOT INDEXED", row_spec},
	{"string", "SELECT id, value FROM string NOT INDEXED", row_string},
	{"file", "SELECT id, build_id, path, flags FROM file NOT INDEXED", row_file},
	{"process",
	 "SELECT id, pid, ppid, uid, flags, exit_status, ns_pid, start_ns, exec_ns, exit_ns, comm,"
	 " exe, cmdline, cgroup, container FROM process NOT INDEXED",
	 row_process,
	 "SELECT id, pid, ppid, uid, flags, exit_status, 0, start_ns, exec_ns, exit_ns, comm,"
	 " exe, cmdline, cgroup, 0 FROM process NOT INDEXED",
	 2},
	{"symbol", "SELECT id, name FROM symbol NOT INDEXED", row_symbol},
	{"frame", "SELECT id, file, offset, function FROM frame NOT INDEXED", row_frame},
	{"frame_line",
	 "SELECT rowid, frame, level, function, source, line FROM frame_line NOT INDEXED", row_line,
	 NULL, 2},
	{"stack", "SELECT id, parent, frame FROM stack NOT INDEXED", row_stack},
	{"probe",
	 "SELECT id, spec, symbol, name, file, offset, strategy, skipped, signature"
	 " FROM probe NOT INDEXED",
	 row_probe,
	 "SELECT id, spec, symbol, name, file, offset, strategy, skipped, 0"
	 " FROM probe NOT INDEXED",
	 1},
	{"path", "SELECT id, parent, probe FROM path NOT INDEXED", row_path},
	{"window", "SELECT id, session, start_ns, end_ns FROM window NOT INDEXED", row_window},
	{"sample",
	 "SELECT rowid, window, process, thread, kind, stack, count, total_ns"
	 " FROM sample NOT INDEXED",
	 row_sample,
	 "SELECT rowid, window, process, thread, 0, stack, count, 0 FROM sample NOT INDEXED", 2, 3},
	{"sample_chunk",
	 "SELECT id, window, kind, count, samples, data FROM sample_chunk NOT INDEXED", row_samples,
	 NULL, 3},
	{"span_stat",
	 "SELECT rowid, window, process, path, calls, errors, unwound, total_ns,"
	 " self_ns, min_ns, max_ns, histogram FROM span_stat NOT INDEXED",
	 row_stat},
	{"span_chunk",
	 "SELECT id, window, first_ns, last_ns, count"
	 " FROM span_chunk NOT INDEXED",
	 load_row_spans},
	{"raw_sample_chunk",
	 "SELECT id, window, kind, first_ns, last_ns, count FROM raw_sample_chunk NOT INDEXED",
	 load_row_raw_samples, NULL, 4},
	{"loss", "SELECT rowid, window, kind, count FROM loss NOT INDEXED", row_loss},
};

/*
 * Reads a table from its first row to its last. Row ids must rise: a file whose pages refer to one
 * another in circles would else never end.
 */
static int load_table(struct load *l, size_t i)
{
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;
	const char *sql = l->version <= tables[i].until ? tables[i].old : tables[i].sql;
	int64_t before = INT64_MIN, id;
	int code;

	if (!sql || (tables[i].last && l->version > tables[i].last))
		return 0;
	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK)
		return schema_read_error(l->db, l->path, l->error);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		id = sqlite3_column_int64(s, 0);
		if (id <= before || !tables[i].row(l, s))
			return load_bad_row(l->path, tables[i].table, id, l->error);
		before = id;
	}
	return code == SQLITE_DONE ? 0 : schema_read_error(l->db, l->path, l->error);
}

int load_all(struct load *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		int r = load_table(l, i);

		if (r < 0)
			return r;
	}
	if (!l->has_session)
		return load_bad_row(l->path, "session", 1, l->error);
	load_sort_raw(l);
	return 0;
}

void store_session_release(struct store_session *s)
{
	free(s->name);
	free(s->targets);
	free(s->where);
	free(s->begin);
	free(s->host);
	free(s->boot);
	for (size_t i = 0; i < s->n_specs; i++)
		free(s->specs[i]);
	free(s->specs);
	*s = (struct store_session){};
}

void load_release(struct load *l)
{
	store_session_release(&l->session);
	window_release(&l->total);
	/* Ids are dense: those up to n_windows, of which the last one may not have been kept. */
	for (size_t i = 1; l->windows && i <= l->n_windows && i < l->windows_cap; i++)
		window_release(&l->windows[i]);
	free(l->windows);
	free(l->chunks);
	free(l->raw_samples);
	free(l->symbols);
	*l = (struct load){};
}

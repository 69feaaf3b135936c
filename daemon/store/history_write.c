/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch into the rolling store: each thing once, found by what it is. */
#include "hist_pack.h"
#include "history_private.h"

static const char *const sql[H_STATEMENTS] = {
	[H_FIND_STRING] = "SELECT id FROM string WHERE value = ?",
	[H_ADD_STRING] = "INSERT INTO string(value) VALUES(?)",
	[H_FIND_FILE] = "SELECT id FROM file WHERE path = ? AND flags = ? AND build_id IS ?",
	[H_ADD_FILE] = "INSERT INTO file(path, flags, build_id) VALUES(?, ?, ?)",
	[H_FIND_SYMBOL] = "SELECT id FROM symbol WHERE name = ?",
	[H_ADD_SYMBOL] = "INSERT INTO symbol(name) VALUES(?)",
	[H_FIND_FRAME] = "SELECT id FROM frame WHERE offset = ? AND file = ? AND function = ?",
	[H_ADD_FRAME] = "INSERT INTO frame(offset, file, function) VALUES(?, ?, ?)",
	[H_CHANGE_FRAME] = "UPDATE frame SET offset = ?, file = ?, function = ? WHERE id = ?",
	[H_FIND_STACK] = "SELECT id FROM stack WHERE parent = ? AND frame = ?",
	[H_ADD_STACK] = "INSERT INTO stack(parent, frame) VALUES(?, ?)",
	[H_FIND_PROBE] =
		"SELECT id FROM probe WHERE spec = ? AND symbol = ? AND name = ? AND file = ?"
		" AND offset = ? AND strategy = ? AND skipped = ? AND signature = ?",
	[H_ADD_PROBE] = "INSERT INTO probe(spec, symbol, name, file, offset, strategy, skipped,"
			" signature) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
	[H_FIND_PATH] = "SELECT id FROM path WHERE parent = ? AND probe = ?",
	[H_ADD_PATH] = "INSERT INTO path(parent, probe) VALUES(?, ?)",
	[H_ADD_PROCESS] =
		"INSERT INTO process(session, pid, ppid, uid, flags, exit_status, ns_pid, start_ns,"
		" exec_ns, exit_ns, comm, exe, cmdline, cgroup, container)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[H_CHANGE_PROCESS] =
		"UPDATE process SET session = ?, pid = ?, ppid = ?, uid = ?, flags = ?,"
		" exit_status = ?, ns_pid = ?, start_ns = ?, exec_ns = ?, exit_ns = ?, comm = ?,"
		" exe = ?, cmdline = ?, cgroup = ?, container = ? WHERE id = ?",
	[H_ADD_WINDOW] = "INSERT INTO window(session, start_ns, end_ns) VALUES(?, ?, ?)",
	[H_ADD_SAMPLES] = "INSERT INTO sample_chunk(window, kind, count, samples, data)"
			  " VALUES(?, ?, ?, ?, ?)",
	[H_ADD_STAT] = "INSERT INTO span_stat(window, process, path, calls, errors, unwound,"
		       " total_ns, self_ns, min_ns, max_ns, histogram)"
		       " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[H_ADD_CHUNK] = "INSERT INTO span_chunk(window, first_ns, last_ns, count, data)"
			" VALUES(?, ?, ?, ?, ?)",
	[H_ADD_LOSS] = "INSERT INTO loss(window, kind, count) VALUES(?, ?, ?)",
	[H_ADD_EVENT] =
		"INSERT OR REPLACE INTO event(session, time_ns, process, detail, kind, text)"
		" VALUES(?, ?, ?, ?, ?, ?)",
};

bool history_prepare(struct history *h)
{
	for (int i = 0; i < H_STATEMENTS; i++)
		if (sqlite3_prepare_v3(h->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &h->statements[i], NULL) != SQLITE_OK)
			return false;
	return true;
}

void history_forget_ids(struct history *h)
{
	struct history_ids *all[] = {&h->strings, &h->files,  &h->processes, &h->frames,
				     &h->stacks,  &h->probes, &h->paths};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		free(all[i]->ids);
		*all[i] = (struct history_ids){};
	}
	for (size_t i = 0; i < h->path_cap; i++)
		free(h->path_of[i]);
	free(h->path_of);
	free(h->file_of);
	h->path_of = NULL;
	h->file_of = NULL;
	h->path_cap = h->file_cap = 0;
}

static int put_samples(struct history *h, int64_t window, const struct window *w)
{
	_cleanup_(freep) struct sample_row *rows = calloc(w->n_samples + 1, sizeof(*rows));

	if (!rows)
		return HISTORY_NO_MEMORY;
	for (size_t i = 0; i < w->n_samples; i++) {
		const struct sample_row *from = &w->samples[i];
		const int64_t process = history_store_id(&h->processes, from->process);
		const int64_t thread = history_store_id(&h->strings, from->thread);
		const int64_t stack = history_store_id(&h->stacks, from->stack);

		if (process <= 0 || thread < 0 || stack < 0 ||
		    MAX(MAX(process, thread), stack) > UINT32_MAX)
			return HISTORY_NOT_SENT;
		rows[i] = *from;
		rows[i].process = (uint32_t)process;
		rows[i].thread = (uint32_t)thread;
		rows[i].stack = (uint32_t)stack;
	}
	return history_put_samples(h, window, rows, w->n_samples, SAMPLE_CHUNK_QUICK);
}

static int put_stats(struct history *h, int64_t window, const struct window *w)
{
	uint8_t packed[HIST_PACKED_MAX];
	sqlite3_stmt *s = h->statements[H_ADD_STAT];

	for (size_t i = 0; i < w->n_stats; i++) {
		const struct span_stat *from = &w->stats[i];
		const uint64_t numbers[] = {from->calls,    from->errors,  from->unwound,
					    from->total_ns, from->self_ns, from->min_ns,
					    from->max_ns};
		const int64_t row[] = {window, history_store_id(&h->processes, from->process),
				       history_store_id(&h->paths, from->path)};

		if (row[1] <= 0 || row[2] <= 0)
			return HISTORY_NOT_SENT;
		history_bind(s, row, ARRAY_SIZE(row));
		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++)
			history_bind_number(s, 4 + (int)k, numbers[k]);
		sqlite3_bind_blob(s, 11, packed, (int)hist_pack(&from->hist, packed),
				  SQLITE_STATIC);
		if (history_run(s) < 0)
			return -1;
	}
	return 0;
}

/* Raw spans name things by the model's ids: in the store, by the store's. */
static int translate_spans(struct history *h, const struct window *w, struct raw_span *spans,
			   struct more_pool *more)
{
	for (size_t i = 0; i < w->n_spans; i++) {
		struct span_more m = more_pool_get(&w->more, i);
		const int64_t ids[] = {history_store_id(&h->processes, w->spans[i].process),
				       history_store_id(&h->paths, w->spans[i].path),
				       history_store_id(&h->stacks, m.stack),
				       history_store_id(&h->strings, m.exception_type),
				       history_store_id(&h->strings, m.exception_message)};

		for (size_t k = 0; k < ARRAY_SIZE(ids); k++)
			if (ids[k] < 0 || ids[k] > UINT32_MAX)
				return HISTORY_NOT_SENT;
		spans[i] = w->spans[i];
		spans[i].process = (uint32_t)ids[0];
		spans[i].path = (uint32_t)ids[1];
		m.stack = (uint32_t)ids[2];
		m.exception_type = (uint32_t)ids[3];
		m.exception_message = (uint32_t)ids[4];
		if (more_pool_put(more, i, &m) < 0)
			return HISTORY_NO_MEMORY;
	}
	return 0;
}

static void release_pool(struct more_pool *p)
{
	more_pool_release(p);
}

static int put_spans(struct history *h, int64_t window, const struct window *w)
{
	_cleanup_(freep) struct raw_span *spans = calloc(w->n_spans + 1, sizeof(*spans));
	_cleanup_(release_pool) struct more_pool more = {};
	sqlite3_stmt *s = h->statements[H_ADD_CHUNK];
	int r = spans ? translate_spans(h, w, spans, &more) : HISTORY_NO_MEMORY;

	for (size_t i = 0; i < w->n_spans && r == 0; i += CHUNK_MAX_SPANS) {
		_cleanup_(chunk_release) struct span_chunk chunk = {};

		if (chunk_encode(spans, &more, i, MIN(w->n_spans - i, (size_t)CHUNK_MAX_SPANS),
				 &chunk) < 0)
			return HISTORY_NO_MEMORY;
		sqlite3_bind_int64(s, 1, window);
		history_bind_number(s, 2, chunk.first_ns);
		history_bind_number(s, 3, chunk.last_ns);
		sqlite3_bind_int64(s, 4, chunk.count);
		sqlite3_bind_blob(s, 5, chunk.data, (int)chunk.size, SQLITE_STATIC);
		r = history_run(s);
	}
	return r;
}

static int put_window(struct history *h, int64_t session, const struct window *w)
{
	sqlite3_stmt *s = h->statements[H_ADD_WINDOW];
	int64_t window;
	int r;

	sqlite3_bind_int64(s, 1, session);
	history_bind_number(s, 2, w->start_ns);
	history_bind_number(s, 3, MAX(w->start_ns, w->end_ns));
	if (history_run(s) < 0)
		return -1;
	window = sqlite3_last_insert_rowid(h->db);
	r = put_samples(h, window, w);
	if (r == 0)
		r = put_stats(h, window, w);
	if (r == 0)
		r = put_spans(h, window, w);
	for (int kind = 0; kind < LOSS_COUNTERS && r == 0; kind++) {
		const int64_t row[] = {window, kind};

		if (!w->losses[kind])
			continue;
		history_bind(h->statements[H_ADD_LOSS], row, 2);
		history_bind_number(h->statements[H_ADD_LOSS], 3, w->losses[kind]);
		r = history_run(h->statements[H_ADD_LOSS]);
	}
	return r;
}

static int put_event(struct history *h, int64_t session, uint64_t time_ns, int64_t process,
		     const char *kind, int64_t detail, const char *text)
{
	const int64_t row[] = {session, (int64_t)MIN(time_ns, STORE_MAX_NUMBER), process, detail};
	sqlite3_stmt *s = h->statements[H_ADD_EVENT];

	history_bind(s, row, ARRAY_SIZE(row));
	sqlite3_bind_text(s, 5, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, text, -1, SQLITE_STATIC);
	return history_run(s);
}

static int put_batch(struct history *h, int64_t session, const struct history_batch *b,
		     char *const *names)
{
	int r = history_put_things(h, session, b, names);

	for (size_t i = 0; i < b->n_events && r == 0; i++) {
		const struct history_event_item *e = &b->events[i];
		int64_t process = history_store_id(&h->processes, e->process);

		r = process < 0
			    ? HISTORY_NOT_SENT
			    : put_event(h, session, e->time_ns, process, e->kind, e->detail, "");
	}
	return r == 0 ? put_window(h, session, &b->window) : r;
}

bool history_begin_batch(struct history *h, const struct history_batch *b)
{
	if (b->generation > h->generation) {
		history_forget_ids(h);
		h->generation = b->generation;
	}
	return b->generation == h->generation;
}

int history_write(struct history *h, int64_t session, const struct history_batch *b,
		  store_resolve_t resolve, void *arg, struct error *error)
{
	_cleanup_(history_free_namesp) char **names = NULL;
	int r;

	if (!history_begin_batch(h, b))
		return -ESTALE;
	names = history_name_frames(h, b, resolve, arg);
	if (!names)
		return error_set(error, ENOMEM, "WriteFailed", "cannot write %s: out of memory",
				 h->path);
	if (!history_exec(h, "BEGIN IMMEDIATE"))
		return schema_write_error(h->db, h->path, error);
	r = put_batch(h, session, b, names);
	if (r == 0 && history_exec(h, "COMMIT"))
		return 0;
	if (r == HISTORY_NO_MEMORY)
		r = error_set(error, ENOMEM, "WriteFailed", "cannot write %s: out of memory",
			      h->path);
	else if (r == HISTORY_NOT_SENT)
		r = error_set(error, ESTALE, "WriteFailed",
			      "cannot write %s: a window before this one was not written", h->path);
	else
		r = schema_write_error(h->db, h->path, error);
	history_rollback(h);
	history_forget_batch(h, b);
	return r;
}

int history_event(struct history *h, int64_t session, uint64_t time_ns, const char *kind,
		  int64_t detail, const char *text, struct error *error)
{
	return put_event(h, session, time_ns, 0, kind, detail, text ? text : "") < 0
		       ? schema_write_error(h->db, h->path, error)
		       : 0;
}

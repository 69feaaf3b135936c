/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One batch, one transaction. */
#include "writer.h"

static int put_text(struct store_writer *w, enum statement which, uint32_t id, const char *text)
{
	BIND(w, which, id);
	sqlite3_bind_text(w->statements[which], 2, text, -1, SQLITE_STATIC);
	return writer_run(w, which);
}

static int put_strings(struct store_writer *w, const struct store_batch *b)
{
	uint32_t first = b->first.strings + 1, n = b->last.strings - b->first.strings;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		r = put_text(w, INSERT_STRING, first + i, b->strings[i]);
	return r;
}

static int put_files(struct store_writer *w, const struct store_batch *b)
{
	uint32_t n = b->last.files - b->first.files;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct model_file *f = &b->files[i].file;

		BIND(w, INSERT_FILE, b->first.files + 1 + i, f->path, f->flags);
		if (model_file_has_id(f))
			sqlite3_bind_blob(w->statements[INSERT_FILE], 4, f->build_id, BUILD_ID_LEN,
					  SQLITE_STATIC);
		else
			sqlite3_bind_null(w->statements[INSERT_FILE], 4);
		r = writer_run(w, INSERT_FILE);
	}
	return r;
}

static int put_event(struct store_writer *w, uint64_t time_ns, uint32_t process, int64_t detail,
		     const char *kind)
{
	BIND(w, INSERT_EVENT, time_ns, process, detail);
	sqlite3_bind_text(w->statements[INSERT_EVENT], 4, kind, -1, SQLITE_STATIC);
	return writer_run(w, INSERT_EVENT);
}

/* Writes the process unless its row is in the file as it is. */
static int put_process(struct store_writer *w, uint32_t id, const struct model_process *p)
{
	const int64_t row[] = {
		id,
		p->pid,
		p->ppid,
		p->uid,
		p->flags & PROCESS_EXITED,
		p->exit_status,
		p->ns_pid,
		writer_number(p->start_ns),
		writer_number(p->exec_ns),
		writer_number(p->exit_ns),
		p->comm,
		p->exe,
		p->cmdline,
		p->cgroup,
		p->container,
	};
	uint32_t hash = (uint32_t)hash_bytes(row, sizeof(row), 0) | 1;
	uint32_t *have = table_put(&w->process_rows, id, NULL);
	int r;

	if (!have)
		return -ENOMEM;
	if (*have == hash)
		return 0;
	writer_bind(w, INSERT_PROCESS, row, ARRAY_SIZE(row));
	r = writer_run(w, INSERT_PROCESS);
	if (r == 0 && p->exec_ns)
		r = put_event(w, writer_number(p->exec_ns), id, 0, "exec");
	if (r == 0 && p->flags & PROCESS_EXITED && p->exit_ns)
		r = put_event(w, writer_number(p->exit_ns), id, p->exit_status, "exit");
	if (r == 0)
		*have = hash;
	return r;
}

static int put_processes(struct store_writer *w, const struct store_batch *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_processes && r == 0; i++)
		r = put_process(w, b->processes[i].id, &b->processes[i].process);
	return r;
}

static int put_lines(struct store_writer *w, const struct store_batch *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_late && r == 0; i++) {
		if (!line_writer_is_stale(&w->lines, b->late[i].id))
			continue;
		BIND(w, DELETE_LINES, b->late[i].id);
		r = writer_run(w, DELETE_LINES);
	}
	for (size_t i = 0; i < w->lines.n_rows && r == 0; i++) {
		const struct line_row *row = &w->lines.rows[i];

		BIND(w, INSERT_LINE, row->frame, row->level, row->function, row->source, row->line);
		r = writer_run(w, INSERT_LINE);
	}
	return r;
}

static int put_frames(struct store_writer *w, const struct store_batch *b, const uint32_t *names)
{
	uint32_t n = b->last.frames - b->first.frames;
	int r = 0;

	for (uint32_t id = w->symbols_written + 1; id <= w->symbols.count && r == 0; id++)
		r = put_text(w, INSERT_SYMBOL, id, strings_get(&w->symbols, id));
	for (uint32_t i = 0; i < n && r == 0; i++) {
		BIND(w, INSERT_FRAME, b->first.frames + 1 + i, b->frames[i].file,
		     b->frames[i].offset, names[i]);
		r = writer_run(w, INSERT_FRAME);
	}
	for (size_t i = 0; i < b->n_late && r == 0; i++) {
		const struct batch_late *late = &b->late[i];

		BIND(w, UPDATE_FRAME, late->frame.file, late->frame.offset, names[n + i], late->id);
		r = writer_run(w, UPDATE_FRAME);
	}
	if (r == 0)
		r = put_lines(w, b);
	for (uint32_t i = 0; i < b->last.stacks - b->first.stacks && r == 0; i++) {
		BIND(w, INSERT_STACK, b->first.stacks + 1 + i, b->stacks[i].parent,
		     b->stacks[i].frame);
		r = writer_run(w, INSERT_STACK);
	}
	return r;
}

static int put_probes(struct store_writer *w, const struct store_batch *b)
{
	int r = 0;

	for (uint32_t i = 0; i < b->last.probes - b->first.probes && r == 0; i++) {
		const struct model_probe *p = &b->probes[i];

		BIND(w, INSERT_PROBE, b->first.probes + 1 + i, p->spec, p->symbol, p->name, p->file,
		     p->offset, p->strategy, p->skipped, p->signature);
		r = writer_run(w, INSERT_PROBE);
	}
	for (uint32_t i = 0; i < b->last.paths - b->first.paths && r == 0; i++) {
		BIND(w, INSERT_PATH, b->first.paths + 1 + i, b->paths[i].parent, b->paths[i].probe);
		r = writer_run(w, INSERT_PATH);
	}
	return r;
}

/* Keeps what names later frames: the batch does not stay. */
static int learn_files(struct store_writer *w, const struct store_batch *b)
{
	int r = array_reserve(&w->files, &w->files_cap, (size_t)b->last.files + 1,
			      sizeof(*w->files));

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < b->last.files - b->first.files; i++) {
		struct batch_file *f = &w->files[b->first.files + 1 + i];

		free(f->path); /* of a batch that could not be written */
		f->file = b->files[i].file;
		f->path = strdup(b->files[i].path);
		if (!f->path)
			return -ENOMEM;
	}
	return 0;
}

void store_each_unnamed(const struct store_writer *w, const struct store_batch *b,
			store_resolve_t resolve, void *arg)
{
	/* store_write() will refuse it. */
	if (memcmp(&b->first, &w->have, sizeof(w->have)) != 0)
		return;
	for (uint32_t i = 0; i < b->last.frames - b->first.frames; i++) {
		const struct model_frame *frame = &b->frames[i];
		uint32_t at = frame->file - b->first.files - 1;

		if (b->functions[i] || !frame->file)
			continue;
		/* Of a file that was there before, or that comes with this batch. */
		if (frame->file <= b->first.files)
			free(resolve(arg, &w->files[frame->file].file, w->files[frame->file].path,
				     frame->offset));
		else
			free(resolve(arg, &b->files[at].file, b->files[at].path, frame->offset));
	}
}

/* The symbol id of each new frame, 0 where there is no name; then those of the late ones. */
static int name_frames(struct store_writer *w, const struct store_batch *b,
		       const struct store_names *sources, uint32_t **ret)
{
	uint32_t n = b->last.frames - b->first.frames;
	_cleanup_(freep) uint32_t *names = calloc(n + b->n_late + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct model_frame *frame = &b->frames[i];
		const struct batch_file *f = &w->files[frame->file];
		_cleanup_(freep) char *found = NULL;
		const char *name = b->functions[i];

		if (!name && frame->file && sources->resolve)
			name = found =
				sources->resolve(sources->arg, &f->file, f->path, frame->offset);
		if (!name || !*name)
			continue;
		names[i] = strings_add(&w->symbols, name, MIN(strlen(name), (size_t)STRING_MAX));
		if (!names[i])
			return -ENOMEM;
	}
	for (size_t i = 0; i < b->n_late; i++) {
		const char *name = b->late[i].function;

		names[n + i] = *name ? strings_add(&w->symbols, name, strlen(name)) : 0;
		if (*name && !names[n + i])
			return -ENOMEM;
	}
	*ret = TAKE_PTR(names);
	return 0;
}

/* All rows of the batch. 0, a negative errno, or -1 (-EPERM) when SQLite knows why. */
static int put_batch(struct store_writer *w, struct store_batch *b, const uint32_t *names)
{
	int r = put_strings(w, b);

	if (r == 0)
		r = put_files(w, b);
	if (r == 0)
		r = put_processes(w, b);
	if (r == 0)
		r = put_frames(w, b, names);
	if (r == 0)
		r = put_probes(w, b);
	return r == 0 ? writer_put_window(w, &b->window) : r;
}

int store_writer_failed(const struct store_writer *w, struct error *error)
{
	int r = schema_write_error(w->db, w->unseen ? w->path : w->written, error);

	if (error && w->unseen && (r == -ENOSPC || r == -EDQUOT)) {
		error->fix[0] = '\0';
		error_fix(error,
			  "Free space, or name a file on another disk: nothing is left of what "
			  "was written.");
	}
	return r;
}

int store_write(struct store_writer *w, struct store_batch *b, const struct store_names *names,
		struct error *error)
{
	_cleanup_(freep) uint32_t *functions = NULL;
	int r;

	if (memcmp(&b->first, &w->have, sizeof(w->have)) != 0)
		return error_set(error, EINVAL, "WriteFailed",
				 "cannot write %s: the window before this one was not written",
				 w->written);
	r = learn_files(w, b);
	/* Reading symbols may take seconds: it is done before the transaction begins. */
	if (r >= 0)
		r = name_frames(w, b, names, &functions);
	if (r >= 0)
		r = line_writer_take(&w->lines, b, w->files, functions, names, &w->symbols);
	if (r < 0)
		return error_set(error, -r, "WriteFailed", "cannot write %s: out of memory",
				 w->written);
	if (sqlite3_exec(w->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return store_writer_failed(w, error);
	r = put_batch(w, b, functions);
	if (r == 0 && sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		r = -1;
	if (r < 0) {
		r = r == -ENOMEM ? error_set(error, ENOMEM, "WriteFailed",
					     "cannot write %s: out of memory", w->written)
				 : store_writer_failed(w, error);
		/* Some failures have rolled back already. */
		if (!sqlite3_get_autocommit(w->db))
			sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
		table_clear(&w->process_rows);
		return r;
	}
	w->have = b->last;
	line_writer_committed(&w->lines, b);
	w->symbols_written = w->symbols.count;
	w->n_windows++;
	return 0;
}

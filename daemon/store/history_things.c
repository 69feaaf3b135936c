/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What windows name, into the rolling store: each thing once, found by what it is. */
#include "history_private.h"

enum { MANY_LIVE = 4096 };

static int64_t *room(struct history_ids *m, uint32_t id)
{
	return array_reserve(&m->ids, &m->cap, (size_t)id + 1, sizeof(*m->ids)) < 0 ? NULL
										    : &m->ids[id];
}

/* The row that a bound search finds, 0 for none, -1. */
static int64_t find(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	int64_t id = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : code == SQLITE_DONE ? 0 : -1;

	sqlite3_reset(s);
	return id;
}

static int64_t add(struct history *h, sqlite3_stmt *s)
{
	return history_run(s) < 0 ? -1 : sqlite3_last_insert_rowid(h->db);
}

/* The row with these numbers, made when there is none. */
static int64_t find_or_add(struct history *h, enum history_statement search,
			   enum history_statement insert, const int64_t *values, size_t n)
{
	int64_t id;

	history_bind(h->statements[search], values, n);
	id = find(h->statements[search]);
	if (id)
		return id;
	history_bind(h->statements[insert], values, n);
	return add(h, h->statements[insert]);
}

static int64_t find_or_add_text(struct history *h, enum history_statement search,
				enum history_statement insert, const char *text)
{
	int64_t id;

	sqlite3_bind_text(h->statements[search], 1, text, -1, SQLITE_STATIC);
	id = find(h->statements[search]);
	if (id)
		return id;
	sqlite3_bind_text(h->statements[insert], 1, text, -1, SQLITE_STATIC);
	return add(h, h->statements[insert]);
}

/* Notes what a model id has become: 0, or the failure. */
static int note(struct history_ids *m, uint32_t id, int64_t row)
{
	int64_t *slot = row > 0 ? room(m, id) : NULL;

	if (row <= 0)
		return (int)row;
	if (!slot)
		return HISTORY_NO_MEMORY;
	*slot = row;
	return 0;
}

static int put_strings(struct history *h, const struct history_batch *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_strings && r == 0; i++)
		r = note(&h->strings, b->strings[i].id,
			 find_or_add_text(h, H_FIND_STRING, H_ADD_STRING, b->strings[i].text));
	return r;
}

static int64_t put_file(struct history *h, const struct model_file *f, int64_t path)
{
	const enum history_statement both[] = {H_FIND_FILE, H_ADD_FILE};

	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *s = h->statements[both[i]];
		int64_t id;

		sqlite3_bind_int64(s, 1, path);
		sqlite3_bind_int64(s, 2, f->flags);
		if (model_file_has_id(f))
			sqlite3_bind_blob(s, 3, f->build_id, BUILD_ID_LEN, SQLITE_STATIC);
		else
			sqlite3_bind_null(s, 3);
		id = i == 0 ? find(s) : add(h, s);
		if (id)
			return id;
	}
	return -1;
}

static const char *text_of(const struct history_batch *b, uint32_t id)
{
	for (size_t i = 0; i < b->n_strings; i++)
		if (b->strings[i].id == id)
			return b->strings[i].text;
	return NULL;
}

/* Its path, from the batch or, sent in one before, from the file. */
static char *path_of_file(struct history *h, const struct history_batch *b, uint32_t string)
{
	const char *text = text_of(b, string);
	_cleanup_(schema_finalizep) sqlite3_stmt *s = NULL;

	if (text)
		return strdup(text);
	if (sqlite3_prepare_v2(h->db, "SELECT value FROM string WHERE id = ?", -1, &s, NULL) !=
	    SQLITE_OK)
		return NULL;
	sqlite3_bind_int64(s, 1, history_store_id(&h->strings, string));
	if (sqlite3_step(s) != SQLITE_ROW)
		return NULL;
	text = (const char *)sqlite3_column_text(s, 0);
	return text ? strdup(text) : NULL;
}

static int put_files(struct history *h, const struct history_batch *b)
{
	for (size_t i = 0; i < b->n_files; i++) {
		const struct history_file *f = &b->files[i];
		int64_t path = history_store_id(&h->strings, f->file.path);
		int r = path < 0 ? (int)path : note(&h->files, f->id, put_file(h, &f->file, path));

		if (r < 0)
			return r;
	}
	return 0;
}

/* Tables do not forget single keys. */
static int forget_ended(struct history *h)
{
	struct table kept = {};

	if (h->live.len < MAX(h->live_most, (size_t)MANY_LIVE))
		return 0;
	for (size_t i = 0; i <= h->live.mask; i++) {
		const struct table_slot *slot = &h->live.slots[i];
		uint32_t *to = slot->used && slot->value ? table_put(&kept, slot->key, NULL) : NULL;

		if (slot->used && slot->value && !to) {
			table_release(&kept);
			return HISTORY_NO_MEMORY;
		}
		if (to)
			*to = slot->value;
	}
	table_release(&h->live);
	h->live = kept;
	h->live_most = 2 * kept.len;
	return 0;
}

static int put_process(struct history *h, int64_t session, const struct history_process *item)
{
	const struct model_process *p = &item->process;
	uint64_t key = hash_mix(hash_mix(1, p->pid), p->start_ns);
	uint32_t *live = table_put(&h->live, key, NULL);
	int64_t row[16] = {session,	   p->pid,   p->ppid, p->uid, p->flags & PROCESS_EXITED,
			   p->exit_status, p->ns_pid};
	sqlite3_stmt *s;
	int64_t id;

	if (!live)
		return HISTORY_NO_MEMORY;
	for (size_t i = 0; i < 5; i++) {
		row[10 + i] = history_store_id(&h->strings, (&p->comm)[i]);
		if (row[10 + i] < 0)
			return (int)row[10 + i];
	}
	row[15] = id = *live;
	s = h->statements[id ? H_CHANGE_PROCESS : H_ADD_PROCESS];
	history_bind(s, row, id ? 16 : 15);
	history_bind_number(s, 8, p->start_ns);
	history_bind_number(s, 9, p->exec_ns);
	history_bind_number(s, 10, p->exit_ns);
	if (history_run(s) < 0)
		return -1;
	if (!id)
		id = sqlite3_last_insert_rowid(h->db);
	*live = p->flags & PROCESS_EXITED ? 0 : (uint32_t)id;
	return note(&h->processes, item->id, id);
}

static int put_frame(struct history *h, const struct history_batch *b,
		     const struct history_frame *f, const char *found)
{
	int64_t row[4] = {(int64_t)f->frame.offset, history_store_id(&h->files, f->frame.file)};
	const char *name = found;

	if (f->frame.function) {
		row[2] = history_store_id(&h->strings, f->frame.function);
		name = text_of(b, f->frame.function);
	}
	if (row[1] < 0 || row[2] < 0)
		return HISTORY_NOT_SENT;
	row[2] = 0;
	if (f->frame.function && !name) {
		_cleanup_(freep) char *text = path_of_file(h, b, f->frame.function);

		row[2] = text ? find_or_add_text(h, H_FIND_SYMBOL, H_ADD_SYMBOL, text)
			      : HISTORY_NO_MEMORY;
	} else if (name && *name) {
		row[2] = find_or_add_text(h, H_FIND_SYMBOL, H_ADD_SYMBOL, name);
	}
	if (row[2] < 0)
		return (int)row[2];
	if (!f->changed)
		return note(&h->frames, f->id, find_or_add(h, H_FIND_FRAME, H_ADD_FRAME, row, 3));
	row[3] = history_store_id(&h->frames, f->id);
	if (row[3] < 0)
		return HISTORY_NOT_SENT;
	history_bind(h->statements[H_CHANGE_FRAME], row, 4);
	return history_run(h->statements[H_CHANGE_FRAME]);
}

static int put_nodes(struct history *h, const struct history_node *nodes, size_t n,
		     struct history_ids *own, const struct history_ids *items,
		     enum history_statement search, enum history_statement insert)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const int64_t row[] = {history_store_id(own, nodes[i].parent),
				       history_store_id(items, nodes[i].item)};

		if (row[0] < 0 || row[1] < 0)
			return HISTORY_NOT_SENT;
		r = note(own, nodes[i].id, find_or_add(h, search, insert, row, 2));
	}
	return r;
}

static int put_probes(struct history *h, const struct history_batch *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_probes && r == 0; i++) {
		const struct model_probe *p = &b->probes[i].probe;
		const int64_t row[] = {history_store_id(&h->strings, p->spec),
				       history_store_id(&h->strings, p->symbol),
				       history_store_id(&h->strings, p->name),
				       history_store_id(&h->files, p->file),
				       (int64_t)p->offset,
				       history_store_id(&h->strings, p->strategy),
				       p->skipped,
				       history_store_id(&h->strings, p->signature)};

		for (size_t k = 0; k < ARRAY_SIZE(row); k++)
			if (k != 4 && row[k] < 0) /* an offset may be any number */
				return HISTORY_NOT_SENT;
		r = note(&h->probes, b->probes[i].id,
			 find_or_add(h, H_FIND_PROBE, H_ADD_PROBE, row, ARRAY_SIZE(row)));
	}
	return r;
}

int history_put_things(struct history *h, int64_t session, const struct history_batch *b,
		       char *const *names)
{
	int r = put_strings(h, b);

	if (r == 0)
		r = put_files(h, b);
	if (r == 0)
		r = forget_ended(h);
	for (size_t i = 0; i < b->n_processes && r == 0; i++)
		r = put_process(h, session, &b->processes[i]);
	for (size_t i = 0; i < b->n_frames && r == 0; i++)
		r = put_frame(h, b, &b->frames[i], names[i]);
	if (r == 0)
		r = put_nodes(h, b->stacks, b->n_stacks, &h->stacks, &h->frames, H_FIND_STACK,
			      H_ADD_STACK);
	if (r == 0)
		r = put_probes(h, b);
	if (r == 0)
		r = put_nodes(h, b->paths, b->n_paths, &h->paths, &h->probes, H_FIND_PATH,
			      H_ADD_PATH);
	return r;
}

/* What is remembered was not written after all: the batch's things are forgotten again. */
void history_forget_batch(struct history *h, const struct history_batch *b)
{
#define FORGET(map, what)                                                                          \
	for (size_t i = 0; i < b->n_##what; i++)                                                   \
		if (b->what[i].id < h->map.cap)                                                    \
			h->map.ids[b->what[i].id] = 0;
	FORGET(strings, strings);
	FORGET(files, files);
	FORGET(processes, processes);
	FORGET(stacks, stacks);
	FORGET(probes, probes);
	FORGET(paths, paths);
#undef FORGET
	for (size_t i = 0; i < b->n_frames; i++)
		if (!b->frames[i].changed && b->frames[i].id < h->frames.cap)
			h->frames.ids[b->frames[i].id] = 0;
	table_clear(&h->live);
}

char **history_free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
	return NULL;
}

/* Files of the batch, so that its frames can be named before anything is written. */
static int learn_files(struct history *h, const struct history_batch *b)
{
	for (size_t i = 0; i < b->n_files; i++) {
		const struct history_file *f = &b->files[i];

		if (array_reserve(&h->file_of, &h->file_cap, (size_t)f->id + 1,
				  sizeof(*h->file_of)) < 0 ||
		    array_reserve(&h->path_of, &h->path_cap, (size_t)f->id + 1,
				  sizeof(*h->path_of)) < 0)
			return -ENOMEM;
		h->file_of[f->id] = f->file;
		free(h->path_of[f->id]);
		h->path_of[f->id] = path_of_file(h, b, f->file.path);
		if (!h->path_of[f->id])
			return -ENOMEM;
	}
	return 0;
}

/* Whether its name is asked for: it has none, and a file that is known. */
static bool is_unnamed(const struct history *h, const struct model_frame *f)
{
	return !f->function && f->file && f->file < h->file_cap && f->file < h->path_cap &&
	       h->path_of[f->file];
}

void history_each_unnamed(struct history *h, const struct history_batch *b, store_resolve_t resolve,
			  void *arg)
{
	if (!history_begin_batch(h, b) || learn_files(h, b) < 0)
		return;
	for (size_t i = 0; i < b->n_frames; i++) {
		const struct model_frame *f = &b->frames[i].frame;

		if (is_unnamed(h, f))
			free(resolve(arg, &h->file_of[f->file], h->path_of[f->file], f->offset));
	}
}

char **history_name_frames(struct history *h, const struct history_batch *b,
			   store_resolve_t resolve, void *arg)
{
	char **names = learn_files(h, b) < 0 ? NULL : calloc(b->n_frames + 1, sizeof(*names));

	for (size_t i = 0; names && i < b->n_frames; i++) {
		const struct model_frame *f = &b->frames[i].frame;

		if (resolve && is_unnamed(h, f))
			names[i] =
				resolve(arg, &h->file_of[f->file], h->path_of[f->file], f->offset);
		if (!names[i])
			names[i] = strdup("");
		if (!names[i])
			return history_free_names(names);
	}
	return names;
}

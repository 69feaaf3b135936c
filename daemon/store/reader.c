/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/stat.h>

#include "load.h"
#include "meta.h"
#include "sonde/base/host.h"

struct store_reader {
	sqlite3 *db;
	sqlite3_stmt *chunk, *samples;
	char *path;
	char *copy; /* a private directory with a copy of the file, or NULL */
	struct load load;
	uint64_t steps_left; /* see schema_limit_steps() */
};

struct store_reader *store_reader_free(struct store_reader *r)
{
	if (!r)
		return NULL;
	sqlite3_finalize(r->chunk);
	sqlite3_finalize(r->samples);
	sqlite3_close(r->db);
	schema_remove_copy(r->copy);
	load_release(&r->load);
	free(r->copy);
	free(r->path);
	free(r);
	return NULL;
}

/* Last, as ids of the model are those of the file. */
static int load_host(struct load *l)
{
	struct store_session *s = &l->session;
	int r = meta_get(l->db, META_HOST, HOST_NAME_MAX_LEN, &s->host);

	if (r >= 0)
		r = meta_get(l->db, META_BOOT, HOST_BOOT_LEN, &s->boot);
	if (r == -EBADMSG)
		return load_bad_row(l->path, "meta", 0, l->error);
	/* Files of before do not say. */
	return r < 0 ? r : model_set_host(l->model, s->host, s->boot);
}

/* The rolling store has the same tables, but not in the order in which a recording names things. */
static int check_recording(const struct store_reader *r, struct error *error)
{
	int64_t states = 0;

	/* What cannot be read is said of the tables that matter. */
	if (schema_number(r->db, "SELECT count(*) FROM meta WHERE key = 'state'", &states) < 0 ||
	    !states)
		return 0;
	error_set(error, EINVAL, "BadFile", "%s is the history of a sonded, not a recording",
		  r->path);
	error_fix(error, "Ask the daemon with --since, or write a recording of a part of it: sonde "
			 "record --since 2h --until 1h -o incident.sonde");
	return -EINVAL;
}

/* One view of the file for all tables, though a writer may add to it meanwhile. */
static int load_in_transaction(struct store_reader *r, struct model *m, struct error *error)
{
	int ret;

	if (sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return schema_read_error(r->db, r->path, error);
	schema_limit_steps(r->db, &r->steps_left);
	ret = schema_check(r->db, r->path, error);
	r->load.version = ret;
	if (ret >= 0)
		ret = check_recording(r, error);
	if (ret >= 0) {
		r->load.db = r->db;
		r->load.path = r->path;
		r->load.model = m;
		r->load.error = error;
		ret = load_all(&r->load);
		if (ret >= 0)
			ret = load_host(&r->load);
		r->load.error = NULL; /* the caller's, and for this call only */
	}
	sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
	sqlite3_progress_handler(r->db, 0, NULL, NULL);
	return ret;
}

static int open_file(const char *path, struct model *m, bool apart, struct error *error,
		     struct store_reader **ret)
{
	_cleanup_(store_reader_freep) struct store_reader *r = NULL;
	struct model_counts have;
	int code;

	model_counts(m, &have);
	/* The kernel file and its name are in a new model, and are the first rows of each file. */
	if (have.strings > 1 || have.files > 1 || have.processes || have.frames || have.stacks ||
	    have.probes || have.paths)
		return error_set(error, EINVAL, "Internal", "%s is opened into a model in use",
				 path);
	r = calloc(1, sizeof(*r));
	if (!r || !(r->path = strdup(path)))
		return -ENOMEM;
	r->load.apart = apart;
	code = schema_open_reader(path, error, &r->db, &r->copy);
	if (code >= 0)
		code = load_in_transaction(r, m, error);
	if (code < 0)
		return code;
	if (sqlite3_prepare_v3(r->db,
			       "SELECT first_ns, last_ns, count, data FROM span_chunk WHERE id = ?",
			       -1, SQLITE_PREPARE_PERSISTENT, &r->chunk, NULL) != SQLITE_OK)
		return schema_read_error(r->db, path, error);
	if (r->load.n_raw_samples &&
	    sqlite3_prepare_v3(r->db, "SELECT data FROM raw_sample_chunk WHERE id = ?", -1,
			       SQLITE_PREPARE_PERSISTENT, &r->samples, NULL) != SQLITE_OK)
		return schema_read_error(r->db, path, error);
	*ret = TAKE_PTR(r);
	return 0;
}

int store_open(const char *path, struct model *m, struct error *error, struct store_reader **ret)
{
	return open_file(path, m, false, error, ret);
}

int store_open_apart(const char *path, struct model *m, struct error *error,
		     struct store_reader **ret)
{
	return open_file(path, m, true, error, ret);
}

const struct window *store_reader_window(const struct store_reader *r, size_t i)
{
	return r->load.apart && i < r->load.n_windows ? &r->load.windows[i + 1] : NULL;
}

const struct store_session *store_reader_session(const struct store_reader *r)
{
	return &r->load.session;
}

const struct window *store_reader_total(const struct store_reader *r)
{
	return &r->load.total;
}

uint64_t store_reader_windows(const struct store_reader *r)
{
	return r->load.n_windows;
}

int store_reader_version(const struct store_reader *r)
{
	return r->load.version;
}

/* Calls back with the chunk of that id. */
static int with_chunk(struct store_reader *r, int64_t id,
		      int (*each)(void *arg, const struct span_chunk *chunk), void *arg,
		      struct error *error)
{
	struct span_chunk chunk = {};
	int ret, code;

	sqlite3_bind_int64(r->chunk, 1, id);
	code = sqlite3_step(r->chunk);
	if (code == SQLITE_ROW && sqlite3_column_type(r->chunk, 3) == SQLITE_BLOB) {
		chunk.first_ns = sqlite3_column_int64(r->chunk, 0);
		chunk.last_ns = sqlite3_column_int64(r->chunk, 1);
		chunk.count = sqlite3_column_int64(r->chunk, 2);
		/* The callback only reads: chunk has no constant twin. */
		chunk.data = (uint8_t *)sqlite3_column_blob(r->chunk, 3);
		chunk.size = sqlite3_column_bytes(r->chunk, 3);
		ret = each(arg, &chunk);
	} else if (code == SQLITE_ROW || code == SQLITE_DONE) {
		ret = load_bad_row(r->path, "span_chunk", id, error);
	} else {
		ret = schema_read_error(r->db, r->path, error);
	}
	sqlite3_reset(r->chunk);
	return ret;
}

size_t store_reader_chunks(const struct store_reader *r)
{
	return r->load.n_chunks;
}

int store_chunk(struct store_reader *r, size_t i,
		int (*each)(void *arg, const struct span_chunk *chunk), void *arg,
		struct error *error)
{
	return with_chunk(r, r->load.chunks[i].id, each, arg, error);
}

int store_each_chunk(struct store_reader *r, int (*each)(void *arg, const struct span_chunk *chunk),
		     void *arg, struct error *error)
{
	int ret = 0;

	for (size_t i = 0; i < store_reader_chunks(r) && ret == 0; i++)
		ret = store_chunk(r, i, each, arg, error);
	return ret;
}

static int compare_places(const void *a, const void *b)
{
	const struct store_chunk_place *x = a, *y = b;

	if (x->window != y->window)
		return x->window < y->window ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int store_reader_places(const struct store_reader *r, struct store_chunk_place **ret, size_t *ret_n)
{
	size_t n = r->load.n_chunks;
	struct store_chunk_place *places = calloc(n + 1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		places[i] = (struct store_chunk_place){.window = r->load.chunks[i].window - 1,
						       .count = r->load.chunks[i].count,
						       .id = r->load.chunks[i].id};
	if (n)
		qsort(places, n, sizeof(*places), compare_places);
	*ret = places;
	*ret_n = n;
	return 0;
}

struct reading {
	const struct store_reader *reader;
	struct span_set set;
	struct error *error;
};

static int unpack_read(void *arg, const struct span_chunk *chunk)
{
	struct reading *reading = arg;

	return store_unpack_chunk(reading->reader, chunk, &reading->set, reading->error);
}

int store_read_place(struct store_reader *r, const struct store_chunk_place *place,
		     struct span_set *ret, struct error *error)
{
	struct reading reading = {.reader = r, .error = error};
	int code = with_chunk(r, place->id, unpack_read, &reading, error);

	if (code >= 0)
		*ret = reading.set;
	return code;
}

/* Whether the model has all that span i of the set names. */
static bool is_sound(const struct model_counts *have, const struct span_set *set, size_t i)
{
	const struct raw_span *span = &set->spans[i];
	struct span_more more = more_pool_get(&set->more, i);

	return span->process && span->process <= have->processes && span->path &&
	       span->path <= have->paths && more.stack <= have->stacks &&
	       more.exception_type <= have->strings && more.exception_message <= have->strings;
}

static int not_unpacked(const struct store_reader *r, const char *what, struct error *error)
{
	error_set(error, EBADMSG, "BadFile", "%s is damaged: its raw %s cannot be unpacked",
		  r->path, what);
	error_fix(error, "Copy it again from where it was recorded, or record again.");
	return -EBADMSG;
}

int store_unpack_chunk(const struct store_reader *r, const struct span_chunk *chunk,
		       struct span_set *ret, struct error *error)
{
	_cleanup_(span_set_release) struct span_set set = {};
	int code = chunk_decode(chunk->data, chunk->size, &set);

	if (code == -ENOMEM)
		return code;
	if (code >= 0 && set.n != chunk->count)
		code = -EBADMSG;
	for (size_t i = 0; code >= 0 && i < set.n; i++)
		if (!is_sound(&r->load.have, &set, i))
			code = -EBADMSG;
	if (code < 0)
		return not_unpacked(r, "spans", error);
	*ret = set;
	set = (struct span_set){};
	return 0;
}

size_t store_reader_sample_chunks(const struct store_reader *r)
{
	return r->load.n_raw_samples;
}

struct raw_sample_chunk store_sample_chunk(const struct store_reader *r, size_t i)
{
	return r->load.raw_samples[i].chunk;
}

size_t store_sample_chunk_window(const struct store_reader *r, size_t i)
{
	return r->load.raw_samples[i].window - 1;
}

/* Whether the set is what the row has said, and the model has all that it names. */
static bool samples_are_sound(const struct load *l, const struct raw_sample_chunk *chunk,
			      const struct raw_sample_set *set)
{
	if (set->n != chunk->count)
		return false;
	for (size_t i = 0; i < set->n; i++) {
		const struct raw_sample *s = &set->samples[i];

		if (!s->process || s->process > l->have.processes || s->thread > l->have.strings ||
		    s->stack > l->have.stacks || s->time_ns < chunk->first_ns ||
		    MIN(s->time_ns + s->ns, STORE_MAX_NUMBER) > chunk->last_ns)
			return false;
	}
	return true;
}

int store_read_samples(struct store_reader *r, size_t i, struct raw_sample_set *ret,
		       struct error *error)
{
	_cleanup_(raw_sample_set_release) struct raw_sample_set set = {};
	const struct load_raw_samples *row = &r->load.raw_samples[i];
	int code;

	sqlite3_bind_int64(r->samples, 1, row->id);
	code = sqlite3_step(r->samples);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		code = schema_read_error(r->db, r->path, error);
		sqlite3_reset(r->samples);
		return code;
	}
	code = code == SQLITE_ROW
		       ? raw_sample_chunk_decode(sqlite3_column_blob(r->samples, 0),
						 (size_t)sqlite3_column_bytes(r->samples, 0),
						 row->chunk.kind, &set)
		       : -EBADMSG;
	sqlite3_reset(r->samples);
	if (code == -ENOMEM)
		return code;
	if (code < 0 || !samples_are_sound(&r->load, &row->chunk, &set))
		return not_unpacked(r, "samples", error);
	*ret = set;
	set = (struct raw_sample_set){};
	return 0;
}

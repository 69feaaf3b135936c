/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <cjson/cJSON.h>

#include "control/import_private.h"
#include "probe/signature.h"
#include "sonde/base/hex.h"
#include "varlink/params.h"

/* Nothing is known of arguments, and there is no result that could be shown as 0. */
static int make_signature(struct import *i)
{
	static const struct ctype nothing = {.kind = CTYPE_VOID, .name = "void"};
	static const struct function_type type = {.name = "", .ret = &nothing, .file = ""};
	_cleanup_(signature_freep) struct signature *signature = NULL;
	_cleanup_(freep) char *text = NULL;
	int r = signature_new(&type, 0, NULL, 0, &signature);

	if (r < 0)
		return r;
	text = signature_encode(signature);
	i->signature = text ? model_string(i->model, text) : 0;
	return i->signature ? 0 : -ENOMEM;
}

int import_new(const char *path, const struct store_session *row, struct error *error,
	       struct import **ret)
{
	_cleanup_(import_freep) struct import *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	i->started_us = row->started_us;
	i->waits = row->flags & STORE_SESSION_OFFCPU;
	r = model_new(&i->model);
	if (r >= 0)
		r = make_signature(i);
	if (r < 0)
		return r;
	if (row->n_specs > 0) {
		i->spec = model_string(i->model, row->specs[0]);
		if (!i->spec)
			return -ENOMEM;
	}
	r = store_create_unseen(path, row, error, &i->writer);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(i);
	return 0;
}

static void drop_batches(struct import *i)
{
	for (size_t n = 0; n < i->n_batches; n++)
		store_batch_free(i->batches[n]);
	i->n_batches = 0;
}

struct import *import_free(struct import *i)
{
	if (!i)
		return NULL;
	store_discard(i->writer);
	drop_batches(i);
	free(i->batches);
	for (size_t n = 0; n < IMPORT_KINDS; n++)
		free(i->ids[n].ids);
	free(i->threads);
	window_release(&i->window);
	model_free(i->model);
	free(i);
	return NULL;
}

void import_columns_release(struct import_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(columns[i].values);
}

int import_columns_read(const struct cJSON *table, const char *name, struct import_column *columns,
			size_t n, size_t *ret_rows, struct error *error)
{
	size_t rows = 0, len;

	for (size_t i = 0; i < n; i++) {
		struct import_column *c = &columns[i];
		int r = param_ints(table, c->name, c->optional ? PARAM_OPTIONAL : PARAM_REQUIRED,
				   c->min, c->max, &c->values, &len, error);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		/* The first column is never optional. */
		if (i == 0)
			rows = len;
		if (len != rows)
			return error_set(error, EINVAL, "BadArgument",
					 "%s.%s: %zu values where %s has %zu", name, c->name, len,
					 columns[0].name, rows);
	}
	*ret_rows = rows;
	return 0;
}

int import_id(const struct import_ids *ids, int64_t number, const char *column, uint32_t *ret,
	      struct error *error)
{
	if (number < 1 || (uint64_t)number > ids->n)
		return error_set(error, EINVAL, "BadArgument", "%s: there is no %lld yet", column,
				 (long long)number);
	*ret = ids->ids[number - 1];
	return 0;
}

/* As import_id(), where 0 is none. */
static int maybe_id(const struct import_ids *ids, int64_t number, const char *column, uint32_t *ret,
		    struct error *error)
{
	*ret = 0;
	return number ? import_id(ids, number, column, ret, error) : 0;
}

static int too_many(const char *what, struct error *error)
{
	return error_set(error, E2BIG, "TooMany", "the file has more than %d %s", IMPORT_MAX_THINGS,
			 what);
}

/* id 0: the model was out of memory, or refused it. */
static int add_id(struct import_ids *ids, uint32_t id, const char *what, struct error *error)
{
	if (ids->n >= IMPORT_MAX_THINGS)
		return too_many(what, error);
	if (!id || array_reserve(&ids->ids, &ids->cap, ids->n + 1, sizeof(*ids->ids)) < 0)
		return -ENOMEM;
	ids->ids[ids->n++] = id;
	return 0;
}

static int take_strings(struct import *i, const cJSON *params, struct error *error)
{
	_cleanup_(freep) const char **strings = NULL;
	size_t n = 0;
	int r = param_strings(params, "strings", PARAM_OPTIONAL, &strings, &n, error);

	for (size_t k = 0; k < n && r >= 0; k++) {
		if (strlen(strings[k]) > 65535)
			return error_set(error, EINVAL, "BadArgument",
					 "strings: one has more than 65,535 bytes");
		r = add_id(&i->ids[IMPORT_STRINGS], model_string(i->model, strings[k]), "names",
			   error);
	}
	return r;
}

/* A table whose rows name something: how a row becomes an id of the model. */
struct table_def {
	const char *name;
	enum import_kind kind;
	int (*add)(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		   struct error *error);
	struct import_column columns[3];
};

static int add_process(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		       struct error *error)
{
	uint32_t comm;
	int r = maybe_id(&i->ids[IMPORT_STRINGS], c[1].values[row], "comm", &comm, error);

	if (r < 0)
		return r;
	*ret = model_process_append(i->model, (uint32_t)c[0].values[row], 0);
	if (*ret)
		model_process_get(i->model, *ret)->comm = comm;
	return 0;
}

static int add_thread(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		      struct error *error)
{
	struct import_thread thread = {.tid = (uint32_t)c[1].values[row]};
	int r = import_id(&i->ids[IMPORT_PROCESSES], c[0].values[row], "process", &thread.process,
			  error);

	if (r >= 0)
		r = maybe_id(&i->ids[IMPORT_STRINGS], c[2].values[row], "name", &thread.name,
			     error);
	if (r < 0)
		return r;
	if (array_reserve(&i->threads, &i->threads_cap, i->n_threads + 1, sizeof(*i->threads)) < 0)
		return -ENOMEM;
	i->threads[i->n_threads++] = thread;
	*ret = (uint32_t)i->n_threads;
	return 0;
}

static int add_file(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		    struct error *error)
{
	uint8_t build_id[BUILD_ID_LEN];
	uint32_t path, text;
	const char *name;
	int r = import_id(&i->ids[IMPORT_STRINGS], c[0].values[row], "path", &path, error);

	if (r >= 0)
		r = maybe_id(&i->ids[IMPORT_STRINGS], c[1].values[row], "build_id", &text, error);
	if (r < 0)
		return r;
	name = model_string_get(i->model, path);
	if (!text) {
		/* A file of that path here may be quite another one. */
		*ret = model_file(i->model, NULL, name, FILE_SPECIAL);
		return 0;
	}
	if (hex_decode(model_string_get(i->model, text), build_id, sizeof(build_id)) < 0)
		return error_set(error, EINVAL, "BadArgument",
				 "build_id: \"%.50s\" is no even number of at most %d hexadecimal "
				 "digits",
				 model_string_get(i->model, text), 2 * BUILD_ID_LEN);
	*ret = model_file(i->model, build_id, name, 0);
	return 0;
}

static int add_frame(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		     struct error *error)
{
	uint32_t file, name;
	int r = maybe_id(&i->ids[IMPORT_FILES], c[0].values[row], "file", &file, error);

	if (r >= 0)
		r = maybe_id(&i->ids[IMPORT_STRINGS], c[1].values[row], "name", &name, error);
	if (r < 0)
		return r;
	*ret = model_named_frame(i->model, file ? file : FILE_ID_KERNEL,
				 (uint64_t)import_cell(&c[2], row), name);
	return 0;
}

static int add_stack(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		     struct error *error)
{
	uint32_t parent, frame;
	int r = maybe_id(&i->ids[IMPORT_STACKS], c[0].values[row], "parent", &parent, error);

	if (r >= 0)
		r = import_id(&i->ids[IMPORT_FRAMES], c[1].values[row], "frame", &frame, error);
	if (r < 0)
		return r;
	if (parent && model_stack_get(i->model, parent)->depth >= MODEL_MAX_DEPTH)
		return error_set(error, EINVAL, "BadArgument", "parent: more than %d frames",
				 MODEL_MAX_DEPTH);
	*ret = model_stack(i->model, parent, frame);
	return 0;
}

/* As that of a span written in source code (model_probe_category()). */
static int add_category(struct import *i, const char *category, struct model_probe *probe)
{
	_cleanup_(signature_freep) struct signature *signature = NULL;
	_cleanup_(freep) char *text = NULL, *symbol = NULL;

	if (signature_of_source(category, &signature) < 0 ||
	    asprintf(&symbol, "%s/%s", category, model_string_get(i->model, probe->name)) < 0)
		return -ENOMEM;
	text = signature_encode(signature);
	probe->signature = text ? model_string(i->model, text) : 0;
	probe->symbol = model_string(i->model, symbol);
	probe->strategy = model_string(i->model, "span");
	return probe->signature && probe->symbol && probe->strategy ? 0 : -ENOMEM;
}

static int add_probe(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		     struct error *error)
{
	struct model_probe probe = {.spec = i->spec, .signature = i->signature};
	uint32_t category;
	int r = import_id(&i->ids[IMPORT_STRINGS], c[0].values[row], "name", &probe.name, error);

	if (r >= 0)
		r = maybe_id(&i->ids[IMPORT_FILES], c[1].values[row], "file", &probe.file, error);
	if (r >= 0)
		r = maybe_id(&i->ids[IMPORT_STRINGS], import_cell(&c[2], row), "category",
			     &category, error);
	if (r < 0)
		return r;
	probe.symbol = probe.name;
	if (category && add_category(i, model_string_get(i->model, category), &probe) < 0)
		return -ENOMEM;
	*ret = model_probe(i->model, &probe);
	return 0;
}

static int add_path(struct import *i, const struct import_column *c, size_t row, uint32_t *ret,
		    struct error *error)
{
	uint32_t parent, probe;
	int r = maybe_id(&i->ids[IMPORT_PATHS], c[0].values[row], "parent", &parent, error);

	if (r >= 0)
		r = import_id(&i->ids[IMPORT_PROBES], c[1].values[row], "probe", &probe, error);
	if (r < 0)
		return r;
	if (parent && model_path_get(i->model, parent)->depth + 1 >= MODEL_MAX_DEPTH)
		return error_set(error, EINVAL, "BadArgument", "parent: more than %d spans deep",
				 MODEL_MAX_DEPTH);
	*ret = model_path(i->model, parent, probe);
	return 0;
}

#define NUMBER(column)                                                                             \
	{                                                                                          \
		.name = (column), .max = IMPORT_MAX_THINGS                                         \
	}

/* In the order in which those of a batch may name each other. */
static const struct table_def tables[] = {
	{"processes",
	 IMPORT_PROCESSES,
	 add_process,
	 {{.name = "pid", .max = UINT32_MAX}, NUMBER("comm")}},
	{"threads",
	 IMPORT_THREADS,
	 add_thread,
	 {NUMBER("process"), {.name = "tid", .max = UINT32_MAX}, NUMBER("name")}},
	{"files", IMPORT_FILES, add_file, {NUMBER("path"), NUMBER("build_id")}},
	{"frames",
	 IMPORT_FRAMES,
	 add_frame,
	 {NUMBER("file"),
	  NUMBER("name"),
	  {.name = "offset", .max = PARAM_INT_MAX, .optional = true}}},
	{"stacks", IMPORT_STACKS, add_stack, {NUMBER("parent"), NUMBER("frame")}},
	{"probes",
	 IMPORT_PROBES,
	 add_probe,
	 {NUMBER("name"),
	  NUMBER("file"),
	  {.name = "category", .max = IMPORT_MAX_THINGS, .optional = true}}},
	{"paths", IMPORT_PATHS, add_path, {NUMBER("parent"), NUMBER("probe")}},
};

static int take_table(struct import *i, const cJSON *params, const struct table_def *def,
		      struct error *error)
{
	struct import_column columns[3];
	const cJSON *table = NULL;
	size_t rows = 0, n = def->columns[2].name ? 3 : 2;
	int r = param_object(params, def->name, PARAM_OPTIONAL, &table, error);

	if (r <= 0)
		return r;
	memcpy(columns, def->columns, sizeof(columns));
	r = import_columns_read(table, def->name, columns, n, &rows, error);
	for (size_t row = 0; row < rows && r >= 0; row++) {
		uint32_t id = 0;

		r = def->add(i, columns, row, &id, error);
		if (r >= 0)
			r = add_id(&i->ids[def->kind], id, def->name, error);
	}
	import_columns_release(columns, n);
	return r;
}

static int take_rows(struct import *i, const cJSON *params, struct error *error)
{
	const cJSON *samples = NULL, *spans = NULL;
	int r = param_object(params, "samples", PARAM_OPTIONAL, &samples, error);

	if (r > 0)
		r = import_samples(i, samples, error);
	if (r >= 0)
		r = param_object(params, "spans", PARAM_OPTIONAL, &spans, error);
	return r > 0 ? import_spans(i, spans, error) : r;
}

int import_take(struct import *i, const struct cJSON *params, bool *ret_due, struct error *error)
{
	int r = take_strings(i, params, error);

	for (size_t t = 0; t < ARRAY_SIZE(tables) && r >= 0; t++)
		r = take_table(i, params, &tables[t], error);
	if (r >= 0)
		r = take_rows(i, params, error);
	if (r < 0)
		return r;
	*ret_due = i->n_batches > 0;
	return 0;
}

int import_roll(struct import *i)
{
	int r;

	if (i->window.n_samples + i->window.n_stats == 0)
		return 0;
	r = array_reserve(&i->batches, &i->batches_cap, i->n_batches + 1, sizeof(*i->batches));
	if (r >= 0)
		r = store_batch_new(i->model, &i->window, &i->marks, &i->batches[i->n_batches]);
	if (r < 0)
		return r;
	i->n_batches++;
	i->totals.windows++;
	return 0;
}

int import_write(struct import *i, struct error *error)
{
	static const struct store_names nothing_more = {};
	int r = 0;

	for (size_t n = 0; n < i->n_batches && r >= 0; n++)
		r = store_write(i->writer, i->batches[n], &nothing_more, error);
	drop_batches(i);
	return r;
}

int import_complete(struct import *i, uint64_t ended_us, struct error *error,
		    struct import_totals *ret)
{
	int r = store_close(TAKE_PTR(i->writer), ended_us, error, &i->totals.bytes);

	if (r >= 0)
		*ret = i->totals;
	return r;
}

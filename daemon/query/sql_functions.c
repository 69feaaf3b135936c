/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What queries and views may call. Arguments come from anybody: any type, any value. */
#include "sql_private.h"
#include "store/hist_pack.h"

static struct sql *query_of(sqlite3_context *context)
{
	return sqlite3_user_data(context);
}

/* Text that stays as long as the query; NULL for NULL. */
static void result_kept(sqlite3_context *context, const char *text)
{
	if (text)
		sqlite3_result_text(context, text, -1, SQLITE_STATIC);
}

static bool get_id(sqlite3_value *value, int64_t *ret)
{
	*ret = sqlite3_value_int64(value);
	return sqlite3_value_type(value) == SQLITE_INTEGER && *ret > 0;
}

static void frame_name(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct sql_frame *f;
	int64_t id;

	(void)n;
	f = get_id(args[0], &id) ? sql_frame(query_of(context), id) : NULL;
	result_kept(context, f ? f->function : NULL);
}

static void frame_binary(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct sql_frame *f;
	int64_t id;

	(void)n;
	f = get_id(args[0], &id) ? sql_frame(query_of(context), id) : NULL;
	result_kept(context, f ? f->binary : NULL);
}

static void path_function(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct sql_path *p;
	int64_t id;

	(void)n;
	p = get_id(args[0], &id) ? sql_path(query_of(context), id) : NULL;
	result_kept(context, p ? p->function : NULL);
}

static void path_binary(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct sql_path *p;
	int64_t id;

	(void)n;
	p = get_id(args[0], &id) ? sql_path(query_of(context), id) : NULL;
	result_kept(context, p ? p->binary : NULL);
}

static void loss(sqlite3_context *context, int n, sqlite3_value **args)
{
	int64_t kind = sqlite3_value_int64(args[0]);

	(void)n;
	if (sqlite3_value_type(args[0]) == SQLITE_INTEGER && kind >= 0 && kind < LOSS_COUNTERS)
		result_kept(context, loss_name(kind));
}

static void base_name(sqlite3_context *context, int n, sqlite3_value **args)
{
	const char *path = (const char *)sqlite3_value_text(args[0]);

	(void)n;
	if (path)
		sqlite3_result_text(context, path_base(path), -1, SQLITE_TRANSIENT);
}

/*
 * From the leaf to the root. In a sound file callers are below their callees; in others the walk
 * may go in circles, so its length is limited as that of the model is. Returns the number of
 * frames.
 */
static size_t walk(struct sql *q, int64_t stack, int64_t frames[static MODEL_MAX_DEPTH])
{
	size_t depth = 0;

	while (stack > 0 && depth < MODEL_MAX_DEPTH && sql_stack(q, stack, &stack, &frames[depth]))
		depth++;
	return depth;
}

static void stack_depth(sqlite3_context *context, int n, sqlite3_value **args)
{
	int64_t id, frames[MODEL_MAX_DEPTH];

	(void)n;
	if (get_id(args[0], &id))
		sqlite3_result_int64(context, walk(query_of(context), id, frames));
}

static void stack_text(sqlite3_context *context, int n, sqlite3_value **args)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	int64_t id, frames[MODEL_MAX_DEPTH];
	struct sql *q = query_of(context);
	size_t depth;

	(void)n;
	depth = get_id(args[0], &id) ? walk(q, id, frames) : 0;
	if (!depth)
		return;
	while (depth-- > 0 && out.len <= SQL_MAX_VALUE) {
		const struct sql_frame *f = sql_frame(q, frames[depth]);
		const char *inlined = sql_inlined(q, frames[depth]);

		strbuf_printf(&out, "%s%s%s", out.len ? ";" : "", f ? f->function : "[unknown]",
			      inlined ? inlined : "");
	}
	if (strbuf_error(&out) < 0)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_text64(context, out.data, out.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* False: an error is the result. NULL is no histogram, and no error: *ret_hist stays as it was. */
static bool add_histogram(sqlite3_context *context, sqlite3_value *value, struct hist *hist)
{
	if (sqlite3_value_type(value) == SQLITE_NULL)
		return true;
	if (sqlite3_value_type(value) == SQLITE_BLOB &&
	    hist_unpack(sqlite3_value_blob(value), sqlite3_value_bytes(value), hist))
		return true;
	sqlite3_result_error(context,
			     "the first argument must be a histogram, as of the table span", -1);
	return false;
}

static bool get_share(sqlite3_context *context, sqlite3_value *value, double *ret)
{
	int type = sqlite3_value_numeric_type(value);

	*ret = sqlite3_value_double(value);
	if ((type == SQLITE_FLOAT || type == SQLITE_INTEGER) && *ret >= 0 && *ret <= 1)
		return true;
	sqlite3_result_error(context, "the second argument must be a share from 0 to 1: 0.99", -1);
	return false;
}

static void histogram_quantile(sqlite3_context *context, int n, sqlite3_value **args)
{
	_cleanup_(hist_release) struct hist hist = {};
	double share;

	(void)n;
	if (get_share(context, args[1], &share) && add_histogram(context, args[0], &hist) &&
	    hist_count(&hist))
		sqlite3_result_int64(context, hist_quantile(&hist, share));
}

struct quantile {
	struct hist hist;
	double share;
};

static void quantile_step(sqlite3_context *context, int n, sqlite3_value **args)
{
	struct quantile *q = sqlite3_aggregate_context(context, sizeof(*q));

	(void)n;
	if (!q)
		sqlite3_result_error_nomem(context);
	else if (get_share(context, args[1], &q->share))
		(void)add_histogram(context, args[0], &q->hist);
}

static void quantile_end(sqlite3_context *context)
{
	struct quantile *q = sqlite3_aggregate_context(context, 0);

	if (q && hist_count(&q->hist))
		sqlite3_result_int64(context, hist_quantile(&q->hist, q->share));
	if (q)
		hist_release(&q->hist);
}

int sql_make_functions(struct sql *q)
{
	static const struct {
		const char *name;
		int n_args;
		void (*function)(sqlite3_context *context, int n, sqlite3_value **args);
	} functions[] = {
		{"base_name", 1, base_name},
		{"frame_binary", 1, frame_binary},
		{"frame_name", 1, frame_name},
		{"histogram_quantile", 2, histogram_quantile},
		{"loss_name", 1, loss},
		{"path_binary", 1, path_binary},
		{"path_function", 1, path_function},
		{"stack_depth", 1, stack_depth},
		{"stack_text", 1, stack_text},
	};
	/* Not for what the file brings along: expressions of its indices. */
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
	int code = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_SIZE(functions) && code == SQLITE_OK; i++)
		code = sqlite3_create_function_v2(q->db, functions[i].name, functions[i].n_args,
						  flags, q, functions[i].function, NULL, NULL,
						  NULL);
	if (code == SQLITE_OK)
		code = sqlite3_create_function_v2(q->db, "quantile", 2, flags, q, NULL,
						  quantile_step, quantile_end, NULL);
	return code;
}

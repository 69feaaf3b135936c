/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The authorizer. SQLite asks it about all that a statement would do while it is being understood.
 * It tells reads of tables that a view makes from reads by the query itself by the name of the
 * view; but a query may give its own subqueries (WITH) any name. So tables are read by views whose
 * names end with a secret, and the documented views are SELECTs of these.
 */
#include "sql_private.h"

/* In order of the alphabet: all that SQLite has which is a function of its arguments, and ours. */
static const char *const functions[] = {
	"->",
	"->>",
	"abs",
	"acos",
	"acosh",
	"asin",
	"asinh",
	"atan",
	"atan2",
	"atanh",
	"avg",
	"base_name",
	"ceil",
	"ceiling",
	"char",
	"coalesce",
	"concat",
	"cos",
	"cosh",
	"count",
	"cume_dist",
	"current_date",
	"current_time",
	"current_timestamp",
	"date",
	"datetime",
	"degrees",
	"dense_rank",
	"exp",
	"first_value",
	"floor",
	"format",
	"frame_binary",
	"frame_name",
	"glob",
	"group_concat",
	"hex",
	"histogram_quantile",
	"ifnull",
	"iif",
	"instr",
	"json",
	"json_array",
	"json_array_length",
	"json_extract",
	"json_group_array",
	"json_group_object",
	"json_insert",
	"json_object",
	"json_patch",
	"json_quote",
	"json_remove",
	"json_replace",
	"json_set",
	"json_type",
	"json_valid",
	"julianday",
	"lag",
	"last_value",
	"lead",
	"length",
	"like",
	"likelihood",
	"likely",
	"ln",
	"log",
	"log10",
	"log2",
	"loss_name",
	"lower",
	"ltrim",
	"max",
	"min",
	"mod",
	"nth_value",
	"ntile",
	"nullif",
	"path_binary",
	"path_function",
	"percent_rank",
	"pi",
	"pow",
	"power",
	"printf",
	"quantile",
	"quote",
	"radians",
	"rank",
	"replace",
	"round",
	"row_number",
	"rtrim",
	"sign",
	"sin",
	"sinh",
	"sqrt",
	"stack_depth",
	"stack_text",
	"strftime",
	"substr",
	"substring",
	"sum",
	"tan",
	"tanh",
	"time",
	"total",
	"trim",
	"trunc",
	"typeof",
	"unicode",
	"unixepoch",
	"unlikely",
	"upper",
};

static int compare(const void *key, const void *element)
{
	return strcasecmp(key, *(const char *const *)element);
}

static const char *verb_of(int action, const char *table)
{
	static const struct {
		int action;
		const char *verb;
	} verbs[] = {
		{SQLITE_INSERT, "INSERT"},
		{SQLITE_UPDATE, "UPDATE"},
		{SQLITE_DELETE, "DELETE"},
		{SQLITE_ATTACH, "ATTACH"},
		{SQLITE_DETACH, "DETACH"},
		{SQLITE_PRAGMA, "PRAGMA"},
		{SQLITE_TRANSACTION, "BEGIN, COMMIT or ROLLBACK"},
		{SQLITE_SAVEPOINT, "SAVEPOINT"},
		{SQLITE_ANALYZE, "ANALYZE"},
		{SQLITE_REINDEX, "REINDEX"},
		{SQLITE_ALTER_TABLE, "ALTER TABLE"},
	};

	/* So begins whatever makes or drops something, and the first use of a table of SQLite's
	 * own. */
	if (strncasecmp(table, "sqlite_", 7) == 0)
		return "CREATE, no DROP, no tables of SQLite's own";
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].action == action)
			return verbs[i].verb;
	return "CREATE, no DROP";
}

static bool is_secret(const struct sql *q, const char *name)
{
	size_t len = name ? strlen(name) : 0, n = strlen(q->secret);

	return len > n && streq(name + len - n, q->secret);
}

static bool is_view(const char *name)
{
	for (size_t i = 0; sql_view_name(i); i++)
		if (strcasecmp(sql_view_name(i), name) == 0)
			return true;
	return false;
}

/*
 * Without a column the table is named only (count(*)), and then SQLite says neither the database
 * nor whether it is a subquery of the query's own: how many rows a table has is no secret.
 */
static bool may_read(const struct sql *q, const char *table, const char *column,
		     const char *database, const char *view)
{
	if (strncasecmp(table, "sqlite_", 7) == 0 || strncasecmp(table, "pragma_", 7) == 0)
		return false;
	if (!*column || is_secret(q, table) || is_secret(q, view))
		return true;
	if (strcasecmp(table, "json_each") == 0 || strcasecmp(table, "json_tree") == 0)
		return q->json_tables;
	return database && streq(database, "temp") && is_view(table);
}

static int on_action(void *arg, int action, const char *a, const char *b, const char *database,
		     const char *view)
{
	struct sql *q = arg;
	bool good = false;
	char why[sizeof(q->refused)];

	if (q->inside)
		return SQLITE_OK;
	a = a ? a : "";
	b = b ? b : "";
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_READ:
		good = may_read(q, a, b, database, view);
		snprintf(why, sizeof(why), "%s%s%.100s is no table that can be asked",
			 database ? database : "", database ? "." : "", a);
		break;
	case SQLITE_FUNCTION:
		good = is_secret(q, b) ||
		       bsearch(b, functions, ARRAY_SIZE(functions), sizeof(*functions), compare);
		snprintf(why, sizeof(why), "the function %.100s may not be used", b);
		break;
	default:
		snprintf(why, sizeof(why), "this only reads: no %s", verb_of(action, a));
		break;
	}
	if (good)
		return SQLITE_OK;
	if (!q->refused[0])
		memcpy(q->refused, why, sizeof(q->refused));
	return SQLITE_DENY;
}

void sql_guard(struct sql *q)
{
	sqlite3_set_authorizer(q->db, on_action, q);
}

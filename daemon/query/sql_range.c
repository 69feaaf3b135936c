/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which chunks a query needs: what it asks of their time, session and window. */
#include "sql_private.h"

enum { MAX_PLAN = 64 };

char sql_range_letter(const struct sqlite3_index_constraint *c,
		      const struct sql_range_columns *columns)
{
	if (c->iColumn == columns->time_us)
		return c->op == SQLITE_INDEX_CONSTRAINT_GT || c->op == SQLITE_INDEX_CONSTRAINT_GE
			       ? SQL_AFTER
		       : c->op == SQLITE_INDEX_CONSTRAINT_LT || c->op == SQLITE_INDEX_CONSTRAINT_LE
			       ? SQL_BEFORE
			       : 0;
	if (c->op != SQLITE_INDEX_CONSTRAINT_EQ)
		return 0;
	return c->iColumn == columns->session  ? SQL_IN_SESSION
	       : c->iColumn == columns->window ? SQL_IN_WINDOW
					       : 0;
}

/* How many rows it lets through: one of so many. */
static double share_of(char letter)
{
	return letter == SQL_AFTER || letter == SQL_BEFORE || letter == SQL_OF_KIND ? 2 : 10;
}

int sql_range_plan(sqlite3_index_info *info, char (*letter)(sqlite3_index_info *info, int i),
		   double rows)
{
	char plan[MAX_PLAN + 1];
	int n = 0;

	for (int i = 0; i < info->nConstraint && n < MAX_PLAN; i++) {
		char c = info->aConstraint[i].usable ? letter(info, i) : 0;

		if (!c)
			continue;
		plan[n++] = c;
		info->aConstraintUsage[i].argvIndex = n;
		rows /= share_of(c);
	}
	plan[n] = '\0';
	info->idxStr = sqlite3_mprintf("%s", plan);
	info->needToFreeIdxStr = 1;
	info->estimatedRows = (sqlite3_int64)MAX(rows, 1.0);
	/* Unpacking is dear: to be done once, and not for each row of another table. */
	info->estimatedCost = MAX(rows, 1.0) * 10;
	return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

void sql_range_begin(struct sql_range *r)
{
	*r = (struct sql_range){
		.first_us = INT64_MIN, .last_us = INT64_MAX, .session = -1, .window = -1};
}

static void narrow_id(struct sql_range *r, sqlite3_value *v, int64_t *id)
{
	int64_t value = sqlite3_value_int64(v);

	if (sqlite3_value_type(v) != SQLITE_INTEGER)
		return;
	if (value < 0 || (*id >= 0 && *id != value))
		r->nothing = true;
	*id = value;
}

/* Fractions are cut: that is below what is asked, so one more is let through. */
static void narrow_time(struct sql_range *r, sqlite3_value *v, char letter)
{
	int type = sqlite3_value_numeric_type(v);
	int64_t value = sqlite3_value_int64(v);

	if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
		return;
	if (type == SQLITE_FLOAT && letter == SQL_AFTER)
		value -= value > INT64_MIN;
	if (type == SQLITE_FLOAT && letter == SQL_BEFORE)
		value += value < INT64_MAX;
	if (letter == SQL_AFTER)
		r->first_us = MAX(r->first_us, value);
	else
		r->last_us = MIN(r->last_us, value);
}

void sql_range_narrow(struct sql_range *r, char letter, sqlite3_value *v)
{
	if (sqlite3_value_type(v) == SQLITE_NULL)
		r->nothing = true;
	else if (letter == SQL_IN_SESSION)
		narrow_id(r, v, &r->session);
	else if (letter == SQL_IN_WINDOW)
		narrow_id(r, v, &r->window);
	else
		narrow_time(r, v, letter);
}

bool sql_range_has(const struct sql_range *r, const struct sql_chunk *chunk)
{
	return chunk->last_us >= r->first_us && chunk->first_us <= r->last_us &&
	       (r->session < 0 || r->session == chunk->session) &&
	       (r->window < 0 || r->window == chunk->window);
}

int sql_step_chunk(struct sql *q, sqlite3_stmt **s, const char *text, int64_t id)
{
	int code = SQLITE_OK;

	q->inside++;
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, 16 << 20);
	if (!*s)
		code = sqlite3_prepare_v2(q->db, text, -1, s, NULL);
	if (code == SQLITE_OK) {
		sqlite3_bind_int64(*s, 1, id);
		code = sqlite3_step(*s);
	}
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, SQL_MAX_VALUE);
	q->inside--;
	if (code == SQLITE_ROW)
		q->chunks_unpacked++;
	return code;
}

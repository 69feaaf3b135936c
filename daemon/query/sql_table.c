/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tables have in common whose rows are made of packed chunks. */
#include "sql_private.h"

/* What a module is handed: sqlite3_module has no room for it. */
struct table_kind {
	struct sql *q;
	const char *declaration;
	sqlite3_module methods;
};

static int on_connect(sqlite3 *db, void *arg, int n, const char *const *args, sqlite3_vtab **ret,
		      char **error)
{
	const struct table_kind *kind = arg;
	struct sql_table *t;
	int code = sqlite3_declare_vtab(db, kind->declaration);

	(void)n, (void)args, (void)error;
	if (code != SQLITE_OK)
		return code;
	sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	t = sqlite3_malloc(sizeof(*t));
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct sql_table){.q = kind->q};
	*ret = &t->base;
	return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

int sql_make_table(struct sql *q, const char *module, const char *name, const char *declaration,
		   sqlite3_module methods)
{
	struct table_kind *kind = malloc(sizeof(*kind));
	char of[64], make[192];
	int code;

	if (!kind)
		return SQLITE_NOMEM;
	methods.xCreate = methods.xConnect = on_connect;
	methods.xDisconnect = methods.xDestroy = on_disconnect;
	*kind = (struct table_kind){q, declaration, methods};
	snprintf(of, sizeof(of), "sonde_%s", module);
	/* Owned by the connection from here on, also when it fails. */
	code = sqlite3_create_module_v2(q->db, of, &kind->methods, kind, free);
	/* Temporary, so that it is found before anything of that name in the file. */
	snprintf(make, sizeof(make), "CREATE VIRTUAL TABLE temp.\"%s\" USING %s", name, of);
	return code != SQLITE_OK ? code : sqlite3_exec(q->db, make, NULL, NULL, NULL);
}

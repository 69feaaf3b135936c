/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/idl.h"

#include <math.h>
#include <stdarg.h>
#include <cjson/cJSON.h>

#include "varlink/params.h"

/* Where in the parameters the check is: "selectors.pids[2]". A long path is cut, not refused. */
struct path {
	char text[256];
	size_t len;
};

static int check_value(const struct idl_type *type, const cJSON *item, struct path *path,
		       struct error *e);

/* Appends to the path and returns the length to go back to. */
static size_t path_push(struct path *path, const char *fmt, ...) _printf_(2, 3);

static size_t path_push(struct path *path, const char *fmt, ...)
{
	size_t before = path->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path->text + path->len, sizeof(path->text) - path->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		path->len = MIN(path->len + n, sizeof(path->text) - 1);
	return before;
}

static size_t path_push_field(struct path *path, const char *name)
{
	return path_push(path, "%s%s", path->len ? "." : "", name);
}

static void path_pop(struct path *path, size_t before)
{
	path->len = before;
	path->text[before] = '\0';
}

static int wrong_type(const struct idl_type *type, const cJSON *item, const struct path *path,
		      struct error *e)
{
	_cleanup_(strbuf_release) struct strbuf expected = {};

	idl_format_type(type, &expected);
	if (strbuf_error(&expected) < 0)
		return -ENOMEM;
	return error_set(e, EINVAL, "BadArgument", "%s: expected %.200s, got %s", path->text,
			 expected.data, param_kind(item));
}

static void list_names(const struct idl_type *type, struct strbuf *out)
{
	for (size_t i = 0; i < type->n_fields; i++)
		strbuf_printf(out, "%s%s", i ? ", " : "", type->fields[i].name);
	if (!type->n_fields)
		strbuf_puts(out, "none");
}

static int check_enum(const struct idl_type *type, const cJSON *item, struct path *path,
		      struct error *e)
{
	_cleanup_(strbuf_release) struct strbuf names = {};
	const char *value = cJSON_GetStringValue(item);

	for (size_t i = 0; value && i < type->n_fields; i++)
		if (streq(type->fields[i].name, value))
			return 0;
	list_names(type, &names);
	if (strbuf_error(&names) < 0)
		return -ENOMEM;
	return error_set(e, EINVAL, "BadArgument", "%s: expected one of %.300s, got %s%.60s%s",
			 path->text, names.data, value ? "\"" : "",
			 value ? value : param_kind(item), value ? "\"" : "");
}

static const struct idl_field *find_field(const struct idl_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (streq(type->fields[i].name, name))
			return &type->fields[i];
	return NULL;
}

static int unknown_field(const struct idl_type *type, const struct path *path, struct error *e)
{
	_cleanup_(strbuf_release) struct strbuf names = {};

	list_names(type, &names);
	if (strbuf_error(&names) < 0)
		return -ENOMEM;
	return error_set(e, EINVAL, "BadArgument", "%s: unknown; known are: %.400s", path->text,
			 names.data);
}

static int check_missing(const struct idl_type *type, const cJSON *object, struct path *path,
			 struct error *e)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct idl_field *field = &type->fields[i];
		_cleanup_(strbuf_release) struct strbuf expected = {};

		if (field->type->kind == IDL_MAYBE ||
		    cJSON_GetObjectItemCaseSensitive(object, field->name))
			continue;
		idl_format_type(field->type, &expected);
		path_push_field(path, field->name);
		if (strbuf_error(&expected) < 0)
			return -ENOMEM;
		return error_set(e, EINVAL, "BadArgument", "%s: missing, expected %.200s",
				 path->text, expected.data);
	}
	return 0;
}

static int check_struct(const struct idl_type *type, const cJSON *object, struct path *path,
			struct error *e)
{
	const cJSON *item;

	if (object && !cJSON_IsObject(object))
		return wrong_type(type, object, path, e);
	cJSON_ArrayForEach(item, object)
	{
		const struct idl_field *field = find_field(type, item->string);
		size_t before = path_push_field(path, item->string);
		int r;

		if (!field)
			return unknown_field(type, path, e);
		if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
			return error_set(e, EINVAL, "BadArgument", "%s: given twice", path->text);
		r = check_value(field->type, item, path, e);
		if (r < 0)
			return r;
		path_pop(path, before);
	}
	return check_missing(type, object, path, e);
}

static int check_elements(const struct idl_type *type, const cJSON *container, struct path *path,
			  struct error *e)
{
	const cJSON *item;
	size_t i = 0;

	if (type->kind == IDL_ARRAY ? !cJSON_IsArray(container) : !cJSON_IsObject(container))
		return wrong_type(type, container, path, e);
	cJSON_ArrayForEach(item, container)
	{
		size_t before;
		int r;

		/* Of long columns of numbers only what is wrong needs to be named. */
		if (type->kind == IDL_ARRAY && type->element->kind == IDL_INT &&
		    param_is_int(item)) {
			i++;
			continue;
		}
		before = type->kind == IDL_ARRAY ? path_push(path, "[%zu]", i++)
						 : path_push_field(path, item->string);
		r = check_value(type->element, item, path, e);

		if (r < 0)
			return r;
		path_pop(path, before);
	}
	return 0;
}

/* The recursion ends: every level down is one down in the JSON, whose depth the parser bounds. */
static int check_value(const struct idl_type *type, const cJSON *item, struct path *path,
		       struct error *e)
{
	bool good = false;

	switch (type->kind) {
	case IDL_MAYBE:
		return cJSON_IsNull(item) ? 0 : check_value(type->element, item, path, e);
	case IDL_NAMED:
		return check_value(type->resolved, item, path, e);
	case IDL_STRUCT:
		return check_struct(type, item, path, e);
	case IDL_ENUM:
		return check_enum(type, item, path, e);
	case IDL_ARRAY:
	case IDL_MAP:
		return check_elements(type, item, path, e);
	case IDL_BOOL:
		good = cJSON_IsBool(item);
		break;
	case IDL_INT:
		good = param_is_int(item);
		break;
	case IDL_FLOAT:
		good = cJSON_IsNumber(item) && isfinite(item->valuedouble);
		break;
	case IDL_STRING:
		good = cJSON_IsString(item);
		break;
	case IDL_OBJECT:
		good = !cJSON_IsNull(item);
		break;
	}
	return good ? 0 : wrong_type(type, item, path, e);
}

int idl_check(const struct idl *idl, const char *method, const struct cJSON *params, bool output,
	      struct error *e)
{
	const struct idl_member *m = idl_find(idl, IDL_METHOD, method);
	struct path path = {};

	if (!m)
		return error_set(e, ENOENT, "BadArgument",
				 "the interface %s has no method \"%.100s\"", idl->name, method);
	return check_struct(output ? m->output : m->type, params, &path, e);
}

int idl_check_error(const struct idl *idl, const char *error_name, const struct cJSON *params,
		    struct error *e)
{
	const struct idl_member *m = idl_find(idl, IDL_ERROR, error_name);
	struct path path = {};

	if (!m)
		return error_set(e, ENOENT, "BadArgument",
				 "the interface %s has no error \"%.100s\"", idl->name, error_name);
	return check_struct(m->type, params, &path, e);
}

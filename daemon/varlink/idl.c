/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/idl.h"

struct idl_type *idl_type_free(struct idl_type *type)
{
	if (!type)
		return NULL;
	for (size_t i = 0; i < type->n_fields; i++) {
		free(type->fields[i].name);
		free(type->fields[i].comment);
		idl_type_free(type->fields[i].type);
	}
	free(type->fields);
	free(type->name);
	idl_type_free(type->element);
	free(type);
	return NULL;
}

struct idl *idl_free(struct idl *idl)
{
	if (!idl)
		return NULL;
	for (size_t i = 0; i < idl->n_members; i++) {
		free(idl->members[i].name);
		free(idl->members[i].comment);
		idl_type_free(idl->members[i].type);
		idl_type_free(idl->members[i].output);
	}
	free(idl->members);
	free(idl->name);
	free(idl->comment);
	free(idl);
	return NULL;
}

const struct idl_member *idl_find(const struct idl *idl, enum idl_member_kind kind,
				  const char *name)
{
	size_t prefix = strlen(idl->name);

	if (startswith(name, idl->name) && name[prefix] == '.')
		name += prefix + 1;
	for (size_t i = 0; i < idl->n_members; i++)
		if (idl->members[i].kind == kind && streq(idl->members[i].name, name))
			return &idl->members[i];
	return NULL;
}

static void indent(struct strbuf *out, int level)
{
	for (int i = 0; i < level; i++)
		strbuf_puts(out, "  ");
}

static void format_comment(const char *comment, int level, struct strbuf *out)
{
	const char *line = comment;

	while (line) {
		size_t len = strcspn(line, "\n");

		indent(out, level);
		strbuf_putc(out, '#');
		strbuf_append(out, line, len);
		strbuf_putc(out, '\n');
		line = line[len] ? line + len + 1 : NULL;
	}
}

static bool has_comments(const struct idl_type *type)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (type->fields[i].comment)
			return true;
	return false;
}

static void format_type(const struct idl_type *type, int level, bool lines, struct strbuf *out);

static void format_field(const struct idl_field *field, int level, bool lines, struct strbuf *out)
{
	strbuf_puts(out, field->name);
	if (field->type) {
		strbuf_puts(out, ": ");
		format_type(field->type, level, lines, out);
	}
}

/* A field a line where lines are wanted: at the top of a member, or where a field has a comment. */
static void format_fields(const struct idl_type *type, int level, bool lines, struct strbuf *out)
{
	bool split = lines && type->n_fields && (level == 0 || has_comments(type));

	strbuf_putc(out, '(');
	for (size_t i = 0; i < type->n_fields; i++) {
		if (split) {
			strbuf_putc(out, '\n');
			format_comment(type->fields[i].comment, level + 1, out);
			indent(out, level + 1);
		}
		format_field(&type->fields[i], level + 1, lines, out);
		if (i + 1 < type->n_fields)
			strbuf_puts(out, split ? "," : ", ");
	}
	if (split) {
		strbuf_putc(out, '\n');
		indent(out, level);
	}
	strbuf_putc(out, ')');
}

static void format_type(const struct idl_type *type, int level, bool lines, struct strbuf *out)
{
	static const char *const prefixes[] = {
		[IDL_BOOL] = "bool",	 [IDL_INT] = "int",	  [IDL_FLOAT] = "float",
		[IDL_STRING] = "string", [IDL_OBJECT] = "object", [IDL_ARRAY] = "[]",
		[IDL_MAP] = "[string]",	 [IDL_MAYBE] = "?",
	};

	switch (type->kind) {
	case IDL_STRUCT:
	case IDL_ENUM:
		format_fields(type, level, lines, out);
		break;
	case IDL_NAMED:
		strbuf_puts(out, type->name);
		break;
	case IDL_ARRAY:
	case IDL_MAP:
	case IDL_MAYBE:
		strbuf_puts(out, prefixes[type->kind]);
		format_type(type->element, level, lines, out);
		break;
	default:
		strbuf_puts(out, prefixes[type->kind]);
	}
}

void idl_format_type(const struct idl_type *type, struct strbuf *out)
{
	format_type(type, 0, false, out);
}

void idl_format(const struct idl *idl, struct strbuf *out)
{
	static const char *const words[] = {
		[IDL_TYPE] = "type", [IDL_METHOD] = "method", [IDL_ERROR] = "error"};

	format_comment(idl->comment, 0, out);
	strbuf_printf(out, "interface %s\n", idl->name);
	for (size_t i = 0; i < idl->n_members; i++) {
		const struct idl_member *m = &idl->members[i];

		strbuf_putc(out, '\n');
		format_comment(m->comment, 0, out);
		strbuf_printf(out, "%s %s ", words[m->kind], m->name);
		if (m->kind == IDL_METHOD) {
			format_type(m->type, 0, true, out);
			strbuf_puts(out, " -> ");
			format_type(m->output, 0, true, out);
		} else {
			format_type(m->type, 0, true, out);
		}
		strbuf_putc(out, '\n');
	}
}

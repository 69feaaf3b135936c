/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recursive descent over the text; the grammar is the one of varlink.org. Nesting and counts are
 * bounded, as an interface may come from a stranger by GetInterfaceDescription.
 */
#include "varlink/idl.h"

#include <ctype.h>
#include <stdarg.h>

enum { IDL_MAX_DEPTH = 32, IDL_MAX_FIELDS = 512, IDL_MAX_MEMBERS = 1024 };

struct parser {
	const char *at;
	int line, depth;
	struct strbuf comment; /* the comment lines since the last thing that took them */
	bool has_comment;
	struct error *e;
};

static int fail(struct parser *p, const char *fmt, ...) _printf_(2, 3);
static int parse_type(struct parser *p, struct idl_type **ret);

static int fail(struct parser *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(p->e, EINVAL, "BadArgument", "line %d: %s", p->line, text);
}

static void drop_comment(struct parser *p)
{
	strbuf_reset(&p->comment);
	p->has_comment = false;
}

/* Hands on the comment collected so far, NULL when there is none. */
static int take_comment(struct parser *p, char **ret)
{
	char *text = NULL;

	if (p->has_comment) {
		if (strbuf_error(&p->comment) < 0)
			return -ENOMEM;
		text = strdup(p->comment.data);
		if (!text)
			return -ENOMEM;
	}
	drop_comment(p);
	*ret = text;
	return 0;
}

static void skip_space(struct parser *p)
{
	for (;;) {
		if (*p->at == '\n') {
			p->line++;
			p->at++;
		} else if (*p->at == ' ' || *p->at == '\t' || *p->at == '\r') {
			p->at++;
		} else if (*p->at == '#') {
			size_t len = strcspn(++p->at, "\r\n");

			if (p->has_comment)
				strbuf_putc(&p->comment, '\n');
			strbuf_append(&p->comment, p->at, len);
			p->has_comment = true;
			p->at += len;
		} else {
			return;
		}
	}
}

static bool take_token(struct parser *p, const char *token)
{
	skip_space(p);
	if (!startswith(p->at, token))
		return false;
	p->at += strlen(token);
	return true;
}

static int expect(struct parser *p, const char *token)
{
	if (take_token(p, token))
		return 0;
	if (!*p->at)
		return fail(p, "expected '%s', got the end of the text", token);
	return fail(p, "expected '%s' before '%.16s'", token, p->at);
}

static int take_text(struct parser *p, size_t len, char **ret)
{
	char *text = strndup(p->at, len);

	if (!text)
		return -ENOMEM;
	p->at += len;
	*ret = text;
	return 0;
}

/* [A-Za-z](_?[A-Za-z0-9])* */
static int parse_field_name(struct parser *p, char **ret)
{
	size_t len = 0;

	skip_space(p);
	if (!isalpha((unsigned char)*p->at))
		return fail(p, "expected a field name before '%.16s'", p->at);
	while (isalnum((unsigned char)p->at[len]) ||
	       (p->at[len] == '_' && isalnum((unsigned char)p->at[len + 1])))
		len++;
	return take_text(p, len, ret);
}

/* [A-Z][A-Za-z0-9]* */
static int parse_member_name(struct parser *p, char **ret)
{
	size_t len = 0;

	skip_space(p);
	if (!isupper((unsigned char)*p->at))
		return fail(p, "expected a name that begins with a capital before '%.16s'", p->at);
	while (isalnum((unsigned char)p->at[len]))
		len++;
	return take_text(p, len, ret);
}

/* Two or more parts with dots between; the first begins with a letter, none with or ends in '-'. */
static int parse_interface_name(struct parser *p, char **ret)
{
	size_t len = 0;
	int dots = 0;

	skip_space(p);
	while (isalnum((unsigned char)p->at[len]) || p->at[len] == '-' || p->at[len] == '.') {
		bool sign = !isalnum((unsigned char)p->at[len]);
		char next = p->at[len + 1];

		if (sign && !isalnum((unsigned char)next) && !(p->at[len] == '-' && next == '-'))
			return fail(p, "an interface name like \"io.example\" is expected");
		dots += p->at[len] == '.';
		len++;
	}
	if (!dots || !isalpha((unsigned char)*p->at))
		return fail(p, "an interface name like \"io.example\" is expected");
	return take_text(p, len, ret);
}

static int new_type(enum idl_kind kind, struct idl_type **ret)
{
	struct idl_type *type = calloc(1, sizeof(*type));

	if (!type)
		return -ENOMEM;
	type->kind = kind;
	*ret = type;
	return 0;
}

static int check_new_field(struct parser *p, const struct idl_type *type, const char *name)
{
	if (type->n_fields >= IDL_MAX_FIELDS)
		return fail(p, "more than %d fields", IDL_MAX_FIELDS);
	for (size_t i = 0; i < type->n_fields; i++)
		if (streq(type->fields[i].name, name))
			return fail(p, "the field \"%s\" is there twice", name);
	return 0;
}

/* One field; the first one decides whether this is a struct ("name: type") or an enum ("name"). */
static int parse_field(struct parser *p, struct idl_type *type)
{
	_cleanup_(idl_type_freep) struct idl_type *field_type = NULL;
	_cleanup_(freep) char *name = NULL;
	_cleanup_(freep) char *comment = NULL;
	int r = parse_field_name(p, &name);

	if (r < 0)
		return r;
	r = take_comment(p, &comment);
	if (r < 0)
		return r;
	r = check_new_field(p, type, name);
	if (r < 0)
		return r;
	skip_space(p);
	if (!type->n_fields)
		type->kind = *p->at == ':' ? IDL_STRUCT : IDL_ENUM;
	if (type->kind == IDL_STRUCT) {
		r = expect(p, ":");
		if (r < 0)
			return r;
		r = parse_type(p, &field_type);
		if (r < 0)
			return r;
	}
	r = array_reserve(&type->fields, &type->cap_fields, type->n_fields + 1,
			  sizeof(*type->fields));
	if (r < 0)
		return r;
	type->fields[type->n_fields++] = (struct idl_field){
		.name = TAKE_PTR(name), .type = TAKE_PTR(field_type), .comment = TAKE_PTR(comment)};
	return 0;
}

/* From behind the opening parenthesis on. */
static int parse_fields(struct parser *p, struct idl_type **ret)
{
	_cleanup_(idl_type_freep) struct idl_type *type = NULL;
	int r = new_type(IDL_STRUCT, &type);

	if (r < 0)
		return r;
	drop_comment(p);
	if (!take_token(p, ")")) {
		do {
			r = parse_field(p, type);
			if (r < 0)
				return r;
		} while (take_token(p, ","));
		r = expect(p, ")");
		if (r < 0)
			return r;
	}
	drop_comment(p);
	*ret = TAKE_PTR(type);
	return 0;
}

static int parse_builtin_or_name(struct parser *p, struct idl_type **ret)
{
	static const char *const builtins[] = {
		[IDL_BOOL] = "bool",	 [IDL_INT] = "int",	  [IDL_FLOAT] = "float",
		[IDL_STRING] = "string", [IDL_OBJECT] = "object",
	};
	_cleanup_(idl_type_freep) struct idl_type *type = NULL;
	size_t len = 0;
	int r = new_type(IDL_NAMED, &type);

	if (r < 0)
		return r;
	skip_space(p);
	while (isalnum((unsigned char)p->at[len]))
		len++;
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (strlen(builtins[i]) == len && startswith(p->at, builtins[i]))
			type->kind = i;
	if (type->kind != IDL_NAMED)
		p->at += len;
	else if (isupper((unsigned char)*p->at))
		r = parse_member_name(p, &type->name);
	else
		r = fail(p, "expected a type before '%.16s'", p->at);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(type);
	return 0;
}

/* The element of "?", "[]" or "[string]". */
static int parse_wrapped(struct parser *p, enum idl_kind kind, struct idl_type **ret)
{
	_cleanup_(idl_type_freep) struct idl_type *type = NULL;
	int r = new_type(kind, &type);

	if (r < 0)
		return r;
	r = parse_type(p, &type->element);
	if (r < 0)
		return r;
	if (kind == IDL_MAYBE && type->element->kind == IDL_MAYBE)
		return fail(p, "an optional type cannot be optional again");
	*ret = TAKE_PTR(type);
	return 0;
}

static int parse_type(struct parser *p, struct idl_type **ret)
{
	int r;

	if (++p->depth > IDL_MAX_DEPTH)
		return fail(p, "types are nested more than %d deep", IDL_MAX_DEPTH);
	if (take_token(p, "?"))
		r = parse_wrapped(p, IDL_MAYBE, ret);
	else if (take_token(p, "[]"))
		r = parse_wrapped(p, IDL_ARRAY, ret);
	else if (take_token(p, "[string]"))
		r = parse_wrapped(p, IDL_MAP, ret);
	else if (take_token(p, "("))
		r = parse_fields(p, ret);
	else
		r = parse_builtin_or_name(p, ret);
	p->depth--;
	return r;
}

static int parse_struct(struct parser *p, bool may_be_enum, struct idl_type **ret)
{
	_cleanup_(idl_type_freep) struct idl_type *type = NULL;
	int r = expect(p, "(");

	if (r < 0)
		return r;
	r = parse_fields(p, &type);
	if (r < 0)
		return r;
	if (type->kind == IDL_ENUM && !may_be_enum)
		return fail(p, "fields with types are expected here, not an enum");
	*ret = TAKE_PTR(type);
	return 0;
}

/* What follows the word "type", "method" or "error". */
static int parse_member(struct parser *p, struct idl *idl, struct idl_member *m)
{
	int r = take_comment(p, &m->comment);

	if (r < 0)
		return r;
	r = parse_member_name(p, &m->name);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < idl->n_members; i++)
		if (streq(idl->members[i].name, m->name))
			return fail(p, "\"%s\" is there twice", m->name);
	r = parse_struct(p, m->kind == IDL_TYPE, &m->type);
	if (r < 0 || m->kind != IDL_METHOD)
		return r;
	r = expect(p, "->");
	if (r < 0)
		return r;
	return parse_struct(p, false, &m->output);
}

static int parse_word(struct parser *p, enum idl_member_kind *ret)
{
	static const char *const words[] = {
		[IDL_TYPE] = "type", [IDL_METHOD] = "method", [IDL_ERROR] = "error"};

	skip_space(p);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if (startswith(p->at, words[i]) && isspace((unsigned char)p->at[len])) {
			p->at += len;
			*ret = i;
			return 0;
		}
	}
	return fail(p, "expected type, method or error before '%.16s'", p->at);
}

static int parse_members(struct parser *p, struct idl *idl)
{
	for (skip_space(p); *p->at; skip_space(p)) {
		enum idl_member_kind kind = IDL_TYPE;
		int r = parse_word(p, &kind);

		if (r < 0)
			return r;
		if (idl->n_members >= IDL_MAX_MEMBERS)
			return fail(p, "more than %d members", IDL_MAX_MEMBERS);
		r = array_reserve(&idl->members, &idl->cap_members, idl->n_members + 1,
				  sizeof(*idl->members));
		if (r < 0)
			return r;
		idl->members[idl->n_members++].kind = kind;
		r = parse_member(p, idl, &idl->members[idl->n_members - 1]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Names may be used before their type is declared, so they are looked up at the end. */
static int resolve(const struct idl *idl, struct idl_type *type, struct error *e)
{
	if (!type)
		return 0;
	if (type->kind == IDL_NAMED) {
		const struct idl_member *m = idl_find(idl, IDL_TYPE, type->name);

		if (!m)
			return error_set(e, EINVAL, "BadArgument", "there is no type \"%s\"",
					 type->name);
		type->resolved = m->type;
	}
	for (size_t i = 0; i < type->n_fields; i++) {
		int r = resolve(idl, type->fields[i].type, e);

		if (r < 0)
			return r;
	}
	return resolve(idl, type->element, e);
}

static int parse_interface(struct parser *p, struct idl *idl)
{
	int r;

	skip_space(p);
	r = take_comment(p, &idl->comment);
	if (r < 0)
		return r;
	r = expect(p, "interface");
	if (r < 0)
		return r;
	r = parse_interface_name(p, &idl->name);
	if (r < 0)
		return r;
	r = parse_members(p, idl);
	for (size_t i = 0; r >= 0 && i < idl->n_members; i++) {
		r = resolve(idl, idl->members[i].type, p->e);
		if (r >= 0)
			r = resolve(idl, idl->members[i].output, p->e);
	}
	return r;
}

int idl_parse(const char *text, struct idl **ret, struct error *e)
{
	_cleanup_(idl_freep) struct idl *idl = calloc(1, sizeof(*idl));
	struct parser p = {.at = text, .line = 1, .e = e};
	int r;

	if (!idl)
		return -ENOMEM;
	r = parse_interface(&p, idl);
	strbuf_release(&p.comment);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(idl);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of types share: sources to compile, and functions written down as text. */
#ifndef SONDE_TEST_SYMBOL_TYPES_HELP_H
#define SONDE_TEST_SYMBOL_TYPES_HELP_H

#include "sonde/base/strbuf.h"
#include "symbol/function_type.h"
#include "symbol_help.h"

/* A compiled program with its symbols and types. */
struct typed {
	struct elf_image *image;
	struct symtab *symtab;
	struct function_types *types;
};

static inline void typed_release(struct typed *t)
{
	function_types_free(t->types);
	symtab_free(t->symtab);
	elf_image_free(t->image);
}

static inline struct typed typed_open(const char *path)
{
	struct typed t = {.image = open_image(path)};
	struct error e = {};

	cr_assert_eq(symtab_load(t.image, path, NULL, NULL, &t.symtab), 0);
	cr_assert_eq(function_types_open(t.image, path, NULL, &e, &t.types), 0, "%s: %s", path,
		     e.message);
	return t;
}

/* Compiles a source as DIR/name with a compiler and options, into a shared library. */
static inline struct typed typed_compile(const char *name, const char *source, const char *command)
{
	char *path = path_of(name);

	write_file(path_of("t.src"), source, strlen(source));
	run("%s -w -shared -fPIC -o %s/%s %s/t.src", command, dir, name, dir);
	return typed_open(path);
}

static inline const struct function_type *typed_find(struct typed *t, const char *symbol)
{
	const struct function_type *f = NULL;
	struct wanted w = find(t->symtab, symbol);

	cr_assert_geq(w.count, 1, "no symbol %s", symbol);
	if (function_types_find(t->types, w.found.vaddr, &f) < 0)
		return NULL;
	return f;
}

static inline void describe_param(const struct function_param *p, struct strbuf *out)
{
	static const char *const places[] = {"r", "s", "float", "two", "nowhere"};

	strbuf_printf(out, "%s %s@%s", p->type->name, p->name, places[p->place]);
	if (p->place != PARAM_IN_FLOAT && p->place != PARAM_NOWHERE)
		strbuf_printf(out, "%u", p->reg);
}

/* "int f(const char * name@r0, double x@float)" */
static inline const char *describe(const struct function_type *f)
{
	static struct strbuf out;

	strbuf_reset(&out);
	if (!f)
		return "none";
	strbuf_printf(&out, "%s%s %s(", f->ret->name,
		      f->ret_in_memory	? "@memory"
		      : f->ret_in_float ? "@float"
					: "",
		      f->name);
	for (size_t i = 0; i < f->n_params; i++) {
		strbuf_puts(&out, i > 0 ? ", " : "");
		describe_param(&f->params[i], &out);
	}
	strbuf_puts(&out, f->is_variadic ? ", ...)" : ")");
	return out.data;
}

#define expect_function(t, symbol, text)                                                           \
	cr_expect_str_eq(describe(typed_find(t, symbol)), text, "%s: %s", symbol,                  \
			 describe(typed_find(t, symbol)))

static inline const struct ctype_member *member_of(const struct ctype *t, const char *name)
{
	ctype_complete(t);
	for (size_t i = 0; i < t->n_members; i++)
		if (streq(t->members[i].name, name))
			return &t->members[i];
	cr_assert_fail("%s has no member %s", t->name, name);
	return NULL;
}

#endif

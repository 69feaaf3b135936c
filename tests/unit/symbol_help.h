/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of symbols share: a directory each, a program to compile in it, and look-ups. */
#ifndef SONDE_TEST_SYMBOL_HELP_H
#define SONDE_TEST_SYMBOL_HELP_H

#include <fcntl.h>

#include "dir_help.h"
#include "symbol/symtab.h"

static const char program[] =
	"#include <stdlib.h>\n#include <string.h>\n#include <stdio.h>\n"
	"#define N __attribute__((noinline, noclone, used))\n"
	"N static int hidden_helper(int x) { return x * 7 + 3; }\n"
	"N int visible(int x) { return hidden_helper(x) + 1; }\n"
	"N int _visible_alias(int x) __attribute__((alias(\"visible\")));\n"
	"N int shown(int x) __attribute__((weak, alias(\"visible\")));\n"
	"static int chosen_impl(void) { return 42; }\n"
	"static void *resolver(void) { return chosen_impl; }\n"
	"int chosen(void) __attribute__((ifunc(\"resolver\")));\n"
	"__asm__(\".text\\n.globl sizeless\\n.type "
	"sizeless,@function\\nsizeless:\\nnop\\nnop\\n\"\n"
	"        \"ret\\n.globl sized_next\\n.type sized_next,@function\\nsized_next:\\nret\\n\"\n"
	"        \".size sized_next,1\\n\");\n"
	"int main(int c, char **v) { puts(v[0]); return visible(c) + chosen() + (int)strlen(v[0]); "
	"}\n";

static inline void setup(void)
{
	make_dir("symbol");
}

static inline void write_file(const char *path, const void *data, size_t size)
{
	FILE *f _cleanup_(fclosep) = fopen(path, "we");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, size, f), size);
}

/* Compiles the program above as DIR/name. */
static inline char *compile(const char *name, const char *options)
{
	write_file(path_of("p.c"), program, strlen(program));
	run("gcc -O2 -o %s/%s %s/p.c -Wl,--build-id=sha1 %s", dir, name, dir, options);
	return path_of(name);
}

static inline struct elf_image *open_image(const char *path)
{
	struct elf_image *image = NULL;
	struct error error = {};

	cr_assert_eq(elf_image_open_path(path, &error, &image), 0, "%s: %s", path, error.message);
	return image;
}

static inline struct symtab *load_in(const char *path, const char *debug_dir)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct symtab *st = NULL;

	cr_assert_eq(symtab_load(image, path, debug_dir, NULL, &st), 0);
	return st;
}

static inline struct symtab *load(const char *path)
{
	return load_in(path, "/nonexistent");
}

struct wanted {
	const char *name;
	struct symbol found;
	int count;
};

static inline int match(const struct symbol *symbol, void *data)
{
	struct wanted *w = data;

	if (streq(symbol->name, w->name)) {
		w->found = *symbol;
		w->count++;
	}
	return 0;
}

static inline struct wanted find(const struct symtab *st, const char *name)
{
	struct wanted w = {.name = name};

	cr_assert_eq(symtab_each(st, match, &w), 0);
	return w;
}

#endif

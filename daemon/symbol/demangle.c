/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>

#include "sonde/base/strbuf.h"

enum { DEMANGLED_MAX = 16384 };

struct sink {
	struct strbuf text;
	jmp_buf too_long;
};

/*
 * Substitutions let a name of 100 bytes grow exponentially, and libiberty gives its callback no way
 * to stop it but to leave. It holds its state on the stack, except for the letters of a Rust
 * identifier in Punycode: those few bytes are lost when such a name is also too long.
 */
static void collect(const char *text, size_t len, void *opaque)
{
	struct sink *sink = opaque;

	if (len > DEMANGLED_MAX - sink->text.len)
		longjmp(sink->too_long, 1);
	strbuf_append(&sink->text, text, len);
}

/* Runs one demangler; what it wrote before it failed is dropped. */
static bool run(int (*demangler)(const char *, int, demangle_callbackref, void *), const char *name,
		int options, struct sink *sink)
{
	strbuf_reset(&sink->text);
	if (setjmp(sink->too_long) != 0)
		return false;
	return demangler(name, options, collect, sink) != 0 && sink->text.len > 0 &&
	       strbuf_error(&sink->text) == 0;
}

/* The mark that the compiler put behind a C++ name for a part or a variant of the function. */
static const char *clone_suffix(const char *name)
{
	return startswith(name, "_Z") ? strchr(name, '.') : NULL;
}

/* Constructors and destructors of whole files are called _GLOBAL__I_a. */
bool demangle_is_mangled(const char *name)
{
	return name[0] == '_' &&
	       (name[1] == 'Z' || name[1] == 'R' || startswith(name, "_GLOBAL_")) &&
	       strnlen(name, DEMANGLE_INPUT_MAX + 1) <= DEMANGLE_INPUT_MAX;
}

static char *demangle(const char *name, int options)
{
	struct sink sink = {};
	const char *suffix;
	char *result = NULL;

	if (!demangle_is_mangled(name))
		return NULL;
	if (run(rust_demangle_callback, name, options, &sink)) {
		result = TAKE_PTR(sink.text.data);
	} else if (run(cplus_demangle_v3_callback, name, options, &sink)) {
		/* With parameters libiberty adds the mark itself. */
		suffix = options & DMGL_PARAMS ? NULL : clone_suffix(name);
		if (suffix)
			strbuf_printf(&sink.text, " [clone %s]", suffix);
		if (strbuf_error(&sink.text) == 0)
			result = TAKE_PTR(sink.text.data);
	}
	if (!result)
		strbuf_release(&sink.text);
	return result;
}

char *demangle_short(const char *name)
{
	return demangle(name, DMGL_ANSI);
}

char *demangle_full(const char *name)
{
	return demangle(name, DMGL_ANSI | DMGL_PARAMS);
}

int demangle_style_parse(const char *text, enum demangle_style *ret)
{
	static const char *const names[] = {
		[DEMANGLE_SHORT] = "short", [DEMANGLE_FULL] = "full", [DEMANGLE_NONE] = "none"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(text ? text : "short", names[i])) {
			*ret = (enum demangle_style)i;
			return 0;
		}
	return -EINVAL;
}

char *demangle_as(const char *name, enum demangle_style style)
{
	switch (style) {
	case DEMANGLE_SHORT:
		return demangle_short(name);
	case DEMANGLE_FULL:
		return demangle_full(name);
	case DEMANGLE_NONE:
		break;
	}
	return NULL;
}

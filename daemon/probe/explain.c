/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a run of probe_resolve() found no function, and what to do about it. */
#include "probe/kernel_match.h"
#include "probe/source_match.h"

enum { NEAR_NAMES = 3, NEAR_LIBRARIES = 8 };

static const struct spec *first_include(const struct resolver *r, size_t *ret_index)
{
	for (size_t i = 0; i < r->n_specs; i++) {
		if (!r->specs[i]->exclude) {
			*ret_index = i;
			return r->specs[i];
		}
	}
	return NULL;
}

/* How many letters two names have in common at their beginnings, after "lib". */
static size_t likeness(const char *glob, const char *name)
{
	size_t n = 0;

	if (startswith(glob, "lib") && startswith(name, "lib")) {
		glob += 3;
		name += 3;
	}
	while (glob[n] && (glob[n] | 0x20) == (name[n] | 0x20))
		n++;
	return n + (strcasestr(name, glob) ? 64 : 0);
}

/* The mapped files whose names are most like the glob, each name once. */
static size_t near_libraries(const struct resolver *r, const char *glob, const char **names)
{
	size_t n = 0;

	for (size_t i = 0; i < r->mapped.n; i++) {
		const char *name = r->mapped.items[i].name;
		size_t at, known;

		for (known = 0; known < n && !streq(names[known], name); known++)
			;
		if (known < n)
			continue;
		for (at = n; at > 0 && likeness(glob, names[at - 1]) < likeness(glob, name); at--)
			if (at < NEAR_LIBRARIES)
				names[at] = names[at - 1];
		if (at < NEAR_LIBRARIES)
			names[at] = name;
		n = MIN(n + 1, (size_t)NEAR_LIBRARIES);
	}
	return n;
}

static int no_library(struct resolver *r, const struct spec *s)
{
	const char *names[NEAR_LIBRARIES];
	_cleanup_(strbuf_release) struct strbuf list = {};
	size_t n = near_libraries(r, s->binary, names);

	for (size_t i = 0; i < n; i++)
		strbuf_printf(&list, "%s%s", i ? ", " : "", names[i]);
	error_set(r->e, ENOENT, "NothingMatches",
		  "'%s': no library or program called %s is mapped%s%s", s->text, s->binary,
		  r->target->all ? " by any process" : " by the target",
		  r->target->n_files ? " (as far as is known before it starts)" : "");
	if (n > 0 && !strbuf_error(&list))
		error_fix(r->e, "mapped are%s: %s", r->target->all ? ", among others" : "",
			  list.data);
	return -ENOENT;
}

static int nothing_probeable(struct resolver *r, const struct spec *s)
{
	const struct match_reason *m = &r->reasons[0];

	if (m->text) {
		error_set(r->e, ENOENT, "NothingMatches",
			  "'%s' matches only what cannot be probed: %s%s: %s", s->text,
			  m->names.data ? m->names.data : "", m->n > MATCH_NAMES ? ", …" : "",
			  m->text);
		error_fix(r->e, "name other functions");
	} else {
		error_set(r->e, ENOENT, "NothingMatches",
			  "'%s' matches only functions that are excluded", s->text);
		error_fix(r->e, "narrow the exclusions, those that begin with '!'");
	}
	return -ENOENT;
}

static void append_near(struct strbuf *out, const struct symtab *symtab, const char *pattern)
{
	const char *names[NEAR_NAMES];
	size_t n = symtab_find_near(symtab, pattern, names, NEAR_NAMES);

	for (size_t i = 0; i < n; i++)
		strbuf_printf(out, "%s%.100s", out->len ? ", " : "", names[i]);
}

static int no_function(struct resolver *r, const struct spec *s, size_t index)
{
	_cleanup_(strbuf_release) struct strbuf near = {};
	const char *path = NULL, *stripped = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->set->n_files; i++) {
		if (!r->files[i].wanted[index] || !r->files[i].symtab)
			continue;
		path = path ? path : r->set->files[i].path;
		if (r->files[i].stripped && !stripped)
			stripped = r->set->files[i].path;
		if (n++ < NEAR_NAMES && near.len == 0)
			append_near(&near, r->files[i].symtab, s->pattern);
	}
	error_set(r->e, ENOENT, "NothingMatches", "'%s' matches no function of %s%s%s%s%s", s->text,
		  path ? path : "the target", n > 1 ? " and others" : "",
		  stripped ? ", which has no symbols of its internal functions (stripped)" : "",
		  near.len ? "; did you mean " : "", near.len ? near.data : "");
	if (near.len)
		error_fix(r->e, "use one of these names%s",
			  stripped ? ", or install the debug symbols of the program" : "");
	else if (stripped)
		error_fix(r->e,
			  "no symbols: install NAME-dbgsym, where NAME is the package of %s "
			  "(dpkg -S says it), or build it with -g and without strip",
			  stripped);
	else
		error_fix(r->e, "list its functions with sonde probes and the glob '*'");
	return -ENOENT;
}

int match_explain(struct resolver *r)
{
	size_t index = 0;
	const struct spec *s = first_include(r, &index);
	bool wanted = false;

	for (size_t i = 0; i < r->n_specs; i++)
		if (!r->specs[i]->exclude && r->matched[i])
			return nothing_probeable(r, r->specs[i]);
	if (s->kind == SPEC_KERNEL)
		return kernel_match_explain(r, s);
	if (s->is_source)
		return source_match_explain(r, s);
	for (size_t i = 0; i < r->set->n_files; i++)
		wanted |= r->files[i].wanted[index];
	if (!wanted && s->kind == SPEC_LIBRARY)
		return no_library(r, s);
	return s->is_static ? static_match_explain(r, s, index) : no_function(r, s, index);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/match.h"

#include <fnmatch.h>
#include <stdarg.h>

#include "probe/safety.h"
#include "symbol/demangler.h"

static const char ifunc_reason[] = "ifunc resolvers run once at load; name the variant";

/*
 * Functions that are looked at together, so that their names are demangled by one question. Names
 * are the symbol table's.
 */
enum { CHUNK = 2048 };

struct walk {
	struct resolver *r;
	struct symbol *chunk; /* NULL: no specification asks for demangled names */
	size_t n;
	uint32_t file;
	uint64_t last_vaddr; /* of the last point */
	bool has_last;
	/* Of the aliases at an address, one is enough to know what the function is. */
	uint64_t vaddr;
	const char *unsafe;
	bool asks_caller;
	/* Both forms of the name at hand, made when a specification asks for them. */
	const char *name;
	char *short_name, *full_name;
	bool demangled;
	bool gate; /* the function at hand is one */
};

static char *demangle(const struct resolver *r, const char *name, enum demangle_style style)
{
	struct demangler *d = r->options->demangler;

	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R'))
		return NULL;
	return d ? demangler_name(d, name, style) : demangle_as(name, style);
}

static bool matches_demangled(struct walk *w, const struct spec *s)
{
	if (!w->demangled) {
		w->demangled = true;
		w->short_name = demangle(w->r, w->name, DEMANGLE_SHORT);
		w->full_name = demangle(w->r, w->name, DEMANGLE_FULL);
	}
	return (w->short_name && fnmatch(s->pattern, w->short_name, 0) == 0) ||
	       (w->full_name && fnmatch(s->pattern, w->full_name, 0) == 0);
}

static bool matches(struct walk *w, const struct spec *s)
{
	return fnmatch(s->pattern, w->name, 0) == 0 || (s->demangled && matches_demangled(w, s));
}

static void forget_name(struct walk *w)
{
	free(w->short_name);
	free(w->full_name);
	w->short_name = w->full_name = NULL;
	w->demangled = false;
}

bool match_is_gate(const struct resolver *r, size_t spec)
{
	return spec + r->options->n_gates >= r->n_specs;
}

/* The first specification that includes the function at hand, or -ENOENT. Gates come last. */
static int find_spec(struct walk *w)
{
	const struct resolver *r = w->r;
	const bool *wanted = r->files[w->file].wanted;
	int found = -ENOENT;

	w->gate = false;
	for (size_t i = 0; i < r->n_specs; i++) {
		if ((found >= 0 && !match_is_gate(r, i)) || !wanted[i] || r->specs[i]->exclude ||
		    r->specs[i]->is_static || r->specs[i]->is_source || !matches(w, r->specs[i]))
			continue;
		w->gate |= match_is_gate(r, i);
		r->matched[i] += found >= 0;
		found = found < 0 ? (int)i : found;
	}
	return found;
}

static bool is_excluded(struct walk *w)
{
	const struct resolver *r = w->r;
	const bool *wanted = r->files[w->file].wanted;

	for (size_t i = 0; i < r->n_specs; i++)
		if (wanted[i] && r->specs[i]->exclude && !r->specs[i]->is_static &&
		    !r->specs[i]->is_source && matches(w, r->specs[i]))
			return true;
	return false;
}

void match_leave_out(struct resolver *r, const char *name, const char *reason)
{
	struct match_reason *m = r->reasons;

	while (m < r->reasons + MATCH_REASONS - 1 && m->text && m->text != reason)
		m++;
	m->text = reason;
	if (m->n < MATCH_NAMES) {
		if (m->n > 0)
			strbuf_puts(&m->names, ", ");
		strbuf_append(&m->names, name, MIN(strlen(name), (size_t)80));
	}
	m->n++;
}

static int add_point(struct walk *w, const struct symbol *s, uint32_t spec)
{
	struct probe_set *set = w->r->set;
	struct probe_point *p;
	int r;

	if (w->has_last && w->last_vaddr == s->vaddr)
		return 0;
	w->last_vaddr = s->vaddr;
	w->has_last = true;
	w->r->total++;
	if (set->n >= PROBE_MAX_POINTS)
		return 0;
	r = array_reserve(&set->points, &set->cap, set->n + 1, sizeof(*set->points));
	if (r < 0)
		return r;
	p = &set->points[set->n];
	*p = (struct probe_point){
		.file = w->file,
		.spec = spec,
		.size = s->size,
		.offset = s->file_offset,
		.role = match_is_gate(w->r, spec) ? ROLE_GATE : ROLE_SPAN,
		.gate = w->gate,
		.asks_caller = w->asks_caller,
	};
	p->symbol = strdup(s->name);
	if (!p->symbol)
		return -ENOMEM;
	set->n++;
	return 0;
}

/* Notes what a name says about the function, which may be a point already by another name. */
static void learn(struct walk *w, const struct symbol *s)
{
	struct probe_set *set = w->r->set;
	const char *reason = s->flags & SYMBOL_IFUNC ? ifunc_reason : safety_reason(s->name);
	bool is_point = w->has_last && w->last_vaddr == s->vaddr && set->n < PROBE_MAX_POINTS;

	if (w->vaddr != s->vaddr) {
		w->vaddr = s->vaddr;
		w->unsafe = NULL;
		w->asks_caller = false;
	}
	if (safety_asks_caller(s->name))
		w->asks_caller = true;
	if (!w->unsafe)
		w->unsafe = reason;
	if (!is_point)
		return;
	set->points[set->n - 1].asks_caller = w->asks_caller;
	if (!w->unsafe)
		return;
	match_leave_out(w->r, set->points[set->n - 1].symbol, w->unsafe);
	free(set->points[--set->n].symbol);
	w->r->total--;
	w->has_last = false;
}

static int visit(const struct symbol *s, void *data)
{
	struct walk *w = data;
	int spec;

	if ((s->flags & SYMBOL_PLT) || s->size == 0)
		return 0;
	learn(w, s);
	w->name = s->name;
	spec = find_spec(w);
	if (spec >= 0 && is_excluded(w)) {
		w->r->matched[spec]++;
		w->r->excluded++;
		spec = -ENOENT;
	}
	forget_name(w);
	if (spec < 0)
		return 0;
	w->r->matched[spec]++;
	if (w->unsafe) {
		match_leave_out(w->r, s->name, w->unsafe);
		return 0;
	}
	return add_point(w, s, spec);
}

static int visit_chunk(struct walk *w)
{
	struct demangler *d = w->r->options->demangler;
	const char *names[CHUNK];
	int r;

	for (size_t i = 0; i < w->n; i++)
		names[i] = w->chunk[i].name;
	r = demangler_prepare(d, names, w->n, DEMANGLE_SHORT);
	if (r >= 0)
		r = demangler_prepare(d, names, w->n, DEMANGLE_FULL);
	for (size_t i = 0; i < w->n && r >= 0; i++)
		r = visit(&w->chunk[i], w);
	w->n = 0;
	return r;
}

static int collect(const struct symbol *s, void *data)
{
	struct walk *w = data;

	w->chunk[w->n++] = *s;
	return w->n < CHUNK ? 0 : visit_chunk(w);
}

/* Whether a specification that this file is wanted by is (also) about demangled names. */
static bool asks_for_demangled(const struct resolver *r, uint32_t index)
{
	for (size_t i = 0; i < r->n_specs; i++)
		if (r->files[index].wanted[i] && r->specs[i]->demangled)
			return true;
	return false;
}

void probe_set_prepare_names(const struct probe_set *set, size_t first, struct demangler *demangler)
{
	const char **names _cleanup_(freep) = calloc(set->n - first + 1, sizeof(*names));

	for (size_t i = first; names && i < set->n; i++)
		names[i - first] = set->points[i].symbol;
	if (names)
		(void)demangler_prepare(demangler, names, set->n - first, DEMANGLE_SHORT);
}

int match_functions(struct resolver *r, uint32_t index)
{
	struct walk w = {.r = r, .file = index};
	struct symbol *chunk _cleanup_(freep) = NULL;
	size_t first = r->set->n;
	int x;

	if (!r->options->demangler)
		return symtab_each(r->files[index].symtab, visit, &w);
	if (asks_for_demangled(r, index)) {
		w.chunk = chunk = calloc(CHUNK, sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		x = symtab_each(r->files[index].symtab, collect, &w);
		if (x >= 0)
			x = visit_chunk(&w);
	} else {
		x = symtab_each(r->files[index].symtab, visit, &w);
	}
	if (x >= 0)
		probe_set_prepare_names(r->set, first, r->options->demangler);
	return x;
}

int match_describe(struct resolver *r, const struct probe_point *p,
		   const struct function_type *type, uint8_t *ret_needed_args)
{
	const struct resolve_options *o = r->options;
	struct error e = {};
	int x;

	if (!o->describe)
		return 0;
	x = o->describe(o->arg, p, r->set->files[p->file].path, type, ret_needed_args, &e);
	if (x > 0 && !r->described_name) {
		r->described = e;
		r->described_name = strdup(p->symbol);
	}
	if (x > 0)
		r->n_described++;
	if (x < 0 && r->e && e.name[0])
		*r->e = e;
	return x;
}

int match_note(struct resolver *r, const char *fmt, ...)
{
	struct probe_set *set = r->set;
	_cleanup_(freep) char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	n = array_reserve(&set->notes, &set->notes_cap, set->n_notes + 1, sizeof(*set->notes));
	if (n < 0)
		return n;
	set->notes[set->n_notes++] = TAKE_PTR(text);
	return 0;
}

int match_reasons_to_notes(struct resolver *r)
{
	for (size_t i = 0; i < MATCH_REASONS && r->reasons[i].text; i++) {
		struct match_reason *m = &r->reasons[i];
		int x = strbuf_error(&m->names);

		if (x >= 0 && m->n > MATCH_NAMES)
			x = match_note(r, "%s and %zu more: %s", m->names.data, m->n - MATCH_NAMES,
				       m->text);
		else if (x >= 0)
			x = match_note(r, "%s: %s", m->names.data, m->text);
		if (x < 0)
			return x;
	}
	return 0;
}

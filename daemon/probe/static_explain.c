/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why specifications of static probes matched none, and which there are. */
#include <fnmatch.h>

#include "probe/static_match.h"
#include "symbol/near.h"

enum { NEAR_NAMES = 4, PROVIDERS_MAX = 8, FILES_MAX = 8 };

/* The notes of the files that a specification is about. */
struct looked_at {
	struct usdt_notes *notes[FILES_MAX];
	size_t n_notes, n_files;
	const char *path; /* of the first */
};

static void looked_at_release(struct looked_at *l)
{
	for (size_t i = 0; i < l->n_notes; i++)
		usdt_notes_free(l->notes[i]);
}

static void look(const struct resolver *r, size_t index, struct looked_at *l)
{
	for (size_t i = 0; i < r->set->n_files; i++) {
		const struct probe_file *f = &r->set->files[i];

		if (!r->files[i].wanted[index])
			continue;
		l->n_files++;
		if (!l->path)
			l->path = f->path;
		if (l->n_notes == FILES_MAX || reader_notes(r->options->reader, f->fd, f->path,
							    NULL, &l->notes[l->n_notes]) < 0)
			continue;
		if (l->n_notes == 0)
			l->path = f->path;
		l->n_notes++;
	}
}

/* The providers, in `list`; whether one matches. Names of its probes are offered to `near`. */
static bool list(const struct looked_at *l, const struct spec *s, struct strbuf *providers,
		 struct near *near)
{
	const char *last = "";
	size_t n, shown = 0;
	bool found = false;

	for (size_t i = 0; i < l->n_notes; i++) {
		const struct usdt_note *notes = usdt_notes_all(l->notes[i], &n);

		for (size_t k = 0; k < n; k++) {
			bool same = fnmatch(s->provider, notes[k].provider, 0) == 0;

			found |= same;
			if (same && (k == 0 || !streq(notes[k].name, notes[k - 1].name) ||
				     !streq(notes[k].provider, notes[k - 1].provider)))
				near_offer(near, notes[k].name);
			if (streq(last, notes[k].provider))
				continue;
			last = notes[k].provider;
			if (shown++ < PROVIDERS_MAX)
				strbuf_printf(providers, "%s%.60s", shown > 1 ? ", " : "", last);
			else if (shown == PROVIDERS_MAX + 1)
				strbuf_puts(providers, ", …");
		}
	}
	return found;
}

static int no_notes(struct resolver *r, const struct spec *s, const struct looked_at *l)
{
	error_set(r->e, ENOENT, "NothingMatches", "'%s': %s%s no static probes", s->text,
		  l->path ? l->path : "the target",
		  l->n_files > 1 ? " and the other files that match have" : " has");
	error_fix(r->e,
		  "programs have them that were built with sys/sdt.h, often by an option such "
		  "as --enable-dtrace or --enable-systemtap; name functions instead, or list "
		  "what a file has: sonde probes 'usdt:/path/of/file:*:*'");
	return -ENOENT;
}

int static_match_explain(struct resolver *r, const struct spec *s, size_t index)
{
	_cleanup_(looked_at_release) struct looked_at l = {};
	_cleanup_(strbuf_release) struct strbuf providers = {}, names = {};
	struct near near;

	look(r, index, &l);
	if (l.n_notes == 0)
		return no_notes(r, s, &l);
	near_init(&near, s->pattern, NEAR_NAMES);
	if (!list(&l, s, &providers, &near)) {
		error_set(r->e, ENOENT, "NothingMatches",
			  "'%s': no static probe of %s%s has the provider %s; there %s %s", s->text,
			  l.path, l.n_notes > 1 ? " and others" : "", s->provider,
			  strchr(providers.data ? providers.data : "", ',') ? "are" : "is",
			  providers.data ? providers.data : "none");
		error_fix(r->e, "write usdt:%s:PROVIDER:NAME with one of these, or '*'", l.path);
		return -ENOENT;
	}
	for (size_t i = 0; i < near.n; i++)
		strbuf_printf(&names, "%s%.100s", i ? ", " : "", near.names[i]);
	error_set(r->e, ENOENT, "NothingMatches", "'%s' matches no static probe of %s%s%s%s",
		  s->text, l.path, l.n_notes > 1 ? " and others" : "",
		  names.len ? "; did you mean " : "", names.len ? names.data : "");
	error_fix(r->e, "list them: sonde probes 'usdt:%s:%s:*'", l.path, s->provider);
	return -ENOENT;
}

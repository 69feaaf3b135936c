/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_wishes.h"

#include "control/session.h"
#include "sonde/base/strbuf.h"

/* Globs of programs know * and ? only: what a class would match is let through. */
static void put_glob(struct strbuf *b, const char *glob)
{
	bool odd = strpbrk(glob, "[\\");

	strbuf_puts(b, odd ? "*" : glob);
}

static void add_rule(struct source_wishes *w, const struct spec *s)
{
	_cleanup_(strbuf_release) struct strbuf rule = {};

	if (s->exclude && (strpbrk(s->provider, "[\\") || strpbrk(s->pattern, "[\\")))
		return;
	if (s->exclude)
		strbuf_putc(&rule, '-');
	put_glob(&rule, s->provider);
	strbuf_putc(&rule, '/');
	put_glob(&rule, s->pattern);
	w->excludes |= s->exclude;
	if (strbuf_error(&rule) < 0 || rule.len + 1 > sizeof(w->rules) - w->n_bytes) {
		w->has_all = true; /* then all that there are */
		return;
	}
	memcpy(w->rules + w->n_bytes, rule.data, rule.len);
	w->rules[w->n_bytes + rule.len] = '\0';
	w->n_bytes += (uint32_t)rule.len + 1;
}

void source_wishes_add(struct source_wishes *w, const struct session *s)
{
	const struct session_options *o = &s->options;

	w->threshold_ns =
		w->n_sessions ? MIN(w->threshold_ns, o->min_duration_ns) : o->min_duration_ns;
	w->n_sessions++;
	/* Includes first, as the last rule that matches decides. */
	for (int exclude = 0; exclude < 2; exclude++)
		for (size_t i = 0; i < o->n_specs; i++) {
			struct spec *spec = NULL;

			if (spec_parse(o->specs[i], &spec, NULL) < 0)
				continue;
			if (spec->is_source && spec->exclude == exclude)
				add_rule(w, spec);
			spec_free(spec);
		}
}

void source_wishes_finish(struct source_wishes *w)
{
	/* What one session leaves out another one may want. */
	if (!w->has_all && !(w->excludes && w->n_sessions > 1))
		return;
	memset(w->rules, 0, sizeof(w->rules));
	w->n_bytes = 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bound condition as a whole: its terms, split by who decides them. */
#include "expr/bound.h"

#include "expr/bind.h"
#include "sonde/base/strbuf.h"

struct split {
	struct binder binder;
	struct strbuf texts[EXPR_PARTS];
};

static void add_text(struct strbuf *b, const char *text, size_t len)
{
	if (b->len)
		strbuf_puts(b, " && ");
	strbuf_append(b, text, len);
}

static bool is_use_known(const struct bound *b, size_t n, const struct expr_use *use)
{
	for (size_t i = 0; i < n; i++)
		if (b->uses[i].part == use->part && streq(b->uses[i].text, use->text))
			return true;
	return false;
}

/* The leaves from `first` on belong to a term that `part` decides; none is listed twice. */
static void settle_uses(struct bound *b, size_t first, enum expr_part part)
{
	size_t kept = first;

	for (size_t i = first; i < b->n_uses; i++) {
		struct expr_use use = b->uses[i];

		use.part = part;
		if (!is_use_known(b, kept, &use))
			b->uses[kept++] = use;
	}
	b->n_uses = kept;
}

static int add_term(struct split *s, const struct node *n)
{
	struct bound *b = s->binder.b;
	const char *text = s->binder.x->text + n->begin;
	size_t len = n->end - n->begin, first_use = b->n_uses;
	enum expr_part part;
	struct ir *term;
	int r;

	if (n->kind == NODE_BINARY && n->op == OP_AND) {
		r = add_term(s, n->left);
		return r < 0 ? r : add_term(s, n->right);
	}
	r = bind_truth(&s->binder, n, &term);
	if (r < 0)
		return r;
	part = term->in_kernel ? EXPR_KERNEL : EXPR_DAEMON;
	settle_uses(b, first_use, part);
	b->has[part] = true;
	b->parts[part] = ir_and(&b->arena, b->parts[part], term);
	b->parts[EXPR_WHOLE] = ir_and(&b->arena, b->parts[EXPR_WHOLE], term);
	add_text(&s->texts[part], text, len);
	return b->parts[part] && b->parts[EXPR_WHOLE] ? 0 : -ENOMEM;
}

static int keep_texts(struct split *s)
{
	struct bound *b = s->binder.b;

	for (int part = 0; part < EXPR_WHOLE; part++) {
		if (strbuf_error(&s->texts[part]) < 0)
			return -ENOMEM;
		b->texts[part] =
			arena_strndup(&b->arena, s->texts[part].len ? s->texts[part].data : "",
				      s->texts[part].len);
		if (!b->texts[part])
			return -ENOMEM;
	}
	b->texts[EXPR_WHOLE] =
		arena_strndup(&b->arena, s->binder.x->text, strlen(s->binder.x->text));
	return b->texts[EXPR_WHOLE] ? 0 : -ENOMEM;
}

int expr_bind(const struct expr *x, const struct expr_scope *scope, struct bound **ret,
	      struct error *e)
{
	_cleanup_(bound_freep) struct bound *b = calloc(1, sizeof(*b));
	struct split s = {.binder = {.x = x, .scope = scope, .b = b, .e = e}};
	int r;

	if (!b)
		return -ENOMEM;
	s.binder.a = &b->arena;
	s.binder.bindings = arena_alloc(&b->arena, (x->n_refs + 1) * sizeof(*s.binder.bindings));
	s.binder.known = arena_alloc(&b->arena, (x->n_refs + 1) * sizeof(*s.binder.known));
	for (int part = 0; part < EXPR_PARTS; part++)
		b->parts[part] = ir_bool(&b->arena, true);
	if (b->arena.failed)
		return -ENOMEM;
	b->has[EXPR_WHOLE] = true;
	r = add_term(&s, x->root);
	if (r == 0)
		r = keep_texts(&s);
	for (int part = 0; part < EXPR_PARTS; part++)
		strbuf_release(&s.texts[part]);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

struct bound *bound_free(struct bound *b)
{
	if (!b)
		return NULL;
	regex_free(b->regexes);
	arena_release(&b->arena);
	free(b->uses);
	free(b);
	return NULL;
}

bool bound_has(const struct bound *b, enum expr_part part)
{
	return b->has[part];
}

const char *bound_text(const struct bound *b, enum expr_part part)
{
	return b->texts[part];
}

const struct expr_use *bound_uses(const struct bound *b, size_t *ret_n)
{
	*ret_n = b->n_uses;
	return b->uses;
}

uint32_t bound_needs(const struct bound *b, enum expr_part part)
{
	return b->parts[part]->needs;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts held against texts and patterns, and which of it the kernel can decide. */
#include "expr/bind.h"

/* A string that is compared: what a glob would take for an escape is one character. */
static char *unescaped(struct binder *b, const char *text, size_t *ret_len)
{
	char *copy = arena_alloc(b->a, strlen(text) + 1), *out = copy;

	if (!copy)
		return NULL;
	for (; *text; text++) {
		text += text[0] == '\\' && text[1];
		*out++ = *text;
	}
	*ret_len = out - copy;
	return copy;
}

/* More bytes than the text can have here: it would never match, for a reason nobody sees. */
static int check_room(struct binder *b, const struct node *at, const struct text_source *source,
		      const struct pattern *p)
{
	size_t room = source->kind == TEXT_COMM ? RECORD_COMM_LEN - 1 : source->room;
	int r;

	if ((source->kind != TEXT_COMM && source->kind != TEXT_CAPTURE) ||
	    (p->kind != PATTERN_EXACT && p->kind != PATTERN_PREFIX) || p->len <= room)
		return 0;
	r = bind_complain(b, at,
			  "expected a text of at most %zu bytes, as no more of it is known, found "
			  "one of %zu",
			  room, p->len);
	error_fix(b->e, "write `=~ \"%.*s*\"`", (int)MIN(room, (size_t)60), p->text);
	return r;
}

/*
 * Holds the session's probes against the pattern now, so that the kernel need only look at the
 * caller's index. NULL in *ret: too many match for that.
 */
static int match_callers(struct binder *b, const struct pattern *p, struct ir_callers **ret)
{
	const struct expr_scope *scope = b->scope;
	size_t matching = 0, limit = ARRAY_SIZE((*ret)->list);
	bool flipped;

	*ret = NULL;
	if (!scope->n_callers || p->kind == PATTERN_SOURCE)
		return 0;
	for (size_t i = 0; i < scope->n_callers; i++)
		matching += pattern_matches(p, scope->callers[i], strlen(scope->callers[i]));
	flipped = matching > limit;
	if (flipped && scope->n_callers - matching > limit)
		return 0;
	*ret = arena_alloc(b->a, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->flipped = flipped;
	(*ret)->total = scope->n_callers;
	(*ret)->names = scope->callers;
	for (size_t i = 0; i < scope->n_callers; i++)
		if (pattern_matches(p, scope->callers[i], strlen(scope->callers[i])) != flipped)
			(*ret)->list[(*ret)->n++] = i;
	return 0;
}

static int make_text(struct binder *b, const struct typed *left, const struct node *at,
		     struct ir_text *text, bool negated, struct ir **ret)
{
	int r = check_room(b, at, &left->text, &text->pattern);

	text->source = left->text;
	if (r == 0 && left->text.kind == TEXT_CALLER)
		r = match_callers(b, &text->pattern, &text->callers);
	if (r < 0)
		return r;
	*ret = ir_text(b->a, text, negated);
	return *ret ? 0 : -ENOMEM;
}

/* Whether a text that is no literal of the condition can be longer than what it is compared with.
 */
static bool may_not_fit(const struct typed *left, const struct typed *right)
{
	size_t room = left->text.kind == TEXT_COMM ? RECORD_COMM_LEN - 1 : left->text.room;

	return !right->is_literal &&
	       (left->text.kind == TEXT_COMM || left->text.kind == TEXT_CAPTURE) &&
	       right->text.len > room;
}

int bind_same_text(struct binder *b, enum op op, const struct typed *left,
		   const struct typed *right, struct ir **ret)
{
	struct ir_text text = {};
	struct typed l = *left;

	if (left->text.kind == TEXT_CONST && right->text.kind != TEXT_CONST) {
		l = *right;
		right = left;
	}
	if (right->text.kind != TEXT_CONST || may_not_fit(&l, right)) {
		text.pattern = (struct pattern){.kind = PATTERN_SOURCE, .other = right->text};
		return make_text(b, &l, right->node, &text, op == OP_NE, ret);
	}
	text.pattern = (struct pattern){
		.kind = PATTERN_EXACT, .text = right->text.text, .len = right->text.len};
	if (right->is_literal)
		text.pattern.text = unescaped(b, right->text.text, &text.pattern.len);
	if (l.text.kind == TEXT_CONST && l.is_literal)
		l.text.text = unescaped(b, l.text.text, &l.text.len);
	if (!text.pattern.text || (l.text.kind == TEXT_CONST && !l.text.text))
		return -ENOMEM;
	return make_text(b, &l, right->node, &text, op == OP_NE, ret);
}

static int bad_regex(struct binder *b, const struct node *n, const char *why, size_t at)
{
	struct node where = *n;
	int r;

	/* Escaped slashes before it move it a little; inside the pattern it stays. */
	where.begin = MIN(n->begin + 1 + (uint32_t)at, n->end - 1);
	r = bind_complain(b, &where, "expected a regular expression: %s", why);
	error_fix(b->e,
		  "write `\\` before a character that is meant literally, or a glob as in `=~ "
		  "\"get_*\"`");
	return r;
}

static int make_pattern(struct binder *b, const struct node *n, struct pattern *ret)
{
	char why[128];
	size_t at = 0;
	int r;

	if (n->kind == NODE_STRING)
		return pattern_from_glob(b->a, n->text, ret);
	*ret = (struct pattern){.kind = PATTERN_REGEX};
	r = regex_compile(n->text, n->value, &b->b->regexes, &ret->regex, why, sizeof(why), &at);
	return r == -EINVAL ? bad_regex(b, n, why, at) : r;
}

int bind_match(struct binder *b, const struct node *n, struct ir **ret)
{
	struct hint hint = {};
	struct typed left;
	struct ir_text text = {};
	int r = bind_value(b, n->left, &hint, &left);

	if (r < 0)
		return r;
	if (left.kind != EXPR_STRING && n->left->kind == NODE_FIELD &&
	    n->left->field == FIELD_cgroup) {
		left.kind = EXPR_STRING;
		left.text = (struct text_source){.kind = TEXT_CGROUP};
	}
	if (left.kind != EXPR_STRING) {
		r = bind_complain(b, n->left, "expected a text before `%s`, found %s",
				  n->negated ? "!~" : "=~", bind_describe(b, &left));
		if (n->left->kind == NODE_REF && !n->left->ref->str &&
		    n->left->ref->kind != EXPR_REF_RET)
			error_fix(b->e, "write `str(%s)` for the text it points to",
				  bind_slice(b, n->left));
		else
			error_fix(b->e, "write `%s %s …`", bind_slice(b, n->left),
				  n->negated ? "!=" : "==");
		return r;
	}
	r = make_pattern(b, n->right, &text.pattern);
	return r < 0 ? r : make_text(b, &left, n->right, &text, n->negated, ret);
}

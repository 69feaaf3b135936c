/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/parser.h"

int parser_advance(struct parser *p)
{
	return lexer_next(&p->lexer, p->token.kind == TOKEN_MATCH, &p->token);
}

const char *parser_found(struct parser *p)
{
	size_t len = p->token.end - p->token.begin;
	const char *text;

	if (p->token.kind == TOKEN_END)
		return "the end";
	text = arena_printf(&p->x->arena, "`%.*s`", (int)MIN(len, (size_t)80),
			    p->x->text + p->token.begin);
	return text ? text : "something else";
}

int parser_expected(struct parser *p, const char *what)
{
	return error_complain(p->e, p->x->text, p->token.begin, "expected %s, found %s", what,
			      parser_found(p));
}

bool parser_at_word(const struct parser *p, const char *word)
{
	size_t len = strlen(word);

	return p->token.kind == TOKEN_WORD && p->token.end - p->token.begin == len &&
	       !strncmp(p->x->text + p->token.begin, word, len);
}

struct node *parser_node(struct parser *p, enum node_kind kind)
{
	struct node *n;

	if (++p->x->n_nodes > EXPR_MAX_NODES) {
		error_complain(p->e, p->x->text, p->token.begin,
			       "expected at most %d fields, values and operators", EXPR_MAX_NODES);
		error_fix(p->e,
			  "write a shorter condition; `in (a, b)` and globs say much in little");
		return NULL;
	}
	n = arena_alloc(&p->x->arena, sizeof(*n));
	if (!n)
		return NULL;
	n->kind = kind;
	n->begin = p->token.begin;
	n->end = p->token.end;
	return n;
}

int parser_no_node(const struct parser *p)
{
	return p->x->arena.failed ? -ENOMEM : -EINVAL;
}

int parser_enter(struct parser *p)
{
	int r;

	if (p->depth < EXPR_MAX_DEPTH) {
		p->depth++;
		return 0;
	}
	r = error_complain(p->e, p->x->text, p->token.begin,
			   "expected at most %d parentheses and signs inside each other",
			   EXPR_MAX_DEPTH);
	error_fix(p->e, "leave out parentheses that change nothing");
	return r;
}

/* How tightly the token binds as an operator between two operands; -1 when it is none. */
static int precedence(const struct token *t)
{
	static const int of[] = {
		[OP_OR] = 0,  [OP_AND] = 1, [OP_BIT_OR] = 2, [OP_BIT_XOR] = 3, [OP_BIT_AND] = 4,
		[OP_EQ] = 5,  [OP_NE] = 5,  [OP_LT] = 6,     [OP_LE] = 6,      [OP_GT] = 6,
		[OP_GE] = 6,  [OP_SHL] = 7, [OP_SHR] = 7,    [OP_ADD] = 8,     [OP_SUB] = 8,
		[OP_MUL] = 9, [OP_DIV] = 9, [OP_MOD] = 9,
	};

	if (t->kind == TOKEN_MATCH || t->kind == TOKEN_IN)
		return 5;
	return t->kind == TOKEN_OP && t->op < OP_NOT ? of[t->op] : -1;
}

static int parse_list(struct parser *p, struct node *in)
{
	struct node **last = &in->items;
	int r;

	if (p->token.kind != TOKEN_OPEN) {
		r = parser_expected(p, "`(` behind `in`");
		error_fix(p->e, "write a list, as in `pid in (1, 2)`");
		return r;
	}
	r = parser_enter(p);
	do {
		if (r == 0)
			r = parser_advance(p);
		if (r == 0)
			r = parse_binary(p, 0, last);
		if (r < 0)
			return r;
		in->has_name |= (*last)->has_name;
		last = &(*last)->next;
	} while (p->token.kind == TOKEN_COMMA);
	if (p->token.kind != TOKEN_CLOSE) {
		r = parser_expected(p, "`,` or `)` in the list");
		error_fix(p->e, "write `)` where the list ends");
		return r;
	}
	p->depth--;
	in->end = p->token.end;
	return parser_advance(p);
}

static int parse_pattern(struct parser *p, struct node *match)
{
	int r;

	if (p->token.kind != TOKEN_STRING && p->token.kind != TOKEN_REGEX) {
		r = parser_expected(p, "a pattern behind `=~`");
		error_fix(p->e,
			  "write a glob as in `=~ \"get_*\"`, or a regular expression as in `=~ "
			  "/^get_/`");
		return r;
	}
	r = parse_literal(p, &match->right);
	if (r == 0)
		match->end = match->right->end;
	return r;
}

static int parse_operator(struct parser *p, struct node *left, struct node **ret)
{
	struct token t = p->token;
	struct node *n = parser_node(p, t.kind == TOKEN_MATCH ? NODE_MATCH
					: t.kind == TOKEN_IN  ? NODE_IN
							      : NODE_BINARY);
	int r;

	if (!n)
		return parser_no_node(p);
	n->op = t.op;
	n->negated = t.negated;
	n->left = left;
	n->begin = left->begin;
	n->has_name = left->has_name;
	r = parser_advance(p);
	if (r < 0)
		return r;
	*ret = n;
	if (t.kind == TOKEN_MATCH)
		return parse_pattern(p, n);
	if (t.kind == TOKEN_IN)
		return parse_list(p, n);
	r = parse_binary(p, precedence(&t) + 1, &n->right);
	if (r < 0)
		return r;
	n->has_name |= n->right->has_name;
	n->end = n->right->end;
	return 0;
}

int parse_binary(struct parser *p, int least, struct node **ret)
{
	struct node *n;
	int r = parse_unary(p, &n);

	while (r == 0 && precedence(&p->token) >= least && precedence(&p->token) >= 0)
		r = parse_operator(p, n, &n);
	if (r == 0)
		*ret = n;
	return r;
}

/* The number that a blank separates from the word at hand: its length, with ret_begin; else 0. */
static size_t number_before(const struct parser *p, uint32_t *ret_begin)
{
	const char *text = p->x->text;
	uint32_t end = p->token.begin, begin;

	while (end && text[end - 1] == ' ')
		end--;
	begin = end;
	while (begin && strchr("0123456789.", text[begin - 1]))
		begin--;
	*ret_begin = begin;
	return p->token.kind == TOKEN_WORD ? end - begin : 0;
}

static int expect_end(struct parser *p)
{
	uint32_t number;
	size_t len = number_before(p, &number);
	int r;

	if (p->token.kind == TOKEN_END)
		return 0;
	r = parser_expected(p, "an operator or the end");
	if (parser_at_word(p, "and") || parser_at_word(p, "or"))
		error_fix(p->e, "write `%s`", parser_at_word(p, "and") ? "&&" : "||");
	else if (parser_at_word(p, "is"))
		error_fix(p->e, "write `==`");
	else if (parser_at_word(p, "like") || parser_at_word(p, "matches"))
		error_fix(p->e, "write `=~`");
	else if (p->token.kind == TOKEN_CLOSE)
		error_fix(p->e, "leave the `)` out, or write the `(` that it belongs to");
	else if (len)
		error_fix(p->e, "write `%.*s%.*s`", (int)len, p->x->text + number,
			  (int)(p->token.end - p->token.begin), p->x->text + p->token.begin);
	else
		error_fix(p->e, "write `&&` or `||` between two conditions");
	return r;
}

int expr_parse(const char *text, struct expr **ret, struct error *e)
{
	_cleanup_(expr_freep) struct expr *x = calloc(1, sizeof(*x));
	struct parser p = {.x = x, .e = e};
	int r;

	if (!x)
		return -ENOMEM;
	if (strlen(text) > EXPR_MAX_LEN) {
		r = error_complain(e, text, EXPR_MAX_LEN,
				   "expected at most %d characters, found %zu", EXPR_MAX_LEN,
				   strlen(text));
		error_fix(e, "write a shorter condition");
		return r;
	}
	x->text = strdup(text);
	if (!x->text)
		return -ENOMEM;
	p.lexer = (struct lexer){.arena = &x->arena, .text = x->text, .e = e};
	r = parser_advance(&p);
	if (r == 0)
		r = parse_binary(&p, 0, &x->root);
	if (r == 0)
		r = expect_end(&p);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(x);
	return 0;
}

struct expr *expr_free(struct expr *x)
{
	if (!x)
		return NULL;
	arena_release(&x->arena);
	free(x->text);
	free(x);
	return NULL;
}

const char *expr_text(const struct expr *x)
{
	return x->text;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands between operators: values, names, parentheses, and the signs before them. */
#include <ctype.h>

#include "expr/parser.h"

/* What begins no operand: most often the habit of another language. */
static int bad_operand(struct parser *p)
{
	int r = parser_expected(p, p->x->n_nodes ? "a field or a value" : "a condition");

	if (p->token.kind == TOKEN_END)
		error_fix(p->e, p->x->n_nodes ? "write what follows, or leave the last operator out"
					      : "write for example `duration > 10ms`");
	else if (p->token.kind == TOKEN_REGEX ||
		 (p->token.kind == TOKEN_OP && p->token.op == OP_DIV))
		error_fix(p->e, "write a regular expression behind `=~`, as in `name =~ /^get_/`");
	else if (p->token.kind == TOKEN_DOT && isdigit((unsigned char)p->x->text[p->token.end]))
		error_fix(p->e, "write `0.%.*s`",
			  (int)strspn(p->x->text + p->token.end, "0123456789"),
			  p->x->text + p->token.end);
	else
		error_fix(p->e, "leave %s out, or write a field before it", parser_found(p));
	return r;
}

static int parse_parentheses(struct parser *p, struct node **ret)
{
	uint32_t begin = p->token.begin;
	struct node *n;
	int r = parser_enter(p);

	if (r == 0)
		r = parser_advance(p);
	if (r == 0)
		r = parse_binary(p, 0, &n);
	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_CLOSE) {
		r = error_complain(p->e, p->x->text, p->token.begin,
				   "expected `)` for the `(` of column %u, found %s",
				   error_column(p->x->text, begin), parser_found(p));
		error_fix(p->e, p->token.kind == TOKEN_COMMA
					? "write `in` before a list: `pid in (1, 2)`"
					: "write `)` where the parentheses end");
		return r;
	}
	n->begin = begin;
	n->end = p->token.end;
	p->depth--;
	*ret = n;
	return parser_advance(p);
}

int parse_literal(struct parser *p, struct node **ret)
{
	static const enum node_kind kinds[] = {
		[TOKEN_NUMBER] = NODE_NUMBER,	  [TOKEN_DECIMAL] = NODE_DECIMAL,
		[TOKEN_DURATION] = NODE_DURATION, [TOKEN_SIZE] = NODE_SIZE,
		[TOKEN_STRING] = NODE_STRING,	  [TOKEN_REGEX] = NODE_REGEX,
	};
	struct node *n = parser_node(p, kinds[p->token.kind]);

	if (!n)
		return parser_no_node(p);
	n->value = p->token.value;
	n->decimal = p->token.decimal;
	n->text = p->token.text;
	n->quoted_once = p->token.quote == '\'';
	*ret = n;
	return parser_advance(p);
}

static bool is_field(const struct parser *p, enum field *ret)
{
	for (int f = 0; f < FIELD_COUNT; f++)
		if (parser_at_word(p, field_name(f))) {
			*ret = f;
			return true;
		}
	return false;
}

/* A word that is neither reference nor attr: a field, a literal, or a name for bind to explain. */
static int parse_name(struct parser *p, struct node **ret)
{
	struct node *n = parser_node(p, NODE_NAME);

	if (!n)
		return parser_no_node(p);
	n->text = arena_strndup(&p->x->arena, p->x->text + n->begin, n->end - n->begin);
	if (!n->text)
		return -ENOMEM;
	if (is_field(p, &n->field))
		n->kind = NODE_FIELD;
	else if (parser_at_word(p, "true") || parser_at_word(p, "false")) {
		n->kind = NODE_BOOL;
		n->value = parser_at_word(p, "true");
	} else if (parser_at_word(p, "NULL") || parser_at_word(p, "nullptr")) {
		n->kind = NODE_NULL;
	} else {
		n->has_name = true;
	}
	*ret = n;
	return parser_advance(p);
}

static int parse_word(struct parser *p, struct node **ret)
{
	struct node *n;
	int r;

	if (parser_at_word(p, "not") || parser_at_word(p, "and") || parser_at_word(p, "or")) {
		r = parser_expected(p, "a field or a value");
		error_fix(p->e, "write `%s`",
			  parser_at_word(p, "not")   ? "!"
			  : parser_at_word(p, "and") ? "&&"
						     : "||");
		return r;
	}
	if (parser_at_word(p, "attr")) {
		n = parser_node(p, NODE_ATTR);
		if (!n)
			return parser_no_node(p);
		r = parser_advance(p);
		if (r == 0)
			r = parse_attr_key(p, &n->text);
	} else {
		struct token first = p->token;
		struct expr_ref *ref;

		r = parse_reference(p, &ref);
		if (r == -ENOENT)
			return parse_name(p, ret);
		if (r < 0)
			return r;
		n = parser_node(p, NODE_REF);
		if (!n)
			return parser_no_node(p);
		n->begin = first.begin;
		n->ref = ref;
		n->ref_index = p->x->n_refs++;
	}
	if (r < 0)
		return r;
	/* The token at hand is the one behind it. */
	n->end = p->token.begin;
	while (n->end > n->begin && strchr(" \t\n\r\v\f", p->x->text[n->end - 1]))
		n->end--;
	*ret = n;
	return 0;
}

int parse_unary(struct parser *p, struct node **ret)
{
	struct node *n;
	int r;

	switch (p->token.kind) {
	case TOKEN_NUMBER:
	case TOKEN_DECIMAL:
	case TOKEN_DURATION:
	case TOKEN_SIZE:
	case TOKEN_STRING:
		return parse_literal(p, ret);
	case TOKEN_OPEN:
		return parse_parentheses(p, ret);
	case TOKEN_WORD:
		return parse_word(p, ret);
	case TOKEN_OP:
		break;
	default:
		return bad_operand(p);
	}
	if (p->token.op != OP_SUB && p->token.op != OP_NOT && p->token.op != OP_BIT_NOT)
		return bad_operand(p);
	n = parser_node(p, NODE_UNARY);
	if (!n)
		return parser_no_node(p);
	n->op = p->token.op == OP_SUB ? OP_NEG : p->token.op;
	r = parser_enter(p);
	if (r == 0)
		r = parser_advance(p);
	if (r == 0)
		r = parse_unary(p, &n->left);
	if (r < 0)
		return r;
	p->depth--;
	n->has_name = n->left->has_name;
	n->end = n->left->end;
	*ret = n;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens → tree. Private to the module: parser.c has the operators, operand.c what is
 * between them, reference.c what args.… means.
 */
#ifndef SONDE_EXPR_PARSER_H
#define SONDE_EXPR_PARSER_H

#include "expr/lexer.h"

struct parser {
	struct lexer lexer;
	struct token token; /* the one at hand */
	struct expr *x;
	struct error *e;
	unsigned int depth;
};

int parser_advance(struct parser *p);
/* The text of the token at hand, for messages: in arena memory, "the end" at the end. */
const char *parser_found(struct parser *p);
/* Complains about the token at hand: "expected WHAT, found …". */
int parser_expected(struct parser *p, const char *what);
bool parser_at_word(const struct parser *p, const char *word);

/* A new node for the token at hand. NULL: why is what parser_no_node() returns. */
struct node *parser_node(struct parser *p, enum node_kind kind);
int parser_no_node(const struct parser *p);
/* Refuses to nest deeper than EXPR_MAX_DEPTH; p->depth-- leaves again. */
int parser_enter(struct parser *p);

/* Operators that bind at least as tightly as `least`; all are left-associative. */
int parse_binary(struct parser *p, int least, struct node **ret);
int parse_unary(struct parser *p, struct node **ret);
int parse_literal(struct parser *p, struct node **ret);
/* args.…, arg0 … arg5, ret, str(…) or buf(…): the word is at hand. -ENOENT: it is none. */
int parse_reference(struct parser *p, struct expr_ref **ret);
/* A name below attr, which may have dots: into arena memory. */
int parse_attr_key(struct parser *p, const char **ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text → tokens, one at a time. Private to the module. */
#ifndef SONDE_EXPR_LEXER_H
#define SONDE_EXPR_LEXER_H

#include "expr/ast.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NUMBER,
	TOKEN_DECIMAL, /* with a fraction or an exponent */
	TOKEN_DURATION,
	TOKEN_SIZE,
	TOKEN_STRING,
	TOKEN_REGEX,
	TOKEN_WORD,
	TOKEN_OP,    /* one of enum op; OP_SUB may be a sign, OP_NOT a negation */
	TOKEN_MATCH, /* =~ or, negated, !~ */
	TOKEN_IN,    /* in or, negated, !in and not in */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_DOT, /* . and -> */
	TOKEN_BRACKET_OPEN,
	TOKEN_BRACKET_CLOSE,
};

struct token {
	enum token_kind kind;
	enum op op;
	bool negated;
	char quote;	     /* of a string */
	uint32_t begin, end; /* bytes of the text */
	uint64_t value;	     /* of numbers; 1 for a regex without case */
	struct decimal decimal;
	const char *text; /* of strings and regexes, unescaped */
};

struct lexer {
	struct arena *arena; /* of token.text */
	const char *text;
	uint32_t at;
	struct error *e;
};

/* A slash begins a regular expression where want_regex is set, else it divides. */
int lexer_next(struct lexer *lx, bool want_regex, struct token *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of a condition as it was written: what the parser makes and bind reads. Private to the
 * module. All of it lives in the expr's arena.
 */
#ifndef SONDE_EXPR_AST_H
#define SONDE_EXPR_AST_H

#include "expr/arena.h"
#include "expr/decimal.h"
#include "expr/expr.h"

enum { EXPR_MAX_DEPTH = 64 }; /* parentheses and unary operators inside each other */

enum field {
#define FIELD(name, kind, at_entry, where, type) FIELD_##name,
#include "expr/fields.def"
#undef FIELD
	FIELD_COUNT,
};

enum node_kind {
	NODE_NUMBER, /* value */
	NODE_DECIMAL,
	NODE_DURATION,
	NODE_SIZE,
	NODE_BOOL,
	NODE_NULL,
	NODE_STRING, /* text */
	NODE_REGEX,  /* text; value: 1 when letters of either case match */
	NODE_FIELD,
	NODE_REF,
	NODE_ATTR, /* text: the key */
	NODE_NAME, /* text: an enumerator or an errno name */
	NODE_UNARY,
	NODE_BINARY, /* arithmetic, comparisons, && and || */
	NODE_MATCH,  /* left =~ right */
	NODE_IN,     /* left in items */
};

enum op {
	OP_OR,
	OP_AND,
	OP_BIT_OR,
	OP_BIT_XOR,
	OP_BIT_AND,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_SHL,
	OP_SHR,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_NOT, /* unary from here */
	OP_BIT_NOT,
	OP_NEG,
};

struct node {
	enum node_kind kind;
	enum op op;
	bool negated;	     /* !~, not in */
	bool has_name;	     /* a NODE_NAME is in the subtree, this one included */
	bool quoted_once;    /* a string in '', which may stand for one character */
	uint32_t begin, end; /* bytes of the text, with parentheses around it */
	enum field field;
	uint64_t value;
	struct decimal decimal;
	const char *text;
	struct expr_ref *ref;
	uint32_t ref_index;
	struct node *left, *right;
	struct node *items, *next; /* of NODE_IN, a list */
};

struct expr {
	struct arena arena;
	char *text;
	struct node *root;
	size_t n_nodes, n_refs;
};

const char *field_name(enum field f);
const char *op_text(enum op op);

/* The name nearest to a misspelt one, or NULL when none is near. */
struct nearest {
	const char *name;
	size_t distance;
};
void nearest_offer(struct nearest *n, const char *wrong, size_t len, const char *candidate);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree → types → intermediate form, inside expr_bind(). bind.c has the nodes,
 * bind_reference.c and bind_field.c the leaves, bind_arith.c what numbers do, bind_compare.c what
 * may be compared, bind_text.c texts and bind_name.c names that stand for numbers.
 */
#ifndef SONDE_EXPR_BIND_H
#define SONDE_EXPR_BIND_H

#include "expr/bound.h"

struct binder {
	const struct expr *x;
	const struct expr_scope *scope;
	struct bound *b;
	struct arena *a;	       /* the bound's */
	struct expr_binding *bindings; /* by node.ref_index, as far as known */
	const struct expr_ref **known;
	struct error *e;
};

/* A value and what is known of it. */
struct typed {
	enum expr_kind kind;
	struct ir *ir;		 /* of all but texts */
	struct text_source text; /* of texts */
	bool is_literal;	 /* with or without a sign before it */
	const struct node *node;
};

/* What the value is used with: explains bare names. */
struct hint {
	const struct expr_name *names;
	size_t n_names;
	const struct typed *other; /* NULL: nothing */
};

int bind_truth(struct binder *b, const struct node *n, struct ir **ret);
int bind_value(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret);
/* Both operands, each with the names that go with the other. */
int bind_operands(struct binder *b, const struct node *n, const struct hint *outer,
		  struct typed *ret_left, struct typed *ret_right);
/* The enumerators that the references in a subtree have: 0, with n_names 0 for none. */
int bind_find_names(struct binder *b, const struct node *n, struct hint *ret);
int bind_ref(struct binder *b, const struct node *n, const struct expr_binding **ret);

/* The leaves; ret->node is set already. */
int bind_reference(struct binder *b, const struct node *n, struct typed *ret);
int bind_field(struct binder *b, const struct node *n, struct typed *ret);
int bind_attr(struct binder *b, const struct node *n, struct typed *ret);
/* What an attribute is used with decides what it is looked at as; other values stay. */
int bind_attr_as(struct binder *b, struct typed *t, enum expr_kind kind);
/* The duration itself, in nanoseconds, for what is held against a decimal of such units. */
const char *bind_unit(const struct typed *t); /* of what counts it: ms, us; else NULL */
int bind_in_units(struct binder *b, struct typed *field, struct typed *decimal);
int bind_literal(struct binder *b, const struct node *n, struct typed *ret);

int bind_arith(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret);
int bind_sign(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret);

int bind_comparison(struct binder *b, const struct node *n, struct ir **ret);
int bind_in(struct binder *b, const struct node *n, struct ir **ret);

/* left op right, both texts; op is OP_EQ or OP_NE. */
int bind_same_text(struct binder *b, enum op op, const struct typed *left,
		   const struct typed *right, struct ir **ret);
int bind_match(struct binder *b, const struct node *n, struct ir **ret);

int bind_name(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret);
/* Quoted texts that stand for numbers. */
int bind_user(struct binder *b, const struct node *n, struct typed *ret);
int bind_time(struct binder *b, const struct node *n, struct typed *ret);

/* Notes a leaf for `sonde probes --where`. */
int bind_use(struct binder *b, const struct node *n, const char *type);

/* Messages. */
int bind_complain(struct binder *b, const struct node *at, const char *fmt, ...) _printf_(3, 4);
const char *bind_slice(struct binder *b, const struct node *n);	    /* as written */
const char *bind_describe(struct binder *b, const struct typed *t); /* "the number `10`" */
bool kind_is_number(enum expr_kind kind);			    /* INT, UINT, SIZE */

#endif

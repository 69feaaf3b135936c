/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bound condition as both back ends read it: the names are offsets, the types are decided, what
 * is constant is folded. Private to the module.
 *
 * A node is a value (64 bits, or undefined) or a truth (never undefined). Folding leaves no
 * constant inside a truth and no IR_UNDEF inside anything, so that the code generator makes no
 * instruction that cannot be reached, which the verifier would refuse.
 */
#ifndef SONDE_EXPR_IR_H
#define SONDE_EXPR_IR_H

#include "expr/ast.h"
#include "expr/pattern.h"

enum ir_kind {
	IR_CONST, /* values from here: value */
	IR_UNDEF,
	IR_DECIMAL, /* decimal; beside IR_ATTR alone, as folding makes integers of the rest */
	IR_LOAD,
	IR_ATTR,   /* attr.KEY as a number or a bool: key, of */
	IR_ARITH,  /* left op right; division, remainder and >> by is_signed_op */
	IR_NEG,	   /* of left */
	IR_INVERT, /* ~ of left */
	IR_NORM,   /* 1 when left is not 0 */
	IR_LOGIC,  /* 1 when the truth left holds */
	IR_BOOL,   /* truths from here: value */
	IR_AND,
	IR_OR,
	IR_NOT,
	IR_NONZERO, /* the value left is defined and not 0 */
	IR_DEFINED, /* the value left is defined */
	IR_COMPARE, /* left op right by mode */
	IR_IN,	    /* left is one of the items; negated: none of them */
	IR_TEXT,
};

enum ir_guard {
	GUARD_NONE,
	GUARD_VALID,	/* undefined unless bit `bit` of record_call.valid is set */
	GUARD_RETURNED, /* undefined when the call did not return: unwound, or a tail call */
};

struct ir_load {
	uint16_t offset; /* in struct record_call */
	uint8_t size;	 /* 1, 2, 4, 8 */
	bool is_signed, guess_int;
	uint8_t bit;
	enum ir_guard guard;
};

/* What an attribute must be, or it is undefined. */
enum ir_attr_type {
	ATTR_NUMBER,
	ATTR_BOOL,
	ATTR_EITHER, /* as a condition by itself */
};

enum ir_mode {
	MODE_SIGNED,
	MODE_UNSIGNED,
	MODE_MIXED, /* left is signed, right is not */
};

struct ir_item {
	struct ir *value;
	bool mixed;
};

/* `caller` decided by index: in the list (or not in it, when flipped) means that it matches. */
struct ir_callers {
	uint32_t list[32];
	size_t n, total; /* total: probes there are */
	bool flipped;
	const char *const *names;
};

struct ir_text {
	struct text_source source;
	struct pattern pattern;
	struct ir_callers *callers; /* NULL: by text */
};

struct ir {
	enum ir_kind kind;
	enum op op;
	enum ir_mode mode;
	bool is_signed;	   /* the type of a value */
	bool is_signed_op; /* how IR_ARITH works */
	bool may_undef;
	bool negated;
	bool in_kernel; /* the generated code can decide it */
	uint8_t need;	/* registers that the code generator needs for it */
	uint32_t needs; /* enum expr_needs */
	uint64_t value;
	struct decimal decimal;
	struct ir *left, *right;
	struct ir_load load;
	struct ir_item *items;
	size_t n_items;
	struct ir_text *text;
	const char *key;
	enum ir_attr_type of;
};

/* Both back ends' arithmetic. False: undefined. */
bool ir_arith(enum op op, bool is_signed, uint64_t a, uint64_t b, uint64_t *ret);
bool ir_compare(enum op op, enum ir_mode mode, uint64_t a, uint64_t b);
/* Whether `x op y` holds for an x that is less than y (-1), equal to it or greater (1). */
bool ir_holds(enum op op, int order);

/* Constructors that fold; NULL when out of memory or when a part is NULL. */
struct ir *ir_const(struct arena *a, uint64_t value, bool is_signed);
struct ir *ir_decimal(struct arena *a, const struct decimal *d);
struct ir *ir_decimal_negated(struct arena *a, const struct ir *of);
/* A decimal without a fraction as a constant; everything else as it is. */
struct ir *ir_whole(struct arena *a, struct ir *of);
struct ir *ir_undef(struct arena *a);
struct ir *ir_load(struct arena *a, const struct ir_load *load, bool is_signed, uint32_t needs);
struct ir *ir_attr(struct arena *a, const char *key, enum ir_attr_type of);
struct ir *ir_binary(struct arena *a, enum op op, bool is_signed_op, bool is_signed,
		     struct ir *left, struct ir *right);
struct ir *ir_unary(struct arena *a, enum ir_kind kind, struct ir *of);
struct ir *ir_bool(struct arena *a, bool value);
struct ir *ir_and(struct arena *a, struct ir *left, struct ir *right);
struct ir *ir_or(struct arena *a, struct ir *left, struct ir *right);
struct ir *ir_not(struct arena *a, struct ir *of);
struct ir *ir_nonzero(struct arena *a, struct ir *of);
struct ir *ir_comparison(struct arena *a, enum op op, struct ir *left, struct ir *right);
/* Truth of what is so for every value that `of` can have, as long as it is defined. */
struct ir *ir_if_defined(struct arena *a, struct ir *of, bool truth);
/* The right one is a decimal, the left one no attribute. */
struct ir *ir_decimal_comparison(struct arena *a, enum op op, struct ir *left, struct ir *right);
/* The items are the caller's, in arena memory; they are sorted out in place. */
struct ir *ir_in(struct arena *a, bool negated, struct ir *left, struct ir_item *items, size_t n);
struct ir *ir_text(struct arena *a, const struct ir_text *text, bool negated);

/* The bytes of record_call that the text is in, for the code generator's and bind's checks. */
static inline bool ir_is_const(const struct ir *n)
{
	return n->kind == IR_CONST;
}

#endif

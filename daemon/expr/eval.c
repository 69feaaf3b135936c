/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The evaluator: decides a bound condition about one call, in the daemon. */
#include <math.h>

#include "expr/bound.h"

struct text {
	const char *at;
	size_t len;
};

static bool eval_truth(const struct ir *n, const struct expr_facts *f);

/* A number of any type: what attributes are compared as. */
struct number {
	bool is_real, is_signed;
	uint64_t whole;
	double real;
	const struct decimal *literal; /* what real is the nearest double to */
};

/* False: there is no such attribute, or it is something else; NaN is no number. */
static bool find_attr(const struct ir *n, const struct expr_facts *f, struct number *ret)
{
	struct expr_attr attr;

	if (!f->attr || !f->attr(f->attr_arg, n->key, &attr) || attr.type == EXPR_ATTR_TEXT)
		return false;
	if (n->of != ATTR_EITHER && (attr.type == EXPR_ATTR_BOOL) != (n->of == ATTR_BOOL))
		return false;
	*ret = (struct number){.is_real = attr.type == EXPR_ATTR_REAL,
			       .is_signed = attr.type != EXPR_ATTR_UINT,
			       .whole = attr.number,
			       .real = attr.real};
	return !ret->is_real || !isnan(ret->real);
}

/* As a whole number, for arithmetic: a fraction is cut off. */
static bool load_attr(const struct ir *n, const struct expr_facts *f, uint64_t *ret)
{
	struct number number;

	if (!find_attr(n, f, &number))
		return false;
	if (number.is_real) {
		if (!(number.real >= -0x1p63 && number.real < 0x1p63))
			return false;
		number.whole = (uint64_t)(int64_t)number.real;
		/* As a condition by itself, a fraction is not zero. */
		number.whole |= n->of == ATTR_EITHER && number.real != 0;
	}
	*ret = number.whole;
	return true;
}

static bool load_number(const struct ir_load *load, const struct record_call *call, uint64_t *ret)
{
	uint64_t value = 0;

	if (load->guard == GUARD_VALID && !(call->valid >> load->bit & 1))
		return false;
	if (load->guard == GUARD_RETURNED &&
	    call->span.h.flags & (SPAN_UNWOUND | SPAN_TAIL | SPAN_INSTANT))
		return false;
	/* Little-endian, as all architectures that sonde knows: the low bytes come first. */
	memcpy(&value, (const char *)call + load->offset, load->size);
	if (load->is_signed && load->size < 8) {
		int shift = 64 - load->size * 8;

		value = (uint64_t)((int64_t)(value << shift) >> shift);
	}
	if (load->guess_int && load->size == 8 && value >> 31 == 1)
		value = (uint64_t)(int64_t)(int32_t)value;
	*ret = value;
	return true;
}

/* False: undefined. */
static bool eval_value(const struct ir *n, const struct expr_facts *f, uint64_t *ret)
{
	uint64_t a, b;

	switch (n->kind) {
	case IR_CONST:
		*ret = n->value;
		return true;
	case IR_LOAD:
		return load_number(&n->load, f->call, ret);
	case IR_ATTR:
		return load_attr(n, f, ret);
	case IR_ARITH:
		return eval_value(n->left, f, &a) && eval_value(n->right, f, &b) &&
		       ir_arith(n->op, n->is_signed_op, a, b, ret);
	case IR_LOGIC:
		*ret = eval_truth(n->left, f);
		return true;
	case IR_NEG:
	case IR_INVERT:
	case IR_NORM:
		if (!eval_value(n->left, f, &a))
			return false;
		*ret = n->kind == IR_NEG ? 0 - a : n->kind == IR_INVERT ? ~a : a != 0;
		return true;
	default:
		return false;
	}
}

static bool captured_text(const struct text_source *s, const struct record_call *call,
			  struct text *ret)
{
	uint32_t len;

	if (!(call->valid >> s->bit & 1))
		return false;
	memcpy(&len, call->values + s->slot, sizeof(len));
	*ret = (struct text){(const char *)call->values + s->slot + sizeof(len), len};
	return true;
}

static const char *caller_of(const struct expr_facts *f, const struct ir_callers *callers)
{
	uint32_t index = f->call->caller;

	if (f->caller || !callers || !index || index > callers->total)
		return f->caller;
	return callers->names[index - 1];
}

static bool attr_text(const struct text_source *s, const struct expr_facts *f, struct text *ret)
{
	struct expr_attr attr;

	if (!f->attr || !f->attr(f->attr_arg, s->text, &attr) || attr.type != EXPR_ATTR_TEXT)
		return false;
	*ret = (struct text){attr.text, attr.len};
	return true;
}

/* False: undefined. */
static bool find_text(const struct text_source *s, const struct ir_callers *callers,
		      const struct expr_facts *f, struct text *ret)
{
	const char *text = NULL;

	switch (s->kind) {
	case TEXT_CONST:
		*ret = (struct text){s->text, s->len};
		return true;
	case TEXT_UNDEF:
		return false;
	case TEXT_COMM:
		if (!f->comm) {
			*ret = (struct text){f->call->comm,
					     strnlen(f->call->comm, RECORD_COMM_LEN)};
			return true;
		}
		text = f->comm;
		break;
	case TEXT_CAPTURE:
		return captured_text(s, f->call, ret);
	case TEXT_NAME:
		text = f->name;
		break;
	case TEXT_BINARY:
		text = f->binary;
		break;
	case TEXT_CAT:
		text = f->cat;
		break;
	case TEXT_CALLER:
		text = caller_of(f, callers);
		break;
	case TEXT_CGROUP:
		text = f->cgroup;
		break;
	case TEXT_ATTR:
		return attr_text(s, f, ret);
	}
	if (!text)
		return false;
	*ret = (struct text){text, strlen(text)};
	return true;
}

/* How much of a captured text is in the record, whatever its length says. */
static struct text readable(struct text t, const struct text_source *s)
{
	if (s->kind == TEXT_CAPTURE)
		t.len = MIN(t.len, (size_t)s->room);
	return t;
}

static bool eval_text(const struct ir *n, const struct expr_facts *f)
{
	const struct pattern *p = &n->text->pattern;
	const struct text_source *source = &n->text->source;
	struct text t, other;

	if (!find_text(source, n->text->callers, f, &t))
		return false;
	if (p->kind == PATTERN_SOURCE) {
		if (!find_text(&p->other, n->text->callers, f, &other))
			return false;
		t = readable(t, source);
		other = readable(other, &p->other);
		return (t.len == other.len && !memcmp(t.at, other.at, t.len)) == !n->negated;
	}
	/* A length that cannot be is compared as it is, as the kernel does: it fits no literal. */
	if (p->kind != PATTERN_EXACT)
		t = readable(t, source);
	return pattern_matches(p, t.at, t.len) == !n->negated;
}

static bool eval_number(const struct ir *n, const struct expr_facts *f, struct number *ret)
{
	if (n->kind == IR_ATTR)
		return find_attr(n, f, ret);
	if (n->kind == IR_DECIMAL) {
		*ret = (struct number){
			.is_real = true, .real = n->decimal.near, .literal = &n->decimal};
		return true;
	}
	*ret = (struct number){.is_signed = n->is_signed};
	return eval_value(n, f, &ret->whole);
}

static long double as_real(const struct number *n)
{
	/* 64 bits of mantissa: whole numbers stay what they are. */
	return n->is_real     ? (long double)n->real
	       : n->is_signed ? (long double)(int64_t)n->whole
			      : (long double)n->whole;
}

/* Literals stand on the right. */
static bool compare_numbers(enum op op, const struct number *a, const struct number *b)
{
	long double l, r;

	if (b->literal && !a->is_real)
		return ir_holds(op, decimal_order(a->whole, a->is_signed, b->literal));
	l = as_real(a);
	r = as_real(b);
	return ir_holds(op, l < r ? -1 : l > r);
}

/* Attributes are compared as the numbers they are, fractions and all. */
static bool eval_compare(const struct ir *n, const struct expr_facts *f)
{
	struct number left, right;
	uint64_t a, b;

	if (n->left->kind == IR_ATTR || n->right->kind == IR_ATTR)
		return eval_number(n->left, f, &left) && eval_number(n->right, f, &right) &&
		       compare_numbers(n->op, &left, &right);
	return eval_value(n->left, f, &a) && eval_value(n->right, f, &b) &&
	       ir_compare(n->op, n->mode, a, b);
}

static bool eval_attr_in(const struct ir *n, const struct expr_facts *f)
{
	struct number value, item;
	bool found = false;

	if (!find_attr(n->left, f, &value))
		return false;
	for (size_t i = 0; i < n->n_items && !found; i++) {
		if (eval_number(n->items[i].value, f, &item))
			found = compare_numbers(OP_EQ, &value, &item);
		else if (n->negated)
			return false;
	}
	return found != n->negated;
}

static bool eval_in(const struct ir *n, const struct expr_facts *f)
{
	bool found = false;
	uint64_t value, item;

	if (!eval_value(n->left, f, &value))
		return false;
	for (size_t i = 0; i < n->n_items && !found; i++) {
		if (eval_value(n->items[i].value, f, &item))
			found = value == item && !(n->items[i].mixed && (int64_t)value < 0);
		else if (n->negated)
			return false;
	}
	return found != n->negated;
}

static bool eval_truth(const struct ir *n, const struct expr_facts *f)
{
	uint64_t a;

	switch (n->kind) {
	case IR_BOOL:
		return n->value;
	case IR_AND:
		return eval_truth(n->left, f) && eval_truth(n->right, f);
	case IR_OR:
		return eval_truth(n->left, f) || eval_truth(n->right, f);
	case IR_NOT:
		return !eval_truth(n->left, f);
	case IR_NONZERO:
		return eval_value(n->left, f, &a) && a;
	case IR_DEFINED:
		return eval_value(n->left, f, &a);
	case IR_COMPARE:
		return eval_compare(n, f);
	case IR_IN:
		return n->left->kind == IR_ATTR ? eval_attr_in(n, f) : eval_in(n, f);
	case IR_TEXT:
		return eval_text(n, f);
	default:
		return false;
	}
}

bool bound_eval(const struct bound *b, enum expr_part part, const struct expr_facts *facts)
{
	return eval_truth(b->parts[part], facts);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields, attributes and literals. */
#include "expr/bind.h"

static const struct {
	enum expr_kind kind;
	bool at_entry;
	struct ir_load load;
	const char *type;
} fields[] = {
#define LOAD(member)                                                                               \
	{                                                                                          \
		offsetof(struct record_call, member), sizeof(((struct record_call *)NULL)->member) \
	}
#define MADE                                                                                       \
	{                                                                                          \
	}
#define FIELD(name, kind, at_entry, where, type) [FIELD_##name] = {kind, at_entry, where, type},
#include "expr/fields.def"
#undef FIELD
};

static struct ir *load_field(struct binder *b, enum field f)
{
	uint32_t needs = f == FIELD_offcpu_time ? EXPR_NEEDS_OFFCPU
			 : f == FIELD_cgroup	? EXPR_NEEDS_CGROUP
			 : f == FIELD_uid	? EXPR_NEEDS_UID
						: 0;

	return ir_load(b->a, &fields[f].load, fields[f].kind != EXPR_UINT, needs);
}

static struct ir *load_flag(struct binder *b, uint16_t flag)
{
	static const struct ir_load flags = {offsetof(struct record_call, span.h.flags), 2};

	return ir_binary(b->a, OP_BIT_AND, true, true, ir_load(b->a, &flags, true, 0),
			 ir_const(b->a, flag, true));
}

static struct ir *load_start(struct binder *b)
{
	static const struct ir_load start = {offsetof(struct record_call, span.start_ns), 8};

	return ir_binary(b->a, OP_ADD, true, true, ir_load(b->a, &start, true, 0),
			 ir_const(b->a, b->scope->monotonic_to_epoch_ns, true));
}

static struct ir *whole_units(struct binder *b, uint64_t unit)
{
	return ir_binary(b->a, OP_DIV, false, true, load_field(b, FIELD_duration),
			 ir_const(b->a, unit, true));
}

const char *bind_unit(const struct typed *t)
{
	if (t->node->kind != NODE_FIELD)
		return NULL;
	return t->node->field == FIELD_duration_ms   ? "ms"
	       : t->node->field == FIELD_duration_us ? "us"
						     : NULL;
}

int bind_in_units(struct binder *b, struct typed *field, struct typed *decimal)
{
	const char *unit = bind_unit(field);
	struct decimal d;

	if (decimal->kind != EXPR_DECIMAL || !unit)
		return 0;
	d = decimal->ir->decimal;
	d.exp10 += *unit == 'm' ? 6 : 3;
	field->ir = load_field(b, FIELD_duration);
	decimal->ir = ir_decimal(b->a, &d);
	return field->ir && decimal->ir ? 0 : -ENOMEM;
}

static struct text_source known_or(const char *text, enum text_kind kind)
{
	return (struct text_source){
		.kind = text ? TEXT_CONST : kind, .text = text, .len = text ? strlen(text) : 0};
}

static int not_at_entry(struct binder *b, const struct node *n)
{
	int r = bind_complain(b, n, "expected what is known when the call begins, found `%s`",
			      bind_slice(b, n));

	error_fix(b->e, "write it with --where, which is decided when the call ends");
	return r;
}

int bind_field(struct binder *b, const struct node *n, struct typed *ret)
{
	int r;

	if (b->scope->stage == EXPR_AT_ENTRY && !fields[n->field].at_entry)
		return not_at_entry(b, n);
	r = bind_use(b, n, fields[n->field].type);
	if (r < 0)
		return r;
	ret->kind = fields[n->field].kind;
	switch (n->field) {
	case FIELD_cpu_time:
		ret->ir = ir_binary(b->a, OP_SUB, true, true, load_field(b, FIELD_duration),
				    load_field(b, FIELD_offcpu_time));
		break;
	case FIELD_duration_ms:
		ret->ir = whole_units(b, NSEC_PER_MSEC);
		break;
	case FIELD_duration_us:
		ret->ir = whole_units(b, NSEC_PER_USEC);
		break;
	case FIELD_start:
		ret->ir = load_start(b);
		break;
	case FIELD_error:
		ret->ir = load_flag(b, SPAN_ERROR);
		break;
	case FIELD_unwound:
		ret->ir = load_flag(b, SPAN_UNWOUND);
		break;
	case FIELD_name:
		ret->text = known_or(b->scope->name, TEXT_NAME);
		break;
	case FIELD_cat:
		ret->text = known_or(b->scope->cat, TEXT_CAT);
		break;
	case FIELD_binary:
		ret->text = known_or(b->scope->binary, TEXT_BINARY);
		break;
	case FIELD_comm:
		ret->text.kind = TEXT_COMM;
		break;
	case FIELD_caller:
		ret->text.kind = TEXT_CALLER;
		break;
	default:
		ret->ir = load_field(b, n->field);
		break;
	}
	return 0;
}

int bind_attr(struct binder *b, const struct node *n, struct typed *ret)
{
	ret->kind = EXPR_STRING;
	ret->text = (struct text_source){.kind = TEXT_ATTR,
					 .text = arena_strndup(b->a, n->text, strlen(n->text))};
	return ret->text.text ? bind_use(b, n, "of its own type") : -ENOMEM;
}

int bind_attr_as(struct binder *b, struct typed *t, enum expr_kind kind)
{
	if (t->node->kind != NODE_ATTR || t->kind != EXPR_STRING)
		return 0;
	if (kind == EXPR_STRING || kind == EXPR_TIME)
		return 0;
	t->kind = kind == EXPR_BOOL || kind == EXPR_DURATION ? kind : EXPR_INT;
	t->ir = ir_attr(b->a, t->text.text, kind == EXPR_BOOL ? ATTR_BOOL : ATTR_NUMBER);
	return t->ir ? 0 : -ENOMEM;
}

int bind_literal(struct binder *b, const struct node *n, struct typed *ret)
{
	bool is_signed = n->value <= INT64_MAX;

	ret->is_literal = true;
	switch (n->kind) {
	case NODE_DURATION:
		ret->kind = EXPR_DURATION;
		break;
	case NODE_DECIMAL:
		ret->kind = EXPR_DECIMAL;
		ret->ir = ir_decimal(b->a, &n->decimal);
		return 0;
	case NODE_SIZE:
		ret->kind = EXPR_SIZE;
		break;
	case NODE_BOOL:
		ret->kind = EXPR_BOOL;
		break;
	case NODE_NULL:
		ret->kind = EXPR_POINTER;
		is_signed = false;
		break;
	case NODE_STRING:
		ret->kind = EXPR_STRING;
		ret->text = (struct text_source){
			.kind = TEXT_CONST, .text = arena_strndup(b->a, n->text, strlen(n->text))};
		ret->text.len = strlen(n->text);
		return ret->text.text ? 0 : -ENOMEM;
	default:
		ret->kind = is_signed ? EXPR_INT : EXPR_UINT;
		break;
	}
	ret->ir = ir_const(b->a, n->value, is_signed);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References: what the one who knows the function says of args.…, arg0 … arg5 and ret. */
#include "expr/bind.h"

/* Without anyone to ask, the registers are what they are. */
static int default_binding(struct binder *b, const struct node *n, struct expr_binding *ret)
{
	const struct expr_ref *ref = n->ref;
	int r;

	if (ref->kind == EXPR_REF_ARG || ref->str || ref->n_steps) {
		r = bind_complain(b, n,
				  "expected something that is known here, found `%s`: there is "
				  "no function whose arguments it could name",
				  ref->text);
		error_fix(b->e, "write `arg0` to `arg%d` for numbers in registers",
			  RECORD_ARGS - 1);
		return r;
	}
	if (ref->kind == EXPR_REF_REG && ref->index >= RECORD_ARGS) {
		r = bind_complain(b, n, "expected an argument register, found `%s`", ref->text);
		error_fix(b->e,
			  "write one of `arg0` to `arg%d`, or the argument's name as in `args.len`",
			  RECORD_ARGS - 1);
		return r;
	}
	*ret = (struct expr_binding){.kind = ref->kind == EXPR_REF_RET ? EXPR_INT : EXPR_UINT,
				     .place = ref->kind == EXPR_REF_RET ? EXPR_IN_RET : EXPR_IN_ARG,
				     .index = ref->index,
				     .size = 8,
				     .guess_int = ref->kind == EXPR_REF_RET};
	return 0;
}

static int ask(struct binder *b, const struct node *n, struct expr_binding *ret)
{
	struct error inner = {};
	int r;

	if (n->ref->kind == EXPR_REF_RET && b->scope->stage == EXPR_AT_ENTRY) {
		r = bind_complain(b, n, "expected what is known when the call begins, found `%s`",
				  bind_slice(b, n));
		error_fix(b->e, "write it with --where, which is decided when the call ends");
		return r;
	}
	if (!b->scope->bind)
		return default_binding(b, n, ret);
	r = b->scope->bind(b->scope->arg, n->ref, ret, &inner);
	if (r >= 0)
		return 0;
	if (r == -ENOMEM)
		return r;
	/* The one who explains need not say where in the text it is. */
	if (!inner.message[0])
		bind_complain(b, n, "expected an argument of the function, found `%s`",
			      n->ref->text);
	else if (startswith(inner.message, "column "))
		error_set(b->e, -r, inner.name, "%s", inner.message);
	else
		error_set(b->e, -r, inner.name, "column %u: %s", n->ref->column, inner.message);
	if (inner.fix[0])
		error_fix(b->e, "%s", inner.fix);
	else if (!inner.message[0])
		error_fix(b->e, "write `arg0` to `arg5` for registers");
	return r;
}

int bind_ref(struct binder *b, const struct node *n, const struct expr_binding **ret)
{
	struct expr_binding *binding = &b->bindings[n->ref_index];
	int r;

	if (!b->known[n->ref_index]) {
		size_t same = 0;

		/* The same reference twice is the same capture. */
		while (same < b->x->n_refs &&
		       !(b->known[same] && streq(b->known[same]->text, n->ref->text)))
			same++;
		r = same < b->x->n_refs ? 0 : ask(b, n, binding);
		if (r < 0)
			return r;
		if (same < b->x->n_refs)
			*binding = b->bindings[same];
		b->known[n->ref_index] = n->ref;
	}
	*ret = binding;
	return 0;
}

int bind_find_names(struct binder *b, const struct node *n, struct hint *ret)
{
	const struct expr_binding *binding;
	int r;

	if (!n || ret->n_names)
		return 0;
	if (n->kind == NODE_REF) {
		r = bind_ref(b, n, &binding);
		if (r == 0 && binding->n_names) {
			ret->names = binding->names;
			ret->n_names = binding->n_names;
		}
		return r;
	}
	if (n->kind != NODE_UNARY && n->kind != NODE_BINARY)
		return 0;
	r = bind_find_names(b, n->left, ret);
	return r < 0 ? r : bind_find_names(b, n->right, ret);
}

static const char *binding_type(struct binder *b, const struct expr_binding *binding)
{
	bool in_register = binding->place == EXPR_IN_ARG || binding->place == EXPR_IN_RET;
	unsigned int bits =
		in_register && binding->size && binding->size < 8 ? binding->size * 8 : 64;

	if (binding->type)
		return arena_strndup(b->a, binding->type, strlen(binding->type));
	switch (binding->kind) {
	case EXPR_BOOL:
		return "bool";
	case EXPR_DURATION:
		return "duration";
	case EXPR_SIZE:
		return "size";
	case EXPR_TIME:
		return "point in time";
	case EXPR_POINTER:
		return "pointer";
	case EXPR_STRING:
		return binding->room ? arena_printf(b->a, "text of up to %u bytes", binding->room)
				     : "text";
	case EXPR_INT:
	case EXPR_UINT:
	case EXPR_DECIMAL:
		break;
	}
	if (binding->n_names)
		return "enumeration";
	return arena_printf(b->a, "%s %u-bit", binding->kind == EXPR_INT ? "signed" : "unsigned",
			    bits);
}

static bool slot_fits(const struct expr_binding *binding, size_t size)
{
	return binding->index < 64 && binding->slot % 8 == 0 && binding->slot < RECORD_MAX_VALUES &&
	       binding->slot + size <= RECORD_MAX_VALUES;
}

static void bind_captured_text(const struct expr_binding *binding, struct text_source *ret)
{
	uint32_t room = MIN(binding->room, (uint32_t)RECORD_MAX_VALUES);

	*ret = (struct text_source){.kind = TEXT_UNDEF};
	if (binding->place != EXPR_IN_VALUES ||
	    !slot_fits(binding, sizeof(struct record_text) + room))
		return;
	*ret = (struct text_source){
		.kind = TEXT_CAPTURE, .slot = binding->slot, .room = room, .bit = binding->index};
}

/* False: it is nowhere. */
static bool find_number(const struct expr_binding *binding, struct ir_load *ret)
{
	uint8_t size = binding->size;

	*ret = (struct ir_load){.size = size == 1 || size == 2 || size == 4 ? size : 8,
				.is_signed = binding->is_signed,
				.guess_int = binding->guess_int};
	switch (binding->place) {
	case EXPR_IN_RET:
		ret->offset = offsetof(struct record_call, span.ret);
		ret->guard = GUARD_RETURNED;
		return true;
	case EXPR_IN_ARG:
		ret->offset = offsetof(struct record_call, args) + binding->index * 8;
		return binding->index < RECORD_ARGS;
	case EXPR_IN_VALUES:
		/* It has been extended to 64 bits already. */
		*ret = (struct ir_load){.offset = offsetof(struct record_call, values) +
						  binding->slot,
					.size = 8,
					.bit = binding->index,
					.guard = GUARD_VALID};
		return slot_fits(binding, 8);
	case EXPR_NOWHERE:
		break;
	}
	return false;
}

int bind_reference(struct binder *b, const struct node *n, struct typed *ret)
{
	const struct expr_binding *binding;
	struct ir_load load;
	bool is_signed;
	int r = bind_ref(b, n, &binding);

	if (r == 0)
		r = bind_use(b, n, binding_type(b, binding));
	if (r < 0)
		return r;
	ret->kind = binding->kind;
	if (binding->kind == EXPR_STRING) {
		bind_captured_text(binding, &ret->text);
		return 0;
	}
	is_signed = binding->kind == EXPR_INT || binding->kind == EXPR_DURATION ||
		    binding->kind == EXPR_TIME;
	if (!find_number(binding, &load))
		ret->ir = ir_undef(b->a);
	else
		ret->ir = ir_load(b->a, &load, is_signed,
				  binding->place == EXPR_IN_ARG	     ? EXPR_NEEDS_ARGS
				  : binding->place == EXPR_IN_VALUES ? EXPR_NEEDS_VALUES
								     : 0);
	return 0;
}

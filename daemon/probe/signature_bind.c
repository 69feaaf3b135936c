/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the references of a condition are in one function, and the captures they need. */
#include "probe/signature_private.h"

enum { LIST_MAX = 240 };

static void list_params(const struct signature *s, char out[static LIST_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->n_params; i++) {
		const char *name = s->params[i].name;

		if (len + strlen(name) + 8 > LIST_MAX) {
			snprintf(out + len, LIST_MAX - len, ", ...");
			return;
		}
		len += (size_t)snprintf(out + len, LIST_MAX - len, "%s%s", len > 0 ? ", " : "",
					name);
	}
}

static int no_param(const struct signature *s, const char *name, const struct expr_ref *ref,
		    struct error *e)
{
	char names[LIST_MAX];

	if (!s->is_typed) {
		signature_refuse(e, ref,
				 "the names of this function's arguments are not known, as it has "
				 "no debug information");
		if (e)
			error_fix(e, "Write arg0 ... arg5, or str(arg0) for text; or install the "
				     "package with its debug information.");
		return -EINVAL;
	}
	list_params(s, names);
	return signature_refuse(e, ref, "the function has no argument %s; it has %s", name,
				names[0] ? names : "none");
}

static int check_registers(const struct signature *s, uint8_t registers, const char *what,
			   const struct expr_ref *ref, struct error *e)
{
	if (registers & s->lost)
		return signature_refuse(e, ref,
					"%s is overwritten where the probe is placed; probe the "
					"function's first instruction to have it",
					what);
	return 0;
}

int signature_check_param(const struct signature *s, int param, const struct expr_ref *ref,
			  struct error *e)
{
	const struct sig_param *p = &s->params[param];

	if (p->is_redacted)
		return signature_refuse(e, ref, "%s is redacted", p->name);
	switch (p->place) {
	case PARAM_IN_FLOAT:
		return signature_refuse(
			e, ref,
			"%s (%s) is passed in a vector register, and a probe cannot "
			"read those on x86-64",
			p->name, p->type.name);
	case PARAM_NOWHERE:
		return signature_refuse(
			e, ref,
			"%s is not there when the function is entered: the compiler "
			"has optimised it away",
			p->name);
	case PARAM_IN_REGISTER:
	case PARAM_SPREAD:
		if (p->reg >= RECORD_ARGS)
			return signature_refuse(e, ref, "%s cannot be read", p->name);
		return check_registers(s, sig_param_registers(p), p->name, ref, e);
	default:
		return 0;
	}
}

static enum expr_kind kind_of(const struct sig_type *t)
{
	switch (t->kind) {
	case CTYPE_BOOL:
		return EXPR_BOOL;
	case CTYPE_POINTER:
		return EXPR_POINTER;
	default:
		return t->is_signed ? EXPR_INT : EXPR_UINT;
	}
}

static bool is_number(const struct sig_type *t)
{
	return t->size > 0 && t->kind != CTYPE_FLOAT && t->kind != CTYPE_STRUCT;
}

static struct expr_binding number_binding(const struct sig_type *t, enum expr_place place,
					  uint32_t index)
{
	return (struct expr_binding){
		.kind = kind_of(t),
		.place = place,
		.index = index,
		.size = t->size,
		.is_signed = t->is_signed,
		.names = t->values,
		.n_names = t->n_values,
	};
}

static int bind_capture(const struct signature *s, int index, const struct expr_ref *ref,
			struct expr_binding *ret, struct error *e)
{
	const struct fetch *f = &s->fetches[index];
	const struct sig_type *t = &s->captures[index].type;

	if (f->kind != FETCH_NUMBER) {
		*ret = (struct expr_binding){.kind = EXPR_STRING, .room = f->room};
	} else {
		if (t->kind == CTYPE_FLOAT)
			return signature_refuse(
				e, ref,
				"%s is a floating-point number (%s), which conditions "
				"cannot compare",
				ref->text, t->name);
		*ret = number_binding(t, EXPR_IN_VALUES, 0);
		ret->size = 8; /* it is there extended by its sign */
	}
	ret->place = EXPR_IN_VALUES;
	ret->index = (uint32_t)index;
	ret->slot = f->slot;
	return 0;
}

int signature_add(struct signature *s, const char *text, const struct sig_target *target,
		  struct error *e)
{
	struct sig_capture *c = &s->captures[s->n_captures];
	/* A byte more than the text, for the NUL of the kernel's helper. */
	uint32_t size =
		target->is_text ? (sizeof(struct record_text) + target->fetch.room + 8) & ~7u : 8;
	struct sig_type type = {};
	int r;

	if (strlen(text) >= SIGNATURE_CAPTURE_MAX) /* it could not be read back */
		return error_set(e, E2BIG, "TooMany",
				 "A captured value is written with %zu bytes, "
				 "which are more than %d.",
				 strlen(text), SIGNATURE_CAPTURE_MAX - 1);
	if (s->n_captures >= RECORD_MAX_CAPTURES)
		return error_set(e, E2BIG, "TooMany", "More than %d values are captured of a call.",
				 RECORD_MAX_CAPTURES);
	if (s->values_len + size > RECORD_MAX_VALUES) {
		error_set(e, E2BIG, "TooMany",
			  "%s does not fit: a call has room for %d bytes of "
			  "captured values.",
			  text, RECORD_MAX_VALUES);
		if (e)
			error_fix(e, "Capture less: a text takes %d bytes, a number 8.",
				  SIGNATURE_TEXT_ROOM + 8);
		return -E2BIG;
	}
	if (target->type) {
		r = sig_type_from(target->type, &type);
		if (r < 0)
			return r;
	}
	c->text = strdup(text);
	if (!c->text) {
		sig_type_release(&type);
		return -ENOMEM;
	}
	c->type = type;
	s->fetches[s->n_captures] = target->fetch;
	s->fetches[s->n_captures].slot = (uint16_t)s->values_len;
	s->values_len += size;
	return (int)s->n_captures++;
}

static void use_registers(struct signature *s, uint32_t arg, int param)
{
	if (arg < RECORD_ARGS)
		s->used |= (uint8_t)(1u << arg);
	if (param >= 0)
		s->used |= sig_param_registers(&s->params[param]);
}

/* Where an argument has the length of a buffer: it must still be there when the probe is hit. */
static int bind_length(struct signature *s, const struct expr_ref *ref, struct fetch *f,
		       struct error *e)
{
	const struct sig_param *p;
	char name[16];
	int param, r;

	if (!ref->buf || ref->length)
		return 0;
	snprintf(name, sizeof(name), "arg%u", ref->length_reg);
	param = ref->length_name ? signature_find_param(s, ref->length_name)
				 : signature_param_in(s, ref->length_reg);
	if (ref->length_name && param < 0)
		return no_param(s, ref->length_name, ref, e);
	p = param >= 0 ? &s->params[param] : NULL;
	if (!p && ref->length_reg >= RECORD_ARGS)
		return signature_refuse(e, ref, "there are arg0 ... arg%d", RECORD_ARGS - 1);
	r = p ? signature_check_param(s, param, ref, e)
	      : check_registers(s, (uint8_t)(1u << ref->length_reg), name, ref, e);
	if (r < 0)
		return r;
	if (p && (!is_number(&p->type) || p->type.kind == CTYPE_POINTER || p->type.size < 4 ||
		  (p->place != PARAM_IN_REGISTER && p->place != PARAM_ON_STACK)))
		return signature_refuse(e, ref, "%s (%s) is no length", p->name,
					p->type.name ? p->type.name : "?");
	f->flags |= FETCH_LENGTH_ARG;
	f->size = p ? p->type.size : 8;
	f->length =
		p ? p->place == PARAM_ON_STACK ? RECORD_ARGS + p->reg : p->reg : ref->length_reg;
	if (f->length >= FETCH_MAX_ARGS)
		return signature_refuse(e, ref, "%s is too far up the stack", p ? p->name : name);
	use_registers(s, f->length, param);
	return 0;
}

/* str(arg1), arg1: what is known of the parameter in that register counts for it. */
static int bind_register(struct signature *s, const struct expr_ref *ref, struct expr_binding *ret,
			 struct error *e)
{
	struct sig_target text = {.is_text = true};
	char name[16];
	int param, index, r;

	if (ref->index >= RECORD_ARGS)
		return signature_refuse(e, ref, "there are arg0 ... arg%d", RECORD_ARGS - 1);
	snprintf(name, sizeof(name), "arg%u", ref->index);
	param = signature_param_in(s, ref->index);
	if (!(signature_kept_args(s) & (1u << ref->index)) && !(s->lost & (1u << ref->index)))
		return signature_refuse(e, ref, "%s is redacted", name);
	r = check_registers(s, (uint8_t)(1u << ref->index), name, ref, e);
	if (r < 0)
		return r;
	s->used |= (uint8_t)(1u << ref->index);
	if (!ref->str) {
		*ret = (struct expr_binding){
			.kind = EXPR_UINT, .place = EXPR_IN_ARG, .index = ref->index, .size = 8};
		if (param >= 0 && s->params[param].place == PARAM_IN_REGISTER &&
		    is_number(&s->params[param].type))
			*ret = number_binding(&s->params[param].type, EXPR_IN_ARG, ref->index);
		return 0;
	}
	index = signature_find_capture(s, ref->text);
	if (index < 0 && s->is_frozen)
		return signature_refuse(e, ref, "%s was not captured", ref->text);
	if (index < 0) {
		text.fetch = (struct fetch){.arg = (uint8_t)ref->index};
		signature_read_text(ref, &text.fetch);
		r = bind_length(s, ref, &text.fetch, e);
		if (r < 0)
			return r;
		index = signature_add(s, ref->text, &text, e);
	}
	return index < 0 ? index : bind_capture(s, index, ref, ret, e);
}

static int bind_result(const struct signature *s, const struct expr_ref *ref,
		       struct expr_binding *ret, struct error *e)
{
	if (ref->str || ref->n_steps > 0)
		return signature_refuse(e, ref,
					"what ret points to is not captured; ret itself can "
					"be compared");
	if (!s->is_typed || s->ret.kind == CTYPE_UNKNOWN) {
		*ret = (struct expr_binding){.kind = EXPR_INT,
					     .place = EXPR_IN_RET,
					     .size = 8,
					     .is_signed = true,
					     .guess_int = true};
		return 0;
	}
	if (s->ret.kind == CTYPE_VOID && s->is_static)
		return signature_refuse(e, ref,
					"a static probe has no result, unless it is one of a pair "
					"whose __return has an argument");
	if (s->ret.kind == CTYPE_VOID)
		return signature_refuse(e, ref, "the function returns nothing");
	if (s->ret.kind == CTYPE_FLOAT)
		return signature_refuse(e, ref,
					"the result (%s) comes in a vector register, and a probe "
					"cannot read those on x86-64",
					s->ret.name);
	if (!is_number(&s->ret))
		return signature_refuse(e, ref, "the result is a %s, which cannot be compared",
					s->ret.name);
	*ret = number_binding(&s->ret, EXPR_IN_RET, 0);
	return 0;
}

static int check_members(const struct signature *s, const struct expr_ref *ref, struct error *e)
{
	for (size_t i = 1; i < ref->n_steps; i++)
		if (ref->steps[i].member && signature_redacts(s, ref->steps[i].member))
			return signature_refuse(e, ref, "%s is redacted", ref->steps[i].member);
	return 0;
}

static int bind_argument(struct signature *s, const struct expr_ref *ref, struct expr_binding *ret,
			 struct error *e)
{
	const char *name = ref->n_steps > 0 && ref->steps[0].member ? ref->steps[0].member : "";
	int param = signature_find_param(s, name), index, r;
	struct sig_target target;

	if (param < 0)
		return no_param(s, name, ref, e);
	r = signature_check_param(s, param, ref, e);
	if (r < 0)
		return r;
	r = check_members(s, ref, e);
	if (r < 0)
		return r;
	if (ref->n_steps == 1 && !ref->str && s->params[param].place == PARAM_IN_REGISTER &&
	    is_number(&s->params[param].type)) {
		use_registers(s, s->params[param].reg, param);
		*ret = number_binding(&s->params[param].type, EXPR_IN_ARG, s->params[param].reg);
		return 0;
	}
	index = signature_find_capture(s, ref->text);
	if (index < 0) {
		if (s->is_frozen || !s->source)
			return signature_refuse(e, ref, "%s was not captured", ref->text);
		r = signature_follow(s, param, ref, &target, e);
		if (r >= 0)
			r = bind_length(s, ref, &target.fetch, e);
		if (r < 0)
			return r;
		index = signature_add(s, ref->text, &target, e);
		if (index < 0)
			return index;
	}
	use_registers(s, s->fetches[index].arg, param);
	return bind_capture(s, index, ref, ret, e);
}

static int bind_note(struct signature *s, const struct expr_ref *ref, struct expr_binding *ret,
		     struct error *e)
{
	int capture, r = signature_note_bind(s, ref, &capture, e);

	return r < 0 ? r : bind_capture(s, capture, ref, ret, e);
}

int signature_bind(void *signature, const struct expr_ref *ref, struct expr_binding *ret,
		   struct error *e)
{
	struct signature *s = signature;

	if (s->category)
		return signature_source_bind(ref, ret, e);
	if (s->is_static && ref->kind != EXPR_REF_RET)
		return bind_note(s, ref, ret, e);
	switch (ref->kind) {
	case EXPR_REF_RET:
		return bind_result(signature, ref, ret, e);
	case EXPR_REF_REG:
		return bind_register(signature, ref, ret, e);
	default:
		return bind_argument(signature, ref, ret, e);
	}
}

/* What is in a register is kept like other captures, also where arguments are not. */
static int capture_register(struct signature *s, const struct expr_ref *ref,
			    const struct expr_binding *binding, struct error *e)
{
	struct sig_target target = {
		.fetch = {.kind = FETCH_NUMBER, .arg = (uint8_t)binding->index, .size = 8}};
	int r = 0;

	if (s->is_frozen || signature_find_capture(s, ref->text) >= 0)
		return 0;
	if (ref->kind == EXPR_REF_ARG)
		r = signature_follow(s, signature_find_param(s, ref->steps[0].member), ref, &target,
				     e);
	if (r >= 0)
		r = signature_add(s, ref->text, &target, e);
	return r < 0 ? r : 0;
}

bool signature_bind_captured(const struct signature *s, const struct expr_ref *ref,
			     struct expr_binding *ret)
{
	int index = signature_find_capture(s, ref->text);
	struct error unused = {};

	return index >= 0 && bind_capture(s, index, ref, ret, &unused) >= 0;
}

/* A number that conditions cannot compare is captured all the same: it can be shown. */
int signature_capture(struct signature *s, const struct expr_ref *ref, struct error *e)
{
	size_t before = s->n_captures;
	struct expr_binding binding;
	struct error unused = {};
	int r, capture;

	if (s->is_static && ref->kind != EXPR_REF_RET)
		return signature_note_bind(s, ref, &capture, e);
	r = signature_bind(s, ref, &binding, &unused);
	if (r >= 0 && binding.place == EXPR_IN_ARG)
		return capture_register(s, ref, &binding, e);
	if (r < 0 && s->n_captures == before &&
	    (ref->kind != EXPR_REF_ARG || signature_find_capture(s, ref->text) < 0)) {
		if (e && !e->name[0])
			*e = unused;
		return r;
	}
	return 0;
}

static int capture_param(struct signature *s, size_t i)
{
	const struct sig_param *p = &s->params[i];
	bool is_text = p->type.is_string;
	struct expr_step step = {.member = p->name};
	char text[SIGNATURE_CAPTURE_MAX];
	struct expr_ref ref = {.kind = EXPR_REF_ARG,
			       .str = is_text,
			       .steps = &step,
			       .n_steps = 1,
			       .column = 1,
			       .text = text};
	struct expr_binding binding;

	snprintf(text, sizeof(text), is_text ? "str(args.%s)" : "args.%s", p->name);
	return signature_bind(s, &ref, &binding, NULL);
}

/*
 * For showing calls, so as much as there is room for: text first, then the numbers that are on the
 * stack. What cannot be had is left out.
 */
int signature_capture_strings(struct signature *s, struct error *e)
{
	(void)e;
	if (!s->source)
		return 0;
	if (s->is_static)
		return signature_note_capture_all(s);
	for (size_t i = 0; i < s->n_params; i++)
		if (s->params[i].type.is_string && capture_param(s, i) == -ENOMEM)
			return -ENOMEM;
	for (size_t i = 0; i < s->n_params; i++) {
		const struct sig_param *p = &s->params[i];

		s->used |= p->is_redacted ? 0 : sig_param_registers(p) & (uint8_t)~s->lost;
		if (p->place == PARAM_ON_STACK && !p->type.is_string && is_number(&p->type) &&
		    capture_param(s, i) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

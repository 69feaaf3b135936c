/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/signature_note.h"

#include "probe/signature_private.h"

static uint8_t log2_of(uint8_t scale)
{
	return scale == 8 ? 3 : scale == 4 ? 2 : scale == 2;
}

/* Where it is; a number in memory has one step, in a register or by itself none. */
static bool find(const struct usdt_arg *a, struct fetch *ret)
{
	*ret = (struct fetch){.size = a->size, .flags = a->is_signed ? FETCH_SIGNED : 0};
	switch (a->place) {
	case USDT_CONSTANT:
		ret->flags |= FETCH_CONSTANT;
		ret->steps[0] = (int32_t)(uint32_t)a->value;
		ret->steps[1] = (int32_t)(uint32_t)((uint64_t)a->value >> 32);
		return true;
	case USDT_REGISTER:
		ret->flags |= FETCH_REGISTER;
		ret->arg = a->base;
		ret->shift = a->shift;
		ret->bits = a->shift ? 8 : 0;
		return true;
	case USDT_MEMORY:
		ret->flags |= FETCH_REGISTER;
		ret->arg = a->base;
		ret->n_steps = 1;
		ret->steps[0] = (int32_t)a->value;
		if (a->index != USDT_NO_REGISTER) {
			ret->flags |= FETCH_INDEXED;
			ret->index = (uint8_t)(a->index | log2_of(a->scale) << FETCH_SCALE_SHIFT);
		}
		return true;
	case USDT_UNREADABLE:
		break;
	}
	return false;
}

bool signature_note_number(const struct usdt_arg *a, struct fetch *ret)
{
	if (!find(a, ret))
		return false;
	ret->kind = FETCH_NUMBER;
	return true;
}

bool signature_note_address(const struct usdt_arg *a, struct fetch *ret)
{
	/* A constant may be written as an int where it is an address. */
	if ((a->size != 8 && a->place != USDT_CONSTANT) || a->is_float || !find(a, ret))
		return false;
	ret->shift = ret->bits = 0;
	if (ret->n_steps)
		ret->n_steps = 2; /* the pointer itself is in memory */
	return true;
}

void signature_note_result(const struct usdt_note *note, struct fetch *ret)
{
	struct usdt_arg args[USDT_MAX_ARGS];

	if (usdt_parse_args(note->args, args) == 0 || !signature_note_number(&args[0], ret))
		*ret = (struct fetch){};
}

/* "args.arg1", "str(args.arg1)", "buf(args.arg1,16)": however it was written. */
static void name_capture(const struct sig_param *p, const struct expr_ref *ref,
			 char ret[static SIGNATURE_CAPTURE_MAX])
{
	if (ref->buf)
		snprintf(ret, SIGNATURE_CAPTURE_MAX, "buf(args.%s,%u)", p->name, ref->length);
	else
		snprintf(ret, SIGNATURE_CAPTURE_MAX, ref->str ? "str(args.%s)" : "args.%s",
			 p->name);
}

static int find_param(const struct signature *s, const struct expr_ref *ref, struct error *e)
{
	const char *name;
	int param;

	if (ref->kind == EXPR_REF_REG) {
		if (ref->index < s->n_params)
			return (int)ref->index;
		return signature_refuse(e, ref, "the static probe has %zu argument%s", s->n_params,
					s->n_params == 1 ? "" : "s");
	}
	name = ref->n_steps > 0 && ref->steps[0].member ? ref->steps[0].member : "";
	param = signature_find_param(s, name);
	if (param >= 0)
		return param;
	signature_refuse(e, ref, "the static probe has no argument %s; it has %zu", name,
			 s->n_params);
	if (e)
		error_fix(e,
			  "Arguments of static probes have no names: write arg0, arg1 and so on.");
	return -EINVAL;
}

static int add(struct signature *s, int param, const struct expr_ref *ref, const char *text,
	       struct error *e)
{
	const struct function_param *from = s->source ? &s->source->params[param] : NULL;
	const struct usdt_arg *note = from ? from->note : NULL;
	struct sig_target target = {.is_text = ref->str};
	bool can;

	if (s->is_frozen || !note)
		return signature_refuse(e, ref, "%s was not captured", ref->text);
	if (note->place == USDT_UNREADABLE)
		return signature_refuse(e, ref, "%s cannot be read: %s", s->params[param].name,
					note->reason);
	target.type = ref->str ? NULL : from->type;
	can = ref->str ? signature_note_address(note, &target.fetch)
		       : signature_note_number(note, &target.fetch);
	if (!can)
		return signature_refuse(e, ref, "%s (%s) is no address, so there is no text",
					s->params[param].name, s->params[param].type.name);
	if (ref->str)
		signature_read_text(ref, &target.fetch);
	return signature_add(s, text, &target, e);
}

int signature_note_bind(struct signature *s, const struct expr_ref *ref, int *ret_capture,
			struct error *e)
{
	size_t steps = ref->kind == EXPR_REF_REG ? 0 : 1;
	char text[SIGNATURE_CAPTURE_MAX];
	int param, index;

	param = find_param(s, ref, e);
	if (param < 0)
		return param;
	if (ref->n_steps > steps)
		return signature_refuse(e, ref,
					"what %s points to is not known, as static probes have no "
					"types; str(%s) is its text",
					s->params[param].name, s->params[param].name);
	if (s->params[param].is_redacted)
		return signature_refuse(e, ref, "%s is redacted", s->params[param].name);
	if (ref->buf && !ref->length)
		return signature_refuse(e, ref,
					"the length of a static probe's buffer has to be a number, "
					"as in buf(%s, 16)",
					s->params[param].name);
	name_capture(&s->params[param], ref, text);
	index = signature_find_capture(s, text);
	if (index < 0)
		index = add(s, param, ref, text, e);
	if (index < 0)
		return index;
	*ret_capture = index;
	return 0;
}

int signature_note_capture_all(struct signature *s)
{
	for (size_t i = 0; i < s->n_params && s->source; i++) {
		struct expr_ref ref = {
			.kind = EXPR_REF_REG, .index = (uint32_t)i, .column = 1, .text = ""};
		int capture;

		if (signature_note_bind(s, &ref, &capture, NULL) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

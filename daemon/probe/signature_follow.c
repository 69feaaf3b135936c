/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a reference to how its value is read. At first it is in the registers or on the stack, as
 * the parameter is; behind the first pointer it is at an address, which is found by steps.
 */
#include "probe/signature_value.h"
#include "symbol/type_arena.h"

#include <stdarg.h>

enum { DEPTH_MAX = 16, SEARCHED_MAX = 65536, LIST_MAX = 240 };

struct walk {
	const struct ctype *type;
	bool is_at_address;
	uint32_t arg;	/* fetch.arg of the parameter's first word */
	int64_t offset; /* in the parameter, or from the last pointer */
	uint64_t size;	/* of the parameter, which members of hostile types lie outside of */
	uint8_t shift, bits;
	size_t n_steps; /* pointers that were loaded from memory */
	int32_t steps[FETCH_MAX_STEPS];
};

int signature_refuse(struct error *e, const struct expr_ref *ref, const char *fmt, ...)
{
	struct strbuf clean _cleanup_(strbuf_release) = {};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Names are those of the file, whoever made it. */
	sig_put_text(&clean, text, strlen(text), 0);
	(void)ref;
	return error_set(e, EINVAL, "BadCondition", "%s", clean.data ? clean.data : "");
}

/* "a, b, c"; "…" when there are more than fit. Anonymous members are looked into. */
static size_t list_some(const struct ctype *t, int depth, unsigned *budget, char *out, size_t len)
{
	ctype_complete(t);
	for (size_t i = 0; i < t->n_members && depth<DEPTH_MAX && * budget> 0; i++) {
		const struct ctype_member *m = &t->members[i];

		--*budget;
		if (!m->name[0]) {
			len = list_some(m->type, depth + 1, budget, out, len);
			continue;
		}
		if (len + strlen(m->name) + 8 > LIST_MAX) {
			if (len > 0 && out[len - 1] != '.')
				len += (size_t)snprintf(out + len, LIST_MAX - len, ", ...");
			return len;
		}
		len += (size_t)snprintf(out + len, LIST_MAX - len, "%s%s", len > 0 ? ", " : "",
					m->name);
	}
	return len;
}

static void list_members(const struct ctype *t, char *out)
{
	unsigned budget = SEARCHED_MAX;

	list_some(t, 0, &budget, out, 0);
}

static const struct ctype_member *find_member(const struct ctype *t, const char *name, int depth,
					      unsigned *budget, int64_t *offset)
{
	if (t->kind != CTYPE_STRUCT || depth > DEPTH_MAX)
		return NULL;
	ctype_complete(t);
	for (size_t i = 0; i<t->n_members && * budget> 0; i++) {
		const struct ctype_member *m = &t->members[i], *inner;

		--*budget;
		if (streq(m->name, name)) {
			*offset += m->offset;
			return m;
		}
		if (m->name[0])
			continue;
		inner = find_member(m->type, name, depth + 1, budget, offset);
		if (inner) {
			*offset += m->offset;
			return inner;
		}
	}
	return NULL;
}

static int too_far(struct error *e, const struct expr_ref *ref)
{
	return signature_refuse(e, ref, "%s is farther than can be reached", ref->text);
}

static bool is_inside(const struct walk *w)
{
	return w->offset >= 0 && (uint64_t)w->offset <= w->size &&
	       w->type->size <= w->size - (uint64_t)w->offset;
}

/* Goes to what the pointer points to. */
static int dereference(struct walk *w, const struct expr_ref *ref, struct error *e)
{
	if (w->is_at_address) {
		if (w->n_steps + 1 >= FETCH_MAX_STEPS)
			return signature_refuse(e, ref, "%s goes through more than %d pointers",
						ref->text, FETCH_MAX_STEPS);
		w->steps[w->n_steps++] = (int32_t)w->offset;
	} else {
		if (w->offset % 8 != 0 || !is_inside(w))
			return too_far(e, ref);
		w->arg += (uint32_t)(w->offset / 8);
	}
	w->is_at_address = true;
	w->offset = 0;
	w->type = w->type->target ? w->type->target : &ctype_unknown;
	return 0;
}

static int step_member(struct walk *w, const char *name, const struct expr_ref *ref,
		       struct error *e)
{
	unsigned budget = SEARCHED_MAX;
	const struct ctype_member *m;
	char names[LIST_MAX] = "";
	int r;

	if (w->type->kind == CTYPE_POINTER) {
		r = dereference(w, ref, e);
		if (r < 0)
			return r;
	}
	if (w->type->kind == CTYPE_UNKNOWN)
		return signature_refuse(e, ref,
					"the debug information does not say what is in %s, so it "
					"has no %s",
					w->type->name, name);
	if (w->type->kind != CTYPE_STRUCT)
		return signature_refuse(e, ref, "%s has no members, so no %s", w->type->name, name);
	m = find_member(w->type, name, 0, &budget, &w->offset);
	if (!m) {
		list_members(w->type, names);
		return signature_refuse(e, ref, "%s has no member %s; it has %s", w->type->name,
					name, names[0] ? names : "none");
	}
	w->type = m->type;
	w->shift = m->shift;
	w->bits = m->bits;
	return 0;
}

static int step_element(struct walk *w, uint64_t index, const struct expr_ref *ref, struct error *e)
{
	const struct ctype *t = w->type;
	int64_t offset;
	int r;

	if (t->kind != CTYPE_ARRAY && t->kind != CTYPE_POINTER)
		return signature_refuse(e, ref, "%s has no elements", t->name);
	if (t->kind == CTYPE_ARRAY && t->count > 0 && index >= t->count)
		return signature_refuse(e, ref, "%s has no element %llu", t->name,
					(unsigned long long)index);
	if (t->kind == CTYPE_POINTER) {
		r = dereference(w, ref, e);
		if (r < 0)
			return r;
		t = w->type;
	} else {
		t = t->target;
	}
	if (t->size == 0)
		return signature_refuse(e, ref, "the size of %s is not known", t->name);
	if (__builtin_mul_overflow((int64_t)t->size, index, &offset) ||
	    __builtin_add_overflow(w->offset, offset, &w->offset))
		return too_far(e, ref);
	w->type = t;
	return 0;
}

/* The last step only adds; without any the register itself is the value. */
static int finish(struct walk *w, const struct expr_ref *ref, struct fetch *f, struct error *e)
{
	if (w->is_at_address) {
		if (w->offset < INT32_MIN || w->offset > INT32_MAX)
			return too_far(e, ref);
		for (size_t i = 0; i < w->n_steps; i++)
			f->steps[i] = w->steps[i];
		f->steps[w->n_steps] = (int32_t)w->offset;
		f->n_steps = (uint8_t)(w->n_steps + 1);
	} else if (!is_inside(w)) {
		return too_far(e, ref);
	} else {
		w->arg += (uint32_t)(w->offset / 8);
	}
	if (w->arg >= FETCH_MAX_ARGS)
		return signature_refuse(e, ref, "%s is too far up the stack", ref->text);
	f->arg = (uint8_t)w->arg;
	return 0;
}

static bool is_byte(const struct ctype *t)
{
	return t->size == 1 &&
	       (t->kind == CTYPE_CHAR || t->kind == CTYPE_INT || t->kind == CTYPE_UINT);
}

void signature_read_text(const struct expr_ref *ref, struct fetch *ret)
{
	ret->kind = ref->buf ? FETCH_BUFFER : FETCH_TEXT;
	ret->room = ref->buf && ref->length ? (uint16_t)ref->length : SIGNATURE_TEXT_ROOM;
	ret->length = ref->length;
}

static int finish_text(struct walk *w, const struct expr_ref *ref, struct sig_target *ret,
		       struct error *e)
{
	const struct ctype *t = w->type;
	struct fetch *f = &ret->fetch;

	signature_read_text(ref, f);
	ret->is_text = true;
	if (t->kind == CTYPE_POINTER &&
	    (ref->buf || (t->target && (is_byte(t->target) || t->target->kind == CTYPE_VOID)))) {
		f->flags = w->is_at_address ? FETCH_POINTER : 0;
		if (!w->is_at_address && w->offset % 8 != 0)
			return too_far(e, ref);
		return finish(w, ref, f, e);
	}
	if (t->kind != CTYPE_ARRAY || !t->target || (!ref->buf && !is_byte(t->target)))
		return signature_refuse(e, ref, "%s is no %s but %s", ref->text,
					ref->buf ? "pointer or array" : "text", t->name);
	if (!w->is_at_address)
		return signature_refuse(e, ref, "%s is passed by value, so text has no address",
					ref->text);
	if (t->size > 0)
		f->room = (uint16_t)MIN(t->size, f->room);
	return finish(w, ref, f, e);
}

static int finish_number(struct walk *w, const struct expr_ref *ref, struct sig_target *ret,
			 struct error *e)
{
	const struct ctype *t = w->type;
	struct fetch *f = &ret->fetch;
	unsigned in_word = (unsigned)(w->offset % 8) * 8 + w->shift;

	f->kind = FETCH_NUMBER;
	f->size = (uint8_t)t->size;
	f->flags = t->is_signed ? FETCH_SIGNED : 0;
	f->shift = w->shift;
	f->bits = w->bits;
	ret->type = t;
	if (w->is_at_address)
		return finish(w, ref, f, e);
	if (t->kind == CTYPE_FLOAT)
		return signature_refuse(
			e, ref, "%s is passed by value, and is a floating-point number", ref->text);
	/* Of a struct in registers: its part of the word is cut out as a bit field is. */
	f->size = 8;
	f->bits = w->bits ? w->bits : (uint8_t)(8 * t->size);
	f->shift = (uint8_t)in_word;
	if (in_word + f->bits > 64)
		return too_far(e, ref);
	if (f->bits == 64)
		f->bits = 0;
	return finish(w, ref, f, e);
}

static int finish_struct(const struct walk *w, const struct expr_ref *ref, struct error *e)
{
	char names[LIST_MAX] = "";

	list_members(w->type, names);
	return signature_refuse(e, ref, "%s is a %s; name one of its members: %s", ref->text,
				w->type->name, names[0] ? names : "there are none");
}

static int finish_walk(struct walk *w, const struct expr_ref *ref, struct sig_target *ret,
		       struct error *e)
{
	const struct ctype *t = w->type;

	if (ref->str || (t->kind == CTYPE_ARRAY && t->target && t->target->kind == CTYPE_CHAR))
		return finish_text(w, ref, ret, e);
	switch (t->kind) {
	case CTYPE_STRUCT:
		return finish_struct(w, ref, e);
	case CTYPE_ARRAY:
		return signature_refuse(e, ref, "%s is an array, %s; write %s[0]", ref->text,
					t->name, ref->text);
	case CTYPE_INT:
	case CTYPE_UINT:
	case CTYPE_BOOL:
	case CTYPE_CHAR:
	case CTYPE_ENUM:
	case CTYPE_POINTER:
	case CTYPE_FLOAT:
		if (t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8)
			return finish_number(w, ref, ret, e);
		break;
	default:
		break;
	}
	return signature_refuse(e, ref, "%s is %s, which is no number of up to 64 bits", ref->text,
				t->name);
}

int signature_follow(const struct signature *s, int param, const struct expr_ref *ref,
		     struct sig_target *ret, struct error *e)
{
	const struct function_param *p = &s->source->params[param];
	struct walk w = {.type = p->type, .arg = p->reg, .size = p->type->size};
	int r;

	*ret = (struct sig_target){};
	if (p->place == PARAM_ON_STACK) {
		if (p->reg >= FETCH_MAX_ARGS - RECORD_ARGS)
			return signature_refuse(e, ref, "%s is too far up the stack", ref->text);
		w.arg += RECORD_ARGS;
	}
	for (size_t i = 1; i < ref->n_steps; i++) {
		const struct expr_step *step = &ref->steps[i];

		if (w.bits > 0)
			return signature_refuse(e, ref, "a bit field has no members");
		if (w.is_at_address && (w.offset < INT32_MIN || w.offset > INT32_MAX))
			return too_far(e, ref);
		r = step->member ? step_member(&w, step->member, ref, e)
				 : step_element(&w, step->index, ref, e);
		if (r < 0)
			return r;
	}
	return finish_walk(&w, ref, ret, e);
}

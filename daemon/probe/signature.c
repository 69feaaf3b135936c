/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/signature_private.h"

#include <fnmatch.h>

enum { DEPTH_MAX = 8, MEMBERS_LOOKED_AT_MAX = 4096 };

void sig_type_release(struct sig_type *t)
{
	for (size_t i = 0; i < t->n_values; i++)
		free((char *)t->values[i].name);
	free(t->values);
	free(t->name);
	*t = (struct sig_type){};
}

struct signature *signature_free(struct signature *s)
{
	if (!s)
		return NULL;
	sig_type_release(&s->ret);
	for (size_t i = 0; i < s->n_params; i++) {
		sig_type_release(&s->params[i].type);
		free(s->params[i].name);
	}
	for (size_t i = 0; i < s->n_captures; i++) {
		sig_type_release(&s->captures[i].type);
		free(s->captures[i].text);
	}
	for (size_t i = 0; i < s->n_redact; i++)
		free(s->redact[i]);
	free(s->redact);
	free(s->params);
	free(s->category);
	free(s);
	return NULL;
}

static bool is_character(const struct ctype *t)
{
	return t->size == 1 &&
	       (t->kind == CTYPE_CHAR || t->kind == CTYPE_INT || t->kind == CTYPE_UINT);
}

/* Text and not bytes: char and its like of any sign, but neither uint8_t nor unsigned char. */
static bool is_text_character(const struct ctype *t)
{
	return t->kind == CTYPE_CHAR && !strstr(t->name, "signed ");
}

static int copy_values(const struct ctype *t, struct sig_type *ret)
{
	size_t n = MIN(t->n_values, SIGNATURE_VALUES_MAX);

	if (n == 0)
		return 0;
	ret->values = calloc(n, sizeof(*ret->values));
	if (!ret->values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *name = strndup(t->values[i].name, SIGNATURE_NAME_MAX);

		if (!name)
			return -ENOMEM;
		ret->values[ret->n_values++] = (struct expr_name){name, t->values[i].value};
	}
	return 0;
}

int sig_type_from(const struct ctype *t, struct sig_type *ret)
{
	struct sig_type type _cleanup_(sig_type_release) = {
		.kind = t->kind,
		.is_signed = t->is_signed,
		.is_flags = t->is_flags,
		.is_string = t->kind == CTYPE_POINTER && t->target && is_text_character(t->target),
		.name = strndup(t->name, SIGNATURE_NAME_MAX),
	};
	int r;

	if (!type.name)
		return -ENOMEM;
	if (t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8)
		type.size = (uint8_t)t->size;
	switch (t->kind) {
	case CTYPE_INT:
	case CTYPE_UINT:
	case CTYPE_BOOL:
	case CTYPE_CHAR:
	case CTYPE_POINTER:
	case CTYPE_FLOAT:
		break;
	case CTYPE_ENUM:
		r = copy_values(t, &type);
		if (r < 0)
			return r;
		break;
	case CTYPE_ARRAY:
		type.is_string = t->target && is_character(t->target);
		type.size = 0;
		break;
	default:
		type.size = 0;
	}
	*ret = type;
	type = (struct sig_type){};
	return 0;
}

bool signature_redacts(const struct signature *s, const char *name)
{
	for (size_t i = 0; i < s->n_redact; i++)
		if (fnmatch(s->redact[i], name, 0) == 0)
			return true;
	return false;
}

/* A struct that is passed by value brings its members along in the registers. */
static bool has_redacted_member(const struct signature *s, const struct ctype *t, int depth,
				unsigned *budget)
{
	while (t->kind == CTYPE_ARRAY && t->target)
		t = t->target;
	if (t->kind != CTYPE_STRUCT || depth > DEPTH_MAX)
		return false;
	ctype_complete(t);
	for (size_t i = 0; i<t->n_members && * budget> 0; i++) {
		--*budget;
		if (signature_redacts(s, t->members[i].name) ||
		    has_redacted_member(s, t->members[i].type, depth + 1, budget))
			return true;
	}
	return false;
}

static int add_param(struct signature *s, const struct function_param *from)
{
	unsigned budget = MEMBERS_LOOKED_AT_MAX;
	struct sig_param *p = &s->params[s->n_params];
	struct sig_type type;
	char unnamed[16];
	int r;

	snprintf(unnamed, sizeof(unnamed), "arg%zu", s->n_params);
	r = sig_type_from(from->type, &type);
	if (r < 0)
		return r;
	*p = (struct sig_param){
		.name = strndup(from->name[0] ? from->name : unnamed, SIGNATURE_NAME_MAX),
		.type = type,
		.place = from->place,
		.reg = from->reg,
	};
	if (!p->name) {
		sig_type_release(&p->type);
		return -ENOMEM;
	}
	p->is_redacted = s->n_redact > 0 && (signature_redacts(s, p->name) ||
					     has_redacted_member(s, from->type, 0, &budget));
	s->n_params++;
	return 0;
}

static int copy_type(struct signature *s, const struct function_type *type)
{
	size_t n = MIN(type->n_params, SIGNATURE_PARAMS_MAX);
	int r;

	s->source = type;
	s->is_typed = true;
	s->is_variadic = type->is_variadic;
	s->is_static = type->is_static;
	s->ret_in_float = type->ret_in_float;
	s->ret_in_memory = type->ret_in_memory;
	r = sig_type_from(type->ret, &s->ret);
	if (r < 0)
		return r;
	s->params = calloc(MAX(n, (size_t)1), sizeof(*s->params));
	if (!s->params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		r = add_param(s, &type->params[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int signature_new(const struct function_type *type, uint8_t lost_args, const char *const *redact,
		  size_t n_redact, struct signature **ret)
{
	struct signature *s _cleanup_(signature_freep) = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->lost = lost_args;
	s->redact = calloc(MAX(n_redact, (size_t)1), sizeof(*s->redact));
	if (!s->redact)
		return -ENOMEM;
	for (; s->n_redact < n_redact; s->n_redact++)
		if (!(s->redact[s->n_redact] = strdup(redact[s->n_redact])))
			return -ENOMEM;
	if (type) {
		r = copy_type(s, type);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

void signature_lose_args(struct signature *s, uint8_t lost_args)
{
	s->lost |= lost_args;
}

void signature_freeze(struct signature *s)
{
	s->is_frozen = true;
	s->source = NULL;
}

uint8_t sig_param_registers(const struct sig_param *p)
{
	if (p->place == PARAM_IN_REGISTER && p->reg < RECORD_ARGS)
		return (uint8_t)(1 << p->reg);
	if (p->place == PARAM_SPREAD && p->reg + 1 < RECORD_ARGS)
		return (uint8_t)(3 << p->reg);
	return 0;
}

int signature_param_in(const struct signature *s, uint32_t reg)
{
	for (size_t i = 0; i < s->n_params; i++)
		if (sig_param_registers(&s->params[i]) & (1u << reg))
			return (int)i;
	return -1;
}

int signature_find_param(const struct signature *s, const char *name)
{
	for (size_t i = 0; i < s->n_params; i++)
		if (streq(s->params[i].name, name))
			return (int)i;
	return -1;
}

int signature_find_capture(const struct signature *s, const char *text)
{
	for (size_t i = 0; i < s->n_captures; i++)
		if (streq(s->captures[i].text, text))
			return (int)i;
	return -1;
}

const struct fetch *signature_fetches(const struct signature *s, size_t *ret_n)
{
	*ret_n = s->n_captures;
	return s->fetches;
}

uint32_t signature_values_len(const struct signature *s)
{
	return s->values_len;
}

/*
 * Where anything is redacted, registers that have no parameter are left out as well: nobody knows
 * what they still have from the caller.
 */
uint8_t signature_kept_args(const struct signature *s)
{
	uint8_t kept = (1 << RECORD_ARGS) - 1;

	if (s->is_static)
		return 0;
	for (uint32_t i = 0; i < RECORD_ARGS; i++) {
		char name[8];
		int param = signature_param_in(s, i);

		snprintf(name, sizeof(name), "arg%u", i);
		if ((param >= 0 && s->params[param].is_redacted) || signature_redacts(s, name) ||
		    (param < 0 && s->is_typed && !s->is_variadic && s->n_redact > 0))
			kept &= (uint8_t) ~(1u << i);
	}
	return kept & (uint8_t)~s->lost;
}

uint8_t signature_needed_args(const struct signature *s)
{
	return s->used;
}

enum signature_error signature_error_rule(const struct signature *s, uint8_t *ret_size)
{
	const struct sig_type *t = &s->ret;

	if (!s->is_typed || t->kind == CTYPE_UNKNOWN)
		return RESULT_UNKNOWN;
	*ret_size = t->size ? t->size : 8;
	if (s->ret_in_float || s->ret_in_memory)
		return RESULT_UNSIGNED;
	if (t->kind == CTYPE_INT)
		return RESULT_SIGNED;
	if (t->kind != CTYPE_ENUM || !t->is_signed)
		return RESULT_UNSIGNED;
	/* gcc makes an enum signed for one negative name, clang and C++ for none. */
	for (size_t i = 0; i < t->n_values; i++)
		if (t->values[i].value < 0)
			return RESULT_SIGNED;
	return RESULT_UNSIGNED;
}

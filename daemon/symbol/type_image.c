/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/type_image.h"

#include <assert.h>

static_assert(sizeof(struct type_question) == 16, "no holes");
static_assert(sizeof(struct type_image_header) == 48, "no holes");
static_assert(sizeof(struct flat_type) == 56, "no holes");
static_assert(sizeof(struct flat_function) == 32, "no holes");
static_assert(sizeof(struct flat_param) == 16, "no holes");
static_assert(sizeof(struct flat_struct) == 16, "no holes");
static_assert(sizeof(struct flat_member) == 16, "no holes");
static_assert(sizeof(struct flat_value) == 16, "no holes");

enum { REGISTERS = 6 };

static bool is_text(const struct type_image *t, uint32_t at)
{
	return at < t->strings_size;
}

/* Each is as short as a reader takes it to be, as texts are walked over often. */
static bool strings_are_valid(const struct type_image *t)
{
	const char *at = t->strings, *end = at + t->strings_size;

	if (*at != '\0')
		return false;
	while (at < end) {
		const char *nul =
			memchr(at, '\0', MIN((size_t)(end - at), TYPE_STRING_LEN_MAX + 1));

		if (!nul)
			return false;
		at = nul + 1;
	}
	return true;
}

static bool key_is_valid(const struct flat_type *f)
{
	if (f->kind == CTYPE_STRUCT)
		return f->key.section < TYPE_SECTIONS && f->key.zero == 0;
	return f->key.offset == 0 && f->key.section == 0 && f->key.zero == 0;
}

static const char *bad_type(const struct type_image *t, size_t i)
{
	static const uint8_t zero[sizeof(t->types->zero)];
	const struct flat_type *f = &t->types[i];

	if (f->kind > CTYPE_UNKNOWN || f->abi > CTYPE_ABI_BY_REFERENCE ||
	    f->flags & ~(FLAT_TYPE_SIGNED | FLAT_TYPE_IS_FLAGS) ||
	    memcmp(f->zero, zero, sizeof(zero)) != 0)
		return "a type is of an unknown kind";
	if (!is_text(t, f->name) || f->size > INT64_MAX || !key_is_valid(f))
		return "a type has an impossible number";
	if (f->target > i || (f->target && f->kind != CTYPE_POINTER && f->kind != CTYPE_ARRAY) ||
	    (!f->target && f->kind == CTYPE_ARRAY) || (f->count && f->kind != CTYPE_ARRAY))
		return "a type is made of one that is not there";
	if (f->n_values > TYPE_VALUES_MAX || f->first_value > t->n_values ||
	    f->n_values > t->n_values - f->first_value || (f->n_values && f->kind != CTYPE_ENUM))
		return "a type has values that are not there";
	return NULL;
}

static const char *bad_function(const struct type_image *t, const struct flat_function *f)
{
	static const struct flat_function none;

	if (!(f->flags & FLAT_FUNCTION_FOUND) && memcmp(f, &none, sizeof(none)) != 0)
		return "what is no function has a type";
	if (!(f->flags & FLAT_FUNCTION_FOUND))
		return NULL;
	if (f->flags >= FLAT_FUNCTION_RET_IN_MEMORY << 1 || f->zero != 0)
		return "a function is of an unknown kind";
	if (!is_text(t, f->name) || !is_text(t, f->file) || f->ret >= t->n_types)
		return "a function has a type that is not there";
	return NULL;
}

static bool param_is_valid(const struct type_image *t, const struct flat_param *p)
{
	if (!is_text(t, p->name) || p->type >= t->n_types)
		return false;
	switch (p->place) {
	case PARAM_IN_REGISTER:
		return p->reg < REGISTERS;
	case PARAM_SPREAD:
		return p->reg < REGISTERS - 1;
	case PARAM_ON_STACK:
		return p->reg < TYPE_WORDS_MAX;
	case PARAM_IN_FLOAT:
	case PARAM_NOWHERE:
		return true;
	default:
		return false;
	}
}

static bool member_is_valid(const struct type_image *t, const struct flat_member *m)
{
	const struct flat_type *type;

	if (!is_text(t, m->name) || m->type >= t->n_types || m->zero != 0)
		return false;
	type = &t->types[m->type];
	if (t->strings[m->name] == '\0' && type->kind != CTYPE_STRUCT)
		return false;
	if (m->bits == 0)
		return m->shift == 0;
	return type->size > 0 && type->size <= 8 && m->shift + m->bits <= 8 * type->size;
}

static const char *bad_functions(const struct type_image *t)
{
	uint64_t at = 0;

	for (size_t i = 0; i < t->n_functions; i++) {
		const struct flat_function *f = &t->functions[i];
		const char *bad = bad_function(t, f);

		if (bad)
			return bad;
		if (!(f->flags & FLAT_FUNCTION_FOUND))
			continue;
		if (f->first_param != at || f->n_params > TYPE_PARAMS_MAX)
			return "a function has parameters that are not there";
		at += f->n_params;
	}
	if (at != t->n_params)
		return "there are parameters of nothing";
	for (size_t i = 0; i < t->n_params; i++)
		if (!param_is_valid(t, &t->params[i]))
			return "a parameter is impossible";
	return NULL;
}

static const char *bad_structs(const struct type_image *t)
{
	uint64_t at = 0;

	for (size_t i = 0; i < t->n_structs; i++) {
		const struct flat_struct *s = &t->structs[i];

		if (s->first_member != at || s->n_members > TYPE_MEMBERS_MAX || s->zero != 0 ||
		    s->abi > CTYPE_ABI_BY_REFERENCE)
			return "a struct has members that are not there";
		at += s->n_members;
	}
	if (at != t->n_members)
		return "there are members of nothing";
	for (size_t i = 0; i < t->n_members; i++)
		if (!member_is_valid(t, &t->members[i]))
			return "a member is impossible";
	return NULL;
}

static int check(const struct type_image *t, struct error *error)
{
	const char *bad = NULL;

	if (!strings_are_valid(t))
		return flat_bad(error, "its texts have no end");
	for (size_t i = 0; i < t->n_values; i++)
		if (!is_text(t, t->values[i].name) || t->values[i].zero != 0)
			return flat_bad(error, "a value has a name that is not there");
	for (size_t i = 0; i < t->n_types && !bad; i++)
		bad = bad_type(t, i);
	if (!bad)
		bad = bad_functions(t);
	if (!bad)
		bad = bad_structs(t);
	return bad ? flat_bad(error, bad) : 0;
}

static int use(struct type_image *t, size_t n_functions, size_t n_structs, struct error *error)
{
	const struct type_image_header *h = (const void *)t->flat.data;

	if (memcmp(h->magic, TYPE_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != TYPE_IMAGE_VERSION || h->zero != 0)
		return flat_bad(error, "it has another format");
	if (h->n_functions != n_functions || h->n_structs != n_structs)
		return flat_bad(error, "it answers another question");
	if (h->n_types > TYPE_TYPES_MAX || h->n_values > TYPE_ALL_VALUES_MAX ||
	    h->n_params > TYPE_PARAMS_MAX * n_functions ||
	    h->n_members > TYPE_MEMBERS_MAX * n_structs || h->strings_size == 0 ||
	    h->strings_size > TYPE_STRINGS_MAX ||
	    t->flat.size !=
		    sizeof(*h) + h->n_types * sizeof(*t->types) + h->n_values * sizeof(*t->values) +
			    h->n_functions * sizeof(*t->functions) +
			    h->n_structs * sizeof(*t->structs) + h->n_params * sizeof(*t->params) +
			    h->n_members * sizeof(*t->members) + h->strings_size)
		return flat_bad(error, "it has another size than it says");
	t->types = (const void *)(h + 1);
	t->n_types = h->n_types;
	t->values = (const void *)(t->types + t->n_types);
	t->n_values = h->n_values;
	t->functions = (const void *)(t->values + t->n_values);
	t->n_functions = h->n_functions;
	t->structs = (const void *)(t->functions + t->n_functions);
	t->n_structs = h->n_structs;
	t->params = (const void *)(t->structs + t->n_structs);
	t->n_params = h->n_params;
	t->members = (const void *)(t->params + t->n_params);
	t->n_members = h->n_members;
	t->strings = (const char *)(t->members + t->n_members);
	t->strings_size = h->strings_size;
	return check(t, error);
}

int type_image_open(int fd, size_t n_functions, size_t n_structs, struct error *error,
		    struct type_image **ret)
{
	struct type_image *t _cleanup_(type_image_freep) = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct type_image_header), error, &t->flat);
	if (r >= 0)
		r = use(t, n_functions, n_structs, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

struct type_image *type_image_free(struct type_image *t)
{
	if (!t)
		return NULL;
	flat_unmap(&t->flat);
	free(t);
	return NULL;
}

static struct ctype_value *make_values(const struct type_image *t, const char *strings,
				       struct type_arena *arena)
{
	struct ctype_value *values =
		type_arena_alloc(arena, MAX(t->n_values, (size_t)1) * sizeof(*values));

	for (size_t i = 0; values && i < t->n_values; i++)
		values[i] = (struct ctype_value){
			.name = strings + t->values[i].name,
			.value = t->values[i].value,
		};
	return values;
}

struct lazy_ctype *type_image_types(const struct type_image *t, struct type_arena *arena,
				    void (*complete)(struct ctype *t), void *owner,
				    const char **ret_strings)
{
	struct lazy_ctype *types =
		type_arena_alloc(arena, MAX(t->n_types, (size_t)1) * sizeof(*types));
	char *strings = type_arena_alloc(arena, t->strings_size);
	const struct ctype_value *values;

	if (!types || !strings)
		return NULL;
	memcpy(strings, t->strings, t->strings_size);
	values = make_values(t, strings, arena);
	if (!values)
		return NULL;
	for (size_t i = 0; i < t->n_types; i++) {
		const struct flat_type *f = &t->types[i];

		types[i] = (struct lazy_ctype){
			.c = {.kind = f->kind,
			      .is_signed = f->flags & FLAT_TYPE_SIGNED,
			      .is_flags = f->flags & FLAT_TYPE_IS_FLAGS,
			      .name = strings + f->name,
			      .size = f->size,
			      .target = f->target ? &types[f->target - 1].c : NULL,
			      .count = f->count,
			      .values = f->n_values ? values + f->first_value : NULL,
			      .n_values = f->n_values,
			      .abi = f->abi,
			      .complete = f->kind == CTYPE_STRUCT ? complete : NULL},
			.key = f->key,
			.owner = owner,
		};
	}
	*ret_strings = strings;
	return types;
}

struct function_type *type_image_function(const struct type_image *t, size_t index,
					  const struct lazy_ctype *types, const char *strings,
					  struct type_arena *arena)
{
	const struct flat_function *from = &t->functions[index];
	struct function_type *f = type_arena_alloc(arena, sizeof(*f));
	struct function_param *params =
		type_arena_alloc(arena, MAX(from->n_params, 1U) * sizeof(*params));

	if (!f || !params)
		return NULL;
	for (size_t i = 0; i < from->n_params; i++) {
		const struct flat_param *p = &t->params[from->first_param + i];

		params[i] = (struct function_param){
			.name = strings + p->name,
			.type = &types[p->type].c,
			.place = p->place,
			.reg = p->reg,
		};
	}
	*f = (struct function_type){
		.name = strings + from->name,
		.params = params,
		.n_params = from->n_params,
		.ret = &types[from->ret].c,
		.is_variadic = from->flags & FLAT_FUNCTION_VARIADIC,
		.ret_in_float = from->flags & FLAT_FUNCTION_RET_IN_FLOAT,
		.ret_in_memory = from->flags & FLAT_FUNCTION_RET_IN_MEMORY,
		.file = strings + from->file,
		.line = from->line,
	};
	return f;
}

struct ctype_member *type_image_members(const struct type_image *t, size_t index,
					const struct lazy_ctype *types, const char *strings,
					struct type_arena *arena)
{
	const struct flat_struct *from = &t->structs[index];
	struct ctype_member *members =
		type_arena_alloc(arena, MAX(from->n_members, 1U) * sizeof(*members));

	for (size_t i = 0; members && i < from->n_members; i++) {
		const struct flat_member *m = &t->members[from->first_member + i];

		members[i] = (struct ctype_member){
			.name = strings + m->name,
			.type = &types[m->type].c,
			.offset = m->offset,
			.shift = m->shift,
			.bits = m->bits,
		};
	}
	return members;
}

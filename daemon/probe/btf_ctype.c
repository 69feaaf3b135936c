/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of BTF made into struct ctype, each once. */
#include "probe/btf_type_private.h"

enum { DEPTH_MAX = 32, MEMBERS_MAX = 4096, VALUES_MAX = 4096, SHOWN_MAX = 16 };

struct btf_ctype {
	struct ctype c; /* first: complete() goes back from it */
	struct btf_types *owner;
	uint32_t id;
	struct btf_ctype *base; /* the same struct under its own name */
};

const char *btf_types_name(const struct btf_types *t, uint32_t offset)
{
	return btf__name_by_offset(t->btf, offset) ?: "";
}

static struct btf_ctype *new_ctype(struct btf_types *t, enum ctype_kind kind, const char *name,
				   uint64_t size)
{
	struct btf_ctype *b = type_arena_alloc(&t->arena, sizeof(*b));

	if (b) {
		b->c = (struct ctype){.kind = kind, .name = name, .size = size};
		b->owner = t;
	}
	return b;
}

static void complete_renamed(struct ctype *c)
{
	struct btf_ctype *b = (struct btf_ctype *)c;

	c->complete = NULL;
	ctype_complete(&b->base->c);
	c->members = b->base->c.members;
	c->n_members = b->base->c.n_members;
}

static struct btf_ctype *renamed(struct btf_types *t, const struct ctype *base, const char *name)
{
	struct btf_ctype *b = new_ctype(t, base->kind, name, base->size);

	if (!b)
		return NULL;
	b->c = *base;
	b->c.name = name;
	if (base->complete) {
		b->base = (struct btf_ctype *)base;
		b->c.complete = complete_renamed;
	}
	return b;
}

/* pahole marks neither characters nor, in old versions, anything but signs: names tell. */
static struct btf_ctype *int_type(struct btf_types *t, const struct btf_type *type,
				  const char *name)
{
	uint8_t encoding = btf_int_encoding(type);
	struct btf_ctype *b = new_ctype(t, CTYPE_UINT, name, type->size);

	if (!b)
		return NULL;
	b->c.is_signed = (encoding & BTF_INT_SIGNED) != 0;
	if ((encoding & BTF_INT_BOOL) || streq(name, "_Bool"))
		b->c.kind = CTYPE_BOOL;
	else if (type->size == 1 && ((encoding & BTF_INT_CHAR) || strstr(name, "char")))
		b->c.kind = CTYPE_CHAR;
	else if (b->c.is_signed)
		b->c.kind = CTYPE_INT;
	return b;
}

static struct btf_ctype *typedef_type(struct btf_types *t, const struct btf_type *type,
				      const char *name, int depth)
{
	const struct ctype *base = btf_types_ctype(t, type->type, depth + 1);
	struct btf_ctype *b = renamed(t, base, name);

	if (b && base->kind == CTYPE_CHAR && strstr(base->name, "signed "))
		b->c.kind = base->is_signed ? CTYPE_INT : CTYPE_UINT;
	return b;
}

static struct btf_ctype *pointer_type(struct btf_types *t, const struct btf_type *type, int depth)
{
	const struct ctype *target = btf_types_ctype(t, type->type, depth + 1);
	struct btf_ctype *b =
		new_ctype(t, CTYPE_POINTER, ctype_pointer_name(&t->arena, target, "*"), 8);

	if (b)
		b->c.target = target;
	return b;
}

static struct btf_ctype *array_type(struct btf_types *t, const struct btf_type *type, int depth)
{
	const struct btf_array *array = btf_array(type);
	const struct ctype *element = btf_types_ctype(t, array->type, depth + 1);
	struct btf_ctype *b =
		new_ctype(t, CTYPE_ARRAY, ctype_array_name(&t->arena, element, array->nelems), 0);

	if (!b || __builtin_mul_overflow(element->size, array->nelems, &b->c.size))
		return NULL;
	b->c.target = element;
	b->c.count = array->nelems;
	return b;
}

static struct btf_ctype *enum_type(struct btf_types *t, const struct btf_type *type,
				   const char *name)
{
	size_t n = MIN(btf_vlen(type), VALUES_MAX);
	struct ctype_value *values = n ? type_arena_alloc(&t->arena, n * sizeof(*values)) : NULL;
	struct btf_ctype *b = new_ctype(t, CTYPE_ENUM, name, type->size);

	if (!b || (n > 0 && !values))
		return NULL;
	b->c.is_signed = btf_kflag(type);
	for (size_t i = 0; i < n; i++) {
		if (btf_is_enum64(type)) {
			const struct btf_enum64 *e = &btf_enum64(type)[i];

			values[i].name = btf_types_name(t, e->name_off);
			values[i].value = (int64_t)btf_enum64_value(e);
		} else {
			const struct btf_enum *e = &btf_enum(type)[i];

			/* Kernels before 6.2 do not say which are signed. */
			values[i].name = btf_types_name(t, e->name_off);
			values[i].value = b->c.is_signed ? e->val : (int64_t)(uint32_t)e->val;
		}
	}
	b->c.values = values;
	b->c.n_values = n;
	b->c.is_flags = ctype_values_are_flags(values, n);
	return b;
}

static void complete_struct(struct ctype *c)
{
	struct btf_ctype *b = (struct btf_ctype *)c;
	struct btf_types *t = b->owner;
	const struct btf_type *type = btf__type_by_id(t->btf, b->id);
	size_t n = MIN(btf_vlen(type), MEMBERS_MAX), kept = 0;
	struct ctype_member *members;

	c->complete = NULL;
	members = n > 0 ? type_arena_alloc(&t->arena, n * sizeof(*members)) : NULL;
	if (!members)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct btf_member *from = &btf_members(type)[i];
		uint32_t bit = btf_member_bit_offset(type, (uint32_t)i);
		uint32_t bits = btf_member_bitfield_size(type, (uint32_t)i);
		struct ctype_member m = {
			.name = btf_types_name(t, from->name_off),
			.type = btf_types_ctype(t, from->type, 0),
			.offset = bit / 8,
		};

		if (bits == 0 || ctype_place_bits(&m, bit, bits))
			members[kept++] = m;
	}
	c->members = members;
	c->n_members = kept;
}

static struct btf_ctype *struct_type(struct btf_types *t, const struct btf_type *type,
				     const char *name, uint32_t id)
{
	struct btf_ctype *b = new_ctype(t, CTYPE_STRUCT, name, type->size);

	if (b) {
		b->id = id;
		b->c.complete = complete_struct;
	}
	return b;
}

static struct btf_ctype *function_type(struct btf_types *t, const struct btf_type *type, int depth)
{
	const struct btf_param *params = btf_params(type);
	char text[TYPE_NAME_MAX] = "";
	size_t len = 0, n = MIN(btf_vlen(type), SHOWN_MAX);
	const char *ret = btf_types_ctype(t, type->type, depth + 1)->name;

	for (size_t i = 0; i < n; i++) {
		const char *name = params[i].type
					   ? btf_types_ctype(t, params[i].type, depth + 4)->name
					   : "...";

		if (len + strlen(name) + 3 > sizeof(text))
			break;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "",
					name);
	}
	return new_ctype(t, CTYPE_FUNCTION,
			 type_arena_name(&t->arena, "%.256s (%s)", ret, n > 0 ? text : "void"), 0);
}

static const char *tagged(struct btf_types *t, const char *word, const char *name)
{
	return name[0] ? type_arena_name(&t->arena, "%s %s", word, name) : word;
}

static struct btf_ctype *qualified(struct btf_types *t, const struct btf_type *type,
				   const char *word, int depth)
{
	const struct ctype *base = btf_types_ctype(t, type->type, depth + 1);

	return renamed(t, base, ctype_qualified_name(&t->arena, base, word));
}

static const struct ctype *or_unknown(const struct btf_ctype *b)
{
	return b ? &b->c : &ctype_unknown;
}

static const struct ctype *convert(struct btf_types *t, const struct btf_type *type, uint32_t id,
				   int depth)
{
	const char *name = btf_types_name(t, type->name_off);

	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		return or_unknown(int_type(t, type, name));
	case BTF_KIND_FLOAT:
		return or_unknown(new_ctype(t, CTYPE_FLOAT, name, type->size));
	case BTF_KIND_PTR:
		return or_unknown(pointer_type(t, type, depth));
	case BTF_KIND_ARRAY:
		return or_unknown(array_type(t, type, depth));
	case BTF_KIND_STRUCT:
		return or_unknown(struct_type(t, type, tagged(t, "struct", name), id));
	case BTF_KIND_UNION:
		return or_unknown(struct_type(t, type, tagged(t, "union", name), id));
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return or_unknown(enum_type(t, type, tagged(t, "enum", name)));
	case BTF_KIND_FWD:
		return or_unknown(new_ctype(t, CTYPE_UNKNOWN,
					    tagged(t, btf_kflag(type) ? "union" : "struct", name),
					    0));
	case BTF_KIND_TYPEDEF:
		return or_unknown(typedef_type(t, type, name, depth));
	case BTF_KIND_CONST:
		return or_unknown(qualified(t, type, "const", depth));
	case BTF_KIND_VOLATILE:
		return or_unknown(qualified(t, type, "volatile", depth));
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return btf_types_ctype(t, type->type, depth + 1);
	case BTF_KIND_FUNC_PROTO:
		return or_unknown(function_type(t, type, depth));
	default:
		return &ctype_unknown;
	}
}

const struct ctype *btf_types_ctype(struct btf_types *t, uint32_t id, int depth)
{
	const struct btf_type *type;

	if (id == 0)
		return &ctype_void;
	if (id >= t->n || depth > DEPTH_MAX || !(type = btf__type_by_id(t->btf, id)))
		return &ctype_unknown;
	if (!t->types[id]) {
		/* Until it is known, so that a type made of itself ends here. */
		t->types[id] = &ctype_unknown;
		t->types[id] = convert(t, type, id, depth);
	}
	return t->types[id];
}

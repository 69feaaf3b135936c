/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structs with their members, enums with their values. */
#include "symbol/dwarf_type_private.h"

#include <dwarf.h>

enum { OFFSET_MAX = 1 << 30, QUALIFIERS_MAX = 4 };

/* C says "struct request", the languages where the name alone is a type "request". */
static bool says_struct(Dwarf_Die *die)
{
	Dwarf_Die cu;

	if (!dwarf_diecu(die, &cu, NULL, NULL))
		return false;
	switch (dwarf_srclang(&cu)) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_ObjC:
	case -1: /* of a supplementary file, whose units have no language */
		return true;
	default:
		return false;
	}
}

static const char *tagged_name(struct dwarf_types *t, Dwarf_Die *die)
{
	const char *name = dwarf_file_string(t->file, die, DW_AT_name);
	int tag = dwarf_tag(die);
	const char *word = tag == DW_TAG_union_type	    ? "union"
			   : tag == DW_TAG_enumeration_type ? "enum"
							    : "struct";

	if (!name[0])
		return word;
	return says_struct(die) ? type_arena_name(t->arena, "%s %s", word, name) : name;
}

/* A constant offset in bytes; old compilers write it as an expression that adds it. */
static bool member_offset(Dwarf_Die *die, uint64_t *ret)
{
	Dwarf_Attribute a;
	Dwarf_Op *ops;
	size_t n;

	*ret = 0;
	if (!dwarf_hasattr(die, DW_AT_data_member_location))
		return true; /* of a union, or a bit field that says it in bits */
	if (dwarf_number(die, DW_AT_data_member_location, ret))
		return *ret < OFFSET_MAX;
	if (!dwarf_attr(die, DW_AT_data_member_location, &a) ||
	    dwarf_getlocation(&a, &ops, &n) != 0 || n != 1 || ops[0].atom != DW_OP_plus_uconst)
		return false; /* a virtual base */
	*ret = ops[0].number;
	return *ret < OFFSET_MAX;
}

/*
 * Of a bit field: where its bits are, from the start of the struct. DWARF 4 says that, earlier ones
 * count from the most significant bit of a unit of storage.
 */
static bool first_bit(Dwarf_Die *die, const struct ctype *type, uint64_t bits, uint64_t offset,
		      uint64_t *ret)
{
	uint64_t size = type->size;
	Dwarf_Attribute a;
	Dwarf_Sword from_top;

	if (dwarf_number(die, DW_AT_data_bit_offset, ret))
		return *ret < 8ULL * OFFSET_MAX;
	if (!dwarf_attr(die, DW_AT_bit_offset, &a) || dwarf_formsdata(&a, &from_top) != 0)
		return false;
	/* A byte that is larger than 127 is not meant as a negative number. */
	if (dwarf_whatform(&a) == DW_FORM_data1 && from_top < -64)
		from_top += 256;
	dwarf_number(die, DW_AT_byte_size, &size);
	if (size == 0 || size > 16 || from_top < -64 || from_top > 128)
		return false;
	*ret = 8 * (offset + size) - (uint64_t)from_top - bits;
	return *ret < 8ULL * OFFSET_MAX;
}

static bool bit_field(Dwarf_Die *die, uint64_t bits, struct ctype_member *m)
{
	uint64_t first;

	return first_bit(die, m->type, bits, m->offset, &first) && ctype_place_bits(m, first, bits);
}

static bool make_member(struct dwarf_types *t, Dwarf_Die *die, struct ctype_member *ret)
{
	int tag = dwarf_tag(die);
	uint64_t offset, bits = 0;

	if (tag != DW_TAG_member && tag != DW_TAG_inheritance)
		return false;
	/* Static members are somewhere else. */
	if (dwarf_flag(die, DW_AT_external) || dwarf_flag(die, DW_AT_declaration) ||
	    !member_offset(die, &offset))
		return false;
	*ret = (struct ctype_member){.name = "", .offset = (uint32_t)offset};
	/* The members of a base class count as those of the class, as those of an anonymous one. */
	if (tag == DW_TAG_member)
		ret->name = dwarf_file_string(t->file, die, DW_AT_name);
	ret->type = dwarf_types_of(t, die);
	if (!ret->name[0] && ret->type->kind != CTYPE_STRUCT)
		return false;
	if (dwarf_number(die, DW_AT_bit_size, &bits))
		return bits > 0 && bit_field(die, bits, ret);
	return true;
}

/* A constructor that is given another object of the class, and that the source defines. */
static bool is_copy_constructor(struct dwarf_types *t, Dwarf_Die *class, Dwarf_Die *function,
				const char *name)
{
	const char *class_name = dwarf_file_string(t->file, class, DW_AT_name);
	size_t len = strcspn(class_name, "<");
	Dwarf_Die child, type;
	int more;

	if (len == 0 || strncmp(name, class_name, len) != 0 || (name[len] && name[len] != '<'))
		return false;
	for (more = dwarf_first_child(t, function, &child); more == 0;
	     more = dwarf_next_child(t, &child)) {
		int tag;

		if (dwarf_tag(&child) != DW_TAG_formal_parameter ||
		    dwarf_flag(&child, DW_AT_artificial))
			continue;
		if (!dwarf_reference(&child, DW_AT_type, &type))
			return false;
		tag = dwarf_tag(&type);
		if (tag != DW_TAG_reference_type && tag != DW_TAG_rvalue_reference_type)
			return false;
		/* A damaged file may have a const type of itself. */
		for (int i = 0; i < QUALIFIERS_MAX && dwarf_reference(&type, DW_AT_type, &type) &&
				dwarf_tag(&type) == DW_TAG_const_type;
		     i++)
			;
		return type.addr == class->addr;
	}
	return false;
}

/*
 * gcc says rarely how a class is passed, so it is judged by the rules of the C++ ABI: by address
 * when a destructor, copy or move constructor was written for it, or when anything is virtual.
 */
static bool makes_by_reference(struct dwarf_types *t, Dwarf_Die *class, Dwarf_Die *child)
{
	uint64_t defaulted = 0;
	const char *name;

	if (dwarf_tag(child) == DW_TAG_inheritance)
		return dwarf_hasattr(child, DW_AT_virtuality);
	if (dwarf_tag(child) != DW_TAG_subprogram)
		return false;
	if (dwarf_hasattr(child, DW_AT_virtuality))
		return true;
	dwarf_number(child, DW_AT_defaulted, &defaulted);
	if (defaulted == DW_DEFAULTED_in_class || dwarf_flag(child, DW_AT_artificial) ||
	    dwarf_flag(child, DW_AT_deleted))
		return false;
	name = dwarf_file_string(t->file, child, DW_AT_name);
	return name[0] == '~' || is_copy_constructor(t, class, child, name);
}

/* So is what has a member that is passed so. */
static bool has_such_member(const struct ctype *c)
{
	for (size_t i = 0; i < c->n_members; i++) {
		const struct ctype *type = c->members[i].type;

		while (type->kind == CTYPE_ARRAY)
			type = type->target;
		if (type->kind == CTYPE_STRUCT &&
		    ctype_complete(type)->abi == CTYPE_ABI_BY_REFERENCE)
			return true;
	}
	return false;
}

static void judge_passing(struct dwarf_ctype *d)
{
	uint64_t convention;
	Dwarf_Die child;
	int more;

	if (says_struct(&d->die))
		return;
	if (dwarf_number(&d->die, DW_AT_calling_convention, &convention)) {
		if (convention == DW_CC_pass_by_reference)
			d->c.abi = CTYPE_ABI_BY_REFERENCE;
		return;
	}
	for (more = dwarf_first_child(d->owner, &d->die, &child);
	     more == 0 && d->c.abi == CTYPE_ABI_PLAIN; more = dwarf_next_child(d->owner, &child))
		if (makes_by_reference(d->owner, &d->die, &child))
			d->c.abi = CTYPE_ABI_BY_REFERENCE;
	if (has_such_member(&d->c))
		d->c.abi = CTYPE_ABI_BY_REFERENCE;
}

static void complete_members(struct ctype *c)
{
	struct dwarf_ctype *d = (struct dwarf_ctype *)c;
	struct ctype_member *members, m;
	Dwarf_Die child;
	size_t n = 0, kept = 0;
	int more;

	for (more = dwarf_first_child(d->owner, &d->die, &child); more == 0 && n < MEMBERS_MAX;
	     more = dwarf_next_child(d->owner, &child))
		n += dwarf_tag(&child) == DW_TAG_member || dwarf_tag(&child) == DW_TAG_inheritance;
	members = n > 0 ? type_arena_alloc(d->owner->arena, n * sizeof(*members)) : NULL;
	if (!members)
		return;
	for (more = dwarf_first_child(d->owner, &d->die, &child); more == 0 && kept < n;
	     more = dwarf_next_child(d->owner, &child))
		if (make_member(d->owner, &child, &m))
			members[kept++] = m;
	c->members = members;
	c->n_members = kept;
}

static void complete_struct(struct ctype *c)
{
	c->complete = NULL;
	complete_members(c);
	judge_passing((struct dwarf_ctype *)c);
}

const struct ctype *dwarf_struct(struct dwarf_types *t, Dwarf_Die *die)
{
	struct dwarf_ctype *d = type_arena_alloc(t->arena, sizeof(*d));
	uint64_t size = 0;

	if (!d)
		return &ctype_unknown;
	d->c.name = tagged_name(t, die);
	if (dwarf_flag(die, DW_AT_declaration)) {
		d->c.kind = CTYPE_UNKNOWN;
		return &d->c;
	}
	dwarf_number(die, DW_AT_byte_size, &size);
	d->c.kind = CTYPE_STRUCT;
	d->c.size = size;
	d->c.complete = complete_struct;
	d->owner = t;
	d->die = *die;
	return &d->c;
}

/* The form says how to read it: a byte of 0x80 is 128 unless it is written as a signed number. */
static bool enumerator_value(Dwarf_Die *die, int64_t *ret)
{
	Dwarf_Attribute a;
	Dwarf_Sword s;
	Dwarf_Word u;

	if (!dwarf_attr(die, DW_AT_const_value, &a))
		return false;
	switch (dwarf_whatform(&a)) {
	case DW_FORM_sdata:
	case DW_FORM_implicit_const:
		if (dwarf_formsdata(&a, &s) != 0)
			return false;
		*ret = s;
		return true;
	default:
		if (dwarf_formudata(&a, &u) != 0)
			return false;
		*ret = (int64_t)u;
		return true;
	}
}

static bool make_value(struct dwarf_types *t, Dwarf_Die *die, struct ctype_value *ret)
{
	if (dwarf_tag(die) != DW_TAG_enumerator || !enumerator_value(die, &ret->value))
		return false;
	ret->name = dwarf_file_string(t->file, die, DW_AT_name);
	return ret->name[0] != '\0';
}

static bool enum_is_signed(struct dwarf_types *t, Dwarf_Die *die, const struct ctype_value *values,
			   size_t n, int depth)
{
	uint64_t encoding;

	for (size_t i = 0; i < n; i++)
		if (values[i].value < 0)
			return true;
	if (dwarf_hasattr(die, DW_AT_type))
		return dwarf_types_of_depth(t, die, depth + 1)->is_signed;
	return dwarf_number(die, DW_AT_encoding, &encoding) && encoding == DW_ATE_signed;
}

const struct ctype *dwarf_enum(struct dwarf_types *t, Dwarf_Die *die, int depth)
{
	struct ctype *c = type_arena_alloc(t->arena, sizeof(*c));
	struct ctype_value *values = NULL, v;
	uint64_t size = 4;
	Dwarf_Die child;
	size_t n = 0, kept = 0;
	int more;

	if (!c)
		return &ctype_unknown;
	for (more = dwarf_first_child(t, die, &child); more == 0 && n < VALUES_MAX;
	     more = dwarf_next_child(t, &child))
		n += dwarf_tag(&child) == DW_TAG_enumerator;
	if (n > 0)
		values = type_arena_alloc(t->arena, n * sizeof(*values));
	for (more = values ? dwarf_first_child(t, die, &child) : 1; more == 0 && kept < n;
	     more = dwarf_next_child(t, &child))
		if (make_value(t, &child, &v))
			values[kept++] = v;
	dwarf_number(die, DW_AT_byte_size, &size);
	*c = (struct ctype){
		.kind = CTYPE_ENUM,
		.name = tagged_name(t, die),
		.size = size,
		.values = values,
		.n_values = kept,
		.is_flags = ctype_values_are_flags(values, kept),
		.is_signed = enum_is_signed(t, die, values, kept, depth),
	};
	return c;
}

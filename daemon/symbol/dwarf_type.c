/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/dwarf_type_private.h"

#include <dwarf.h>

enum { DEPTH_MAX = 32, DIMENSIONS_MAX = 8, PARAMS_SHOWN_MAX = 16, TYPES_MAX = 8 << 20 };

int dwarf_types_new(const struct dwarf_file *file, struct type_arena *arena,
		    struct dwarf_types **ret)
{
	struct dwarf_types *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->file = file;
	t->arena = arena;
	t->budget = 64 * dwarf_file_info_size(file) + (16 << 20);
	*ret = t;
	return 0;
}

int dwarf_first_child(struct dwarf_types *t, Dwarf_Die *parent, Dwarf_Die *ret)
{
	return t->budget == 0 ? 1 : dwarf_child(parent, ret);
}

int dwarf_next_child(struct dwarf_types *t, Dwarf_Die *die)
{
	const uint8_t *from = die->addr;
	int more = dwarf_siblingof(die, die);
	uint64_t walked = more == 0 && (const uint8_t *)die->addr > from
				  ? (uint64_t)((const uint8_t *)die->addr - from)
				  : 1;

	t->budget -= MIN(t->budget, walked);
	return t->budget == 0 ? 1 : more;
}

struct dwarf_types *dwarf_types_free(struct dwarf_types *t)
{
	if (!t)
		return NULL;
	table_release(&t->by_die);
	free(t->list);
	free(t);
	return NULL;
}

static struct dwarf_ctype *new_ctype(struct dwarf_types *t, enum ctype_kind kind, const char *name,
				     uint64_t size)
{
	struct dwarf_ctype *d = type_arena_alloc(t->arena, sizeof(*d));

	if (d) {
		d->c = (struct ctype){.kind = kind, .name = name, .size = size};
		d->owner = t;
	}
	return d;
}

static const struct ctype *or_unknown(const struct dwarf_ctype *d)
{
	return d ? &d->c : &ctype_unknown;
}

static void complete_renamed(struct ctype *c)
{
	struct dwarf_ctype *d = (struct dwarf_ctype *)c;

	c->complete = NULL;
	ctype_complete(&d->base->c);
	c->members = d->base->c.members;
	c->n_members = d->base->c.n_members;
	c->abi = d->base->c.abi;
}

const struct ctype *dwarf_renamed(struct dwarf_types *t, const struct ctype *base, const char *name)
{
	struct dwarf_ctype *d = new_ctype(t, base->kind, name, base->size);

	if (!d)
		return &ctype_unknown;
	d->c = *base;
	d->c.name = name;
	if (base->kind == CTYPE_STRUCT) {
		struct dwarf_ctype *from = (struct dwarf_ctype *)base;

		d->die = from->die;
		/* To its end at once: a chain of names may be long. */
		if (base->complete) {
			d->base = from->base ? from->base : from;
			d->c.complete = complete_renamed;
		}
	}
	return &d->c;
}

static const struct ctype *pointer_to(struct dwarf_types *t, const struct ctype *target,
				      const char *mark, uint64_t size)
{
	const char *name = ctype_pointer_name(t->arena, target, mark);
	struct dwarf_ctype *d = new_ctype(t, CTYPE_POINTER, name, size);

	if (d)
		d->c.target = target;
	return or_unknown(d);
}

const struct ctype *dwarf_types_by_reference(struct dwarf_types *t, const struct ctype *target)
{
	struct dwarf_ctype *d = new_ctype(t, CTYPE_POINTER, target->name, POINTER_SIZE);

	if (d)
		d->c.target = target;
	return or_unknown(d);
}

static const struct ctype *base_type(struct dwarf_types *t, Dwarf_Die *die, uint64_t size)
{
	const char *name = dwarf_file_string(t->file, die, DW_AT_name);
	struct dwarf_ctype *d = new_ctype(t, CTYPE_UNKNOWN, name, size);
	uint64_t encoding = 0;

	if (!d)
		return &ctype_unknown;
	dwarf_number(die, DW_AT_encoding, &encoding);
	switch (encoding) {
	case DW_ATE_boolean:
		d->c.kind = CTYPE_BOOL;
		break;
	case DW_ATE_signed:
		d->c.kind = CTYPE_INT;
		d->c.is_signed = true;
		break;
	case DW_ATE_unsigned:
	case DW_ATE_address:
		d->c.kind = CTYPE_UINT;
		break;
	case DW_ATE_signed_char:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		d->c.is_signed = encoding == DW_ATE_signed_char;
		d->c.kind = size == 1 ? CTYPE_CHAR : d->c.is_signed ? CTYPE_INT : CTYPE_UINT;
		break;
	case DW_ATE_float:
		d->c.kind = CTYPE_FLOAT;
		if (size == 16 && streq(name, "long double"))
			d->c.abi = CTYPE_ABI_X87;
		break;
	case DW_ATE_complex_float:
		d->c.kind = CTYPE_FLOAT;
		if (size == 32)
			d->c.abi = CTYPE_ABI_X87;
		break;
	case DW_ATE_decimal_float:
		d->c.kind = CTYPE_FLOAT;
		break;
	}
	return &d->c;
}

/*
 * A typedef of signed or unsigned char is a small number (uint8_t), while the char types
 * themselves are characters.
 */
static const struct ctype *typedef_of(struct dwarf_types *t, Dwarf_Die *die, int depth)
{
	const char *name = dwarf_file_string(t->file, die, DW_AT_name);
	const struct ctype *base = dwarf_types_of_depth(t, die, depth + 1);
	struct dwarf_ctype *renamed;

	if (!name[0])
		return base;
	renamed = (struct dwarf_ctype *)dwarf_renamed(t, base, name);
	if (base->kind == CTYPE_CHAR && strstr(base->name, "signed ") &&
	    &renamed->c != &ctype_unknown)
		renamed->c.kind = base->is_signed ? CTYPE_INT : CTYPE_UINT;
	return &renamed->c;
}

static const struct ctype *qualified(struct dwarf_types *t, Dwarf_Die *die, const char *word,
				     int depth)
{
	const struct ctype *base = dwarf_types_of_depth(t, die, depth + 1);

	return dwarf_renamed(t, base, ctype_qualified_name(t->arena, base, word));
}

/* Elements of one dimension; 0 when it is not a constant. */
static uint64_t dimension(Dwarf_Die *die)
{
	uint64_t count, low = 0, high;

	if (dwarf_number(die, DW_AT_count, &count))
		return count;
	if (!dwarf_number(die, DW_AT_upper_bound, &high))
		return 0;
	dwarf_number(die, DW_AT_lower_bound, &low);
	/* gcc writes the bound of an array of no elements as -1. */
	return high >= low && high - low < UINT32_MAX ? high - low + 1 : 0;
}

static const struct ctype *vector_of(struct dwarf_types *t, const struct ctype *element,
				     uint64_t count)
{
	const char *name = ctype_array_name(t->arena, element, count);

	return or_unknown(new_ctype(t, CTYPE_FLOAT, name, count * element->size));
}

static const struct ctype *array_of(struct dwarf_types *t, Dwarf_Die *die, int depth)
{
	const struct ctype *type = dwarf_types_of_depth(t, die, depth + 1);
	uint64_t counts[DIMENSIONS_MAX];
	size_t n = 0;
	Dwarf_Die child;
	int more;

	for (more = dwarf_first_child(t, die, &child); more == 0 && n < DIMENSIONS_MAX;
	     more = dwarf_next_child(t, &child))
		if (dwarf_tag(&child) == DW_TAG_subrange_type)
			counts[n++] = dimension(&child);
	if (n == 0)
		counts[n++] = 0;
	if (dwarf_flag(die, DW_AT_GNU_vector) && type->size <= 16 && counts[0] <= 64)
		return vector_of(t, type, counts[0]);
	while (n-- > 0) {
		const char *name = ctype_array_name(t->arena, type, counts[n]);
		struct dwarf_ctype *d = new_ctype(t, CTYPE_ARRAY, name, 0);

		if (!d || __builtin_mul_overflow(type->size, counts[n], &d->c.size) ||
		    d->c.size > INT64_MAX)
			return &ctype_unknown;
		d->c.target = type;
		d->c.count = counts[n];
		type = &d->c;
	}
	return type;
}

/* Only its name is of interest: "int (const char *, ...)". */
static const struct ctype *function_of(struct dwarf_types *t, Dwarf_Die *die, int depth)
{
	char params[TYPE_NAME_MAX] = "";
	Dwarf_Die child;
	const char *ret;
	size_t len = 0, n = 0;
	int more;

	ret = dwarf_types_of_depth(t, die, depth + 1)->name;
	for (more = dwarf_first_child(t, die, &child); more == 0 && n < PARAMS_SHOWN_MAX;
	     more = dwarf_next_child(t, &child), n++) {
		const char *name = "...";

		if (dwarf_tag(&child) == DW_TAG_formal_parameter)
			name = dwarf_types_of_depth(t, &child, depth + 4)->name;
		if (len + strlen(name) + 3 > sizeof(params))
			break;
		len += snprintf(params + len, sizeof(params) - len, "%s%s", n > 0 ? ", " : "",
				name);
	}
	return or_unknown(new_ctype(
		t, CTYPE_FUNCTION,
		type_arena_name(t->arena, "%.256s (%s)", ret, n > 0 ? params : "void"), 0));
}

static const struct ctype *pointer_of(struct dwarf_types *t, Dwarf_Die *die, int tag, uint64_t size,
				      int depth)
{
	const struct ctype *target = dwarf_types_of_depth(t, die, depth + 1);
	const char *mark = tag == DW_TAG_pointer_type	  ? "*"
			   : tag == DW_TAG_reference_type ? "&"
							  : "&&";

	return pointer_to(t, target, mark, size ? size : POINTER_SIZE);
}

static const struct ctype *convert(struct dwarf_types *t, Dwarf_Die *die, int depth)
{
	int tag = dwarf_tag(die);
	uint64_t size = 0;

	dwarf_number(die, DW_AT_byte_size, &size);
	switch (tag) {
	case DW_TAG_base_type:
		return base_type(t, die, size);
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return pointer_of(t, die, tag, size, depth);
	case DW_TAG_typedef:
	case DW_TAG_template_alias:
	case DW_TAG_subrange_type:
		return typedef_of(t, die, depth);
	case DW_TAG_const_type:
		return qualified(t, die, "const", depth);
	case DW_TAG_volatile_type:
		return qualified(t, die, "volatile", depth);
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
	case DW_TAG_immutable_type:
		return dwarf_types_of_depth(t, die, depth + 1);
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return dwarf_struct(t, die);
	case DW_TAG_enumeration_type:
		return dwarf_enum(t, die, depth);
	case DW_TAG_array_type:
		return array_of(t, die, depth);
	case DW_TAG_subroutine_type:
		return function_of(t, die, depth);
	case DW_TAG_unspecified_type: /* of nullptr */
		return or_unknown(new_ctype(t, CTYPE_POINTER, "nullptr_t", POINTER_SIZE));
	case DW_TAG_ptr_to_member_type: /* to data: an offset; to a function: two words */
		return or_unknown(new_ctype(t, CTYPE_UNKNOWN, "pointer to member",
					    size ? size : 2 * POINTER_SIZE));
	default:
		return &ctype_unknown;
	}
}

const struct ctype *dwarf_types_of_depth(struct dwarf_types *t, Dwarf_Die *die, int depth)
{
	const struct ctype *found;
	Dwarf_Die type;
	bool is_new = false;
	uint32_t *slot, index;

	if (!dwarf_hasattr(die, DW_AT_type))
		return &ctype_void;
	if (depth > DEPTH_MAX || !dwarf_reference(die, DW_AT_type, &type))
		return &ctype_unknown;
	slot = table_get(&t->by_die, (uintptr_t)type.addr);
	if (slot)
		return t->list[*slot];
	if (t->n >= TYPES_MAX || array_reserve(&t->list, &t->cap, t->n + 1, sizeof(*t->list)) < 0 ||
	    !(slot = table_put(&t->by_die, (uintptr_t)type.addr, &is_new)))
		return &ctype_unknown;
	/* Until it is known, so that a type made of itself ends here. */
	index = *slot = (uint32_t)t->n++;
	t->list[index] = &ctype_unknown;
	found = convert(t, &type, depth);
	t->list[index] = found;
	return found;
}

bool dwarf_types_key(const struct dwarf_types *t, const struct ctype *c, struct type_key *ret)
{
	const struct dwarf_ctype *d = (const struct dwarf_ctype *)c;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;

	if (c->kind != CTYPE_STRUCT)
		return false;
	die = d->die;
	if (dwarf_cu_info(die.cu, &version, &type, NULL, NULL, NULL, NULL, NULL) != 0)
		return false;
	*ret = (struct type_key){.offset = dwarf_dieoffset(&die)};
	if (version < 5 && type == DW_UT_type)
		ret->section = TYPE_IN_TYPES;
	if (dwarf_cu_getdwarf(die.cu) != dwarf_file_dwarf(t->file))
		ret->section |= TYPE_IN_SUPPLEMENT;
	return true;
}

const struct ctype *dwarf_types_struct(struct dwarf_types *t, const struct type_key *key)
{
	Dwarf *dwarf = key->section & TYPE_IN_SUPPLEMENT ? dwarf_file_supplement(t->file)
							 : dwarf_file_dwarf(t->file);
	const struct ctype *found;
	bool is_new = false;
	uint32_t *slot;
	Dwarf_Die die;

	if (!dwarf || !(key->section & TYPE_IN_TYPES ? dwarf_offdie_types(dwarf, key->offset, &die)
						     : dwarf_offdie(dwarf, key->offset, &die)))
		return NULL;
	switch (dwarf_tag(&die)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		break;
	default:
		return NULL;
	}
	slot = table_get(&t->by_die, (uintptr_t)die.addr);
	if (slot)
		return t->list[*slot];
	if (t->n >= TYPES_MAX || array_reserve(&t->list, &t->cap, t->n + 1, sizeof(*t->list)) < 0 ||
	    !(slot = table_put(&t->by_die, (uintptr_t)die.addr, &is_new)))
		return NULL;
	found = dwarf_struct(t, &die);
	*slot = (uint32_t)t->n;
	t->list[t->n++] = found;
	return found;
}

const struct ctype *dwarf_types_of(struct dwarf_types *t, Dwarf_Die *die)
{
	return dwarf_types_of_depth(t, die, 0);
}

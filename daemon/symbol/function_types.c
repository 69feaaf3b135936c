/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function in DWARF is up to three DIEs: the out-of-line instance, which has addresses; the
 * abstract one it was made from, when it was inlined somewhere or cloned; the declaration in its
 * class. The abstract one has the parameters that the source has, in order; the instance says where
 * those are that the optimiser has left.
 */
#include <dwarf.h>

#include "sonde/base/table.h"
#include "symbol/dwarf_index.h"
#include "symbol/dwarf_place.h"
#include "symbol/dwarf_type.h"
#include "symbol/function_type_abi.h"

enum { CHAIN_MAX = 8, PARAMS_MAX = TYPE_PARAMS_MAX, CHILDREN_MAX = 100000 };

struct function_types {
	struct dwarf_file *file;
	struct dwarf_index *index;
	struct dwarf_types *types;
	struct type_arena arena;
	struct table by_die; /* address of the instance's DIE in memory to index in list */
	const struct function_type **list;
	size_t n, cap;
};

/* A parameter while it is made. */
struct found_param {
	Dwarf_Die die;	    /* with its name and type, or with an origin that has them */
	Dwarf_Die instance; /* of the out-of-line instance */
	bool has_instance;
};

struct found_params {
	struct found_param p[PARAMS_MAX];
	size_t n;
	bool is_variadic;
};

static int check_machine(const struct elf_image *image, struct error *e)
{
	return elf_image_is_x86_64(image)
		       ? 0
		       : error_set(e, ENODATA, "NotSupported",
				   "Arguments by name are known for x86-64 programs only.");
}

/* Takes the file. */
static int make(struct dwarf_file *file, struct function_types **ret)
{
	struct function_types *t _cleanup_(function_types_freep) = calloc(1, sizeof(*t));
	int r;

	if (!t) {
		dwarf_file_free(file);
		return -ENOMEM;
	}
	t->file = file;
	r = dwarf_index_new(t->file, &t->index);
	if (r >= 0)
		r = dwarf_types_new(t->file, &t->arena, &t->types);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

int function_types_open(struct elf_image *image, const char *path, const char *debug_dir,
			struct error *e, struct function_types **ret)
{
	struct dwarf_file *file;
	int r;

	r = check_machine(image, e);
	if (r >= 0)
		r = dwarf_file_open(image, path, debug_dir, e, &file);
	return r < 0 ? r : make(file, ret);
}

int function_types_open_confined(const struct elf_image *image, const struct elf_image *debug,
				 int supplement, struct error *e, struct function_types **ret)
{
	struct dwarf_file *file;
	int r;

	r = check_machine(image, e);
	if (r >= 0)
		r = dwarf_file_open_confined(debug ? debug : image, supplement, e, &file);
	return r < 0 ? r : make(file, ret);
}

bool function_types_key(const struct function_types *t, const struct ctype *c, struct type_key *ret)
{
	return dwarf_types_key(t->types, c, ret);
}

const struct ctype *function_types_struct(struct function_types *t, const struct type_key *key)
{
	return dwarf_types_struct(t->types, key);
}

struct function_types *function_types_free(struct function_types *t)
{
	if (!t)
		return NULL;
	dwarf_types_free(t->types);
	dwarf_index_free(t->index);
	dwarf_file_free(t->file);
	table_release(&t->by_die);
	type_arena_release(&t->arena);
	free(t->list);
	free(t);
	return NULL;
}

/* Follows a reference to its end. */
static Dwarf_Die follow(Dwarf_Die die, unsigned attribute)
{
	Dwarf_Die next;

	for (int i = 0; i < CHAIN_MAX && dwarf_reference(&die, attribute, &next); i++)
		die = next;
	return die;
}

/* The DIE among an instance, its origin and its declaration that has the attribute. */
static Dwarf_Die with_attribute(Dwarf_Die die, unsigned attribute)
{
	for (int i = 0; i < CHAIN_MAX && !dwarf_hasattr(&die, attribute); i++) {
		Dwarf_Die next;

		if (!dwarf_reference(&die, DW_AT_abstract_origin, &next) &&
		    !dwarf_reference(&die, DW_AT_specification, &next))
			break;
		die = next;
	}
	return die;
}

static bool has_parameters(Dwarf_Die *function)
{
	Dwarf_Die child;
	int more, n = 0;

	for (more = dwarf_child(function, &child); more == 0 && n++ < CHILDREN_MAX;
	     more = dwarf_siblingof(&child, &child))
		if (dwarf_tag(&child) == DW_TAG_formal_parameter)
			return true;
	return false;
}

static void list_parameters(Dwarf_Die *function, struct found_params *ret)
{
	Dwarf_Die child;
	int more, n = 0;

	for (more = dwarf_child(function, &child);
	     more == 0 && n++ < CHILDREN_MAX && ret->n < PARAMS_MAX;
	     more = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) == DW_TAG_unspecified_parameters)
			ret->is_variadic = true;
		if (dwarf_tag(&child) == DW_TAG_formal_parameter)
			ret->p[ret->n++].die = child;
	}
}

/* Finds the instance's parameter of each of the abstract function's. */
static void match_instances(Dwarf_Die *instance, struct found_params *params)
{
	Dwarf_Die child;
	int more, n = 0;

	for (more = dwarf_child(instance, &child); more == 0 && n++ < CHILDREN_MAX;
	     more = dwarf_siblingof(&child, &child)) {
		Dwarf_Die origin;

		if (dwarf_tag(&child) != DW_TAG_formal_parameter)
			continue;
		origin = follow(child, DW_AT_abstract_origin);
		for (size_t i = 0; i < params->n; i++)
			if (params->p[i].die.addr == origin.addr) {
				params->p[i].instance = child;
				params->p[i].has_instance = true;
			}
	}
}

/*
 * The constructor of a class with virtual bases is compiled twice, and one does not have the
 * parameters that the compiler has made up for the other.
 */
static void drop_artificial(struct found_params *params)
{
	size_t kept = 0;

	for (size_t i = 0; i < params->n; i++)
		if (params->p[i].has_instance || !dwarf_flag(&params->p[i].die, DW_AT_artificial))
			params->p[kept++] = params->p[i];
	params->n = kept;
}

static void find_parameters(Dwarf_Die *instance, struct found_params *ret)
{
	Dwarf_Die origin = follow(*instance, DW_AT_abstract_origin);

	ret->n = 0;
	ret->is_variadic = false;
	if (origin.addr != instance->addr && has_parameters(&origin)) {
		list_parameters(&origin, ret);
		for (size_t i = 0; i < ret->n; i++)
			ret->p[i].has_instance = false;
		match_instances(instance, ret);
		drop_artificial(ret);
		return;
	}
	list_parameters(instance, ret);
	for (size_t i = 0; i < ret->n; i++) {
		ret->p[i].instance = ret->p[i].die;
		ret->p[i].has_instance = true;
	}
}

/* An empty class is nowhere by convention, whatever the location says. */
static bool disagrees(const struct dwarf_location *l, const struct function_param *p)
{
	if (p->place == PARAM_NOWHERE)
		return false;
	return l->what == DWARF_PLACE_GONE ||
	       (l->what != DWARF_PLACE_UNSAID && (l->place != p->place || l->reg != p->reg) &&
		p->place != PARAM_IN_FLOAT);
}

/*
 * The convention holds where the locations do not say otherwise of any parameter: else the
 * optimiser has made a function that is called in its own way (gcc's .isra and .constprop).
 */
static void correct_place(const struct dwarf_location *l, bool is_own_way, struct function_param *p)
{
	switch (p->place == PARAM_NOWHERE ? DWARF_PLACE_UNSAID : l->what) {
	case DWARF_PLACE_IS:
		p->place = l->place;
		p->reg = l->reg;
		if (p->type->size > 8 && l->place == PARAM_IN_REGISTER &&
		    p->type->abi != CTYPE_ABI_BY_REFERENCE && !l->is_address)
			p->place = PARAM_NOWHERE; /* half of it is not there */
		return;
	case DWARF_PLACE_FROM:
		if (p->place != l->place || p->reg != l->reg)
			p->place = PARAM_NOWHERE;
		return;
	case DWARF_PLACE_UNSAID:
		if (is_own_way)
			p->place = PARAM_NOWHERE;
		return;
	case DWARF_PLACE_GONE:
		p->place = PARAM_NOWHERE;
	}
}

static void correct_places(struct function_types *t, Dwarf_Die *function, struct found_params *from,
			   uint64_t pc, struct function_type *f)
{
	struct dwarf_location said[PARAMS_MAX] = {};
	Dwarf_Die with = with_attribute(*function, DW_AT_calling_convention);
	uint64_t convention = DW_CC_normal;
	bool is_own_way;

	dwarf_number(&with, DW_AT_calling_convention, &convention);
	is_own_way = convention == DW_CC_nocall;
	for (size_t i = 0; i < f->n_params; i++) {
		said[i].what = DWARF_PLACE_GONE;
		if (from->p[i].has_instance)
			said[i] = dwarf_place_at_entry(function, &from->p[i].instance, pc);
		is_own_way |= disagrees(&said[i], &f->params[i]);
	}
	for (size_t i = 0; i < f->n_params; i++) {
		struct function_param *p = &f->params[i];

		correct_place(&said[i], is_own_way, p);
		if (p->type->abi == CTYPE_ABI_BY_REFERENCE ||
		    (said[i].is_address && p->type->kind == CTYPE_STRUCT))
			p->type = dwarf_types_by_reference(t->types, p->type);
	}
}

static int make_params(struct function_types *t, Dwarf_Die *die, uint64_t pc,
		       struct function_type *f)
{
	struct found_params *found _cleanup_(freep) = calloc(1, sizeof(*found));

	if (!found)
		return -ENOMEM;
	find_parameters(die, found);
	f->params = type_arena_alloc(&t->arena, MAX(found->n, (size_t)1) * sizeof(*f->params));
	if (!f->params)
		return -ENOMEM;
	f->n_params = found->n;
	f->is_variadic = found->is_variadic;
	for (size_t i = 0; i < found->n; i++) {
		Dwarf_Die named = with_attribute(found->p[i].die, DW_AT_name);
		Dwarf_Die typed = with_attribute(found->p[i].die, DW_AT_type);

		f->params[i].name = dwarf_file_string(t->file, &named, DW_AT_name);
		f->params[i].type = dwarf_types_of(t->types, &typed);
	}
	function_type_assign_places(f);
	correct_places(t, die, found, pc, f);
	return 0;
}

/*
 * Only of functions in the unit's main file: for the names of others libdw decodes the whole line
 * table, at a hundred times the cost of everything else here.
 */
static void set_origin(struct function_types *t, Dwarf_Die *die, struct function_type *f)
{
	Dwarf_Die at = with_attribute(*die, DW_AT_decl_file), lined, cu;
	uint64_t file, line;

	f->file = "";
	if (!dwarf_number(&at, DW_AT_decl_file, &file) || file != 1)
		return;
	lined = with_attribute(*die, DW_AT_decl_line);
	if (!dwarf_number(&lined, DW_AT_decl_line, &line) || !dwarf_diecu(die, &cu, NULL, NULL))
		return;
	f->file = dwarf_file_string(t->file, &cu, DW_AT_name);
	f->line = f->file[0] ? (uint32_t)MIN(line, UINT32_MAX) : 0;
}

static int make_function(struct function_types *t, Dwarf_Die *die, uint64_t pc,
			 const struct function_type **ret)
{
	struct function_type *f = type_arena_alloc(&t->arena, sizeof(*f));
	Dwarf_Die named = with_attribute(*die, DW_AT_name);
	Dwarf_Die typed = with_attribute(*die, DW_AT_type);
	int r;

	if (!f)
		return -ENOMEM;
	f->name = dwarf_file_string(t->file, &named, DW_AT_name);
	f->ret = dwarf_types_of(t->types, &typed);
	r = make_params(t, die, pc, f);
	if (r < 0)
		return r;
	set_origin(t, die, f);
	*ret = f;
	return 0;
}

int function_types_find(struct function_types *t, uint64_t vaddr, const struct function_type **ret)
{
	const struct function_type *f;
	Dwarf_Die die;
	bool is_new = false;
	uint32_t *slot;
	int r;

	r = dwarf_index_find(t->index, vaddr, &die);
	if (r < 0)
		return r;
	slot = table_get(&t->by_die, (uintptr_t)die.addr);
	if (slot) {
		*ret = t->list[*slot];
		return 0;
	}
	r = make_function(t, &die, vaddr, &f);
	if (r < 0)
		return r;
	r = array_reserve(&t->list, &t->cap, t->n + 1, sizeof(*t->list));
	if (r < 0)
		return r;
	slot = table_put(&t->by_die, (uintptr_t)die.addr, &is_new);
	if (!slot)
		return -ENOMEM;
	*slot = (uint32_t)t->n;
	t->list[t->n++] = f;
	*ret = f;
	return 0;
}

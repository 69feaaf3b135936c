/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/btf_type_private.h"

#include "symbol/function_type_abi.h"

enum { PARAMS_MAX = 64 };

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int index_names(struct btf_types *t)
{
	size_t cap = 0;
	int r;

	for (uint32_t id = 1; id < t->n; id++) {
		const struct btf_type *type = btf__type_by_id(t->btf, id);

		if (!type || !btf_is_func(type))
			continue;
		r = array_reserve(&t->names, &cap, t->n_names + 1, sizeof(*t->names));
		if (r < 0)
			return r;
		t->names[t->n_names++] =
			(struct named){btf__name_by_offset(t->btf, type->name_off) ?: "", id};
	}
	if (t->n_names > 0)
		qsort(t->names, t->n_names, sizeof(*t->names), compare_names);
	return 0;
}

int btf_types_open(struct error *e, struct btf_types **ret)
{
	struct btf_types *t _cleanup_(btf_types_freep) = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->btf = btf__load_vmlinux_btf();
	if (!t->btf) {
		error_set(e, ENODATA, "NotSupported", "This kernel does not say its types: %s.",
			  strerror(errno));
		error_fix(e,
			  "Use a kernel with CONFIG_DEBUG_INFO_BTF; arg0 ... arg5 work without.");
		return -ENODATA;
	}
	t->n = btf__type_cnt(t->btf);
	t->types = calloc(t->n + 1, sizeof(*t->types));
	t->functions = calloc(t->n + 1, sizeof(*t->functions));
	if (!t->types || !t->functions)
		return -ENOMEM;
	r = index_names(t);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

struct btf_types *btf_types_free(struct btf_types *t)
{
	if (!t)
		return NULL;
	btf__free(t->btf);
	type_arena_release(&t->arena);
	free(t->types);
	free(t->functions);
	free(t->names);
	free(t);
	return NULL;
}

static int make_function(struct btf_types *t, uint32_t id, const struct function_type **ret)
{
	const struct btf_type *function = btf__type_by_id(t->btf, id);
	const struct btf_type *proto = btf__type_by_id(t->btf, function->type);
	struct function_type *f = type_arena_alloc(&t->arena, sizeof(*f));
	const struct btf_param *params;
	size_t n;

	if (!f)
		return -ENOMEM;
	if (!proto || !btf_is_func_proto(proto))
		return -ENOENT;
	params = btf_params(proto);
	n = MIN(btf_vlen(proto), PARAMS_MAX);
	f->is_variadic = n > 0 && params[n - 1].type == 0;
	n -= f->is_variadic;
	f->params = type_arena_alloc(&t->arena, MAX(n, (size_t)1) * sizeof(*f->params));
	if (!f->params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		f->params[i].name = btf_types_name(t, params[i].name_off);
		f->params[i].type = btf_types_ctype(t, params[i].type, 0);
	}
	f->n_params = n;
	f->name = btf_types_name(t, function->name_off);
	f->ret = btf_types_ctype(t, proto->type, 0);
	f->file = "";
	function_type_assign_places(f);
	*ret = f;
	return 0;
}

int btf_types_find(struct btf_types *t, const char *name, const struct function_type **ret)
{
	struct named key = {.name = name}, *found;
	int r;

	if (t->n_names == 0)
		return -ENOENT;
	found = bsearch(&key, t->names, t->n_names, sizeof(key), compare_names);
	if (!found)
		return -ENOENT;
	if (!t->functions[found->id]) {
		r = make_function(t, found->id, &t->functions[found->id]);
		if (r < 0)
			return r;
	}
	*ret = t->functions[found->id];
	return 0;
}

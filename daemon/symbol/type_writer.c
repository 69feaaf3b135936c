/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/type_writer.h"

#include "sonde/base/strbuf.h"
#include "sonde/base/table.h"

struct writer {
	struct function_types *from;
	struct flat_type *types;
	struct flat_value *values;
	struct flat_function *functions;
	struct flat_struct *structs;
	struct flat_param *params;
	struct flat_member *members;
	size_t n_types, types_cap, n_values, values_cap, n_params, params_cap, n_members,
		members_cap;
	struct strbuf strings;
	struct table by_type, by_values, by_text; /* addresses to index; hashes to offset */
	const struct ctype **chain;
	size_t chain_cap;
};

static void writer_release(struct writer *w)
{
	free(w->types);
	free(w->values);
	free(w->functions);
	free(w->structs);
	free(w->params);
	free(w->members);
	free(w->chain);
	strbuf_release(&w->strings);
	table_release(&w->by_type);
	table_release(&w->by_values);
	table_release(&w->by_text);
}

/* Makes room for one more, of at most max. */
static int more(void *items, size_t *cap, size_t n, size_t max, size_t size)
{
	return n >= max ? -E2BIG : array_reserve(items, cap, n + 1, size);
}

static int put_text(struct writer *w, const char *text, uint32_t *ret)
{
	size_t len = strnlen(text, TYPE_STRING_LEN_MAX);

	*ret = 0;
	if (len == 0)
		return 0;
	if (len + 1 > TYPE_STRINGS_MAX - w->strings.len)
		return -E2BIG;
	/* Two texts of one hash: the later one is kept under the hash of the hash. */
	for (uint64_t key = hash_bytes(text, len, 0);; key = hash_mix(key, 1)) {
		bool is_new = false;
		uint32_t *slot = table_put(&w->by_text, key, &is_new);

		if (!slot)
			return -ENOMEM;
		if (is_new) {
			*slot = (uint32_t)w->strings.len;
			strbuf_append(&w->strings, text, len);
			strbuf_append(&w->strings, "", 1);
		}
		if (strbuf_error(&w->strings) < 0)
			return -ENOMEM;
		*ret = *slot;
		if (is_new || (strncmp(w->strings.data + *slot, text, len) == 0 &&
			       w->strings.data[*slot + len] == '\0'))
			return 0;
	}
}

/* The values of an enum, once for all its names. */
static int put_values(struct writer *w, const struct ctype *c, uint32_t *ret)
{
	bool is_new = false;
	uint32_t *slot;
	int r;

	*ret = 0;
	if (c->n_values == 0)
		return 0;
	slot = table_put(&w->by_values, (uintptr_t)c->values, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new)
		*slot = (uint32_t)w->n_values;
	*ret = *slot;
	for (size_t i = 0; is_new && i < c->n_values; i++) {
		struct flat_value v = {.value = c->values[i].value};

		r = more(&w->values, &w->values_cap, w->n_values, TYPE_ALL_VALUES_MAX,
			 sizeof(*w->values));
		if (r >= 0)
			r = put_text(w, c->values[i].name, &v.name);
		if (r < 0)
			return r;
		w->values[w->n_values++] = v;
	}
	return 0;
}

/* target: index + 1 of the type's own, which is there. */
static int put_one(struct writer *w, const struct ctype *c, uint32_t target, uint32_t *ret)
{
	struct flat_type f = {
		.size = MIN(c->size, (uint64_t)INT64_MAX),
		.count = c->count,
		.target = target,
		.n_values = (uint32_t)c->n_values,
		.kind = (uint8_t)c->kind,
		.abi = c->abi,
		.flags = (c->is_signed ? FLAT_TYPE_SIGNED : 0) |
			 (c->is_flags ? FLAT_TYPE_IS_FLAGS : 0),
	};
	bool is_new = false;
	uint32_t *slot;
	int r;

	if (c->kind == CTYPE_STRUCT && !function_types_key(w->from, c, &f.key))
		f.kind = CTYPE_UNKNOWN;
	r = more(&w->types, &w->types_cap, w->n_types, TYPE_TYPES_MAX, sizeof(*w->types));
	if (r >= 0)
		r = put_text(w, c->name, &f.name);
	if (r >= 0)
		r = put_values(w, c, &f.first_value);
	if (r < 0)
		return r;
	slot = table_put(&w->by_type, (uintptr_t)c, &is_new);
	if (!slot)
		return -ENOMEM;
	*ret = *slot = (uint32_t)w->n_types;
	w->types[w->n_types++] = f;
	return 0;
}

/* A type and what it is made of, that first. Chains of pointers and arrays may be long. */
static int put_type(struct writer *w, const struct ctype *c, uint32_t *ret)
{
	uint32_t *slot, target = 0;
	size_t n = 0;
	int r;

	for (; c && !(slot = table_get(&w->by_type, (uintptr_t)c)); c = c->target) {
		r = more(&w->chain, &w->chain_cap, n, TYPE_TYPES_MAX, sizeof(*w->chain));
		if (r < 0)
			return r;
		w->chain[n++] = c;
	}
	if (c) {
		*ret = *slot;
		target = *slot + 1;
	}
	while (n-- > 0) {
		r = put_one(w, w->chain[n], target, ret);
		if (r < 0)
			return r;
		target = *ret + 1;
	}
	return 0;
}

static int put_param(struct writer *w, const struct function_param *from)
{
	struct flat_param p = {.place = from->place, .reg = MIN(from->reg, TYPE_WORDS_MAX - 1U)};
	int r = more(&w->params, &w->params_cap, w->n_params, SIZE_MAX, sizeof(*w->params));

	if (r >= 0)
		r = put_text(w, from->name, &p.name);
	if (r >= 0)
		r = put_type(w, from->type, &p.type);
	if (r >= 0)
		w->params[w->n_params++] = p;
	return r;
}

static int put_function(struct writer *w, uint64_t vaddr, struct flat_function *f)
{
	const struct function_type *from;
	int r = function_types_find(w->from, vaddr, &from);

	/* Whatever keeps it from being read: it has no types. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	f->flags = FLAT_FUNCTION_FOUND | (from->is_variadic ? FLAT_FUNCTION_VARIADIC : 0) |
		   (from->ret_in_float ? FLAT_FUNCTION_RET_IN_FLOAT : 0) |
		   (from->ret_in_memory ? FLAT_FUNCTION_RET_IN_MEMORY : 0);
	f->line = from->line;
	f->first_param = (uint32_t)w->n_params;
	f->n_params = (uint32_t)from->n_params;
	r = put_text(w, from->name, &f->name);
	if (r >= 0)
		r = put_text(w, from->file, &f->file);
	if (r >= 0)
		r = put_type(w, from->ret, &f->ret);
	for (size_t i = 0; r >= 0 && i < from->n_params; i++)
		r = put_param(w, &from->params[i]);
	return r;
}

static int put_member(struct writer *w, const struct ctype_member *from)
{
	struct flat_member m = {.offset = from->offset, .shift = from->shift, .bits = from->bits};
	int r = more(&w->members, &w->members_cap, w->n_members, SIZE_MAX, sizeof(*w->members));

	if (r >= 0)
		r = put_text(w, from->name, &m.name);
	if (r >= 0)
		r = put_type(w, from->type, &m.type);
	if (r >= 0)
		w->members[w->n_members++] = m;
	return r;
}

static int put_struct(struct writer *w, const struct type_key *key, struct flat_struct *s)
{
	const struct ctype *c = function_types_struct(w->from, key);
	int r = 0;

	s->first_member = (uint32_t)w->n_members;
	if (!c)
		return 0;
	ctype_complete(c);
	s->abi = c->abi;
	s->n_members = (uint32_t)c->n_members;
	for (size_t i = 0; r >= 0 && i < c->n_members; i++)
		r = put_member(w, &c->members[i]);
	return r;
}

static int write_all(const struct writer *w, size_t n, size_t n_structs, int fd)
{
	const struct type_image_header h = {
		.magic = TYPE_IMAGE_MAGIC,
		.version = TYPE_IMAGE_VERSION,
		.n_functions = (uint32_t)n,
		.n_structs = (uint32_t)n_structs,
		.n_types = (uint32_t)w->n_types,
		.n_params = (uint32_t)w->n_params,
		.n_members = (uint32_t)w->n_members,
		.n_values = (uint32_t)w->n_values,
		.strings_size = w->strings.len,
	};
	const struct {
		const void *data;
		size_t size;
	} parts[] = {
		{&h, sizeof(h)},
		{w->types, w->n_types * sizeof(*w->types)},
		{w->values, w->n_values * sizeof(*w->values)},
		{w->functions, n * sizeof(*w->functions)},
		{w->structs, n_structs * sizeof(*w->structs)},
		{w->params, w->n_params * sizeof(*w->params)},
		{w->members, w->n_members * sizeof(*w->members)},
		{w->strings.data, w->strings.len},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(parts); i++)
		r = write_fully(fd, parts[i].data, parts[i].size);
	return r;
}

int type_image_write(struct function_types *t, const uint64_t *vaddrs, size_t n,
		     const struct type_key *structs, size_t n_structs, int fd)
{
	struct writer w _cleanup_(writer_release) = {.from = t};
	int r;

	w.functions = calloc(n + 1, sizeof(*w.functions));
	w.structs = calloc(n_structs + 1, sizeof(*w.structs));
	if (!w.functions || !w.structs)
		return -ENOMEM;
	strbuf_append(&w.strings, "", 1);
	r = strbuf_error(&w.strings);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = put_function(&w, vaddrs[i], &w.functions[i]);
	for (size_t i = 0; r >= 0 && i < n_structs; i++)
		r = put_struct(&w, &structs[i], &w.structs[i]);
	return r < 0 ? r : write_all(&w, n, n_structs, fd);
}

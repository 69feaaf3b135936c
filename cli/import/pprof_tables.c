/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pprof_tables.h"

void pprof_tables_release(struct pprof_tables *t)
{
	free(t->strings);
	free(t->functions);
	free(t->mappings);
	free(t->locations);
	free(t->lines);
	table_release(&t->function_index);
	table_release(&t->mapping_index);
	table_release(&t->location_index);
}

/* Adds a thing to a table of *n, to be found by its id; the first of an id counts. */
static int add_thing(void *items, size_t *cap, size_t *n, const void *thing, size_t size,
		     struct table *index, uint64_t id)
{
	uint32_t *slot;
	bool is_new;

	if (*n >= UINT32_MAX)
		return -EBADMSG;
	if (array_reserve(items, cap, *n + 1, size) < 0)
		return -ENOMEM;
	slot = table_put(index, id, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new)
		*slot = (uint32_t)*n;
	memcpy(*(char **)items + (*n)++ * size, thing, size);
	return 0;
}

#define ADD(t, what, thing, index, id)                                                             \
	add_thing(&(t)->what, &(t)->what##_cap, &(t)->n_##what, &(thing), sizeof(thing),           \
		  &(t)->index, (id))

static int read_function(struct pprof_tables *t, struct protobuf p)
{
	struct pprof_function f = {};
	uint64_t id = 0, *const to[] = {[1] = &id, [2] = &f.name};
	int r = protobuf_numbers(p, to, ARRAY_SIZE(to));

	return r < 0 ? r : ADD(t, functions, f, function_index, id);
}

static int read_mapping(struct pprof_tables *t, struct protobuf p)
{
	struct pprof_mapping m = {};
	uint64_t id = 0;
	uint64_t *const to[] = {
		[1] = &id, [2] = &m.start, [4] = &m.offset, [5] = &m.path, [6] = &m.build_id};
	int r = protobuf_numbers(p, to, ARRAY_SIZE(to));

	return r < 0 ? r : ADD(t, mappings, m, mapping_index, id);
}

static int read_line(struct pprof_tables *t, struct protobuf p, struct pprof_location *l)
{
	uint64_t function = 0, *const to[] = {[1] = &function};
	int r = protobuf_numbers(p, to, ARRAY_SIZE(to));

	if (r < 0)
		return r;
	if (t->n_lines >= UINT32_MAX)
		return -EBADMSG;
	if (array_reserve(&t->lines, &t->lines_cap, t->n_lines + 1, sizeof(*t->lines)) < 0)
		return -ENOMEM;
	t->lines[t->n_lines++] = function;
	l->n_lines++;
	return 0;
}

static int read_location(struct pprof_tables *t, struct protobuf p)
{
	struct pprof_location l = {.first_line = (uint32_t)t->n_lines};
	struct protobuf_field field;
	uint64_t id = 0;
	int r;

	while ((r = protobuf_next(&p, &field)) > 0) {
		if (field.number == 1)
			id = field.value;
		else if (field.number == 2)
			l.mapping = field.value;
		else if (field.number == 3)
			l.address = field.value;
		else if (field.number == 4 && field.bytes.at)
			r = read_line(t, field.bytes, &l);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : ADD(t, locations, l, location_index, id);
}

static int read_type(struct protobuf p, struct pprof_type *ret)
{
	uint64_t *const to[] = {[1] = &ret->type, [2] = &ret->unit};

	*ret = (struct pprof_type){};
	return protobuf_numbers(p, to, ARRAY_SIZE(to));
}

static int add_string(struct pprof_tables *t, struct protobuf bytes)
{
	if (array_reserve(&t->strings, &t->strings_cap, t->n_strings + 1, sizeof(*t->strings)) < 0)
		return -ENOMEM;
	t->strings[t->n_strings++] = bytes;
	return 0;
}

static int read_message(struct pprof_tables *t, const struct protobuf_field *f)
{
	switch (f->number) {
	case 1:
		/* Further ones are none that samples are chosen by. */
		return t->n_types < ARRAY_SIZE(t->types)
			       ? read_type(f->bytes, &t->types[t->n_types++])
			       : 0;
	case 3:
		return read_mapping(t, f->bytes);
	case 4:
		return read_location(t, f->bytes);
	case 5:
		return read_function(t, f->bytes);
	case 6:
		return add_string(t, f->bytes);
	case 11:
		return read_type(f->bytes, &t->period_type);
	default:
		return 0;
	}
}

int pprof_tables_read(struct pprof_tables *t, struct protobuf p)
{
	struct protobuf_field field;
	int r;

	while ((r = protobuf_next(&p, &field)) > 0) {
		if (field.bytes.at) {
			r = read_message(t, &field);
			if (r < 0)
				return r;
		} else if (field.number == 12) {
			t->period = field.value;
		} else if (field.number == 14) {
			t->default_type = field.value;
		}
	}
	if (r < 0)
		return r;
	/* The format demands both. */
	return t->n_types && t->n_strings && t->strings[0].at == t->strings[0].end ? 0 : -EBADMSG;
}

static bool find(const struct table *index, uint64_t id, size_t n, size_t *ret)
{
	const uint32_t *slot = table_get(index, id);

	if (!slot || *slot >= n)
		return false;
	*ret = *slot;
	return true;
}

const struct pprof_function *pprof_function(const struct pprof_tables *t, uint64_t id)
{
	size_t at;

	return find(&t->function_index, id, t->n_functions, &at) ? &t->functions[at] : NULL;
}

const struct pprof_mapping *pprof_mapping(const struct pprof_tables *t, uint64_t id)
{
	size_t at;

	return find(&t->mapping_index, id, t->n_mappings, &at) ? &t->mappings[at] : NULL;
}

const struct pprof_location *pprof_location(const struct pprof_tables *t, uint64_t id)
{
	size_t at;

	return find(&t->location_index, id, t->n_locations, &at) ? &t->locations[at] : NULL;
}

bool pprof_string_is(const struct pprof_tables *t, uint64_t number, const char *text)
{
	size_t len = strlen(text);

	return number < t->n_strings &&
	       (size_t)(t->strings[number].end - t->strings[number].at) == len &&
	       !memcmp(t->strings[number].at, text, len);
}

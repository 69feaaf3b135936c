/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_counters.h"

#include "sonde/base/util.h"
#include "sonde/base/varint.h"

int timeline_counters_find(struct timeline_counters *c, uint32_t process, const char *name)
{
	uint64_t key = hash_bytes(name, strlen(name), process);
	struct timeline_counter item = {.process = process};
	uint32_t *slot;

	for (; (slot = table_get(&c->index, key)); key = hash_mix(key, 1))
		if (c->items[*slot].process == process && streq(c->items[*slot].name, name))
			return (int)*slot;
	if (array_reserve(&c->items, &c->items_cap, c->n_items + 1, sizeof(item)) < 0 ||
	    strdup_to(&item.name, name) < 0)
		return -ENOMEM;
	slot = table_put(&c->index, key, NULL);
	if (!slot) {
		free(item.name);
		return -ENOMEM;
	}
	*slot = (uint32_t)c->n_items;
	c->items[c->n_items] = item;
	return (int)c->n_items++;
}

int timeline_counters_add(struct timeline_counters *c, const struct timeline_value *value)
{
	if (array_reserve(&c->values, &c->values_cap, c->n_values + 1, sizeof(*value)) < 0)
		return -ENOMEM;
	c->values[c->n_values++] = *value;
	return 0;
}

void timeline_counters_cut(struct timeline_counters *c, uint64_t from_ns, uint64_t until_ns,
			   void (*each)(void *arg, uint64_t time_ns), void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_values; i++) {
		const uint64_t time_ns = c->values[i].time_ns;

		if (time_ns < from_ns || time_ns >= until_ns)
			continue;
		each(arg, time_ns);
		c->values[n++] = c->values[i];
	}
	c->n_values = n;
}

static int compare(const void *pa, const void *pb, void *arg)
{
	const struct timeline_value *a = pa, *b = pb;
	const struct timeline_counters *c = arg;
	const struct timeline_counter *of_a = &c->items[a->counter], *of_b = &c->items[b->counter];

	if (of_a->process != of_b->process)
		return of_a->process < of_b->process ? -1 : 1;
	if (a->counter != b->counter)
		return strcmp(of_a->name, of_b->name);
	return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

static void put_numbers(struct strbuf *out, const struct timeline_value *values, size_t n,
			uint64_t zero_ns)
{
	uint8_t bytes[VARINT_MAX];

	for (size_t i = 0; i < n; i++) {
		uint64_t since = i ? values[i - 1].time_ns : zero_ns;

		strbuf_append(out, bytes,
			      (size_t)(varint_put(bytes, values[i].time_ns - since) - bytes));
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t bits;

		memcpy(&bits, &values[i].value, sizeof(bits));
		bits = htole64(bits);
		strbuf_append(out, &bits, sizeof(bits));
	}
}

void timeline_counters_write(struct timeline_counters *c, uint64_t zero_ns, struct json_writer *w,
			     struct strbuf *numbers)
{
	if (c->n_values)
		qsort_r(c->values, c->n_values, sizeof(*c->values), compare, c);
	json_array_begin(w, "counters");
	for (size_t i = 0, n; i < c->n_values; i += n) {
		const struct timeline_counter *item = &c->items[c->values[i].counter];

		for (n = 1; i + n < c->n_values; n++)
			if (c->values[i + n].counter != c->values[i].counter)
				break;
		json_object_begin(w, NULL);
		json_u64(w, "process", item->process);
		json_string(w, "name", item->name);
		json_u64(w, "n", n);
		json_object_end(w);
		put_numbers(numbers, c->values + i, n, zero_ns);
	}
	json_array_end(w);
}

void timeline_counters_release(struct timeline_counters *c)
{
	for (size_t i = 0; i < c->n_items; i++)
		free(c->items[i].name);
	free(c->items);
	table_release(&c->index);
	free(c->values);
	*c = (struct timeline_counters){};
}

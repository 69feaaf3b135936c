/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_names.h"

#include "sonde/base/json.h"
#include "sonde/base/table.h"

/* Of sites and of keys: more come only of programs that mean ill. */
enum { MAX_NAMES = 1 << 16 };

/* Two texts, one after the other; a key has no second one. */
struct known {
	char *first, *second;
};

struct names {
	struct known *items;
	size_t n, cap;
	struct table index; /* id → index */
};

struct source_names {
	struct names sites, keys;
};

int source_names_new(struct source_names **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void names_release(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->items[i].first);
	free(n->items);
	table_release(&n->index);
}

struct source_names *source_names_free(struct source_names *n)
{
	if (!n)
		return NULL;
	names_release(&n->sites);
	names_release(&n->keys);
	free(n);
	return NULL;
}

static char *put_clean(char *to, const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_sequence(text + i, len - i);
		if (n == 0 || utf8_is_control(text + i, n)) {
			n = MAX(n, 1U);
			*to++ = '?';
			continue;
		}
		memcpy(to, text + i, n);
		to += n;
	}
	*to++ = '\0';
	return to;
}

static const struct known *find(const struct names *n, uint64_t id)
{
	const uint32_t *at = table_get(&n->index, id);

	return at ? &n->items[*at] : NULL;
}

/* Out of memory or room: it stays unknown. */
static void add(struct names *n, uint64_t id, const struct source_item *item)
{
	struct known k = {};
	uint32_t *slot;

	if (find(n, id) || n->n >= MAX_NAMES ||
	    array_reserve(&n->items, &n->cap, n->n + 1, sizeof(*n->items)) < 0)
		return;
	k.first = malloc(item->category_len + item->name_len + 2);
	if (!k.first)
		return;
	k.second = put_clean(k.first, item->category, item->category_len);
	put_clean(k.second, item->name, item->name_len);
	slot = table_put(&n->index, id, NULL);
	if (!slot) {
		free(k.first);
		return;
	}
	*slot = (uint32_t)n->n;
	n->items[n->n++] = k;
}

/* Ids are of the whole texts, so those of texts that were cut cannot be checked. */
static bool fits(const struct source_item *item)
{
	if (item->category_len >= SONDE_MAX_NAME - 3 || item->name_len >= SONDE_MAX_NAME - 3)
		return true;
	return item->id == (item->kind == SONDE_RECORD_SITE
				    ? sonde_site_id(item->category, item->category_len, item->name,
						    item->name_len)
				    : sonde_key_id(item->name, item->name_len));
}

void source_names_learn(struct source_names *n, const struct source_item *item)
{
	if (!fits(item))
		return;
	add(item->kind == SONDE_RECORD_SITE ? &n->sites : &n->keys, item->id, item);
}

bool source_names_site(const struct source_names *n, uint64_t id, const char **ret_category,
		       const char **ret_name)
{
	const struct known *k = find(&n->sites, id);

	if (!k)
		return false;
	*ret_category = k->first;
	*ret_name = k->second;
	return true;
}

const char *source_names_key(const struct source_names *n, uint64_t id)
{
	const struct known *k = find(&n->keys, id);

	return k ? k->second : NULL;
}

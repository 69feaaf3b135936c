/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_names.h"

#include "sonde/base/json.h"
#include "sonde/base/log.h"
#include "sonde/base/table.h"

enum { MAX_OWNERS = 1 << 14 };
/* Of an owner's table: sites and keys are told apart. */
static const uint64_t KEY_MARK = 0x9e3779b97f4a7c15ULL;

/* Two texts, one after the other; a key has no second one. */
struct known {
	char *first, *second;
	uint64_t id;
	uint32_t owners; /* processes that have said it */
	uint32_t uid;	 /* of the first one */
};

struct names {
	struct known *items;
	size_t n, cap;
	struct table index; /* id → index */
};

/* A process while it runs one program. */
struct owner {
	uint32_t pid, uid;
	uint64_t gone_ns;  /* 0: it is there, as far as is known */
	struct table said; /* ids; of keys with the mark → whether it is a key */
	bool is_full;	   /* and that was said */
};

struct source_names {
	struct names sites, keys;
	struct owner *owners;
	size_t n_owners, owners_cap;
	struct table by_pid; /* → index + 1 of the owner that runs now; 0: none */
	struct table users;  /* uid → how many names are its */
	struct table said;   /* uid → how many all its processes have said */
	uint64_t tended_ns;
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
	for (size_t i = 0; i < n->n_owners; i++)
		table_release(&n->owners[i].said);
	free(n->owners);
	table_release(&n->by_pid);
	table_release(&n->users);
	table_release(&n->said);
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

static struct known *find(const struct names *n, uint64_t id)
{
	const uint32_t *at = table_get(&n->index, id);

	return at ? &n->items[*at] : NULL;
}

/* NULL: out of memory or room, the user's or of all: it stays unknown. */
static struct known *add(struct source_names *all, struct names *n, uint32_t uid, uint64_t id,
			 const struct source_item *item)
{
	uint32_t *slot, *of_user = table_put(&all->users, uid, NULL);
	struct known k = {.id = id, .uid = uid};

	if (!of_user || *of_user >= SOURCE_NAMES_OF_USER || n->n >= SOURCE_NAMES_MAX ||
	    array_reserve(&n->items, &n->cap, n->n + 1, sizeof(*n->items)) < 0)
		return NULL;
	k.first = malloc(item->category_len + item->name_len + 2);
	if (!k.first)
		return NULL;
	k.second = put_clean(k.first, item->category, item->category_len);
	put_clean(k.second, item->name, item->name_len);
	slot = table_put(&n->index, id, NULL);
	if (!slot) {
		free(k.first);
		return NULL;
	}
	*slot = (uint32_t)n->n;
	n->items[n->n] = k;
	++*of_user;
	return &n->items[n->n++];
}

static struct owner *find_owner(struct source_names *n, uint32_t pid, uint32_t uid)
{
	uint32_t *slot = table_put(&n->by_pid, pid, NULL);

	if (!slot)
		return NULL;
	if (*slot)
		return &n->owners[*slot - 1];
	if (n->n_owners >= MAX_OWNERS ||
	    array_reserve(&n->owners, &n->owners_cap, n->n_owners + 1, sizeof(*n->owners)) < 0)
		return NULL;
	n->owners[n->n_owners] = (struct owner){.pid = pid, .uid = uid};
	*slot = (uint32_t)++n->n_owners;
	return &n->owners[*slot - 1];
}

static void note_full(struct owner *o)
{
	if (!o->is_full)
		log_info("process %u, or all of its user's, have spans of too many names: the "
			 "others have numbers instead",
			 o->pid);
	o->is_full = true;
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

void source_names_learn(struct source_names *n, uint32_t pid, uint32_t uid,
			const struct source_item *item)
{
	const bool is_key = item->kind == SONDE_RECORD_KEY;
	struct names *of = is_key ? &n->keys : &n->sites;
	const uint64_t said = item->id ^ (is_key ? KEY_MARK : 0);
	struct owner *o = fits(item) ? find_owner(n, pid, uid) : NULL;
	struct known *k;
	uint32_t *slot, *of_user;

	if (!o || table_get(&o->said, said))
		return;
	of_user = table_put(&n->said, o->uid, NULL);
	if (o->said.len >= SOURCE_NAMES_OF_PROCESS ||
	    (of_user && *of_user >= SOURCE_NAMES_SAID_OF_USER)) {
		note_full(o);
		return;
	}
	k = find(of, item->id);
	if (!k)
		k = add(n, of, o->uid, item->id, item);
	if (!k)
		return;
	slot = of_user ? table_put(&o->said, said, NULL) : NULL;
	if (!slot)
		return;
	*slot = is_key;
	++*of_user;
	k->owners++;
}

void source_names_gone(struct source_names *n, uint32_t pid, uint64_t now_ns)
{
	uint32_t *slot = table_get(&n->by_pid, pid);

	if (!slot || !*slot)
		return;
	n->owners[*slot - 1].gone_ns = now_ns;
	*slot = 0;
}

/* Names that nobody has who is there. */
static void forget_names(struct source_names *all, struct names *n)
{
	size_t kept = 0;

	table_clear(&n->index);
	for (size_t i = 0; i < n->n; i++) {
		uint32_t *slot =
			n->items[i].owners ? table_put(&n->index, n->items[i].id, NULL) : NULL;

		if (slot) {
			*slot = (uint32_t)kept;
			n->items[kept++] = n->items[i];
			continue;
		}
		slot = table_get(&all->users, n->items[i].uid);
		if (slot && *slot)
			--*slot;
		free(n->items[i].first);
	}
	n->n = kept;
}

static void disown(struct source_names *n, struct owner *o)
{
	uint32_t *of_user = table_get(&n->said, o->uid);

	if (of_user)
		*of_user -= MIN(*of_user, (uint32_t)o->said.len);
	for (size_t i = 0; o->said.slots && i <= o->said.mask; i++) {
		const struct table_slot *said = &o->said.slots[i];
		struct known *k;

		if (!said->used)
			continue;
		k = said->value ? find(&n->keys, said->key ^ KEY_MARK) : find(&n->sites, said->key);
		if (k && k->owners)
			k->owners--;
	}
	table_release(&o->said);
}

void source_names_tend(struct source_names *n, uint64_t now_ns, bool (*is_there)(uint32_t pid))
{
	const uint64_t kept_ns = SOURCE_NAMES_KEPT_MS * NSEC_PER_MSEC;
	size_t kept = 0;

	if (now_ns - n->tended_ns < kept_ns / 2)
		return;
	n->tended_ns = now_ns;
	for (size_t i = 0; i < n->n_owners; i++)
		if (!n->owners[i].gone_ns && !is_there(n->owners[i].pid))
			source_names_gone(n, n->owners[i].pid, now_ns);
	table_clear(&n->by_pid);
	for (size_t i = 0; i < n->n_owners; i++) {
		struct owner *o = &n->owners[i];
		uint32_t *slot;

		slot = o->gone_ns ? NULL : table_put(&n->by_pid, o->pid, NULL);
		if (slot)
			*slot = (uint32_t)kept + 1;
		if (o->gone_ns ? now_ns - o->gone_ns < kept_ns : slot != NULL)
			n->owners[kept++] = *o;
		else
			disown(n, o);
	}
	if (kept == n->n_owners)
		return;
	n->n_owners = kept;
	forget_names(n, &n->sites);
	forget_names(n, &n->keys);
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

size_t source_names_count(const struct source_names *n)
{
	return n->sites.n + n->keys.n;
}

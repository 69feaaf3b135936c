/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/demangler.h"

#include <pthread.h>
#include <sys/random.h>

#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"
#include "sonde/base/table.h"
#include "symbol/name_image.h"
#include "symbol/reader.h"

/*
 * Beyond these all is forgotten, but not while names are asked for that were prepared at once;
 * beyond the last one these are left as they are.
 */
enum { KNOWN_MAX = 256 << 10, TEXTS_MAX = 48 << 20, TEXTS_LAST = 256 << 20 };
/* When the reader cannot be started. */
#define RETRY_NS NSEC_PER_SEC

struct known {
	uint32_t name, text; /* in the texts; text 0: there is none */
	uint32_t style;
};

struct demangler {
	struct reader *reader; /* set before first use */
	uint64_t seed;
	pthread_mutex_t mutex; /* guards all below; free while the reader is asked */
	struct known *known;
	size_t n_known, known_cap;
	struct table by_name; /* hash → index */
	struct strbuf texts;
	uint64_t questions, retry_ns;
};

static void unlockp(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static pthread_mutex_t *lock(struct demangler *d)
{
	pthread_mutex_lock(&d->mutex);
	return &d->mutex;
}

int demangler_new(struct demangler **ret)
{
	struct demangler *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	pthread_mutex_init(&d->mutex, NULL);
	/* Names are chosen by users, who must not be able to make them collide. */
	if (getrandom(&d->seed, sizeof(d->seed), GRND_NONBLOCK) != sizeof(d->seed))
		d->seed = (uintptr_t)d;
	*ret = d;
	return 0;
}

static void forget(struct demangler *d)
{
	free(d->known);
	strbuf_release(&d->texts);
	table_release(&d->by_name);
	d->known = NULL;
	d->n_known = d->known_cap = 0;
	d->texts = (struct strbuf){};
	d->by_name = (struct table){};
}

struct demangler *demangler_free(struct demangler *d)
{
	if (!d)
		return NULL;
	forget(d);
	pthread_mutex_destroy(&d->mutex);
	free(d);
	return NULL;
}

void demangler_set_reader(struct demangler *d, struct reader *reader)
{
	d->reader = reader;
}

/* NULL: not known or, with ret_new, out of memory. What is new has neither name nor text yet. */
static struct known *find(struct demangler *d, const char *name, enum demangle_style style,
			  bool *ret_new)
{
	uint64_t key = hash_bytes(name, strlen(name), hash_mix(d->seed, style));

	/* Two names of one hash: the later one is kept under the hash of the hash. */
	for (;; key = hash_mix(key, 1)) {
		bool is_new = false;
		uint32_t *slot = ret_new ? table_put(&d->by_name, key, &is_new)
					 : table_get(&d->by_name, key);
		struct known *k;

		if (!slot)
			return NULL;
		if (is_new)
			*slot = (uint32_t)d->n_known++;
		k = &d->known[*slot];
		if (!is_new && (k->style != style || !streq(d->texts.data + k->name, name)))
			continue;
		if (ret_new)
			*ret_new = is_new;
		return k;
	}
}

/* Remembers a text, or NULL that there is none. */
static int keep(struct demangler *d, const char *name, enum demangle_style style, const char *text)
{
	struct known *k;
	bool is_new;
	int r = array_reserve(&d->known, &d->known_cap, d->n_known + 1, sizeof(*d->known));

	if (r < 0)
		return r;
	if (d->texts.len == 0)
		strbuf_append(&d->texts, "", 1);
	if (d->texts.len > TEXTS_LAST)
		text = NULL;
	if (d->texts.len > 2UL * TEXTS_LAST)
		return 0;
	k = find(d, name, style, &is_new);
	if (!k)
		return -ENOMEM;
	if (!is_new)
		return 0;
	*k = (struct known){.name = (uint32_t)d->texts.len, .style = style};
	strbuf_append(&d->texts, name, strlen(name) + 1);
	if (text) {
		k->text = (uint32_t)d->texts.len;
		strbuf_append(&d->texts, text, strlen(text) + 1);
	}
	return strbuf_error(&d->texts);
}

/* At most NAMES_MAX. -EAGAIN: the reader cannot be asked. */
static int ask(struct demangler *d, const char *const *names, size_t n, enum demangle_style style)
{
	_cleanup_(unlockp) _unused_ pthread_mutex_t *held = NULL;
	char **texts = NULL;
	int r = reader_names(d->reader, names, n, style, &texts);

	held = lock(d);
	d->questions++;
	if (r < 0) {
		d->retry_ns = now_monotonic_ns() + RETRY_NS;
		return r == -ENOMEM ? r : -EAGAIN;
	}
	for (size_t i = 0; i < n && r >= 0; i++)
		r = keep(d, names[i], style, texts[i]);
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
	/* Half of what was to be kept would be found wrong. */
	if (r < 0)
		forget(d);
	return r;
}

static bool is_full(const struct demangler *d)
{
	return d->n_known > KNOWN_MAX || d->texts.len > TEXTS_MAX;
}

/* Leaves those that are not known, each once. */
static int leave_unknown(struct demangler *d, const char *const *names, size_t n,
			 enum demangle_style style, const char **ret, size_t *ret_n)
{
	_cleanup_(unlockp) _unused_ pthread_mutex_t *held = lock(d);
	_cleanup_(table_release) struct table seen = {};
	size_t left = 0;

	if (is_full(d))
		forget(d);
	if (now_monotonic_ns() < d->retry_ns)
		return 0;
	for (size_t i = 0; i < n; i++) {
		bool is_new;

		if (!demangle_is_mangled(names[i]) || find(d, names[i], style, NULL))
			continue;
		/* Two names of one hash: the other is asked for when it is needed. */
		if (!table_put(&seen, hash_bytes(names[i], strlen(names[i]), d->seed), &is_new))
			return -ENOMEM;
		if (is_new)
			ret[left++] = names[i];
	}
	*ret_n = left;
	return 0;
}

int demangler_prepare(struct demangler *d, const char *const *names, size_t n,
		      enum demangle_style style)
{
	_cleanup_(freep) const char **unknown = NULL;
	size_t left = 0;
	int r;

	if (!d->reader || style == DEMANGLE_NONE || n == 0)
		return 0;
	unknown = calloc(n, sizeof(*unknown));
	if (!unknown)
		return -ENOMEM;
	r = leave_unknown(d, names, n, style, unknown, &left);
	for (size_t i = 0; i < left && r >= 0; i += NAMES_MAX)
		r = ask(d, unknown + i, MIN(left - i, (size_t)NAMES_MAX), style);
	return r == -EAGAIN ? 0 : r;
}

/* True when it is known; text NULL: that there is none. */
static bool look_up(struct demangler *d, const char *name, enum demangle_style style, char **ret)
{
	_cleanup_(unlockp) _unused_ pthread_mutex_t *held = lock(d);
	const struct known *k = find(d, name, style, NULL);

	*ret = k && k->text ? strdup(d->texts.data + k->text) : NULL;
	/* Those that are asked for one by one count, too. */
	if (!k && (d->n_known > 2 * KNOWN_MAX || d->texts.len > TEXTS_LAST))
		forget(d);
	return k || now_monotonic_ns() < d->retry_ns;
}

char *demangler_name(struct demangler *d, const char *name, enum demangle_style style)
{
	char *text = NULL;

	if (style == DEMANGLE_NONE || !demangle_is_mangled(name))
		return NULL;
	if (!d->reader)
		return demangle_as(name, style);
	if (!look_up(d, name, style, &text) && ask(d, &name, 1, style) >= 0)
		(void)look_up(d, name, style, &text);
	return text;
}

uint64_t demangler_questions(struct demangler *d)
{
	_cleanup_(unlockp) _unused_ pthread_mutex_t *held = lock(d);

	return d->questions;
}

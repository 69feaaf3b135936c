/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "intern.h"

#include "sonde/base/json.h"

int intern_put(struct intern *t, const char *s, uint32_t *ret)
{
	uint64_t key = hash_bytes(s, strlen(s), 0);
	uint32_t *slot;
	bool is_new;

	/* Another string of the same hash is passed by: the next key is tried. */
	for (;; key = hash_mix(key, 1)) {
		slot = table_put(&t->numbers, key, &is_new);
		if (!slot)
			return -ENOMEM;
		if (is_new)
			break;
		if (streq(t->strings[*slot], s)) {
			*ret = *slot;
			return 0;
		}
	}
	/* A failure leaves a slot without a string: what is half made is thrown away then. */
	if (array_reserve(&t->strings, &t->cap, t->n + 1, sizeof(*t->strings)) < 0)
		return -ENOMEM;
	t->strings[t->n] = strdup(s);
	if (!t->strings[t->n])
		return -ENOMEM;
	*slot = (uint32_t)t->n++;
	*ret = *slot;
	return 0;
}

int intern_put_utf8(struct intern *t, const char *s, uint32_t *ret)
{
	_cleanup_(strbuf_release) struct strbuf clean = {};

	if (utf8_is_valid(s))
		return intern_put(t, s, ret);
	utf8_append(&clean, s);
	return strbuf_error(&clean) < 0 ? -ENOMEM : intern_put(t, clean.data, ret);
}

void intern_release(struct intern *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->strings[i]);
	free(t->strings);
	table_release(&t->numbers);
	*t = (struct intern){};
}

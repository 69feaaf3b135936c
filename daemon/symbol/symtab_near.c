/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/near.h"
#include "symbol/symtab_internal.h"

#include <ctype.h>

enum { NEAR_LEN_MAX = 64, COST_SUBSTRING = 100, COST_NONE = 1000000 };

/* Edits (insert, delete, replace, swap of neighbours) from a to b, both at most NEAR_LEN_MAX. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][NEAR_LEN_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *free_row = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = tolower((unsigned char)a[i - 1]) !=
					  tolower((unsigned char)b[j - 1]);

			row[j] = MIN(MIN(last[j] + 1, row[j - 1] + 1), last[j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[b_len];
}

/* How far a name is from what was asked for: few typing errors first, then names that hold it. */
static unsigned cost(const char *word, size_t word_len, const char *name)
{
	size_t len = strlen(name), difference = len > word_len ? len - word_len : word_len - len;
	unsigned allowed = MIN(1 + word_len / 4, 4), distance;

	if (word_len <= NEAR_LEN_MAX && len <= NEAR_LEN_MAX && difference <= allowed) {
		distance = edit_distance(word, word_len, name, len);
		if (distance <= allowed)
			return distance;
	}
	if (word_len >= 3 && strcasestr(name, word))
		return COST_SUBSTRING + MIN(difference, 10000);
	return COST_NONE;
}

/* The pattern without glob characters: its longest literal part. */
static void longest_literal(const char *pattern, char *word, size_t size)
{
	const char *best = pattern;
	size_t best_len = 0;

	while (*pattern) {
		size_t len = strcspn(pattern, "*?[]");

		if (len > best_len) {
			best = pattern;
			best_len = len;
		}
		pattern += len;
		pattern += strspn(pattern, "*?[]");
	}
	best_len = MIN(best_len, size - 1);
	memcpy(word, best, best_len);
	word[best_len] = '\0';
}

void near_init(struct near *near, const char *pattern, size_t max)
{
	*near = (struct near){.max = MIN(max, (size_t)NEAR_MAX)};
	longest_literal(pattern, near->word, sizeof(near->word));
	near->word_len = strlen(near->word);
	if (near->word_len == 0)
		near->max = 0;
}

void near_offer(struct near *near, const char *name)
{
	size_t at, known;
	unsigned c;

	if (near->max == 0)
		return;
	c = cost(near->word, near->word_len, name);
	if (c == COST_NONE || (near->n == near->max && c >= near->costs[near->n - 1]))
		return;
	for (known = 0; known < near->n && !streq(near->names[known], name); known++)
		;
	if (known < near->n)
		return;
	near->n += near->n < near->max;
	for (at = near->n - 1; at > 0 && near->costs[at - 1] > c; at--) {
		near->costs[at] = near->costs[at - 1];
		near->names[at] = near->names[at - 1];
	}
	near->costs[at] = c;
	near->names[at] = name;
}

size_t symtab_find_near(const struct symtab *st, const char *pattern, const char *ret_names[],
			size_t max)
{
	struct near near;

	near_init(&near, pattern, max);
	for (size_t i = 0; i < st->len; i++)
		if (!(st->entries[i].flags & SYMBOL_PLT))
			near_offer(&near, st->names + st->entries[i].name);
	for (size_t i = 0; i < near.n; i++)
		ret_names[i] = near.names[i];
	return near.n;
}

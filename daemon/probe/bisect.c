/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/bisect.h"

/* When so many fail alone and none has succeeded, it is not the members' fault. */
enum { HOPELESS = 16 };

struct search {
	const struct bisect *b;
	size_t attempts, succeeded, failed;
};

/* known is the code the members are known to fail with, or 0 when that is to be tried. */
static int search(struct search *s, const uint32_t *members, size_t n, int known)
{
	const struct bisect *b = s->b;
	size_t half = n / 2, failed;
	int r = 0;

	if (!known && s->attempts >= b->max_attempts) {
		for (size_t i = 0; i < n && r >= 0; i++)
			r = b->report(members[i], 0, b->data);
		return r;
	}
	if (!known) {
		s->attempts++;
		known = b->attempt(members, n, b->data);
		if (known >= 0) {
			s->succeeded++;
			return 0;
		}
	}
	if (!b->is_members(-known))
		return known;
	if (n == 1) {
		s->failed++;
		if (!s->succeeded && s->failed >= HOPELESS)
			return known;
		return b->report(members[0], -known, b->data);
	}
	failed = s->failed;
	r = search(s, members, half, 0);
	if (r < 0)
		return r;
	/*
	 * An innocent first half leaves the second as the offender: no need to try it. But the code
	 * of the whole may then be inexact, so single members are always tried.
	 */
	return search(s, members + half, n - half, s->failed == failed && n - half > 1 ? known : 0);
}

int bisect_run(const struct bisect *b, const uint32_t *members, size_t n, int code)
{
	struct search s = {.b = b};
	int r;

	if (n == 0)
		return 0;
	r = search(&s, members, n, n > 1 ? code : 0);
	if (r >= 0 && !s.succeeded && s.failed == n && n > 1)
		return code;
	return r;
}

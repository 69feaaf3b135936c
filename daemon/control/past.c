/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/past.h"

static size_t rows(const struct past *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->windows[i].n_samples + p->windows[i].n_stats;
	return n;
}

/* Two become one; the last of an odd number stays half as long. */
static int join(struct past *p)
{
	size_t to = 0;
	int r = 0;

	for (size_t from = 0; from < p->n; from += 2, to++) {
		if (to != from) {
			window_release(&p->windows[to]);
			window_move(&p->windows[to], &p->windows[from]);
		}
		if (from + 1 == p->n)
			break;
		if (r >= 0)
			r = window_merge(&p->windows[to], &p->windows[from + 1]);
		window_release(&p->windows[from + 1]);
	}
	/* What was in the last one, if it had a partner, comes on top of all that this had. */
	if (p->n % 2 == 0)
		p->in_last += p->each;
	p->each *= 2;
	p->n = (p->n + 1) / 2;
	return r;
}

int past_add(struct past **past, const struct window *w)
{
	struct past *p = *past ? *past : calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return -ENOMEM;
	*past = p;
	if (!p->n)
		p->each = p->in_last = 1;
	else if (p->in_last < p->each)
		p->in_last++;
	else {
		if (p->n == PAST_WINDOWS || (p->n > PAST_LEAST && rows(p) > PAST_ROWS))
			r = join(p);
		/* What was joined last may have room now. */
		if (p->in_last < p->each) {
			p->in_last++;
		} else {
			p->n++;
			p->in_last = 1;
		}
	}
	p->n = MAX(p->n, (size_t)1);
	return r < 0 ? r : window_merge(&p->windows[p->n - 1], w);
}

struct past *past_free(struct past *past)
{
	if (!past)
		return NULL;
	for (size_t i = 0; i < PAST_WINDOWS; i++)
		window_release(&past->windows[i]);
	free(past);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings that wait for the fork of their process. */
#include <criterion/criterion.h>

#include "control/unclaimed.h"

static void keep(struct unclaimed *u, uint32_t pid, uint64_t time_ns)
{
	struct record_image r = {.h.kind = RECORD_IMAGE, .pid = pid, .time_ns = time_ns};

	unclaimed_keep(u, pid, &r.h, sizeof(r));
}

struct taken {
	uint64_t times[UNCLAIMED_MAX];
	size_t n;
};

static void take(void *arg, const struct record_header *record)
{
	struct taken *t = arg;

	t->times[t->n++] = ((const struct record_image *)record)->time_ns;
}

Test(unclaimed, each_gets_its_own_in_order_and_once)
{
	struct unclaimed u = {};
	struct taken t = {};

	keep(&u, 7, 1);
	keep(&u, 8, 2);
	keep(&u, 7, 3);
	unclaimed_take(&u, 9, take, &t);
	cr_assert_eq(t.n, 0);
	unclaimed_take(&u, 7, take, &t);
	cr_assert_eq(t.n, 2);
	cr_expect_eq(t.times[0], 1);
	cr_expect_eq(t.times[1], 3);
	t.n = 0;
	unclaimed_take(&u, 7, take, &t);
	cr_expect_eq(t.n, 0, "a second time");
	unclaimed_take(&u, 8, take, &t);
	cr_expect_eq(t.n, 1);
	unclaimed_release(&u);
}

Test(unclaimed, the_oldest_go)
{
	struct unclaimed u = {};
	struct taken t = {};

	for (uint64_t i = 0; i < UNCLAIMED_MAX + 100; i++)
		keep(&u, i % 2, i);
	unclaimed_take(&u, 1, take, &t);
	cr_assert_eq(t.n, UNCLAIMED_MAX / 2);
	cr_expect_eq(t.times[0], 101);
	cr_expect_eq(t.times[t.n - 1], UNCLAIMED_MAX + 99);
	unclaimed_release(&u);
}

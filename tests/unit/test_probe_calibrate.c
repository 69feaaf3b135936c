/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "place_help.h"

#include "probe/calibrate.h"
#include "probe/reaper.h"

Test(calibrate, costs)
{
	struct hit_costs c = {};
	struct error e = {};
	int r = calibrate_hits(&c, &e);

	if (r < 0) {
		cr_expect_str_neq(e.message, "");
		cr_skip_test("%s", e.message);
	}
	fprintf(stderr, "nop5 %u, push %u, stepped %u, return %u, session %u ns\n",
		c.hit_ns[HIT_OPTIMISED], c.hit_ns[HIT_EMULATED], c.hit_ns[HIT_STEPPED], c.return_ns,
		c.session_ns);
	for (int i = 0; i < HIT_KINDS; i++)
		cr_expect(c.hit_ns[i] > 0 && c.hit_ns[i] < 10000000, "%u ns", c.hit_ns[i]);
	cr_expect_gt(c.return_ns, 0);
	/* Stepping takes a trap more than emulating does, on any machine. */
	cr_expect_gt(c.hit_ns[HIT_STEPPED], c.hit_ns[HIT_EMULATED]);
	cr_expect_eq(reaper_wait(20000), 0);
}

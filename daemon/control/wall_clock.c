/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/wall_clock.h"

#include "control/keeper.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"

/* By how much it must have been set. */
#define CLOCK_STEP_NS ((int64_t)100 * 1000 * 1000)

/* Between two looks at the one clock that are close to each other, if there are such. */
int64_t wall_clock_offset_ns(void)
{
	int64_t offset = 0;

	for (int i = 0; i < 10; i++) {
		uint64_t before = now_monotonic_ns();

		offset = (int64_t)(now_epoch_us() * NSEC_PER_USEC) - (int64_t)before;
		if (now_monotonic_ns() - before < NSEC_PER_MSEC)
			break;
	}
	return offset;
}

/*
 * The wall clock is set, as when a machine without a battery hears the time after its start; and
 * the monotonic one stands still while a machine sleeps. What was seen until then keeps its times
 * in the history, and recordings that are being written keep their clock.
 */
void wall_clock_follow(struct daemon *d)
{
	int64_t offset_ns = wall_clock_offset_ns(),
		by_ns = offset_ns - d->context.monotonic_to_epoch_ns;
	char text[128], by[FORMAT_MAX];

	if (by_ns > -CLOCK_STEP_NS && by_ns < CLOCK_STEP_NS)
		return;
	snprintf(text, sizeof(text), "the wall clock was set %s by %s",
		 by_ns < 0 ? "back" : "forward",
		 format_duration(by, by_ns < 0 ? (uint64_t)-by_ns : (uint64_t)by_ns));
	log_warn("%s", text);
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->active && s->kind == SESSION_KEPT)
			session_roll(s, false);
	d->context.monotonic_to_epoch_ns = offset_ns;
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->context == &d->context)
			s->started_us += (uint64_t)(by_ns / (int64_t)NSEC_PER_USEC);
	if (!d->keeper)
		return;
	keeper_set_clock(d->keeper, offset_ns);
	keeper_event(d->keeper, NULL, "clock", by_ns / (int64_t)NSEC_PER_USEC, text);
}

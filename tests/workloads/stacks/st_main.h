/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs with planted stacks share. Each is a table of cases; main() is
 *
 *	return drive(st_begin(argc, argv, cases), cases);
 *
 * First every case is announced, a line each, frames from the leaf on:
 *
 *   stack NAME: leaf;caller;…;main   the chain of nearly every sample of that case. Its samples are
 *                                    those with the first named frame of the line in them. More
 *                                    lines of the same NAME are further chains that are right.
 *                                    "*" is one or more frames that are not planted (the C
 *                                    library's), at the end of a line none to three; "?" is one
 *                                    frame without a name; "NAME+" is one or more frames of NAME
 *   inlined NAME: leaf;…;main        the same with the frames of inlined functions
 *   depth LEAF: N                    LEAF is the one name there is, and with its callers up to main
 *                                    it is N frames
 *   deep NAME: FUNC                  nothing but FUNC, as many frames as are kept
 *
 * Then half a second (--warm-up N: N milliseconds) goes by in warm_up(), which belongs to no case:
 * unwind tables of a new process take a moment to arrive. Then each case runs for a second, or with
 * --ms N for N milliseconds, of CPU time.
 * Where time is spent, it is spent between calls, so that samples are not in prologues only.
 */
#ifndef SONDE_ST_MAIN_H
#define SONDE_ST_MAIN_H

#include <stdbool.h>
#include "st.h"

#define ST_END ";drive;main"

struct st_case {
	const char *line; /* "stack NAME: …", more of them behind a newline each */
	void (*run)(void);
};

void warm_up(uint64_t ms);
int drive(uint64_t ns, const struct st_case *cases);

/* Not in calls: nothing but frame pointers may lead out of them yet. */
WL_FUNC void warm_up(uint64_t ms)
{
	uint64_t end = wl_clock(CLOCK_MONOTONIC) + ms * 1000000;

	while (wl_clock(CLOCK_MONOTONIC) < end)
		ST_SPIN();
}

/* Announces the cases and warms up; the time of a case in nanoseconds. */
static inline uint64_t st_begin(int argc, char **argv, const struct st_case *cases)
{
	uint64_t ms = 1000, warm_up_ms = 500;

	for (int i = 1; i < argc; i += 2) {
		bool is_ms = strcmp(argv[i], "--ms") == 0;

		if ((!is_ms && strcmp(argv[i], "--warm-up") != 0) || i + 1 == argc) {
			fprintf(stderr, "%s: only --ms N and --warm-up N are known\n", argv[0]);
			_exit(2);
		}
		*(is_ms ? &ms : &warm_up_ms) = (uint64_t)wl_number(argv[0], argv[i + 1]);
	}
	for (const struct st_case *c = cases; c->line; c++)
		printf("%s\n", c->line);
	fflush(stdout);
	warm_up(warm_up_ms);
	return ms * 1000000;
}

/* Runs each case again and again until its time is over; the exit status. */
WL_FUNC int drive(uint64_t ns, const struct st_case *cases)
{
	for (const struct st_case *c = cases; c->line; c++) {
		uint64_t end;

		if (!c->run)
			continue;
		/* A busy machine must not take samples away. The clock is a system call. */
		end = wl_clock(CLOCK_PROCESS_CPUTIME_ID) + ns;
		while (wl_clock(CLOCK_PROCESS_CPUTIME_ID) < end)
			for (int i = 0; i < 16; i++)
				c->run();
	}
	return wl_done(0);
}

#endif

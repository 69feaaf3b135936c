/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server with little to do, one function of which can be made slower: about a thousand times a
 * second for --seconds (3 by default) it calls
 *
 *   handle()    parse() and then render()
 *   parse()     WORK iterations, --slower PERCENT more of them (0 by default)
 *   render()    WORK / 2 iterations
 *
 * and sleeps in between. All three are called equally often. So parse() takes that much longer than
 * without --slower, render() as long as before, whatever the machine does.
 */
#include "wl.h"

enum { WORK = 200000 };

static uint64_t n_handle, n_parse, n_render, iterations = WORK;

WL_FUNC void parse(void)
{
	n_parse++;
	WL_SPIN(iterations);
}

WL_FUNC void render(void)
{
	n_render++;
	WL_SPIN(WORK / 2);
}

WL_FUNC void handle(void)
{
	n_handle++;
	parse();
	render();
}

/* Takes --slower out of the arguments, which wl_options() does not know. */
static int take_slower(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--slower") != 0)
			continue;
		iterations += WORK * (uint64_t)atol(argv[i + 1]) / 100;
		for (; i + 2 < argc; i++)
			argv[i] = argv[i + 2];
		argv[i] = NULL;
		return argc - 2;
	}
	return argc;
}

int main(int argc, char **argv)
{
	struct wl_options o;
	uint64_t end;
	int wrong = 0;

	argc = take_slower(argc, argv);
	o = wl_options(argc, argv, 3, 0);
	wl_gate(&o);
	end = wl_clock(CLOCK_MONOTONIC) + (uint64_t)o.seconds * 1000000000u;
	while (wl_clock(CLOCK_MONOTONIC) < end) {
		struct timespec rest = {0, 600000};

		handle();
		nanosleep(&rest, NULL);
	}
	wrong += wl_count(&o, "parse", n_parse, n_handle);
	wrong += wl_count(&o, "render", n_render, n_handle);
	return wl_done(wrong);
}

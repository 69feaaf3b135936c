/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters written in C: in the span app/main, queue/length takes the values 0 … 99, one every 200
 * microseconds, each in a span queue/put of its own; a child of the process has queue/length from
 * 1000 to 1009; then odd/value takes each of odd[] below, exactly.
 */
#include <float.h>
#include <math.h>
#include <sys/wait.h>

#include "sonde/span.h"
#include "wl.h"

static const double odd[] = {
	-1,  -0.0,     0.1,	 DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, 9223372036854775808.0,
	NAN, INFINITY, -INFINITY};

WL_FUNC void queue(int from, int to)
{
	for (int i = from; i < to; i++) {
		SONDE_SPAN_CAT("queue", "put");
		SONDE_COUNTER_CAT("queue", "length", i);
		usleep(200);
	}
}

WL_FUNC void in_a_child(void)
{
	if (fork() == 0) {
		queue(1000, 1010);
		exit(0);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		errno = 0;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 1, 1);

	wl_gate(&o);
	{
		SONDE_SPAN_CAT("app", "main");
		queue(0, 100);
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
			SONDE_COUNTER_CAT("odd", "value", odd[i]);
	}
	in_a_child();
	return wl_done(0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timelines of made-up programs, the same every time. */
#ifndef SONDE_TEST_TIMELINE_HELP_H
#define SONDE_TEST_TIMELINE_HELP_H

#include "sonde/base/format.h"
#include "timeline_html.h"

static uint64_t timeline_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A request of a server: nested four deep, slow once in a while. How many spans it has. */
static size_t timeline_request(struct timeline *t, uint32_t thread, uint64_t *clock,
			       uint64_t *state)
{
	uint64_t slow = timeline_random(state) % 1000 == 0 ? 100 : 1;
	uint64_t begin = *clock, n_parts = 1 + timeline_random(state) % 6;
	struct timeline_span span = {.thread = thread};
	size_t n = 0;

	*clock += 200;
	for (uint64_t i = 0; i < n_parts; i++) {
		uint64_t part = *clock, n_leaves = timeline_random(state) % 8;

		for (uint64_t k = 0; k < n_leaves; k++, n++) {
			span.start_ns = *clock + 50;
			span.duration_ns = (100 + timeline_random(state) % 5000) * slow;
			span.function = 3 + (uint32_t)(timeline_random(state) % 40);
			span.depth = 2;
			span.offcpu_ns = k % 5 ? 0 : span.duration_ns / 3;
			span.flags = timeline_random(state) % 100 ? 0 : TIMELINE_ERROR;
			*clock = span.start_ns + span.duration_ns;
			if (timeline_add_span(t, &span) < 0)
				return 0;
		}
		*clock += 300;
		span = (struct timeline_span){.start_ns = part,
					      .duration_ns = *clock - part,
					      .thread = thread,
					      .function = 1 + (uint32_t)(i % 2),
					      .depth = 1};
		*clock += 20;
		n++;
		if (timeline_add_span(t, &span) < 0)
			return 0;
	}
	span = (struct timeline_span){
		.start_ns = begin, .duration_ns = *clock - begin, .thread = thread};
	*clock += 100 + timeline_random(state) % 20000;
	return timeline_add_span(t, &span) < 0 ? 0 : n + 1;
}

/* n samples a thread, the last tenth of them waits of 1 ms, all through the spans. */
static int timeline_sample_threads(struct timeline *t, size_t n)
{
	static const char *const frames[] = {"main",  "serve", "handle",
					     "parse", "copy",  "schedule"};
	uint64_t state = 362436069, step = (t->end_ns - t->zero_ns) / (n + 1), zero = t->zero_ns;

	for (uint32_t i = 0; i < ARRAY_SIZE(frames); i++)
		if (timeline_add_frame(&t->samples, frames[i], i < 5 ? "server" : "[kernel]",
				       i == 3 ? "parse.c:12" : NULL) < 0 ||
		    timeline_add_stack(&t->samples, i, i) < 0)
			return -ENOMEM;
	t->samples.period_ns = step;
	for (size_t k = 0; k < n; k++)
		for (uint32_t thread = 0; thread < t->n_threads; thread++) {
			bool waits = k >= n - n / 10;
			uint32_t stack = 2 + (uint32_t)(timeline_random(&state) % 3);
			const struct timeline_sample s = {.time_ns = zero + k * step +
								     timeline_random(&state) % step,
							  .ns = waits ? step / 2 : 0,
							  .thread = thread,
							  .stack = waits ? 6 : stack};

			if (timeline_add_sample(t, waits ? TIMELINE_WAITS : TIMELINE_CPU, &s) < 0)
				return -ENOMEM;
		}
	return 0;
}

/* At least n spans of two processes with four threads each, by and by. 0, -ENOMEM. */
static inline int timeline_generate(struct timeline *t, size_t n)
{
	static const char *const names[] = {"handle_request", "parse", "query_database"};
	uint64_t clock[8], state = 88172645463325252ULL;
	char name[FORMAT_MAX];

	for (uint32_t p = 0; p < 2; p++)
		timeline_add_process(t, 4700 + p, p ? "worker" : "server");
	for (uint32_t i = 0; i < 8; i++) {
		timeline_add_thread(t, i / 4, 4700 + i);
		clock[i] = 1763728387123456789ULL + i * 1000;
	}
	for (uint32_t f = 0; f < 43; f++) {
		snprintf(name, sizeof(name), "leaf_%u", f);
		if (timeline_add_function(t, f < 3 ? names[f] : name, "server") < 0)
			return -ENOMEM;
	}
	for (uint32_t i = 0; t->n_spans < n; i++)
		if (timeline_request(t, i % 8, &clock[i % 8], &state) == 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < 20; i++)
		timeline_add_use(
			t, &(struct timeline_use){.process = i % 2,
						  .start_us = 1763728387000000ULL + i / 2 * 1000000,
						  .end_us = 1763728388000000ULL + i / 2 * 1000000,
						  .cpu_ns = 50000000ULL * i,
						  .wait_ns = 900000000 - 40000000ULL * i});
	return 0;
}

#endif

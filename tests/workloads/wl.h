/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every workload shares: its options, the start gate of --wait, and --verify.
 *
 *   --wait      print "ready PID", then work only once a line or the end of stdin has arrived
 *   --verify    count the calls and print "NAME COUNT" for each; exit 1 when a count is not the
 *               planted one
 *   --seconds N, --threads N, --rounds N, --only NAME, --leaf: where the workload says so
 *
 * After the work "done" is printed. Counting costs one increment a call, with and without --verify.
 */
#ifndef SONDE_WL_H
#define SONDE_WL_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The function exists under its own name with its own arguments and result. */
#if defined(__has_attribute) && __has_attribute(noipa)
#define WL_FUNC __attribute__((noinline, noipa))
#else
#define WL_FUNC __attribute__((noinline))
#endif

struct wl_options {
	int wait, verify, leaf;
	long seconds, threads, rounds;
	const char *only;
};

static inline long wl_number(const char *program, const char *text)
{
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	if (!text || end == text || *end || n < 1 || n > 100000) {
		fprintf(stderr, "%s: a number from 1 to 100000 is needed, not '%s'\n", program,
			text ? text : "");
		_exit(2);
	}
	return n;
}

static inline struct wl_options wl_options(int argc, char **argv, long seconds, long threads)
{
	struct wl_options o = {0, 0, 0, seconds, threads, 1, NULL};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--wait") == 0) {
			o.wait = 1;
		} else if (strcmp(argv[i], "--verify") == 0) {
			o.verify = 1;
		} else if (strcmp(argv[i], "--leaf") == 0) {
			o.leaf = 1;
		} else if (strcmp(argv[i], "--seconds") == 0) {
			o.seconds = wl_number(argv[0], argv[i + 1]);
			i++;
		} else if (strcmp(argv[i], "--threads") == 0) {
			o.threads = wl_number(argv[0], argv[i + 1]);
			i++;
		} else if (strcmp(argv[i], "--rounds") == 0) {
			o.rounds = wl_number(argv[0], argv[i + 1]);
			i++;
		} else if (strcmp(argv[i], "--only") == 0 && argv[i + 1]) {
			o.only = argv[++i];
		} else {
			fprintf(stderr, "%s: unknown option '%s'\n", argv[0], argv[i]);
			_exit(2);
		}
	}
	return o;
}

/* Returns when a line or the end of stdin has been read; byte by byte, so that nothing is kept. */
static inline void wl_read_line(void)
{
	char c;

	for (;;) {
		ssize_t n = read(0, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c == '\n')
			return;
	}
}

static inline void wl_gate(const struct wl_options *o)
{
	if (!o->wait)
		return;
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	wl_read_line();
}

/* Checks one planted count; returns 1 when it is wrong. */
static inline int wl_count(const struct wl_options *o, const char *name, uint64_t count,
			   uint64_t planted)
{
	if (!o->verify)
		return 0;
	printf("%s %llu\n", name, (unsigned long long)count);
	if (count == planted)
		return 0;
	printf("WRONG: %s was to be %llu\n", name, (unsigned long long)planted);
	return 1;
}

/* The end: main returns what this does. */
static inline int wl_done(int wrong)
{
	printf("done\n");
	fflush(stdout);
	return wrong ? 1 : 0;
}

static inline uint64_t wl_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Keeps the CPU busy for that long. */
static inline void wl_busy(uint64_t ns)
{
	uint64_t end = wl_clock(CLOCK_MONOTONIC) + ns;

	while (wl_clock(CLOCK_MONOTONIC) < end)
		;
}

/*
 * Makes a leaf function set up its frame pointer, which gcc leaves out where nothing is kept on
 * the stack, whatever -fno-omit-frame-pointer says; a walk by frame pointers would miss the caller.
 */
#define WL_FRAME() __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

/* Keeps the CPU busy in the caller itself, without a call. */
#define WL_SPIN(iterations)                                                                        \
	do {                                                                                       \
		WL_FRAME();                                                                        \
		for (uint64_t _i = 0; _i < (uint64_t)(iterations); _i++)                           \
			__asm__ volatile("" ::: "memory");                                         \
	} while (0)

#endif

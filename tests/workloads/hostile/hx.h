/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the hostile workloads share. Each is documented at the top of its file and takes the
 * options of wl.h. Its output says what a tracer must find, and is the same at every run:
 *
 *   calls NAME N      NAME was called N times in this process
 *   unwound NAME N    N of them never returned: an exception, longjmp or forced unwind passed them
 *   checksum HEX      the last line: what the work came to
 *
 * The exit status is HX_STATUS, or 1 when a count is not the planted one.
 */
#ifndef SONDE_HX_H
#define SONDE_HX_H

#include "../wl.h"

enum { HX_STATUS = 42 };

/* Callable from C and C++ by its own name. */
#ifdef __cplusplus
#define HX_FUNC extern "C" WL_FUNC
#else
#define HX_FUNC WL_FUNC
#endif

/*
 * Programs whose threads count at the same time define HX_THREADS. The others do without the lock
 * prefix, which no kernel lets a probe be put on; it would begin most of their functions.
 */
#ifdef HX_THREADS
#define HX_COUNT(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)
#else
#define HX_COUNT(counter) ((counter)++)
#endif

static uint64_t hx_ordered = 0xcbf29ce484222325u, hx_unordered;
static int hx_wrong;

/* One thread alone: the order of the values counts. */
static inline void hx_mix(uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hx_ordered = (hx_ordered ^ (value & 0xff)) * 0x100000001b3u;
}

/* Any thread: the order does not count. */
static inline void hx_add(uint64_t value)
{
	value = (value ^ (value >> 31)) * 0x9e3779b97f4a7c15u;
	__atomic_fetch_add(&hx_unordered, value ^ (value >> 29), __ATOMIC_RELAXED);
}

static inline void hx_say(const char *what, const char *name, uint64_t count, uint64_t planted)
{
	printf("%s %s %llu\n", what, name, (unsigned long long)count);
	if (count == planted)
		return;
	printf("WRONG: %s %s was to be %llu\n", what, name, (unsigned long long)planted);
	hx_wrong = 1;
}

static inline void hx_calls(const char *name, uint64_t count, uint64_t planted)
{
	hx_say("calls", name, count, planted);
}

static inline void hx_unwound(const char *name, uint64_t count, uint64_t planted)
{
	hx_say("unwound", name, count, planted);
}

/* The end: main returns what this does. */
static inline int hx_done(void)
{
	printf("checksum %016llx\n", (unsigned long long)(hx_ordered ^ hx_unordered));
	fflush(stdout);
	return hx_wrong ? 1 : HX_STATUS;
}

#endif

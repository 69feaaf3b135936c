/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments and results of many types, with known values. --rounds N does all of it N times and
 * waits for a line between; after each round "round K" is printed. In one round, for i = 0, 1, …:
 *
 *   open_table(name, flags)  400 calls, 50 for each row of the table `openings` below (i % 8)
 *   handle(request)          100 calls: id i, urgent for i % 4 == 0, kind 'a' + i % 3, method "GET"
 *                            or (i % 5 == 0) "PUT", body->size 100 * i, path "/static/…" or
 *                            "/api/…" (i % 2 == 0); returns STATUS_FAILED for i % 10 == 9
 *   mix(color, deep, kind)    60 calls: color 1 + i % 3, deep i % 2, kind 'a' + i % 26; it returns
 *                            color
 *   weigh(…, seventh, eighth) 80 calls: 1, 2, 3, 4, 5, 6, 7 * i, -i; returns their sum
 *   log_in(user, password)    40 calls: "user-i", PASSWORD; returns 1
 *   check(credentials)        30 calls: the same behind a pointer; returns 1
 *   scale(factor, n)          20 calls: 1.5, i; returns 1.5 * i (double)
 *   escape(i)                 15 calls, each left by longjmp, from leave(i)
 *   gate(i)                   25 calls, each with two lookup(); lookup() is called 70 times more
 *   nap(ms), burn(ms)         10 calls each: 20 ms asleep, 20 ms of CPU time
 */
#include <setjmp.h>

#include "wl.h"

#define PASSWORD "swordfish-7421"
#define LONG_NAME                                                                                  \
	"a-name-that-is-longer-than-the-sixty-four-bytes-that-are-kept-of-a-text-by-the-kernel-"   \
	"side"

enum open_flags { RDONLY = 1, CREATE = 2, EXCL = 4, TRUNC = 8 };
enum color { RED = 1, GREEN, BLUE };
enum status { STATUS_FAILED = -1, STATUS_OK, STATUS_RETRY };

struct body {
	uint64_t size;
	unsigned int parts : 5, last : 1;
};

struct request {
	int id;
	_Bool urgent;
	char kind;
	char method[8];
	const char *path;
	struct body *body;
	enum color color;
	uint16_t ports[3];
};

struct credentials {
	char user[16];
	char password[32];
};

struct opening {
	const char *name;
	enum open_flags flags;
	int result; /* 0: i */
};

static const struct opening openings[8] = {
	{"orders", RDONLY | CREATE, -ENOENT},
	{"customers", RDONLY, 0},
	{"invoices", (enum open_flags)0, 0},
	{NULL, RDONLY, -EINVAL},
	{"orders", RDONLY, 0},
	{"customers", CREATE | EXCL, -EEXIST},
	{LONG_NAME, TRUNC, 0},
	{NULL, (enum open_flags)0x41, -EINVAL},
};

static const char *const paths[2] = {"/api/orders", "/static/logo.png"};
static const char *const secret = PASSWORD;
static jmp_buf back;
static uint64_t n_open, n_open_failed, n_handle, n_lookup, n_gate, n_leave, sum_weigh;

WL_FUNC int open_table(const char *name, enum open_flags flags)
{
	const struct opening *o = &openings[n_open % 8];

	if (name != o->name || flags != o->flags)
		return 0;
	return o->result ? o->result : (int)(n_open % 400);
}

WL_FUNC enum status handle(struct request *request)
{
	n_handle++;
	return request->id % 10 == 9 ? STATUS_FAILED : STATUS_OK;
}

WL_FUNC enum color mix(enum color color, _Bool deep, char kind)
{
	return deep || kind ? color : RED;
}

WL_FUNC long weigh(int a, int b, int c, int d, int e, int f, long seventh, short eighth)
{
	return a + b + c + d + e + f + seventh + eighth;
}

WL_FUNC int log_in(const char *user, const char *password)
{
	return user[0] == 'u' && strcmp(password, PASSWORD) == 0;
}

WL_FUNC int check(const struct credentials *credentials)
{
	return strcmp(credentials->password, PASSWORD) == 0;
}

WL_FUNC double scale(double factor, int n)
{
	return factor * n;
}

WL_FUNC unsigned int lookup(unsigned int key)
{
	n_lookup++;
	return key;
}

WL_FUNC void gate(int i)
{
	n_gate++;
	lookup(2 * (unsigned int)i);
	lookup(2 * (unsigned int)i + 1);
}

WL_FUNC void nap(int ms)
{
	struct timespec t = {0, ms * 1000000L};

	while (nanosleep(&t, &t) < 0)
		;
}

WL_FUNC void burn(int ms)
{
	uint64_t end = wl_clock(CLOCK_THREAD_CPUTIME_ID) + (uint64_t)ms * 1000000;

	while (wl_clock(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

WL_FUNC void leave(int i)
{
	n_leave++;
	longjmp(back, i + 1);
}

WL_FUNC void escape(int i)
{
	leave(i);
}

static void open_and_handle(void)
{
	for (int i = 0; i < 400; i++, n_open++)
		n_open_failed += open_table(openings[i % 8].name, openings[i % 8].flags) < 0;
	for (int i = 0; i < 100; i++) {
		struct body body = {.size = 100 * (uint64_t)i, .parts = i % 32, .last = i % 2};
		struct request r = {
			.id = i,
			.urgent = i % 4 == 0,
			.kind = (char)('a' + i % 3),
			.method = "GET",
			.path = paths[i % 2],
			.body = &body,
			.color = (enum color)(1 + i % 3),
			.ports = {80, 443, (uint16_t)(8000 + i)},
		};

		if (i % 5 == 0)
			strcpy(r.method, "PUT");
		handle(&r);
	}
}

static void call_the_rest(void)
{
	struct credentials c = {.password = PASSWORD};
	char user[16];

	for (int i = 0; i < 60; i++)
		mix((enum color)(1 + i % 3), i % 2, (char)('a' + i % 26));
	for (int i = 0; i < 80; i++)
		sum_weigh += (uint64_t)weigh(1, 2, 3, 4, 5, 6, 7 * i, (short)-i);
	for (int i = 0; i < 40; i++) {
		snprintf(user, sizeof(user), "user-%d", i);
		log_in(user, secret);
	}
	for (int i = 0; i < 30; i++) {
		snprintf(c.user, sizeof(c.user), "user-%d", i);
		check(&c);
	}
	for (int i = 0; i < 20; i++)
		scale(1.5, i);
	for (volatile int i = 0; i < 15; i++)
		if (!setjmp(back))
			escape(i);
	for (int i = 0; i < 25; i++)
		gate(i);
	for (unsigned int i = 0; i < 70; i++)
		lookup(i);
	for (int i = 0; i < 10; i++) {
		nap(20);
		burn(20);
	}
}

/* Probes read memory that is resident: what nobody has touched yet is not there for them. */
static void touch(const char *text)
{
	if (text)
		(void)*(const volatile char *)text;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	uint64_t rounds = (uint64_t)o.rounds;
	int wrong = 0;

	for (int i = 0; i < 8; i++)
		touch(openings[i].name);
	touch(paths[0]);
	touch(paths[1]);
	touch(secret);
	wl_gate(&o);
	for (uint64_t k = 1; k <= rounds; k++) {
		open_and_handle();
		call_the_rest();
		if (k == rounds)
			break;
		printf("round %llu\n", (unsigned long long)k);
		fflush(stdout);
		wl_read_line();
	}
	wrong += wl_count(&o, "open_table", n_open, 400 * rounds);
	wrong += wl_count(&o, "open_table_failed", n_open_failed, 200 * rounds);
	wrong += wl_count(&o, "handle", n_handle, 100 * rounds);
	wrong += wl_count(&o, "weigh_sum", sum_weigh, (80 * 21 + 6 * 79 * 80 / 2) * rounds);
	wrong += wl_count(&o, "gate", n_gate, 25 * rounds);
	wrong += wl_count(&o, "lookup", n_lookup, 120 * rounds);
	wrong += wl_count(&o, "leave", n_leave, 15 * rounds);
	return wl_done(wrong);
}

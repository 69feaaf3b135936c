/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target of the timings. Commands come on stdin, one a line; each is answered with one line.
 *
 *   time FUNC MS            calls FUNC for MS ms in batches of 200 and prints "MEDIAN MIN CALLS":
 *                           nanoseconds a call in the middle and in the cheapest batch
 *   run FUNC RATE CALLS N   in each of N threads CALLS calls, RATE a second (0: as fast as can be);
 *                           prints "CALLS SECONDS" of all threads together
 *   deep SECONDS N          N threads, each 30 frames deep, keep their CPU busy
 *
 * FUNC is spin_push, which begins with a push, or spin_endbr, which begins with endbr64 and a push.
 * They are written in assembly so that no compiler decides otherwise.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 200, BATCHES_MAX = 1 << 20, THREADS_MAX = 64, DEEP = 30 };

long spin_push(long x);
long spin_endbr(long x);

__asm__(".text\n"
	".globl spin_push\n.type spin_push, @function\n.p2align 4\n"
	"spin_push:\n\tpush %rbp\n\tmov %rsp, %rbp\n\tlea 1(%rdi), %rax\n\tpop %rbp\n\tret\n"
	".size spin_push, . - spin_push\n"
	".globl spin_endbr\n.type spin_endbr, @function\n.p2align 4\n"
	"spin_endbr:\n\tendbr64\n\tpush %rbp\n\tmov %rsp, %rbp\n\tlea 1(%rdi), %rax\n\tpop "
	"%rbp\n\tret\n"
	".size spin_endbr, . - spin_endbr\n");

struct job {
	pthread_t thread;
	long (*func)(long);
	uint64_t rate, calls, end_ns;
};

static volatile long sink;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void time_calls(long (*func)(long), uint64_t ms)
{
	static uint32_t batches[BATCHES_MAX];
	uint64_t last = now_ns(), end = last + ms * 1000000u;
	size_t n = 0;

	while (last < end && n < BATCHES_MAX) {
		uint64_t now;

		for (long i = 0; i < BATCH; i++)
			sink = func(i);
		now = now_ns();
		batches[n++] = now - last > UINT32_MAX ? UINT32_MAX : (uint32_t)(now - last);
		last = now;
	}
	qsort(batches, n, sizeof(*batches), compare);
	printf("%.2f %.2f %zu\n", (double)batches[n / 2] / BATCH, (double)batches[0] / BATCH,
	       n * BATCH);
}

static void *run_calls(void *arg)
{
	struct job *j = arg;
	uint64_t begin = now_ns();

	for (uint64_t done = 0; done < j->calls; done++) {
		/* A thread that fell behind catches up: the rate is that of the whole run. */
		while (j->rate && done % 64 == 0 && (now_ns() - begin) * 1e-9 * j->rate < done)
			;
		sink = j->func((long)done);
	}
	return NULL;
}

/* The frame pointer chain is what is walked, so no sibling call and no inlining. */
__attribute__((noinline,
	       optimize("no-omit-frame-pointer", "no-optimize-sibling-calls"))) static long
go_deep(struct job *j, int depth)
{
	if (depth > 0) {
		long r = go_deep(j, depth - 1);

		__asm__ volatile("" : "+r"(r));
		return r + 1;
	}
	while (now_ns() < j->end_ns)
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("" : : "r"(__builtin_frame_address(0)) : "memory");
	return 0;
}

static void *run_deep(void *arg)
{
	sink = go_deep(arg, DEEP - 1);
	return NULL;
}

static void in_threads(struct job job, unsigned int threads, void *(*body)(void *))
{
	static struct job jobs[THREADS_MAX];
	uint64_t begin = now_ns();
	unsigned int n = 0;

	for (; n < threads && n < THREADS_MAX; n++) {
		jobs[n] = job;
		if (pthread_create(&jobs[n].thread, NULL, body, &jobs[n]) != 0)
			exit(1);
	}
	for (unsigned int i = 0; i < n; i++)
		pthread_join(jobs[i].thread, NULL);
	printf("%llu %.6f\n", (unsigned long long)(job.calls * n),
	       (double)(now_ns() - begin) * 1e-9);
}

int main(void)
{
	char line[128], name[32];

	while (fgets(line, sizeof(line), stdin)) {
		unsigned long long a = 0, b = 0;
		unsigned int n = 1;
		long (*func)(long) = strstr(line, "spin_endbr") ? spin_endbr : spin_push;

		if (sscanf(line, "time %31s %llu", name, &a) == 2)
			time_calls(func, a);
		else if (sscanf(line, "run %31s %llu %llu %u", name, &a, &b, &n) == 4)
			in_threads((struct job){.func = func, .rate = a, .calls = b}, n, run_calls);
		else if (sscanf(line, "deep %llu %u", &a, &n) == 2)
			in_threads((struct job){.end_ns = now_ns() + a * 1000000000u}, n, run_deep);
		else
			return 2;
		fflush(stdout);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans written in C, as many as a program can have: --rounds thousands (100 by default) of
 * rate/span in each of --threads threads (1 by default), one after the other, nothing in them.
 * "took NS" is what they took altogether, on the clock of the CPU, "spans N" how many there were.
 *
 *   --only fork     instead: fork/parent 10 times, then 2 children, each with fork/child 20 times
 *   --only inside   instead: app/outer 5 times, in each work() 3 times, whose app/inner is in it;
 *                   then work() once, by itself
 *   --only idle     instead: idle/short 5 times, then the thread waits for --seconds
 *   --only killed   as idle, but it dies of SIGKILL, by itself
 *   --only exec     instead: exec/done 5 times, and in exec/open it executes itself, at the same
 *                   addresses from the second time on, till it has done so --rounds times
 *   --only filtered instead: filter/before, 50 times filter/handler in a signal handler that has a
 *                   small stack of its own; then 50 times filter/inside, while the kernel kills the
 *                   program for any system call but those with which it prints and ends
 */
#include <pthread.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sonde/span.h"
#include "wl.h"

enum { CHILDREN = 2, MAX_THREADS = 64 };

static long n_rounds;

WL_FUNC void work(void)
{
	SONDE_SPAN_CAT("app", "inner");
	wl_busy(50000);
}

WL_FUNC void inside(void)
{
	for (int i = 0; i < 5; i++) {
		SONDE_SPAN_CAT("app", "outer");
		for (int k = 0; k < 3; k++)
			work();
	}
	work();
}

WL_FUNC void parent_and_children(void)
{
	for (int i = 0; i < 10; i++) {
		SONDE_SPAN_CAT("fork", "parent");
	}
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() != 0)
			continue;
		for (int k = 0; k < 20; k++) {
			SONDE_SPAN_CAT("fork", "child");
		}
		exit(0);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		errno = 0;
}

WL_FUNC void idle(long seconds)
{
	for (int i = 0; i < 5; i++) {
		SONDE_SPAN_CAT("idle", "short");
	}
	sleep((unsigned int)seconds);
}

static void handler(int number)
{
	SONDE_SPAN_CAT("filter", "handler");
	(void)number;
}

/* What the kernel asks for, and 4 KiB; there is nothing below. */
static void handle_on_small_stack(void)
{
	size_t size = getauxval(AT_MINSIGSTKSZ) + 4096;
	char *pages = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = {.ss_sp = pages + (1 << 19), .ss_size = size};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	if (pages == MAP_FAILED || mprotect(stack.ss_sp, size, PROT_READ | PROT_WRITE) != 0 ||
	    sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
		exit(1);
	for (int i = 0; i < 50; i++)
		raise(SIGUSR1);
}

WL_FUNC void filtered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	{
		SONDE_SPAN_CAT("filter", "before");
	}
	handle_on_small_stack();
	printf("filter\n");
	fflush(stdout);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		exit(1);
	for (int i = 0; i < 50; i++) {
		SONDE_SPAN_CAT("filter", "inside");
	}
}

WL_FUNC void execute(char **argv, long rounds)
{
	char left[24];
	char *again[] = {argv[0], "--only", "exec", "--rounds", left, NULL};

	for (int i = 0; i < 5; i++) {
		SONDE_SPAN_CAT("exec", "done");
	}
	if (rounds == 0)
		return;
	SONDE_SPAN_CAT("exec", "open");
	snprintf(left, sizeof(left), "%ld", rounds);
	if (personality(ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", again);
	exit(1);
}

static void *rate(void *arg)
{
	uint64_t start = wl_clock(CLOCK_THREAD_CPUTIME_ID);

	for (long i = 0; i < n_rounds * 1000; i++) {
		SONDE_SPAN_CAT("rate", "span");
	}
	*(uint64_t *)arg = wl_clock(CLOCK_THREAD_CPUTIME_ID) - start;
	return NULL;
}

static void rates(long n)
{
	pthread_t thread[MAX_THREADS];
	uint64_t took[MAX_THREADS], all = 0;

	for (long i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, rate, &took[i]);
	for (long i = 0; i < n; i++) {
		pthread_join(thread[i], NULL);
		all += took[i];
	}
	printf("took %llu\nspans %ld\n", (unsigned long long)all, n * n_rounds * 1000);
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 1, 1);

	n_rounds = o.rounds > 1 ? o.rounds : 100;
	wl_gate(&o);
	if (o.only && strcmp(o.only, "fork") == 0)
		parent_and_children();
	else if (o.only && strcmp(o.only, "inside") == 0)
		inside();
	else if (o.only && (strcmp(o.only, "idle") == 0 || strcmp(o.only, "killed") == 0))
		idle(o.seconds);
	else if (o.only && strcmp(o.only, "exec") == 0)
		execute(argv, o.rounds - 1);
	else if (o.only && strcmp(o.only, "filtered") == 0)
		filtered();
	else
		rates(o.threads < MAX_THREADS ? o.threads : MAX_THREADS);
	if (o.only && strcmp(o.only, "killed") == 0)
		raise(SIGKILL);
	return wl_done(0);
}

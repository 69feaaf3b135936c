/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handlers of signals that interrupt a planted chain, without frame pointers: by raise(), by a
 * fault (amid a function, and in its first instruction, before which no other of the function is),
 * by a timer, on an alternate stack, and one within another.
 */
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#include "st_main.h"

#define SPIN_IN(name)                                                                              \
	WL_FUNC static void name##_spin(void)                                                      \
	{                                                                                          \
		ST_SPIN();                                                                         \
	}

SPIN_IN(raise)
SPIN_IN(fault)
SPIN_IN(first)
SPIN_IN(other)
SPIN_IN(nested)

WL_FUNC static void on_raise(int sig)
{
	ST_LIVE(raise_spin());
	(void)sig;
}

WL_FUNC void raise_mid(void)
{
	ST_LIVE(raise(SIGUSR1));
}

WL_FUNC void raise_top(void)
{
	ST_LIVE(raise_mid());
}

/* A fault of ud2, which is two bytes long, is over when the program goes on behind it. */
static void skip(void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void use(int sig, int flags, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO | flags;
	sigaction(sig, &sa, NULL);
}

WL_FUNC static void on_fault(int sig, siginfo_t *info, void *context)
{
	ST_LIVE(fault_spin());
	skip(context);
	(void)sig;
	(void)info;
}

WL_FUNC void fault_mid(void)
{
	ST_LIVE(__asm__ volatile("ud2" ::: "memory"));
}

WL_FUNC void fault_top(void)
{
	use(SIGILL, 0, on_fault);
	ST_LIVE(fault_mid());
}

WL_FUNC static void on_first(int sig, siginfo_t *info, void *context)
{
	ST_LIVE(first_spin());
	skip(context);
	(void)sig;
	(void)info;
}

/* Its first instruction faults; the byte before it belongs to no function, and to no entry. */
void first_mid(void);
__asm__(".text\n"
	".p2align 4\n"
	".skip 16, 0x90\n"
	".globl first_mid\n"
	".type first_mid, @function\n"
	"first_mid:\n"
	".cfi_startproc\n"
	"ud2\n"
	"ret\n"
	".cfi_endproc\n"
	".size first_mid, .-first_mid\n");

WL_FUNC void first_top(void)
{
	use(SIGILL, 0, on_first);
	ST_LIVE(first_mid());
}

WL_FUNC static void on_other(int sig, siginfo_t *info, void *context)
{
	ST_LIVE(other_spin());
	skip(context);
	(void)sig;
	(void)info;
}

WL_FUNC void other_mid(void)
{
	ST_LIVE(__asm__ volatile("ud2" ::: "memory"));
}

WL_FUNC void other_top(void)
{
	use(SIGILL, SA_ONSTACK, on_other);
	ST_LIVE(other_mid());
}

/* A handler on the alternate stack is interrupted by another, on the same stack. */
WL_FUNC static void on_inner(int sig)
{
	ST_LIVE(nested_spin());
	(void)sig;
}

WL_FUNC static void on_outer(int sig, siginfo_t *info, void *context)
{
	ST_LIVE(raise(SIGUSR2));
	skip(context);
	(void)sig;
	(void)info;
}

WL_FUNC void nested_mid(void)
{
	ST_LIVE(__asm__ volatile("ud2" ::: "memory"));
}

WL_FUNC void nested_top(void)
{
	use(SIGILL, SA_ONSTACK, on_outer);
	ST_LIVE(nested_mid());
}

static volatile int inside, fired;

WL_FUNC static void timer_spin(void)
{
	for (int i = 0; i < 40; i++)
		ST_SPIN();
}

/* Late or early, when the timer's program is elsewhere, nothing is to be seen of it. */
WL_FUNC static void on_timer(int sig)
{
	if (inside)
		ST_LIVE(timer_spin());
	fired = 1;
	(void)sig;
}

WL_FUNC void timer_leaf(void)
{
	inside = 1;
	while (!fired)
		;
	inside = 0;
}

WL_FUNC void timer_mid(void)
{
	ST_LIVE(timer_leaf());
}

WL_FUNC void timer_top(void)
{
	struct itimerval in = {{0, 0}, {0, 1000}};

	fired = 0;
	setitimer(ITIMER_REAL, &in, NULL);
	ST_LIVE(timer_mid());
}

static const struct st_case cases[] = {
	{"stack raise: raise_spin;on_raise;*;raise_mid;raise_top" ST_END, raise_top},
	{"stack fault: fault_spin;on_fault;*;fault_mid;fault_top" ST_END, fault_top},
	{"stack first: first_spin;on_first;*;first_mid;first_top" ST_END, first_top},
	{"stack other: other_spin;on_other;*;other_mid;other_top" ST_END, other_top},
	{"stack nested: nested_spin;on_inner;*;on_outer;*;nested_mid;nested_top" ST_END,
	 nested_top},
	{"stack timer: timer_spin;on_timer;*;timer_leaf;timer_mid;timer_top" ST_END
	 "\nstack timer: timer_leaf;timer_mid;timer_top" ST_END,
	 timer_top},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	static char room[65536];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};

	sigaltstack(&stack, NULL);
	signal(SIGUSR1, on_raise);
	signal(SIGUSR2, on_inner);
	signal(SIGALRM, on_timer);
	return drive(st_begin(argc, argv, cases), cases);
}

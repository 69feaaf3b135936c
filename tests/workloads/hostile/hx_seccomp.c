/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that the kernel kills for a system call too many.
 *
 *   --only strict     SECCOMP_MODE_STRICT: read, write, exit and sigreturn are all there is
 *   --only filter     a filter that kills the process for anything but what it uses
 *
 *   step → inner      200 times
 *   on_ill → leaf     20 times: a signal handler for an instruction that does not exist; it steps
 *                     over it
 *
 * The gate of --wait is behind the point of no return, so that a tracer may come after it.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "hx.h"

static uint64_t n_step, n_inner, n_on_ill, n_leaf;

HX_FUNC uint64_t inner(uint64_t x)
{
	HX_COUNT(n_inner);
	return x * 5 + 1;
}

HX_FUNC uint64_t step(uint64_t x)
{
	HX_COUNT(n_step);
	return inner(x) + 1;
}

HX_FUNC uint64_t leaf(uint64_t x)
{
	HX_COUNT(n_leaf);
	return x + 9;
}

HX_FUNC void on_ill(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)info;
	HX_COUNT(n_on_ill);
	hx_add(leaf((uint64_t)sig));
	c->uc_mcontext.gregs[REG_RIP] += 2;
}

static int filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* What is left of stdio: printf would ask for the kind of file. */
static char text[1024];
static size_t text_len;

static void put(const char *s)
{
	size_t n = strlen(s);

	if (text_len + n < sizeof(text)) {
		memcpy(text + text_len, s, n);
		text_len += n;
	}
}

static void put_number(uint64_t n, unsigned int base, int digits)
{
	char buf[24] = {0};
	int at = sizeof(buf) - 1;

	do {
		buf[--at] = "0123456789abcdef"[n % base];
		n /= base;
		digits--;
	} while (n || digits > 0);
	put(buf + at);
}

static void put_flush(void)
{
	if (write(1, text, text_len) != (ssize_t)text_len)
		hx_wrong = 1;
	text_len = 0;
}

static void say(const char *name, uint64_t count, uint64_t planted)
{
	put("calls ");
	put(name);
	put(" ");
	put_number(count, 10, 1);
	put("\nunwound ");
	put(name);
	put(" 0\n");
	if (count != planted)
		hx_wrong = 1;
}

static void gate(const struct wl_options *o, pid_t pid)
{
	if (!o->wait)
		return;
	put("ready ");
	put_number((uint64_t)pid, 10, 1);
	put("\n");
	put_flush();
	wl_read_line();
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	struct sigaction action = {.sa_sigaction = on_ill, .sa_flags = SA_SIGINFO};
	pid_t pid = getpid();
	int strict = o.only && strcmp(o.only, "strict") == 0;

	sigaction(SIGILL, &action, NULL);
	if ((strict ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) : filter()) != 0) {
		perror("hx_seccomp");
		return 1;
	}
	gate(&o, pid);
	for (uint64_t i = 0; i < 200; i++) {
		hx_mix(step(i));
		if (i % 10 == 0)
			__asm__ volatile("ud2" ::: "memory");
	}
	say("step", n_step, 200);
	say("inner", n_inner, 200);
	say("on_ill", n_on_ill, 20);
	say("leaf", n_leaf, 20);
	put("checksum ");
	put_number(hx_ordered ^ hx_unordered, 16, 16);
	put("\n");
	put_flush();
	/* exit_group, which return would use, is not allowed. */
	syscall(SYS_exit, hx_wrong ? 1 : HX_STATUS);
	return 1;
}

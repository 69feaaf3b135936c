/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New processes by every road. Each of them runs this program again with --leaf, which calls
 * leaf() 5 times and ends with status 7.
 *
 *   spawn_vfork → in_child       15 times: vfork, and in the child, on the parent's stack,
 *                                in_child() → exec_self() → execv
 *   spawn_broken → in_child      5 times: the same with a program that does not exist; the child
 *                                returns from exec_self and in_child and calls _exit
 *   spawn_posix                  15 times: posix_spawn
 *   spawn_fork → in_child        10 times: fork, and in the child exec
 *   leaf                         40 processes: 200 calls
 *
 * in_child is entered in 30 children; those that exec never return from it.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "hx.h"

extern char **environ;

static uint64_t n_vfork, n_broken, n_posix, n_fork;
static volatile uint64_t n_leaf;
static char self[4096];

HX_FUNC int leaf(int i)
{
	n_leaf++;
	return i + 1;
}

HX_FUNC int exec_self(const char *program)
{
	char *argv[] = {self, (char *)"--leaf", NULL};

	return execv(program, argv);
}

HX_FUNC int in_child(const char *program)
{
	return exec_self(program) + 1;
}

static int status_of(pid_t pid)
{
	int status = 0;

	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -2;
	return status;
}

HX_FUNC int spawn_vfork(void)
{
	pid_t pid;

	HX_COUNT(n_vfork);
	pid = vfork();
	if (pid == 0) {
		in_child(self);
		_exit(99);
	}
	return status_of(pid);
}

HX_FUNC int spawn_broken(void)
{
	pid_t pid;

	HX_COUNT(n_broken);
	pid = vfork();
	if (pid == 0)
		_exit(in_child("/nonexistent/program") == 0 ? 88 : 89);
	return status_of(pid);
}

HX_FUNC int spawn_posix(void)
{
	char *argv[] = {self, (char *)"--leaf", NULL};
	pid_t pid;

	HX_COUNT(n_posix);
	if (posix_spawn(&pid, self, NULL, NULL, argv, environ) != 0)
		return -1;
	return status_of(pid);
}

HX_FUNC int spawn_fork(void)
{
	pid_t pid;

	HX_COUNT(n_fork);
	pid = fork();
	if (pid == 0) {
		in_child(self);
		_exit(99);
	}
	return status_of(pid);
}

static int be_leaf(void)
{
	int sum = 0;

	for (int i = 0; i < 5; i++)
		sum += leaf(i);
	return sum == 15 ? 7 : 1;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);

	if (o.leaf)
		return be_leaf();
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	wl_gate(&o);
	for (int i = 0; i < 15; i++) {
		hx_mix((uint64_t)spawn_vfork());
		hx_mix((uint64_t)spawn_posix());
		if (i % 3 == 0)
			hx_mix((uint64_t)spawn_broken());
		if (i % 3)
			hx_mix((uint64_t)spawn_fork());
	}
	hx_calls("spawn_vfork", n_vfork, 15);
	hx_unwound("spawn_vfork", 0, 0);
	hx_calls("spawn_broken", n_broken, 5);
	hx_unwound("spawn_broken", 0, 0);
	hx_calls("spawn_posix", n_posix, 15);
	hx_unwound("spawn_posix", 0, 0);
	hx_calls("spawn_fork", n_fork, 10);
	hx_unwound("spawn_fork", 0, 0);
	return hx_done();
}

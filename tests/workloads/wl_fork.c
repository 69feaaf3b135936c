/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forks and execs with known counts.
 *
 *   the parent      step() 100 times, then forks 3 children
 *   each child      step() 50 times, then executes this program again with --leaf
 *   each of those   leaf() 25 times
 *
 * So step() is called 100 times by the process first known and 150 times by its children; leaf()
 * 75 times by three processes whose image is new.
 *
 * With --wait there are three gates, each opened by a line on stdin (the end of stdin opens all):
 *   "ready PID"            then a line: the parent steps and forks
 *   "forked PID PID PID"   then a line: the children step and execute
 *   "execed PID PID PID"   then a line: the leaves work
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "wl.h"

enum { CHILDREN = 3, LEAF_GATE = 9 /* the descriptor of the last gate, kept across exec */ };

static uint64_t *n_step; /* shared with the children */
static uint64_t n_leaf;

WL_FUNC void step(int i)
{
	__atomic_fetch_add(n_step, 1 + 0 * (uint64_t)i, __ATOMIC_RELAXED);
}

WL_FUNC void leaf(int i)
{
	n_leaf += 1 + 0 * (uint64_t)i;
}

/* Waits until every writing end of the pipe is closed. */
static void pass(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0 || errno == EINTR)
		errno = 0;
}

static int run_leaf(void)
{
	if (fcntl(LEAF_GATE, F_GETFD) >= 0)
		pass(LEAF_GATE);
	for (int i = 0; i < 25; i++)
		leaf(i);
	return n_leaf == 25 ? 0 : 1;
}

static void child(int gate)
{
	pass(gate);
	for (int i = 0; i < 50; i++)
		step(i);
	execl("/proc/self/exe", "wl_fork", "--leaf", (char *)NULL);
	_exit(127);
}

static void announce(const struct wl_options *o, const char *what, const pid_t *pids)
{
	if (!o->wait)
		return;
	printf("%s", what);
	for (int i = 0; i < CHILDREN; i++)
		printf(" %d", (int)pids[i]);
	printf("\n");
	fflush(stdout);
	wl_read_line();
}

/* The three children, two gates and the news that all have executed. Returns how many failed. */
static int family(const struct wl_options *o)
{
	int gate[2], leaf_gate[2], execed[2], wrong = 0;
	pid_t pids[CHILDREN];

	if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(leaf_gate, O_CLOEXEC) < 0 ||
	    pipe2(execed, O_CLOEXEC) < 0)
		return 1;
	fflush(stdout);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return 1;
		if (pids[i] == 0) {
			close(gate[1]);
			/* dup2() leaves close-on-exec behind: this one end survives the exec. */
			if (dup2(leaf_gate[0], LEAF_GATE) < 0)
				_exit(127);
			close(leaf_gate[1]);
			child(gate[0]);
		}
	}
	close(execed[1]);
	announce(o, "forked", pids);
	close(gate[1]);
	/* Every child's copy of execed[1] is closed by its exec. */
	pass(execed[0]);
	announce(o, "execed", pids);
	close(leaf_gate[1]);
	for (int i = 0; i < CHILDREN; i++) {
		int status = -1;

		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
			;
		wrong += wl_count(o, "leaf process that failed", status != 0, 0) | (status != 0);
	}
	return wrong;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	int wrong;

	if (o.leaf)
		return run_leaf();
	n_step = mmap(NULL, sizeof(*n_step), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (n_step == MAP_FAILED)
		return 1;
	wl_gate(&o);
	for (int i = 0; i < 100; i++)
		step(i);
	wrong = wl_count(&o, "step of the parent", *n_step, 100);
	wrong += family(&o);
	wrong += wl_count(&o, "step", *n_step, 250);
	return wl_done(wrong);
}

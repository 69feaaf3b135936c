/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that are gone by the time that they are looked at. */
#include <criterion/criterion.h>
#include <sys/wait.h>

#include "probe/target.h"

/* A child that has ended and is not waited for. */
static pid_t make_zombie(void)
{
	pid_t pid = fork();
	siginfo_t info;

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

Test(target, one_that_was_named_must_be_there)
{
	const pid_t pids[] = {getpid(), make_zombie()};
	const struct probe_target target = {.pids = pids, .n_pids = 2};
	struct target_files files = {};
	struct error e = {};

	cr_expect_eq(target_list(&target, &files, &e), -ESRCH);
	cr_expect_str_eq(e.name, "NoSuchProcess");
	cr_expect_eq(files.n, 0);
}

Test(target, those_that_were_selected_are_passed_over)
{
	/* No number is as large as the second. */
	const pid_t pids[] = {make_zombie(), 1 << 30, getpid()};
	const struct probe_target target = {.pids = pids, .n_pids = 3, .selected = true};
	_cleanup_(target_files_release) struct target_files files = {};
	struct error e = {};

	cr_expect_eq(target_check(&target, &e), 0);
	cr_assert_eq(target_list(&target, &files, &e), 0, "%s", e.message);
	cr_expect_str_empty(e.name);
	cr_assert_gt(files.n, 1, "the executable and its libraries");
	for (size_t i = 0; i < files.n; i++)
		cr_expect_eq(files.items[i].pid, getpid());
}

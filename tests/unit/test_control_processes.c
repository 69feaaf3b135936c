/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where processes are: read from /proc while they are there, else as their parent. */
#include <criterion/criterion.h>

#include "control/processes.h"
#include "model/container.h"
#include "sonde/base/format.h"

/* No process has such a number: the largest that can be is 2^22. */
enum { GONE = 1 << 30 };

static struct model *m;
static struct processes *p;

static void begin(void)
{
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(processes_new(m, NULL, &p), 0);
	processes_track_all(p, true);
}

static void end(void)
{
	processes_free(p);
	model_free(m);
}

TestSuite(processes, .init = begin, .fini = end);

static struct model_process *process(uint32_t id)
{
	struct model_process *found = model_process_get(m, id);

	cr_assert(found);
	return found;
}

static void become(uint32_t id, const char *cgroup, const char *container, uint32_t ns_pid)
{
	uint32_t strings[] = {model_string(m, cgroup), model_string(m, container)};

	process(id)->cgroup = strings[0];
	process(id)->container = strings[1];
	process(id)->ns_pid = ns_pid;
}

static void expect(uint32_t id, const char *cgroup, const char *container, uint32_t ns_pid)
{
	cr_expect_str_eq(model_string_get(m, process(id)->cgroup), cgroup);
	cr_expect_str_eq(model_string_get(m, process(id)->container), container);
	cr_expect_eq(process(id)->ns_pid, ns_pid);
}

static uint32_t forked(uint32_t parent, uint32_t pid)
{
	struct record_fork r = {
		.h.kind = RECORD_FORK, .parent_pid = parent, .pid = pid, .comm = "child"};

	processes_fork(p, &r);
	return model_process_find(m, pid);
}

/* What this process itself finds. */
static char *own_cgroup(struct cgroup_place *ret)
{
	char *text = NULL;

	cr_assert_eq(read_file("/proc/self/cgroup", 65536, &text, NULL) < 0, 0);
	cgroup_parse(text, ret);
	return text;
}

Test(processes, one_that_runs_is_read)
{
	_cleanup_(freep) char *text = NULL;
	struct cgroup_place own;
	uint32_t id = processes_find(p, (uint32_t)getpid());

	text = own_cgroup(&own);
	expect(id, own.path, own.container, 0);
}

Test(processes, a_child_that_is_gone_is_where_its_parent_was)
{
	struct record_exec exec = {.h.kind = RECORD_EXEC, .pid = GONE, .comm = "other"};
	uint32_t parent = processes_find(p, (uint32_t)getpid()), child;

	become(parent, "/lxc.payload.web", "web", 7);
	child = forked((uint32_t)getpid(), GONE);
	cr_assert(child && child != parent);
	expect(child, "/lxc.payload.web", "web", 0);
	processes_exec(p, &exec);
	cr_expect_str_eq(model_string_get(m, process(child)->comm), "other");
	expect(child, "/lxc.payload.web", "web", 0);
}

Test(processes, one_that_executes_is_read_again)
{
	struct record_exec exec = {.h.kind = RECORD_EXEC, .pid = (uint32_t)getpid()};
	uint32_t id = processes_find(p, (uint32_t)getpid());
	_cleanup_(freep) char *text = NULL;
	struct cgroup_place own;

	become(id, "/lxc.payload.web", "web", 7);
	processes_exec(p, &exec);
	text = own_cgroup(&own);
	expect(model_process_find(m, (uint32_t)getpid()), own.path, own.container, 0);
}

Test(processes, one_that_was_moved_is_read_when_asked_for)
{
	uint32_t id = processes_find(p, (uint32_t)getpid());
	_cleanup_(freep) char *text = NULL;
	struct cgroup_place own;

	become(id, "/lxc.payload.web", "web", 0);
	cr_expect_eq(processes_find(p, (uint32_t)getpid()), id);
	expect(id, "/lxc.payload.web", "web", 0);
	cr_expect_eq(processes_find_placed(p, (uint32_t)getpid()), id);
	text = own_cgroup(&own);
	expect(id, own.path, own.container, 0);
}

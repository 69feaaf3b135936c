/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the collector share: children that end with the test, maps, a log of records.
 */
#ifndef SONDE_TESTS_COLLECT_HELP_H
#define SONDE_TESTS_COLLECT_HELP_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/file.h>

#include <bpf/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "collect/collector.h"
#include "collect/record_check.h"

/* Skips, with the reason, where the kernel does not let this process do it; else it must work. */
static _unused_ struct kernel_side *open_kernel(size_t ring_bytes)
{
	struct kernel_side *k = NULL;
	struct error e = {};
	char ns[64] = "";
	int r = kernel_side_open(ring_bytes, &e, &k);

	if (r == -EPERM || r == -EACCES)
		cr_skip_test("%s", e.message);
	cr_assert_eq(r, 0, "%s: %s", e.name, e.message);
	cr_assert_gt(readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1), 0);
	if (!streq(ns, "pid:[4026531836]"))
		cr_skip_test("records have numbers of the initial PID namespace, this is %s", ns);
	return k;
}

/* The descriptor of a map this process holds, by name: the module does not hand them out. */
static _unused_ int find_map(const char *name)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct bpf_map_info info = {};
		uint32_t len = sizeof(info);
		char path[64], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) < 0 || !strstr(target, "bpf-map"))
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && streq(info.name, name))
			return fd;
	}
	cr_assert_fail("no map is called %s", name);
	return -1;
}

/* In a child, at once: it does not outlive the test. */
static _unused_ void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(99);
}

static _unused_ void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(pid, sizeof(set), &set);
}

/* A child that does nothing but end with a status. */
static _unused_ pid_t short_child(int status)
{
	pid_t parent = getpid(), pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		die_with(parent);
		_exit(status);
	}
	return pid;
}

static _unused_ int reap(pid_t pid)
{
	int status = -1;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* All records since the collector was started, in the order in which it handed them on. */
struct record_log {
	void **records;
	size_t n, cap;
	uint64_t bytes;
};

static _unused_ void log_one(void *arg, const void *record, size_t size)
{
	struct record_log *log = arg;

	cr_assert(record_valid(record, size), "an invalid record of %zu bytes got through", size);
	cr_assert_eq(array_reserve(&log->records, &log->cap, log->n + 1, sizeof(*log->records)), 0);
	log->records[log->n] = malloc(size);
	cr_assert_not_null(log->records[log->n]);
	memcpy(log->records[log->n++], record, size);
	log->bytes += size;
}

static _unused_ void log_take(struct collector *c, struct record_log *log)
{
	struct batch *b;

	while ((b = collector_take(c))) {
		batch_each(b, log_one, log);
		free(b);
	}
}

/* Everything that has happened until now is in the log afterwards. */
static _unused_ void log_sync(struct collector *c, struct record_log *log)
{
	uint64_t position = collector_position(c);
	int r;

	while ((r = collector_flush(c, position, 2000)) == -EAGAIN)
		log_take(c, log);
	cr_assert_eq(r, 0, "flush: %s", strerror(-r));
	log_take(c, log);
}

static _unused_ void log_free(struct record_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		free(log->records[i]);
	free(log->records);
	*log = (struct record_log){};
}

/* The process a record is about: the field is not at the same place in all kinds. */
static _unused_ uint32_t record_pid(const void *record)
{
	const struct record_header *h = record;

	if (h->kind == RECORD_FORK)
		return ((const struct record_fork *)record)->pid;
	return ((const struct record_exit *)record)->pid;
}

/* The index of the first record of that kind and process from `from` on, or the log's length. */
static _unused_ size_t log_find(const struct record_log *log, int kind, pid_t pid, size_t from)
{
	while (from < log->n) {
		const struct record_header *h = log->records[from];

		if (h->kind == kind && record_pid(h) == (uint32_t)pid)
			break;
		from++;
	}
	return from;
}

static _unused_ const void *log_get(const struct record_log *log, int kind, pid_t pid)
{
	size_t at = log_find(log, kind, pid, 0);

	cr_assert_lt(at, log->n, "no record of kind %d for process %d among %zu", kind, pid,
		     log->n);
	return log->records[at];
}

static _unused_ size_t log_count(const struct record_log *log, int kind, pid_t pid)
{
	size_t n = 0;

	for (size_t at = log_find(log, kind, pid, 0); at < log->n;
	     at = log_find(log, kind, pid, at + 1))
		n++;
	return n;
}

/*
 * What one test does to the machine, the others see in their events: they run one at a time. The
 * lock goes with the test's process.
 */
static _unused_ void take_turn(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
}

#endif

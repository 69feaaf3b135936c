/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The collector against real processes. Needs root, else it is skipped. */
#include "collect_help.h"

#include <sys/stat.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "sonde/base/format.h"

struct live {
	struct kernel_side *kernel;
	struct collector *collector;
	struct record_log log;
};

static struct live live_start(void)
{
	struct live l = {.kernel = open_kernel(1 << 22)};
	struct error e = {};

	cr_assert_eq(collector_start(l.kernel, &e, &l.collector), 0, "%s: %s", e.name, e.message);
	return l;
}

static void live_stop(struct live *l)
{
	struct collector_stats s;

	collector_stats(l->collector, &s);
	cr_expect_eq(s.invalid, 0, "%lu records were not what record.h says", s.invalid);
	collector_free(l->collector);
	kernel_side_free(l->kernel);
	log_free(&l->log);
}

/* A child that waits for a byte and then runs a program, as another user if told so. */
static pid_t exec_child(const char *path, uid_t uid, int *ret_go)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		char byte;

		die_with(parent);
		pin(0, 0);
		close(fds[1]);
		if (uid && setuid(uid) < 0)
			_exit(98);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of the user clears it */
		if (read(fds[0], &byte, 1) != 1)
			_exit(97);
		execl(path, path, NULL);
		_exit(96);
	}
	close(fds[0]);
	*ret_go = fds[1];
	return pid;
}

static void go(int fd)
{
	cr_assert_eq(write(fd, "x", 1), 1);
	close(fd);
}

/* When a process started, as /proc has it: hundredths of a second of CLOCK_BOOTTIME. */
static uint64_t proc_start_ns(pid_t pid)
{
	_cleanup_(freep) char *text = NULL;
	unsigned long long ticks = 0;
	const char *at;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	cr_assert_eq(read_file(path, 4096, &text, NULL), 0);
	at = strrchr(text, ')');
	cr_assert_not_null(at);
	cr_assert_eq(sscanf(at + 2,
			    "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
			    "%*d %*d %*d %*d %llu",
			    &ticks),
		     1);
	return ticks * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void check_maps(const struct record_log *log, pid_t pid)
{
	size_t found = 0;
	struct stat st;

	cr_assert_eq(stat("/usr/bin/true", &st), 0);
	for (size_t at = 0; (at = log_find(log, RECORD_MMAP, pid, at)) < log->n; at++) {
		const struct record_mmap *m = log->records[at];

		cr_expect_gt(m->length, 0);
		cr_expect_eq(m->address % 4096, 0);
		if (m->path_len != strlen("/usr/bin/true") ||
		    memcmp(m->path, "/usr/bin/true", m->path_len))
			continue;
		found++;
		cr_expect_eq(m->inode, st.st_ino);
	}
	cr_expect_eq(found, 1, "/usr/bin/true has one executable mapping, not %zu", found);
}

TestSuite(collect_live, .init = take_turn);

Test(collect_live, life_of_a_process)
{
	struct live l = live_start();
	const uid_t nobody = 65534;
	uint64_t before = now_monotonic_ns(), start;
	const struct record_fork *f;
	const struct record_image *i;
	const struct record_exec *e;
	const struct record_exit *x;
	size_t image, map, exec, end;
	int fd;
	pid_t pid = exec_child("/bin/true", nobody, &fd);

	start = proc_start_ns(pid);
	go(fd);
	cr_assert_eq(reap(pid), 0);
	log_sync(l.collector, &l.log);
	f = log_get(&l.log, RECORD_FORK, pid);
	i = log_get(&l.log, RECORD_IMAGE, pid);
	e = log_get(&l.log, RECORD_EXEC, pid);
	x = log_get(&l.log, RECORD_EXIT, pid);
	cr_expect_eq(f->parent_pid, getpid());
	cr_expect_eq(f->h.flags, 0, "the parent is no target");
	cr_expect_eq(f->uid, geteuid(), "it became %u", f->uid);
	cr_expect_geq(f->start_ns, start);
	cr_expect_lt(f->start_ns - start, 10 * NSEC_PER_MSEC, "%lu and /proc's %lu", f->start_ns,
		     start);
	cr_expect_str_eq(e->comm, "true");
	cr_expect_str_eq(e->filename, "/bin/true");
	cr_expect_eq(e->uid, nobody);
	cr_expect_eq(e->start_ns, f->start_ns, "with the pid it names the process");
	cr_expect_eq(x->status, 0);
	cr_expect(before <= f->time_ns && f->time_ns < i->time_ns && i->time_ns < e->time_ns &&
		  e->time_ns < x->time_ns && x->time_ns < now_monotonic_ns());
	check_maps(&l.log, pid);
	image = log_find(&l.log, RECORD_IMAGE, pid, 0);
	map = log_find(&l.log, RECORD_MMAP, pid, 0);
	exec = log_find(&l.log, RECORD_EXEC, pid, 0);
	end = log_find(&l.log, RECORD_EXIT, pid, 0);
	cr_expect_lt(image, map, "the first mapping is before the image it is in");
	cr_expect_lt(exec, end);
	cr_expect_lt(map, end);
	for (int kind = RECORD_FORK; kind <= RECORD_EXIT; kind++)
		cr_expect_eq(log_count(&l.log, kind, pid), 1, "kind %d", kind);
	live_stop(&l);
}

/* In the order of time: what is applied as it comes must end up as the process did. */
static void check_order(const struct record_log *log, pid_t pid)
{
	uint64_t last = 0;

	for (size_t i = 0; i < log->n; i++) {
		const struct record_header *h = log->records[i];
		uint64_t time = h->kind == RECORD_IMAGE	 ? ((const struct record_image *)h)->time_ns
				: h->kind == RECORD_MMAP ? ((const struct record_mmap *)h)->time_ns
							 : 0;

		if (!time || record_pid(h) != (uint32_t)pid)
			continue;
		cr_assert_geq(time, last, "a record of kind %u comes %lu ns too late", h->kind,
			      last - time);
		last = time;
	}
}

/* Runs a program that begins on one CPU and moves itself to another; its buffer is another too. */
static void order_across_cpus(char *const argv[], int cpu, size_t images)
{
	pid_t parent = getpid();
	struct live l;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		cr_skip_test("needs two CPUs");
	if (access(argv[0], X_OK) < 0)
		cr_skip_test("needs %s", argv[0]);
	l = live_start();
	for (int n = 0; n < 10; n++) {
		pid_t pid = fork();

		if (pid == 0) {
			die_with(parent);
			pin(0, cpu);
			execv(argv[0], argv);
			_exit(96);
		}
		cr_assert_eq(reap(pid), 0);
		log_sync(l.collector, &l.log);
		cr_assert_eq(log_count(&l.log, RECORD_IMAGE, pid), images);
		check_order(&l.log, pid);
		log_free(&l.log);
	}
	live_stop(&l);
}

/* Two execs, so that mappings of the first must not come after the image of the second. */
Test(collect_live, order_of_images_to_a_higher_cpu)
{
	order_across_cpus((char *[]){"/usr/bin/taskset", "-c", "1", "/bin/true", NULL}, 0, 2);
}

Test(collect_live, order_of_images_to_a_lower_cpu)
{
	order_across_cpus((char *[]){"/usr/bin/taskset", "-c", "0", "/bin/true", NULL}, 1, 2);
}

/* One exec: a library that is mapped after the move must not come before the image it is in. */
Test(collect_live, order_of_mappings_to_a_lower_cpu)
{
	order_across_cpus((char *[]){"/usr/bin/python3", "-ISc",
				     "import os; os.sched_setaffinity(0, {0}); import _ctypes",
				     NULL},
			  1, 1);
}

Test(collect_live, exit_status)
{
	struct live l = live_start();
	pid_t seven = short_child(7), killed, parent = getpid();
	const struct record_exit *x;

	killed = fork();
	if (killed == 0) {
		die_with(parent);
		for (;;)
			pause();
	}
	kill(killed, SIGTERM);
	(void)reap(seven);
	(void)reap(killed);
	log_sync(l.collector, &l.log);
	x = log_get(&l.log, RECORD_EXIT, seven);
	cr_expect(WIFEXITED(x->status) && WEXITSTATUS(x->status) == 7, "%d", x->status);
	x = log_get(&l.log, RECORD_EXIT, killed);
	cr_expect(WIFSIGNALED(x->status) && WTERMSIG(x->status) == SIGTERM, "%d", x->status);
	live_stop(&l);
}

static void *no_work(void *arg)
{
	return arg;
}

static void *wait_long(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A thread is no process: one fork, and one exit with the last thread. */
Test(collect_live, threads_are_no_processes)
{
	pid_t parent = getpid(), pid;
	const struct record_exit *x;
	int fds[2];
	struct live l;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	/* Forked while there is one thread: the child may make threads of its own. */
	pid = fork();
	if (pid == 0) {
		pthread_t t[4];
		char byte;

		die_with(parent);
		close(fds[1]);
		if (read(fds[0], &byte, 1) != 1)
			_exit(97);
		for (int i = 0; i < 4; i++)
			if (pthread_create(&t[i], NULL, i < 2 ? no_work : wait_long, NULL) != 0)
				_exit(95);
		pthread_join(t[0], NULL);
		pthread_join(t[1], NULL);
		_exit(5);
	}
	close(fds[0]);
	l = live_start();
	go(fds[1]);
	cr_expect_eq(reap(pid), 5 << 8);
	log_sync(l.collector, &l.log);
	for (size_t i = 0; i < l.log.n; i++) {
		const struct record_fork *f = l.log.records[i];

		cr_expect_not(f->h.kind == RECORD_FORK && f->parent_pid == (uint32_t)pid,
			      "a thread was taken for the process %u", f->pid);
	}
	cr_expect_eq(log_count(&l.log, RECORD_EXIT, pid), 1);
	x = log_get(&l.log, RECORD_EXIT, pid);
	cr_expect_eq(x->status, 5 << 8);
	live_stop(&l);
}

static void *spin_long(void *arg)
{
	while (!*(volatile int *)arg)
		;
	return arg;
}

/* Threads that end at the same time on several CPUs may each see that none is left. */
Test(collect_live, an_end_is_told_once)
{
	enum { ROUNDS = 4000, THREADS = 3 }; /* or as many as 2 s allow */
	static int never;
	pid_t pids[ROUNDS];
	struct live l = live_start();
	uint64_t end_ns = now_monotonic_ns() + 2 * NSEC_PER_SEC;
	int n = 0;

	for (; n < ROUNDS && now_monotonic_ns() < end_ns; n++) {
		pid_t parent = getpid();

		pids[n] = fork();
		if (pids[n] == 0) {
			pthread_t t;

			die_with(parent);
			for (int k = 0; k < THREADS; k++)
				if (pthread_create(&t, NULL, spin_long, &never) != 0)
					_exit(95);
			_exit(5);
		}
		cr_assert_eq(reap(pids[n]), 5 << 8);
	}
	log_sync(l.collector, &l.log);
	for (int i = 0; i < n; i++)
		cr_expect_eq(log_count(&l.log, RECORD_EXIT, pids[i]), 1, "process %d of %d", i, n);
	live_stop(&l);
}

/* Forks a child that forks one that ends with status 3; all are children of the target or none. */
static pid_t child_with_grandchild(void)
{
	pid_t parent = getpid(), pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int status = 0;
		pid_t self = getpid(), grandchild;

		die_with(parent);
		grandchild = fork();
		if (grandchild == 0) {
			die_with(self);
			_exit(3);
		}
		waitpid(grandchild, &status, 0);
		_exit(WEXITSTATUS(status) == 3 ? 0 : 1);
	}
	return pid;
}

static const struct record_fork *fork_by(const struct record_log *log, pid_t parent)
{
	for (size_t i = 0; i < log->n; i++) {
		const struct record_fork *f = log->records[i];

		if (f->h.kind == RECORD_FORK && f->parent_pid == (uint32_t)parent)
			return f;
	}
	cr_assert_fail("process %d has forked nothing", parent);
	return NULL;
}

Test(collect_live, children_of_targets_follow)
{
	struct live l = live_start();
	uint32_t slot = 99, pid = getpid();
	int targets = find_map("targets");
	uint64_t mask = 0;
	pid_t stray, followed, after, waiting;
	int fd;

	stray = child_with_grandchild();
	cr_assert_eq(reap(stray), 0);
	cr_assert_eq(kernel_side_take_slot(l.kernel, &slot), 0);
	cr_assert_eq(kernel_side_take_slot(l.kernel, &slot), 0);
	cr_assert_eq(kernel_side_add_target(l.kernel, slot, pid), 0);
	followed = child_with_grandchild();
	cr_assert_eq(reap(followed), 0);
	waiting = exec_child("/bin/true", 0, &fd);
	cr_expect_eq(bpf_map_lookup_elem(targets, &waiting, &mask), 0);
	cr_expect_eq(mask, 1ULL << slot, "a mask of %lx", mask);
	go(fd);
	cr_assert_eq(reap(waiting), 0);
	cr_expect_lt(bpf_map_lookup_elem(targets, &waiting, &mask), 0,
		     "still a target after its end");
	kernel_side_release_slot(l.kernel, slot);
	after = child_with_grandchild();
	cr_assert_eq(reap(after), 0);
	log_sync(l.collector, &l.log);
	cr_expect_eq(((const struct record_fork *)log_get(&l.log, RECORD_FORK, stray))->h.flags, 0);
	cr_expect_eq(fork_by(&l.log, stray)->h.flags, 0);
	cr_expect_eq(((const struct record_fork *)log_get(&l.log, RECORD_FORK, followed))->h.flags,
		     FORK_FOLLOWED);
	cr_expect_eq(fork_by(&l.log, followed)->h.flags, FORK_FOLLOWED, "the grandchild");
	cr_expect_eq(((const struct record_fork *)log_get(&l.log, RECORD_FORK, after))->h.flags, 0,
		     "the slot was given back");
	live_stop(&l);
}

/* Nothing that happened before a position is missing after its flush, 200 times. */
Test(collect_live, flush_leaves_nothing_behind)
{
	struct live l = live_start();
	struct collector_stats s;
	uint64_t start = now_monotonic_ns(), mappings = 0;

	for (int n = 0; n < 200; n++) {
		pid_t pid = short_child(n & 127);
		void *code =
			mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		cr_assert_neq(code, MAP_FAILED);
		cr_assert_eq(reap(pid), (n & 127) << 8);
		log_sync(l.collector, &l.log);
		cr_assert_eq(log_count(&l.log, RECORD_FORK, pid), 1, "round %d", n);
		cr_assert_eq(
			((const struct record_exit *)log_get(&l.log, RECORD_EXIT, pid))->status,
			(n & 127) << 8);
		for (size_t at = 0; (at = log_find(&l.log, RECORD_MMAP, getpid(), at)) < l.log.n;
		     at++)
			mappings += ((const struct record_mmap *)l.log.records[at])->address ==
				    (uintptr_t)code;
		cr_assert_eq(mappings, n + 1, "round %d: a mapping is missing", n);
		munmap(code, 4096);
		/* The next round counts from here: numbers of processes and addresses come again.
		 */
		mappings = n + 1;
		log_free(&l.log);
	}
	collector_stats(l.collector, &s);
	cr_expect_geq(s.records, 200 * 3);
	cr_expect_geq(s.bytes, 200 * (sizeof(struct record_fork) + sizeof(struct record_exit)));
	cr_expect_geq(s.wakeups, 200);
	cr_expect_gt(s.cpu_ns, 0);
	cr_expect_lt(s.cpu_ns, now_monotonic_ns() - start);
	cr_expect_eq(s.queue_full, 0);
	cr_expect_eq(s.lost_maps, 0);
	live_stop(&l);
}

/* Every record is counted once, and a batch makes the descriptor readable until it is taken. */
Test(collect_live, counts_what_it_hands_on)
{
	struct live l = live_start();
	struct collector_stats s;
	uint64_t count = 0, position;

	for (int n = 0; n < 20; n++)
		(void)reap(short_child(0));
	position = collector_position(l.collector);
	cr_assert_eq(collector_flush(l.collector, position, 2000), 0);
	cr_expect_eq(read(collector_fd(l.collector), &count, sizeof(count)), sizeof(count));
	collector_set_prompt(l.collector, true);
	collector_set_prompt(l.collector, true);
	for (int n = 0; n < 20; n++)
		(void)reap(short_child(0));
	log_sync(l.collector, &l.log);
	/* Others on the machine may add some between the two: what is left is taken after. */
	collector_stats(l.collector, &s);
	log_take(l.collector, &l.log);
	cr_expect_geq(l.log.n, 80);
	cr_expect_leq(s.records, l.log.n);
	cr_expect_geq(s.records, 80);
	cr_expect_geq(s.bytes, 40 * (64 + 32),
		      "with the ring's headers a fork takes 64, an exit 32");
	live_stop(&l);
}

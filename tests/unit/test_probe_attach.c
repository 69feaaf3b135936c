/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachment to real processes, with exact counts. Needs root, else it is skipped. */
#include "probe_help.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "probe/attach.h"
#include "probe/link.h"
#include "sonde/base/format.h"

struct counters {
	int entry_map, ret_map, session_map;
	struct attach_programs programs;
};

/* A program that adds one to the element of its attach cookie in an array map. */
static int load_counter(int map, int attach_type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
	const struct bpf_insn program[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie},
		{.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 10, .src_reg = 0, .off = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 2, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "count", "GPL", program, ARRAY_SIZE(program),
			     &opts);
}

static struct counters counters_load(enum attach_mode mode)
{
	int type = mode == ATTACH_MULTI ? LINK_UPROBE_MULTI : 0;
	struct counters c = {.programs = {-1, -1, -1, -1, -1, -1}};

	c.entry_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "entries", 4, 8, 32768, NULL);
	c.ret_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "returns", 4, 8, 32768, NULL);
	cr_assert_geq(c.entry_map, 0);
	if (mode == ATTACH_SESSION) {
		c.programs.session = load_counter(c.entry_map, LINK_UPROBE_SESSION);
		cr_assert_geq(c.programs.session, 0);
		return c;
	}
	c.programs.entry = load_counter(c.entry_map, type);
	c.programs.ret = load_counter(c.ret_map, type);
	cr_assert_geq(c.programs.entry, 0);
	cr_assert_geq(c.programs.ret, 0);
	return c;
}

static uint64_t count_of(int map, const struct probe_set *set, const char *symbol)
{
	const struct probe_point *p = find_point(set, symbol);
	uint32_t key;
	uint64_t n = 0;

	cr_assert_not_null(p, "%s", symbol);
	key = p - set->points;
	cr_assert_eq(bpf_map_lookup_elem(map, &key, &n), 0);
	return n;
}

static uint64_t count_all(int map, const struct probe_set *set)
{
	uint64_t all = 0;

	for (uint32_t key = 0; key < set->n; key++) {
		uint64_t n = 0;

		bpf_map_lookup_elem(map, &key, &n);
		all += n;
	}
	return all;
}

/* A child that calls the functions when it is told to: n and then one byte back. */
struct worker {
	pid_t pid;
	int to, from;
};

static void *thread_calls(void *arg)
{
	for (int i = 0; i < *(int *)arg; i++)
		probe_test_f0(i);
	return NULL;
}

static void worker_calls(int n)
{
	int value = 0;
	pthread_t thread;

	for (int i = 0; i < n; i++) {
		probe_test_f0(i);
		probe_test_f1(i);
		probe_test_f1(i);
		probe_test_endbr(i);
		probe_test_lock(&value);
	}
	pthread_create(&thread, NULL, thread_calls, &n);
	pthread_join(thread, NULL);
}

/* Commands: a positive number of rounds, or 0: fork a child that serves in its place meanwhile. */
static void worker_serve(int in, int out)
{
	int n;

	while (read(in, &n, sizeof(n)) == sizeof(n)) {
		if (n == 0) {
			pid_t child = fork();

			if (child == 0)
				continue;
			cr_assert_eq(write(out, &child, sizeof(child)), sizeof(child));
			waitpid(child, NULL, 0);
			continue;
		}
		worker_calls(n);
		if (write(out, &n, sizeof(n)) != sizeof(n))
			break;
	}
	_exit(0);
}

static struct worker worker_start(void)
{
	int to[2], from[2];
	struct worker w;

	cr_assert_eq(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
	w.pid = fork();
	cr_assert_geq(w.pid, 0);
	if (w.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		worker_serve(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	w.to = to[1];
	w.from = from[0];
	return w;
}

static int worker_do(struct worker *w, int n)
{
	struct pollfd p = {.fd = w->from, .events = POLLIN};
	int answer = -1;

	cr_assert_eq(write(w->to, &n, sizeof(n)), sizeof(n));
	cr_assert_eq(poll(&p, 1, 30000), 1, "the worker does not answer");
	cr_assert_eq(read(w->from, &answer, sizeof(answer)), sizeof(answer), "the worker died");
	return answer;
}

static void worker_stop(struct worker *w)
{
	int status;

	close(w->to);
	cr_assert_eq(waitpid(w->pid, &status, 0), w->pid);
	cr_expect_eq(status, 0, "the worker ended with %x", status);
	close(w->from);
}

/* Whether the page of a function in a process is as in the file (this process was forked from). */
static bool text_is_intact(pid_t pid, const void *function, const struct probe_set *set,
			   const char *symbol)
{
	unsigned char memory[4096], file[4096];
	const struct probe_point *p = find_point(set, symbol);
	uint64_t offset = p->offset - p->skipped;
	uintptr_t page = (uintptr_t)function & ~4095UL;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pread(fd, memory, sizeof(memory), page), sizeof(memory));
	close(fd);
	cr_assert_eq(pread(set->files[p->file].fd, file, sizeof(file), offset & ~4095UL), 4096);
	return memcmp(memory, file, sizeof(file)) == 0;
}

/* Has the point be at another function of this binary: places that resolving would not take. */
static void misplace(struct probe_set *set, const char *symbol, const void *function)
{
	const struct probe_point *base = find_point(set, "probe_test_endbr");

	for (size_t i = 0; i < set->n; i++)
		if (streq(set->points[i].symbol, symbol))
			set->points[i].offset = base->offset - base->skipped +
						((uintptr_t)function - (uintptr_t)probe_test_endbr);
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip("attaching needs root");
	lock_own_code();
}

static void attach_and_count(enum attach_mode mode, pid_t filter_all)
{
	enum { ROUNDS = 1000 };
	struct counters c = counters_load(mode);
	struct worker w = worker_start();
	struct probe_target t = of_pid(&w.pid);
	_cleanup_(probe_set_freep) struct probe_set *set =
		resolve_ok(&t, "probe_test_*", "!probe_test_only_endbr", NULL);
	uint64_t twice = mode == ATTACH_SESSION ? 2 : 1;
	struct attachment *a = NULL;
	struct error e = {};
	char *const *left_out;
	size_t n;

	misplace(set, "probe_test_f3", probe_test_lock);
	misplace(set, "probe_test_f4", probe_test_hlt);
	cr_assert_eq(attachment_new(&c.programs, mode, set, filter_all ? 0 : w.pid, &a, &e), 0,
		     "%s: %s", e.name, e.message);
	left_out = attachment_left_out(a, &n);
	cr_assert_eq(n, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect(startswith(left_out[i], "probe_test_f3: the kernel cannot probe") ||
				  startswith(left_out[i], "probe_test_f4: the kernel cannot probe"),
			  "%s", left_out[i]);
	cr_expect_str_neq(left_out[0], left_out[1]);
	cr_expect(attachment_is_left_out(a, find_point(set, "probe_test_f4") - set->points));
	cr_expect(attachment_is_left_out(a, find_point(set, "probe_test_f3") - set->points));
	cr_expect(!attachment_is_left_out(a, find_point(set, "probe_test_f0") - set->points));
	cr_expect(!text_is_intact(w.pid, probe_test_f0, set, "probe_test_f0"));
	cr_expect_eq(text_is_intact(getpid(), probe_test_f0, set, "probe_test_f0"), !filter_all);

	worker_do(&w, ROUNDS);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f0"), 2 * ROUNDS * twice,
		     "threads are covered");
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f1"), 2 * ROUNDS * twice);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_endbr"), ROUNDS * twice);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f3"), 0);
	if (mode != ATTACH_SESSION) {
		cr_expect_eq(count_of(c.ret_map, set, "probe_test_f0"), 2 * ROUNDS);
		cr_expect_eq(count_of(c.ret_map, set, "probe_test_f1"), 2 * ROUNDS);
		cr_expect_eq(count_of(c.ret_map, set, "probe_test_endbr"), ROUNDS);
	}

	a = attachment_free(a);
	cr_expect_eq(attach_reaper_wait(90000), 0);
	cr_expect_eq(attach_reaper_pending(), 0);
	cr_expect(text_is_intact(w.pid, probe_test_f0, set, "probe_test_f0"));
	cr_expect(text_is_intact(w.pid, probe_test_endbr, set, "probe_test_endbr"));
	worker_do(&w, ROUNDS);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f0"), 2 * ROUNDS * twice);
	worker_stop(&w);
}

Test(attach, multi, .timeout = 120)
{
	need_root();
	if (attach_probe_multi() < 0)
		cr_skip("this kernel has no multi links");
	attach_and_count(ATTACH_MULTI, 0);
}

Test(attach, multi_every_process, .timeout = 120)
{
	need_root();
	if (attach_probe_multi() < 0)
		cr_skip("this kernel has no multi links");
	attach_and_count(ATTACH_MULTI, 1);
}

Test(attach, session, .timeout = 120)
{
	need_root();
	if (attach_probe_session() < 0)
		cr_skip("this kernel has no session links");
	attach_and_count(ATTACH_SESSION, 0);
}

Test(attach, perf, .timeout = 120)
{
	need_root();
	if (attach_probe_perf() < 0)
		cr_skip("this kernel has no uprobe perf events");
	attach_and_count(ATTACH_PERF, 0);
}

Test(attach, perf_every_process, .timeout = 120)
{
	need_root();
	if (attach_probe_perf() < 0)
		cr_skip("this kernel has no uprobe perf events");
	attach_and_count(ATTACH_PERF, 1);
}

/* A thread in a probed call that makes others: closing one link after the other would never end. */
static void detach_from_open_calls(enum attach_mode mode)
{
	struct counters c = counters_load(mode);
	int go[2], piped = pipe2(go, O_CLOEXEC);
	pid_t pid = fork();
	struct probe_target t = of_pid(&pid);
	_cleanup_(probe_set_freep) struct probe_set *set = NULL;
	struct attachment *a = NULL;
	struct error e = {};
	uint64_t before;
	int status;
	char byte = 0;

	cr_assert_eq(piped, 0);
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &byte, 1) == 1)
			probe_test_outer(4000);
		_exit(0);
	}
	set = resolve_ok(&t, "probe_test_outer", "probe_test_f0", NULL);
	cr_assert_eq(attachment_new(&c.programs, mode, set, pid, &a, &e), 0, "%s", e.message);
	cr_assert_eq(write(go[1], &byte, 1), 1);
	for (int i = 0; i < 300 && count_of(c.entry_map, set, "probe_test_f0") < 10; i++)
		usleep(10000);
	cr_expect_gt(count_of(c.entry_map, set, "probe_test_outer"), 0);
	before = now_monotonic_ns();
	a = attachment_free(a);
	cr_expect_lt(now_monotonic_ns() - before, 200 * NSEC_PER_MSEC, "the caller was blocked");
	/* Perf events are closed by the kernel one after the other, so here it may wait. */
	if (mode != ATTACH_PERF) {
		cr_expect_eq(attach_reaper_wait(2000), 0, "detaching waits for the call to end");
		cr_expect(text_is_intact(pid, probe_test_f0, set, "probe_test_f0"));
	}
	cr_expect_eq(waitpid(pid, &status, WNOHANG), 0, "the call has ended too early to tell");
	waitpid(pid, &status, 0);
	cr_expect_eq(status, 0);
	cr_expect_eq(attach_reaper_wait(90000), 0);
}

Test(attach, detach_from_open_calls_multi, .timeout = 120)
{
	need_root();
	if (attach_probe_multi() < 0)
		cr_skip("this kernel has no multi links");
	detach_from_open_calls(ATTACH_MULTI);
}

Test(attach, detach_from_open_calls_perf, .timeout = 120)
{
	need_root();
	detach_from_open_calls(ATTACH_PERF);
}

static void follow_a_fork(enum attach_mode mode)
{
	struct counters c = counters_load(mode);
	struct worker w = worker_start();
	struct probe_target t = of_pid(&w.pid);
	_cleanup_(probe_set_freep) struct probe_set *set =
		resolve_ok(&t, "probe_test_f*", NULL, NULL);
	struct attachment *a = NULL;
	struct error e = {};
	size_t links, returns;
	pid_t child;

	cr_assert_eq(attachment_new(&c.programs, mode, set, w.pid, &a, &e), 0, "%s", e.message);
	links = attachment_links(a);
	child = worker_do(&w, 0);
	worker_do(&w, 10);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f1"), 0, "a child is not covered");
	cr_assert_eq(attachment_add_pid(a, child, &e), 0, "%s", e.message);
	cr_expect_eq(attachment_links(a), 2 * links);
	worker_do(&w, 10);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f1"), 20);
	/* Before Linux 6.13, a return reaches the perf events of other processes as well. */
	returns = count_of(c.ret_map, set, "probe_test_f1");
	cr_expect(returns == 20 || (mode == ATTACH_PERF && returns == 40), "%zu returns", returns);
	attachment_drop_pid(a, child);
	cr_expect_eq(attachment_links(a), links);
	cr_expect_eq(attach_reaper_wait(90000), 0);
	worker_do(&w, 10);
	cr_expect_eq(count_of(c.entry_map, set, "probe_test_f1"), 20);

	/* A process that has gone: an error, and what was attached stays. */
	cr_expect_lt(attachment_add_pid(a, 999999, &e), 0);
	cr_expect_str_eq(e.name, "NoSuchProcess");
	cr_expect_eq(attachment_links(a), links);
	a = attachment_free(a);
	cr_expect_eq(attach_reaper_wait(90000), 0);
	worker_stop(&w);
}

Test(attach, follow_a_fork_multi, .timeout = 120)
{
	need_root();
	if (attach_probe_multi() < 0)
		cr_skip("this kernel has no multi links");
	follow_a_fork(ATTACH_MULTI);
}

Test(attach, follow_a_fork_perf, .timeout = 120)
{
	need_root();
	follow_a_fork(ATTACH_PERF);
}

Test(attach, nothing_can_be_probed, .timeout = 120)
{
	static const enum attach_mode modes[] = {ATTACH_MULTI, ATTACH_PERF};

	need_root();
	if (attach_probe_multi() < 0)
		cr_skip("this kernel has no multi links");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct counters c = counters_load(modes[i]);
		struct worker w = worker_start();
		struct probe_target t = of_pid(&w.pid);
		_cleanup_(probe_set_freep) struct probe_set *set =
			resolve_ok(&t, "probe_test_f3", "probe_test_f4", "probe_test_endbr");
		struct attachment *a = NULL;
		struct error e = {};

		misplace(set, "probe_test_f3", probe_test_lock);
		misplace(set, "probe_test_f4", probe_test_hlt);
		misplace(set, "probe_test_endbr", probe_test_lock);
		cr_expect_lt(attachment_new(&c.programs, modes[i], set, w.pid, &a, &e), 0);
		cr_expect_null(a);
		cr_expect_str_eq(e.name, "AttachFailed");
		cr_expect(strstr(e.message, "first instruction"), "%s", e.message);
		cr_expect(e.fix[0]);
		attach_reaper_wait(90000);
		cr_expect(text_is_intact(w.pid, probe_test_lock, set, "probe_test_f3"));
		worker_stop(&w);
	}
}

/* The loader maps a file as data first, and its code later. */
static bool is_code(const char *maps, const char *mapped)
{
	for (const char *line = maps; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *code = strstr(line, " r-xp "), *name = strstr(line, mapped);
		const char *end = line + strcspn(line, "\n");

		if (code && code < end && name && name < end)
			return true;
	}
	return false;
}

/* Runs a shell command and waits until the file is mapped as code; the PID is that of the shell. */
static pid_t start_command(const char *command, const char *mapped)
{
	pid_t pid = fork();
	char path[64];

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		/* Who holds the test's output must not outlive it. */
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	for (int i = 0; i < 500; i++) {
		_cleanup_(freep) char *maps = NULL;

		if (read_file(path, 1 << 20, &maps, NULL) == 0 && is_code(maps, mapped))
			return pid;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static void stop_command(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Counts calls of a Python that runs from a place the daemon cannot open by path. */
static void count_python(pid_t pid, const char *spec)
{
	struct counters c = counters_load(ATTACH_MULTI);
	struct probe_target t = of_pid(&pid);
	_cleanup_(probe_set_freep) struct probe_set *set = resolve_ok(&t, spec, NULL, NULL);
	_cleanup_(attachment_freep) struct attachment *a = NULL;
	struct error e = {};

	cr_assert_eq(attachment_new(&c.programs, ATTACH_MULTI, set, pid, &a, &e), 0, "%s",
		     e.message);
	for (int i = 0; i < 300; i++) {
		if (count_all(c.ret_map, set) > 0)
			return;
		usleep(10000);
	}
	cr_expect_fail("no call was seen with '%s'; the process %s", spec,
		       kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0 ? "runs" : "died");
}

#define PYTHON_LOOP "-c 'import time\nfor i in range(20000): time.sleep(0.001)'"

Test(attach, deleted_executable, .timeout = 120)
{
	char path[64];
	pid_t pid;

	need_root();
	if (access(PYTHON, X_OK) < 0 || attach_probe_multi() < 0)
		cr_skip("needs python3.11 and multi links");
	pid = start_command("cp " PYTHON " /tmp/sonde-py-$$ && "
			    "{ (sleep 0.3; rm /tmp/sonde-py-$$) & } ; "
			    "PYTHONHOME=/usr exec /tmp/sonde-py-$$ " PYTHON_LOOP,
			    "/tmp/sonde-py-");
	cr_assert_gt(pid, 0);
	snprintf(path, sizeof(path), "/tmp/sonde-py-%d", pid);
	for (int i = 0; i < 500 && access(path, F_OK) == 0; i++)
		usleep(10000);
	cr_assert_lt(access(path, F_OK), 0);
	count_python(pid, "PyEval_*");
	stop_command(pid);
}

Test(attach, other_mount_namespace, .timeout = 120)
{
	pid_t pid;

	need_root();
	if (access(PYTHON, X_OK) < 0 || attach_probe_multi() < 0)
		cr_skip("needs python3.11 and multi links");
	pid = start_command("exec unshare -m sh -c \"mount -t tmpfs none /media && "
			    "cp " PYTHON " /media/py && "
			    "PYTHONHOME=/usr exec /media/py " PYTHON_LOOP "\"",
			    "/media/py");
	if (pid < 0)
		cr_skip("no mount namespace can be made here");
	cr_expect_lt(access("/media/py", F_OK), 0);
	count_python(pid, "PyEval_*");
	count_python(pid, "uprobe:/media/py:PyEval_*");
	count_python(pid, "py:PyEval_*");
	stop_command(pid);
}

Test(attach, running_sqlite, .timeout = 120)
{
	struct counters c;
	struct probe_target t;
	_cleanup_(probe_set_freep) struct probe_set *set = NULL;
	_cleanup_(attachment_freep) struct attachment *a = NULL;
	struct error e = {};
	uint64_t n = 0;
	pid_t pid;

	need_root();
	if (access(SQLITE, X_OK) < 0 || attach_probe_multi() < 0)
		cr_skip("needs sqlite3 and multi links");
	pid = start_command("exec " SQLITE " :memory: \"with recursive c(x) as (select 1 union all "
			    "select x + 1 from c) select count(*) from c where x < 0;\"",
			    "libsqlite3");
	cr_assert_gt(pid, 0);
	c = counters_load(ATTACH_MULTI);
	t = of_pid(&pid);
	set = resolve_ok(&t, "libsqlite3:sqlite3_*", NULL, NULL);
	cr_expect_gt(set->n, 150);
	cr_assert_eq(attachment_new(&c.programs, ATTACH_MULTI, set, pid, &a, &e), 0, "%s",
		     e.message);
	kill(pid, SIGINT);
	for (int i = 0; i < 300 && n == 0; i++) {
		usleep(10000);
		n = count_all(c.ret_map, set);
	}
	cr_expect_gt(n, 0, "no call was seen although the query was interrupted");
	stop_command(pid);
}

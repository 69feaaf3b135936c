/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs as the span programs use them: task storage, tail calls, their types; what they cost. */
#include "expr_kernel.h"

#include <bpf/btf.h>
#include <sys/syscall.h>

#include "expr_help.h"
#include "sonde/base/format.h"

/* Task storage wants to know the types of its key and value: an int, and bytes. */
static int task_storage_open(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	struct btf *btf = btf__new_empty();
	int key, byte, bytes, fd;

	cr_assert(btf);
	key = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	byte = btf__add_int(btf, "char", 1, 0);
	bytes = btf__add_array(btf, key, byte, sizeof(struct record_call));
	if (btf__load_into_kernel(btf) < 0 && (errno == EPERM || errno == EACCES))
		cr_skip_test("no privilege to load BTF: %s", strerror(errno));
	opts.btf_fd = btf__fd(btf);
	opts.btf_key_type_id = key;
	opts.btf_value_type_id = bytes;
	fd = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "test_task", sizeof(int),
			    sizeof(struct record_call), 0, &opts);
	cr_assert_geq(fd, 0, "%s", strerror(errno));
	btf__free(btf);
	return fd;
}

static struct bound *bound_or_die(const char *text)
{
	struct expr_scope scope = help_scope();
	struct error e = {};
	struct bound *b = help_bound(text, &scope, &e);

	cr_assert(b, "%s: %s", text, e.message);
	return b;
}

static void store_call(int map, const struct record_call *call)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);

	cr_assert_geq(pidfd, 0);
	cr_assert_eq(bpf_map_update_elem(map, &pidfd, call, BPF_ANY), 0, "%s", strerror(errno));
	close(pidfd);
}

static unsigned int run_raw(int fd)
{
	uint64_t context[4] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = sizeof(context));

	cr_assert_eq(bpf_prog_test_run_opts(fd, &opts), 0, "%s", strerror(errno));
	return opts.retval;
}

/* A program that returns a number. */
static int load_number(int number)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = number},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "number", "GPL", insns, 2, NULL);

	cr_assert_geq(fd, 0, "%s", strerror(errno));
	return fd;
}

Test(expr_load, the_call_of_the_thread_decides_which_program_goes_on)
{
	_cleanup_(bound_freep) struct bound *b = bound_or_die("duration > 10ms && pid == 7");
	int task _cleanup_(closep) = task_storage_open();
	int calls _cleanup_(closep) =
		bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "next", 4, 4, 4, NULL);
	int eleven _cleanup_(closep) = load_number(11), fifteen _cleanup_(closep) = load_number(15);
	struct expr_target t = {task, true, calls, .on_true = 1, .on_false = 3};
	struct record_call call = {.span = {.pid = 7, .duration_ns = 20 * NSEC_PER_MSEC}};
	struct error e = {};
	int fd _cleanup_(closep) = bound_load(b, &t, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &e);

	cr_assert_geq(fd, 0, "%s", e.message);
	cr_assert_eq(bpf_map_update_elem(calls, &t.on_true, &eleven, BPF_ANY), 0);
	cr_assert_eq(bpf_map_update_elem(calls, &t.on_false, &fifteen, BPF_ANY), 0);
	cr_expect_eq(run_raw(fd), 15, "a thread without a call");
	store_call(task, &call);
	cr_expect_eq(run_raw(fd), 11);
	call.span.duration_ns = 9 * NSEC_PER_MSEC;
	store_call(task, &call);
	cr_expect_eq(run_raw(fd), 15);
	/* An empty element ends the program. */
	cr_assert_eq(bpf_map_delete_elem(calls, &t.on_false), 0);
	cr_expect_eq(run_raw(fd), 0);
	t.verdict_fd = -1;
	closep(&fd);
	fd = bound_load(b, &t, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &e);
	cr_assert_geq(fd, 0, "%s", e.message);
	cr_expect_eq(run_raw(fd), 0);
	call.span.duration_ns = 11 * NSEC_PER_MSEC;
	store_call(task, &call);
	cr_expect_eq(run_raw(fd), 1);
}

/* The types of the span programs on all kernels: kprobe, and kprobe with the multi attach types. */
Test(expr_load, loads_as_a_uprobe_program)
{
	static const int attach_types[] = {0, 48 /* BPF_TRACE_UPROBE_MULTI, since 6.6 */};
	_cleanup_(bound_freep) struct bound *b = bound_or_die(
		"comm == 'nginx' && args.path =~ '/tmp*' && ret / arg3 < -4 && args.len in (1, 2)");
	int task _cleanup_(closep) = task_storage_open();
	int calls _cleanup_(closep) =
		bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "next", 4, 4, 4, NULL);
	struct expr_target t = {task, true, calls, .on_true = 1, .on_false = -1};

	for (size_t i = 0; i < ARRAY_SIZE(attach_types); i++) {
		struct error e = {};
		int fd = bound_load(b, &t, BPF_PROG_TYPE_KPROBE, attach_types[i], &e);

		cr_expect(fd >= 0 || i > 0, "%s", e.message);
		safe_close(fd);
	}
}

Test(expr_load, a_refusal_says_what_the_verifier_said)
{
	_cleanup_(bound_freep) struct bound *b = bound_or_die("args.len == 1");
	/* Its value is too short for a call. */
	int map _cleanup_(closep) = bpf_map_create(BPF_MAP_TYPE_ARRAY, "short", 4, 64, 1, NULL);
	struct expr_target t = {.facts_fd = map, .verdict_fd = -1};
	struct error e = {};
	int r;

	if (map < 0)
		cr_skip_test("no privilege to make BPF maps: %s", strerror(errno));
	r = bound_load(b, &t, BPF_PROG_TYPE_SCHED_CLS, 0, &e);
	cr_expect_lt(r, 0);
	cr_expect(strstr(e.message, "value"), "%s", e.message);
	cr_expect(e.fix[0]);
}

/* ---- figures, for whoever reads the log ---- */

enum { REPEAT = 200000, ROUNDS = 7 };

static unsigned int cheapest_ns(const char *text, const struct call_map *m)
{
	_cleanup_(bound_freep) struct bound *b = bound_or_die(text);
	struct error e = {};
	int fd _cleanup_(closep) = load_condition(b, m, &e);
	unsigned int best = UINT32_MAX, ns;

	cr_assert_geq(fd, 0, "%s", e.message);
	for (int i = 0; i < ROUNDS; i++) {
		run_condition(fd, REPEAT, &ns);
		best = MIN(best, ns);
	}
	return best;
}

Test(expr_load, figures)
{
	static const char ten[] =
		"duration > 10ms && ret < 0 && arg2 > 4096 && pid != 1 && depth < 5 && "
		"comm == 'nginx' && args.len > 4KiB && args.path =~ '/tmp/*' && "
		"args.flags & CREAT && self * 2 > duration";
	struct call_map m = call_map_open();
	uint64_t best = UINT64_MAX, first = 0, took;

	/* Every term of it holds, so that all are decided. */
	m.call->span.duration_ns = 20 * NSEC_PER_MSEC;
	m.call->span.ret = (uint64_t)-2;
	m.call->args[2] = 5000;
	fprintf(stderr,
		"BPF_PROG_TEST_RUN, ns a run: no condition %u, one term %u, three terms %u\n",
		cheapest_ns("true", &m), cheapest_ns("duration > 10ms", &m),
		cheapest_ns("duration > 10ms && ret < 0 && arg2 > 4096", &m));
	for (int i = 0; i < 50; i++) {
		uint64_t start = now_monotonic_ns();
		_cleanup_(bound_freep) struct bound *b = bound_or_die(ten);
		struct error e = {};
		int fd = load_condition(b, &m, &e);

		took = now_monotonic_ns() - start;
		best = MIN(best, took);
		first = first ? first : took;
		cr_assert_geq(fd, 0, "%s", e.message);
		close(fd);
	}
	fprintf(stderr,
		"ten terms: parsed, bound, compiled and loaded in %llu us at first, %llu at best\n",
		(unsigned long long)first / 1000, (unsigned long long)best / 1000);
	call_map_close(&m);
}

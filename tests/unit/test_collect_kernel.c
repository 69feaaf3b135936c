/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots and counters, the span programs, the sampler. Needs root, else it is skipped. */
#include "collect_help.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <sys/mman.h>
#include <time.h>

#include "collect/kernel_support.h"
#include "collect/mmap_events.h"
#include "collect/sampler.h"
#include "collect/span_program.h"
#include "sonde/base/format.h"

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* libbpf rounds other sizes up to what a ring can have; nothing is the one it cannot. */
TestSuite(collect_kernel, .init = take_turn);

Test(collect_kernel, no_ring_of_no_size)
{
	struct kernel_side *k = open_kernel(4096);
	struct error e = {};

	cr_expect_eq(kernel_side_ring_bytes(k), 4096);
	k = kernel_side_free(k);
	cr_expect_lt(kernel_side_open(0, &e, &k), 0);
	cr_expect_str_eq(e.name, "NotSupported", "%s", e.message);
	cr_expect_null(k);
}

Test(collect_kernel, slots)
{
	struct kernel_side *k = open_kernel(1 << 16);
	int targets = find_map("targets");
	uint32_t slot = 99, pid = getpid(), other = 1;
	uint64_t mask = 0, seen = 0;

	for (int i = 0; i < RECORD_MAX_SESSIONS; i++) {
		cr_assert_eq(kernel_side_take_slot(k, &slot), 0, "%d", i);
		cr_assert_lt(slot, RECORD_MAX_SESSIONS);
		cr_assert_not(seen >> slot & 1, "slot %u was taken already", slot);
		seen |= 1ULL << slot;
	}
	slot = 99;
	cr_expect_eq(kernel_side_take_slot(k, &slot), -EBUSY);
	cr_expect_eq(slot, 99, "the output was written on an error");
	cr_assert_eq(kernel_side_add_target(k, 0, pid), 0);
	cr_assert_eq(kernel_side_add_target(k, 17, pid), 0);
	cr_assert_eq(kernel_side_add_target(k, 63, pid), 0);
	cr_assert_eq(kernel_side_add_target(k, 17, other), 0);
	cr_assert_eq(bpf_map_lookup_elem(targets, &pid, &mask), 0);
	cr_expect_eq(mask, 1ULL << 63 | 1 << 17 | 1);
	kernel_side_release_slot(k, 17);
	cr_assert_eq(bpf_map_lookup_elem(targets, &pid, &mask), 0);
	cr_expect_eq(mask, 1ULL << 63 | 1, "the others' bits stay: %lx", mask);
	cr_expect_lt(bpf_map_lookup_elem(targets, &other, &mask), 0, "a target of nothing");
	kernel_side_release_slot(k, 17); /* it is no one's: nothing happens */
	kernel_side_release_slot(k, 64);
	kernel_side_release_slot(k, UINT32_MAX);
	cr_assert_eq(kernel_side_take_slot(k, &slot), 0);
	cr_expect_eq(slot, 17);
	cr_expect_eq(kernel_side_take_slot(k, &slot), -EBUSY);
	kernel_side_free(k);
}

Test(collect_kernel, release_clears_many_targets)
{
	struct kernel_side *k = open_kernel(1 << 16);
	int targets = find_map("targets");
	uint32_t slot = 99, key;

	cr_assert_eq(kernel_side_take_slot(k, &slot), 0);
	/* Numbers that no process can have: nothing else takes them away. */
	for (uint32_t pid = 0; pid < 10000; pid++)
		cr_assert_eq(kernel_side_add_target(k, slot, 1U << 30 | pid), 0);
	kernel_side_release_slot(k, slot);
	cr_expect_lt(bpf_map_get_next_key(targets, NULL, &key), 0, "%u was left", key);
	kernel_side_free(k);
}

Test(collect_kernel, losses_are_summed_and_begin_at_zero)
{
	struct kernel_side *k = open_kernel(1 << 20);
	int losses = find_map("losses"), cpus = libbpf_num_possible_cpus();
	_cleanup_(freep) uint64_t *values = calloc((size_t)cpus, sizeof(*values));
	uint64_t sums[LOSS_COUNTERS], want = 0;
	uint32_t slot = 99;

	for (uint32_t row = 0; row < 3; row++)
		for (uint32_t i = 0; i < LOSS_COUNTERS; i++) {
			uint32_t key = row * LOSS_COUNTERS + i;

			want = 0;
			for (int cpu = 0; cpu < cpus; cpu++)
				want += values[cpu] = 1000 * (i + 1) + cpu;
			cr_assert_eq(bpf_map_update_elem(losses, &key, values, BPF_ANY), 0);
		}
	cr_assert_eq(kernel_side_losses(k, 2, sums), 0);
	cr_expect_eq(sums[LOSS_COUNTERS - 1], want);
	cr_expect_lt(sums[0], sums[1]);
	for (uint32_t row = 0; row < 2; row++) {
		cr_assert_eq(kernel_side_take_slot(k, &slot), 0);
		cr_assert_eq(slot, row);
		cr_assert_eq(kernel_side_losses(k, slot, sums), 0);
		for (uint32_t i = 0; i < LOSS_COUNTERS; i++)
			cr_expect_eq(sums[i] == 0, row != 0 || i != LOSS_RING_EVENT,
				     "slot %u, counter %u: %lu", slot, i, sums[i]);
	}
	kernel_side_free(k);
}

Test(collect_kernel, a_full_ring_is_counted)
{
	struct kernel_side *k = open_kernel(4096);
	uint64_t sums[LOSS_COUNTERS];

	/* No one reads: 42 children fill it with a fork (64 bytes) and an exit (32) each. */
	for (int i = 0; i < 60; i++)
		(void)reap(short_child(0));
	cr_assert_eq(kernel_side_losses(k, 0, sums), 0);
	cr_expect_geq(sums[LOSS_RING_EVENT], (60 * 96 - 4096) / 64);
	cr_expect_eq(sums[LOSS_RING_SPAN], 0);
	cr_expect_gt(kernel_side_map_bytes(), 4096 + 16384 * 8, "the ring and the targets");
	kernel_side_free(k);
}

Test(collect_kernel, support_is_found_out_without_a_trace)
{
	size_t before = count_fds();
	struct kernel_support s;

	kernel_side_free(open_kernel(4096));
	cr_expect_eq(count_fds(), before, "the kernel side leaves descriptors behind");
	kernel_support_probe(&s);
	before = count_fds();
	kernel_support_probe(&s);
	cr_expect_eq(count_fds(), before);
	cr_expect(!s.load && !s.ring_buffer && !s.task_storage && !s.tp_btf,
		  "the kernel side opens, yet: %d %d %d %d", s.load, s.ring_buffer, s.task_storage,
		  s.tp_btf);
}

/* Executable mappings of this process, which have the next address of a list. */
struct wanted {
	uintptr_t addresses[300];
	size_t n, next, stop_at;
};

static int match_map(void *arg, const void *data, size_t size)
{
	struct wanted *w = arg;
	const struct record_mmap *m = data;

	cr_assert(record_valid(data, size));
	if (m->h.kind != RECORD_MMAP || m->pid != (uint32_t)getpid())
		return 0;
	if (w->next == w->stop_at)
		return 1;
	cr_assert_lt(w->next, w->n);
	cr_assert_eq(m->address, w->addresses[w->next], "mapping %zu", w->next);
	cr_expect_eq(m->length, 4096);
	w->next++;
	return 0;
}

/* About 100 bytes each: 6,000 go around the buffer of 128 KiB more than three times. */
Test(collect_kernel, mappings_wrap_around_and_stop)
{
	struct mmap_events *m = NULL;
	struct error e = {};
	int r;

	pin(0, 0);
	r = mmap_events_open(&e, &m);
	if (r == -EPERM || r == -EACCES)
		cr_skip_test("%s", e.message);
	cr_assert_eq(r, 0, "%s", e.message);
	for (int round = 0; round < 20; round++) {
		struct wanted w = {.stop_at = 100};

		for (; w.n < 300; w.n++) {
			void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			cr_assert_neq(p, MAP_FAILED);
			w.addresses[w.n] = (uintptr_t)p;
			munmap(p, 4096);
			/* Not executable: none of ours. */
			munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			       4096);
		}
		cr_expect_eq(mmap_events_drain(m, match_map, &w), 0);
		cr_expect_eq(w.next, 100, "round %d stopped at %zu", round, w.next);
		w.stop_at = SIZE_MAX;
		cr_expect_eq(mmap_events_drain(m, match_map, &w), 0);
		cr_assert_eq(w.next, 300, "round %d: %zu of 300 came", round, w.next);
	}
	mmap_events_free(m);
}

static void map_once(void)
{
	munmap(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

static int count_map(void *arg, const void *data, size_t size)
{
	const struct record_mmap *m = data;
	size_t *n = arg;

	cr_assert(record_valid(data, size));
	*n += m->h.kind == RECORD_MMAP && m->pid == (uint32_t)getpid();
	return 0;
}

/* What does not fit is counted, and the count comes with the next record that does. */
Test(collect_kernel, lost_mappings_are_counted)
{
	struct mmap_events *m = NULL;
	size_t seen = 0;
	uint64_t lost;

	kernel_side_free(open_kernel(4096)); /* skips where nothing is permitted */
	pin(0, 0);
	cr_assert_eq(mmap_events_open(NULL, &m), 0);
	for (int i = 0; i < 3000; i++)
		map_once();
	lost = mmap_events_drain(m, count_map, &seen);
	map_once();
	lost += mmap_events_drain(m, count_map, &seen);
	cr_expect_gt(seen, 500);
	cr_expect_gt(lost, 500);
	cr_expect_geq(seen + lost, 3001, "%zu came, %lu were lost", seen, lost);
	cr_expect_eq(mmap_events_drain(m, count_map, &seen), 0, "counted once");
	mmap_events_free(m);
}

/*
 * On an emulated machine a program takes seconds to verify: some of the options do. With
 * sanitizers, too, as all of that is done by the kernel.
 */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static unsigned int option_step(void)
{
	return IS_SANITIZED || getenv("SONDE_EMULATED") ? 21 : 1;
}

Test(collect_kernel, span_programs_of_all_options)
{
	struct kernel_side *k = open_kernel(1 << 16);
	size_t before = count_fds();

	for (unsigned int bits = 0; bits < 64; bits += option_step()) {
		struct span_options o = {
			.slot = bits % RECORD_MAX_SESSIONS,
			.path_seed = 1,
			.n_probes = 3,
			.rich = bits & 1,
			.errors_only = bits & 2,
			.null_is_error = bits & 4,
			.stats_only = bits & 8,
			.filter_targets = bits & 16,
			.multi = bits & 32,
			.max_depth = bits & 1 ? 4 : 0,
			.min_duration_ns = bits,
		};
		struct span_program *p = NULL;
		struct kernel_stat stat;
		struct error e = {};
		int r = span_program_load(k, &o, &e, &p);

		cr_assert_eq(r, 0, "options %x: %s", bits, e.message);
		cr_expect_gt(span_program_fd(p, SPAN_PART_ENTRY), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_RETURN), 0);
		cr_expect_neq(span_program_fd(p, SPAN_PART_ENTRY),
			      span_program_fd(p, SPAN_PART_RETURN));
		cr_expect_eq(span_program_fd(p, SPAN_PART_SESSION), -1);
		span_program_set_active(p, true);
		span_program_set_first_target(p, 1);
		memset(&stat, 1, sizeof(stat));
		r = span_program_stat(p, 2, &stat);
		cr_expect_eq(r, o.stats_only ? 0 : -EINVAL);
		if (o.stats_only) {
			cr_expect(stat.total_ns == 0 && stat.max_ns == 0 && stat.errors == 0);
			cr_expect_lt(span_program_stat(p, 3, &stat), 0, "there are three probes");
		}
		span_program_free(p);
	}
	cr_expect_eq(count_fds(), before, "descriptors are left behind");
	kernel_side_free(k);
}

Test(collect_kernel, span_programs_with_all_that_there_is)
{
	struct kernel_side *k = open_kernel(1 << 16);
	size_t before = count_fds();
	/* None, each alone, all but each, all: what the verifier of a kernel minds shows in these.
	 * An emulated one needs 10 s for each: none and all there. */
	bool emulated = option_step() > 1;

	for (unsigned int round = emulated ? 7 : 0; round < 16; round += emulated ? 8 : 1) {
		unsigned int one = 1U << round % 8;
		unsigned int bits = (round < 8 ? one : ~one) & 127;
		struct span_options o = {
			.path_seed = 1,
			.n_probes = 3,
			.multi = true,
			.sites = true,
			.throws = true,
			.statics = true,
			.use_info = bits & 1,
			.rich = bits & 2,
			.has_gates = bits & 4,
			.goroutines = bits & 8,
			.stats_only = bits & 16,
			.stacks = bits & 32,
			.offcpu = bits & 32,
			.kernel = bits & 64,
			.sources = bits & 96,
		};
		const struct probe_info info = {.values_len = 8, .kept_args = 1};
		const struct fetch fetch = {.kind = FETCH_NUMBER, .size = 4};
		struct span_condition_target target;
		struct span_program *p = NULL;
		struct error e = {};
		int r = span_program_load(k, &o, &e, &p);

		cr_assert_eq(r, 0, "options %x: %s", bits, e.message);
		cr_expect_gt(span_program_fd(p, SPAN_PART_SITE), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_THROW), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_CATCH), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_STATIC_ENTRY), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_STATIC_RETURN), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_STATIC_INSTANT), 0);
		cr_expect_eq(span_program_fd(p, SPAN_PART_KERNEL_ENTRY) > 0, o.kernel);
		cr_expect_eq(span_program_fd(p, SPAN_PART_KERNEL_RETURN) > 0, o.kernel);
		cr_expect_eq(span_program_set_info(p, 2, &info), 0);
		cr_expect_lt(span_program_set_info(p, 3, &info), 0, "there are three probes");
		if (o.rich) {
			cr_expect_eq(span_program_set_fetches(p, 2, &fetch, 1), 0);
			cr_expect_lt(span_program_set_fetches(p, 3, &fetch, 1), 0);
		}
		cr_expect_lt(span_program_set_condition(p, false, PROGRAM_EMIT, -1), 0);
		cr_expect_eq(span_program_set_condition(p, false, PROGRAM_FIRST, -1), 0);
		span_program_condition_target(p, o.kernel, &target);
		cr_expect(target.facts_fd > 0 && target.verdict_fd > 0);
		span_program_free(p);
	}
	cr_expect_eq(count_fds(), before, "descriptors are left behind");
	kernel_side_free(k);
}

/* Loading falls back where there are no session links, so they are not found out by loading. */
/* Nothing but spans written in source code: no program that follows calls is loaded. */
Test(collect_kernel, source_programs)
{
	struct kernel_side *k = open_kernel(1 << 16);

	for (int multi = 0; multi < 2; multi++) {
		struct span_options o = {
			.n_probes = 2, .multi = multi, .sources = true, .only_sources = true};
		struct span_program *p = NULL;
		struct error e = {};

		cr_assert_eq(span_program_load(k, &o, &e, &p), 0, "%s", e.message);
		cr_expect_gt(span_program_fd(p, SPAN_PART_SOURCE_BATCH), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_SOURCE_THREAD), 0);
		cr_expect_gt(span_program_fd(p, SPAN_PART_SOURCE_SINGLE), 0);
		cr_expect_eq(span_program_fd(p, SPAN_PART_ENTRY), -1);
		span_program_free(p);
	}
	kernel_side_free(k);
}

static bool kernel_has_attach_type(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "bpf_attach_type", BTF_KIND_ENUM) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	bool found = false;

	for (uint32_t i = 0; type && i < btf_vlen(type); i++)
		found |= streq(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name);
	btf__free(btf);
	return found;
}

Test(collect_kernel, session_program)
{
	struct kernel_side *k = open_kernel(1 << 16);
	struct span_options o = {.n_probes = 5, .stats_only = true, .session_link = true};
	struct span_program *p = NULL;
	struct kernel_stat stat;
	struct error e = {};
	int r;

	if (!kernel_has_attach_type("BPF_TRACE_UPROBE_SESSION"))
		cr_skip_test("this kernel has no session links");
	for (unsigned int bits = 0; bits < 8; bits++) {
		o.errors_only = bits & 1;
		o.null_is_error = bits & 2;
		o.filter_targets = bits & 4;
		r = span_program_load(k, &o, &e, &p);
		cr_assert_eq(r, 0, "%s", e.message);
		cr_expect_gt(span_program_fd(p, SPAN_PART_SESSION), 0);
		cr_expect_eq(span_program_fd(p, SPAN_PART_ENTRY), -1);
		cr_expect_eq(span_program_fd(p, SPAN_PART_RETURN), -1);
		cr_expect_eq(span_program_stat(p, 4, &stat), 0);
		cr_expect_lt(span_program_stat(p, 5, &stat), 0);
		p = span_program_free(p);
	}
	kernel_side_free(k);
}

Test(collect_kernel, too_many_statistics)
{
	struct kernel_side *k = open_kernel(1 << 16);
	static const uint32_t counts[] = {10000000, 1U << 31, UINT32_MAX};
	size_t before = count_fds();

	for (size_t i = 0; i < 2 * ARRAY_SIZE(counts); i++) {
		struct span_options o = {
			.n_probes = counts[i / 2],
			.stats_only = true,
			.session_link = i & 1,
		};
		struct span_program *p = NULL;
		struct error e = {};

		cr_expect_eq(span_program_load(k, &o, &e, &p), -E2BIG);
		cr_expect_str_eq(e.name, "TooMany", "%s", e.message);
		cr_expect_neq(e.fix[0], 0);
		cr_expect_null(p);
		o.stats_only = false; /* without statistics their number costs nothing */
		memset(&e, 0, sizeof(e));
		cr_expect_eq(span_program_load(k, &o, &e, &p), 0, "%s", e.message);
		span_program_free(p);
	}
	cr_expect_eq(count_fds(), before, "descriptors are left behind");
	kernel_side_free(k);
}

Test(collect_kernel, bad_frequencies)
{
	static const uint32_t bad[] = {0, SAMPLER_MAX_HZ + 1, 20000, UINT32_MAX};
	struct kernel_side *k = open_kernel(1 << 16);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sampler *s = NULL;
		struct error e = {};

		cr_expect_eq(sampler_start(k, 0, bad[i], true, &e, &s), -EINVAL, "%u", bad[i]);
		cr_expect_str_eq(e.name, "BadArgument", "%s", e.message);
		cr_expect_null(s);
	}
	kernel_side_free(k);
}

static pid_t spin(const char *name)
{
	pid_t parent = getpid(), pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		die_with(parent);
		prctl(PR_SET_NAME, name);
		for (volatile uint64_t n = 0;; n++)
			;
	}
	return pid;
}

/* CPU time is what is sampled, and others share the CPUs: the child's own clock says how much. */
static uint64_t cpu_ns_of(pid_t pid)
{
	struct timespec t = {};
	clockid_t clock;

	cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

Test(collect_kernel, samples_of_a_target)
{
	struct kernel_side *k = open_kernel(1 << 20);
	struct collector *c = NULL;
	struct sampler *s = NULL;
	struct record_log log = {};
	struct error e = {};
	pid_t target = spin("sonde-target"), other = spin("sonde-other");
	uint64_t sums[LOSS_COUNTERS], busy, expected, n = 0;
	uint32_t slot = 99;

	cr_assert_eq(collector_start(k, &e, &c), 0, "%s", e.message);
	cr_assert_eq(kernel_side_take_slot(k, &slot), 0);
	cr_assert_eq(kernel_side_take_slot(k, &slot), 0);
	cr_assert_eq(kernel_side_add_target(k, slot, target), 0);
	busy = cpu_ns_of(target);
	cr_assert_eq(sampler_start(k, slot, 199, true, &e, &s), 0, "%s", e.message);
	usleep(2000000);
	sampler_free(s);
	busy = cpu_ns_of(target) - busy;
	log_sync(c, &log);
	for (size_t i = 0; i < log.n; i++) {
		const struct record_sample *r = log.records[i];

		if (r->h.kind != RECORD_SAMPLE)
			continue;
		n++;
		cr_assert_eq(r->pid, target);
		cr_assert_eq(r->tid, target);
		cr_assert_eq(r->h.session, slot);
		cr_assert_str_eq(r->comm, "sonde-target");
		cr_assert_gt(r->kernel_count + r->user_count, 0);
	}
	expected = busy * 199 / NSEC_PER_SEC;
	cr_expect(n * 2 >= expected && n * 2 <= expected * 3, "%lu samples, not about %lu", n,
		  expected);
	cr_expect_gt(expected, 20, "the child had only %lu ms of CPU time", busy / NSEC_PER_MSEC);
	cr_assert_eq(kernel_side_losses(k, slot, sums), 0);
	cr_expect_eq(sums[LOSS_RING_SAMPLE] + sums[LOSS_STACK], 0);
	kill(target, SIGKILL);
	kill(other, SIGKILL);
	(void)reap(target);
	(void)reap(other);
	log_free(&log);
	collector_free(c);
	kernel_side_free(k);
}

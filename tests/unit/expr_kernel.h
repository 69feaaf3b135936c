/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the generated programs of conditions in the kernel of this machine, by BPF_PROG_TEST_RUN. */
#ifndef SONDE_TESTS_EXPR_KERNEL_H
#define SONDE_TESTS_EXPR_KERNEL_H

#include <criterion/criterion.h>

#include <bpf/bpf.h>
#include <sys/mman.h>

#include "expr/code.h"

/* One call in an array that the tests write to directly. */
struct call_map {
	int fd;
	struct record_call *call;
};

/* Skips, with the reason, where the kernel does not let this process do it. */
static inline struct call_map call_map_open(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct call_map m = {bpf_map_create(BPF_MAP_TYPE_ARRAY, "test_call", 4,
					    sizeof(struct record_call), 1, &opts)};

	if (m.fd < 0 && (errno == EPERM || errno == EACCES))
		cr_skip_test("no privilege to make BPF maps: %s", strerror(errno));
	cr_assert_geq(m.fd, 0, "%s", strerror(errno));
	m.call = mmap(NULL, sizeof(*m.call), PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	cr_assert_neq(m.call, MAP_FAILED, "%s", strerror(errno));
	return m;
}

static inline void call_map_close(struct call_map *m)
{
	munmap(m->call, sizeof(*m->call));
	safe_close(m->fd);
}

/* A program that returns its verdict about the call in the map. */
static inline int load_condition(const struct bound *b, const struct call_map *m, struct error *e)
{
	struct expr_target t = {.facts_fd = m->fd, .verdict_fd = -1};
	int fd = bound_load(b, &t, BPF_PROG_TYPE_SCHED_CLS, 0, e);

	if (fd == -EPERM)
		cr_skip_test("%s", e->message);
	return fd;
}

static inline unsigned int run_condition(int fd, unsigned int repeat, unsigned int *ret_ns)
{
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = repeat);
	int r = bpf_prog_test_run_opts(fd, &opts);

	cr_assert_eq(r, 0, "%s", strerror(errno));
	if (ret_ns)
		*ret_ns = opts.duration;
	return opts.retval;
}

#endif

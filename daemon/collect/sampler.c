/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sampler.h"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include "sample.skel.h"

struct sampler {
	struct sample_bpf *skel;
	struct bpf_link **links;
	size_t n_links;
};

static int open_cpu(struct sampler *s, int cpu, uint32_t frequency_hz)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		/* A fixed period: what a sample stands for is exact, and nothing adapts. */
		.sample_period = NSEC_PER_SEC / frequency_hz,
		.exclude_idle = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	struct bpf_link *link;

	if (fd < 0)
		return -errno;
	link = bpf_program__attach_perf_event(s->skel->progs.sample_cpu, fd);
	if (!link) {
		int r = -errno;

		close(fd);
		return r;
	}
	s->links[s->n_links++] = link; /* closes fd with it */
	return 0;
}

static int sampler_error(struct error *error, int r)
{
	error_set(error, -r, r == -EPERM || r == -EACCES ? "PermissionDenied" : "NotSupported",
		  "CPU sampling cannot be started: %s", strerror(-r));
	error_fix(error, "run sonded as root, or with CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN where "
			 "kernel.perf_event_paranoid is above 2)");
	return r;
}

int sampler_start(const struct kernel_side *kernel, uint32_t slot, uint32_t frequency_hz,
		  bool filter_targets, struct error *error, struct sampler **ret)
{
	_cleanup_(sampler_freep) struct sampler *s = calloc(1, sizeof(*s));
	long configured = sysconf(_SC_NPROCESSORS_CONF);
	int r;

	if (!s || configured <= 0)
		return -ENOMEM;
	if (frequency_hz == 0 || frequency_hz > SAMPLER_MAX_HZ)
		return error_set(error, EINVAL, "BadArgument",
				 "frequency: %u is not between 1 and %d samples a second",
				 frequency_hz, SAMPLER_MAX_HZ);
	s->links = calloc((size_t)configured, sizeof(*s->links));
	s->skel = sample_bpf__open();
	if (!s->links || !s->skel)
		return -ENOMEM;
	s->skel->rodata->session = slot;
	s->skel->rodata->filter_targets = filter_targets;
	r = kernel_side_share_maps(kernel, s->skel->obj);
	if (r < 0)
		return r;
	r = sample_bpf__load(s->skel);
	if (r < 0)
		return sampler_error(error, r);
	for (int cpu = 0; cpu < configured; cpu++) {
		r = open_cpu(s, cpu, frequency_hz);
		if (r < 0 && r != -ENODEV) /* a CPU that is offline */
			return sampler_error(error, r);
	}
	*ret = TAKE_PTR(s);
	return 0;
}

struct sampler *sampler_free(struct sampler *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_links; i++)
		bpf_link__destroy(s->links[i]);
	free(s->links);
	sample_bpf__destroy(s->skel);
	free(s);
	return NULL;
}

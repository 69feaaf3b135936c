/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "offcpu.h"

#include <bpf/libbpf.h>
#include "offcpu.skel.h"

struct offcpu {
	struct offcpu_bpf *skel;
};

static int cannot_start(struct error *error, int r)
{
	error_set(error, -r, r == -EPERM || r == -EACCES ? "PermissionDenied" : "NotSupported",
		  "waits cannot be watched: %s", strerror(-r));
	error_fix(error, "run sonded as root, or with CAP_BPF and CAP_PERFMON; the kernel needs "
			 "BTF (sonde doctor)");
	return r;
}

int offcpu_start(const struct kernel_side *kernel, uint32_t slot, uint64_t period_ns,
		 struct switch_function switches, bool filter_targets, struct error *error,
		 struct offcpu **ret)
{
	_cleanup_(offcpu_freep) struct offcpu *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	if (period_ns < OFFCPU_PERIOD_MIN_NS || period_ns > OFFCPU_PERIOD_MAX_NS)
		return error_set(error, EINVAL, "BadArgument",
				 "offcpu_period_ns: not between 10 us and 1 s");
	o->skel = offcpu_bpf__open();
	if (!o->skel)
		return -ENOMEM;
	o->skel->rodata->session = slot;
	o->skel->rodata->filter_targets = filter_targets;
	o->skel->rodata->period_ns = period_ns;
	o->skel->rodata->switch_start = switches.start;
	o->skel->rodata->switch_end = switches.end;
	r = kernel_side_share_maps(kernel, o->skel->obj);
	if (r < 0)
		return r;
	r = offcpu_bpf__load(o->skel);
	if (r >= 0)
		r = offcpu_bpf__attach(o->skel);
	if (r < 0)
		return cannot_start(error, r);
	*ret = TAKE_PTR(o);
	return 0;
}

struct offcpu *offcpu_free(struct offcpu *o)
{
	if (!o)
		return NULL;
	offcpu_bpf__destroy(o->skel);
	free(o);
	return NULL;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics by function at the lowest cost, for stats-only sessions: one session link (Linux
 * 6.13) whose cookie carries the start time from entry to return, so that no map is looked up at
 * entry. An object of its own, as kernels without the kfuncs refuse it.
 */
#include "common.bpf.h"
#include "stats.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern bool bpf_session_is_return(void) __ksym;
extern __u64 *bpf_session_cookie(void) __ksym;

const volatile __u32 session;
const volatile bool filter_targets;
const volatile bool errors_only;
const volatile bool null_is_error;
__u64 min_duration_ns;
__u32 first_target;

SEC("uprobe")
int flat_session(struct pt_regs *ctx)
{
	__u64 *start = bpf_session_cookie(), duration, ret;
	bool error;

	if (!bpf_session_is_return()) {
		if (filter_targets &&
		    !is_target(bpf_get_current_pid_tgid() >> 32, session, first_target))
			return 1; /* no return probe for this call */
		*start = bpf_ktime_get_ns();
		return 0;
	}
	duration = bpf_ktime_get_ns() - *start;
	ret = PT_REGS_RC(ctx);
	error = is_error(ret, null_is_error);
	if (duration < min_duration_ns || (errors_only && !error)) {
		count_loss(session, FILTERED_SPAN);
		return 0;
	}
	stats_add(bpf_get_attach_cookie(ctx), duration, error);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* CPU samples: a cpu-clock perf event on each CPU runs this, loaded once a session. */
#include "sample.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("perf_event")
int sample_cpu(struct bpf_perf_event_data *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 now = bpf_ktime_get_ns();
	struct unwind_walk *w;

	if (tgid == 0 || (filter_targets && !is_target(tgid, session, 0)))
		return 0;
	w = walk_of_this_cpu();
	if (!w)
		return 0;
	sample_python(tgid, now);
	send_sample(ctx, w, RECORD_SAMPLE, find_user_stack(ctx, w), now, 1);
	return 0;
}

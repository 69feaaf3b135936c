/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods about the daemon itself. */
#include "control/methods.h"

#include <sys/resource.h>
#include "collect/kernel_support.h"
#include "control/doctor.h"
#include "control/keeper.h"
#include "sonde/base/format.h"

static uint64_t own_cpu_ns(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return 0;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NSEC_PER_USEC;
}

static uint64_t own_rss_bytes(void)
{
	_cleanup_(freep) char *text = NULL;
	unsigned long long pages = 0;

	if (read_file("/proc/self/statm", 4096, &text, NULL) == 0)
		(void)sscanf(text, "%*u %llu", &pages);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_daemon(struct json_writer *w, struct daemon *d)
{
	struct collector_stats stats = {0};
	struct unwinding_stats unwind = {0};
	struct model_counts counts;

	if (d->unwinding)
		unwinding_stats(d->unwinding, &unwind);
	if (d->collector)
		collector_stats(d->collector, &stats);
	model_counts(d->model, &counts);
	json_object_begin(w, "daemon");
	json_string(w, "version", SONDE_VERSION);
	json_u64(w, "pid", (uint64_t)getpid());
	json_u64(w, "started_us", d->started_us);
	json_u64(w, "cpu_ns", own_cpu_ns());
	json_u64(w, "rss_bytes", own_rss_bytes());
	json_u64(w, "bpf_bytes", kernel_side_map_bytes() + unwind.files.bytes);
	json_u64(w, "unwind_bytes", unwind.files.bytes);
	json_u64(w, "unwind_tables", unwind.files.tables);
	json_u64(w, "unwind_processes", unwind.processes);
	json_u64(w, "records", stats.records);
	json_u64(w, "bytes", stats.bytes);
	json_u64(w, "wakeups", stats.wakeups);
	json_u64(w, "queue_full", stats.queue_full);
	json_u64(w, "processes", counts.processes);
	json_string(w, "recording", daemon_is_replay(d) ? d->recordings[0] : "");
	json_object_end(w);
}

static void write_history(struct json_writer *w, struct daemon *d)
{
	struct keeper_status k;

	if (!d->keeper)
		return;
	keeper_get_status(d->keeper, &k);
	json_object_begin(w, "history");
	json_string(w, "path", keeper_path(d->keeper));
	json_u64(w, "bytes", k.store.bytes);
	json_u64(w, "windows", k.store.windows);
	json_u64(w, "first_us", k.store.first_us);
	json_u64(w, "last_us", k.store.last_us);
	json_u64(w, "written", k.written);
	json_u64(w, "waiting", k.waiting);
	json_u64(w, "lost", k.lost);
	json_string(w, "problem", k.problem);
	json_object_end(w);
}

void method_status(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	uint64_t sum[LOSS_COUNTERS] = {0}, losses[LOSS_COUNTERS];
	struct coverage coverage;
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	write_daemon(&w, d);
	json_array_begin(&w, "sessions");
	for (struct session *s = d->sessions; s; s = s->next) {
		if (!s->ending)
			methods_write_session(&w, NULL, s);
		methods_coverage(s, &coverage, losses);
		for (size_t i = 0; i < LOSS_COUNTERS; i++)
			sum[i] += i == LOSS_RING_EVENT ? 0 : losses[i];
	}
	json_array_end(&w);
	/* Lost process events are nobody's in particular: all rows have some, slot 0 the daemon's
	 * own. */
	for (uint32_t slot = 0; d->kernel && slot < RECORD_MAX_SESSIONS; slot++)
		if (kernel_side_losses(d->kernel, slot, losses) == 0)
			sum[LOSS_RING_EVENT] += losses[LOSS_RING_EVENT];
	answer_losses(&w, "losses", sum);
	write_history(&w, d);
	json_object_end(&w);
	methods_reply(call, &out);
}

void method_doctor(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	_cleanup_(doctor_freep) struct doctor *doctor = NULL;
	struct reader_failure unreadable[READER_FAILURES_MAX];
	struct error error = {0}, reader_error = {0};
	struct kernel_support support;
	struct doctor_facts facts;
	struct python_stats python = {0};
	struct json_writer w;
	int r;

	if (d->unwinding)
		python_stats(unwinding_python(d->unwinding), &python);
	if (d->reader)
		(void)reader_test_confinement(d->reader, &reader_error);
	kernel_support_probe(&support);
	facts = (struct doctor_facts){
		.bpf_load = support.load == 0,
		.bpf_errno = -support.load,
		.ring_buffer = support.ring_buffer == 0,
		.task_storage = support.task_storage == 0,
		.tp_btf = support.tp_btf == 0,
		.multi_uprobe = attach_probe_multi() == 0,
		.session_link = attach_probe_session() == 0,
		.kprobe = attach_probe_kprobe(),
		.kprobe_multi = attach_probe_kprobe_multi(),
		.fentry = attach_probe_fentry(),
		.python_pid = python.failed_pid,
		.python_failure = python.failure,
		.reader_error = d->reader ? reader_error.message : NULL,
		.unreadable = unreadable,
		.n_unreadable =
			d->reader ? reader_failures(d->reader, unreadable, READER_FAILURES_MAX) : 0,
	};
	r = doctor_run(&facts, &doctor);
	if (r < 0) {
		error_set(&error, -r, "Internal", "%s", strerror(-r));
		methods_fail(call, &error);
		return;
	}
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	doctor_write(doctor, &w, "checks");
	json_object_end(&w);
	methods_reply(call, &out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Worker, answers, doctor. */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>
#include <pthread.h>
#include <sys/stat.h>

#include "control/answer.h"
#include "control/doctor.h"
#include "control/interface.h"
#include "control/worker.h"
#include "varlink/idl.h"

/* Worker */

struct counter {
	sd_event *event;
	pthread_t main_thread;
	pthread_mutex_t lock;
	size_t ran, done, cancelled;
	size_t order[64];
	bool wrong_thread;
};

struct piece {
	struct counter *counter;
	size_t number;
	bool slow;
};

static void run_piece(void *arg)
{
	struct piece *p = arg;
	struct counter *c = p->counter;

	if (p->slow)
		usleep(50000);
	pthread_mutex_lock(&c->lock);
	c->wrong_thread |= pthread_equal(pthread_self(), c->main_thread);
	c->order[c->ran++ % ARRAY_SIZE(c->order)] = p->number;
	pthread_mutex_unlock(&c->lock);
}

static void piece_done(void *arg, bool cancelled)
{
	struct piece *p = arg;
	struct counter *c = p->counter;

	c->wrong_thread |= !pthread_equal(pthread_self(), c->main_thread);
	c->cancelled += cancelled;
	c->done++;
	free(p);
}

static void submit(struct worker *w, struct counter *c, size_t number, bool slow)
{
	struct piece *p = malloc(sizeof(*p));

	*p = (struct piece){c, number, slow};
	cr_assert_eq(worker_submit(w, run_piece, piece_done, p), 0);
}

static void counter_begin(struct counter *c)
{
	*c = (struct counter){.main_thread = pthread_self(), .lock = PTHREAD_MUTEX_INITIALIZER};
	cr_assert_geq(sd_event_new(&c->event), 0);
}

Test(worker, runs_jobs_in_order)
{
	_cleanup_(worker_freep) struct worker *w = NULL;
	struct counter c;

	counter_begin(&c);
	cr_assert_eq(worker_new(c.event, "a-name-that-is-too-long", &w), 0);
	for (size_t i = 0; i < 50; i++)
		submit(w, &c, i, false);
	cr_assert_eq(c.done, 0, "done() ran outside of the loop");
	cr_assert_eq(worker_pending(w), 50);
	while (worker_pending(w))
		cr_assert_gt(sd_event_run(c.event, 5000000), 0);
	cr_assert_eq(c.done, 50);
	cr_assert_eq(c.cancelled, 0);
	cr_assert_not(c.wrong_thread);
	for (size_t i = 0; i < 50; i++)
		cr_assert_eq(c.order[i], i);
	w = worker_free(w);
	sd_event_unref(c.event);
}

/* What was asked before the daemon began to end may be submitted when workers are gone. */
Test(worker, that_is_gone_takes_nothing)
{
	cr_assert_eq(worker_submit(NULL, run_piece, piece_done, NULL), -ESHUTDOWN);
}

Test(worker, drains)
{
	_cleanup_(worker_freep) struct worker *w = NULL;
	struct counter c;

	counter_begin(&c);
	cr_assert_eq(worker_new(c.event, "test", &w), 0);
	worker_drain(w);
	for (size_t i = 0; i < 3; i++)
		submit(w, &c, i, true);
	worker_drain(w);
	cr_assert_eq(c.ran, 3);
	cr_assert_eq(c.done, 3);
	cr_assert_eq(worker_pending(w), 0);
	/* The wakeups that are left over do no harm. */
	while (sd_event_run(c.event, 1000) > 0)
		;
	cr_assert_eq(c.done, 3);
	w = worker_free(w);
	sd_event_unref(c.event);
}

Test(worker, cancels_what_has_not_begun)
{
	struct worker *w = NULL;
	struct counter c;

	counter_begin(&c);
	cr_assert_eq(worker_new(c.event, "test", &w), 0);
	for (size_t i = 0; i < 10; i++)
		submit(w, &c, i, true);
	usleep(10000);
	w = worker_free(w);
	cr_assert_eq(c.done, 10);
	cr_assert_eq(c.ran + c.cancelled, 10);
	cr_assert_geq(c.cancelled, 8);
	sd_event_unref(c.event);
}

/* Answers: each is checked against the interface itself. */

static void begin_answer(struct json_writer *w, struct strbuf *out)
{
	json_begin(w, out);
	json_object_begin(w, NULL);
}

static void check_reply(const char *method, struct json_writer *w, struct strbuf *out)
{
	_cleanup_(idl_freep) struct idl *idl = NULL;
	struct error e = {};
	cJSON *json;

	json_object_end(w);
	cr_assert_eq(strbuf_error(out), 0);
	cr_assert_eq(idl_parse(sonde_interface, &idl, &e), 0, "%s", e.message);
	json = cJSON_Parse(out->data);
	cr_assert(json, "%s", out->data);
	cr_assert_eq(idl_check(idl, method, json, true, &e), 0, "%s: %s", e.message, out->data);
	cJSON_Delete(json);
}

static void fill_session(struct json_writer *w)
{
	static const struct coverage coverage = {.spans_seen = 10, .has_stacks = true};
	static const uint64_t losses[LOSS_COUNTERS] = {
		[LOSS_RING_SPAN] = 1, [LOSS_STACK] = 4, [FILTERED_SPAN] = 1000};

	json_object_begin(w, "session");
	json_string(w, "name", "s");
	json_string(w, "state", "active");
	json_array_begin(w, "kinds");
	json_array_end(w);
	json_array_begin(w, "specs");
	json_array_end(w);
	json_string(w, "targets", "all");
	json_u64(w, "probes", 0);
	json_u64(w, "frequency", 0);
	json_u64(w, "started_us", 0);
	json_u64(w, "spans", 0);
	json_u64(w, "samples", 0);
	answer_coverage(w, "coverage", &coverage);
	answer_losses(w, "losses", losses);
	json_object_end(w);
	answer_coverage(w, "coverage", &coverage);
}

Test(answer, report)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct report_row rows[] = {
		{.key = "f", .binary = "/usr/lib/libx.so", .calls = 3, .total_ns = UINT64_MAX},
		{.key = "do_idle", .binary = "[kernel]", .samples = 7, .self_samples = 6},
		{.key = "bad \xff name", .binary = NULL},
	};
	struct report report = {.rows = rows, .n_rows = ARRAY_SIZE(rows)};
	struct json_writer w;

	cr_assert_eq(hist_add(&rows[0].hist, 1000, 2), 0);
	cr_assert_eq(hist_add(&rows[0].hist, 1600, 1), 0);
	begin_answer(&w, &out);
	json_string(&w, "kind", "span");
	answer_report_rows(&w, "rows", &report);
	json_u64(&w, "total_ns", 0);
	json_u64(&w, "total_samples", 0);
	json_u64(&w, "period_ns", 0);
	fill_session(&w);
	check_reply("Report", &w, &out);
	cr_assert(strstr(out.data, "{\"key\":\"f\",\"binary\":\"libx.so\",\"calls\":3,\"errors\":0,"
				   "\"total_ns\":9007199254740991,"),
		  "%s", out.data);
	cr_assert(strstr(out.data, "\"binary\":\"[kernel]\""));
	cr_assert(strstr(out.data, "\"self_samples\":0,"
				   "\"histogram\":{\"low_ns\":768,\"counts\":[2,0,1]}},"),
		  "%s", out.data);
	cr_assert(strstr(out.data, "\"self_samples\":6},"), "samples have none: %s", out.data);
	hist_release(&rows[0].hist);
	cr_assert(strstr(out.data, "[{\"kind\":\"ring_span\",\"count\":1},"
				   "{\"kind\":\"stack\",\"count\":4}]"),
		  "%s", out.data);
}

Test(answer, graph)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct graph_row rows[] = {
		{.id = 1, .func = "main", .binary = "app", .kind = FRAME_USER, .samples = 2},
		{.id = 2,
		 .parent = 1,
		 .depth = 1,
		 .func = "k",
		 .binary = "[kernel]",
		 .kind = FRAME_KERNEL},
		{.id = 3,
		 .parent = 1,
		 .depth = 1,
		 .func = "s",
		 .binary = "app",
		 .kind = FRAME_SPAN},
	};
	struct graph graph = {.rows = rows, .n_rows = ARRAY_SIZE(rows)};
	struct json_writer w;

	begin_answer(&w, &out);
	json_string(&w, "kind", "span");
	answer_graph_rows(&w, "rows", &graph);
	json_u64(&w, "total_ns", 0);
	json_u64(&w, "total_samples", 0);
	json_u64(&w, "period_ns", 0);
	fill_session(&w);
	check_reply("Graph", &w, &out);
	cr_assert(strstr(out.data, "{\"id\":2,\"parent\":1,\"depth\":1,\"func\":\"k\","
				   "\"binary\":\"[kernel]\",\"kind\":\"kernel\","));
	cr_assert(strstr(out.data, "\"kind\":\"user\",\"calls\":0"));
	cr_assert(strstr(out.data, "\"kind\":\"span\",\"calls\":0"));
}

Test(answer, stacks)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct snapshot_process process = {
		.pid = 12, .comm = "app", .ns_pid = 7, .container = "web-1"};
	struct snapshot snapshot = {.processes = &process, .n_processes = 1};
	struct snapshot_frame user = {.file_path = "/bin/app", .function = (char *)"main"};
	struct snapshot_frame kernel = {.file_path = "", .kind = FRAME_KERNEL};
	const struct snapshot_frame *frames[] = {&user, &kernel};
	uint32_t pool[] = {0, 1};
	struct stack_row row = {.thread = "worker", .frames = pool, .n_frames = 2, .value = 9};
	struct stacks stacks = {.frames = frames, .n_frames = 2, .rows = &row, .n_rows = 1};
	struct json_writer w;

	begin_answer(&w, &out);
	json_string(&w, "kind", "span");
	answer_stacks(&w, &snapshot, &stacks);
	json_u64(&w, "count", 1);
	json_string(&w, "unit", "samples");
	json_u64(&w, "period_ns", 0);
	fill_session(&w);
	check_reply("Stacks", &w, &out);
	cr_assert(
		startswith(out.data,
			   "{\"kind\":\"span\",\"frames\":[{\"func\":\"main\",\"binary\":\"app\","
			   "\"kind\":\"user\"},"
			   "{\"func\":\"[unknown]\",\"binary\":\"[kernel]\",\"kind\":\"kernel\"}],"
			   "\"stacks\":[{\"pid\":12,\"comm\":\"app\",\"ns_pid\":7,\"container\":"
			   "\"web-1\",\"thread\":\"worker\","
			   "\"frames\":[0,1],\"value\":9}]"),
		"%s", out.data);
	/* Of several processes no number is that of all. */
	strbuf_release(&out);
	out = (struct strbuf){};
	stacks.by_comm = true;
	row.thread = "";
	begin_answer(&w, &out);
	answer_stacks(&w, &snapshot, &stacks);
	cr_assert_not_null(strstr(out.data, "\"stacks\":[{\"pid\":0,\"comm\":\"app\",\"thread\":"
					    "\"\",\"frames\":[0,1],\"value\":9}]"),
			   "%s", out.data);
}

Test(answer, spans)
{
	_cleanup_(strbuf_release) struct strbuf out = {}, bare = {};
	struct answer_span_options options = {.monotonic_to_epoch_ns = 1700000000000000000,
					      .args = true};
	struct span_row rows[] = {
		{.span = {.start_ns = 5000999,
			  .duration_ns = 7,
			  .ret = UINT64_MAX,
			  .tid = 3,
			  .depth = 2,
			  .flags = SPAN_ERROR | SPAN_ARGS},
		 .more = {.args = (const uint64_t[RECORD_ARGS]){1, 0xabc}},
		 .pid = 2,
		 .comm = "app",
		 .name = "f",
		 .binary = "/bin/app"},
		{.span = {.flags = SPAN_UNWOUND}, .binary = "", .ns_pid = 1, .container = "mail"},
	};
	struct json_writer w;

	begin_answer(&w, &out);
	answer_span_rows(&w, "spans", rows, 2, &options);
	check_reply("Spans", &w, &out);
	cr_assert(strstr(out.data,
			 "{\"time_us\":1700000000005000,\"duration_ns\":7,\"self_ns\":0,\"pid\":2,"
			 "\"tid\":3,\"comm\":\"app\",\"name\":\"f\",\"binary\":\"app\",\"depth\":2,"
			 "\"ret\":\"0xffffffffffffffff\",\"args\":{\"arg0\":\"0x1\","
			 "\"arg1\":\"0xabc\",\"arg2\":\"0x0\",\"arg3\":\"0x0\",\"arg4\":\"0x0\","
			 "\"arg5\":\"0x0\"},\"flags\":[\"error\"]}"),
		  "%s", out.data);
	cr_assert(strstr(out.data, "\"args\":{},\"flags\":[\"unwound\"]"));
	cr_assert(strstr(out.data, "\"comm\":\"\",\"ns_pid\":1,\"container\":\"mail\",\"name\""));
	options.args = false;
	options.monotonic_to_epoch_ns = -10000000;
	begin_answer(&w, &bare);
	answer_span_rows(&w, "spans", rows, 1, &options);
	check_reply("Spans", &w, &bare);
	cr_assert(strstr(bare.data, "\"args\":{}"));
	cr_assert(strstr(bare.data, "\"time_us\":0,"));
}

Test(answer, every_loss_has_a_name)
{
	for (int i = 0; i < LOSS_COUNTERS; i++)
		cr_assert_eq(loss_name(i) != NULL,
			     i < FILTERED_SPAN || i == LOSS_UNDECIDED || i >= LOSS_PROGRAM);
	cr_assert_null(loss_name(LOSS_COUNTERS));
}

/* Doctor */

static const struct doctor_check *find_check(const struct doctor *d, const char *name)
{
	size_t n;
	const struct doctor_check *checks = doctor_checks(d, &n);

	for (size_t i = 0; i < n; i++)
		if (streq(checks[i].name, name))
			return &checks[i];
	cr_assert_fail("there is no check %s", name);
	return NULL;
}

static void put_file(const char *root, const char *path, const char *text)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char full[256], command[300];

	snprintf(full, sizeof(full), "%s%s", root, path);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", full);
	cr_assert_eq(system(command), 0);
	f = fopen(full, "w");
	cr_assert(f);
	fputs(text, f);
}

Test(doctor, this_machine)
{
	_cleanup_(doctor_freep) struct doctor *d = NULL;
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct doctor_facts facts = {.bpf_load = true,
				     .ring_buffer = true,
				     .task_storage = true,
				     .tp_btf = true,
				     .multi_uprobe = true,
				     .session_link = true};
	const struct doctor_check *checks;
	struct json_writer w;
	size_t n;

	cr_assert_eq(doctor_run(&facts, &d), 0);
	checks = doctor_checks(d, &n);
	cr_assert_geq(n, 15);
	for (size_t i = 0; i < n; i++) {
		cr_assert(checks[i].detail[0], "%s", checks[i].name);
		cr_assert(checks[i].ok || checks[i].fix[0], "%s has no fix", checks[i].name);
		cr_log_info("%s %d %s | %s", checks[i].name, checks[i].ok, checks[i].detail,
			    checks[i].fix);
	}
	begin_answer(&w, &out);
	doctor_write(d, &w, "checks");
	check_reply("Doctor", &w, &out);
}

/* A machine that has nothing: each check says so, and what to do about it. */
Test(doctor, a_poor_machine)
{
	_cleanup_(doctor_freep) struct doctor *d = NULL;
	char root[] = "/tmp/sonde-doctor-XXXXXX", command[64];
	struct doctor_facts facts = {
		.bpf_errno = EPERM, .root = root, .reader_error = "It is not confined."};
	const struct doctor_check *c;

	cr_assert(mkdtemp(root));
	put_file(root, "/proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n");
	put_file(root, "/proc/sys/kernel/perf_event_paranoid", "3\n");
	put_file(root, "/proc/sys/kernel/kptr_restrict", "2\n");
	put_file(root, "/proc/kallsyms", "0000000000000000 T a\n0000000000000000 t b\n");
	put_file(root, "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	put_file(root, "/sys/kernel/security/lsm", "lockdown\n");
	cr_assert_eq(doctor_run(&facts, &d), 0);
	c = find_check(d, "btf");
	cr_assert(!c->ok && c->required && strstr(c->fix, "CONFIG_DEBUG_INFO_BTF"), "%s", c->fix);
	c = find_check(d, "bpf");
	cr_assert(!c->ok && c->required && strstr(c->fix, "setcap cap_bpf"), "%s", c->fix);
	c = find_check(d, "multi_uprobe");
	cr_assert(!c->ok && !c->required);
	c = find_check(d, "reader");
	cr_assert(!c->ok && strstr(c->fix, "SECCOMP"), "%s", c->fix);
	cr_assert_str_eq(c->detail, "It is not confined.");
	c = find_check(d, "fentry");
	cr_assert(!c->ok && !c->required && strstr(c->detail, "not tried"), "%s", c->detail);
	c = find_check(d, "uprobes");
	cr_assert(!c->ok && c->required && strstr(c->fix, "CONFIG_UPROBE_EVENTS"), "%s", c->fix);
	c = find_check(d, "kallsyms");
	cr_assert(!c->ok);
	cr_assert_str_eq(c->fix, "sysctl kernel.kptr_restrict=1");
	c = find_check(d, "capabilities");
	cr_assert(!c->ok && c->required);
	cr_assert_str_eq(c->detail, "missing: CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, "
				    "CAP_DAC_READ_SEARCH, CAP_SYSLOG");
	c = find_check(d, "perf_event_paranoid");
	cr_assert(!c->ok);
	cr_assert_str_eq(c->fix, "sysctl kernel.perf_event_paranoid=2");
	c = find_check(d, "lockdown");
	cr_assert(!c->ok && c->required);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

Test(doctor, a_better_machine)
{
	struct reader_failure unreadable[] = {{.path = "/x/bad", .reason = "It was bad."}};
	_cleanup_(doctor_freep) struct doctor *d = NULL;
	char root[] = "/tmp/sonde-doctor-XXXXXX", command[64];
	struct doctor_facts facts = {.bpf_load = true,
				     .root = root,
				     .kprobe = -EOPNOTSUPP,
				     .kprobe_multi = 0,
				     .fentry = -EPERM,
				     .reader_error = "",
				     .unreadable = unreadable,
				     .n_unreadable = 1};
	const struct doctor_check *c;

	cr_assert(mkdtemp(root));
	put_file(root, "/proc/self/status", "Name:\tx\nCapEff:\t000001fffeffffff\n");
	put_file(root, "/proc/sys/kernel/perf_event_paranoid", "3\n");
	put_file(root, "/proc/kallsyms", "0000000000000000 A a\nffffffff81000000 T _text\n");
	put_file(root, "/sys/kernel/btf/vmlinux", "\x9f\xeb\x01");
	cr_assert_eq(doctor_run(&facts, &d), 0);
	cr_assert(find_check(d, "btf")->ok);
	cr_assert(find_check(d, "kallsyms")->ok);
	cr_assert(find_check(d, "capabilities")->ok);
	cr_assert(find_check(d, "kprobe_multi")->ok);
	c = find_check(d, "kprobe");
	cr_assert(!c->ok && !c->required && strstr(c->fix, "CONFIG_KPROBE_EVENTS"), "%s", c->fix);
	c = find_check(d, "fentry");
	cr_assert(!c->ok && !c->required && strstr(c->fix, "lockdown"), "%s", c->fix);
	cr_assert(find_check(d, "perf_event_paranoid")->ok);
	c = find_check(d, "lockdown");
	cr_assert(c->ok);
	cr_assert(strstr(c->fix, "mount -t securityfs"), "%s", c->fix);
	c = find_check(d, "ring_buffer");
	cr_assert(!c->ok && c->required && strstr(c->fix, "5.8"), "%s", c->fix);
	cr_assert(find_check(d, "reader")->ok);
	c = find_check(d, "unreadable");
	cr_assert(!c->ok && !c->required && strstr(c->fix, "/x/bad"), "%s", c->fix);
	cr_assert_str_eq(c->detail, "It was bad.");
	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples and waits as a session keeps them one by one, and what its memory has no room for. */
#include <criterion/criterion.h>

#include "base_random.h"
#include "control/merged.h"
#include "control/session_pack.h"
#include "control/session_waits.h"
#include "sonde/base/format.h"

enum { PID = 4711, PERIOD_NS = 1000000 };

struct fixture {
	sd_event *event;
	struct session_context context;
	struct session session;
};

static void open_session(struct fixture *f, enum session_kind kind)
{
	uint32_t process;

	*f = (struct fixture){};
	cr_assert_geq(sd_event_new(&f->event), 0);
	cr_assert_eq(worker_new(f->event, "test", &f->context.writer), 0);
	cr_assert_eq(model_new(&f->context.model), 0);
	cr_assert_eq(processes_new(f->context.model, NULL, &f->context.processes), 0);
	process = model_process(f->context.model, PID, 1);
	model_process_get(f->context.model, process)->flags |= PROCESS_MAPPED;
	processes_expect(f->context.processes, PID, process);
	f->context.raw_memory = 1 << 20;
	f->session.context = &f->context;
	f->session.kind = kind;
	f->session.name = strdup("test");
}

static void close_session(struct fixture *f)
{
	struct session *s = &f->session;

	worker_drain(f->context.writer);
	window_release(&s->window);
	window_release(&s->total);
	session_samples_release(&s->samples);
	session_waits_release(&s->waits);
	worker_free(f->context.writer);
	processes_free(f->context.processes);
	model_free(f->context.model);
	free(s->name);
	sd_event_unref(f->event);
}

/* A stack of one function of the kernel. */
union sample {
	struct record_sample r;
	char bytes[sizeof(struct record_sample) + sizeof(uint64_t)];
};

static union sample sample_of(uint32_t tid, uint64_t time_ns, uint32_t weight)
{
	union sample s = {.r = {.pid = PID,
				.tid = tid,
				.time_ns = time_ns,
				.comm = "worker",
				.kernel_count = 1,
				.weight = weight}};

	s.r.ips[0] = 0xffff8000 + tid;
	return s;
}

static void sample(struct fixture *f, uint32_t tid, uint64_t time_ns)
{
	union sample s = sample_of(tid, time_ns, 0);

	session_add_sample(&f->session, &s.r);
}

static void begin_wait(struct fixture *f, uint32_t tid, uint64_t since_ns, uint32_t weight)
{
	union sample s = sample_of(tid, since_ns, weight);

	session_add_wait(&f->session, &s.r);
}

static void end_wait(struct fixture *f, uint32_t tid, uint64_t since_ns, uint64_t ns,
		     uint64_t total_ns)
{
	session_end_wait(&f->session, &(struct record_wait_end){.pid = PID,
								.tid = tid,
								.since_ns = since_ns,
								.duration_ns = ns,
								.total_ns = total_ns});
}

/* Raw samples of a kind that the session has packed. */
static size_t unpack(const struct session *s, enum sample_kind kind, struct raw_sample *ret,
		     size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s->samples.n; i++) {
		const struct raw_sample_chunk *c = &s->samples.items[i];
		struct raw_sample_set set = {};

		if (c->kind != kind)
			continue;
		cr_assert_eq(raw_sample_chunk_decode(c->data, c->size, c->kind, &set), 0);
		cr_assert_leq(n + set.n, max);
		memcpy(ret + n, set.samples, set.n * sizeof(*ret));
		n += set.n;
		raw_sample_set_release(&set);
	}
	return n;
}

Test(control_samples, each_is_kept_with_its_time)
{
	struct raw_sample got[300] = {};
	struct fixture f;
	size_t n;

	open_session(&f, SESSION_ATTACHED);
	for (uint32_t i = 0; i < 200; i++)
		sample(&f, 1 + i % 3, 1000 + i * PERIOD_NS);
	begin_wait(&f, 2, 5000, 4);
	begin_wait(&f, 3, 6000, 1);
	begin_wait(&f, 4, 7000, 1);
	end_wait(&f, 2, 5000, 30, 120);
	end_wait(&f, 3, 6000, 40, 0);  /* not drawn */
	end_wait(&f, 4, 6999, 50, 50); /* of a wait that began unseen */
	end_wait(&f, 9, 1, 50, 50);
	cr_assert_eq(f.session.window.n_raw, 201);
	session_roll(&f.session, false);
	worker_drain(f.context.writer);
	cr_assert_eq(f.session.window.n_raw, 0);
	n = unpack(&f.session, SAMPLE_CPU, got, ARRAY_SIZE(got));
	cr_assert_eq(n, 200);
	for (uint32_t i = 0; i < n; i++)
		cr_assert(got[i].time_ns == 1000 + i * PERIOD_NS && got[i].tid == 1 + i % 3 &&
			  got[i].count == 1 && !got[i].ns && !got[i].total_ns && got[i].stack);
	cr_assert_str_eq(model_string_get(f.context.model, got[0].thread), "worker");
	cr_assert_eq(unpack(&f.session, SAMPLE_OFFCPU, got, ARRAY_SIZE(got)), 1);
	cr_assert(got[0].time_ns == 5000 && got[0].ns == 30 && got[0].total_ns == 120 &&
		  got[0].tid == 2 && got[0].count == 1);
	past_free(f.session.past);
	close_session(&f);
}

Test(control_samples, waits_that_go_on_end_with_the_session)
{
	uint64_t since_ns = now_monotonic_ns() - 50 * NSEC_PER_MSEC, passed;
	struct raw_sample got[4] = {};
	struct window now = {};
	struct fixture f;

	open_session(&f, SESSION_ATTACHED);
	begin_wait(&f, 2, since_ns, 4);
	cr_assert_eq(session_waits_now(&f.session, since_ns + 77, &now), 0);
	cr_assert_eq(now.n_raw, 1);
	cr_assert(now.raw[0].ns == 77 && now.raw[0].total_ns == 4 * 77);
	window_release(&now);
	session_roll(&f.session, true);
	passed = now_monotonic_ns() - since_ns;
	worker_drain(f.context.writer);
	cr_assert_eq(unpack(&f.session, SAMPLE_OFFCPU, got, ARRAY_SIZE(got)), 1);
	cr_assert(got[0].ns >= 50 * NSEC_PER_MSEC && got[0].ns <= passed);
	cr_assert_eq(got[0].total_ns, 4 * got[0].ns);
	past_free(f.session.past);
	close_session(&f);
}

/* Those of the rolling store, of statistics only, and what is only streamed. */
Test(control_samples, some_sessions_keep_none)
{
	static const enum session_kind kinds[] = {SESSION_KEPT, SESSION_TRACE, SESSION_ATTACHED};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct fixture f;

		open_session(&f, kinds[i]);
		f.session.options.stats_only = kinds[i] == SESSION_ATTACHED;
		sample(&f, 1, 1000);
		begin_wait(&f, 2, 5000, 4);
		end_wait(&f, 2, 5000, 30, 120);
		cr_expect_eq(f.session.window.n_raw, 0);
		cr_expect_eq(f.session.window.n_samples, 2);
		cr_expect_eq(f.session.n_samples, 2);
		close_session(&f);
	}
}

/* The oldest go, and are counted; a window that is full does not wait for its end. */
Test(control_samples, memory_is_bounded)
{
	enum { MANY = 10 * RAW_SAMPLE_CHUNK_MAX };
	struct raw_sample *got = calloc(MANY, sizeof(*got));
	uint64_t counted = 0, last_ns = 1000;
	struct fixture f;
	size_t n;

	seed_rng();
	open_session(&f, SESSION_ATTACHED);
	for (uint32_t i = 0; i < MANY; i++) {
		last_ns += PERIOD_NS + next_random() % 4096;
		sample(&f, 1 + i % 7, last_ns);
		cr_assert_leq(f.session.window.n_raw, RAW_SAMPLE_CHUNK_MAX);
		worker_drain(f.context.writer);
	}
	cr_assert_eq(f.session.windows, 10);
	cr_assert_leq(f.session.samples.bytes, f.context.raw_memory / 2);
	cr_assert_gt(f.session.raw_samples_dropped, 0);
	for (size_t i = 0; i < f.session.total.n_samples; i++)
		counted += f.session.total.samples[i].count;
	cr_assert_eq(counted, MANY);
	n = unpack(&f.session, SAMPLE_CPU, got, MANY);
	cr_assert_eq(n + f.session.raw_samples_dropped, MANY);
	cr_assert_eq(got[n - 1].time_ns, last_ns);
	past_free(f.session.past);
	close_session(&f);
	free(got);
}

static void write_recording(const char *path, uint32_t frequency, int64_t to_epoch_ns, uint32_t pid)
{
	const struct store_session row = {.name = "s",
					  .targets = "t",
					  .frequency = frequency,
					  .monotonic_to_epoch_ns = to_epoch_ns};
	const struct store_names names = {};
	struct store_writer *writer = NULL;
	struct store_batch *batch = NULL;
	struct store_marks marks = {};
	struct model *m = NULL;
	struct error e = {};
	struct window w = {};

	cr_assert_eq(model_new(&m), 0);
	for (uint32_t kind = 0; kind < SAMPLE_KINDS; kind++)
		window_add_raw_sample(&w,
				      &(struct raw_sample){.time_ns = 1000 + kind,
							   .ns = kind * 40,
							   .total_ns = kind * 80,
							   .process = model_process(m, pid, 1),
							   .thread = model_string(m, "worker"),
							   .kind = kind,
							   .count = 2},
				      true);
	cr_assert_eq(store_create(path, &row, &e, &writer), 0, "%s", e.message);
	cr_assert_eq(store_batch_new(m, &w, &marks, &batch), 0);
	cr_assert_eq(store_write(writer, batch, &names, &e), 0, "%s", e.message);
	cr_assert_eq(store_close(writer, 1, &e, NULL), 0, "%s", e.message);
	store_batch_free(batch);
	model_free(m);
}

/* In the terms of the session: times of the epoch, what a CPU sample stands for where it differs.
 */
Test(control_samples, several_recordings_are_one)
{
	char dir[] = "/tmp/sonde-test-XXXXXX", a[64], b[64];
	const char *const paths[] = {a, b};
	struct session_context context = {};
	struct merged *merged = NULL;
	struct error e = {};
	struct session *s;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	write_recording(a, 100, 5000, 7);
	write_recording(b, 1000, 9000, 8);
	cr_assert_eq(model_new(&context.model), 0);
	cr_assert_eq(merged_open(&context, paths, 2, &e, &merged), 0, "%s", e.message);
	s = merged_take_sessions(merged);
	cr_assert_eq(merged_sample_chunks(s->parts, s->n_parts), 4);
	for (size_t i = 0; i < 4; i++) {
		struct raw_sample_set set = {};
		const struct raw_sample *first;

		cr_assert_eq(merged_samples(s->parts, s->n_parts, i, &set, &e), 0, "%s", e.message);
		cr_assert_eq(set.n, 1);
		first = &set.samples[0];
		cr_assert_eq(first->time_ns, (i < 2 ? 6000 : 10000) + i % 2);
		cr_assert_eq(first->ns, i % 2 * 40);
		cr_assert_eq(first->total_ns, i % 2 ? 80 : 2 * (i < 2 ? 10000000 : 1000000));
		cr_assert_eq(model_process_get(context.model, first->process)->pid, i < 2 ? 7 : 8);
		raw_sample_set_release(&set);
	}
	cr_assert_eq(merged_samples(s->parts, s->n_parts, 4, &(struct raw_sample_set){}, &e),
		     -ENOENT);
	session_free(s);
	merged_free(merged);
	model_free(context.model);
	unlink(a);
	unlink(b);
	rmdir(dir);
}

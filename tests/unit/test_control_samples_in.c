/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples that were taken in spans: of a session in memory, what is asked, and what is not there.
 */
#include <criterion/criterion.h>

#include "control/samples_in.h"

enum { PID = 4711, OTHER_PID = 4712, FAST = 0, SLOW = 1 };

struct fixture {
	struct daemon daemon;
	struct session_context context;
	struct session session;
	struct asked asked;
	uint32_t processes[2], paths[2], stacks[2], thread;
};

static void add_span(struct fixture *f, int process, int path, uint64_t start_ns,
		     uint64_t duration_ns)
{
	const struct raw_span span = {.process = f->processes[process],
				      .tid = 10,
				      .path = f->paths[path],
				      .start_ns = start_ns,
				      .duration_ns = duration_ns};

	cr_assert_eq(window_add_span(&f->session.window, &span, NULL, true), 0);
	f->session.n_spans++;
}

static void add_sample(struct fixture *f, int process, int stack, uint64_t time_ns,
		       uint64_t wait_ns)
{
	const struct raw_sample sample = {
		.time_ns = time_ns,
		.ns = wait_ns,
		.total_ns = wait_ns * 2,
		.process = f->processes[process],
		.tid = 10,
		.thread = f->thread,
		.stack = f->stacks[stack],
		.kind = wait_ns ? SAMPLE_OFFCPU : SAMPLE_CPU,
		.count = 1,
	};

	cr_assert_eq(window_add_raw_sample(&f->session.window, &sample, true), 0);
}

/* Of the first process a call of fast from 100 to 120, of slow from 200 to 300; of the other of
 * slow from 200 to 300. */
static void make(struct fixture *f, const char *in)
{
	static const char *const names[] = {"fast", "slow"};
	struct model *m;

	*f = (struct fixture){};
	cr_assert_eq(model_new(&m), 0);
	f->context.model = m;
	f->session.context = &f->context;
	f->session.name = strdup("test");
	f->session.options.frequency_hz = 1000;
	f->thread = model_string(m, "main");
	for (int i = 0; i < 2; i++) {
		uint32_t file = model_file(m, NULL, "/usr/bin/app", 0);
		struct model_probe p = {.symbol = model_string(m, names[i]),
					.name = model_string(m, names[i]),
					.file = file};

		f->processes[i] = model_process(m, PID + (uint32_t)i, 1);
		f->paths[i] = model_path(m, 0, model_probe(m, &p));
		f->stacks[i] = model_stack(m, 0, model_frame(m, file, 0x10 * (uint64_t)(i + 1)));
	}
	add_span(f, 0, FAST, 100, 20);
	add_span(f, 0, SLOW, 200, 100);
	add_span(f, 1, SLOW, 200, 100);
	add_sample(f, 0, FAST, 110, 0);
	add_sample(f, 0, SLOW, 250, 0);
	add_sample(f, 0, SLOW, 260, 0);
	add_sample(f, 0, FAST, 300, 0); /* just behind the call */
	add_sample(f, 1, SLOW, 299, 0);
	add_sample(f, 0, SLOW, 290, 40); /* a wait that ends behind the call */
	add_sample(f, 0, FAST, 190, 40); /* and one that began before it */
	f->asked = (struct asked){.session = &f->session, .kind = QUERY_CPU, .in = in};
}

static void release(struct fixture *f)
{
	window_release(&f->session.window);
	model_free(f->context.model);
	free(f->session.name);
}

/* The sums, "fast N slow N", of samples or of what waits stand for; then what is noted. */
static char *found(struct fixture *f, struct error *error)
{
	_cleanup_(samples_in_freep) struct samples_in *s = NULL;
	_cleanup_(strbuf_release) struct strbuf notes = {};
	const struct window *sums;
	uint64_t n[2] = {};
	struct json_writer w;
	char *text = NULL;

	if (samples_in_take(&f->daemon, &f->asked, &s, error) < 0 || samples_in_find(s, error) < 0)
		return NULL;
	sums = samples_in_sums(s);
	for (size_t i = 0; i < sums->n_samples; i++)
		n[sums->samples[i].stack == f->stacks[SLOW]] += f->asked.kind == QUERY_CPU
									? sums->samples[i].count
									: sums->samples[i].total_ns;
	json_begin(&w, &notes);
	json_object_begin(&w, NULL);
	samples_in_write_notes(s, &w);
	json_object_end(&w);
	cr_assert_geq(asprintf(&text, "fast %llu slow %llu %s", (unsigned long long)n[FAST],
			       (unsigned long long)n[SLOW], notes.data),
		      0);
	return text;
}

static void expect_found(struct fixture *f, const char *wanted)
{
	struct error error = {};
	_cleanup_(freep) char *text = found(f, &error);

	cr_assert(text, "%s: %s", f->asked.in, error.message);
	cr_expect_str_eq(text, wanted, "%s: %s", f->asked.in, text);
}

static void expect_refused(struct fixture *f, const char *name, const char *words)
{
	struct error error = {};
	_cleanup_(freep) char *text = found(f, &error);

	cr_assert(!text, "%s", text);
	cr_expect_str_eq(error.name, name);
	cr_expect(strstr(error.message, words), "%s", error.message);
	cr_expect(error.fix[0]);
}

Test(samples_in, what_is_asked)
{
	static const struct {
		const char *in, *wanted;
	} questions[] = {
		{"slow", "fast 0 slow 3 {}"},
		{"fast", "fast 1 slow 0 {}"},
		{"*", "fast 1 slow 3 {}"},
		{"*: duration > 50ns", "fast 0 slow 3 {}"},
		{"duration < 50ns", "fast 1 slow 0 {}"},
		{"slow: pid == 4712", "fast 0 slow 1 {}"},
		{"fast: duration > 50ns", "fast 0 slow 0 {\"notes\":[\"none of the 3 raw spans is "
					  "one that was asked for\"]}"},
		{NULL, "fast 2 slow 3 {}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct fixture f;

		make(&f, questions[i].in);
		expect_found(&f, questions[i].wanted);
		release(&f);
	}
}

Test(samples_in, waits_are_in_what_they_began_in)
{
	struct fixture f;

	make(&f, "slow");
	f.asked.kind = QUERY_OFFCPU;
	expect_found(&f, "fast 0 slow 80 {}");
	release(&f);
}

Test(samples_in, processes_and_times)
{
	const uint32_t pid = PID;
	struct fixture f;

	make(&f, "slow");
	f.asked.selectors = (struct selectors){.pids = &pid, .n_pids = 1};
	expect_found(&f, "fast 0 slow 2 {}");
	/* Of the samples, not of the calls. */
	f.context.monotonic_to_epoch_ns = 1000000;
	f.asked.since_us = 1001;
	expect_found(&f, "fast 0 slow 0 {}");
	f.asked.since_us = 0;
	f.asked.until_us = 1001;
	expect_found(&f, "fast 0 slow 2 {}");
	release(&f);
}

Test(samples_in, what_is_not_there)
{
	struct fixture f;

	make(&f, "slow");
	/* As of a window whose raw samples were pushed out. */
	cr_assert_eq(window_add_sample(&f.session.total, f.processes[0], f.thread, f.stacks[0], 7),
		     0);
	expect_found(&f,
		     "fast 0 slow 3 {\"notes\":[\"of 12 CPU samples only 5 were kept with their "
		     "times: the others are left out\"]}");
	window_drop_raw(&f.session.window);
	expect_refused(&f, "BadArgument", "the times of the 12 CPU samples were not kept");
	f.asked.in = "slow: duration > 5";
	expect_refused(&f, "BadCondition", "column 18");
	f.asked.in = "slow";
	f.session.kind = SESSION_KEPT;
	expect_refused(&f, "BadArgument", "history keeps no times");
	f.session.kind = SESSION_RECORD;
	expect_refused(&f, "BadArgument", "to a file");
	f.session.kind = SESSION_ATTACHED;
	f.session.options.stats_only = true;
	expect_refused(&f, "BadArgument", "statistics only");
	f.session.options.stats_only = false;
	f.session.n_spans = 0;
	expect_refused(&f, "BadArgument", "no spans");
	window_release(&f.session.total);
	release(&f);
}

Test(samples_in, a_session_that_takes_none)
{
	struct fixture f;

	make(&f, "slow");
	window_release(&f.session.window);
	add_span(&f, 0, SLOW, 200, 100);
	expect_found(&f, "fast 0 slow 0 {}");
	f.asked.kind = QUERY_OFFCPU;
	expect_refused(&f, "BadArgument", "has no waits");
	f.session.options.frequency_hz = 0;
	f.asked.kind = QUERY_CPU;
	expect_refused(&f, "BadArgument", "has no CPU samples");
	release(&f);
}

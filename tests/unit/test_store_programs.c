/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that lived for a moment become programs when windows are merged for good. */
#include "store_history.h"

#include "store/history_private.h"

TestSuite(programs, .init = make_dir, .fini = remove_dir);

#define HOUR_US (60 * MINUTE_US)

enum { PROCESSES = 60, WINDOWS = 30, TRACED = 7, LONG = 5 };

static const struct history_limits limits = {
	.max_bytes = 1 << 30,
	.max_age_us = NOTHING_US,
	.fine_us = 10 * MINUTE_US,
	.medium_us = 2 * HOUR_US,
};

/* Every fifth lived for long, or still does, every seventh was traced: these stay themselves. */
static bool stays(uint32_t pid)
{
	return pid % LONG == 0 || pid % TRACED == 0;
}

static uint32_t a_process(struct live *l, uint32_t pid)
{
	struct model *m = l->rec.model;
	uint64_t start_ns = l->clock_ns + pid;
	uint32_t id = model_process(m, pid, start_ns);
	struct model_process *p = model_process_get(m, id);
	char text[32];

	snprintf(text, sizeof(text), "program%u", pid % 4);
	p->comm = p->exe = model_string(m, text); /* exe is not loaded, but tells programs apart */
	snprintf(text, sizeof(text), "program%u %u", pid % 4, pid);
	p->cmdline = model_string(m, text);
	p->uid = pid % 2;
	if (pid % (2 * LONG) == 0)
		return id;
	p->flags |= PROCESS_EXITED;
	p->exec_ns = pid % 3 ? start_ns + 1 : 0;
	p->exit_ns = start_ns + (pid % LONG ? 60 : 61) * NSEC_PER_SEC;
	return id;
}

/* own: processes are told apart where they are to be. */
static char *text_of(struct model *m, const struct sample_row *row, bool own)
{
	const struct model_process *p = model_process_peek(m, row->process);
	const struct model_stack *s = model_stack_get(m, row->stack);
	char *text;

	cr_assert(asprintf(&text, "%u %s %u %s %u %llu", own && !stays(p->pid) ? 0 : p->pid,
			   model_string_get(m, p->comm), p->uid, model_string_get(m, row->thread),
			   row->kind,
			   s ? (unsigned long long)model_frame_peek(m, s->frame)->offset : 0) > 0);
	return text;
}

static void add_lines(struct lines *l, struct model *m, const struct window *w, bool own)
{
	for (size_t i = 0; i < w->n_samples; i++)
		add_line(l, text_of(m, &w->samples[i], own), w->samples[i].count,
			 w->samples[i].kind == SAMPLE_OFFCPU ? w->samples[i].total_ns : 0);
}

/* The starts and ends of a process. */
static uint64_t add_events(struct live *l, struct history_batch *b, uint32_t process)
{
	const struct model_process *p = model_process_peek(l->rec.model, process);
	const struct history_event_item both[] = {{p->exec_ns, process, "exec", 0},
						  {p->exit_ns, process, "exit", 9}};
	uint64_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		if (!both[i].time_ns)
			continue;
		cr_assert_eq(history_batch_add_event(b, l->rec.model, &both[i], &l->sent), 0);
		n++;
	}
	return n;
}

/* A window with processes of its own, as when a machine builds something. */
static void write_busy(struct live *l, uint32_t *pid, struct lines *want, uint64_t *counted)
{
	_cleanup_(history_batch_freep) struct history_batch *b = NULL;
	struct model *m = l->rec.model;
	uint32_t first = *pid, ids[PROCESSES / WINDOWS + 1];
	uint32_t path = model_path(m, 0, model_probe(m, &(struct model_probe){.offset = 1}));
	struct window w = {};
	struct error e = {};

	window_reset(&w, l->clock_ns);
	for (size_t i = 0; i < PROCESSES / WINDOWS; i++, ++*pid) {
		ids[i] = a_process(l, *pid);
		for (uint64_t k = 1 + below(20); k; k--)
			window_add_row(
				&w, &(struct sample_row){
					    .process = ids[i],
					    .thread = model_string(m, below(2) ? "a" : "b"),
					    .stack = model_stack(m, 0, model_frame(m, 1, below(4))),
					    .kind = below(2),
					    .count = 1 + below(3),
					    .total_ns = below(1000)});
		if (*pid % TRACED == 0)
			window_add_span(&w,
					&(struct raw_span){.process = ids[i],
							   .path = path,
							   .start_ns = l->clock_ns,
							   .duration_ns = 5},
					NULL, false);
	}
	w.end_ns = (l->clock_ns += WINDOW_NS) - 1;
	add_lines(want, m, &w, true);
	cr_assert_eq(history_batch_new(m, &w, &l->sent, &b), 0);
	for (uint32_t p = first; p < *pid; p++) {
		uint64_t n = add_events(l, b, ids[p - first]);

		*counted += stays(p) ? 0 : n;
	}
	if (first % 4 == 1) {
		const struct history_event_item more = {l->clock_ns, 0, "more", 3};

		cr_assert_eq(history_batch_add_event(b, m, &more, &l->sent), 0);
		*counted += 3;
	}
	cr_assert_eq(write_announced(l->h, l->session, b, &e), 0, "%s", e.message);
}

static void check_samples(struct lines *want)
{
	_cleanup_(lines_release) struct lines got = {};

	for (int kind = 0; kind < SAMPLE_KINDS; kind++) {
		const struct history_range range = {.samples = true, .kind = kind};
		struct history_part part = {};
		struct model *m = NULL;
		struct error e = {};
		char path[64];

		snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
		cr_assert_eq(model_new(&m), 0);
		cr_assert_eq(history_load(path, &range, m, &e, &part), 0, "%s", e.message);
		add_lines(&got, m, &part.total, false);
		history_part_release(&part);
		model_free(m);
	}
	compare_lines(want, &got);
}

static int64_t number_of(const char *sql)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	return number_in(path, sql);
}

static void maintain(struct live *l, uint64_t now_us)
{
	struct error e = {};
	int r;

	while ((r = history_maintain(l->h, now_us, &e)) > 0)
		;
	cr_assert_eq(r, 0, "%s", e.message);
}

Test(programs, short_lives_are_added_up)
{
	_cleanup_(lines_release) struct lines want = {};
	uint64_t counted = 0, kept = 0;
	uint32_t pid = 1;
	struct live l;

	seed_rng();
	begin_live(&l, &limits);
	for (int i = 0; i < WINDOWS; i++)
		write_busy(&l, &pid, &want, &counted);
	for (uint32_t p = 1; p < pid; p++)
		kept += stays(p);
	/* As long as windows are young, processes are themselves. */
	maintain(&l, now_of(&l) + HOUR_US);
	cr_assert_eq(number_of("SELECT count(*) FROM process WHERE session = 0"), 0);
	cr_assert_eq(number_of("SELECT sum(detail) FROM event WHERE kind = 'more'"), 45);
	maintain(&l, now_of(&l) + 3 * HOUR_US);
	check_samples(&want);
	cr_assert_eq(number_of("SELECT count(*) FROM process WHERE session = 0"), 4,
		     "programs, each of one user");
	cr_assert_eq(number_of("SELECT sum(detail) FROM event WHERE kind = 'more'"),
		     (int64_t)counted);
	cr_assert_leq(number_of("SELECT count(*) FROM event WHERE kind = 'more'"), 2);
	cr_assert_eq(number_of("SELECT count(*) FROM event e LEFT JOIN process p"
			       " ON p.id = e.process WHERE kind IN ('exec', 'exit')"
			       " AND p.pid % 5 AND p.pid % 7"),
		     0);
	/* Later, and with a new model of the daemon, their rows and command lines are gone. */
	renew_model(&l);
	write_busy(&l, &pid, &want, &counted);
	maintain(&l, now_of(&l) + 5 * HOUR_US);
	check_samples(&want);
	cr_assert_eq(number_of("SELECT count(*) FROM process WHERE session > 0"),
		     (int64_t)kept + PROCESSES / WINDOWS);
	cr_assert_eq(number_of("SELECT count(*) FROM string WHERE value GLOB 'program? *'"),
		     (int64_t)kept + PROCESSES / WINDOWS);
	/* What comes then finds its program again. */
	renew_model(&l);
	for (int i = 0; i < 6; i++)
		write_busy(&l, &pid, &want, &counted);
	maintain(&l, now_of(&l) + 7 * HOUR_US);
	check_samples(&want);
	cr_assert_eq(number_of("SELECT count(*) FROM process WHERE session = 0"), 4);
	end_live(&l);
}

Test(programs, what_has_ended_is_forgotten)
{
	_cleanup_(lines_release) struct lines want = {};
	uint64_t counted = 0;
	uint32_t pid = 1;
	struct live l;

	seed_rng();
	begin_live(&l, &limits);
	for (int i = 0; i < 20; i++) {
		_cleanup_(history_batch_freep) struct history_batch *b = NULL;
		struct window w = {};
		struct error e = {};

		write_busy(&l, &pid, &want, &counted);
		window_reset(&w, l.clock_ns);
		for (int k = 0; k < 1000; k++, pid++) {
			uint32_t p = a_process(&l, pid);

			model_process_get(l.rec.model, p)->flags |= PROCESS_EXITED;
			window_add_sample(&w, p, 0, 0, 1);
		}
		w.end_ns = (l.clock_ns += WINDOW_NS) - 1;
		cr_assert_eq(history_batch_new(l.rec.model, &w, &l.sent, &b), 0);
		cr_assert_eq(write_announced(l.h, l.session, b, &e), 0, "%s", e.message);
	}
	cr_assert_lt(l.h->live.len, 6000);
	end_live(&l);
}

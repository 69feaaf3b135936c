/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans written in source code, as a session takes them from programs that say anything. */
#include <criterion/criterion.h>

#include <malloc.h>
#include <unistd.h>

#include "control/session_calls.h"
#include "control/session_source_private.h"
#include "model/model.h"
#include "sonde/base/format.h"

struct fixture {
	struct session_context context;
	struct probe_set probes;
	struct session session;
};

static void open_session(struct fixture *f)
{
	struct error error = {};

	*f = (struct fixture){};
	cr_assert_eq(source_names_new(&f->context.source_names), 0);
	cr_assert_eq(model_new(&f->context.model), 0);
	f->session.context = &f->context;
	f->session.probes = &f->probes;
	cr_assert_eq(session_sources_start(&f->session, &error), 0);
}

static void close_session(struct fixture *f)
{
	session_sources_free(f->session.sources);
	table_release(&f->session.paths);
	source_names_free(f->context.source_names);
	model_free(f->context.model);
}

static void count(void *arg, const void *record, size_t size)
{
	(void)record, (void)size;
	++*(size_t *)arg;
}

/* The batch that says what the span is may never come: nothing waits for it for long. */
Test(control_source_session, calls_are_held_for_a_while_only)
{
	const struct record_path path = {
		.h = {.kind = RECORD_PATH}, .in_source = 1, .path = 1, .source = 0x1234};
	struct record_span call = {.h = {.kind = RECORD_SPAN}, .path = 1};
	struct fixture f;
	size_t n = 0;

	open_session(&f);
	session_sources_path(&f.session, &path);
	cr_assert(source_held_take(&f.session, &call.h, sizeof(call)));
	for (int i = 0; i < 9 && n == 0; i++) {
		usleep(SONDE_FLUSH_MS * 1000);
		source_held_release(&f.session, false, count, &n);
	}
	cr_expect_eq(n, 1);
	close_session(&f);
}

static struct source_origin origin(uint32_t pid)
{
	return (struct source_origin){.pid = pid, .tid = 1, .time_ns = now_monotonic_ns()};
}

/* Its number and addresses are those of another thread then, whose batches are counted anew. */
Test(control_source_session, what_has_ended_may_begin_again)
{
	struct sonde_batch batch = {.magic = SONDE_BATCH_MAGIC,
				    .version = SONDE_SPAN_VERSION,
				    .bytes = sizeof(batch),
				    .control = 1,
				    .sequence = 5};
	struct source_origin from = origin(1);
	const struct source_thread *t;
	struct fixture f;

	open_session(&f);
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	from.ended = true;
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	t = &f.session.sources->threads[0];
	cr_expect_eq(t->gone_ns, from.time_ns);
	/* On its way from before. */
	from.ended = false;
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	cr_expect_eq(t->gone_ns, from.time_ns);
	from.time_ns++;
	batch.sequence = 2;
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	cr_expect_eq(t->gone_ns, 0);
	cr_expect_eq(t->sequence, 2);
	close_session(&f);
}

/* Each batch is of another object: as many as are known are known, and no memory goes to others. */
Test(control_source_session, objects_are_bounded)
{
	struct sonde_batch batch = {.magic = SONDE_BATCH_MAGIC,
				    .version = SONDE_SPAN_VERSION,
				    .bytes = sizeof(batch),
				    .sequence = 1};
	struct source_origin from = origin(1);
	struct fixture f;

	open_session(&f);
	for (batch.control = 1; batch.control <= 3 * SOURCE_MAX_THREADS; batch.control++)
		session_sources_take(&f.session, &from, &batch, sizeof(batch));
	cr_expect_eq(f.session.sources->n_threads, SOURCE_MAX_THREADS);
	cr_expect_eq(f.session.sources->index.len, SOURCE_MAX_THREADS);
	cr_expect_eq(f.session.window.losses[LOSS_NO_MEMORY], 2 * SOURCE_MAX_THREADS);
	close_session(&f);
}

/* Controls are numbers that programs say, and may be made to look like another process's. */
Test(control_source_session, no_thread_is_taken_for_that_of_another_process)
{
	const uint64_t control = 0x5000, same = control ^ (uint64_t)(1 ^ 2) << 32;
	const struct source_thread *other;
	struct fixture f;

	open_session(&f);
	cr_assert_not_null(session_sources_thread(&f.session, 1, 7, control));
	other = session_sources_thread(&f.session, 2, 7, same);
	cr_expect(!other || other->pid == 2);
	close_session(&f);
}

/* Sites and paths beyond what is remembered cost no memory each time that they come. */
Test(control_source_session, sites_and_paths_are_bounded)
{
	const uint64_t n = 1 << 17;
	struct model_counts counts;
	struct mallinfo2 before, after;
	struct source_tree *tree;
	struct fixture f;

	open_session(&f);
	tree = f.session.sources->tree;
	for (uint64_t i = 1; i < n; i++)
		(void)source_tree_site(tree, i, 0);
	before = mallinfo2();
	for (uint64_t i = n; i < 9 * n; i++)
		cr_assert_null(source_tree_site(tree, i, 0));
	after = mallinfo2();
	cr_expect_leq(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd + (1 << 20));
	for (uint64_t i = 1; i <= 1000; i++)
		source_tree_note(tree, sonde_path(0, i), i, 0);
	for (uint64_t i = 1; i <= 1000; i++)
		for (uint64_t k = 1; k <= 500; k++)
			(void)source_tree_path(tree, sonde_path(sonde_path(0, i), k), k, 0, NULL);
	model_counts(f.context.model, &counts);
	cr_expect_leq(counts.paths, (1 << 18) + (1 << 16));
	close_session(&f);
}

/* A program that makes up sites and paths leaves room for those of others. */
Test(control_source_session, a_file_has_its_share_of_sites_and_paths)
{
	const uint64_t outer = 1 << 20, inner = outer + 1;
	uint64_t path = sonde_path(sonde_path(0, outer), inner);
	struct source_tree *tree;
	struct fixture f;
	uint32_t file, id;

	open_session(&f);
	tree = f.session.sources->tree;
	file = model_file(f.context.model, NULL, "/bin/other", 0);
	for (uint64_t i = 1; i < 1 << 17; i++) {
		(void)source_tree_site(tree, i, 0);
		source_tree_note(tree, sonde_path(0, i), i, 0);
		source_tree_note(tree, sonde_path(1, i), i, 0);
	}
	for (uint64_t i = 1; i <= 700; i++)
		for (uint64_t k = 1; k <= 500; k++)
			(void)source_tree_path(tree, sonde_path(sonde_path(0, i), k), k, 0, NULL);
	cr_assert_null(source_tree_site(tree, outer, 0));
	cr_assert(source_tree_site(tree, outer, file));
	source_tree_note(tree, sonde_path(0, outer), outer, file);
	id = source_tree_path(tree, path, inner, file, NULL);
	cr_assert(id);
	cr_assert(model_path_get(f.context.model, id)->parent, "it is in the outer one");
	close_session(&f);
}

static struct sonde_block block;

/* Threads come and go in a program that lives for long: those that have gone are forgotten. */
Test(control_source_session, threads_that_have_left_their_blocks_are_gone)
{
	const uint32_t pid = (uint32_t)getpid();
	struct source_thread *t;
	struct fixture f;

	block = (struct sonde_block){.magic = SONDE_BLOCK_MAGIC,
				     .version = SONDE_SPAN_VERSION,
				     .pid = pid,
				     .tid = 7,
				     .control = 0x5000,
				     .owner = 7};
	open_session(&f);
	session_sources_found(&f.session, pid, 7, (uintptr_t)&block, now_monotonic_ns());
	t = session_sources_thread(&f.session, pid, 7, block.control);
	cr_assert_not_null(t);
	session_sources_drain(&f.session, true);
	cr_expect(t->block && !t->gone_ns, "it lives");
	block.owner = 0;
	session_sources_drain(&f.session, true);
	cr_expect(!t->block && t->gone_ns, "the block is nobody's");
	/* What it said before comes late: what was read of it stays known. */
	t->drained = 2;
	session_sources_found(&f.session, pid, 7, (uintptr_t)&block, t->gone_ns - 1);
	cr_expect(!t->block && t->gone_ns && t->drained == 2, "it does not come back");
	block.owner = block.tid = 8;
	session_sources_found(&f.session, pid, 8, (uintptr_t)&block, now_monotonic_ns());
	t = session_sources_thread(&f.session, pid, 8, block.control);
	cr_assert_not_null(t);
	block.magic = 0;
	session_sources_drain(&f.session, true);
	cr_expect(!t->block && t->gone_ns, "the program is another one");
	close_session(&f);
}

/* A call says the thread only: which of its objects has spans is what was heard last. */
Test(control_source_session, calls_find_their_thread_when_others_are_forgotten)
{
	const struct record_path path = {
		.h = {.kind = RECORD_PATH}, .in_source = 1, .path = 1, .source = 0x1234};
	const struct record_span call = {.pid = 2, .tid = 7, .path = 1, .duration_ns = 500};
	struct source_thread *gone, *t;
	struct fixture f;

	open_session(&f);
	gone = session_sources_thread(&f.session, 1, 5, 0x5000);
	cr_assert_not_null(gone);
	session_sources_heard(&f.session, gone);
	t = session_sources_thread(&f.session, 2, 7, 0x6000);
	cr_assert_not_null(t);
	session_sources_heard(&f.session, t);
	cr_assert_not_null(session_sources_thread(&f.session, 2, 7, 0x7000));
	gone = session_sources_thread(&f.session, 1, 5, 0x5000);
	gone->gone_ns = f.session.sources->first_gone_ns = 1;
	session_sources_forget(&f.session);
	cr_assert_eq(f.session.sources->n_threads, 2);
	cr_expect_eq(f.session.sources->by_tid.len, 1);
	session_sources_path(&f.session, &path);
	session_sources_arrived(&f.session, &call);
	t = session_sources_thread(&f.session, 2, 7, 0x6000);
	cr_assert_not_null(t);
	cr_assert_eq(t->n_called, 1);
	cr_expect_eq(t->called[0].path, path.source);
	cr_expect_eq(t->called[0].ns, call.duration_ns);
	close_session(&f);
}

/* The table of what probes are about takes a look-up in the kernel for each call. */
Test(control_source_session, probes_of_spans_cost_calls_nothing)
{
	struct probe_point points[] = {
		{.symbol = (char *)"work"},
		{.symbol = (char *)"sonde:batch", .role = ROLE_SOURCE, .is_static = true}};
	const struct probe_set set = {.points = points, .n = 2};

	cr_expect_not(session_infos_matter(&set, NULL));
	points[1].role = ROLE_SPAN;
	cr_expect(session_infos_matter(&set, NULL), "a static probe of another kind");
}

/* ---- spans inside calls ---- */

enum { SITE = 5, SPAN_NS = 500, CALL_PATH = 77, INNER_PATH = 78, CALL_NS = 900, INNER_NS = 950 };

struct batch_of_spans {
	struct sonde_batch head;
	struct sonde_record_span spans[3];
};

/* Spans of one site, one after the other, which ended before anybody was interested. */
static struct batch_of_spans make_batch(uint64_t sequence)
{
	struct batch_of_spans b = {.head = {.magic = SONDE_BATCH_MAGIC,
					    .version = SONDE_SPAN_VERSION,
					    .flags = SONDE_BATCH_NS,
					    .bytes = sizeof(b),
					    .n_records = ARRAY_SIZE(b.spans),
					    .sequence = sequence,
					    .control = 0x5000}};

	for (size_t i = 0; i < ARRAY_SIZE(b.spans); i++)
		b.spans[i] = (struct sonde_record_span){
			.h = {.size = sizeof(b.spans[i]), .kind = SONDE_RECORD_SPAN},
			.site = SITE,
			.path = sonde_path(0, SITE),
			.start = 1000 + i,
			.duration = SPAN_NS};
	return b;
}

static uint64_t end_of_span(uint64_t sequence, size_t i)
{
	return source_at(sequence, offsetof(struct batch_of_spans, spans) +
					   (i + 1) * sizeof(struct sonde_record_span));
}

static void open_mixed(struct fixture *f)
{
	static const char *const specs[] = {"span:*"};
	const struct record_path outer = {.h = {.kind = RECORD_PATH}, .path = CALL_PATH};
	const struct record_path inner = {
		.h = {.kind = RECORD_PATH}, .path = INNER_PATH, .parent = CALL_PATH};
	struct error error = {};

	*f = (struct fixture){};
	cr_assert_eq(source_names_new(&f->context.source_names), 0);
	cr_assert_eq(model_new(&f->context.model), 0);
	f->session.context = &f->context;
	f->session.probes = &f->probes;
	f->session.options.specs = (char **)specs;
	f->session.options.n_specs = 1;
	f->session.first_probe = model_probe(f->context.model, &(struct model_probe){});
	cr_assert_eq(session_sources_start(&f->session, &error), 0, "%s", error.message);
	session_sources_path(&f->session, &outer);
	session_sources_path(&f->session, &inner);
}

static void around(struct fixture *f, uint64_t from, uint64_t to, uint64_t path, uint64_t start_ns)
{
	const struct record_around r = {.h = {.kind = RECORD_AROUND},
					.pid = 1,
					.tid = 1,
					.control = 0x5000,
					.from = from,
					.to = to,
					.path = path,
					.start_ns = start_ns};

	session_sources_around(&f->session, &r);
}

static struct record_span call_of(uint64_t path, uint64_t start_ns)
{
	return (struct record_span){.h = {.kind = RECORD_SPAN},
				    .pid = 1,
				    .tid = 1,
				    .path = path,
				    .start_ns = start_ns,
				    .duration_ns = 10000};
}

/* The second of three spans is in the inner call; a call waits for the batch that has its spans. */
Test(control_source_session, spans_are_in_the_innermost_call_around_them)
{
	const struct batch_of_spans batch = make_batch(1);
	const struct record_span inner = call_of(INNER_PATH, INNER_NS),
				 outer = call_of(CALL_PATH, CALL_NS);
	struct source_origin from = origin(1);
	struct fixture f;
	size_t n = 0;

	open_mixed(&f);
	around(&f, end_of_span(1, 0), end_of_span(1, 1), INNER_PATH, INNER_NS);
	cr_expect(source_held_take(&f.session, &inner.h, sizeof(inner)));
	around(&f, source_at(1, 0), end_of_span(1, 2), CALL_PATH, CALL_NS);
	cr_expect(source_held_take(&f.session, &outer.h, sizeof(outer)));
	source_held_release(&f.session, false, count, &n);
	cr_expect_eq(n, 0, "the batch has not come");
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	source_held_release(&f.session, false, count, &n);
	cr_expect_eq(n, 2);
	cr_expect_eq(session_sources_settle(&f.session, &inner), SPAN_NS);
	cr_expect_eq(session_sources_settle(&f.session, &outer), 2 * SPAN_NS);
	cr_expect_eq(session_sources_settle(&f.session, &outer), 0, "once");
	close_session(&f);
}

/* What a span is told to have taken is what the call around it has less of its own. */
Test(control_source_session, a_call_has_as_much_less_as_its_spans_are_bounded_to)
{
	const struct batch_of_spans batch = make_batch(1);
	const struct record_span call = call_of(CALL_PATH, CALL_NS);
	struct source_origin from = origin(1);
	struct fixture f;

	from.time_ns = 0; /* the program's clock is ahead of when the batch was read */
	open_mixed(&f);
	around(&f, source_at(1, 0), end_of_span(1, 2), CALL_PATH, CALL_NS);
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	cr_expect_eq(session_sources_settle(&f.session, &call), 0);
	close_session(&f);
}

/* A batch leaves while the call is open, and it ends in the next one. */
Test(control_source_session, a_call_has_spans_in_several_batches)
{
	struct source_origin from = origin(1);
	const struct record_span call = call_of(CALL_PATH, CALL_NS);
	struct fixture f;
	size_t n = 0;

	open_mixed(&f);
	for (uint64_t sequence = 1; sequence <= 3; sequence++) {
		const struct batch_of_spans batch = make_batch(sequence);

		around(&f, source_at(sequence, 0), end_of_span(sequence, 2), CALL_PATH, CALL_NS);
		if (sequence == 3)
			cr_expect(source_held_take(&f.session, &call.h, sizeof(call)));
		session_sources_take(&f.session, &from, &batch, sizeof(batch));
	}
	source_held_release(&f.session, false, count, &n);
	cr_expect_eq(n, 1);
	cr_expect_eq(session_sources_settle(&f.session, &call), 9 * SPAN_NS);
	close_session(&f);
}

/* What never comes is dropped with what comes behind it, and calls beyond what is known go on. */
Test(control_source_session, what_is_known_of_calls_is_bounded)
{
	const struct batch_of_spans batch = make_batch(2);
	const struct record_span call = call_of(CALL_PATH, 0);
	struct source_origin from = origin(1);
	struct source_thread *t;
	struct fixture f;

	open_mixed(&f);
	for (uint64_t i = 0; i < 1 << 13; i++)
		around(&f, source_at(1, 0), source_at(1, 200), CALL_PATH, i);
	t = session_sources_thread(&f.session, 1, 1, 0x5000);
	cr_assert_not_null(t);
	cr_expect_eq(t->n_marks, 1 << 12);
	cr_expect_eq(f.session.window.losses[LOSS_NO_MEMORY], 1 << 12);
	cr_expect(session_sources_waits(&f.session, &call));
	session_sources_take(&f.session, &from, &batch, sizeof(batch));
	cr_expect_eq(t->n_marks, 0);
	cr_expect_not(session_sources_waits(&f.session, &call));
	for (uint64_t i = 0; i < 1 << 18; i++)
		session_sources_owe(&f.session, t, &(struct source_mark){.start_ns = i}, 1);
	close_session(&f);
}

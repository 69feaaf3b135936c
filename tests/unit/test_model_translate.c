/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One model in the terms of another: nothing lost, nothing twice, nothing that was not asked for.
 */
#include <criterion/criterion.h>

#include "model/translate.h"

static struct model *new_model(const char *host, const char *boot)
{
	struct model *m = NULL;

	cr_assert_eq(model_new(&m), 0);
	if (host)
		cr_assert_eq(model_set_host(m, host, boot), 0);
	return m;
}

static struct translator *new_translator(const struct model *from, struct model *to)
{
	struct translator *t = NULL;

	cr_assert_eq(translator_new(from, to, &t), 0);
	return t;
}

static uint32_t add_process(struct model *m, uint32_t pid, uint64_t start_ns, const char *comm)
{
	uint32_t id = model_process_append(m, pid, start_ns), name = model_string(m, comm);

	model_process_get(m, id)->comm = name;
	return id;
}

/* main > inner in a file, with two lines of inner. */
static uint32_t add_stack(struct model *m, const char *path)
{
	const uint8_t build_id[BUILD_ID_LEN] = {1, 2, 3};
	uint32_t file = model_file(m, build_id, path, 0), main_frame, inner;
	const struct model_line lines[] = {
		{.function = model_string(m, "_Z5innerv"),
		 .source = model_string(m, "a.c"),
		 .line = 7},
		{.function = model_string(m, "deep"), .source = model_string(m, "a.h"), .line = 9},
	};

	main_frame = model_named_frame(m, file, 0x10, model_string(m, "main"));
	inner = model_named_frame(m, file, 0x20, model_string(m, "inner"));
	cr_assert_eq(model_line_append(m, inner, 0, &lines[0]), 0);
	cr_assert_eq(model_line_append(m, inner, 1, &lines[1]), 0);
	return model_stack(m, model_stack(m, 0, main_frame), inner);
}

static void check_stack(struct model *m, uint32_t stack, const char *path)
{
	const struct model_stack *s = model_stack_get(m, stack);
	const struct model_frame *f = model_frame_peek(m, s->frame);
	const struct model_line *lines;
	size_t n = 0;

	cr_assert_eq(s->depth, 2);
	cr_assert_str_eq(model_string_get(m, f->function), "inner");
	cr_assert_eq(f->offset, 0x20);
	cr_assert_str_eq(model_string_get(m, model_file_get(m, f->file)->path), path);
	cr_assert_eq(model_file_get(m, f->file)->build_id[2], 3);
	lines = model_lines_get(m, s->frame, &n);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(model_string_get(m, lines[1].function), "deep");
	cr_assert_str_eq(model_string_get(m, lines[0].source), "a.c");
	cr_assert_eq(lines[1].line, 9);
	f = model_frame_peek(m, model_stack_get(m, s->parent)->frame);
	cr_assert_str_eq(model_string_get(m, f->function), "main");
}

Test(translate, stacks_of_two_models_are_one)
{
	struct model *a = new_model("h", "1"), *b = new_model("h", "2"),
		     *to = new_model(NULL, NULL);
	struct translator *ta, *tb;
	struct model_counts once, twice;
	uint32_t stack, again, at_a, at_b;

	at_a = add_stack(a, "/bin/x");
	model_string(b, "something that has another id");
	add_stack(b, "/bin/other");
	at_b = add_stack(b, "/bin/x");
	ta = new_translator(a, to);
	tb = new_translator(b, to);
	cr_assert_eq(translate_stack(ta, at_a, &stack), 0);
	check_stack(to, stack, "/bin/x");
	model_counts(to, &once);
	cr_assert_eq(translate_stack(tb, at_b, &again), 0);
	cr_assert_eq(translate_stack(ta, at_a, &again), 0);
	cr_assert_eq(translate_stack(tb, at_b, &again), 0);
	cr_assert_eq(again, stack);
	model_counts(to, &twice);
	cr_assert_eq(memcmp(&once, &twice, sizeof(once)), 0, "nothing has come with it");
	cr_assert_eq(translate_stack(ta, 0, &again), 0);
	cr_assert_eq(again, 0);
	cr_assert_eq(translate_stack(ta, at_a + 1, &again), -EINVAL);
	translator_free(ta);
	translator_free(tb);
	model_free(a);
	model_free(b);
	model_free(to);
}

static uint32_t process_of(struct model *from, uint32_t id, struct model *to, int64_t shift_ns)
{
	struct translator *t = new_translator(from, to);
	uint32_t ret;

	translator_set_shift(t, shift_ns);
	cr_assert_eq(translate_process(t, id, &ret), 0);
	translator_free(t);
	return ret;
}

Test(translate, processes_are_one_by_host_boot_pid_and_start)
{
	enum { START = 500 * 1000000 };
	struct model *a = new_model("h", "1"), *b = new_model("h", "1"), *c = new_model("h", "2"),
		     *d = new_model("other", "1"), *to = new_model(NULL, NULL);
	uint32_t first = process_of(a, add_process(a, 7, START, "early"), to, 0), later, id;

	/* /proc says it in ticks. */
	id = add_process(b, 7, START + 123, "late");
	model_process_get(b, id)->exec_ns = 1000;
	later = process_of(b, id, to, -400);
	cr_assert_eq(later, first);
	cr_assert_str_eq(model_string_get(to, model_process_get(to, first)->comm), "late");
	cr_assert_eq(model_process_get(to, first)->exec_ns, 600);
	cr_assert_eq(model_process_get(to, first)->start_ns, START + 123);
	/* What is of before does not count. */
	process_of(a, 1, to, 0);
	cr_assert_str_eq(model_string_get(to, model_process_get(to, first)->comm), "late");
	cr_assert_neq(process_of(b, add_process(b, 7, 2 * START, "x"), to, 0), first);
	id = process_of(c, add_process(c, 7, START, "rebooted"), to, 0);
	cr_assert_neq(id, first);
	id = process_of(d, add_process(d, 7, START, "elsewhere"), to, 0);
	cr_assert_neq(id, first);
	cr_assert_str_eq(model_string_get(to, model_process_host(to, model_process_peek(to, id))),
			 "other");
	/* One of which it is not known when it began is never another. */
	id = process_of(c, add_process(c, 9, 0, "?"), to, 0);
	cr_assert_neq(process_of(c, add_process(c, 9, 0, "?"), to, 0), id);
	model_free(a);
	model_free(b);
	model_free(c);
	model_free(d);
	model_free(to);
}

Test(translate, windows_add_up)
{
	struct model *from = new_model("h", "1"), *to = new_model(NULL, NULL);
	const struct model_probe probes[] = {
		{.spec = model_string(from, "f*"), .name = model_string(from, "f1")},
		{.spec = model_string(from, "f*"), .name = model_string(from, "f2")}};
	uint32_t process = add_process(from, 7, 9, "p"), path, stack = add_stack(from, "/bin/x");
	struct window w = {}, sum = {};
	struct translator *t;

	path = model_path(from, model_path(from, 0, model_probe(from, &probes[0])),
			  model_probe(from, &probes[1]));
	cr_assert_eq(window_add_span(&w,
				     &(struct raw_span){.process = process,
							.path = path,
							.duration_ns = 30,
							.self_ns = 20,
							.flags = SPAN_ERROR},
				     NULL, false),
		     0);
	cr_assert_eq(window_add_sample(&w, process, model_string(from, "thread"), stack, 5), 0);
	w.losses[LOSS_STACK] = 3;
	model_string(to, "so that ids differ");
	add_process(to, 1, 1, "q");
	t = new_translator(from, to);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(translate_window(t, &w, &sum), 0);
	cr_assert_eq(sum.n_stats, 1);
	cr_assert_eq(sum.stats[0].calls, 2);
	cr_assert_eq(sum.stats[0].errors, 2);
	cr_assert_eq(sum.stats[0].total_ns, 60);
	cr_assert_eq(model_process_get(to, sum.stats[0].process)->pid, 7);
	cr_assert_str_eq(
		model_string_get(
			to,
			model_probe_get(to, model_path_get(to, sum.stats[0].path)->probe)->name),
		"f2");
	cr_assert_eq(model_path_get(to, sum.stats[0].path)->depth, 1);
	cr_assert_eq(sum.n_samples, 1);
	cr_assert_eq(sum.samples[0].count, 10);
	cr_assert_str_eq(model_string_get(to, sum.samples[0].thread), "thread");
	check_stack(to, sum.samples[0].stack, "/bin/x");
	cr_assert_eq(sum.losses[LOSS_STACK], 6);
	translator_free(t);
	window_release(&w);
	window_release(&sum);
	model_free(from);
	model_free(to);
}

Test(translate, what_changes_later_changes_in_both)
{
	_cleanup_(model_freep) struct model *from = new_model("here", "1"),
					    *to = new_model(NULL, NULL);
	_cleanup_(translator_freep) struct translator *t = NULL;
	uint32_t p = add_process(from, 10, 5000, "sh"), other = add_process(from, 11, 6000, "x");
	uint32_t frame = model_frame(from, 0, 0x7f00), unseen = model_frame(from, 0, 0x7f10);
	uint32_t stack = model_stack(from, 0, frame), late, ids[4];
	const struct model_process *process;
	const struct model_frame *f;
	struct model_counts counts;

	t = new_translator(from, to);
	cr_assert_eq(translate_process(t, p, &ids[0]), 0);
	cr_assert_eq(translate_stack(t, stack, &ids[1]), 0);

	model_process_get(from, p)->comm = model_string(from, "true");
	model_process_get(from, p)->exec_ns = 7;
	model_process_get(from, other)->comm = model_string(from, "y");
	late = model_string(from, "made_by_jit");
	model_frame_become(from, frame, &(struct model_frame){.offset = 0x10, .function = late});
	model_frame_become(from, unseen, &(struct model_frame){.offset = 0x20, .function = late});
	stack = model_stack(from, stack, unseen);
	cr_assert_eq(translate_stack(t, stack, &ids[2]), -EINVAL, "it is not known of yet");
	cr_assert_eq(translator_catch_up(t), 0);
	cr_assert_eq(translate_stack(t, stack, &ids[2]), 0);
	cr_assert_eq(translate_process(t, p, &ids[3]), 0);
	cr_assert_eq(ids[3], ids[0]);
	process = model_process_peek(to, ids[0]);
	cr_assert_str_eq(model_string_get(to, process->comm), "true");
	cr_assert_eq(process->exec_ns, 7);
	f = model_frame_peek(to, model_stack_get(to, ids[1])->frame);
	cr_assert_eq(f->offset, 0x10);
	cr_assert_str_eq(model_string_get(to, f->function), "made_by_jit");
	cr_assert_eq(model_stack_get(to, ids[2])->parent, ids[1]);
	f = model_frame_peek(to, model_stack_get(to, ids[2])->frame);
	cr_assert_eq(f->offset, 0x20);
	model_counts(to, &counts);
	cr_assert_eq(counts.late, 1, "the other one was that from the start");
	cr_assert_eq(counts.processes, 1);

	model_process_get(from, p)->flags |= PROCESS_EXITED;
	model_process_get(from, p)->exit_ns = 9;
	cr_assert_eq(translator_catch_up(t), 0);
	cr_assert_eq(model_process_peek(to, ids[0])->exit_ns, 9);
	cr_assert_eq(translator_catch_up(t), 0);
	model_counts(to, &counts);
	cr_assert_eq(counts.late, 1, "once");
	cr_assert_eq(counts.processes, 1);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions with answers known by hand. test_query_random.c compares with naive implementations. */
#include <criterion/criterion.h>

#include "query/query.h"
#include "query/spans.h"

struct world {
	struct model *m;
	struct window w;
	struct snapshot *s;
};

static void world_release(struct world *x)
{
	snapshot_free(x->s);
	window_release(&x->w);
	model_free(x->m);
}

static void world_init(struct world *x)
{
	*x = (struct world){};
	cr_assert_eq(model_new(&x->m), 0);
}

static uint32_t process(struct world *x, uint32_t pid, uint32_t uid, const char *comm)
{
	uint32_t id = model_process(x->m, pid, pid * 1000);

	cr_assert_neq(id, 0);
	model_process_get(x->m, id)->uid = uid;
	model_process_get(x->m, id)->comm = model_string(x->m, comm);
	return id;
}

/* A stack of one-letter functions, root first: 'a' is at offset 'a' of /bin/app, capitals in the
 * kernel. */
static uint32_t stack(struct world *x, const char *letters)
{
	uint32_t app = model_file(x->m, NULL, "/bin/app", 0), id = 0;

	for (; *letters; letters++) {
		uint32_t file = *letters < 'a' ? (uint32_t)FILE_ID_KERNEL : app;

		id = model_stack(x->m, id, model_frame(x->m, file, (uint8_t)*letters));
		cr_assert_neq(id, 0);
	}
	return id;
}

static void sample(struct world *x, uint32_t proc, const char *thread, const char *letters,
		   uint64_t count)
{
	cr_assert_eq(window_add_sample(&x->w, proc, model_string(x->m, thread), stack(x, letters),
				       count),
		     0);
}

static uint32_t probe(struct world *x, const char *spec, const char *name)
{
	struct model_probe p = {
		.spec = model_string(x->m, spec),
		.symbol = model_string(x->m, name),
		.file = model_file(x->m, NULL, "/usr/lib/libdb.so.1", 0),
	};

	return model_probe(x->m, &p);
}

static void span(struct world *x, uint32_t proc, uint32_t path, uint64_t duration, uint64_t self,
		 uint16_t flags)
{
	struct raw_span s = {.process = proc,
			     .path = path,
			     .duration_ns = duration,
			     .self_ns = self,
			     .flags = flags};

	cr_assert_neq(path, 0);
	cr_assert_eq(window_add_span(&x->w, &s, NULL, false), 0);
}

static size_t n_asked; /* names of frames */

/* Names letters; everything else stays without a name. */
static char *resolve(void *arg, const struct model_file *file, const char *path, uint64_t offset)
{
	char name[] = {(char)offset, '\0'};

	n_asked++;
	cr_assert_null(arg);
	cr_assert(file->flags & FILE_KERNEL || path[0] == '/');
	return offset < 128 ? strdup(name) : NULL;
}

static void take(struct world *x, const struct selectors *selectors)
{
	const struct window *windows[] = {&x->w};
	const struct snapshot_names names = {.resolve = resolve};
	size_t n_before;

	x->s = snapshot_free(x->s);
	cr_assert_eq(snapshot_take(x->m, windows, 1, selectors, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10,
				   &x->s),
		     0);
	n_asked = 0;
	snapshot_each_unnamed(x->s, false, &names);
	n_before = n_asked;
	n_asked = 0;
	cr_assert_eq(snapshot_name_frames(x->s, resolve, NULL), 0);
	cr_assert_eq(n_asked, n_before);
}

static const struct report_row *find(const struct report *r, const char *key)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (streq(r->rows[i].key, key))
			return &r->rows[i];
	cr_assert_fail("no row %s", key);
	return NULL;
}

static struct report *report(struct world *x, enum query_kind kind, enum report_by by,
			     enum report_sort sort, size_t limit)
{
	struct report *r;

	cr_assert_eq(query_report(x->s, kind, by, sort, limit, &r), 0);
	return r;
}

static struct graph *graph(struct world *x, enum query_kind kind, double min_percent,
			   uint32_t max_depth)
{
	struct graph *g;

	cr_assert_eq(query_graph(x->s, kind, min_percent, max_depth, &g), 0);
	return g;
}

/* "a:10:5 .b:5:5": dots for the depth, then function, total and self, in samples or nanoseconds. */
static void check_graph(const struct graph *g, const char *expected)
{
	char text[1024] = "";
	size_t len = 0;

	for (size_t i = 0; i < g->n_rows; i++) {
		const struct graph_row *row = &g->rows[i];
		bool cpu = row->kind != FRAME_SPAN;

		cr_assert_eq(row->id, i + 1);
		cr_assert_lt(row->parent, row->id);
		if (row->parent)
			cr_assert_eq(g->rows[row->parent - 1].depth + 1, row->depth);
		len += snprintf(text + len, sizeof(text) - len, "%s%.*s%s:%llu:%llu", i ? " " : "",
				(int)row->depth, "......", row->func,
				(unsigned long long)(cpu ? row->samples : row->total_ns),
				(unsigned long long)(cpu ? row->self_samples : row->self_ns));
	}
	cr_assert_str_eq(text, expected);
}

Test(query, empty)
{
	_cleanup_(world_release) struct world x;

	world_init(&x);
	take(&x, NULL);
	for (int kind = QUERY_SPAN; kind <= QUERY_CPU; kind++) {
		_cleanup_(report_freep) struct report *r = report(&x, kind, BY_FUNC, SORT_SELF, 0);
		_cleanup_(graph_freep) struct graph *g = graph(&x, kind, 1, 0);
		_cleanup_(stacks_freep) struct stacks *st = NULL;

		cr_assert_eq(query_stacks(x.s, kind, &st), 0);
		cr_assert_eq(r->n_rows + g->n_rows + st->n_rows + st->n_frames, 0);
		cr_assert_eq(r->total_ns + r->total_samples + g->total_ns + g->total_samples, 0);
	}
}

Test(query, not_applicable)
{
	_cleanup_(world_release) struct world x;
	struct report *r = (struct report *)&x;

	world_init(&x);
	take(&x, NULL);
	cr_assert_eq(query_report(x.s, QUERY_CPU, BY_PROBE, SORT_SELF, 0, &r), -EINVAL);
	cr_assert_eq(query_report(x.s, QUERY_SPAN, BY_THREAD, SORT_SELF, 0, &r), -EOPNOTSUPP);
	cr_assert_eq((void *)r, (void *)&x);
}

Test(query, cpu_recursion)
{
	_cleanup_(world_release) struct world x;
	uint32_t one, two;

	world_init(&x);
	one = process(&x, 1, 0, "one");
	two = process(&x, 2, 0, "two");
	sample(&x, one, "t", "afff", 3);
	sample(&x, one, "t", "afgfK", 4);
	sample(&x, two, "u", "af", 5);
	take(&x, NULL);
	{
		_cleanup_(report_freep) struct report *r =
			report(&x, QUERY_CPU, BY_FUNC, SORT_SELF, 0);
		const struct report_row *f = find(r, "f"), *k = find(r, "K");

		cr_assert_eq(r->n_rows, 4);
		cr_assert_eq(r->total_samples, 12);
		cr_assert_eq(r->total_ns, 120);
		cr_assert_str_eq(r->rows[0].key, "f");
		cr_assert_eq(f->samples, 12);
		cr_assert_eq(f->self_samples, 8);
		cr_assert_eq(f->total_ns, 120);
		cr_assert_eq(f->self_ns, 80);
		cr_assert_str_eq(f->binary, "app");
		cr_assert_str_eq(k->binary, "[kernel]");
		cr_assert_eq(k->self_samples, 4);
		cr_assert_eq(find(r, "a")->self_samples, 0);
	}
	{
		_cleanup_(graph_freep) struct graph *g = graph(&x, QUERY_CPU, 0, 0);

		check_graph(g, "a:12:0 .f:12:5 ..g:4:0 ...f:4:0 ....K:4:4 ..f:3:0 ...f:3:3");
		cr_assert_eq(g->rows[4].kind, FRAME_KERNEL);
		cr_assert_eq(g->rows[0].total_ns, 120);
	}
	{
		_cleanup_(graph_freep) struct graph *pruned = graph(&x, QUERY_CPU, 30, 0);
		_cleanup_(graph_freep) struct graph *cut = graph(&x, QUERY_CPU, 0, 2);

		check_graph(pruned, "a:12:0 .f:12:5 ..g:4:0 ...f:4:0 ....K:4:4");
		check_graph(cut, "a:12:0 .f:12:5");
	}
}

Test(query, cpu_by_process_and_thread)
{
	_cleanup_(world_release) struct world x;

	world_init(&x);
	sample(&x, process(&x, 7, 0, "web"), "io", "ab", 2);
	sample(&x, process(&x, 8, 0, "web"), "io", "ab", 3);
	sample(&x, process(&x, 9, 0, "db"), "main", "c", 4);
	take(&x, NULL);
	{
		_cleanup_(report_freep) struct report *comm =
			report(&x, QUERY_CPU, BY_COMM, SORT_SELF, 0);
		_cleanup_(report_freep) struct report *pid =
			report(&x, QUERY_CPU, BY_PID, SORT_SELF, 0);
		_cleanup_(report_freep) struct report *thread =
			report(&x, QUERY_CPU, BY_THREAD, SORT_SELF, 1);

		cr_assert_eq(comm->n_rows, 2);
		cr_assert_eq(find(comm, "web")->samples, 5);
		cr_assert_eq(find(comm, "web")->self_samples, 5);
		cr_assert_eq(pid->n_rows, 3);
		cr_assert_str_eq(pid->rows[0].key, "9 db");
		cr_assert_eq(find(pid, "8 web")->samples, 3);
		cr_assert_eq(thread->n_rows, 1, "limit");
		cr_assert_eq(find(thread, "io")->samples, 5);
		cr_assert_str_eq(thread->rows[0].binary, "");
	}
	{
		_cleanup_(stacks_freep) struct stacks *st = NULL;

		cr_assert_eq(query_stacks(x.s, QUERY_CPU, &st), 0);
		cr_assert_eq(st->n_rows, 3, "stacks are kept apart by process");
		cr_assert_eq(st->n_frames, 3);
		cr_assert_eq(st->rows[0].n_frames, 2);
		cr_assert_str_eq(st->frames[st->rows[0].frames[0]]->function, "a");
		cr_assert_str_eq(st->frames[st->rows[1].frames[1]]->function, "b");
		cr_assert_eq(x.s->processes[st->rows[1].process].pid, 8);
	}
	{
		_cleanup_(stacks_freep) struct stacks *st = NULL;

		cr_assert_eq(query_stacks_by_comm(x.s, QUERY_CPU, &st), 0);
		cr_assert(st->n_rows == 2 && st->by_comm, "web's are one");
		cr_assert(st->rows[0].value == 5 && st->rows[1].value == 4);
		cr_assert_str_eq(st->rows[0].thread, "");
		cr_assert_str_eq(x.s->processes[st->rows[0].process].comm, "web");
	}
}

/* As in old history: several processes are one, which may be of several users. */
Test(query, short_lived_processes_are_one_row)
{
	_cleanup_(world_release) struct world x;

	world_init(&x);
	sample(&x, process(&x, 7, 0, "cc1"), "cc1", "ab", 2);
	sample(&x, model_process_append(x.m, 0, 0), "cc1", "ab", 3);
	model_process_get(x.m, 2)->comm = model_string(x.m, "cc1");
	sample(&x, model_process_append(x.m, 0, 0), "cc1", "c", 4);
	model_process_get(x.m, 3)->comm = model_string(x.m, "cc1");
	take(&x, NULL);
	{
		_cleanup_(report_freep) struct report *pid =
			report(&x, QUERY_CPU, BY_PID, SORT_SELF, 0);

		cr_assert_eq(pid->n_rows, 2);
		cr_assert_eq(find(pid, "short-lived cc1")->samples, 7);
		cr_assert_eq(find(pid, "7 cc1")->samples, 2);
	}
}

Test(query, ties_are_ordered_by_name)
{
	_cleanup_(world_release) struct world x;
	uint32_t p;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	sample(&x, p, "t", "zc", 1);
	sample(&x, p, "t", "zb", 1);
	sample(&x, p, "t", "za", 1);
	take(&x, NULL);
	{
		_cleanup_(report_freep) struct report *r =
			report(&x, QUERY_CPU, BY_FUNC, SORT_SELF, 0);
		_cleanup_(graph_freep) struct graph *g = graph(&x, QUERY_CPU, 0, 0);

		for (size_t i = 0; i < 4; i++)
			cr_assert_eq(r->rows[i].key[0], "abcz"[i]);
		check_graph(g, "z:3:0 .a:1:1 .b:1:1 .c:1:1");
	}
}

Test(query, fallback_names)
{
	_cleanup_(world_release) struct world x;
	uint32_t p, lib, vdso, id;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	lib = model_file(x.m, NULL, "/lib/libfoo.so", 0);
	vdso = model_file(x.m, NULL, "[vdso]", FILE_SPECIAL);
	id = model_stack(x.m, 0, model_frame(x.m, 0, 0x99));
	id = model_stack(x.m, id, model_frame(x.m, lib, 0x1234));
	id = model_stack(x.m, id, model_frame(x.m, vdso, 0x10));
	id = model_stack(x.m, id, model_frame(x.m, lib, 0x2000));
	model_frame_get(x.m, model_frame(x.m, lib, 0x2000))->function = model_string(x.m, "saved");
	id = model_stack(x.m, id, model_frame(x.m, FILE_ID_KERNEL, 0xffffffff81000000));
	cr_assert_eq(window_add_sample(&x.w, p, 0, id, 1), 0);
	cr_assert_eq(window_add_sample(&x.w, p, 0, 0, 6), 0, "a sample without a stack");
	{
		const struct window *windows[] = {&x.w};
		_cleanup_(stacks_freep) struct stacks *st = NULL;
		static const char *const names[] = {"[unknown]", "[libfoo.so+0x1234]",
						    "[vdso+0x10]", "saved", "[kernel]"};

		cr_assert_eq(snapshot_take(x.m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10,
					   &x.s),
			     0);
		cr_assert_eq(snapshot_name_frames(x.s, NULL, NULL), 0);
		cr_assert_eq(query_stacks(x.s, QUERY_CPU, &st), 0);
		cr_assert_eq(st->n_rows, 2);
		cr_assert_eq(st->rows[0].n_frames, 5);
		for (size_t i = 0; i < 5; i++)
			cr_assert_str_eq(st->frames[st->rows[0].frames[i]]->function, names[i]);
		cr_assert_eq(st->rows[1].n_frames, 1);
		cr_assert_eq(st->rows[1].value, 6);
		cr_assert_eq(st->rows[1].frames[0], st->rows[0].frames[0]);
	}
}

Test(query, selectors)
{
	static const uint32_t pids[] = {12, 13};
	static const struct {
		struct selectors selectors;
		uint64_t samples;
	} cases[] = {
		{{}, 15},
		{{.pids = pids, .n_pids = 2}, 12},
		{{.comm = "w*"}, 3},
		{{.comm = "web?"}, 2},
		{{.has_uid = true, .uid = 0}, 4},
		{{.has_uid = true, .uid = 5, .pids = pids, .n_pids = 2}, 8},
		{{.comm = "nothing*"}, 0},
	};
	_cleanup_(world_release) struct world x;

	world_init(&x);
	sample(&x, process(&x, 10, 5, "web"), "t", "a", 1);
	sample(&x, process(&x, 11, 5, "web2"), "t", "ab", 2);
	sample(&x, process(&x, 12, 0, "db"), "t", "b", 4);
	sample(&x, process(&x, 13, 5, "db"), "t", "abc", 8);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(report_freep) struct report *r = NULL;

		take(&x, &cases[i].selectors);
		r = report(&x, QUERY_CPU, BY_FUNC, SORT_SELF, 0);
		cr_assert_eq(r->total_samples, cases[i].samples, "case %zu", i);
		/* Nothing of what is left out is copied. */
		if (!cases[i].samples)
			cr_assert_eq(x.s->n_processes + x.s->n_frames + x.s->n_stacks, 0);
	}
}

Test(query, bad_ids_are_refused)
{
	_cleanup_(world_release) struct world x;
	const struct window *windows[] = {&x.w};
	uint32_t p;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	cr_assert_eq(window_add_sample(&x.w, p, 0, 99, 1), 0);
	cr_assert_eq(snapshot_take(x.m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10, &x.s),
		     -EBADMSG);
	window_reset(&x.w, 0);
	cr_assert_eq(window_add_sample(&x.w, p + 1, 0, 0, 1), 0);
	cr_assert_eq(snapshot_take(x.m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10, &x.s),
		     -EBADMSG);
	window_reset(&x.w, 0);
	span(&x, p, 7, 1, 1, 0);
	cr_assert_eq(snapshot_take(x.m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10, &x.s),
		     -EBADMSG);
	cr_assert_null(x.s);
}

/* open(step(step)) twice: the inner step counts as a call, but its time only once. */
Test(query, span_recursion)
{
	_cleanup_(world_release) struct world x;
	uint32_t p, open, step, inner;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	open = model_path(x.m, 0, probe(&x, "libdb:open", "open"));
	step = probe(&x, "libdb:st*", "step");
	inner = model_path(x.m, model_path(x.m, open, step), step);
	for (int i = 0; i < 2; i++) {
		span(&x, p, inner, 100, 100, SPAN_ERROR);
		span(&x, p, model_path(x.m, open, step), 300, 200, 0);
		span(&x, p, open, 1000, 700, 0);
	}
	take(&x, NULL);
	{
		_cleanup_(report_freep) struct report *r =
			report(&x, QUERY_SPAN, BY_FUNC, SORT_CALLS, 0);
		_cleanup_(report_freep) struct report *spec =
			report(&x, QUERY_SPAN, BY_PROBE, SORT_TOTAL, 0);
		_cleanup_(report_freep) struct report *comm =
			report(&x, QUERY_SPAN, BY_COMM, SORT_TOTAL, 0);
		const struct report_row *s = find(r, "step");

		cr_assert_str_eq(r->rows[0].key, "step");
		cr_assert_str_eq(s->binary, "libdb.so.1");
		cr_assert_eq(s->calls, 4);
		cr_assert_eq(s->errors, 2);
		cr_assert_eq(s->total_ns, 600);
		cr_assert_eq(s->self_ns, 600);
		cr_assert_eq(s->avg_ns, 200, "of all durations");
		cr_assert_eq(s->max_ns, 300);
		cr_assert_eq(s->p50_ns, 100);
		cr_assert_eq(find(r, "open")->p50_ns, 1000, "not below the lowest value");
		cr_assert_eq(r->total_ns, 2000);
		cr_assert_eq(find(spec, "libdb:st*")->total_ns, 600);
		cr_assert_eq(find(comm, "p")->total_ns, 2000);
		cr_assert_eq(find(comm, "p")->calls, 6);
	}
	{
		_cleanup_(graph_freep) struct graph *g = graph(&x, QUERY_SPAN, 0, 0);
		_cleanup_(stacks_freep) struct stacks *st = NULL;

		check_graph(g, "open:2000:1400 .step:600:400 ..step:200:200");
		cr_assert_eq(g->rows[2].errors, 2);
		cr_assert_eq(query_stacks(x.s, QUERY_SPAN, &st), 0);
		cr_assert_eq(st->n_rows, 3);
		cr_assert_eq(st->n_frames, 2);
		cr_assert_eq(st->frames[0]->kind, FRAME_SPAN);
		cr_assert_eq(st->rows[0].n_frames, 3);
		cr_assert_eq(st->rows[0].value, 200);
		cr_assert_str_eq(st->rows[0].thread, "");
	}
}

Test(query, unfinished_parents)
{
	_cleanup_(world_release) struct world x;
	struct span_stat none = {};
	uint32_t p, serve, step, path;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	serve = probe(&x, "serve", "serve");
	step = probe(&x, "step", "step");
	path = model_path(x.m, model_path(x.m, 0, serve), step);
	span(&x, p, path, 50, 20, 0);
	/* serve runs in serve, which has not returned. */
	span(&x, p, model_path(x.m, path, serve), 30, 10, 0);
	/* Statistics without a call, as a window that was only opened, are as good as none. */
	none.process = p;
	none.path = model_path(x.m, 0, serve);
	cr_assert_eq(window_add_stat(&x.w, &none), 0);
	take(&x, NULL);
	{
		_cleanup_(graph_freep) struct graph *g = graph(&x, QUERY_SPAN, 50, 0);
		_cleanup_(report_freep) struct report *r =
			report(&x, QUERY_SPAN, BY_FUNC, SORT_TOTAL, 0);
		_cleanup_(report_freep) struct report *pid =
			report(&x, QUERY_SPAN, BY_PID, SORT_TOTAL, 0);

		check_graph(g, "serve:50:0 .step:50:20 ..serve:30:10");
		cr_assert_eq(g->rows[0].calls, 0);
		cr_assert_eq(g->rows[0].p99_ns, 0);
		cr_assert_eq(find(r, "serve")->calls, 1);
		cr_assert_eq(find(r, "serve")->total_ns, 30,
			     "the outer call has no time to be part of");
		cr_assert_eq(find(pid, "1 p")->total_ns, 50);
	}
	/* One short call has ended; the long one goes on: what is below it must not be pruned. */
	span(&x, p, model_path(x.m, 0, serve), 1, 1, 0);
	take(&x, NULL);
	{
		_cleanup_(graph_freep) struct graph *g = graph(&x, QUERY_SPAN, 50, 0);

		check_graph(g, "serve:1:1 .step:50:20 ..serve:30:10");
	}
}

Test(query, windows_are_added_up)
{
	_cleanup_(world_release) struct world x;
	const struct window *windows[] = {&x.w, &x.w};
	uint32_t p;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	sample(&x, p, "t", "ab", 3);
	span(&x, p, model_path(x.m, 0, probe(&x, "open", "open")), 1984, 100, 0);
	cr_assert_eq(snapshot_take(x.m, windows, 2, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 10, &x.s),
		     0);
	cr_assert_eq(snapshot_name_frames(x.s, resolve, NULL), 0);
	{
		_cleanup_(report_freep) struct report *r =
			report(&x, QUERY_SPAN, BY_FUNC, SORT_TOTAL, 0);
		_cleanup_(stacks_freep) struct stacks *st = NULL;

		cr_assert_eq(x.s->n_stats, 1);
		cr_assert_eq(find(r, "open")->calls, 2);
		cr_assert_eq(find(r, "open")->p99_ns, 1984, "not beyond the highest value");
		cr_assert_eq(query_stacks(x.s, QUERY_CPU, &st), 0);
		cr_assert_eq(st->n_rows, 1);
		cr_assert_eq(st->rows[0].value, 6);
	}
}

/* What a question does not show is neither copied nor named. */
Test(query, only_what_is_asked)
{
	_cleanup_(world_release) struct world x;
	const struct window *windows[] = {&x.w};
	static const struct {
		unsigned int parts;
		size_t samples, stats, processes, frames;
	} cases[] = {
		{SNAPSHOT_SPANS, 0, 1, 1, 1},
		{SNAPSHOT_CPU, 2, 0, 2, 2},
		{SNAPSHOT_OFFCPU, 0, 0, 0, 0},
		{SNAPSHOT_SPANS | SNAPSHOT_CPU, 2, 1, 2, 3},
	};
	uint32_t p;

	world_init(&x);
	p = process(&x, 1, 0, "p");
	sample(&x, p, "t", "ab", 3);
	sample(&x, process(&x, 2, 0, "q"), "t", "ab", 3);
	span(&x, p, model_path(x.m, 0, probe(&x, "open", "open")), 1984, 100, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		x.s = snapshot_free(x.s);
		cr_assert_eq(snapshot_take(x.m, windows, 1, NULL, cases[i].parts, 10, &x.s), 0);
		cr_expect_eq(x.s->n_samples, cases[i].samples, "case %zu: samples", i);
		cr_expect_eq(x.s->n_stats, cases[i].stats, "case %zu: statistics", i);
		cr_expect_eq(x.s->n_processes, cases[i].processes, "case %zu: processes", i);
		cr_expect_eq(x.s->n_frames, cases[i].frames, "case %zu: frames", i);
	}
}

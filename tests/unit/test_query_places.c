/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about where processes are: containers, control groups, PID namespaces. */
#include <criterion/criterion.h>

#include "query/query.h"
#include "query/spans.h"

#define ID    "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
#define GROUP "/system.slice/docker-" ID ".scope"

/* Processes 1 to 5, one span each, whose duration is 1, 2, 4, 8, 16. */
static const struct {
	const char *comm, *cgroup, *container;
	uint32_t uid, ns_pid;
} processes[] = {
	{"web", GROUP, ID, 0, 1},
	{"web", GROUP, ID, 33, 7},
	{"web", "/lxc.payload.mail/init.scope", "mail", 0, 0},
	{"db", "/system.slice/db.service", "", 33, 0},
	{"db", "", "", 33, 0},
};

struct world {
	struct model *m;
	struct window w;
};

static void world_release(struct world *x)
{
	window_release(&x->w);
	model_free(x->m);
}

static uint32_t text(struct model *m, const char *s)
{
	return *s ? model_string(m, s) : 0;
}

static void world_init(struct world *x)
{
	struct model_probe probe = {};
	uint32_t path;

	cr_assert_eq(model_new(&x->m), 0);
	probe.spec = probe.symbol = model_string(x->m, "f");
	path = model_path(x->m, 0, model_probe(x->m, &probe));
	for (uint32_t i = 0; i < ARRAY_SIZE(processes); i++) {
		uint32_t id = model_process(x->m, 101 + i, 1000);
		struct model_process *p = model_process_get(x->m, id);
		struct raw_span span = {
			.process = id, .path = path, .duration_ns = 1 << i, .self_ns = 1 << i};

		p->comm = text(x->m, processes[i].comm);
		p->cgroup = text(x->m, processes[i].cgroup);
		p->container = text(x->m, processes[i].container);
		p->uid = processes[i].uid;
		p->ns_pid = processes[i].ns_pid;
		cr_assert_eq(window_add_span(&x->w, &span, NULL, true), 0);
	}
}

static struct report *report(struct world *x, enum report_by by, struct snapshot **ret_snapshot)
{
	const struct window *windows[] = {&x->w};
	struct report *r = NULL;

	cr_assert_eq(snapshot_take(x->m, windows, 1, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 0,
				   ret_snapshot),
		     0);
	cr_assert_eq(query_report(*ret_snapshot, QUERY_SPAN, by, SORT_TOTAL, 0, &r), 0);
	return r;
}

struct row {
	const char *key;
	uint64_t total_ns;
};

static void expect_rows(enum report_by by, const struct row *rows, size_t n)
{
	_cleanup_(world_release) struct world x = {};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(report_freep) struct report *r = NULL;

	world_init(&x);
	r = report(&x, by, &s);
	cr_assert_eq(r->n_rows, n);
	for (size_t i = 0; i < n; i++) {
		cr_expect_str_eq(r->rows[i].key, rows[i].key);
		cr_expect_eq(r->rows[i].total_ns, rows[i].total_ns, "%s", rows[i].key);
	}
}

Test(query_places, by_container)
{
	static const struct row rows[] = {{"[host]", 24}, {"mail", 4}, {ID, 3}};

	expect_rows(BY_CONTAINER, rows, ARRAY_SIZE(rows));
}

Test(query_places, by_control_group)
{
	static const struct row rows[] = {{"[unknown]", 16},
					  {"/system.slice/db.service", 8},
					  {"/lxc.payload.mail/init.scope", 4},
					  {GROUP, 3}};

	expect_rows(BY_CGROUP, rows, ARRAY_SIZE(rows));
}

/* Beside f, of no file: spans of two categories, one in the other, and one without in a file. */
static void add_source_spans(struct world *x)
{
	static const struct {
		const char *symbol, *name;
		bool is_inside;
		uint64_t total_ns, self_ns;
	} spans[] = {
		{"io/read/a", "read/a", false, 700, 200},
		{"io/b", "b", true, 500, 500},
		{"d/b/put", "put", true, 50, 50},
		{"/risky", "risky", false, 3, 3},
	};
	uint32_t outer = 0;

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		struct model_probe probe = {
			.spec = model_string(x->m, "span"),
			.symbol = model_string(x->m, spans[i].symbol),
			.name = model_string(x->m, spans[i].name),
			.strategy = model_string(x->m, "span"),
			.file = model_file(x->m, NULL, "/bin/app", 0),
		};
		struct raw_span span = {
			.process = model_process(x->m, 101, 1000),
			.path = model_path(x->m, spans[i].is_inside ? outer : 0,
					   model_probe(x->m, &probe)),
			.duration_ns = spans[i].total_ns,
			.self_ns = spans[i].self_ns,
		};

		if (i == 0)
			outer = span.path;
		cr_assert_eq(window_add_span(&x->w, &span, NULL, true), 0);
	}
}

Test(query_places, by_category)
{
	static const struct row rows[] = {{"io", 700}, {"d/b", 50}, {"-", 31}, {"app", 3}};
	_cleanup_(world_release) struct world x = {};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(report_freep) struct report *r = NULL;

	world_init(&x);
	add_source_spans(&x);
	r = report(&x, BY_CATEGORY, &s);
	cr_assert_eq(r->n_rows, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_str_eq(r->rows[i].key, rows[i].key);
		cr_expect_str_eq(r->rows[i].binary, "");
		cr_expect_eq(r->rows[i].total_ns, rows[i].total_ns, "%s", rows[i].key);
	}
	cr_expect_eq(query_report(s, QUERY_CPU, BY_CATEGORY, SORT_TOTAL, 0, &r), -EINVAL);
}

Test(query_places, by_pid_with_that_of_the_namespace)
{
	static const struct row rows[] = {{"105 db", 16},
					  {"104 db", 8},
					  {"103 web", 4},
					  {"102 (7) web", 2},
					  {"101 (1) web", 1}};

	expect_rows(BY_PID, rows, ARRAY_SIZE(rows));
}

static const struct {
	struct selectors selectors;
	uint64_t total_ns;
} selections[] = {
	{{}, 31},
	{{.container = ID}, 3},
	{{.container = "9ec39b91f3d7"}, 3},
	{{.container = "mai?"}, 4},
	{{.container = "*"}, 7},
	{{.container = "other"}, 0},
	{{.cgroup = "/system.slice/*"}, 11},
	{{.cgroup = "*docker-*"}, 3},
	{{.cgroup = "/system.slice"}, 0},
	/* One whose group is not known is in none that has a name. */
	{{.cgroup = "*"}, 15},
	/* All must hold. */
	{{.cgroup = "/system.slice/*", .container = "*"}, 3},
	{{.container = "*", .has_uid = true, .uid = 0}, 5},
	{{.container = "*", .comm = "db"}, 0},
	{{.container = ID, .pids = (const uint32_t[]){102, 104}, .n_pids = 2}, 2},
};

Test(query_places, selected_in_answers_of_statistics)
{
	_cleanup_(world_release) struct world x = {};
	const struct window *windows[] = {&x.w};

	world_init(&x);
	for (size_t i = 0; i < ARRAY_SIZE(selections); i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = NULL;
		_cleanup_(report_freep) struct report *r = NULL;

		cr_assert_eq(snapshot_take(x.m, windows, 1, &selections[i].selectors,
					   SNAPSHOT_SPANS | SNAPSHOT_CPU, 0, &s),
			     0);
		cr_assert_eq(query_report(s, QUERY_SPAN, BY_FUNC, SORT_TOTAL, 0, &r), 0);
		cr_expect_eq(r->total_ns, selections[i].total_ns, "%zu: %llu", i,
			     (unsigned long long)r->total_ns);
	}
}

Test(query_places, selected_in_answers_of_raw_spans)
{
	_cleanup_(world_release) struct world x = {};

	world_init(&x);
	for (size_t i = 0; i < ARRAY_SIZE(selections); i++) {
		_cleanup_(spans_names_freep) struct spans_names *names = NULL;
		_cleanup_(spans_query_freep) struct spans_query *q = NULL;
		struct span_set set = {.spans = x.w.spans, .n = x.w.n_spans};
		const struct spans_filter filter = {};
		const struct span_row *rows;
		uint64_t total_ns = 0;
		size_t n;

		cr_assert_eq(spans_names_take(x.m, &selections[i].selectors, NULL, &names), 0);
		cr_assert_eq(spans_query_new(names, &filter, &q), 0);
		cr_assert_eq(spans_query_set(q, &set), 0);
		cr_assert_eq(spans_query_finish(q, &rows, &n), 0);
		for (size_t row = 0; row < n; row++) {
			uint32_t at = rows[row].pid - 101;
			const char *container = rows[row].container;

			total_ns += rows[row].span.duration_ns;
			cr_expect_eq(rows[row].ns_pid, processes[at].ns_pid);
			cr_expect_str_eq(container ? container : "", processes[at].container);
		}
		cr_expect_eq(total_ns, selections[i].total_ns, "%zu: %llu", i,
			     (unsigned long long)total_ns);
	}
}

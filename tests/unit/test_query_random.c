/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random data, asked of the query module and of implementations too simple to be wrong. */
#include <criterion/criterion.h>

#include "query/query.h"
#include "sonde/base/format.h"

enum { PROCESSES = 5, FRAMES = 24, PROBES = 12, MAX_DEPTH = 12, MAX_EVENTS = 6000 };

/* One row of samples, or one call; labels are what the reader sees, root first. */
struct event {
	uint32_t process; /* 0 … PROCESSES - 1 */
	int thread, depth;
	const char *labels[MAX_DEPTH]; /* function, tab, binary */
	const char *leaf_spec;
	uint64_t value, self; /* samples, or duration and self nanoseconds */
	bool error, hidden;   /* hidden: the call has not ended */
};

static uint64_t rng;
static struct event events[MAX_EVENTS];
static size_t n_events;
static char frame_labels[FRAMES][64], probe_labels[PROBES][64], probe_specs[PROBES][16];
static uint32_t frame_ids[FRAMES], probe_ids[PROBES], process_ids[PROCESSES];
static const char *const threads[] = {"main", "io", "gc"};

static uint64_t next_random(void)
{
	uint64_t z = (rng += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

/* SONDE_TEST_SEED repeats a run that failed. */
static void seed_rng(void)
{
	const char *fixed = getenv("SONDE_TEST_SEED");

	rng = fixed ? strtoull(fixed, NULL, 0) : now_monotonic_ns() ^ ((uint64_t)getpid() << 32);
	fprintf(stderr, "seed 0x%llx\n", (unsigned long long)rng);
}

/* Offsets 0 and 1, 2 and 3 … are one function. */
static char *resolve(_unused_ void *arg, _unused_ const struct model_file *file,
		     _unused_ const char *path, uint64_t offset)
{
	char name[] = {'f', (char)('a' + offset / 2), '\0'};

	return strdup(name);
}

/* Two files share their name, not their path: to the reader they are one. */
static void make_model(struct model *m)
{
	static const char *const paths[] = {"/a/lib.so", "/b/lib.so", "/c/app"};
	static const char *const binaries[] = {"lib.so", "lib.so", "app"};

	for (int i = 0; i < PROCESSES; i++) {
		process_ids[i] = model_process(m, 100 + i, 1);
		model_process_get(m, process_ids[i])->comm =
			model_string(m, i % 2 ? "odd" : "even");
	}
	for (int i = 0; i < FRAMES; i++) {
		uint32_t file = model_file(m, NULL, paths[i % 3], 0);

		frame_ids[i] = model_frame(m, file, i / 3);
		snprintf(frame_labels[i], sizeof(frame_labels[i]), "f%c\t%s", 'a' + i / 3 / 2,
			 binaries[i % 3]);
	}
	for (int i = 0; i < PROBES; i++) {
		char name[] = {'p', (char)('a' + i / 2 % 5), '\0'};
		struct model_probe p = {.symbol = model_string(m, name),
					.offset = i,
					.file = model_file(m, NULL, paths[i % 3], 0)};

		snprintf(probe_specs[i], sizeof(probe_specs[i]), "spec%d", i % 4);
		p.spec = model_string(m, probe_specs[i]);
		probe_ids[i] = model_probe(m, &p);
		snprintf(probe_labels[i], sizeof(probe_labels[i]), "%s\t%s", name, binaries[i % 3]);
	}
}

static void add_samples(struct model *m, struct window windows[2])
{
	for (n_events = 0; n_events < 300; n_events++) {
		struct event *e = &events[n_events];
		uint32_t stack = 0;

		*e = (struct event){.process = next_random() % PROCESSES,
				    .thread = next_random() % ARRAY_SIZE(threads),
				    .depth = 1 + next_random() % MAX_DEPTH,
				    .value = 1 + next_random() % 9};
		for (int i = 0; i < e->depth; i++) {
			int f = next_random() % (i < 4 ? 3 : FRAMES);

			e->labels[i] = frame_labels[f];
			stack = model_stack(m, stack, frame_ids[f]);
		}
		cr_assert_eq(window_add_sample(&windows[next_random() % 2], process_ids[e->process],
					       model_string(m, threads[e->thread]), stack,
					       e->value),
			     0);
	}
}

/* Makes up a call with the calls inside it; returns its duration. */
static uint64_t add_call(struct model *m, struct window windows[2], struct event e, uint32_t path,
			 bool open)
{
	int probe = next_random() % PROBES;
	uint64_t inside = 0;

	e.labels[e.depth++] = probe_labels[probe];
	e.leaf_spec = probe_specs[probe];
	e.self = 1 + next_random() % (1ULL << (next_random() % 20));
	e.error = next_random() % 4 == 0;
	/* A call can only still be open when the one around it is. */
	e.hidden = open && next_random() % 3;
	path = model_path(m, path, probe_ids[probe]);
	for (uint64_t n = next_random() % 4; n && e.depth < MAX_DEPTH; n--)
		inside += add_call(m, windows, e, path, e.hidden);
	e.value = e.self + inside;
	if (n_events < MAX_EVENTS)
		events[n_events++] = e;
	else
		e.hidden = true;
	if (!e.hidden) {
		struct raw_span s = {.process = process_ids[e.process],
				     .path = path,
				     .duration_ns = e.value,
				     .self_ns = e.self,
				     .flags = e.error ? SPAN_ERROR : 0};

		cr_assert_eq(window_add_span(&windows[next_random() % 2], &s, NULL, false), 0);
	}
	return e.value;
}

static void add_calls(struct model *m, struct window windows[2])
{
	size_t n = 0;

	n_events = 0;
	while (n_events < 500) {
		struct event e = {.process = next_random() % PROCESSES};

		add_call(m, windows, e, 0, true);
	}
	for (size_t i = 0; i < n_events; i++)
		if (!events[i].hidden)
			events[n++] = events[i];
	n_events = n;
}

static struct snapshot *make_snapshot(enum query_kind kind)
{
	_cleanup_(model_freep) struct model *m = NULL;
	struct window windows[2] = {};
	const struct window *list[] = {&windows[0], &windows[1]};
	struct snapshot *s;

	cr_assert_eq(model_new(&m), 0);
	make_model(m);
	if (kind == QUERY_CPU)
		add_samples(m, windows);
	else
		add_calls(m, windows);
	cr_assert_eq(snapshot_take(m, list, 2, NULL, SNAPSHOT_SPANS | SNAPSHOT_CPU, 7, &s), 0);
	window_release(&windows[0]);
	window_release(&windows[1]);
	cr_assert_eq(snapshot_name_frames(s, resolve, NULL), 0);
	return s;
}

/* The key of an event's i-th level in a report: the same text for report rows, see row_key(). */
static const char *event_key(const struct event *e, enum report_by by, int i, char buf[64])
{
	if (by == BY_FUNC)
		return e->labels[i];
	if (by == BY_PROBE) {
		for (int p = 0; p < PROBES; p++)
			if (e->labels[i] == probe_labels[p])
				snprintf(buf, 64, "%.15s\t", probe_specs[p]);
	} else if (by == BY_THREAD) {
		snprintf(buf, 64, "%s\t", threads[e->thread]);
	} else if (by == BY_COMM) {
		snprintf(buf, 64, "%s\t", e->process % 2 ? "odd" : "even");
	} else {
		snprintf(buf, 64, "%u %s\t", 100 + e->process, e->process % 2 ? "odd" : "even");
	}
	return buf;
}

static bool at_level(const struct event *e, enum report_by by, int i, const char *key)
{
	char buf[64];

	return streq(event_key(e, by, i, buf), key);
}

/* Whether b, in the same process, is a call along the first `depth` levels of e. */
static bool is_ancestor(const struct event *b, const struct event *e, int depth)
{
	if (b->process != e->process || b->depth != depth)
		return false;
	return memcmp(b->labels, e->labels, depth * sizeof(b->labels[0])) == 0;
}

static bool is_nested(const struct event *e, enum report_by by, const char *key)
{
	for (int i = 0; i < e->depth - 1; i++)
		for (size_t j = 0; at_level(e, by, i, key) && j < n_events; j++)
			if (is_ancestor(&events[j], e, i + 1))
				return true;
	return false;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void check_quantile(uint64_t got, const uint64_t *sorted, size_t n, double q)
{
	size_t rank = (size_t)(q * n);
	uint64_t exact;

	if ((double)rank < q * n)
		rank++;
	exact = sorted[MAX(rank, 1) - 1];
	cr_assert(got + exact / 32 >= exact && got <= exact + exact / 32, "%llu is not about %llu",
		  (unsigned long long)got, (unsigned long long)exact);
}

static void check_span_row(const struct report_row *row, enum report_by by, const char *key)
{
	static uint64_t durations[MAX_EVENTS];
	uint64_t total = 0, self = 0, all = 0, errors = 0;
	size_t n = 0;

	for (size_t i = 0; i < n_events; i++) {
		const struct event *e = &events[i];

		if (!at_level(e, by, e->depth - 1, key))
			continue;
		durations[n++] = e->value;
		all += e->value;
		self += e->self;
		errors += e->error;
		if (!is_nested(e, by, key))
			total += e->value;
	}
	qsort(durations, n, sizeof(*durations), compare_u64);
	cr_assert(row->calls == n && row->errors == errors);
	cr_assert_eq(row->self_ns, self);
	cr_assert_eq(row->total_ns, MAX(total, self), "%s", key);
	cr_assert_eq(row->avg_ns, all / n);
	cr_assert_eq(row->max_ns, durations[n - 1]);
	check_quantile(row->p50_ns, durations, n, 0.50);
	check_quantile(row->p99_ns, durations, n, 0.99);
	cr_assert_eq(hist_count(&row->hist), n);
}

static void check_cpu_row(const struct report_row *row, enum report_by by, const char *key)
{
	uint64_t samples = 0, self = 0;

	for (size_t i = 0; i < n_events; i++) {
		bool found = false;

		for (int d = 0; d < events[i].depth && !found; d++)
			found = at_level(&events[i], by, d, key);
		samples += found ? events[i].value : 0;
		if (at_level(&events[i], by, events[i].depth - 1, key))
			self += events[i].value;
	}
	cr_assert(row->samples == samples && row->total_ns == samples * 7);
	cr_assert(row->self_samples == self && row->self_ns == self * 7);
}

static uint64_t self_of_all(enum query_kind kind)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_events; i++)
		sum += kind == QUERY_CPU ? events[i].value : events[i].self;
	return sum;
}

static void check_report(const struct snapshot *s, enum query_kind kind, enum report_by by)
{
	_cleanup_(report_freep) struct report *r = NULL;
	uint64_t self = 0;

	cr_assert_eq(query_report(s, kind, by, SORT_TOTAL, 0, &r), 0);
	for (size_t i = 0; i < r->n_rows; i++) {
		char key[80];

		snprintf(key, sizeof(key), "%s\t%s", r->rows[i].key, r->rows[i].binary);
		if (kind == QUERY_CPU)
			check_cpu_row(&r->rows[i], by, key);
		else
			check_span_row(&r->rows[i], by, key);
		self += kind == QUERY_CPU ? r->rows[i].self_samples : r->rows[i].self_ns;
		if (i)
			cr_assert_geq(r->rows[i - 1].total_ns, r->rows[i].total_ns);
	}
	/* As rows are right and their self values add up to everything, none is missing or double.
	 */
	cr_assert_eq(self, self_of_all(kind));
	cr_assert_eq(kind == QUERY_CPU ? r->total_samples : r->total_ns, self_of_all(kind));
}

static bool has_prefix(const struct event *e, const char (*labels)[80], int depth)
{
	if (e->depth < depth)
		return false;
	for (int i = 0; i < depth; i++)
		if (!streq(e->labels[i], labels[i]))
			return false;
	return true;
}

static void check_graph_row(const struct graph *g, size_t at, enum query_kind kind)
{
	const struct graph_row *row = &g->rows[at];
	char labels[MAX_DEPTH][80];
	uint64_t total = 0, self = 0, calls = 0, children = 0;

	for (const struct graph_row *r = row;; r = &g->rows[r->parent - 1]) {
		snprintf(labels[r->depth], sizeof(labels[0]), "%s\t%s", r->func, r->binary);
		if (!r->parent)
			break;
	}
	for (size_t i = 0; i < n_events; i++) {
		bool ends_here = events[i].depth == (int)row->depth + 1;

		if (!has_prefix(&events[i], labels, row->depth + 1))
			continue;
		calls += ends_here;
		if (kind == QUERY_CPU || ends_here)
			total += events[i].value;
		if (ends_here)
			self += kind == QUERY_CPU ? events[i].value : events[i].self;
	}
	for (size_t i = 0; i < g->n_rows; i++)
		children += g->rows[i].parent == row->id ? g->rows[i].total_ns : 0;
	cr_assert_eq(kind == QUERY_CPU ? row->self_samples : row->self_ns, self);
	if (kind == QUERY_CPU)
		cr_assert_eq(row->samples, total);
	else
		cr_assert_eq(row->total_ns, calls ? total : children);
	cr_assert_eq(row->calls, kind == QUERY_CPU ? 0 : calls);
}

static void check_graph(const struct snapshot *s, enum query_kind kind)
{
	_cleanup_(graph_freep) struct graph *g = NULL, *pruned = NULL;
	uint64_t self = 0;
	size_t kept = 0;

	cr_assert_eq(query_graph(s, kind, 0, 0, &g), 0);
	for (size_t i = 0; i < g->n_rows; i++) {
		check_graph_row(g, i, kind);
		self += kind == QUERY_CPU ? g->rows[i].self_samples : g->rows[i].self_ns;
	}
	cr_assert_eq(self, self_of_all(kind));
	cr_assert_eq(query_graph(s, kind, 2, 5, &pruned), 0);
	/* Of samples it is plain what is left: a parent has never less than its child. */
	for (size_t i = 0; i < g->n_rows && kind == QUERY_CPU; i++)
		kept += g->rows[i].depth < 5 && g->rows[i].samples * 100 >= 2 * g->total_samples;
	if (kind == QUERY_CPU)
		cr_assert_eq(pruned->n_rows, kept);
	cr_assert_lt(pruned->n_rows, g->n_rows);
}

static void check_stacks(const struct snapshot *s, enum query_kind kind)
{
	_cleanup_(stacks_freep) struct stacks *st = NULL;
	uint64_t all = 0;

	cr_assert_eq(query_stacks(s, kind, &st), 0);
	for (size_t i = 0; i < st->n_rows; i++) {
		const struct stack_row *row = &st->rows[i];
		char labels[MAX_DEPTH][80];
		uint64_t value = 0;

		for (size_t d = 0; d < row->n_frames; d++) {
			const struct snapshot_frame *f = st->frames[row->frames[d]];

			snprintf(labels[d], sizeof(labels[d]), "%s\t%s", f->function,
				 strrchr(f->file_path, '/') + 1);
		}
		for (size_t j = 0; j < n_events; j++)
			if (events[j].depth == (int)row->n_frames &&
			    has_prefix(&events[j], labels, row->n_frames) &&
			    100 + events[j].process == s->processes[row->process].pid &&
			    (kind == QUERY_SPAN || streq(threads[events[j].thread], row->thread)))
				value += kind == QUERY_CPU ? events[j].value : events[j].self;
		cr_assert_eq(row->value, value);
		all += value;
	}
	cr_assert_eq(all, self_of_all(kind), "no row is missing or double");
}

static void check_round(enum query_kind kind)
{
	_cleanup_(snapshot_freep) struct snapshot *s = make_snapshot(kind);

	for (int by = BY_FUNC; by <= BY_THREAD; by++)
		if (by != (kind == QUERY_CPU ? BY_PROBE : BY_THREAD))
			check_report(s, kind, by);
	check_graph(s, kind);
	check_stacks(s, kind);
}

Test(query_random, samples)
{
	seed_rng();
	for (int round = 0; round < 12; round++)
		check_round(QUERY_CPU);
}

Test(query_random, calls)
{
	seed_rng();
	for (int round = 0; round < 6; round++)
		check_round(QUERY_SPAN);
}

static void shuffle(void *items, size_t n, size_t size)
{
	char *p = items, t[sizeof(struct snapshot_stat)];

	for (size_t i = n; i-- > 1;) {
		size_t j = next_random() % (i + 1);

		memcpy(t, p + i * size, size);
		memmove(p + i * size, p + j * size, size);
		memcpy(p + j * size, t, size);
	}
}

static void same_hist(struct hist *a, struct hist *b)
{
	cr_assert_eq(hist_count(a), hist_count(b));
	cr_assert_eq(hist_quantile(a, 0.9), hist_quantile(b, 0.9));
	hist_release(a);
	hist_release(b);
}

/* Releases their histograms, so that all the rest can be compared as it is. */
#define SAME_ROWS(a, b)                                                                            \
	do {                                                                                       \
		cr_assert_eq((a)->n_rows, (b)->n_rows);                                            \
		for (size_t _i = 0; _i < (a)->n_rows; _i++)                                        \
			same_hist(&(a)->rows[_i].hist, &(b)->rows[_i].hist);                       \
		cr_assert_eq(memcmp((a)->rows, (b)->rows, (a)->n_rows * sizeof(*(a)->rows)), 0);   \
	} while (0)

/* The same data in another order gives the same report and the same graph. */
Test(query_random, order_does_not_matter)
{
	seed_rng();
	for (int kind = QUERY_SPAN; kind <= QUERY_CPU; kind++) {
		_cleanup_(snapshot_freep) struct snapshot *s = make_snapshot(kind);
		_cleanup_(report_freep) struct report *a = NULL, *b = NULL;
		_cleanup_(graph_freep) struct graph *ga = NULL, *gb = NULL;

		cr_assert_eq(query_report(s, kind, BY_FUNC, SORT_CALLS, 0, &a), 0);
		cr_assert_eq(query_graph(s, kind, 0, 0, &ga), 0);
		shuffle(s->samples, s->n_samples, sizeof(*s->samples));
		shuffle(s->stats, s->n_stats, sizeof(*s->stats));
		cr_assert_eq(query_report(s, kind, BY_FUNC, SORT_CALLS, 0, &b), 0);
		cr_assert_eq(query_graph(s, kind, 0, 0, &gb), 0);
		SAME_ROWS(a, b);
		SAME_ROWS(ga, gb);
	}
}

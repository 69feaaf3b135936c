/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_help.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "sonde/base/format.h"
#include "sonde/base/table.h"
#include "store/schema.h"

uint64_t rng;

void seed_rng(void)
{
	const char *fixed = getenv("SONDE_TEST_SEED");

	rng = fixed ? strtoull(fixed, NULL, 0) : now_monotonic_ns() ^ ((uint64_t)getpid() << 32);
	fprintf(stderr, "seed 0x%llx\n", (unsigned long long)rng);
}

uint64_t next_random(void)
{
	uint64_t z = (rng += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

uint64_t below(uint64_t n)
{
	return next_random() % n;
}

char dir[32], file[64];

void make_dir(void)
{
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/r.sonde", dir);
	seed_rng();
}

void remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

bool exists(const char *suffix)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s", file, suffix);
	return access(name, F_OK) == 0;
}

void grow_model(struct recorded *rec)
{
	struct model *m = rec->model;
	struct model_counts have;
	char text[32];

	for (int i = 0; i < 20; i++) {
		uint8_t id[BUILD_ID_LEN] = {1, below(5)};
		uint32_t p;

		model_counts(m, &have);
		snprintf(text, sizeof(text), "t%u\xff", (unsigned)below(40));
		p = model_process(m, below(12), NSEC_PER_SEC * (1 + below(4)));
		model_process_get(m, p)->comm = model_string(m, text);
		model_process_get(m, p)->exec_ns = rec->clock;
		if (below(4) == 0) {
			model_process_get(m, p)->flags |= PROCESS_EXITED;
			model_process_get(m, p)->exit_status = -(int)below(10);
			model_process_get(m, p)->exit_ns =
				rec->clock + (rec->lives_are_long ? 100 * NSEC_PER_SEC : 0);
		}
		snprintf(text, sizeof(text), "/lib/%u", (unsigned)below(9));
		model_frame(m,
			    model_file(m, below(3) ? id : NULL, text, below(3) ? 0 : FILE_SPECIAL),
			    next_random() << below(64));
		model_frame(m, FILE_ID_KERNEL, UINT64_MAX - below(100));
		model_counts(m, &have);
		if (below(2))
			model_named_frame(m, below(have.files + 1), below(5),
					  1 + below(have.strings));
		if (below(2) && !rec->frames_stay)
			model_frame_become(
				m, 1 + below(have.frames),
				&(struct model_frame){.file = 1 + below(have.files),
						      .function = 1 + below(have.strings),
						      .offset = below(5)});
		model_counts(m, &have);
		model_stack(m, below(have.stacks + 1), 1 + below(have.frames));
		model_probe(m, &(struct model_probe){
				       .spec = have.strings,
				       .symbol = below(have.strings + 1),
				       .file = below(have.files + 1),
				       .offset = next_random(),
				       .skipped = below(9),
				       .signature = below(have.strings + 1),
			       });
		model_path(m, below(have.paths + 1), 1 + below(have.probes + 1));
	}
}

void random_window(struct recorded *rec, struct window *w)
{
	struct model_counts have;

	model_counts(rec->model, &have);
	window_reset(w, rec->clock);
	for (uint64_t i = below(60); i; i--)
		window_add_sample(w, 1 + below(have.processes), below(have.strings + 1),
				  below(have.stacks + 1), 1 + below(9));
	for (uint64_t i = below(30); i; i--)
		window_add_row(w, &(struct sample_row){.process = 1 + below(have.processes),
						       .thread = below(have.strings + 1),
						       .stack = below(have.stacks + 1),
						       .kind = SAMPLE_OFFCPU,
						       .count = 1 + below(9),
						       .total_ns = next_random() >> 30});
	for (uint64_t i = below(3000); i; i--) {
		struct raw_span s = {
			.start_ns = rec->clock + below(1000000),
			.duration_ns = next_random() >> (24 + below(40)),
			.ret = next_random(),
			.process = 1 + below(have.processes),
			.tid = below(6),
			.path = 1 + below(have.paths),
			.depth = below(5),
			.flags = below(4),
		};
		uint64_t args[RECORD_ARGS] = {next_random()};
		struct span_more more = {
			.args = below(2) ? args : NULL,
			.valid = below(2),
			.values = (const uint8_t *)args,
			.values_len = below(2) * 16,
			.offcpu_ns = below(3),
			.stack = below(have.stacks + 1),
			.exception_type = below(have.strings + 1),
			.exception_message = below(have.strings + 1),
		};
		bool keep = below(4) != 0;

		s.self_ns = s.duration_ns / 2;
		window_add_span(w, &s, &more, keep);
		if (keep &&
		    array_reserve(&rec->spans, &rec->spans_cap, rec->n_spans + 1, sizeof(s)) == 0 &&
		    more_pool_put(&rec->more, rec->n_spans, &more) == 0)
			rec->spans[rec->n_spans++] = s;
	}
	for (int i = 0; i < LOSS_COUNTERS; i++)
		w->losses[i] = below(2) ? below(1000) : 0;
	rec->clock += 1000000;
	w->end_ns = rec->clock;
}

char *name_of(void *arg, const struct model_file *f, const char *path, uint64_t offset)
{
	char *name = NULL;

	cr_assert_eq(arg, &rng);
	if (offset % 3 && asprintf(&name, "%s+%llu:%d", path, (unsigned long long)offset % 100,
				   f->build_id[1]) < 0)
		return NULL;
	return name;
}

static char *symbol_of(void *arg, const struct model_file *f, const char *path, uint64_t offset)
{
	_cleanup_(freep) char *name = name_of(arg, f, path, offset);
	char *symbol = NULL;

	return name && asprintf(&symbol, "_Z%s", name) >= 0 ? symbol : NULL;
}

bool out_of_time;

static int prepare_lines(void *arg, const struct model_file *f, const char *path,
			 const uint64_t *offsets, size_t n)
{
	cr_assert_eq(arg, &rng);
	cr_assert(source_lines_may_know(f, path) && n > 0 && n <= SOURCE_BATCH);
	for (size_t i = 1; i < n; i++)
		cr_assert_leq(offsets[i - 1], offsets[i], "%s", path);
	return out_of_time ? -EAGAIN : 0;
}

static int get_line(void *arg, const struct model_file *f, uint64_t offset, size_t depth,
		    struct source_line *ret)
{
	cr_assert_eq(arg, &rng);
	if (depth >= offset / 3 % 4)
		return 0;
	ret->line = (uint32_t)(offset % 1000 + depth);
	if (asprintf(&ret->function, "_Zin%zu%d", depth, f->build_id[1]) < 0 ||
	    (depth != 1 && asprintf(&ret->file, "/src/%zu.c", depth) < 0))
		return -ENOMEM;
	return 1;
}

const struct store_names *names_of(void)
{
	static const struct source_lines lines = {prepare_lines, get_line, &rng};
	static const struct store_names names = {name_of, symbol_of, &rng, &lines};

	return &names;
}

/* A sample of a frame with three lines: see get_line(). No frame becomes another after it. */
static void add_inlined(struct model *m, struct window *w)
{
	const uint8_t id[BUILD_ID_LEN] = {1};
	uint32_t frame = model_frame(m, model_file(m, id, "/bin/x", 0), 9 + 12 * below(9));

	window_add_sample(w, 1, 0, model_stack(m, 0, frame), 1);
}

struct store_batch *next_batch(struct recorded *rec)
{
	struct store_batch *b = NULL;
	struct window w = {};

	grow_model(rec);
	random_window(rec, &w);
	add_inlined(rec->model, &w);
	cr_assert_eq(window_merge(&rec->total, &w), 0);
	cr_assert_eq(store_batch_new(rec->model, &w, &rec->marks, &b), 0);
	cr_assert_null(w.spans);
	rec->windows++;
	return b;
}

struct store_session a_session(void)
{
	static char *specs[] = {"libc:malloc", "!free"};

	return (struct store_session){
		.name = "api",
		.targets = "pid 4711",
		.specs = specs,
		.n_specs = 2,
		.frequency = 99,
		.started_us = 1700000000000000,
		.flags = STORE_SESSION_ARGS,
		.monotonic_to_epoch_ns = -5,
		.where = "duration > 1ms",
	};
}

struct store_writer *create(void)
{
	struct store_session session = a_session();
	struct store_writer *w = NULL;
	struct error e = {};

	cr_assert_eq(store_create(file, &session, &e, &w), 0, "%s", e.message);
	return w;
}

struct asked asked;

char *note_asked(void *arg, const struct model_file *f, const char *path, uint64_t offset)
{
	asked.sum = hash_mix(hash_mix(asked.sum, hash_bytes(path, strlen(path), f->flags)), offset);
	asked.n++;
	return name_of(arg, f, path, offset);
}

void write_batch(struct store_writer *w, struct store_batch *b)
{
	struct store_names names = *names_of();
	struct asked before;
	struct error e = {};

	names.resolve = note_asked;
	asked = (struct asked){};
	store_each_unnamed(w, b, note_asked, &rng);
	before = asked;
	asked = (struct asked){};
	cr_assert_eq(store_write(w, b, &names, &e), 0, "%s", e.message);
	cr_assert_eq(before.n, asked.n);
	cr_assert_eq(before.sum, asked.sum);
	store_batch_free(b);
}

int write_announced(struct history *h, int64_t session, const struct history_batch *b,
		    struct error *e)
{
	struct asked before;
	int r;

	asked = (struct asked){};
	history_each_unnamed(h, b, note_asked, &rng);
	before = asked;
	asked = (struct asked){};
	r = history_write(h, session, b, note_asked, &rng, e);
	cr_assert_eq(before.n, asked.n);
	cr_assert_eq(before.sum, asked.sum);
	return r;
}

void begin(struct recorded *rec)
{
	*rec = (struct recorded){.clock = 1000000000};
	cr_assert_eq(model_new(&rec->model), 0);
}

void end(struct recorded *rec)
{
	model_free(rec->model);
	window_release(&rec->total);
	free(rec->spans);
	more_pool_release(&rec->more);
}

void record(struct recorded *rec, int windows)
{
	struct store_writer *w = create();
	struct error e = {};
	uint64_t bytes = 0;
	struct stat st;

	begin(rec);
	for (int i = 0; i < windows; i++)
		write_batch(w, next_batch(rec));
	cr_assert_eq(store_close(w, 1700000001000000, &e, &bytes), 0, "%s", e.message);
	cr_assert_eq(stat(file, &st), 0);
	cr_assert_eq(bytes, st.st_size);
}

static void check_names(struct model *a, struct model *b, uint32_t x, uint32_t y)
{
	cr_assert_str_eq(model_string_get(a, x), model_string_get(b, y));
}

static void check_frames(struct model *a, struct model *b, const struct model_counts *n)
{
	for (uint32_t i = 1; i <= n->frames; i++) {
		const struct model_frame *x = model_frame_get(a, i), *y = model_frame_get(b, i);
		const struct model_file *f = model_file_get(a, x->file);
		_cleanup_(freep) char *name = NULL;

		cr_assert_eq(x->file, y->file);
		cr_assert_eq(x->offset, y->offset);
		if (x->function)
			name = strdup(model_string_get(a, x->function));
		else if (f)
			name = name_of(&rng, f, model_string_get(a, f->path), x->offset);
		cr_assert_str_eq(model_string_get(b, y->function), name ? name : "");
	}
	for (uint32_t i = 1; i <= n->stacks; i++)
		cr_assert_eq(memcmp(model_stack_get(a, i), model_stack_get(b, i),
				    sizeof(struct model_stack)),
			     0);
	for (uint32_t i = 1; i <= n->paths; i++)
		cr_assert_eq(memcmp(model_path_get(a, i), model_path_get(b, i),
				    sizeof(struct model_path)),
			     0);
	for (uint32_t i = 1; i <= n->probes; i++) {
		const struct model_probe *x = model_probe_get(a, i), *y = model_probe_get(b, i);

		check_names(a, b, x->spec, y->spec);
		check_names(a, b, x->symbol, y->symbol);
		cr_assert(x->file == y->file && x->offset == y->offset &&
			  x->skipped == y->skipped && x->signature == y->signature);
	}
}

static void check_line(const struct model *m, const struct model_line *line, const char *function,
		       const struct source_line *want)
{
	cr_assert_str_eq(model_string_get(m, line->function), function);
	cr_assert_str_eq(model_string_get(m, line->source), want->file ? want->file : "");
	cr_assert_eq(line->line, want->line);
}

static void check_lines_of(const struct recorded *rec, struct model *b, uint32_t id, bool used)
{
	_cleanup_(source_lines_release) struct source_line want[SOURCE_DEPTH_MAX] = {};
	const struct model_frame *f = model_frame_peek(rec->model, id);
	const struct model_file *of = model_file_get(rec->model, f->file);
	const char *path = of ? model_string_get(rec->model, of->path) : "";
	_cleanup_(freep) char *symbol = NULL;
	size_t n = 0, have = 0;
	const struct model_line *lines = model_lines_get(b, id, &have);

	if (used && of && !f->function && source_lines_may_know(of, path)) {
		symbol = symbol_of(&rng, of, path, f->offset);
		n = (size_t)source_lines_get(names_of()->lines, of, f->offset, want);
	}
	cr_assert_eq(have, n ? n : !!symbol, "frame %u", id);
	for (size_t i = 0; i < have; i++)
		check_line(b, &lines[i], i || !symbol ? want[n - 1 - i].function : symbol,
			   &want[n ? n - 1 - i : 0]);
}

/* Of the frames that samples and raw spans have, and no others. */
static void check_lines(const struct recorded *rec, struct model *b)
{
	struct model_counts n;
	_cleanup_(freep) bool *used = NULL;

	model_counts(rec->model, &n);
	used = calloc((size_t)n.frames + 1, sizeof(*used));
	for (size_t i = 0; i < rec->total.n_samples + rec->n_spans; i++) {
		uint32_t s = i < rec->total.n_samples
				     ? rec->total.samples[i].stack
				     : more_pool_get(&rec->more, i - rec->total.n_samples).stack;

		for (; s; s = model_stack_get(rec->model, s)->parent)
			used[model_stack_get(rec->model, s)->frame] = true;
	}
	for (uint32_t i = 1; i <= n.frames; i++)
		check_lines_of(rec, b, i, used[i]);
}

static void check_models(struct model *a, struct model *b)
{
	struct model_counts n, m;

	model_counts(a, &n);
	model_counts(b, &m);
	cr_assert_eq(n.processes, m.processes);
	cr_assert_eq(n.stacks, m.stacks);
	cr_assert_eq(n.frames, m.frames);
	cr_assert_eq(n.probes, m.probes);
	cr_assert_eq(n.paths, m.paths);
	cr_assert_eq(n.files, m.files);
	for (uint32_t i = 1; i <= n.strings; i++)
		check_names(a, b, i, i);
	for (uint32_t i = 1; i <= n.files; i++) {
		const struct model_file *x = model_file_get(a, i), *y = model_file_get(b, i);

		cr_assert_eq(memcmp(x->build_id, y->build_id, BUILD_ID_LEN), 0);
		cr_assert(x->path == y->path && x->flags == y->flags);
	}
	for (uint32_t i = 1; i <= n.processes; i++) {
		const struct model_process *x = model_process_peek(a, i);
		const struct model_process *y = model_process_peek(b, i);

		cr_assert(x->pid == y->pid && x->start_ns == y->start_ns && x->comm == y->comm &&
			  x->flags == y->flags && x->exit_status == y->exit_status &&
			  x->exit_ns == y->exit_ns && x->exec_ns == y->exec_ns);
	}
	check_frames(a, b, &n);
}

static int by_ids(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct sample_row, count));
}

static int by_path(const void *a, const void *b)
{
	return memcmp(a, b, 2 * sizeof(uint32_t));
}

void check_windows(const struct window *want, const struct window *total)
{
	struct window a = {}, b = {};

	/* Copies: sorting would spoil the indices. */
	cr_assert_eq(window_merge(&a, want), 0);
	cr_assert_eq(window_merge(&b, total), 0);
	cr_assert_eq(a.start_ns, b.start_ns);
	cr_assert_eq(a.end_ns, b.end_ns);
	cr_assert_eq(memcmp(a.losses, b.losses, sizeof(a.losses)), 0);
	cr_assert_eq(a.n_samples, b.n_samples);
	cr_assert_eq(a.n_stats, b.n_stats);
	if (a.n_samples)
		qsort(a.samples, a.n_samples, sizeof(*a.samples), by_ids);
	if (b.n_samples)
		qsort(b.samples, b.n_samples, sizeof(*b.samples), by_ids);
	if (a.n_stats)
		qsort(a.stats, a.n_stats, sizeof(*a.stats), by_path);
	if (b.n_stats)
		qsort(b.stats, b.n_stats, sizeof(*b.stats), by_path);
	for (size_t i = 0; i < a.n_samples; i++)
		cr_assert_eq(memcmp(&a.samples[i], &b.samples[i], sizeof(*a.samples)), 0);
	for (size_t i = 0; i < a.n_stats; i++) {
		const struct span_stat *x = &a.stats[i], *y = &b.stats[i];

		cr_assert_eq(memcmp(x, y, offsetof(struct span_stat, hist)), 0);
		for (uint32_t k = 0; k < x->hist.len; k++) {
			uint32_t at = x->hist.first + k - y->hist.first;

			cr_assert_eq(x->hist.counts[k], at < y->hist.len ? y->hist.counts[at] : 0);
		}
		cr_assert_eq(hist_count(&x->hist), hist_count(&y->hist));
	}
	window_release(&a);
	window_release(&b);
}

struct spans_check {
	const struct store_reader *reader;
	const struct recorded *rec;
	size_t seen;
	uint64_t last;
};

static int check_chunk(void *arg, const struct span_chunk *chunk)
{
	struct spans_check *check = arg;
	struct span_set set = {};
	struct error e = {};

	cr_assert_leq(check->last, chunk->first_ns);
	check->last = chunk->first_ns;
	cr_assert_eq(store_unpack_chunk(check->reader, chunk, &set, &e), 0, "%s", e.message);
	cr_assert_leq(check->seen + set.n, check->rec->n_spans);
	for (size_t i = 0; i < set.n; i++) {
		struct span_more got = more_pool_get(&set.more, i);
		struct span_more want = more_pool_get(&check->rec->more, check->seen + i);

		cr_assert_eq(memcmp(&set.spans[i], &check->rec->spans[check->seen + i],
				    sizeof(*set.spans)),
			     0);
		cr_assert_eq(span_more_compare(&got, &want), 0);
	}
	check->seen += set.n;
	span_set_release(&set);
	return 0;
}

void check_recording(const struct recorded *rec)
{
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct error e = {};
	struct spans_check check;

	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
	cr_assert_eq(store_reader_windows(r), rec->windows);
	check_models(rec->model, m);
	check_lines(rec, m);
	check_windows(&rec->total, store_reader_total(r));
	check = (struct spans_check){.reader = r, .rec = rec};
	cr_assert_eq(store_each_chunk(r, check_chunk, &check, &e), 0, "%s", e.message);
	cr_assert_eq(check.seen, rec->n_spans);
	store_reader_free(r);
	model_free(m);
}

void check_error(const char *name, const char *part, int code)
{
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct error e = {};

	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), code, "%s", e.message);
	cr_assert_str_eq(e.name, name, "%s", e.message);
	cr_assert_not_null(strstr(e.message, part), "'%s' is not in '%s'", part, e.message);
	cr_assert_neq(e.fix[0], '\0');
	model_free(m);
}

void change(const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "%s", message);
	sqlite3_close(db);
}

int64_t number_in(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	int64_t n = 0;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(schema_number(db, sql, &n), 0);
	sqlite3_close(db);
	return n;
}

int try_unpack(void *arg, const struct span_chunk *chunk)
{
	struct span_set set = {};
	struct error e = {};
	int r = store_unpack_chunk(arg, chunk, &set, &e);

	cr_assert(r == 0 || (r == -EBADMSG && streq(e.name, "BadFile")));
	span_set_release(&set);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_help.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "sonde/base/format.h"
#include "sonde/base/table.h"

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
			model_process_get(m, p)->exit_ns = rec->clock;
		}
		snprintf(text, sizeof(text), "/lib/%u", (unsigned)below(9));
		model_frame(m, model_file(m, below(3) ? id : NULL, text, FILE_SPECIAL),
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

struct store_batch *next_batch(struct recorded *rec)
{
	struct store_batch *b = NULL;
	struct window w = {};

	grow_model(rec);
	random_window(rec, &w);
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

/* What names are asked for of. */
struct asked {
	uint64_t sum;
	size_t n;
};

static char *note_asked(void *arg, const struct model_file *f, const char *path, uint64_t offset)
{
	struct asked *a = arg;

	a->sum = hash_mix(hash_mix(a->sum, hash_bytes(path, strlen(path), f->flags)), offset);
	a->n++;
	return name_of(&rng, f, path, offset);
}

void write_batch(struct store_writer *w, struct store_batch *b)
{
	struct asked before = {}, when_written = {};
	struct error e = {};

	store_each_unnamed(w, b, note_asked, &before);
	cr_assert_eq(store_write(w, b, note_asked, &when_written, &e), 0, "%s", e.message);
	cr_assert_eq(before.n, when_written.n);
	cr_assert_eq(before.sum, when_written.sum);
	store_batch_free(b);
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

int try_unpack(void *arg, const struct span_chunk *chunk)
{
	struct span_set set = {};
	struct error e = {};
	int r = store_unpack_chunk(arg, chunk, &set, &e);

	cr_assert(r == 0 || (r == -EBADMSG && streq(e.name, "BadFile")));
	span_set_release(&set);
	return r;
}

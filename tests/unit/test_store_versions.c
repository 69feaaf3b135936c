/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings of older formats: kept as SQL, opened by this sonde. */
#include "store_help.h"

#include "store/history_load.h"

TestSuite(versions, .init = make_dir, .fini = remove_dir);

static int check_chunk_1(void *arg, const struct span_chunk *chunk)
{
	struct span_set set = {};
	struct error e = {};

	cr_assert_eq(chunk->data[0], 1, "the packed format of the time");
	cr_assert_eq(store_unpack_chunk(arg, chunk, &set, &e), 0, "%s", e.message);
	cr_assert_eq(set.n, 41);
	for (uint64_t i = 0; i < 20; i++) {
		const struct raw_span *inner = &set.spans[2 * i], *outer = inner + 1;
		struct span_more in = more_pool_get(&set.more, 2 * i);
		struct span_more out = more_pool_get(&set.more, 2 * i + 1);

		cr_assert_eq(outer->start_ns, 1100000000 + i * 10000000);
		cr_assert(inner->duration_ns == (i + 1) * 1000 && inner->depth == 1);
		cr_assert_eq(inner->ret, i % 5 == 4 ? (uint64_t)-2 : i);
		cr_assert_eq(!!(inner->flags & SPAN_ERROR), i % 5 == 4);
		cr_assert(in.args && in.args[0] == 0x5000 + i && in.args[1] == i &&
			  in.args[2] == 3);
		cr_assert(out.args && out.args[0] == i && out.args[2] == 1);
		cr_assert(!in.values_len && !in.stack && !in.exception_type && !in.offcpu_ns);
	}
	cr_assert(set.spans[40].flags == SPAN_UNWOUND && set.spans[40].tid == 4713);
	cr_assert_null(more_pool_get(&set.more, 40).args);
	span_set_release(&set);
	return 0;
}

static void make_kept(const char *name)
{
	_cleanup_(freep) char *sql = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/unit/%s", SONDE_SOURCE_ROOT, name);
	cr_assert_eq(read_file(path, 1 << 20, &sql, NULL), 0);
	change(sql);
}

static void open_kept(const char *name, struct model **ret_model, struct store_reader **ret)
{
	struct error e = {};

	make_kept(name);
	cr_assert_eq(model_new(ret_model), 0);
	cr_assert_eq(store_open(file, *ret_model, &e, ret), 0, "%s", e.message);
}

Test(versions, recordings_of_format_1_open)
{
	const struct store_session *session;
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct error e = {};

	open_kept("recording-1.sql", &m, &r);
	session = store_reader_session(r);
	cr_assert(streq(session->name, "api") && session->flags == STORE_SESSION_ARGS);
	cr_assert(!session->where && !session->begin);
	cr_assert_str_eq(model_string_get(m, model_probe_get(m, 1)->name), "open_table");
	cr_assert_eq(model_probe_get(m, 2)->signature, 0);
	cr_assert_eq(store_reader_total(r)->n_stats, 3);
	cr_assert_eq(store_each_chunk(r, check_chunk_1, r, &e), 0, "%s", e.message);
	store_reader_free(r);
	model_free(m);
}

static int count_spans(void *arg, const struct span_chunk *chunk)
{
	*(uint64_t *)arg += chunk->count;
	return 0;
}

Test(versions, recordings_of_format_2_open)
{
	uint64_t calls = 0, samples = 0, spans = 0;
	const struct model_process *process;
	struct store_reader *r = NULL;
	const struct window *total;
	struct model *m = NULL;
	struct error e = {};

	open_kept("recording-2.sql", &m, &r);
	cr_assert_str_eq(store_reader_session(r)->where, "duration > 500us");
	total = store_reader_total(r);
	for (size_t i = 0; i < total->n_stats; i++)
		calls += total->stats[i].calls;
	for (size_t i = 0; i < total->n_samples; i++) {
		cr_assert_eq(total->samples[i].kind, SAMPLE_CPU);
		samples += total->samples[i].count;
	}
	cr_assert(calls == 910 && samples == 19);
	process = model_process_peek(m, total->samples[0].process);
	cr_assert_str_eq(model_string_get(m, process->comm), "wl_hot");
	cr_assert(!process->ns_pid && !process->container);
	cr_assert_eq(store_each_chunk(r, count_spans, &spans, &e), 0, "%s", e.message);
	cr_assert_eq(spans, 910);
	store_reader_free(r);
	model_free(m);
}

/* What recording-3.sql and recording-4.sql have. */
struct known {
	const char *name;
	int version;
	uint64_t samples, waits, waited_ns;
};
static const struct known known_3 = {"recording-3.sql", 3, 19, 52, 688183634};
static const struct known known_4 = {"recording-4.sql", 4, 21, 16, 264761439};

static void check_samples(const struct known *k, const struct window *w)
{
	uint64_t samples = 0, waits = 0, total_ns = 0;

	for (size_t i = 0; i < w->n_samples; i++)
		if (w->samples[i].kind == SAMPLE_CPU) {
			samples += w->samples[i].count;
		} else {
			waits += w->samples[i].count;
			total_ns += w->samples[i].total_ns;
		}
	cr_assert(samples == k->samples && waits == k->waits && total_ns == k->waited_ns,
		  "%llu %llu %llu", (unsigned long long)samples, (unsigned long long)waits,
		  (unsigned long long)total_ns);
}

static void check_opens(const struct known *k)
{
	struct store_reader *r = NULL;
	struct model *m = NULL;

	open_kept(k->name, &m, &r);
	cr_assert_eq(store_reader_version(r), k->version);
	check_samples(k, store_reader_total(r));
	cr_assert_eq(store_reader_sample_chunks(r), 0);
	store_reader_free(r);
	model_free(m);
}

Test(versions, recordings_of_format_3_open)
{
	check_opens(&known_3);
}

Test(versions, recordings_of_format_4_open)
{
	check_opens(&known_4);
}

static int add_window(void *arg, struct window *w)
{
	return window_merge(arg, w);
}

/* What a store says, read as it is. */
static void check_store(const struct known *k, const char *path)
{
	const struct history_range range = {};
	struct history_part info = {};
	struct window sum = {};
	struct model *m = NULL;
	struct error e = {};

	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(history_each_window(path, &range, m, add_window, &sum, &e, &info), 0, "%s",
		     e.message);
	check_samples(k, &sum);
	window_release(&sum);
	history_part_release(&info);
	model_free(m);
}

static void check_becomes_one_of_this(const struct known *k, const char *index)
{
	const struct history_limits limits = {.max_bytes = 1 << 30, .max_age_us = UINT64_MAX >> 2};
	struct history_found found = {};
	struct history *h = NULL;
	struct error e = {};
	char path[64];
	int64_t n;

	make_kept(k->name);
	change(index);
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	cr_assert_eq(rename(file, path), 0);
	check_store(k, path);
	cr_assert_eq(history_open(dir, &limits, &e, &found, &h), 0, "%s", e.message);
	cr_assert(found.was_there && !found.set_aside && !found.damage[0], "%s", found.damage);
	history_free(h);
	check_store(k, path);
	cr_assert_eq(rename(path, file), 0);
	n = number_in(file, "SELECT count(*) FROM sqlite_schema WHERE name = 'sample'");
	cr_assert_eq(n, 0);
	cr_assert_eq(number_in(file, "PRAGMA user_version"), STORE_VERSION);
	n = number_in(file, "SELECT count(*) FROM pragma_integrity_check"
			    " WHERE integrity_check = 'ok'");
	cr_assert_eq(n, 1);
}

Test(versions, a_store_of_format_3_becomes_one_of_this)
{
	check_becomes_one_of_this(&known_3, "CREATE INDEX sample_window ON sample(window)");
}

Test(versions, a_store_of_format_4_becomes_one_of_this)
{
	check_becomes_one_of_this(&known_4,
				  "CREATE INDEX sample_chunk_window ON sample_chunk(window)");
}

Test(versions, what_was_never_written_is_damage)
{
	struct recorded rec;

	/* The tables of one version with the number of another. */
	record(&rec, 1);
	change("PRAGMA user_version = 1");
	check_error("BadFile", "missing or not as sonde makes it", -EBADMSG);
	end(&rec);
}

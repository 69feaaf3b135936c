/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/host.h"
#include "store_help.h"

#include <sys/stat.h>

TestSuite(store, .init = make_dir, .fini = remove_dir);

static int stop_at_once(void *arg, const struct span_chunk *chunk)
{
	(void)chunk;
	++*(int *)arg;
	return 7;
}

/* All raw spans, in the order in which they were written. */
static void check_places(struct store_reader *r, const struct recorded *rec)
{
	struct store_chunk_place *places = NULL;
	size_t n = 0, at = 0;
	struct error e = {};

	cr_assert_eq(store_reader_places(r, &places, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct span_set set = {};

		cr_assert(!i || places[i - 1].window <= places[i].window);
		cr_assert_eq(store_read_place(r, &places[i], &set, &e), 0, "%s", e.message);
		cr_assert_eq(set.n, places[i].count);
		for (size_t j = 0; j < set.n; j++, at++) {
			struct span_more want = more_pool_get(&rec->more, at);
			struct span_more got = more_pool_get(&set.more, j);

			cr_assert_eq(memcmp(&set.spans[j], &rec->spans[at], sizeof(set.spans[j])),
				     0);
			cr_assert_eq(span_more_compare(&want, &got), 0);
		}
		span_set_release(&set);
	}
	cr_assert_eq(at, rec->n_spans);
	places[0].id = INT64_MAX;
	cr_assert_eq(store_read_place(r, &places[0], &(struct span_set){}, &e), -EBADMSG);
	cr_assert_str_eq(e.name, "BadFile");
	free(places);
}

Test(store, comes_back_as_written)
{
	struct store_session want = a_session();
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct recorded rec;
	struct error e = {};
	struct stat st;
	int calls = 0;

	record(&rec, 12);
	cr_assert(!exists("-wal") && !exists("-shm") && !exists("-journal") && !exists(".new"));
	cr_assert_eq(stat(file, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600, "others may not read it");
	check_recording(&rec);
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), 0);
	cr_assert_eq(store_each_chunk(r, stop_at_once, &calls, &e), 7);
	check_places(r, &rec);
	cr_assert_eq(calls, 1);
	cr_assert_str_eq(store_reader_session(r)->name, want.name);
	cr_assert_str_eq(store_reader_session(r)->targets, want.targets);
	cr_assert_eq(store_reader_session(r)->n_specs, 2);
	cr_assert_str_eq(store_reader_session(r)->specs[1], want.specs[1]);
	cr_assert_eq(store_reader_session(r)->frequency, want.frequency);
	cr_assert_eq(store_reader_session(r)->started_us, want.started_us);
	cr_assert_eq(store_reader_session(r)->ended_us, 1700000001000000);
	cr_assert_eq(store_reader_session(r)->flags, want.flags);
	cr_assert_eq(store_reader_session(r)->monotonic_to_epoch_ns, -5);
	cr_assert_str_eq(store_reader_session(r)->where, want.where);
	cr_assert_null(store_reader_session(r)->begin);
	store_reader_free(r);
	cr_assert_eq(store_open(file, m, &e, &r), -EINVAL, "the model is in use");
	model_free(m);
	end(&rec);
}

/* Opens file and has a look at what it says of its machine; NULL: nothing. */
static void check_host(const char *host, const char *boot)
{
	const struct model_process nobody = {};
	const struct store_session *s;
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct error e = {};

	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
	s = store_reader_session(r);
	cr_assert_eq(!s->host, !host);
	if (host)
		cr_assert_str_eq(s->host, host);
	if (boot)
		cr_assert_str_eq(s->boot, boot);
	cr_assert_str_eq(model_string_get(m, model_process_host(m, &nobody)), host ? host : "");
	store_reader_free(r);
	model_free(m);
}

Test(store, a_recording_says_which_host_it_is_of)
{
	char own[HOST_NAME_MAX_LEN + 1], boot[HOST_BOOT_LEN + 1];
	struct store_session session = a_session();
	struct store_writer *w = NULL;
	struct recorded rec;
	struct error e = {};

	host_name(own);
	host_boot(boot);
	cr_assert(*own && strlen(boot) == HOST_BOOT_LEN, "%s, %s", own, boot);
	record(&rec, 2);
	check_host(own, boot);
	check_recording(&rec);
	end(&rec);
	change("DELETE FROM meta WHERE key != 'sonde'"); /* as older ones */
	check_host(NULL, NULL);
	session.host = (char[]){"db-1"};
	session.boot = (char[]){""};
	cr_assert_eq(store_create(file, &session, &e, &w), 0, "%s", e.message);
	cr_assert_eq(store_close(w, 1, &e, NULL), 0);
	check_host("db-1", "");
	session.host = (char[]){""};
	cr_assert_eq(store_create(file, &session, &e, &w), 0, "%s", e.message);
	cr_assert_eq(store_close(w, 1, &e, NULL), 0);
	check_host(NULL, NULL);
	session.host = (char[]){"db-1"};
	cr_assert_eq(store_create(file, &session, &e, &w), 0, "%s", e.message);
	cr_assert_eq(store_close(w, 1, &e, NULL), 0);
	change("UPDATE meta SET value = printf('%.300c', 'x') WHERE key = 'host'");
	check_error("BadFile", "'meta'", -EBADMSG);
}

Test(store, windows_one_by_one_add_up_to_the_total)
{
	struct store_reader *r = NULL;
	struct window sum = {};
	struct model *m = NULL;
	struct recorded rec;
	struct error e = {};
	size_t n = 0;

	record(&rec, 12);
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open_apart(file, m, &e, &r), 0);
	for (const struct window *w; (w = store_reader_window(r, n)); n++) {
		cr_expect_lt(w->start_ns, w->end_ns);
		cr_expect(n == 0 || store_reader_window(r, n - 1)->end_ns == w->start_ns);
		cr_assert_eq(window_merge(&sum, w), 0);
	}
	cr_expect_eq(n, 12);
	check_windows(&rec.total, &sum);
	check_windows(&rec.total, store_reader_total(r));
	window_release(&sum);
	store_reader_free(r);
	model_free(m);
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), 0);
	cr_expect_null(store_reader_window(r, 0), "not without being asked for");
	store_reader_free(r);
	model_free(m);
	end(&rec);
}

Test(store, can_be_read_while_it_is_written)
{
	struct store_writer *w = create();
	struct recorded rec;
	struct error e = {};

	begin(&rec);
	for (int i = 0; i < 5; i++) {
		write_batch(w, next_batch(&rec));
		check_recording(&rec);
	}
	cr_assert_eq(store_close(w, 1, &e, NULL), 0, "%s", e.message);
	check_recording(&rec);
	cr_assert(!exists("-wal") && !exists("-shm"));
	end(&rec);
}

Test(store, no_windows_and_empty_windows)
{
	struct recorded rec;

	record(&rec, 0);
	{
		struct store_reader *r = NULL;
		struct model *m = NULL;
		struct error e = {};

		cr_assert_eq(model_new(&m), 0);
		cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
		cr_assert_eq(store_reader_windows(r), 0);
		store_reader_free(r);
		model_free(m);
	}
	end(&rec);
}

Test(store, a_window_that_names_nothing_is_not_taken)
{
	struct store_batch *b = NULL;
	struct store_marks marks = {};
	struct model *m = NULL;
	struct window w = {};

	cr_assert_eq(model_new(&m), 0);
	window_add_sample(&w, 1, 0, 0, 1);
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), -EINVAL, "no such process");
	cr_assert_eq(w.n_samples, 1);
	cr_assert_eq(marks.strings, 0);
	model_process(m, 1, 1);
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), 0);
	store_batch_free(b);
	window_add_span(&w, &(struct raw_span){.process = 1, .path = 1}, NULL, true);
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), -EINVAL, "no such path");
	model_path(m, 0, 1);
	window_add_span(&w, &(struct raw_span){.process = 1, .path = 1},
			&(struct span_more){.stack = 1}, true);
	cr_assert_eq(store_batch_new(m, &w, &marks, &b), -EINVAL, "no such stack");
	window_release(&w);
	model_free(m);
}

/* What there was no time for comes with a later window, also of frames that have no news. */
Test(store, lines_that_take_long_come_later)
{
	struct store_writer *w = create();
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct recorded rec;
	struct error e = {};
	size_t n;

	begin(&rec);
	out_of_time = true;
	for (int i = 0; i < 3; i++)
		write_batch(w, next_batch(&rec));
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
	for (uint32_t i = 1; i < 60; i++)
		cr_assert_null(model_lines_get(m, i, &n));
	store_reader_free(r);
	model_free(m);
	out_of_time = false;
	write_batch(w, next_batch(&rec));
	cr_assert_eq(store_close(w, 1, &e, NULL), 0, "%s", e.message);
	check_recording(&rec);
	end(&rec);
}

Test(store, a_batch_left_out_is_noticed)
{
	struct store_writer *w = create();
	struct recorded rec;
	struct error e = {};
	struct store_batch *b;

	begin(&rec);
	write_batch(w, next_batch(&rec));
	store_batch_free(next_batch(&rec));
	b = next_batch(&rec);
	cr_assert_eq(store_write(w, b, names_of(), &e), -EINVAL);
	cr_assert_str_eq(e.name, "WriteFailed");
	store_batch_free(b);
	store_writer_free(w);
	end(&rec);
}

Test(store, existing_files)
{
	struct store_session session = a_session();
	struct store_writer *w = NULL;
	struct recorded rec, second;
	struct error e = {};
	char *text;
	size_t size;
	FILE *f = fopen(file, "w");

	fputs("my thesis", f);
	fclose(f);
	cr_assert_eq(store_create(file, &session, &e, &w), -EEXIST);
	cr_assert_str_eq(e.name, "BadFile");
	cr_assert_not_null(strstr(e.message, "exists and is not a sonde recording"));
	cr_assert_eq(read_file(file, 100, &text, &size), 0);
	cr_assert_str_eq(text, "my thesis");
	free(text);
	e = (struct error){};
	cr_assert_eq(store_create(dir, &session, &e, &w), -EEXIST);
	e = (struct error){};
	cr_assert_eq(store_create("/nonexistent/x/r", &session, &e, &w), -ENOENT);
	cr_assert_str_eq(e.name, "WriteFailed");
	cr_assert_eq(unlink(file), 0);

	/* A recording is replaced, and not before the new one is complete. */
	record(&rec, 2);
	w = create();
	begin(&second);
	write_batch(w, next_batch(&second));
	check_recording(&rec);
	e = (struct error){};
	cr_assert_eq(store_close(w, 1, &e, NULL), 0, "%s", e.message);
	check_recording(&second);
	cr_assert(!exists(".new") && !exists(".new-wal"));
	/* One that is given up before its first window leaves nothing. */
	store_writer_free(create());
	cr_assert(!exists(".new") && !exists(".new-wal"));
	check_recording(&second);
	end(&rec);
	end(&second);
}

/* One that is never seen half-written: it has another name until it is complete. */
Test(store, unseen)
{
	struct store_session session = a_session();
	struct store_writer *w = NULL;
	struct recorded rec;
	struct error e = {};

	begin(&rec);
	cr_assert_eq(store_create_unseen(file, &session, &e, &w), 0, "%s", e.message);
	write_batch(w, next_batch(&rec));
	cr_assert(!exists("") && exists(".new"));
	store_discard(w);
	cr_assert(!exists("") && !exists(".new") && !exists(".new-wal"));
	end(&rec);
	begin(&rec);
	cr_assert_eq(store_create_unseen(file, &session, &e, &w), 0, "%s", e.message);
	write_batch(w, next_batch(&rec));
	cr_assert_eq(store_close(w, 1, &e, NULL), 0, "%s", e.message);
	cr_assert(!exists(".new"));
	check_recording(&rec);
	end(&rec);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes into the rolling store comes out, before windows are merged and after it, and whatever
 * happened to the file in between.
 */
#include "store_history.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(history, .init = make_dir, .fini = remove_dir);

Test(history, windows_come_back)
{
	_cleanup_(lines_release) struct lines want = {};
	struct live l;

	seed_rng();
	begin_live(&l, &wide);
	for (int i = 0; i < 12; i++) {
		if (i % 5 == 4)
			renew_model(&l);
		write_next(&l, &want);
	}
	check_equal(&want, 0, 0);
	end_live(&l);
	check_equal(&want, 0, 0);
}

Test(history, is_no_recording)
{
	_cleanup_(lines_release) struct lines want = {};
	_cleanup_(model_freep) struct model *m = NULL;
	_cleanup_(store_reader_freep) struct store_reader *r = NULL;
	struct error e = {};
	char path[64];
	struct live l;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	begin_live(&l, &wide);
	write_next(&l, &want);
	end_live(&l);
	cr_assert_eq(model_new(&m), 0);
	cr_expect_eq(store_open(path, m, &e, &r), -EINVAL);
	cr_expect(strstr(e.message, "is the history of a sonded, not a recording"), "%s",
		  e.message);
	cr_expect(strstr(e.fix, "sonde record --since"), "%s", e.fix);
}

/* A name that was found late, as that of code which a program makes while it runs. */
Test(history, frames_become_others)
{
	_cleanup_(lines_release) struct lines want = {};
	struct window w = {};
	struct live l;
	uint32_t frame, stack, process;

	begin_live(&l, &wide);
	frame = model_frame(l.rec.model, model_file(l.rec.model, NULL, "//anon", FILE_SPECIAL), 64);
	stack = model_stack(l.rec.model, 0, frame);
	process = model_process(l.rec.model, 7, 1000);
	for (int i = 0; i < 2; i++) {
		_cleanup_(history_batch_freep) struct history_batch *b = NULL;
		struct error e = {};

		window_reset(&w, l.clock_ns);
		w.end_ns = l.clock_ns += WINDOW_NS;
		cr_assert_eq(window_add_sample(&w, process, 0, stack, 1), 0);
		if (i == 1) {
			model_frame_become(
				l.rec.model, frame,
				&(struct model_frame){.file = model_file(l.rec.model, NULL, "[jit]",
									 FILE_SPECIAL),
						      .function = model_string(l.rec.model, "made"),
						      .offset = 99});
			describe(&want, l.rec.model, &w);
			describe(&want, l.rec.model, &w);
		}
		cr_assert_eq(history_batch_new(l.rec.model, &w, &l.sent, &b), 0);
		cr_assert_eq(write_announced(l.h, l.session, b, &e), 0, "%s", e.message);
	}
	check_equal(&want, 0, 0);
	end_live(&l);
}

Test(history, a_part_by_time)
{
	_cleanup_(lines_release) struct lines first = {}, second = {};
	uint64_t middle;
	struct live l;

	seed_rng();
	begin_live(&l, &wide);
	for (int i = 0; i < 3; i++)
		write_next(&l, &first);
	middle = now_of(&l);
	for (int i = 0; i < 3; i++)
		write_next(&l, &second);
	check_equal(&first, 0, middle);
	check_equal(&second, middle, 0);
	end_live(&l);
}

Test(history, merged_windows_say_the_same)
{
	struct history_limits limits = wide;
	_cleanup_(lines_release) struct lines want = {}, got = {};
	uint64_t windows = 0;
	struct error e = {};
	struct live l;
	int r;

	limits.fine_us = 2 * MINUTE_US;
	limits.medium_us = 30 * MINUTE_US;
	seed_rng();
	begin_live(&l, &limits);
	for (int i = 0; i < 30; i++) /* five minutes */
		write_next(&l, &want);
	while ((r = history_maintain(l.h, now_of(&l), &e)) > 0)
		;
	cr_assert_eq(r, 0, "%s", e.message);
	check_equal(&want, 0, 0);
	load_lines(0, 0, &got, &windows);
	cr_assert_eq(windows, 3 + 12, "three minutes of six windows each, two as they were");
	/* All of it is old by now. */
	while ((r = history_maintain(l.h, now_of(&l) + 60 * MINUTE_US, &e)) > 0)
		;
	cr_assert_eq(r, 0, "%s", e.message);
	check_equal(&want, 0, 0);
	lines_release(&got);
	got = (struct lines){};
	load_lines(0, 0, &got, &windows);
	cr_assert(windows <= 2, "one or two spans of ten minutes: %llu",
		  (unsigned long long)windows);
	end_live(&l);
}

Test(history, old_windows_go_and_what_they_named)
{
	struct history_limits limits = wide;
	_cleanup_(lines_release) struct lines want = {};
	struct history_stats before = {}, after = {};
	struct error e = {};
	struct live l;

	limits.max_age_us = 2 * MINUTE_US;
	seed_rng();
	begin_live(&l, &limits);
	for (int i = 0; i < 20; i++)
		write_next(&l, NULL);
	/* What was sent may be named again and stays: with a new model nothing is. */
	renew_model(&l);
	write_next(&l, &want);
	cr_assert(history_stats(l.h, &before) == 0);
	cr_assert_geq(history_maintain(l.h, now_of(&l) + 2 * MINUTE_US - 1, &e), 0, "%s",
		      e.message);
	cr_assert(history_stats(l.h, &after) == 0 && after.windows == 1);
	cr_assert_lt(after.bytes, before.bytes, "the file shrinks");
	check_equal(&want, 0, 0);
	/* It goes on as if nothing had been. */
	write_next(&l, &want);
	check_equal(&want, 0, 0);
	end_live(&l);
}

Test(history, the_file_is_bounded)
{
	struct history_limits limits = wide;
	uint64_t most = 0;
	struct live l;

	limits.max_bytes = 3 << 20;
	seed_rng();
	begin_live(&l, &limits);
	for (int i = 0; i < 150; i++) {
		struct history_stats s = {};
		struct error e = {};

		if (i % 10 == 9)
			renew_model(&l);
		write_next(&l, NULL);
		cr_assert_geq(history_maintain(l.h, now_of(&l), &e), 0, "%s", e.message);
		most = MAX(most, history_stats(l.h, &s) == 0 ? s.bytes : UINT64_MAX);
	}
	cr_assert_leq(most, limits.max_bytes + limits.max_bytes / 10);
	cr_assert_gt(most, limits.max_bytes / 2, "there was something to bound");
	end_live(&l);
}

/* Another process writes window after window, says how many there are, and is killed. */
static int killed_writer(struct live *l, unsigned patience_us)
{
	int pipes[2], written = 0, status;
	char c;
	pid_t pid;

	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		begin_live(l, &wide);
		for (;;) {
			write_next(l, NULL);
			if (write(pipes[1], "w", 1) != 1)
				_exit(1);
		}
	}
	close(pipes[1]);
	usleep(patience_us);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	while (read(pipes[0], &c, 1) == 1)
		written++;
	close(pipes[0]);
	return written;
}

Test(history, killed_at_any_moment)
{
	const char *wanted = getenv("SONDE_CRASHES"); /* tools/bench/crash */
	uint64_t total = 0, rounds = wanted ? strtoull(wanted, NULL, 10) : 6;
	_cleanup_(lines_release) struct lines got = {};

	seed_rng();
	for (uint64_t round = 1; round <= rounds; round++) {
		struct history_found found = {};
		struct history_stats stats = {};
		struct history *h;
		struct live l;

		total += (uint64_t)killed_writer(&l, 30000 + (unsigned)below(60000));
		h = open_history(&wide, &found);
		cr_assert(!found.set_aside && !found.damage[0], "%s", found.damage);
		cr_assert(round == 1 || found.was_there);
		cr_assert_eq(history_stats(h, &stats), 0);
		history_free(h);
		/* One more may have been written when it was killed before it said so. */
		cr_assert(stats.windows >= total && stats.windows <= total + round,
			  "%llu windows, %llu were said", (unsigned long long)stats.windows,
			  (unsigned long long)total);
	}
	cr_assert_gt(total, 0);
	load_lines(0, 0, &got, NULL);
	cr_assert_gt(got.n, 0);
}

Test(history, what_is_damaged_is_set_aside)
{
	_cleanup_(lines_release) struct lines want = {};
	struct history_found found = {};
	char path[64], junk[8192] = "junk";
	struct live l;
	int fd;

	seed_rng();
	begin_live(&l, &wide);
	for (int i = 0; i < 5; i++)
		write_next(&l, NULL);
	end_live(&l);
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	fd = open(path, O_RDWR);
	cr_assert_eq(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
	close(fd);
	history_free(open_history(&wide, &found));
	cr_assert(found.set_aside && !found.was_there && found.damage[0]);
	cr_assert_eq(access(found.set_aside, F_OK), 0);
	free(found.set_aside);
	/* And the new one works. */
	begin_live(&l, &wide);
	write_next(&l, &want);
	check_equal(&want, 0, 0);
	end_live(&l);
}

/* As when the disk is full: files grow no further. */
static void bound_files(rlim_t size)
{
	struct rlimit limit = {size, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(history, a_batch_that_cannot_be_written)
{
	_cleanup_(history_batch_freep) struct history_batch *b = NULL, *second = NULL;
	_cleanup_(lines_release) struct lines want = {};
	struct error e = {};
	struct window w = {};
	struct live l;

	seed_rng();
	begin_live(&l, &wide);
	write_next(&l, &want);
	next_window(&l, &w);
	describe(&want, l.rec.model, &w);
	describe_spans(&want, l.rec.model, w.spans, w.n_spans, &w.more);
	cr_assert_eq(history_batch_new(l.rec.model, &w, &l.sent, &b), 0);
	bound_files(64 << 10);
	cr_assert_lt(write_announced(l.h, l.session, b, &e), 0);
	cr_assert_str_eq(e.name, "WriteFailed");
	bound_files(RLIM_INFINITY);
	/* Tried again it is there, once. */
	e = (struct error){};
	cr_assert_eq(write_announced(l.h, l.session, b, &e), 0, "%s", e.message);
	check_equal(&want, 0, 0);
	/* One of a model before names what means nothing now. */
	next_window(&l, &w);
	cr_assert_eq(history_batch_new(l.rec.model, &w, &l.sent, &second), 0);
	renew_model(&l);
	write_next(&l, &want);
	cr_assert_eq(write_announced(l.h, l.session, second, &e), -ESTALE);
	check_equal(&want, 0, 0);
	end_live(&l);
}

static int count_events(void *arg, const struct history_event_row *row)
{
	struct lines *l = arg;
	char *text;

	cr_assert(asprintf(&text, "%s %u %s", row->kind, row->pid, row->text) > 0);
	add_line(l, text, row->time_us, (uint64_t)row->detail);
	return 0;
}

Test(history, events)
{
	_cleanup_(lines_release) struct lines all = {}, last = {};
	struct history_events which = {.session = "nobody's"};
	struct error e = {};
	char path[64];
	struct live l;

	begin_live(&l, &wide);
	write_next(&l, NULL);
	for (int64_t i = 0; i < 10; i++)
		cr_assert_eq(history_event(l.h, l.session, i * NSEC_PER_SEC, "lost", i, "", &e), 0);
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	cr_assert_eq(history_each_event(path, &which, count_events, &all, &e), 0);
	which.session = NULL;
	cr_assert_eq(history_each_event(path, &which, count_events, &all, &e), 0);
	cr_assert_eq(all.n, 10);
	for (uint64_t i = 0; i < 10; i++)
		cr_assert(all.items[i].a == EPOCH_US + i * 1000000 && all.items[i].b == i);
	which = (struct history_events){
		.since_us = EPOCH_US + 2000000, .until_us = EPOCH_US + 9000000, .limit = 2};
	cr_assert_eq(history_each_event(path, &which, count_events, &last, &e), 0);
	cr_assert(last.n == 2 && last.items[0].b == 7 && last.items[1].b == 8);
	end_live(&l);
}

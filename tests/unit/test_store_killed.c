/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_help.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(killed, .init = make_dir, .fini = remove_dir);

/* A writer of windows that are known by the seed, killed in the middle of its work. */
static void write_until_killed(int ready)
{
	struct store_writer *w = create();
	struct recorded rec;

	begin(&rec);
	for (;;) {
		write_batch(w, next_batch(&rec));
		if (write(ready, "w", 1) != 1)
			_exit(1);
	}
}

static int windows_written(int fd, int least, pid_t child)
{
	int n = 0;
	char c;

	while (n < least && read(fd, &c, 1) == 1)
		n++;
	usleep(below(20000));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (read(fd, &c, 1) == 1)
		n++;
	return n;
}

/* Opens what the child left and compares it with the same windows made again here. */
static void check_prefix(uint64_t seed, int least)
{
	struct store_reader *r = NULL;
	struct model *m = NULL;
	struct recorded rec;
	struct error e = {};
	uint64_t windows;

	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(store_open(file, m, &e, &r), 0, "%s", e.message);
	windows = store_reader_windows(r);
	cr_assert_geq(windows, least);
	cr_assert_eq(store_reader_session(r)->ended_us, 0);
	store_reader_free(r);
	model_free(m);
	rng = seed;
	begin(&rec);
	for (uint64_t i = 0; i < windows; i++)
		store_batch_free(next_batch(&rec));
	check_recording(&rec);
	end(&rec);
}

static void write_and_kill(uint64_t *ret_seed, int *ret_windows)
{
	int ends[2];
	pid_t child;

	*ret_seed = rng;
	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		alarm(20);
		write_until_killed(ends[1]);
	}
	close(ends[1]);
	*ret_windows = windows_written(ends[0], 1 + (int)below(12), child);
	close(ends[0]);
}

Test(killed, what_a_killed_writer_left_is_read)
{
	for (int round = 0; round < 6; round++) {
		uint64_t seed;
		int windows;

		write_and_kill(&seed, &windows);
		cr_assert(exists("-wal"));
		check_prefix(seed, windows);
		/* Without the shared index, as after a copy of two files or a crash of the machine.
		 */
		remove_dir();
		make_dir();
	}
}

/* Runs the check as a user who may read the files but not write beside them. */
static void check_as_nobody(uint64_t seed, int windows)
{
	pid_t child;
	int status;

	cr_assert_eq(chmod(dir, 0555), 0);
	child = fork();
	if (child == 0) {
		/* A failed assertion would go on as a second runner here: it is stopped. */
		alarm(20);
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		check_prefix(seed, windows);
		_exit(0);
	}
	waitpid(child, &status, 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	cr_assert_eq(chmod(dir, 0755), 0);
}

Test(killed, a_killed_writers_file_in_a_directory_that_is_read_only)
{
	char command[512];
	uint64_t seed;
	int windows;

	if (geteuid() != 0)
		cr_skip_test("needs root to become another user");
	write_and_kill(&seed, &windows);
	snprintf(command, sizeof(command), "chmod 644 %s %s-wal %s-shm", file, file, file);
	cr_assert_eq(system(command), 0);
	check_as_nobody(seed, windows);
	snprintf(command, sizeof(command), "rm %s-shm", file);
	cr_assert_eq(system(command), 0);
	check_as_nobody(seed, windows);
	/* Nothing was written beside it, and the private copies are gone. */
	cr_assert(!exists("-shm"));
}

Test(killed, a_log_that_is_cut_is_a_prefix)
{
	_cleanup_(freep) char *log = NULL;
	char name[256];
	uint64_t seed;
	size_t size;
	int windows;

	write_and_kill(&seed, &windows);
	snprintf(name, sizeof(name), "%s-wal", file);
	cr_assert_eq(read_file(name, 1 << 28, &log, &size), 0);
	for (int i = 0; i < 8; i++) {
		char shm[256];

		snprintf(shm, sizeof(shm), "%s-shm", file);
		unlink(shm);
		size = below(size + 1);
		cr_assert_eq(truncate(name, size), 0);
		check_prefix(seed, 0);
	}
}

Test(killed, a_full_disk)
{
	char saved[sizeof(file)];
	struct store_writer *w;
	struct recorded rec;
	struct error e = {};
	int written = 0, r = 0;

	if (mount("tmpfs", dir, "tmpfs", 0, "size=600k,mode=0755") < 0)
		cr_skip_test("mounting a small file system needs root");
	memcpy(saved, file, sizeof(saved));
	w = create();
	begin(&rec);
	while (r == 0) {
		struct recorded before = rec;
		struct store_batch *b;

		/* The total is checked later: it must not have what was not written. */
		before.total = (struct window){};
		cr_assert_eq(window_merge(&before.total, &rec.total), 0);
		b = next_batch(&rec);
		r = store_write(w, b, names_of(), &e);
		if (r == 0) {
			written++;
			window_release(&before.total);
		} else {
			window_release(&rec.total);
			rec.total = before.total;
			rec.windows = before.windows;
			rec.n_spans = before.n_spans;
		}
		store_batch_free(b);
	}
	cr_assert_eq(r, -ENOSPC, "%d %s", r, e.message);
	cr_assert_str_eq(e.name, "WriteFailed");
	cr_assert_not_null(strstr(e.message, file));
	cr_assert_gt(written, 0);
	e = (struct error){};
	r = store_close(w, 5, &e, NULL);
	cr_assert(r == 0 || (r == -ENOSPC && streq(e.name, "WriteFailed")), "%d %s", r, e.message);
	{
		struct store_reader *reader = NULL;
		struct model *m = NULL;

		e = (struct error){};
		cr_assert_eq(model_new(&m), 0);
		cr_assert_eq(store_open(file, m, &e, &reader), 0, "%s", e.message);
		cr_assert_eq(store_reader_windows(reader), written);
		check_windows(&rec.total, store_reader_total(reader));
		store_reader_free(reader);
		model_free(m);
	}
	end(&rec);
	cr_assert_eq(umount(dir), 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader process: the same answers as reading in this process gives, for real files; errors and
 * a new process for files and for readers that do harm.
 */
#include <elf.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "reader_help.h"
#include "symbol/symbol_image.h"

TestSuite(symbol_reader, .init = setup, .fini = teardown, .timeout = 120);

static const char *const real_files[] = {
	"/lib/x86_64-linux-gnu/libc.so.6",	     "/usr/bin/python3.11",
	"/usr/lib/x86_64-linux-gnu/libsqlite3.so.0", "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
	"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",  "/bin/true",
};

struct walk {
	struct symbol *items;
	size_t len, cap;
};

static void walk_donep(struct walk *w)
{
	free(w->items);
}

static int collect(const struct symbol *symbol, void *data)
{
	struct walk *w = data;

	cr_assert_eq(array_reserve(&w->items, &w->cap, w->len + 1, sizeof(*w->items)), 0);
	w->items[w->len++] = *symbol;
	return 0;
}

static void assert_same_tables(const struct symtab *a, const struct symtab *b)
{
	struct walk left _cleanup_(walk_donep) = {}, right _cleanup_(walk_donep) = {};

	cr_assert_eq(symtab_len(a), symtab_len(b));
	cr_assert_eq(symtab_is_stripped(a), symtab_is_stripped(b));
	symtab_each(a, collect, &left);
	symtab_each(b, collect, &right);
	cr_assert_eq(left.len, right.len);
	for (size_t i = 0; i < left.len; i++) {
		const struct symbol *x = &left.items[i], *y = &right.items[i];
		const char *name = "", *other = "";
		uint64_t at, same;

		cr_assert_str_eq(x->name, y->name);
		cr_assert(x->vaddr == y->vaddr && x->size == y->size && x->flags == y->flags &&
			  x->file_offset == y->file_offset);
		if (x->size == 0)
			continue;
		cr_assert_eq(symtab_lookup_offset(a, x->file_offset + x->size - 1, &name, &at), 0);
		cr_assert_eq(symtab_lookup_offset(b, x->file_offset + x->size - 1, &other, &same),
			     0);
		cr_assert_str_eq(name, other);
		cr_assert_eq(at, same);
	}
}

Test(symbol_reader, symbols_are_those_read_here)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	size_t read = 0;

	for (size_t i = 0; i < ARRAY_SIZE(real_files); i++) {
		struct elf_image *image _cleanup_(elf_image_freep) = NULL;
		struct symtab *here _cleanup_(symtab_freep) = NULL;
		struct symtab *there _cleanup_(symtab_freep) = NULL;
		int fd _cleanup_(closep) = -EBADF;
		struct reader_identity id;
		struct error error = {};

		if (access(real_files[i], R_OK) < 0)
			continue;
		read++;
		image = open_image(real_files[i]);
		fd = open_file(real_files[i]);
		/* With its debug file where there is one: libc's is installed for the tests. */
		cr_assert_eq(symtab_load(image, real_files[i], NULL, NULL, &here), 0);
		cr_assert_eq(reader_symbols(r, fd, real_files[i], NULL, &error, &id, &there), 0,
			     "%s: %s", real_files[i], error.message);
		assert_same_tables(here, there);
		cr_assert_eq(memcmp(id.build_id, elf_image_build_id(image), BUILD_ID_SIZE), 0);
		cr_assert_eq(id.build_id_len, elf_image_build_id_len(image));
	}
	cr_assert_geq(read, 3);
}

Test(symbol_reader, unwind_rows_are_those_read_here)
{
	struct reader_identity id;
	struct reader *r _cleanup_(reader_freep) = new_reader();

	for (size_t i = 0; i < ARRAY_SIZE(real_files); i++) {
		struct elf_image *image _cleanup_(elf_image_freep) = NULL;
		struct unwind_table *here _cleanup_(unwind_table_freep) = NULL;
		struct unwind_image *there _cleanup_(unwind_image_freep) = NULL;
		int fd _cleanup_(closep) = -EBADF;
		struct error error = {};
		const struct elf_segment *segments;
		size_t n, n_executable = 0;

		if (access(real_files[i], R_OK) < 0)
			continue;
		image = open_image(real_files[i]);
		fd = open_file(real_files[i]);
		cr_assert_eq(unwind_table_new(image, NULL, &here), 0);
		cr_assert_eq(reader_unwind(r, fd, real_files[i], &error, &id, &there), 0, "%s",
			     error.message);
		cr_assert_eq(here->base, there->table.base);
		cr_assert_eq(here->functions, there->table.functions);
		cr_assert_eq(here->len, there->table.len);
		cr_assert_eq(memcmp(here->rows, there->table.rows, here->len * sizeof(*here->rows)),
			     0);
		segments = elf_image_segments(image, &n);
		for (size_t k = 0; k < n; k++)
			if (segments[k].executable) {
				cr_assert_eq(segments[k].vaddr,
					     there->segments[n_executable].vaddr);
				n_executable++;
			}
		cr_assert_eq(n_executable, there->n_segments);
	}
}

Test(symbol_reader, identifies)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	const char *const options[] = {"", "-Wl,--build-id=none", "-s -no-pie"};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		char *path = compile("a", options[i]);
		struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
		int fd _cleanup_(closep) = open_file(path);
		struct reader_identity id;

		cr_assert_eq(reader_identify(r, fd, path, NULL, &id), 0);
		cr_assert_eq(memcmp(id.build_id, elf_image_build_id(image), BUILD_ID_SIZE), 0);
		cr_assert_eq(id.build_id_len, i == 1 ? 0 : 20);
		cr_assert_eq(!!(id.flags & READER_FILE_STRIPPED), i == 2);
		cr_assert(id.flags & READER_FILE_EH_FRAME);
	}
}

Test(symbol_reader, debug_file_is_opened_by_the_daemon)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct symtab *st = NULL;
	struct reader_identity id;
	char hex[64] = "";
	int fd _cleanup_(closep) = -EBADF;

	compile("a", "");
	run("cd %s && objcopy --only-keep-debug a a.debug && strip -o s a", dir);
	fd = open_file(path_of("s"));
	cr_assert_eq(reader_symbols(r, fd, "s", path_of("debug"), NULL, &id, &st), 0);
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	cr_assert(symtab_is_stripped(st));
	symtab_free(st);
	for (int i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", id.build_id[i]);
	run("cd %s && mkdir -p debug/.build-id/%.2s && mv a.debug debug/.build-id/%.2s/%s.debug",
	    dir, hex, hex, hex + 2);
	cr_assert_eq(reader_symbols(r, fd, "s", path_of("debug"), NULL, &id, &st), 0);
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	cr_assert(!symtab_is_stripped(st));
	symtab_free(st);

	/* Of another program it is not believed. */
	compile("other", "-DX -O0");
	run("cd %s && cp other debug/.build-id/%.2s/%s.debug", dir, hex, hex + 2);
	cr_assert_eq(reader_symbols(r, fd, "s", path_of("debug"), NULL, &id, &st), 0);
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	symtab_free(st);

	/* The one inside the file needs a file in memory. */
	run("cd %s && objcopy --only-keep-debug a m && xz -k m && "
	    "objcopy --add-section .gnu_debugdata=m.xz s with",
	    dir);
	safe_close(fd);
	fd = open_file(path_of("with"));
	cr_assert_eq(reader_symbols(r, fd, "with", "/nonexistent", NULL, &id, &st), 0);
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	symtab_free(st);
}

Test(symbol_reader, bad_files_have_the_message_of_reading_here)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct error here = {}, there = {};
	struct elf_image *image = NULL;
	struct reader_failure failure;
	struct reader_identity id;
	struct symtab *st = NULL;
	static const char script[] = "#!/bin/sh\necho this is longer than an ELF header, by far\n";
	char *path = path_of("script");
	int fd _cleanup_(closep) = -EBADF, directory _cleanup_(closep) = open(dir, O_RDONLY);

	write_file(path, script, sizeof(script) - 1);
	fd = open_file(path);
	cr_assert_eq(elf_image_open(fd, &here, &image), -ENOEXEC);
	cr_assert_eq(reader_identify(r, fd, path, &there, &id), -ENOEXEC);
	cr_assert_str_eq(here.message, there.message);
	cr_assert_eq(reader_symbols(r, fd, path, NULL, NULL, &id, &st), -ENOEXEC);
	cr_assert_eq(reader_identify(r, directory, dir, NULL, &id), -EINVAL);
	/* That a file is no good is no failure of the reader. */
	cr_assert_eq(reader_failures(r, &failure, 1), 0);
}

/* Truncated at every length, and with lies in its headers: an answer each time, by one process. */
Test(symbol_reader, hostile_files_do_not_end_it)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	char *good _cleanup_(freep) = NULL, *bad _cleanup_(freep) = NULL;
	static const uint64_t lies[] = {1, 0xfff, 1ULL << 47, UINT64_MAX};
	struct reader_failure failure;
	size_t size;
	pid_t first = 0;

	cr_assert_eq(read_file(compile("a", ""), 64 << 20, &good, &size), 0);
	bad = malloc(size);
	for (int i = 0; i < 200; i++) {
		int fd _cleanup_(closep) = memfd_create("bad", MFD_CLOEXEC);
		struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;
		struct symtab *st _cleanup_(symtab_freep) = NULL;
		Elf64_Ehdr *h = memcpy(bad, good, size);
		Elf64_Shdr *s = (Elf64_Shdr *)(bad + h->e_shoff) + i % h->e_shnum;
		struct reader_identity id;

		if (i % 3 == 0)
			s->sh_size = lies[i % 4];
		else if (i % 3 == 1)
			s->sh_offset = lies[i % 4];
		cr_assert_eq(write_fully(fd, bad, i % 3 == 2 ? size * i / 200 : size), 0);
		(void)reader_symbols(r, fd, "bad", "/nonexistent", NULL, &id, &st);
		(void)reader_unwind(r, fd, "bad", NULL, &id, &u);
		first = first ? first : reader_pid(r);
		cr_assert_eq(reader_pid(r), first);
	}
	cr_assert_gt(first, 0);
	cr_assert_eq(reader_failures(r, &failure, 1), 0);
}

Test(symbol_reader, cannot_open_files)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct error error = {};

	cr_assert_eq(reader_test_confinement(r, &error), 0, "%s", error.message);
}

static const char *status_line(pid_t pid, const char *name)
{
	static char line[256];
	char path[64];
	FILE *f _cleanup_(fclosep) = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f))
		if (startswith(line, name))
			return line + strlen(name) + 2;
	cr_assert_fail("no %s", name);
	return "";
}

Test(symbol_reader, has_no_rights)
{
	struct reader_identity id;
	struct reader *r _cleanup_(reader_freep) = new_reader();
	int fd _cleanup_(closep) = open_file("/bin/true");
	struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;
	unsigned uid;
	pid_t pid;

	/* Becoming another user does not take capabilities away then. */
	if (geteuid() == 0)
		cr_assert_eq(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0), 0);
	cr_assert_eq(reader_unwind(r, fd, "/bin/true", NULL, &id, &u), 0);
	pid = reader_pid(r);
	cr_assert_eq(strtoull(status_line(pid, "CapEff"), NULL, 16), 0);
	cr_assert_eq(strtoull(status_line(pid, "CapPrm"), NULL, 16), 0);
	cr_assert_eq(atoi(status_line(pid, "NoNewPrivs")), 1);
	cr_assert_eq(atoi(status_line(pid, "Seccomp")), 2);
	cr_assert_eq(atoi(status_line(pid, "Threads")), 1);
	cr_assert_eq(sscanf(status_line(pid, "Uid"), "%u", &uid), 1);
	cr_assert_eq(uid, geteuid() == 0 ? 65534 : geteuid());
}

/* What it says and does is chosen by the file; each time the next file is read by a new process. */
Test(symbol_reader, hostile_readers)
{
	static const struct {
		const char *content;
		int result;
		const char *reason;
	} cases[] = {
		{"segv", -EPIPE, "killed by a bad memory access while reading"},
		{"kill", -EPIPE, "killed from outside while reading"},
		{"exit", -EPIPE, "ended by itself (status 7) while reading"},
		{"short", -EPROTO, "nonsense while reading"},
		{"seq", -EPROTO, "nonsense while reading"},
		{"kind", -EPROTO, "nonsense while reading"},
		{"result", -EPROTO, "nonsense while reading"},
		{"bytes", -EPROTO, "nonsense while reading"},
		{"junk", -EBADMSG, "nonsense and was killed while reading"},
		{"empty", -EBADMSG, "nonsense and was killed while reading"},
		{"keep", -EUCLEAN, "writable and was killed while reading"},
	};
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct reader_failure failures[READER_FAILURES_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = path_of(cases[i].content);
		struct error error = {}, again = {};
		struct unwind_image *u = NULL;
		struct reader_identity id;
		struct symtab *st = NULL;
		int fd _cleanup_(closep) = -EBADF;

		write_file(path, cases[i].content, strlen(cases[i].content));
		fd = open_file(path);
		cr_assert_eq(reader_symbols(r, fd, path, NULL, &error, &id, &st), cases[i].result,
			     "%s: %s", cases[i].content, error.message);
		cr_assert_not_null(strstr(error.message, cases[i].reason), "%s", error.message);
		cr_assert_not_null(strstr(error.message, path), "%s", error.message);
		cr_assert_eq(reader_pid(r), 0);
		/* Not asked again: the answer is there without a process. */
		cr_assert_eq(reader_symbols(r, fd, path, NULL, &again, &id, &st), cases[i].result);
		cr_assert_str_eq(again.message, error.message);
		cr_assert_eq(reader_unwind(r, fd, path, NULL, &id, &u), cases[i].result);
		cr_assert_eq(reader_failures(r, failures, READER_FAILURES_MAX), 2 * i + 2);
		cr_assert_str_eq(failures[1].reason, error.message);
		cr_assert_str_eq(failures[1].path, path);
	}
}

Test(symbol_reader, what_it_says_is_made_harmless)
{
	struct reader_identity id;
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct unwind_image *u = NULL;
	struct error error = {};
	int fd _cleanup_(closep) = -EBADF;

	write_file(path_of("say"), "say", 3);
	fd = open_file(path_of("say"));
	cr_assert_eq(reader_unwind(r, fd, "say", &error, &id, &u), -ENOEXEC);
	for (const char *c = error.message; *c; c++)
		cr_assert_eq(*c, ' ');
	cr_assert_eq(strlen(error.message), READER_MESSAGE_MAX - 1);
}

Test(symbol_reader, one_that_hangs_is_killed)
{
	struct reader_identity id;
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct unwind_image *u = NULL;
	struct error error = {};
	int fd _cleanup_(closep) = -EBADF;

	write_file(path_of("hang"), "hang", 4);
	fd = open_file(path_of("hang"));
	reader_set_limit(r, 50 * NSEC_PER_MSEC);
	cr_assert_eq(reader_unwind(r, fd, "/x/hang", &error, &id, &u), -ETIMEDOUT);
	cr_assert_str_eq(error.message,
			 "The reader took too long and was killed while reading /x/hang.");
	cr_assert_eq(reader_pid(r), 0);
}

/* Killed while nothing is asked, as by a machine that is out of memory: the next file is read. */
Test(symbol_reader, is_started_anew)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	int fd _cleanup_(closep) = open_file("/bin/true");
	struct reader_failure failure;
	struct reader_identity id;
	struct unwind_image *u = NULL;
	siginfo_t info;
	pid_t first;

	cr_assert_eq(reader_unwind(r, fd, "true", NULL, &id, &u), 0);
	unwind_image_free(u);
	first = reader_pid(r);
	cr_assert_eq(kill(first, SIGKILL), 0);
	cr_assert_eq(waitid(P_PID, first, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(reader_unwind(r, fd, "true", NULL, &id, &u), 0);
	unwind_image_free(u);
	cr_assert_neq(reader_pid(r), first);
	cr_assert_eq(reader_failures(r, &failure, 1), 0);
}

Test(symbol_reader, a_program_that_is_none)
{
	struct reader *r _cleanup_(reader_freep) = NULL;
	int fd _cleanup_(closep) = open_file("/bin/true");
	struct reader_failure failure;
	struct reader_identity id;
	struct error error = {};

	cr_assert_eq(reader_new("/nonexistent", &r), 0);
	cr_assert_eq(reader_identify(r, fd, "true", &error, &id), -ENOENT);
	cr_assert_not_null(strstr(error.message, "cannot be started"));
	cr_assert_eq(reader_failures(r, &failure, 1), 0, "no fault of the file");
	r = reader_free(r);
	/* It ends without a word. */
	cr_assert_eq(reader_new("/bin/true", &r), 0);
	cr_assert_eq(reader_identify(r, fd, "true", &error, &id), -ECHILD);
	cr_assert_eq(reader_failures(r, &failure, 1), 0, "no fault of the file");
}

static void *identify_often(void *arg)
{
	int fd _cleanup_(closep) = open_file("/bin/true");
	struct reader_identity id;
	intptr_t wrong = 0;

	for (int i = 0; i < 200; i++)
		wrong += reader_identify(arg, fd, "true", NULL, &id) < 0;
	return (void *)wrong;
}

Test(symbol_reader, many_threads)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	pthread_t threads[4];
	void *wrong;

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, identify_often, r), 0);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(threads[i], &wrong), 0);
		cr_assert_null(wrong);
	}
}

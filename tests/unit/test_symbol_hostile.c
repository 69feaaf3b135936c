/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that lie (tests/workloads/bad_files.py): each question about each of them is answered or
 * refused with one sentence, in bounded time and memory, and then other files are read as ever.
 */
#include <dirent.h>

#include "reader_help.h"
#include "sonde/base/format.h"

/* Each reads a part of the files, so that the parts run side by side. */
enum { PARTS = 4, OFFSETS = 64 };
/* Idle, the slowest takes a second; what goes on for ever goes on for longer than this, too. */
#define LIMIT_NS (30 * NSEC_PER_SEC)

TestSuite(symbol_hostile, .init = setup, .fini = teardown, .timeout = 120);

/* A program, and files made of it. */
static char *make_files(const char *names)
{
	char *path = compile("program", "-O2 -g");

	run("mkdir %s/bad && python3 %s/tests/workloads/bad_files.py %s visible %s/bad %s", dir,
	    SONDE_SOURCE_ROOT, path, dir, names);
	return path;
}

static void offsets_of(const char *path, uint64_t offsets[static OFFSETS], size_t *ret)
{
	struct symtab *st _cleanup_(symtab_freep) = load(path);
	struct wanted w = find(st, "visible");

	cr_assert_eq(w.count, 1);
	*ret = MIN(w.found.size, (size_t)OFFSETS);
	for (size_t i = 0; i < *ret; i++)
		offsets[i] = w.found.file_offset + i;
}

/* What was asked ended well, or with one sentence; whatever killed the reader is known by name. */
static bool check_result(struct reader *r, const char *path, int result, const struct error *error)
{
	struct reader_failure failure = {};
	bool died = result == -EPIPE || result == -EPROTO || result == -EBADMSG;

	cr_assert_neq(result, -ETIMEDOUT, "%s: %s", path, error->message);
	cr_assert(result == 0 || error->message[0], "%s: %s", path, strerror(-result));
	if (!died)
		return false;
	cr_assert_eq(reader_failures(r, &failure, 1), 1);
	cr_assert_str_eq(failure.path, path);
	cr_assert_not_null(strstr(failure.reason, path), "%s", failure.reason);
	return true;
}

/* How often the reader died. */
static size_t ask_all(struct reader *r, const char *path, const uint64_t *offsets, size_t n)
{
	struct line_image *lines _cleanup_(line_image_freep) = NULL;
	struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = open_file(path);
	struct error errors[4] = {};
	struct reader_identity id;
	size_t died = 0;
	int x;

	x = reader_identify(r, fd, path, &errors[0], &id);
	died += check_result(r, path, x, &errors[0]);
	x = reader_symbols(r, fd, path, "/nonexistent", &errors[1], &id, &st);
	died += check_result(r, path, x, &errors[1]);
	x = reader_unwind(r, fd, path, &errors[2], &id, &u);
	died += check_result(r, path, x, &errors[2]);
	x = reader_lines(r, fd, path, "/nonexistent", offsets, n, &errors[3], &id, &lines);
	died += check_result(r, path, x, &errors[3]);
	return died;
}

static void ask_part(unsigned part)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct dirent **found = NULL;
	uint64_t offsets[OFFSETS];
	char limits[64], names[16], *text _cleanup_(freep) = NULL;
	size_t n_offsets, asked = 0;
	const char *good;
	int n;

	snprintf(names, sizeof(names), "%u/%d", part, PARTS);
	good = make_files(names);
	reader_set_limit(r, LIMIT_NS);
	offsets_of(good, offsets, &n_offsets);
	n = scandir(path_of("bad"), &found, NULL, alphasort);
	cr_assert_gt(n, 0);
	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/bad/%s", dir, found[i]->d_name);
		/* It dies at its limit of memory, which sanitized ones do not have. */
		if (found[i]->d_name[0] != '.' &&
		    !(READER_IS_SANITIZED && streq(found[i]->d_name, "many_lines"))) {
			uint64_t begun_ns = now_monotonic_ns();
			size_t died = ask_all(r, path, offsets, n_offsets);

			asked++;
			if (streq(found[i]->d_name, "many_lines"))
				cr_assert_eq(died, 1);
			cr_log_info("%s: %.2f s%s", found[i]->d_name,
				    (double)(now_monotonic_ns() - begun_ns) / NSEC_PER_SEC,
				    died ? ", died" : "");
		}
		free(found[i]);
	}
	free(found);
	cr_assert_gt(asked, 8);
	cr_assert_eq(ask_all(r, good, offsets, n_offsets), 0);
	if (READER_IS_SANITIZED)
		return;
	snprintf(limits, sizeof(limits), "/proc/%d/limits", reader_pid(r));
	cr_assert_eq(read_file(limits, 8192, &text, NULL), 0);
	cr_assert_not_null(strstr(text, "Max data size             2147483648"), "%s", text);
}

Test(symbol_hostile, first_part)
{
	ask_part(0);
}

Test(symbol_hostile, second_part)
{
	ask_part(1);
}

Test(symbol_hostile, third_part)
{
	ask_part(2);
}

Test(symbol_hostile, fourth_part)
{
	ask_part(3);
}

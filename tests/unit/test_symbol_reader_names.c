/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbolizer with a reader: the same names and rows, and nobody waits for a hostile file. */
#include <pthread.h>

#include "reader_help.h"
#include "symbol/symbolizer.h"

TestSuite(symbol_reader_names, .init = setup, .fini = teardown, .timeout = 120);

static const char *resolve(struct symbolizer *s, const uint8_t *id, const char *path, uint64_t at)
{
	static char name[256];
	uint64_t offset;

	return symbolizer_resolve(s, id, path, at, name, sizeof(name), &offset) == 0 ? name : "";
}

Test(symbol_reader_names, names_by_the_reader)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	char *a = compile("a", ""), text[256];
	struct symtab *st _cleanup_(symtab_freep) = load(a);
	uint64_t at = find(st, "hidden_helper").found.file_offset;
	struct reader_identity id = {}, unknown = {};
	int fd _cleanup_(closep) = open_file(a);

	cr_assert_eq(symbolizer_new(&s), 0);
	symbolizer_set_reader(s, r);
	cr_assert_eq(symbolizer_identify(s, fd, a, NULL, &id), 0);
	cr_assert_eq(reader_pid(r), 0, "another process identifies");
	cr_assert_eq(symbolizer_add_file(s, id.build_id, a, dup(fd)), 0);
	cr_assert_str_eq(resolve(s, id.build_id, a, at + 1), "hidden_helper");
	cr_assert_gt(reader_pid(r), 0);
	id.build_id[0] ^= 1;
	cr_assert_str_eq(resolve(s, id.build_id, a, at), "");
	cr_assert_eq(symbolizer_failure(s, id.build_id, a, text, sizeof(text)), 0);
	cr_assert_not_null(strstr(text, "another build-id"));
	cr_assert_str_eq(resolve(s, unknown.build_id, "[vdso]", 1 << 30), "");
	cr_assert_eq(symbolizer_failure(s, unknown.build_id, "[vdso]", text, sizeof(text)),
		     -ENOENT);
}

/* By the reader as in this process; not by the wrong file, and the vDSO by neither. */
Test(symbol_reader_names, rows_of_known_files)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	char *a = compile("a", "");
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(a);
	struct unwind_table *here _cleanup_(unwind_table_freep) = NULL;
	const uint8_t *id = elf_image_build_id(image), wrong[BUILD_ID_SIZE] = {1}, vdso[20] = {};

	cr_assert_eq(unwind_table_new(image, NULL, &here), 0);
	for (int by_reader = 0; by_reader < 2; by_reader++) {
		struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
		struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;
		struct unwind_image *none = NULL;
		struct error error = {};

		cr_assert_eq(symbolizer_new(&s), 0);
		if (by_reader)
			symbolizer_set_reader(s, r);
		cr_assert_eq(symbolizer_unwind(s, id, a, NULL, &u), 0);
		cr_assert_eq(u->table.len, here->len);
		cr_assert_eq(memcmp(u->table.rows, here->rows, here->len * sizeof(*here->rows)), 0);
		cr_assert_eq(reader_pid(r) > 0, by_reader);
		cr_assert_eq(symbolizer_unwind(s, wrong, a, &error, &none), -ESTALE);
		cr_assert_not_null(strstr(error.message, "another build-id"));
		cr_assert_eq(symbolizer_unwind(s, id, "/gone", NULL, &none), 0, "known already");
		unwind_image_free(none);
		cr_assert_eq(symbolizer_unwind(s, vdso, "/gone", NULL, &none), -ENOENT);
		if (getauxval(AT_SYSINFO_EHDR)) {
			cr_assert_eq(symbolizer_unwind(s, vdso, "[vdso]", NULL, &none), 0);
			unwind_image_free(none);
		}
	}
}

struct waiting {
	struct symbolizer *s;
	const char *path;
	const uint8_t *id;
	bool done;
};

static void *wait_for_name(void *arg)
{
	struct waiting *w = arg;
	char name[64];
	uint64_t offset;

	symbolizer_resolve(w->s, w->id, w->path, 0, name, sizeof(name), &offset);
	__atomic_store_n(&w->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Files can be added and identified while a hostile one is being read, however long that takes. */
Test(symbol_reader_names, files_are_added_while_one_is_read)
{
	struct reader *r _cleanup_(reader_freep) = new_hostile();
	struct symbolizer *s _cleanup_(symbolizer_freep) = NULL;
	const uint8_t id[BUILD_ID_SIZE] = {1}, other[BUILD_ID_SIZE] = {2};
	struct waiting w = {.path = path_of("hang"), .id = id};
	char *pid _cleanup_(freep) = NULL, text[256];
	struct reader_identity identity;
	pthread_t threads[2];

	write_file(w.path, "hang", 4);
	reader_set_limit(r, 3600 * NSEC_PER_SEC);
	cr_assert_eq(symbolizer_new(&s), 0);
	w.s = s;
	symbolizer_set_reader(s, r);
	cr_assert_eq(symbolizer_add_file(s, id, w.path, open_file(w.path)), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, wait_for_name, &w), 0);
	while (read_file(path_of("hostile.hangs"), 64, &pid, NULL) < 0)
		usleep(1000);

	cr_assert_eq(symbolizer_add_file(s, other, "/other", -1), 0);
	cr_assert_eq(symbolizer_failure(s, id, w.path, text, sizeof(text)), -ENOENT);
	int fd _cleanup_(closep) = open_file("/bin/true");
	cr_assert_eq(symbolizer_identify(s, fd, "true", NULL, &identity), 0);
	cr_assert(!__atomic_load_n(&w.done, __ATOMIC_SEQ_CST));

	/* Of SIGKILL the reader is started once more, and hangs again. */
	cr_assert_eq(unlink(path_of("hostile.hangs")), 0);
	cr_assert_eq(kill(atoi(pid), SIGKILL), 0);
	free(TAKE_PTR(pid));
	while (read_file(path_of("hostile.hangs"), 64, &pid, NULL) < 0)
		usleep(1000);
	cr_assert(!__atomic_load_n(&w.done, __ATOMIC_SEQ_CST));
	cr_assert_eq(kill(atoi(pid), SIGKILL), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(symbolizer_failure(s, id, w.path, text, sizeof(text)), 0);
	cr_assert_not_null(strstr(text, "was killed"));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command does with a file that a server sent: looks at it, and puts it in its place. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "dir_help.h"
#include "elf_id.h"
#include "store.h"

/* DIR/p is a program with the build-id abcdef01, DIR/p.debug its debug file. */
static void setup(void)
{
	umask(022);
	make_dir("fetch");
	run("cd %s && echo 'int main(void) { return 0; }' >p.c && "
	    "gcc -g -o p p.c -Wl,--build-id=0xabcdef01 && objcopy --only-keep-debug p p.debug",
	    dir);
}

TestSuite(fetch, .init = setup, .fini = teardown, .timeout = 60);

static int read_id(const char *path, char *id, char *supplement)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0, "%s", path);
	return elf_id_read(fd, id, supplement);
}

Test(fetch, build_ids_of_elf_files)
{
	char id[ELF_ID_HEX], supplement[ELF_ID_HEX];

	cr_expect_eq(read_id(path_of("p"), id, supplement), 0);
	cr_expect_str_eq(id, "abcdef01");
	cr_expect_str_empty(supplement);
	cr_expect_eq(read_id(path_of("p.debug"), id, supplement), 0);
	cr_expect_str_eq(id, "abcdef01");
	run("cd %s && gcc -o none p.c -Wl,--build-id=none && "
	    "objcopy -I elf64-x86-64 -O elf32-x86-64 p.debug x32 && : >empty",
	    dir);
	cr_expect_eq(read_id(path_of("x32"), id, supplement), 0, "of 32 bits");
	cr_expect_str_eq(id, "abcdef01");
	memset(id, 'x', 4);
	cr_expect_eq(read_id(path_of("none"), id, supplement), -ENODATA);
	cr_expect_eq(read_id(path_of("p.c"), id, supplement), -ENOEXEC);
	cr_expect_eq(read_id(path_of("empty"), id, supplement), -ENOEXEC);
	cr_expect_eq(id[0], 'x', "outputs are for success");
}

Test(fetch, what_dwz_has_moved_elsewhere)
{
	char id[ELF_ID_HEX], supplement[ELF_ID_HEX], shared[ELF_ID_HEX], none[ELF_ID_HEX];

	if (access("/usr/bin/dwz", X_OK) < 0)
		cr_skip_test("dwz is not installed");
	run("cd %s && for x in 1 2; do gcc -g3 -include stdio.h -include stdlib.h -o q$x p.c "
	    "-Wl,--build-id=0xabcdef0$x; done && dwz -m common q1 q2",
	    dir);
	cr_assert_eq(read_id(path_of("common"), shared, none), 0);
	cr_expect_str_empty(none);
	cr_assert_eq(read_id(path_of("q2"), id, supplement), 0);
	cr_expect_str_eq(id, "abcdef02");
	cr_expect_str_eq(supplement, shared);
}

/* Whatever is wrong with it: an answer, and no harm. Sanitizers look at that. */
Test(fetch, damaged_elf_files)
{
	char id[ELF_ID_HEX], supplement[ELF_ID_HEX];
	_cleanup_(freep) char *data = NULL;
	unsigned int seed = (unsigned int)getpid(), refused = 0;
	size_t size;

	fprintf(stderr, "seed %u\n", seed);
	cr_assert_eq(read_file(path_of("p.debug"), 1 << 20, &data, &size), 0);
	for (int i = 0; i < 3000; i++) {
		_cleanup_(freep) char *copy = malloc(size);
		_cleanup_(closep) int fd = memfd_create("damaged", MFD_CLOEXEC);
		size_t len = i % 3 ? size : (size_t)rand_r(&seed) % size;

		cr_assert(copy && fd >= 0);
		memcpy(copy, data, size);
		/* Half of the changes where the header and the table of sections are. */
		for (int k = 0; k < 4; k++) {
			size_t at = (size_t)rand_r(&seed) % size;

			at = k % 2 ? at : at < size / 2 ? at % 64 : size - 1 - at % 2048;
			copy[at] = (char)rand_r(&seed);
		}
		cr_assert_eq(write_fully(fd, copy, len), 0);
		refused += elf_id_read(fd, id, supplement) < 0;
	}
	cr_expect_gt(refused, 1000);
}

static struct fetch_store *store(const char *name)
{
	struct fetch_store *s = NULL;
	struct error e = {0};

	cr_assert_eq(fetch_store_open(path_of(name), true, &s, &e), 0, "%s", e.message);
	return s;
}

/* Puts a copy of a file there as that build-id; the error's message or "". */
static const char *put(struct fetch_store *s, const char *build_id, const char *from, int *ret)
{
	static struct error e;
	char path[256], supplement[ELF_ID_HEX];
	_cleanup_(closep) int fd = -EBADF;

	e = (struct error){0};
	run("mkdir -p %s/x && cp %s %s/x/debuginfo", fetch_store_workspace(s), from,
	    fetch_store_workspace(s));
	snprintf(path, sizeof(path), "%s/x/debuginfo", fetch_store_workspace(s));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	*ret = fetch_store_put(s, build_id, fd, path, supplement, &e);
	cr_expect_neq(access(path, F_OK), 0, "it is not left there");
	return e.message;
}

Test(fetch, files_get_their_place)
{
	_cleanup_(fetch_store_freep) struct fetch_store *s = store("made/on/the/way");
	const char *place = path_of("made/on/the/way/.build-id/ab/cdef01.debug");
	struct stat st;
	int r;

	cr_expect_not(fetch_store_has(s, "abcdef01"));
	cr_expect_str_empty(put(s, "abcdef01", path_of("p.debug"), &r));
	cr_expect_eq(r, 0);
	cr_expect(fetch_store_has(s, "abcdef01"));
	cr_assert_eq(stat(place, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0644);
	cr_expect_leq(time(NULL) - st.st_mtime, 60, "of now, not of when it was built");
	cr_expect_str_empty(put(s, "abcdef01", path_of("p.debug"), &r), "once more");
	cr_expect_eq(r, 0);
}

Test(fetch, files_of_others_are_refused)
{
	_cleanup_(fetch_store_freep) struct fetch_store *s = store("d");
	int r;

	cr_expect(strstr(put(s, "abcdef02", path_of("p.debug"), &r), "another build-id, abcdef01"));
	cr_expect_eq(r, -EBADMSG);
	cr_expect(strstr(put(s, "abcdef01", path_of("p.c"), &r), "no ELF file"));
	cr_expect_eq(r, -EBADMSG);
	run("cd %s && gcc -o none p.c -Wl,--build-id=none", dir);
	cr_expect(strstr(put(s, "abcdef01", path_of("none"), &r), "without a build-id"));
	/* A daemon that answers nonsense must not choose the path. */
	put(s, "../../../../x", path_of("p.debug"), &r);
	cr_expect_lt(r, 0);
	put(s, "ABCDEF01", path_of("p.debug"), &r);
	cr_expect_lt(r, 0);
	run("test -z \"$(find %s/d -type f ! -name .lock)\"", dir);
}

Test(fetch, directories_that_others_can_write_to)
{
	struct fetch_store *s = NULL;
	struct error e = {0};

	run("cd %s && mkdir open && chmod 0775 open && mkdir real && ln -s real link && : >file",
	    dir);
	cr_expect_eq(fetch_store_open(path_of("open"), true, &s, &e), -EPERM);
	cr_expect_str_eq(e.name, "PermissionDenied");
	cr_expect(strstr(e.fix, "chmod go-w"));
	e = (struct error){0};
	cr_expect_lt(fetch_store_open(path_of("link"), true, &s, &e), 0);
	cr_expect_str_eq(e.name, "WriteFailed");
	e = (struct error){0};
	cr_expect_lt(fetch_store_open(path_of("file/below"), true, &s, &e), 0);
	cr_expect_lt(fetch_store_open("relative", true, &s, NULL), 0);
	e = (struct error){0};
	if (geteuid() == 0) {
		run("mkdir %s/theirs && chown 65534 %s/theirs", dir, dir);
		cr_expect_eq(fetch_store_open(path_of("theirs"), true, &s, &e), -EPERM);
		cr_expect(strstr(e.message, "another user"), "%s", e.message);
	}
	cr_expect_null(s);
}

Test(fetch, one_at_a_time)
{
	_cleanup_(fetch_store_freep) struct fetch_store *s = store("d"), *second = NULL;
	struct error e = {0};

	cr_expect_eq(fetch_store_open(path_of("d"), false, &second, &e), -EBUSY);
	cr_expect(strstr(e.message, "another sonde"), "%s", e.message);
	s = fetch_store_free(s);
	cr_expect_eq(fetch_store_open(path_of("d"), false, &second, NULL), 0);
}

Test(fetch, the_oldest_go)
{
	_cleanup_(fetch_store_freep) struct fetch_store *s = store("d");
	size_t removed = 9;

	for (int i = 1; i <= 4; i++)
		run("cd %s/d/.build-id && mkdir -p 0%d && truncate -s 1000 0%d/aa.debug && "
		    "touch -d @%d 0%d/aa.debug",
		    dir, i, i, 1000 * (i == 3 ? 1 : i + 1), i);
	cr_expect_eq(fetch_store_trim(s, 4000, &removed), 0);
	cr_expect_eq(removed, 0);
	cr_expect_eq(fetch_store_trim(s, 2999, &removed), 0);
	cr_expect_eq(removed, 2, "one is not enough");
	cr_expect(fetch_store_has(s, "02aa") && fetch_store_has(s, "04aa"));
	run("mkdir -p %s/x/y && touch %s/x/y/z", fetch_store_workspace(s),
	    fetch_store_workspace(s));
	fetch_store_clear_workspace(s);
	run("test -d %s && test -z \"$(ls -A %s)\"", fetch_store_workspace(s),
	    fetch_store_workspace(s));
	cr_expect_eq(fetch_store_trim(s, 0, &removed), 0);
	cr_expect_eq(removed, 2);
}

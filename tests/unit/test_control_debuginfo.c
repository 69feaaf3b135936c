/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of files without symbols, and where fetched ones are looked for. */
#include <criterion/criterion.h>
#include <sys/prctl.h>

#include "control/answer.h"
#include "control/fetched.h"
#include "control/interface.h"
#include "varlink/idl.h"

static void add(struct missing_row *row, struct model_file *file, size_t id_len, const char *path)
{
	*file = (struct model_file){0};
	for (size_t i = 0; i < id_len; i++)
		file->build_id[i] = (uint8_t)(0xa0 + i);
	*row = (struct missing_row){.file = file, .path = path, .samples = 5};
}

Test(control_debuginfo, answers_fit_the_interface)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	_cleanup_(idl_freep) struct idl *idl = NULL;
	struct model_file files[4];
	struct missing_row rows[4];
	struct missing m = {rows, 4, 20};
	struct error e = {0};
	struct json_writer w;

	add(&rows[0], &files[0], 20, "/a");
	add(&rows[1], &files[1], 16, "/b\"");
	add(&rows[2], &files[2], 8, "/c");
	add(&rows[3], &files[3], 19, "/d");
	rows[1].what = MISSING_DEBUG_INFO;
	rows[2].what = MISSING_FILE;
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	answer_missing(&w, "files", &m);
	json_object_end(&w);
	cr_assert_str_eq(out.data,
			 "{\"files\":[{\"build_id\":\"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3\","
			 "\"path\":\"/a\",\"samples\":5,\"missing\":\"symbols\"},"
			 "{\"build_id\":\"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\",\"path\":\"/b\\\"\","
			 "\"samples\":5,\"missing\":\"debuginfo\"},"
			 "{\"build_id\":\"a0a1a2a3a4a5a6a7\",\"path\":\"/c\",\"samples\":5,"
			 "\"missing\":\"file\"},"
			 "{\"build_id\":\"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b200\","
			 "\"path\":\"/d\",\"samples\":5,\"missing\":\"symbols\"}]}");
	cr_assert_eq(idl_parse(sonde_interface, &idl, &e), 0, "%s", e.message);
	cr_expect_not_null(idl);
}

static void expect_dir(const char *wanted)
{
	_cleanup_(freep) char *dir = NULL;

	cr_assert_eq(fetched_dir("/var/cache/x", &dir), 0);
	cr_expect_str_eq(dir, wanted);
}

Test(control_debuginfo, directories_of_users)
{
	setenv("XDG_CACHE_HOME", "/xdg", true);
	setenv("HOME", "/home/u", true);
	if (geteuid() == 0) {
		/* Root's is the daemon's, whoever's environment it has. */
		expect_dir("/var/cache/x/debug");
		cr_assert_eq(seteuid(65534), 0);
	}
	expect_dir("/xdg/sonde/debug");
	setenv("XDG_CACHE_HOME", "relative", true);
	expect_dir("/home/u/.cache/sonde/debug");
	unsetenv("XDG_CACHE_HOME");
	expect_dir("/home/u/.cache/sonde/debug");
	setenv("HOME", "/home/a:b", true);
	expect_dir("");
	unsetenv("HOME");
	expect_dir("");
	/* So that the leak checker may look. */
	cr_assert_eq(seteuid(getuid()), 0);
	(void)prctl(PR_SET_DUMPABLE, 1);
}

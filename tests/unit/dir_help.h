/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory for each test, and commands that fill it. */
#ifndef SONDE_TEST_DIR_HELP_H
#define SONDE_TEST_DIR_HELP_H

#include <criterion/criterion.h>
#include <stdarg.h>

#include "sonde/base/util.h"

static char dir[64];

/* /tmp/sonde-NAME-… */
static inline void make_dir(const char *name)
{
	snprintf(dir, sizeof(dir), "/tmp/sonde-%s-XXXXXX", name);
	cr_assert_not_null(mkdtemp(dir));
}

_printf_(1, 2) static inline void run(const char *fmt, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	cr_assert_eq(system(command), 0, "%s", command);
}

static inline void teardown(void)
{
	run("rm -rf %s", dir);
}

static inline char *path_of(const char *name)
{
	static char paths[8][160];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of resolution and of attachment share: functions to probe, and resolving. */
#ifndef SONDE_TESTS_PROBE_HELP_H
#define SONDE_TESTS_PROBE_HELP_H

#include <criterion/criterion.h>

#include <fcntl.h>
#include <sys/file.h>

#include "probe/resolve.h"

#define PYTHON "/usr/bin/python3.11"
#define SQLITE "/usr/bin/sqlite3"

/* Functions to probe; what they are called is what the tests look for. */
int probe_test_f0(int n);
int probe_test_f1(int n);
int probe_test_f2(int n);
int probe_test_f3(int n);
int probe_test_f4(int n);
int probe_test_alias(int n);
int probe_test_outer(int ms);
int probe_test_endbr(int n);
int probe_test_only_endbr(int n);
int probe_test_ifunc(int n);
void probe_test_lock(int *n);
void probe_test_hlt(void);

/*
 * Tests that attach to every process that runs this binary, or compare its code, must not run at
 * the same time, whatever -j says. The lock ends with the test's process.
 */
static _unused_ void lock_own_code(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
}

static _unused_ const char *self_path(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	cr_assert_gt(n, 0);
	path[n] = '\0';
	return path;
}

/*
 * Up to four specifications, resolved; the error is checked by the caller. By return probes
 * wherever there can be any: this binary maps an unwinder, and would have none else.
 */
static _unused_ int resolve(const struct probe_target *t, const char *const texts[4],
			    struct probe_set **ret, struct error *e)
{
	static const struct resolve_options options = {.returns = RETURN_PROBE};
	struct spec *specs[4] = {};
	size_t n = 0;
	int r = 0;

	for (; n < 4 && texts[n]; n++)
		cr_assert_eq(spec_parse(texts[n], &specs[n], e), 0, "%s", e->message);
	r = probe_resolve(t, specs, n, &options, ret, e);
	for (size_t i = 0; i < n; i++)
		spec_free(specs[i]);
	return r;
}

static _unused_ struct probe_set *resolve_ok(const struct probe_target *t, const char *a,
					     const char *b, const char *c)
{
	const char *texts[4] = {a, b, c};
	struct probe_set *set = NULL;
	struct error e = {};

	cr_assert_eq(resolve(t, texts, &set, &e), 0, "%s: %s", e.name, e.message);
	return set;
}

static _unused_ struct error resolve_fails(const struct probe_target *t, const char *text,
					   const char *name)
{
	const char *texts[4] = {text};
	struct probe_set *set = NULL;
	struct error e = {};

	cr_assert_lt(resolve(t, texts, &set, &e), 0, "'%s' resolved to %zu", text,
		     set ? set->n : 0);
	cr_assert_str_eq(e.name, name, "'%s': %s: %s", text, e.name, e.message);
	return e;
}

static _unused_ const struct probe_point *find_point(const struct probe_set *set,
						     const char *symbol)
{
	for (size_t i = 0; i < set->n; i++)
		if (streq(set->points[i].symbol, symbol))
			return &set->points[i];
	return NULL;
}

static _unused_ bool has_note(const struct probe_set *set, const char *a, const char *b)
{
	for (size_t i = 0; i < set->n_notes; i++)
		if (strstr(set->notes[i], a) && strstr(set->notes[i], b))
			return true;
	return false;
}

static _unused_ struct probe_target of_pid(const pid_t *pid)
{
	return (struct probe_target){.pids = pid, .n_pids = 1};
}

#endif

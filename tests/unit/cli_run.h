/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the command against a daemon that answers from files, and compares what it prints with
 * golden files: see test_cli.c.
 */
#ifndef SONDE_TEST_CLI_RUN_H
#define SONDE_TEST_CLI_RUN_H

#include <criterion/criterion.h>

#include "cli_fake.h"

struct result {
	char *out, *err;
	int status;
};

static char dir[64], socket_path[96], log_path[96];
static pid_t server;

static void sonde_path(char path[static PATH_MAX])
{
	const char *env = getenv("SONDE_BINARY");
	char self[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[MAX(n, 0)] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	if (env)
		snprintf(path, PATH_MAX, "%s", env);
	else
		snprintf(path, PATH_MAX, "%s/../../cli/sonde", self);
}

static void setup(void)
{
	char self[PATH_MAX] = "";

	cr_assert(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(dir, sizeof(dir), "/tmp/sonde-cli-XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
	snprintf(socket_path, sizeof(socket_path), "%s/s", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	setenv("FAKE_LOG", log_path, 1);
	setenv("SONDE_SOCKET", socket_path, 1);
	setenv("SONDE_SONDED", self, 1);
	setenv("TZ", "UTC", 1);
	unsetenv("NO_COLOR");
	server = fake_listen(socket_path);
	cr_assert(server > 0);
}

static void stop_server(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
	unlink(socket_path);
}

static void teardown(void)
{
	char command[96];

	stop_server();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t size;

	return read_file(path, 1 << 22, &text, &size) < 0 ? strdup("") : text;
}

/* Runs `sonde` with a shell's words, in the directory of the test. */
static struct result sonde(const char *arguments)
{
	char path[PATH_MAX], command[2 * PATH_MAX];
	struct result r;
	int status;

	sonde_path(path);
	setenv("BINARY", path, 1);
	snprintf(command, sizeof(command), "{ timeout 15 %s %s ; } >%s/out 2>%s/err", path,
		 arguments, dir, dir);
	status = system(command);
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	snprintf(path, sizeof(path), "%s/out", dir);
	r.out = slurp(path);
	snprintf(path, sizeof(path), "%s/err", dir);
	r.err = slurp(path);
	return r;
}

static void result_release(struct result *r)
{
	free(r->out);
	free(r->err);
}

#define RESULT _cleanup_(result_release) struct result

static void golden(const char *name, const char *text)
{
	_cleanup_(freep) char *wanted = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tests/golden/cli/%s", fake_root(), name);
	if (getenv("SONDE_UPDATE_GOLDEN")) {
		FILE *f = fopen(path, "w");

		cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
		return;
	}
	wanted = slurp(path);
	cr_expect(streq(wanted, text), "%s differs.\n--- wanted\n%s\n--- got\n%s", name, wanted,
		  text);
}

static void check(const char *arguments, const char *name, int status)
{
	RESULT r = sonde(arguments);

	cr_expect_eq(r.status, status, "sonde %s: exit status %d, not %d: %s", arguments, r.status,
		     status, r.err);
	golden(name, r.out);
}

static void expect_error(const char *arguments, int status, const char *words)
{
	RESULT r = sonde(arguments);

	cr_expect_eq(r.status, status, "sonde %s: exit status %d, not %d: %s", arguments, r.status,
		     status, r.err);
	cr_expect(strstr(r.err, words), "sonde %s: no \"%s\" in: %s", arguments, words, r.err);
	cr_expect_str_empty(r.out);
}

static void sonde_ok(const char *arguments)
{
	RESULT r = sonde(arguments);

	cr_expect_eq(r.status, 0, "sonde %s: %s", arguments, r.err);
}

static void expect_asked(const char *words)
{
	_cleanup_(freep) char *asked = slurp(log_path);

	cr_expect(strstr(asked, words), "no %s in: %s", words, asked);
}

#endif

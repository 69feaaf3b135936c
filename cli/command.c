/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include <fcntl.h>
#include <signal.h>

#include "command_files.h"
#include "spawn.h"

enum { EXIT_CANNOT_EXECUTE = 126, EXIT_NO_COMMAND = 127, TERM_PATIENCE_MS = 5000 };

struct command {
	char **argv; /* borrowed */
	struct file_list files;
	char *program;
	pid_t pid;
	int go;	    /* one byte lets the child execute; closing it ends the child */
	int failed; /* the child writes errno here when exec fails; closed by a successful exec */
	bool ended;
	int status;
};

static int cannot_run(const char *name, int code, int *ret_status, struct error *e)
{
	bool missing = code == ENOENT || code == ENOTDIR;

	*ret_status = missing ? EXIT_NO_COMMAND : EXIT_CANNOT_EXECUTE;
	error_set(e, code, "NoSuchFile", "cannot run %s: %s", name,
		  missing ? "no such command" : strerror(code));
	error_fix(e, missing ? "check its spelling, or give its path"
			     : "it must be an executable file");
	return -code;
}

static void child(char **argv, const char *program, int go, int failed)
{
	char byte;
	int code;
	ssize_t n;

	spawn_reset_signals();
	do
		n = read(go, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(EXIT_NO_COMMAND);
	execv(program, argv);
	/* A script without a "#!" line is the shell's, as execvp() has it. */
	if (errno == ENOEXEC) {
		size_t argc = 0;
		const char **shell_argv;

		while (argv[argc])
			argc++;
		shell_argv = calloc(argc + 2, sizeof(*shell_argv));
		if (shell_argv) {
			shell_argv[0] = "sh";
			shell_argv[1] = program;
			memcpy(shell_argv + 2, argv + 1, argc * sizeof(*argv));
			execv("/bin/sh", (char *const *)shell_argv);
		}
		errno = ENOEXEC;
	}
	code = errno;
	n = write(failed, &code, sizeof(code));
	_exit(n < 0 ? EXIT_NO_COMMAND : EXIT_CANNOT_EXECUTE);
}

static int fork_child(struct command *c, struct error *e)
{
	int go[2], failed[2], r;

	if (pipe2(go, O_CLOEXEC) < 0)
		return error_set(e, errno, "Internal", "cannot make a pipe: %m");
	if (pipe2(failed, O_CLOEXEC) < 0) {
		r = error_set(e, errno, "Internal", "cannot make a pipe: %m");
		safe_close(go[0]);
		safe_close(go[1]);
		return r;
	}
	/* Not to be written twice: the child may exit by exec failure, which flushes nothing. */
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0) {
		close(go[1]);
		close(failed[0]);
		child(c->argv, c->program, go[0], failed[1]);
	}
	r = c->pid < 0 ? error_set(e, errno, "Internal", "cannot start a process: %m") : 0;
	safe_close(go[0]);
	safe_close(failed[1]);
	c->go = go[1];
	c->failed = failed[0];
	return r;
}

int command_new(char **argv, struct command **ret, int *ret_status, struct error *e)
{
	_cleanup_(command_freep) struct command *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	c->argv = argv;
	c->go = c->failed = -EBADF;
	r = find_program(argv[0], &c->program);
	if (r >= 0)
		r = list_files(c->program, &c->files);
	if (r == -ENOMEM)
		return error_set(e, ENOMEM, "Internal", "out of memory");
	if (r < 0)
		return cannot_run(argv[0], -r, ret_status, e);
	r = fork_child(c, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct command *command_free(struct command *c)
{
	if (!c)
		return NULL;
	c->go = safe_close(c->go);
	if (c->pid > 0)
		command_finish(c);
	safe_close(c->failed);
	file_list_release(&c->files);
	free(c->program);
	free(c);
	return NULL;
}

pid_t command_pid(const struct command *c)
{
	return c->pid;
}

const char *const *command_files(const struct command *c, size_t *ret_n)
{
	*ret_n = c->files.n;
	return (const char *const *)c->files.paths;
}

int command_start(struct command *c, int *ret_status, struct error *e)
{
	int code = 0;
	ssize_t n;

	if (write(c->go, "", 1) != 1)
		return error_set(e, errno, "Internal", "cannot start %s: %m", c->argv[0]);
	c->go = safe_close(c->go);
	do
		n = read(c->failed, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	c->failed = safe_close(c->failed);
	return n == sizeof(code) ? cannot_run(c->argv[0], code, ret_status, e) : 0;
}

int command_finish(struct command *c)
{
	int status = 0, r;

	if (c->ended)
		return c->status;
	/* It has mostly ended already, or got the same Ctrl-C as we. */
	r = spawn_wait(c->pid, 0, &status);
	if (r == 0) {
		kill(c->pid, SIGTERM);
		r = spawn_wait(c->pid, TERM_PATIENCE_MS, &status);
	}
	if (r == 0) {
		kill(c->pid, SIGKILL);
		r = spawn_wait(c->pid, -1, &status);
	}
	c->ended = true;
	c->status = r < 0 ? EXIT_FAILED : spawn_exit_status(status);
	return c->status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a command will map when it is executed: found without running it. */
#ifndef SONDE_CLI_COMMAND_FILES_H
#define SONDE_CLI_COMMAND_FILES_H

#include "sonde/base/util.h"

struct file_list {
	char **paths;
	size_t n, cap;
};

void file_list_release(struct file_list *list);

/*
 * The path a shell would execute for a name: itself when it has a '/', else from $PATH. The caller
 * frees it. -ENOENT: none; -EACCES: there is a file but it may not be executed; -ENOMEM.
 */
int find_program(const char *name, char **ret_path);

/*
 * Appends the program, or the interpreter and then the program when it is a script, and the
 * libraries the dynamic loader would map, as real paths. Static programs have none. 0, -errno.
 */
int list_files(const char *program, struct file_list *list);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files a target runs: what processes have mapped as code, found through /proc so that other
 * mount namespaces and deleted files work. Paths in processes' maps are hostile: what they name is
 * only opened once it is known to be a regular file.
 */
#ifndef SONDE_PROBE_TARGET_H
#define SONDE_PROBE_TARGET_H

#include "sonde/base/error.h"

#include <sys/types.h>

/* What is to be probed. One of the three: pids, all, or files. */
struct probe_target {
	const pid_t *pids;
	size_t n_pids;
	bool selected; /* pids are those of a moment ago: passed over as those of `all` are */
	bool all;      /* every process, also those that start later */
	const char *const *files; /* a command about to start: its executable first */
	size_t n_files;
};

/* A file some process of the target has mapped as code (or will, for a command). */
struct target_file {
	char *path;	  /* as the process sees it, without " (deleted)" */
	const char *name; /* its last component, inside path */
	pid_t pid;	  /* a process that maps it; 0 for the files of a command */
	uint64_t start,
		end;	   /* one of the mappings; 0 for the executable, opened as /proc/PID/exe */
	uint64_t dev, ino; /* as /proc/PID/maps has them: an identity, not comparable to stat's */
	bool executable;   /* the main program of pid, or the first file of a command */
	bool deleted;
};

struct target_files {
	struct target_file *items;
	size_t n, cap;
};

/*
 * The files of a target, each once; processes of `all` that end, are not accessible or have no
 * program (threads of the kernel) are passed over. -ESRCH NoSuchProcess, -EACCES PermissionDenied,
 * -EINVAL BadArgument, -ENOMEM.
 */
int target_list(const struct probe_target *t, struct target_files *ret_files, struct error *e);
void target_files_release(struct target_files *files);

/* Whether the processes of pids exist: as above. Nothing to check for the other targets. */
int target_check(const struct probe_target *t, struct error *e);

/* A descriptor of a file of the list, for reading. -ENOENT with NoSuchFile, -EINVAL with BadFile …
 */
int target_open(const struct target_file *f, struct error *e);

/*
 * Opens a path as the process pid sees it (its root directory, its mount namespace); pid 0 is the
 * caller's own view. Errors as target_open().
 */
int target_open_path(pid_t pid, const char *path, struct error *e);

#endif

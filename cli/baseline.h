/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Baselines: recordings that are kept under a name to compare with, in /var/lib/sonde/baselines
 * (root) or $XDG_DATA_HOME/sonde/baselines; $SONDE_BASELINES, an absolute path, is another place.
 */
#ifndef SONDE_CLI_BASELINE_H
#define SONDE_CLI_BASELINE_H

#include "sonde/base/error.h"

/* The directory, which may not exist yet; the caller frees it. 0, or -errno with the error set. */
int baseline_directory(char **ret, struct error *e);
/* The file of that name, which may not exist yet. -EINVAL: a BadArgument, it cannot be a name. */
int baseline_path(const char *name, char **ret, struct error *e);
/* The same, of one that exists; -ENOENT: NoSuchFile. */
int baseline_find(const char *name, char **ret, struct error *e);

/* What BEFORE and AFTER name: a file, baseline:NAME, or now. */
struct options;
struct side_file {
	char *path;
	bool temporary; /* to be removed, with its directory */
};
int side_file_open(const struct options *o, const char *operand, struct side_file *ret,
		   struct error *e);
void side_file_release(struct side_file *f);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From probe specifications and a target to the functions to probe: files, kept open so that they
 * stay the same whatever happens to their paths, and offsets in them.
 */
#ifndef SONDE_PROBE_RESOLVE_H
#define SONDE_PROBE_RESOLVE_H

#include "probe/spec.h"
#include "probe/target.h"

enum {
	PROBE_MAX_POINTS = 20000, /* of a session */
	PROBE_MAX_FILES = 1024,
};

struct probe_file {
	char *path; /* as the process sees it; for people, as it may lead elsewhere by now */
	int fd;	    /* what is probed, deleted or not */
	dev_t dev;
	ino_t ino;
	bool deleted;
};

/* A function to probe. Its index in the set is the cookie its hits are known by. */
struct probe_point {
	char *symbol;	 /* raw, as in the file; the first of its aliases that matched */
	uint64_t offset; /* in the file: where the probe goes */
	uint32_t file;	 /* index in files */
	uint32_t spec;	 /* index of the specification it came from */
	uint32_t size;	 /* bytes of the function, from its first one */
	uint8_t skipped; /* bytes between the function's first one and offset: 4 for an endbr64 */
};

/* No file appears twice (by device and inode), nor an offset of a file. */
struct probe_set {
	struct probe_file *files;
	size_t n_files, files_cap;
	struct probe_point *points;
	size_t n, cap;
	char **notes; /* what the user should know: "NAMES: why they are left out" … */
	size_t n_notes, notes_cap;
};

/*
 * Resolves n specifications, of which at least one includes, against a target. Errors: BadSpec (a
 * specification that does not fit the target), NothingMatches, NoSuchProcess, NoSuchFile, BadFile,
 * NotSupported (a Go program), TooMany, PermissionDenied. A specification without a match is an
 * error only when none has one, otherwise a note. The set does not refer to the specifications.
 */
int probe_resolve(const struct probe_target *target, struct spec *const *specs, size_t n,
		  struct probe_set **ret_set, struct error *e);
struct probe_set *probe_set_free(struct probe_set *set);
DEFINE_CLEANUP(struct probe_set *, probe_set_free)

#endif

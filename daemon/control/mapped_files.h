/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that processes have mapped, as files of the model: found in the process's own mount
 * namespace, or by the mapping, and told to the symbolizer while they are there.
 */
#ifndef SONDE_CONTROL_MAPPED_FILES_H
#define SONDE_CONTROL_MAPPED_FILES_H

#include "model/model.h"
#include "sonde/base/table.h"
#include "symbol/symbolizer.h"

struct mapped_files {
	struct model *model;
	struct symbolizer *symbolizer;
	struct table
		hashed; /* (inode, size, mtime, path) → file id, for those without a build-id */
	struct table known; /* file id → 1: the symbolizer has it */
};

/* What is mapped where: the parts of a mapping that lead to its file. */
struct mapped {
	uint64_t start, end;
	uint64_t inode; /* 0: not known */
};

/*
 * The model's file for a mapping of that process, 0 when out of memory; the symbolizer learns of it
 * the first time.
 */
uint32_t mapped_files_find(struct mapped_files *f, uint32_t pid, const char *path,
			   const struct mapped *m);
void mapped_files_release(struct mapped_files *f);

#endif

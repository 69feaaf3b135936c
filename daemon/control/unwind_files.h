/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and their unwind tables in the kernel: built on a thread of its own when first wanted,
 * shared by all processes that map the file, kept as long as memory allows. Files are known by
 * their build-id, so tables outlive the model. Otherwise all on the main thread.
 */
#ifndef SONDE_CONTROL_UNWIND_FILES_H
#define SONDE_CONTROL_UNWIND_FILES_H

#include "collect/unwinder.h"
#include "control/worker.h"
#include "model/model.h"
#include "symbol/python_file.h"
#include "symbol/symbolizer.h"

struct unwind_files;

enum unwind_file_state {
	UNWIND_FILE_UNKNOWN, /* nothing is known, or memory has pushed it out */
	UNWIND_FILE_BUILDING,
	UNWIND_FILE_READY,
	UNWIND_FILE_NONE, /* it has no table: no .eh_frame, not of this machine, unreadable */
};

/*
 * All but settled_arg are borrowed and must outlive it. settled() is called when a file has been
 * built, or has failed; crowded() when there is more than max_bytes in tables that are in use: it
 * gives up users of tables, and returns false when there are none to give up.
 */
struct unwind_files_owner {
	void (*settled)(void *arg);
	bool (*crowded)(void *arg);
	void *arg;
};
int unwind_files_new(sd_event *event, struct unwinder *unwinder, struct symbolizer *symbolizer,
		     uint64_t max_bytes, const struct unwind_files_owner *owner,
		     struct unwind_files **ret);
struct unwind_files *unwind_files_free(struct unwind_files *f);
DEFINE_CLEANUP(struct unwind_files *, unwind_files_free)

/* The number of a file, the same for the same build-id; its table is built after the next
 * unwind_files_build() unless there is one. 0: out of memory, or a file that has no identity. */
uint32_t unwind_files_want(struct unwind_files *f, const uint8_t build_id[static BUILD_ID_LEN],
			   const char *path);
/* Begins to build what was wanted since the last call, all together. */
void unwind_files_build(struct unwind_files *f);
enum unwind_file_state unwind_files_state(const struct unwind_files *f, uint32_t file);
/* A mapping of a file that is ready, as the kernel has it; false: what it shows is no code. */
bool unwind_files_place(const struct unwind_files *f, uint32_t file,
			const struct model_mapping *mapping, struct unwind_mapping *ret);
/* What was found of CPython in a file when its table was built or failed to be, NULL: nothing; and
 * where that mapping of it puts the file's addresses. */
const struct python_file *unwind_files_python(const struct unwind_files *f, uint32_t file,
					      const struct model_mapping *mapping,
					      uint64_t *ret_bias);
/* Tables in use are not pushed out. */
void unwind_files_use(struct unwind_files *f, uint32_t file);
void unwind_files_unuse(struct unwind_files *f, uint32_t file);
/* Waits for what is being built. */
void unwind_files_settle(struct unwind_files *f);

struct unwind_files_stats {
	uint32_t tables, building, none; /* files */
	uint64_t bytes;			 /* of kernel memory */
	uint64_t evictions;
};
void unwind_files_stats(const struct unwind_files *f, struct unwind_files_stats *ret);

#endif

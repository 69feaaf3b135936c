/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening what a just-in-time compiler has written about its code. Anybody can put a file of such
 * a name there, so it must be a regular file, no symbolic link, of the process's user or root.
 */
#ifndef SONDE_SYMBOL_JIT_FILE_H
#define SONDE_SYMBOL_JIT_FILE_H

#include <sys/stat.h>
#include "sonde/base/util.h"

/* How a process is known to itself, where its files are and whose. Serves when it is gone, too. */
struct jit_owner {
	uint32_t pid, inner_pid; /* ours; in the innermost of its namespaces */
	uint32_t uid;		 /* effective */
	int root;		 /* its root directory */
	int64_t started_s;	 /* seconds since the epoch, rounded down */
};

/* -ESRCH when there is no such process (any more). */
int jit_owner_open(uint32_t pid, struct jit_owner *ret);
void jit_owner_close(struct jit_owner *o);

/*
 * A descriptor for reading, or -errno with *ret_reason set (a sentence's end, static) unless the
 * file is just not there (-ENOENT). -ESTALE: what is there was last written before the process
 * began, by one that had its number before. path is as the process sees it; symbolic links on the
 * way stay below its root.
 */
int jit_file_open(const struct jit_owner *owner, const char *path, const char **ret_reason);
/* The same for what the process has mapped at [start, end), wherever its path leads now. */
int jit_file_open_mapped(const struct jit_owner *owner, uint64_t start, uint64_t end,
			 const char **ret_reason);

/* Where the kernel says that it is, for messages. */
void jit_file_path(int fd, char *ret, size_t size);

enum { JIT_STREAM_BLOCK = 256 << 10 }; /* what is looked at at a time */

enum jit_cursor_flags {
	/* Of perf maps: in the middle of a line that is too long. */
	JIT_SKIPPING = 1 << 0,
	/* Of jitdump files. */
	JIT_HEADER = 1 << 1, /* it was read */
	JIT_SWAPPED = 1 << 2,
	JIT_TIMELESS = 1 << 3,
	JIT_CLOSED = 1 << 4, /* nothing more is to be read */
	JIT_BAD = 1 << 5,    /* likewise */
};

/*
 * How far a file that grows was read, all zero at first. Without holes, as it goes to the reader
 * process and comes back.
 */
struct jit_cursor {
	uint64_t offset;	 /* read up to here */
	uint64_t size;		 /* of the file when it was read */
	int64_t time_s, time_ns; /* of its last change then */
	uint8_t last[64];	 /* bytes before offset: tell a file that was written anew */
	uint32_t last_len;
	uint32_t flags; /* enum jit_cursor_flags */
};

/* Takes the bytes at the cursor's offset: how many it is done with, maybe more than there are; 0
 * when it needs more, or has enough (*ret_stop = true). */
typedef size_t (*jit_take_t)(void *arg, const uint8_t *data, size_t size, bool *ret_stop);

/*
 * Reads on, max bytes at most. 1 when there is more to read, 0 when not, -ESTALE when what was read
 * is not in the file any more: the caller starts anew, from all zero.
 */
int jit_stream_read(int fd, struct jit_cursor *c, size_t max, jit_take_t take, void *arg);
/* Whether the file is as it was when it was last read. */
bool jit_stream_is_unchanged(int fd, const struct jit_cursor *c);

#endif

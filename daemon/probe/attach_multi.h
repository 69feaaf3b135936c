/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside attach: what an attachment consists of, and multi links in the making. */
#ifndef SONDE_PROBE_ATTACH_MULTI_H
#define SONDE_PROBE_ATTACH_MULTI_H

#include "probe/attach.h"

/* What is attached of a function, in the order in which it is: ends first (see attach.h). */
enum end {
	END_RETURN,
	END_SITE,
	END_STATIC_RETURN,
	END_THROW,
	END_CATCH,
	END_ENTRY,
	END_STATIC_ENTRY,
	END_STATIC_INSTANT,
	END_SOURCE_THREAD,
	END_SOURCE_BATCH,
	END_SOURCE_SINGLE,
	END_BOTH, /* by a session link */
};

struct attached {
	int link_fd, event_fd; /* event_fd is negative for multi and session links */
	pid_t pid;
	uint32_t point; /* of a perf event */
	enum end end;
};

struct attachment {
	struct attach_programs programs;
	enum attach_mode mode;
	const struct probe_set *set;
	bool *bad; /* by point: left out */
	size_t n_bad;
	struct attached *links;
	size_t n, cap;
	char **left_out;
	size_t n_left_out, left_out_cap;
};

/* A place of a file that a probe goes on. */
struct attach_item {
	uint64_t offset, cookie;
	uint64_t counter; /* offset of a semaphore, or 0 */
	uint32_t point;
};

/* The places that an end takes in a file, without those of points that are left out. */
int attach_items(const struct attachment *a, uint32_t file, enum end end,
		 struct attach_item **ret_items, size_t *ret_n);
int attach_program(const struct attachment *a, enum end end);

int attach_leave_out(struct attachment *a, uint32_t point, int code);
int attach_note(struct attachment *a, const char *name, const char *reason);
/* Errors that say something about a function's code, rather than about us. */
bool attach_is_function_error(int code);
int attach_add_link(struct attachment *a, const struct attached *l);

/* One link a file. 0, or -errno. */
int attach_end_multi(struct attachment *a, enum end end, pid_t pid);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings of processes that nobody knows yet. Mappings and forks come from the kernel by different
 * ways: those of a child that runs another program at once arrive before its fork does. The latest
 * few are kept for it.
 */
#ifndef SONDE_CONTROL_UNCLAIMED_H
#define SONDE_CONTROL_UNCLAIMED_H

#include "sonde/base/util.h"
#include "sonde/record.h"

enum { UNCLAIMED_MAX = 1024 };

struct unclaimed {
	struct {
		uint32_t pid;
		struct record_header *record; /* owned; NULL: none */
	} items[UNCLAIMED_MAX];		      /* a ring */
	size_t next;
};

/* Copies the record; the oldest one goes. Out of memory, it is not kept. */
void unclaimed_keep(struct unclaimed *u, uint32_t pid, const struct record_header *record,
		    size_t size);
/* Hands on those of a process, oldest first, and forgets them. */
void unclaimed_take(struct unclaimed *u, uint32_t pid,
		    void (*each)(void *arg, const struct record_header *record), void *arg);
void unclaimed_release(struct unclaimed *u);

#endif

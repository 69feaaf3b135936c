/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables and the mappings of processes in the kernel's maps, as include/sonde/unwind.h lays
 * them out. What is to be there, and for how long, is decided elsewhere (control/unwinding.h).
 *
 * Tables are added and removed by one thread at a time, which may be another than the one that sets
 * processes.
 */
#ifndef SONDE_COLLECT_UNWINDER_H
#define SONDE_COLLECT_UNWINDER_H

#include "kernel_side.h"
#include "sonde/unwind.h"

struct unwinder;

/* The kernel side is borrowed and must outlive it. */
int unwinder_new(const struct kernel_side *kernel, struct unwinder **ret);
/* Takes the processes out of the kernel; tables go with the kernel side. */
struct unwinder *unwinder_free(struct unwinder *u);
DEFINE_CLEANUP(struct unwinder *, unwinder_free)

/* A table that was made, and is not among the others yet. */
struct unwinder_table {
	uint32_t id;
	int fd;		/* until it is added */
	uint64_t bytes; /* of kernel memory */
};

/*
 * Makes a table of rows, which are sorted by pc. -ENOSPC: all UNWIND_MAX_TABLES are taken; -EINVAL:
 * no rows, or more than a tree can hold.
 */
int unwinder_make_table(struct unwinder *u, const struct unwind_row *rows, size_t n,
			struct unwinder_table *ret);
/*
 * Adds tables that were made, and closes their descriptors. Many at a time, as the kernel waits for
 * its readers, some 10 ms, once a call. When it fails, none of them is there.
 */
int unwinder_add_tables(struct unwinder *u, struct unwinder_table *tables, size_t n);
/* No process may have a mapping with it any more. */
void unwinder_remove_table(struct unwinder *u, uint32_t table);

/* Replaces the mappings of a process, sorted by start. -E2BIG: there are too many of them, and
 * those before stay; other errors, such as too many processes: it has none then. */
int unwinder_set_process(struct unwinder *u, uint32_t pid, const struct unwind_mapping *mappings,
			 size_t n);
void unwinder_remove_process(struct unwinder *u, uint32_t pid);

#endif

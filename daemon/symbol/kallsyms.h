/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of the running kernel, its modules and its BPF programs, from /proc/kallsyms. A
 * snapshot: functions loaded later need a new one. Immutable once loaded.
 */
#ifndef SONDE_SYMBOL_KALLSYMS_H
#define SONDE_SYMBOL_KALLSYMS_H

#include "sonde/base/error.h"
#include "sonde/base/util.h"

struct kallsyms;

/*
 * Reads path, or /proc/kallsyms when it is NULL. -EPERM when the kernel hides the addresses (no
 * CAP_SYSLOG, or kptr_restrict), -ENODATA when the file holds no function, or the error of
 * reading it. Lines that make no sense are skipped.
 */
int kallsyms_load(const char *path, struct error *error, struct kallsyms **ret);
struct kallsyms *kallsyms_free(struct kallsyms *ks);
DEFINE_CLEANUP(struct kallsyms *, kallsyms_free)

size_t kallsyms_len(const struct kallsyms *ks);
size_t kallsyms_memory(const struct kallsyms *ks); /* bytes */

/*
 * Writes the function's name, `func` or `func [module]`, cut off to fit. -ENOENT when no function
 * is at that address. The file has no sizes: a function ends where the next symbol of any kind
 * begins, and after 1 MiB at the latest.
 */
int kallsyms_lookup(const struct kallsyms *ks, uint64_t address, char *name, size_t name_size,
		    uint64_t *ret_offset);

/*
 * Calls fn for each function in order of address; module is "" for the kernel itself. A result
 * other than 0 ends the walk and is returned.
 */
int kallsyms_each(const struct kallsyms *ks,
		  int (*fn)(const char *name, const char *module, uint64_t address, void *data),
		  void *data);

#endif

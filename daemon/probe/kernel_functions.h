/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of the running kernel and its modules, and which of them take probes: kallsyms held
 * against what the tracing file system lists, the kernel's own list of functions it forbids, and
 * functions that would spoil the spans. A snapshot.
 */
#ifndef SONDE_PROBE_KERNEL_FUNCTIONS_H
#define SONDE_PROBE_KERNEL_FUNCTIONS_H

#include "sonde/base/error.h"
#include "sonde/base/util.h"

struct kernel_function {
	const char *name;
	const char *module; /* "" is the kernel itself */
	uint64_t address;
};

struct kernel_functions;

/*
 * root stands in front of /proc and /sys; NULL for the machine's own. Errors are those of
 * kallsyms_load(): without addresses no kernel function is probed.
 */
int kernel_functions_load(const char *root, struct error *e, struct kernel_functions **ret);
struct kernel_functions *kernel_functions_free(struct kernel_functions *f);
DEFINE_CLEANUP(struct kernel_functions *, kernel_functions_free)

/* In order of address; aliases have the same. */
const struct kernel_function *kernel_functions_all(const struct kernel_functions *f, size_t *ret_n);
/*
 * Why one of them cannot be probed, a static clause; NULL: it can, as far as known. It takes a
 * while for each, so those that are not asked for are not judged beforehand.
 */
const char *kernel_functions_reason(const struct kernel_functions *f,
				    const struct kernel_function *function);
/* Whether there are others of that name. */
bool kernel_functions_is_ambiguous(const struct kernel_functions *f,
				   const struct kernel_function *function);
/* Whether the kernel has told what it can trace; else some of them will turn out not to. */
bool kernel_functions_are_certain(const struct kernel_functions *f);

#endif

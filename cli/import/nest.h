/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nesting: spans that come by their start become a tree for each lane, and leave by their end, with
 * the path they are called in and the time that is their own. What is open is in memory, no more.
 */
#ifndef SONDE_CLI_IMPORT_NEST_H
#define SONDE_CLI_IMPORT_NEST_H

#include "sonde/base/util.h"

struct import_nest;

struct import_begun {
	int64_t start_ns;
	uint64_t duration_ns, lane, order;
	double value; /* handed on */
	uint32_t pid, tid, name, category, flags;
	uint32_t slack_ns; /* as much later it may end than what it is in, if that has slack, too */
};

struct import_ended {
	int64_t end_ns;
	uint64_t duration_ns, self_ns;
	double value;
	uint32_t pid, tid, path, flags;
};

struct import_nest_ops {
	/* The path of that name below another one (0: none); *ret is not 0. */
	int (*path)(void *arg, uint32_t parent, uint32_t name, uint32_t category, uint32_t *ret);
	/* In order of their ends, but for those that something else has outlived. */
	int (*ended)(void *arg, const struct import_ended *span);
	void *arg;
	uint64_t *overlaps, *deep; /* counted here */
};

/* The order that spans must come in: outer ones first. For import_sorter. */
int import_begun_compare(const void *a, const void *b);

struct import_nest *import_nest_new(const struct import_nest_ops *ops); /* NULL: out of memory */
struct import_nest *import_nest_free(struct import_nest *n);
DEFINE_CLEANUP(struct import_nest *, import_nest_free)

int import_nest_add(struct import_nest *n, const struct import_begun *span);
int import_nest_finish(struct import_nest *n);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ids of sites and keys of spans written in source code mean, of all programs: an id is a
 * hash of its texts, so that it means the same everywhere, and what does not fit its id is not
 * believed. Texts that are no UTF-8 or would move a terminal's cursor have "?" instead.
 *
 * A name is kept as long as a process is there that has said it, and a while longer. How many there
 * may be is bounded: of a process, of a user, in all; so nobody can use up the room of the others.
 */
#ifndef SONDE_CONTROL_SOURCE_NAMES_H
#define SONDE_CONTROL_SOURCE_NAMES_H

#include "model/source_batch.h"

enum {
	SOURCE_NAMES_MAX = 1 << 16,	     /* sites, and as many keys */
	SOURCE_NAMES_OF_USER = 1 << 14,	     /* that processes of one user were the first to say */
	SOURCE_NAMES_OF_PROCESS = 1 << 13,   /* sites and keys together */
	SOURCE_NAMES_SAID_OF_USER = 1 << 17, /* by all its processes, each counted by itself */
	SOURCE_NAMES_KEPT_MS = 10000, /* after the process: what it has left may be on its way */
};

struct source_names;

int source_names_new(struct source_names **ret);
struct source_names *source_names_free(struct source_names *n);
DEFINE_CLEANUP(struct source_names *, source_names_free)

/* Takes note of a SITE or a KEY that the process has said. */
void source_names_learn(struct source_names *n, uint32_t pid, uint32_t uid,
			const struct source_item *item);
/* The process has ended, or runs another program. now_ns: CLOCK_MONOTONIC. */
void source_names_gone(struct source_names *n, uint32_t pid, uint64_t now_ns);
/* To be called now and then: forgets the names of those that are gone. is_there: whether there is a
 * process of that number; not all ends are heard of. */
void source_names_tend(struct source_names *n, uint64_t now_ns, bool (*is_there)(uint32_t pid));

/* False: not known (yet). Good until the next one is learnt, or some are forgotten. */
bool source_names_site(const struct source_names *n, uint64_t id, const char **ret_category,
		       const char **ret_name);
const char *source_names_key(const struct source_names *n, uint64_t id);
/* How many are known, of both. */
size_t source_names_count(const struct source_names *n);

#endif

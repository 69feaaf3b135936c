/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ids of sites and keys of spans written in source code mean, of all programs: an id is a
 * hash of its texts, so that it means the same everywhere, and what does not fit its id is not
 * believed. Texts that are no UTF-8 or would move a terminal's cursor have "?" instead.
 */
#ifndef SONDE_CONTROL_SOURCE_NAMES_H
#define SONDE_CONTROL_SOURCE_NAMES_H

#include "model/source_batch.h"

struct source_names;

int source_names_new(struct source_names **ret);
struct source_names *source_names_free(struct source_names *n);
DEFINE_CLEANUP(struct source_names *, source_names_free)

/* Takes note of a SITE or a KEY. */
void source_names_learn(struct source_names *n, const struct source_item *item);
/* False: not known (yet). Good until the next one is learnt. */
bool source_names_site(const struct source_names *n, uint64_t id, const char **ret_category,
		       const char **ret_name);
const char *source_names_key(const struct source_names *n, uint64_t id);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside session: the sites and paths of spans written in source code, as probes and call paths of
 * the model. A path is a hash of the path around it and the site, and as that can be taken back,
 * the way up is found from any path whose site is known, whatever has ended first.
 */
#ifndef SONDE_CONTROL_SOURCE_TREE_H
#define SONDE_CONTROL_SOURCE_TREE_H

#include "control/session.h"
#include "control/source_names.h"

/* A place in the source, in one file. */
struct source_site {
	uint64_t id;
	uint32_t file;	/* of the model */
	uint32_t probe; /* of the model */
	bool named;	/* it has been announced; until then it goes by its number */
	bool wanted;	/* by the session's specifications */
	bool is_bound;	/* the condition has been: to NULL where it means nothing here */
	struct bound *where;
	char *category, *name; /* copies, as what is bound borrows them */
};

struct source_tree;

int source_tree_new(struct session *s, struct source_tree **ret, struct error *error);
struct source_tree *source_tree_free(struct source_tree *t);
DEFINE_CLEANUP(struct source_tree *, source_tree_free)

/* The site of that id, made when it is new; NULL: out of memory. Good until the next one is. */
struct source_site *source_tree_site(struct source_tree *t, uint64_t id, uint32_t file);
/* A path and the site it ends in have been seen: before source_tree_path() of what is below. */
void source_tree_note(struct source_tree *t, uint64_t path, uint64_t site, uint32_t file);
/* A call of a probed function that spans are in: the model's path of it, and the span that was
 * open already when it was made. */
struct source_below {
	uint32_t path;
	uint64_t source; /* 0: none was */
};

/*
 * The call path of the model; 0 where it cannot be told. site 0: that was noted, or is not known.
 * below: the spans that were begun inside that call are below it; NULL: there is none.
 */
uint32_t source_tree_path(struct source_tree *t, uint64_t path, uint64_t site, uint32_t file,
			  const struct source_below *below);

/* Whether all that a path consists of is known. */
bool source_tree_knows(const struct source_tree *t, uint64_t path);

/* Another condition, or none, from now on. */
int source_tree_set_where(struct source_tree *t, const char *where, struct error *error);
/* Whether the condition lets it through; call and more are the span's. */
bool source_tree_passes(struct source_tree *t, struct source_site *site, uint32_t path,
			const struct record_call *call, const struct span_more *more);

#endif

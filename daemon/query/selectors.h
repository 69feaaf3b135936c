/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes a question or a session is about. */
#ifndef SONDE_QUERY_SELECTORS_H
#define SONDE_QUERY_SELECTORS_H

#include "model/model.h"

/* All that is set must hold; nothing set: all processes. Owned by the caller. */
struct selectors {
	const uint32_t *pids;
	size_t n_pids;
	/* NULL: any. Globs over the name, over the path of the control group ('*' is for slashes,
	 * too), over the id of the container (container_matches()). */
	const char *comm, *cgroup, *container;
	const char *host; /* a glob over the name of the machine */
	bool has_uid;
	uint32_t uid;
};

/* False: nothing is set. */
bool selectors_choose(const struct selectors *s);

/* What is asked of a process; texts are not NULL, "" where it is not known. */
struct selectors_process {
	uint32_t pid, uid;
	const char *comm, *cgroup, *container;
	const char *host; /* or NULL: as "" */
};
bool selectors_match_process(const struct selectors *s, const struct selectors_process *p);
/* Whether a process of the model is one of those; selectors NULL: all are. */
bool selectors_match(const struct selectors *s, const struct model *m,
		     const struct model_process *p);

#endif

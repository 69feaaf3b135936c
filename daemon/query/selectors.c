/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "selectors.h"

#include <fnmatch.h>

#include "model/container.h"

bool selectors_choose(const struct selectors *s)
{
	return s->n_pids || s->comm || s->cgroup || s->container || s->host || s->has_uid;
}

static bool has_pid(const struct selectors *s, uint32_t pid)
{
	for (size_t i = 0; i < s->n_pids; i++)
		if (s->pids[i] == pid)
			return true;
	return s->n_pids == 0;
}

bool selectors_match_process(const struct selectors *s, const struct selectors_process *p)
{
	if (!has_pid(s, p->pid) || (s->has_uid && s->uid != p->uid))
		return false;
	if (s->comm && fnmatch(s->comm, p->comm, 0) != 0)
		return false;
	/* One that is not known is none that anybody can name. */
	if (s->cgroup && (!*p->cgroup || fnmatch(s->cgroup, p->cgroup, 0) != 0))
		return false;
	if (s->host && (!p->host || !*p->host || fnmatch(s->host, p->host, 0) != 0))
		return false;
	return !s->container || container_matches(s->container, p->container);
}

bool selectors_match(const struct selectors *s, const struct model *m,
		     const struct model_process *p)
{
	const struct selectors_process of = {
		.pid = p->pid,
		.uid = p->uid,
		.comm = model_string_get(m, p->comm),
		.cgroup = model_string_get(m, p->cgroup),
		.container = model_string_get(m, p->container),
		.host = model_string_get(m, model_process_host(m, p)),
	};

	return !s || selectors_match_process(s, &of);
}

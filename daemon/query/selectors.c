/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "selectors.h"

#include <fnmatch.h>

#include "model/container.h"

static bool has_pid(const struct selectors *s, uint32_t pid)
{
	for (size_t i = 0; i < s->n_pids; i++)
		if (s->pids[i] == pid)
			return true;
	return s->n_pids == 0;
}

bool selectors_match(const struct selectors *s, const struct model *m,
		     const struct model_process *p)
{
	const char *cgroup = model_string_get(m, p->cgroup);
	const char *host = model_string_get(m, model_process_host(m, p));

	if (!s)
		return true;
	if (!has_pid(s, p->pid) || (s->has_uid && s->uid != p->uid))
		return false;
	if (s->comm && fnmatch(s->comm, model_string_get(m, p->comm), 0) != 0)
		return false;
	/* One that is not known is none that anybody can name. */
	if (s->cgroup && (!*cgroup || fnmatch(s->cgroup, cgroup, 0) != 0))
		return false;
	if (s->host && (!*host || fnmatch(s->host, host, 0) != 0))
		return false;
	return !s->container || container_matches(s->container, model_string_get(m, p->container));
}

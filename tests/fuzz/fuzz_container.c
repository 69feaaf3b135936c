/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text is read as /proc/PID/cgroup, as one of its paths and as /proc/PID/status: what comes out
 * was in it, and is whole.
 */
#include "model/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ids and names are a directory of a path, or a part of one. */
static void check_container(const char *container)
{
	if (strlen(container) >= CONTAINER_ID_SIZE)
		abort();
	if (strpbrk(container, "*?[\\") == NULL && *container &&
	    !container_matches(container, container))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	char container[CONTAINER_ID_SIZE];
	struct cgroup_place place;

	if (!text)
		return 0;
	if (ns_pid_parse(text) > INT32_MAX)
		abort();
	if (container_of_path(text, container)) {
		if (!*container)
			abort();
		check_container(container);
	}
	cgroup_parse(text, &place);
	if (*place.path && *place.path != '/')
		abort();
	if (*place.path && (place.path < text || place.path >= text + size))
		abort();
	check_container(place.container);
	return 0;
}

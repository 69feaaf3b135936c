/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What container a process is in, by the names that runtimes give to control groups: Docker,
 * Podman, containerd, CRI-O, Kubernetes of both cgroup drivers, ECS, LXC and LXD (Incus), those of
 * systemd-machined (nspawn, libvirt-lxc) and Garden. Of containers in containers it is the
 * innermost. Virtual machines, pods, and a runtime's helpers outside of the container (conmon) are
 * none.
 */
#ifndef SONDE_MODEL_CONTAINER_H
#define SONDE_MODEL_CONTAINER_H

#include "sonde/base/util.h"

enum { CONTAINER_ID_SIZE = 256 }; /* with its NUL: ids are parts of file names */

/* True: the path is of a container, whose id (64 hexadecimal digits) or name is written. */
bool container_of_path(const char *path, char ret[CONTAINER_ID_SIZE]);

/* Where a process is; path points into what was parsed. "": not known; in no container. */
struct cgroup_place {
	const char *path;
	char container[CONTAINER_ID_SIZE];
};

/*
 * Cuts up what /proc/PID/cgroup says; text is changed. The path is that of version 2; where all
 * processes are in the root of that, of systemd's hierarchy of version 1; without version 2, of the
 * first one that is not in its root. The container may be told by any hierarchy.
 */
void cgroup_parse(char *text, struct cgroup_place *ret);

/*
 * The last number in line NSpid of /proc/PID/status: of a process in a PID namespace below the one
 * that /proc is of. 0: it is in that one, or the line is not there.
 */
uint32_t ns_pid_parse(const char *status);

/*
 * Does the pattern of a user mean that container? A glob over the whole id, or, as docker ps and
 * others cut ids short, its first 12 digits or more. None means "", in no container.
 */
bool container_matches(const char *pattern, const char *container);

#endif

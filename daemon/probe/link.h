/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's two ways to attach a BPF program to functions of a file, one call each, without
 * policy. libbpf 1.1 has no call for the multi link, so it goes through bpf(2) here.
 */
#ifndef SONDE_PROBE_LINK_H
#define SONDE_PROBE_LINK_H

#include "sonde/base/util.h"

#include <sys/types.h>

/* enum bpf_attach_type of kernels newer than the headers of Debian 12. */
enum {
	LINK_UPROBE_MULTI = 48,	  /* BPF_TRACE_UPROBE_MULTI, since 6.6 */
	LINK_UPROBE_SESSION = 57, /* BPF_TRACE_UPROBE_SESSION, since 6.13 */
};

/* What the kernel answers to instructions it cannot probe; not in the C library's errno.h. */
enum { LINK_ENOTSUPP = 524 };

/*
 * One link for n functions of the file, which is given by a path (of /proc/self/fd: see
 * link_path()). pid 0: every process. Returns the descriptor of the link, or -errno; the kernel
 * attaches all or nothing. The program must have been loaded with attach_type as its expected one.
 * counters: offsets in the file of semaphores of static probes, 0 for none; NULL: none has one.
 */
int link_multi(int prog_fd, int attach_type, const char *path, const uint64_t *offsets,
	       const uint64_t *cookies, const uint64_t *counters, size_t n, bool is_return,
	       pid_t pid);

/*
 * A perf event on one function, with the program attached to it. pid 0: every process. Two
 * descriptors to close: the link, then the event (slow: see reaper.h). Programs loaded for multi or
 * session links are refused. 0 or -errno.
 */
int link_perf(int prog_fd, const char *path, uint64_t offset, uint64_t cookie, uint64_t counter,
	      bool is_return, pid_t pid, int *ret_link_fd, int *ret_event_fd);

/* A program that does nothing, to try with; 0 is the attach type of perf events. Or -errno. */
int link_noop_program(int attach_type);

/* The path by which the kernel finds the file of an open descriptor, in any mount namespace. */
enum { LINK_PATH_MAX = 40 };
char *link_path(char buf[static LINK_PATH_MAX], int fd);

/* One clause that says why a function could not be attached: "its first instruction …". */
const char *link_strerror(int code);

#endif

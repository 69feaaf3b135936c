/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's ways to attach a BPF program to functions of its own, one call each, without
 * policy. They are system-wide: programs must look themselves whose calls they are.
 */
#ifndef SONDE_PROBE_KERNEL_LINK_H
#define SONDE_PROBE_KERNEL_LINK_H

#include "sonde/base/util.h"

/* enum bpf_attach_type; the headers of Debian 12 have it, older ones do not. */
enum { LINK_KPROBE_MULTI = 42 }; /* BPF_TRACE_KPROBE_MULTI, since 5.18 */

/*
 * One link for n functions, by address, no two the same. The kernel attaches all or nothing. The
 * program must have been loaded with LINK_KPROBE_MULTI as its expected attach type. Returns the
 * link's descriptor or -errno.
 */
int kernel_link_multi(int prog_fd, const uint64_t *addresses, const uint64_t *cookies, size_t n,
		      bool is_return);

/*
 * A perf event on one function, with the program (loaded for no attach type) attached to it. Two
 * descriptors to close: the link, then the event. Of many threads in a function at a time, the
 * kernel follows no more returns than it has CPUs, or 10: others are missed. 0 or -errno.
 */
int kernel_link_perf(int prog_fd, uint64_t address, uint64_t cookie, bool is_return,
		     int *ret_link_fd, int *ret_event_fd);

/*
 * Attaches a program of type BPF_PROG_TYPE_TRACING, which was loaded for one function and one end
 * (attach type BPF_TRACE_FENTRY or BPF_TRACE_FEXIT, attach_btf_id), since 5.5; with a cookie since
 * 5.19. Returns the link's descriptor or -errno.
 */
int kernel_link_tracing(int prog_fd, uint64_t cookie, bool is_return);

/* A clause that says why a function could not be attached. */
const char *kernel_link_strerror(int code);

#endif

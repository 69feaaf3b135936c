/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A probe_set attached to processes, and taken off again.
 *
 * The return probes go on first: a call caught in the gap is then a return without an entry, which
 * the BPF programs merely count (LOSS_RETURN). The other way round it would be an entry without a
 * return: a frame left open on the thread, that is a false span. They would come off last for the
 * same reason, but the kernel does not allow to wait in between (see reaper.h): a call in flight
 * at detach may miss its return, so the programs must ignore sessions that are being detached.
 */
#ifndef SONDE_PROBE_ATTACH_H
#define SONDE_PROBE_ATTACH_H

#include "probe/resolve.h"

enum attach_mode {
	ATTACH_MULTI,	/* one link a file and end, for any number of functions */
	ATTACH_PERF,	/* one perf event a function and end: for kernels before 6.6 */
	ATTACH_SESSION, /* one link a file for both ends; since 6.13 */
};

/*
 * Descriptors of loaded programs, which stay the caller's. For MULTI, entry and ret must have been
 * loaded with the expected attach type LINK_UPROBE_MULTI; for PERF with none; for SESSION, session
 * with LINK_UPROBE_SESSION (see link.h). What a mode does not need is -1. The attach cookie a
 * program sees is the index of the point in the set; that of a site is as in probe_info.h.
 * SESSION is for sets in which every point has RETURN_PROBE.
 */
struct attach_programs {
	int entry, ret, session, site, throw, catch;
	int static_entry, static_return, static_instant;
	int source_thread, source_batch, source_single;
};

struct attachment;

/*
 * Attaches all points of the set but those of kernel functions to a process, all its threads
 * included and its children not, or with pid 0 to every process that runs the files now or later.
 * The set is borrowed and must outlive the attachment. Functions that the kernel refuses are left
 * out: see below. Errors: AttachFailed, NoSuchProcess, PermissionDenied, NotSupported; nothing is
 * attached then.
 */
int attachment_new(const struct attach_programs *programs, enum attach_mode mode,
		   const struct probe_set *set, pid_t pid, struct attachment **ret,
		   struct error *e);
/*
 * Detaches. Never waits for the kernel, which may take long: calls may reach the programs until
 * attach_reaper_pending() is 0.
 */
struct attachment *attachment_free(struct attachment *a);
DEFINE_CLEANUP(struct attachment *, attachment_free)

/* Attaches the same points to another process. On errors, as above, what was attached stays. */
int attachment_add_pid(struct attachment *a, pid_t pid, struct error *e);
/* Detaches from a process that was added, as one that has ended; unknown ones are ignored. */
void attachment_drop_pid(struct attachment *a, pid_t pid);

/* Functions left out so far, each as "NAME: REASON". Owned by the attachment. */
char *const *attachment_left_out(const struct attachment *a, size_t *ret_n);
/* Whether the point of that index was left out. */
bool attachment_is_left_out(const struct attachment *a, size_t point);
/* Descriptors in use. */
size_t attachment_links(const struct attachment *a);

/* Descriptors that are still being closed in the background. */
size_t attach_reaper_pending(void);
/* Waits until there are none: 0 or -ETIMEDOUT. */
int attach_reaper_wait(unsigned int timeout_ms);

/*
 * Whether this kernel and this user can attach in that mode, found out by trying: 0, or -errno
 * (-EPERM: a privilege is missing; others: the kernel cannot). Not cached. The first two attach
 * nothing; the third attaches to a function of this very process, and waits for the detach.
 */
int attach_probe_multi(void);
int attach_probe_session(void);
int attach_probe_perf(void);
/*
 * The same for kernel functions (see kernel_attach.h). The first two attach nothing; the third
 * attaches to a function of the kernel that is never called.
 */
int attach_probe_kprobe_multi(void);
int attach_probe_kprobe(void);
int attach_probe_fentry(void);

#endif

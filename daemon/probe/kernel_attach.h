/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel functions of a probe_set, attached by the best means each allows: fentry and fexit
 * where it insists on them, or where there are few functions, as they are the cheapest a call and
 * the dearest to attach; else one multi link for all; else a kprobe and a kretprobe each. Returns
 * go on first (see attach.h). There is no filter by process: programs look whose calls they are.
 */
#ifndef SONDE_PROBE_KERNEL_ATTACH_H
#define SONDE_PROBE_KERNEL_ATTACH_H

#include "probe/resolve.h"

/* Without a word about it in the specification, up to so many functions get fentry and fexit. */
enum { KERNEL_FEW = 16 };

enum kernel_way { KERNEL_FENTRY, KERNEL_MULTI, KERNEL_PERF, KERNEL_WAYS };

/*
 * Where programs come from. The attach cookie they see is the index of the point in the set.
 * Descriptors stay the caller's; -1: there is none, and that way is not taken.
 */
struct kernel_programs {
	int multi_entry, multi_return; /* type KPROBE, expected attach type LINK_KPROBE_MULTI */
	int perf_entry, perf_return;   /* type KPROBE, for no attach type */
	/*
	 * Loads the program of one end (BPF_TRACE_FENTRY or _FEXIT) for the kernel function of that
	 * name, and of that id in vmlinux's BTF: type TRACING, which finds the cookie by
	 * bpf_get_attach_cookie(), arguments by bpf_get_func_arg() and the result by
	 * bpf_get_func_ret(), as neither their number nor their types are known beforehand. The
	 * descriptor becomes the attachment's. Or -errno. NULL: there are none.
	 */
	int (*load_tracing)(void *arg, bool is_return, uint32_t btf_id, const char *function);
	void *arg;
};

struct kernel_attachment;

/*
 * Attaches the points of the set that are kernel functions; without any, nothing. The set is
 * borrowed and must outlive the attachment. Functions that the kernel refuses are left out.
 * Errors: AttachFailed (it refuses all), PermissionDenied, NotSupported (no way that the kernel
 * has is among the programs, or fentry is insisted on and not there); nothing is attached then.
 */
int kernel_attachment_new(const struct kernel_programs *programs, const struct probe_set *set,
			  struct kernel_attachment **ret, struct error *e);
/* Detaches without waiting, as attachment_free(). */
struct kernel_attachment *kernel_attachment_free(struct kernel_attachment *a);
DEFINE_CLEANUP(struct kernel_attachment *, kernel_attachment_free)

/* As those of attach.h. */
char *const *kernel_attachment_left_out(const struct kernel_attachment *a, size_t *ret_n);
bool kernel_attachment_is_left_out(const struct kernel_attachment *a, size_t point);
size_t kernel_attachment_links(const struct kernel_attachment *a);
/* "fentry", "kprobe.multi", "kprobe"; "" for points that are not attached here. */
const char *kernel_attachment_strategy(const struct kernel_attachment *a, size_t point);

#endif

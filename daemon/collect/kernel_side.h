/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel side as a whole: loads the process programs, owns the three maps that every other
 * program shares (ring, losses, targets) and the slots of sessions. One instance a daemon.
 */
#ifndef SONDE_COLLECT_KERNEL_SIDE_H
#define SONDE_COLLECT_KERNEL_SIDE_H

#include "sonde/base/error.h"
#include "sonde/python.h"
#include "sonde/record.h"

struct kernel_side;
struct bpf_object;

/* ring_bytes: a power of two and a multiple of the page size. Attaches fork, exec and exit. */
int kernel_side_open(size_t ring_bytes, struct error *error, struct kernel_side **ret);
struct kernel_side *kernel_side_free(struct kernel_side *k);
DEFINE_CLEANUP(struct kernel_side *, kernel_side_free)

int kernel_side_ring_fd(const struct kernel_side *k);
size_t kernel_side_ring_bytes(const struct kernel_side *k);

/* Makes the maps of an opened, not yet loaded object the shared ones. */
int kernel_side_share_maps(const struct kernel_side *k, struct bpf_object *object);

/* The maps of bpf/unwind_maps.bpf.h. */
void kernel_side_unwind_maps(const struct kernel_side *k, int *ret_tables, int *ret_trees,
			     int *ret_processes);

/* The Python frames of a process are read from now on; -E2BIG: those of too many are. */
int kernel_side_set_python(struct kernel_side *k, uint32_t pid,
			   const struct python_process *process);
void kernel_side_remove_python(struct kernel_side *k, uint32_t pid);

/* A slot for a session, its counters at zero; -EBUSY when all RECORD_MAX_SESSIONS are taken. */
int kernel_side_take_slot(struct kernel_side *k, uint32_t *ret_slot);
/* Gives a slot back; no process is a target of it any more. */
void kernel_side_release_slot(struct kernel_side *k, uint32_t slot);

int kernel_side_add_target(struct kernel_side *k, uint32_t slot, uint32_t pid);

/* The counters of a slot, summed over CPUs, in the order of enum loss_kind. Slot 0 has the process
 * events' too. */
int kernel_side_losses(const struct kernel_side *k, uint32_t slot,
		       uint64_t ret[static LOSS_COUNTERS]);

/* Memory of all BPF maps this process holds, from fdinfo: it does not show in the RSS. */
uint64_t kernel_side_map_bytes(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables as the kernel side reads them: how to find the caller of a place in a file
 * (x86-64), which files a process has mapped where, and how a stack ended. Rules are those of the
 * System V ABI's call frame information (DWARF 5, section 6.4), as far as they can be said with
 * rip, rsp and rbp alone.
 */
#ifndef SONDE_UNWIND_H
#define SONDE_UNWIND_H

#ifdef __bpf__
#include <linux/types.h>
#else
#include <assert.h>
#include <linux/types.h>
#include <stddef.h>
#endif

/* The canonical frame address: the stack pointer of the caller, behind the return address. */
enum unwind_cfa {
	UNWIND_NONE = 0,      /* no rule, or one that cannot be said here: try the frame pointer */
	UNWIND_END = 1,	      /* the outermost frame: its return address is undefined */
	UNWIND_RSP = 2,	      /* rsp + offset */
	UNWIND_RBP = 3,	      /* rbp + offset */
	UNWIND_RSP_DEREF = 4, /* what is stored at rsp + offset */
	UNWIND_RBP_DEREF =
		5, /* what is stored at rbp + offset: a function that aligned its stack */
	/* A stub of the PLT, of 16 bytes: rsp + 8, and 8 more from its cfa_offset-th byte on. */
	UNWIND_PLT = 6,
	UNWIND_SIGNAL = 7, /* the return of a signal handler: registers are in the frame at rsp */
};

enum unwind_rbp {
	UNWIND_RBP_SAME = 0,
	UNWIND_RBP_AT_CFA = 1,	  /* saved at CFA + rbp_offset */
	UNWIND_RBP_AT_RBP = 2,	  /* saved at rbp + rbp_offset */
	UNWIND_RBP_UNDEFINED = 3, /* lost, or saved where it cannot be said */
};

/* Holds from pc up to the pc of the next row. Eight bytes, as the kernel's arrays have them. */
struct unwind_row {
	__u32 pc;	  /* address in the file less the table's base */
	__s16 cfa_offset; /* in units of 8 bytes, but of UNWIND_PLT in bytes */
	__s8 rbp_offset;  /* in units of 8 bytes */
	__u8 rule;	  /* enum unwind_cfa, and enum unwind_rbp in the upper four bits */
};

static inline __u8 unwind_rule(enum unwind_cfa cfa, enum unwind_rbp rbp)
{
	return (__u8)(cfa | rbp << 4);
}

/*
 * A table in a map is a tree of nodes of one size. Its leaves are rows; the nodes above hold the
 * first pc of each node below. Levels lie one after the other, the root first: the children of the
 * i-th node of a level are the UNWIND_FANOUT nodes from i × UNWIND_FANOUT on in the next. Unused
 * places have the greatest pc there is.
 */
enum {
	UNWIND_FANOUT = 128, /* of a node above the leaves */
	UNWIND_LEAF_ROWS = 64,
	UNWIND_MAX_LEVELS = 3, /* above the leaves */
	UNWIND_MAX_TABLES = 4096,
};

union unwind_node {
	__u32 keys[UNWIND_FANOUT];
	struct unwind_row rows[UNWIND_LEAF_ROWS];
};

struct unwind_tree {
	__u32 levels;			/* above the leaves; 0: the root is a leaf */
	__u32 start[UNWIND_MAX_LEVELS]; /* the first node of each level below the root */
};

/* Executable memory [start, end) of a process that shows a file with a table. */
struct unwind_mapping {
	__u64 start, end;
	__u64 base; /* the address of pc 0 */
	__u32 table;
	__u32 pad;
};

/*
 * The mappings of a process, sorted by start, in parts of which each but the last is full. Unused
 * places have UNWIND_NO_START. Part 0 tells where the others begin.
 */
#define UNWIND_NO_START (1ULL << 62) /* above every user address */

enum { UNWIND_PART_MAPPINGS = 64, UNWIND_MAX_PARTS = 8, UNWIND_MAX_PROCESSES = 8192 };

struct unwind_process_key {
	__u32 pid, part;
};

struct unwind_process {
	__u64 part_start[UNWIND_MAX_PARTS]; /* of part 0 alone */
	struct unwind_mapping mappings[UNWIND_PART_MAPPINGS];
};

#ifndef __bpf__
static_assert(sizeof(struct unwind_row) == 8, "one row");
static_assert(sizeof(union unwind_node) == 512, "one node");
static_assert(sizeof(struct unwind_mapping) == 32, "one mapping");
#endif

#endif

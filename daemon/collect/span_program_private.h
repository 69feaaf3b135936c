/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside span_program: what it consists of. */
#ifndef SONDE_COLLECT_SPAN_PROGRAM_PRIVATE_H
#define SONDE_COLLECT_SPAN_PROGRAM_PRIVATE_H

#include "span_program.h"

struct bpf_link;
struct bpf_map;
struct flat_bpf;
struct span_bpf;

struct span_program {
	struct span_bpf *span;
	struct flat_bpf *flat;
	struct bpf_map *stats;
	struct bpf_link *offcpu, *exit, *exec, *source_exit, *source_exec;
	int attach_type, kernel_attach_type; /* of user and kernel functions' programs */
	int n_cpus;
	struct kernel_stat *scratch; /* n_cpus of them, for stats-only sessions */
};

#endif

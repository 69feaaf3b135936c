/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps that stacks are unwound by; filled by daemon/collect/unwinder.c, one set for all
 * programs. */
#ifndef SONDE_BPF_UNWIND_MAPS_H
#define SONDE_BPF_UNWIND_MAPS_H

#include "common.bpf.h"
#include "sonde/unwind.h"

/* Without types, as Linux 6.1 wants template and table to agree on having none. */
struct unwind_table_template {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP); /* each table has its own number of nodes */
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union unwind_node));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UNWIND_MAX_TABLES);
	__type(key, __u32);
	__array(values, struct unwind_table_template);
} unwind_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNWIND_MAX_TABLES);
	__type(key, __u32);
	__type(value, struct unwind_tree);
} unwind_trees SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UNWIND_MAX_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct unwind_process_key);
	__type(value, struct unwind_process);
} unwind_mappings SEC(".maps");

#endif

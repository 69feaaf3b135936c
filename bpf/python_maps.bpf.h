/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps that Python frames are read by, one set for all programs; processes are filled in by
 * daemon/control/python.c. */
#ifndef SONDE_BPF_PYTHON_MAPS_H
#define SONDE_BPF_PYTHON_MAPS_H

#include "common.bpf.h"
#include "sonde/python.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYTHON_MAX_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct python_process);
} python_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PYTHON_MAX_THREADS);
	__type(key, __u32);
	__type(value, struct python_thread);
} python_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PYTHON_MAX_CODES);
	__type(key, struct python_code_key);
	__type(value, struct python_code_check);
} python_codes SEC(".maps");

#endif

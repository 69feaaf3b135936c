/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of counters on a timeline, as they are gathered: any order, any numbers. */
#ifndef SONDE_RENDER_TIMELINE_COUNTERS_H
#define SONDE_RENDER_TIMELINE_COUNTERS_H

#include "sonde/base/json.h"
#include "sonde/base/table.h"

struct timeline_value {
	uint64_t time_ns; /* since the epoch */
	double value;	  /* may be no number, or infinite */
	uint32_t counter;
};

struct timeline_counter {
	uint32_t process; /* what timeline_add_process() gave */
	char *name;
};

/* Starts as all zero. */
struct timeline_counters {
	struct timeline_counter *items;
	struct timeline_value *values;
	struct table index; /* hash of process and name → index */
	size_t n_items, n_values, items_cap, values_cap;
};

/* The number of the counter of that name of a process, made when new; -ENOMEM. */
int timeline_counters_find(struct timeline_counters *c, uint32_t process, const char *name);
/* 0 or -ENOMEM. */
int timeline_counters_add(struct timeline_counters *c, const struct timeline_value *value);
/* Forgets what is not from from_ns on and before until_ns; tells each() of all that stays. */
void timeline_counters_cut(struct timeline_counters *c, uint64_t from_ns, uint64_t until_ns,
			   void (*each)(void *arg, uint64_t time_ns), void *arg);
/*
 * The member "counters" of the page's data, an array of {process, name, n} by process and name; and
 * to numbers, for each: n times as differences, the first to zero_ns, in varints, then n values of
 * 8 bytes, as an IEEE 754 double, lowest byte first. In order of time. Sorts the values.
 */
void timeline_counters_write(struct timeline_counters *c, uint64_t zero_ns, struct json_writer *w,
			     struct strbuf *numbers);
void timeline_counters_release(struct timeline_counters *c);

#endif

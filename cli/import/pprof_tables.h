/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of a profile in the pprof format: strings, functions, mappings, locations. Field
 * numbers are those of profile.proto (github.com/google/pprof).
 */
#ifndef SONDE_CLI_IMPORT_PPROF_TABLES_H
#define SONDE_CLI_IMPORT_PPROF_TABLES_H

#include "protobuf.h"
#include "sink.h"
#include "sonde/base/table.h"

struct pprof_function {
	uint64_t name;
};

struct pprof_mapping {
	uint64_t start, offset, path, build_id;
};

struct pprof_location {
	uint64_t mapping, address;
	uint32_t first_line, n_lines; /* in lines: functions, innermost first */
};

/* What samples count: strings. */
struct pprof_type {
	uint64_t type, unit;
};

struct pprof_tables {
	struct protobuf *strings;
	size_t n_strings, strings_cap;
	struct pprof_function *functions;
	size_t n_functions, functions_cap;
	struct pprof_mapping *mappings;
	size_t n_mappings, mappings_cap;
	struct pprof_location *locations;
	size_t n_locations, locations_cap;
	uint64_t *lines; /* ids of functions */
	size_t n_lines, lines_cap;
	struct table function_index, mapping_index, location_index; /* id to index */
	struct pprof_type types[16], period_type;
	size_t n_types;
	uint64_t period, default_type;
};

/* -EBADMSG for what is no profile, -ENOMEM. Points into the data. */
int pprof_tables_read(struct pprof_tables *t, struct protobuf data);
void pprof_tables_release(struct pprof_tables *t);

/* NULL: there is none of that number or id. */
const struct pprof_function *pprof_function(const struct pprof_tables *t, uint64_t id);
const struct pprof_mapping *pprof_mapping(const struct pprof_tables *t, uint64_t id);
const struct pprof_location *pprof_location(const struct pprof_tables *t, uint64_t id);
/* Is the string that text? */
bool pprof_string_is(const struct pprof_tables *t, uint64_t number, const char *text);

#endif

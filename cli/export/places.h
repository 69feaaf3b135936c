/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places in code by number, each once: the tables that profiles for other tools begin with. A
 * location is an address in a file with all functions that are inlined there. Numbers are indices;
 * string 0 is "".
 */
#ifndef SONDE_EXPORT_PLACES_H
#define SONDE_EXPORT_PLACES_H

#include "intern.h"
#include "stacks.h"

struct place_mapping {
	uint32_t path, build_id; /* strings */
};

struct place_function {
	uint32_t name, file; /* strings */
};

struct place_line {
	uint32_t function, line; /* line 0: not known */
};

struct place_location {
	uint32_t mapping; /* index + 1; 0: in no file */
	uint32_t first_line, n_lines;
	uint64_t address; /* the offset in the file, of the kernel the address */
};

struct places {
	struct intern strings;
	struct place_mapping *mappings;
	struct place_function *functions;
	struct place_line *lines; /* of a location: innermost first */
	struct place_location *locations;
	size_t n_mappings, n_functions, n_lines, n_locations;

	size_t mappings_cap, functions_cap, lines_cap, locations_cap;
	struct table mapping_index, function_index, location_index;
	uint32_t *chain;
	size_t chain_cap;
};

int places_begin(struct places *p); /* p: all zero. 0 or -ENOMEM, as all functions here */
void places_release(struct places *p);

/* The locations of a stack, leaf first, good until the next call. */
int places_stack(struct places *p, const struct stacks *s, uint32_t stack, const uint32_t **ret,
		 size_t *ret_n);
/* Has the file that most samples begin in be the first mapping, as readers call it the program. */
int places_main_mapping(struct places *p, const struct stacks *s);

#endif

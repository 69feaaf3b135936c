/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs, from verbs.def, and what a verb's function is given. A function returns the exit
 * status (>= 0), or a negative errno with cli->error set; main() prints the error, once.
 */
#ifndef SONDE_CLI_VERBS_H
#define SONDE_CLI_VERBS_H

#include "sonde/base/error.h"

enum verb_id {
#define VERB(name, function, needs, operands, summary) VERB_##name,
#include "verbs.def"
#undef VERB
	VERB_COUNT,
};

enum verb_needs { NEEDS_NOTHING, NEEDS_DAEMON, NEEDS_ANY };

struct options;
struct output;

struct cli {
	const struct options *options;
	struct output *output;
	struct error error;
	int exit_status; /* when not 0: wins over the status that belongs to the error */
};

struct verb {
	const char *name;
	int (*run)(struct cli *cli);
	enum verb_needs needs;
	const char *operands;
	const char *summary;
};

extern const struct verb verbs[VERB_COUNT];

const struct verb *verb_find(const char *name); /* NULL: no such verb */
const char *verb_nearest(const char *name);	/* the verb that was probably meant, or NULL */

#define VERB(name, function, needs, operands, summary) int function(struct cli *cli);
#include "verbs.def"
#undef VERB

#endif

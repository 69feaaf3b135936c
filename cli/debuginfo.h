/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files that the daemon lacks are fetched by the command, which has no privilege to lose:
 * the daemon says what is missing and where it looks, the command downloads, and tells it then.
 */
#ifndef SONDE_CLI_DEBUGINFO_H
#define SONDE_CLI_DEBUGINFO_H

#include "verbs.h"

struct cJSON;
struct connection;

struct debuginfo_limits {
	uint64_t bytes, time_ns; /* of all that is downloaded */
	uint64_t cache_bytes;	 /* of all that was ever fetched and is kept */
};
#define DEBUGINFO_LIMITS                                                                           \
	{                                                                                          \
		1ULL << 30, 600 * NSEC_PER_SEC, 4ULL << 30                                         \
	}

struct debuginfo_result {
	size_t wanted, fetched;
	size_t too_large, refused, failed; /* the rest no server has, or it was not tried */
	uint64_t bytes;
};

/* What is missing for the samples of a kind, NULL for that of the query: MissingDebugInfo. */
int debuginfo_missing(struct cli *cli, struct connection *c, const char *kind, struct cJSON **ret);

/*
 * Downloads what a reply of MissingDebugInfo says is missing from urls, and has the daemon use it.
 * Each file of the reply gets a member "result". again: ask for what no server had lately, too,
 * and wait for another command that is fetching. Whatever the outcome, ret is set; -errno with an
 * error when nothing more could be tried.
 */
int debuginfo_fetch(struct cli *cli, struct connection *c, struct cJSON *missing, const char *urls,
		    const struct debuginfo_limits *limits, bool again,
		    struct debuginfo_result *ret);

/*
 * Before a question, where --debuginfod or $SONDE_DEBUGINFOD says so: fetches what is missing for
 * it. That this fails is noted and is no failure: the question is asked all the same. Only -EINTR.
 */
int debuginfo_prepare(struct cli *cli, struct connection *c);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files from debuginfod servers. libdebuginfod is loaded when it is first needed: it brings
 * an HTTP client with it that no other verb has a use for.
 */
#ifndef SONDE_FETCH_CLIENT_H
#define SONDE_FETCH_CLIENT_H

#include "sonde/base/error.h"

struct fetch_client;

/* Called several times a second, and at least once in one. total 0: not known. */
typedef void (*fetch_progress_t)(void *arg, uint64_t bytes, uint64_t total);

/*
 * Asks the servers of urls, separated by blanks, and works in the directory workspace; both are
 * copied. While a client exists, its environment variables are set and SIGINT, SIGTERM and SIGHUP
 * end a download instead of the process. -ENOSYS: there is no libdebuginfod here.
 */
int fetch_client_new(const char *urls, const char *workspace, struct fetch_client **ret,
		     struct error *e);
struct fetch_client *fetch_client_free(struct fetch_client *c);
DEFINE_CLEANUP(struct fetch_client *, fetch_client_free)

struct fetch_limit {
	uint64_t bytes;	      /* of one file */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
};

/*
 * The debug file of a build-id in hexadecimal: an open descriptor, and its path in the workspace,
 * both the caller's. -ENOENT: no server has it; -EFBIG, -ETIME: the limit; -EINTR: a signal came;
 * -EHOSTUNREACH: no server can be reached, with an error; others.
 */
int fetch_client_get(struct fetch_client *c, const char *build_id, const struct fetch_limit *limit,
		     fetch_progress_t progress, void *arg, int *ret_fd, char **ret_path,
		     struct error *e);

#endif

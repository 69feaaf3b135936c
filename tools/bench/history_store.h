/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rolling store that the benches write: as the daemon has it, but for its bound. */
#ifndef SONDE_BENCH_HISTORY_STORE_H
#define SONDE_BENCH_HISTORY_STORE_H

#include "store/history.h"

static int store_begin(const char *dir, uint64_t max_bytes, struct error *e,
		       struct history **ret_history, int64_t *ret_session)
{
	const struct history_limits limits = {.max_bytes = max_bytes,
					      .max_age_us = 7 * 86400ULL * 1000000,
					      .fine_us = 600 * 1000000ULL,
					      .medium_us = 2 * 3600 * 1000000ULL};
	struct store_session session = {.name = "always", .targets = "all", .frequency = 19};
	struct history_found found = {};
	int r = history_open(dir, &limits, e, &found, ret_history);

	free(found.set_aside);
	return r < 0 ? r : history_begin_session(*ret_history, &session, e, ret_session);
}

/* Until there is nothing more to do. */
static int store_tend(struct history *h, uint64_t now_ns, struct error *e)
{
	int r;

	while ((r = history_maintain(h, now_ns / 1000, e)) > 0)
		;
	return r;
}

#endif

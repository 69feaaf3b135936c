/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Points in time as people write them on a command line: 10m, "2 h ago", yesterday, 14:30,
 * 2026-11-30T14:30:00+02:00, @1796049000. Where no zone is said it is the local one.
 */
#ifndef SONDE_CLI_TIMESPEC_H
#define SONDE_CLI_TIMESPEC_H

#include "sonde/base/util.h"

/*
 * Both times are microseconds since the epoch. -EINVAL: *ret_why says what is wrong or what would
 * be understood; it is static.
 */
int timespec_parse(const char *text, uint64_t now_us, uint64_t *ret_us, const char **ret_why);

/* A side of a range: none, so many ns from the beginning, or a point in time. */
enum range_side_kind { RANGE_OPEN, RANGE_OFFSET, RANGE_POINT };
struct range_side {
	enum range_side_kind kind;
	uint64_t value; /* ns; or us since the epoch */
};
struct range {
	bool set;
	struct range_side from, to;
};

/*
 * "A~B": each side is a duration (10ms: as far from the beginning), a point in time as above, or
 * nothing, but for one of them. As timespec_parse().
 */
int timespec_parse_range(const char *text, uint64_t now_us, struct range *ret,
			 const char **ret_why);

#endif

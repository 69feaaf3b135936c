/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which spans samples are to be taken in, as a question says it: "GLOB", "GLOB: CONDITION" or
 * "CONDITION". A colon by itself, outside of texts and regular expressions, ends the glob. What has
 * none is a glob when it is one word, as names of functions are, and not one of the words that are
 * conditions by themselves (error, unwound, attr.KEY).
 */
#ifndef SONDE_EXPR_WITHIN_H
#define SONDE_EXPR_WITHIN_H

#include "sonde/base/error.h"

struct within {
	char *glob;	 /* over names of functions; NULL: any */
	char *condition; /* NULL: none. For expr_parse(): its columns are those of the whole text */
};

/* -EINVAL with BadCondition, column and fix as expr_parse(); -ENOMEM. The condition itself is not
 * looked at. */
int within_parse(const char *text, struct within *ret, struct error *e);
void within_release(struct within *w);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `sonde timeline -o FILE.html`: the spans in time as a page. */
#ifndef SONDE_CLI_TIMELINE_PAGE_H
#define SONDE_CLI_TIMELINE_PAGE_H

#include "verbs.h"

struct connection;
struct timeline;

/* Does the name of the file ask for a page? NULL: it does not. */
bool timeline_is_page(const char *path);
/* Asks over the connection and writes the page. The exit status, or -errno with cli->error. */
int timeline_page(struct cli *cli, struct connection *c);
/* The raw spans that the options choose, for the caller to release. 0, or -errno with cli->error.
 */
int timeline_collect(struct cli *cli, struct connection *c, struct timeline *ret);

#endif

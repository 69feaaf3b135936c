/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile, flat or as a tree: what the verbs report and graph both can show. */
#ifndef SONDE_CLI_REPORT_H
#define SONDE_CLI_REPORT_H

#include "verbs.h"

/* The exit status, or -errno with cli->error. */
int report_show(struct cli *cli);
int graph_show(struct cli *cli);

#endif

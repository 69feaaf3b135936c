/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs that have a recording written have in common. */
#ifndef SONDE_CLI_RECORDED_H
#define SONDE_CLI_RECORDED_H

#include "render/output.h"
#include "verbs.h"

/* A line on standard error of what there is in the recording now; where JSON is asked for, a
 * document. The reply has the session and "bytes"; shown: the path as it was given. */
void recorded_show(struct cli *cli, reply_t *reply, const char *path, const char *shown);

#endif

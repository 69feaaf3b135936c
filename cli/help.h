/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help made from the tables of verbs and options. */
#ifndef SONDE_CLI_HELP_H
#define SONDE_CLI_HELP_H

#include "sonde/base/strbuf.h"
#include "verbs.h"

void help_text(struct strbuf *out, const struct verb *v); /* NULL: of sonde itself */

#endif

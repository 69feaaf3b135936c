/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes from a process all that reading a file it was handed does not need. */
#ifndef SONDE_SYMBOL_READER_CONFINE_H
#define SONDE_SYMBOL_READER_CONFINE_H

#include "sonde/base/error.h"

/*
 * Of the calling process, which has one thread and keeps the descriptors up to READER_SOCKET: no
 * capability, no way to a new one, nobody's rights and an empty root directory where it may have
 * them, bounded memory and files, no core, not to be traced; and a filter that kills it at any
 * call but those of the list in reader_confine.c. There is no way back. What it cannot do for want
 * of a privilege is left out as long as the filter, which needs none, stands. 0 or -errno, with
 * what failed.
 */
int reader_confine(struct error *error);

#endif

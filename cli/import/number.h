/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as JSON and text files have them, without the detour over a double. */
#ifndef SONDE_CLI_IMPORT_NUMBER_H
#define SONDE_CLI_IMPORT_NUMBER_H

#include "sonde/base/util.h"

/*
 * A decimal number (with a fraction and an exponent, if it has them) times 10^scale, rounded to a
 * whole one. 0, -EINVAL when it is no number, -ERANGE when it does not fit.
 */
int import_number(const char *text, size_t len, int scale, int64_t *ret);

/* Whole digits only. */
int import_digits(const char *text, size_t len, uint64_t *ret);

#endif

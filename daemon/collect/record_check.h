/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this record what record.h says? Nothing behind this check looks at sizes again. */
#ifndef SONDE_COLLECT_RECORD_CHECK_H
#define SONDE_COLLECT_RECORD_CHECK_H

#include "sonde/record.h"
#include <stdbool.h>
#include <stddef.h>

bool record_valid(const void *data, size_t size);

#endif

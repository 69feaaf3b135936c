/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A histogram as a row has it: varint pairs, buckets skipped and count. */
#ifndef SONDE_STORE_HIST_PACK_H
#define SONDE_STORE_HIST_PACK_H

#include "model/hist.h"
#include "sonde/base/varint.h"

enum { HIST_PACKED_MAX = 2 * VARINT_MAX * HIST_BUCKETS };

size_t hist_pack(const struct hist *h, uint8_t out[static HIST_PACKED_MAX]);
/* Adds what is packed to h; false for anything that hist_pack() has not made, or out of memory. */
bool hist_unpack(const uint8_t *p, size_t size, struct hist *h);

#endif

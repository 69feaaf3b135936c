/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as hexadecimal digits, two each, the high one first. */
#ifndef SONDE_BASE_HEX_H
#define SONDE_BASE_HEX_H

#include "sonde/base/util.h"

/* In lower case; ret: 2 * len characters and a NUL. */
void hex_encode(const void *data, size_t len, char *ret);

enum { HEX_U64_SIZE = 19 };
/* "0x…" of a number, without zeros in front; returns its length, without the NUL. */
size_t hex_u64(uint64_t value, char ret[static HEX_U64_SIZE]);

/* 1 to size bytes and nothing else; those that are not there are 0. 0 or -EINVAL. */
int hex_decode(const char *text, void *ret, size_t size);

#endif

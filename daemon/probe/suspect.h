/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that kernels are known to refuse, by the byte that makes them so. A hint only: the
 * kernel is asked about one function of a class, and its answer goes for the class. Asking costs
 * some 20 ms each time, so that finding the two dozen such functions of libc one by one took 8 s.
 */
#ifndef SONDE_PROBE_SUSPECT_H
#define SONDE_PROBE_SUSPECT_H

#include "sonde/base/util.h"

/* The lock prefix, the two VEX prefixes (AVX) and the EVEX prefix (AVX-512). */
enum { SUSPECT_CLASSES = 4 };
extern const uint8_t suspect_classes[SUSPECT_CLASSES];

/* The class of the instruction at an offset of a file, or 0 when it is not suspect. */
uint8_t suspect_class(int fd, uint64_t offset);

#endif

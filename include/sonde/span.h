/* SPDX-License-Identifier: MIT */
/*
 * Spans written in source code. So far only the layout that program and sonde agree on; with
 * SONDE_SPAN_ABI_ONLY defined, never more than that.
 */
#ifndef SONDE_SPAN_H
#define SONDE_SPAN_H

#include "span/abi.h"

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Spans written in source code, for sonde and for whoever can attach to static probes. Nothing to
 * link, to initialise or to run: a span costs a load and a branch until somebody attaches.
 *
 *	#include <sonde/span.h>
 *
 *	int read_rows(struct table *t)
 *	{
 *		SONDE_SPAN_CAT("io", "read_rows");         until the end of the block
 *		...
 *		SONDE_FIELD("rows", n);                    of the innermost open span of the thread
 *		if (n < 0)
 *			SONDE_ERROR(n);
 *		return n;
 *	}
 *
 * C11 or C++17 with gcc or clang, on Linux, x86-64 or arm64 (elsewhere the macros do nothing); see
 * sonde-span(7). Names, categories and keys are string literals, or arrays that never change.
 * Arguments of values are evaluated only when somebody is attached. With SONDE_SPAN_ABI_ONLY
 * defined there is nothing but the layout of what programs and sonde exchange; with
 * SONDE_SPAN_DISABLE the macros do nothing.
 */
#ifndef SONDE_SPAN_H
#define SONDE_SPAN_H

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#endif

#include "span/abi.h"

#ifndef SONDE_SPAN_ABI_ONLY
#if !defined(SONDE_SPAN_DISABLE) && defined(__linux__) && defined(__ELF__) &&                      \
	(defined(__x86_64__) || defined(__aarch64__)) && defined(__LP64__)
#include "span/more.h"
#include "span/finish.h"
#include "span/macros.h"
#else
#include "span/nothing.h"
#endif
#endif

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which symbols must never get a span probe, as it would break the target. A return probe
 * replaces the word at the stack pointer by the address of the kernel's trampoline when the
 * function is entered: that is only safe where this word is a return address, nobody keeps a copy
 * of it (setjmp), and no unwinder is certain to meet it (throwing a C++ exception).
 */
#ifndef SONDE_PROBE_SAFETY_H
#define SONDE_PROBE_SAFETY_H

#include "sonde/base/util.h"

/* NULL, or why the function of that raw symbol name is left out: "keeps its return address". */
const char *safety_reason(const char *symbol);
/*
 * Whether it looks at its own return address: it may be probed, but not by a return probe. The
 * trampoline has no file: dlsym(RTLD_NEXT) fails when called from there.
 */
bool safety_asks_caller(const char *symbol);

#endif

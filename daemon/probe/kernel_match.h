/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside resolve: holds the kernel's functions against the specifications that are about them. */
#ifndef SONDE_PROBE_KERNEL_MATCH_H
#define SONDE_PROBE_KERNEL_MATCH_H

#include "probe/match.h"

/*
 * Adds the kernel functions that match, and "[kernel]" and "[MODULE]" as their files, to the set.
 * Nothing is done without a specification that includes some. Errors of kernel_functions_load(),
 * and TooMany.
 */
int kernel_match(struct resolver *r);

/* Sets the error of a specification that matches no kernel function, and returns it. */
int kernel_match_explain(struct resolver *r, const struct spec *s);

/* Whether a specification is about the functions of a module; "" is the kernel itself. */
bool kernel_match_module(const struct spec *s, const char *module);

#endif

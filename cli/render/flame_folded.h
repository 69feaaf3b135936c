/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folded stacks, the interchange text of flame graph tools: a line a stack, frames root first
 * and separated by ';', then a space and the value: "comm;main;foo 12". A ';' inside a name is
 * written ':'; spaces are kept (readers split the value off at the last one).
 */
#ifndef SONDE_RENDER_FLAME_FOLDED_H
#define SONDE_RENDER_FLAME_FOLDED_H

#include "flame_tree.h"

/* Appends to out. Stacks of no frames at all are left out: the format cannot say them. 0, -ENOMEM.
 */
int flame_folded_write(struct strbuf *out, struct flame_tree *tree);

#endif

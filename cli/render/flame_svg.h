/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A static flame graph as one SVG file, 1200 pixels wide, root at the bottom. Each frame's name,
 * binary, total and self are its tooltip. No script, no reference to anything outside.
 */
#ifndef SONDE_RENDER_FLAME_SVG_H
#define SONDE_RENDER_FLAME_SVG_H

#include "flame_tree.h"

/*
 * Appends the picture to out. Frames narrower than 0.1 pixel are left out, with all above them,
 * and the picture says how many. 0, -ENOMEM.
 */
int flame_svg_write(struct strbuf *out, struct flame_tree *tree, const struct flame_info *info);

#endif

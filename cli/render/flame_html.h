/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interactive flame graph as one HTML file that makes no network request: its
 * Content-Security-Policy allows only the script and style it carries, by their hashes, and the
 * data is JSON that is never executed. The page itself is page/flame.html.in, made a header by
 * page_embed.py at build time.
 */
#ifndef SONDE_RENDER_FLAME_HTML_H
#define SONDE_RENDER_FLAME_HTML_H

#include "flame_tree.h"

/* Appends the page to out. 0, -ENOMEM. */
int flame_html_write(struct strbuf *out, struct flame_tree *tree, const struct flame_info *info);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a call tree (id, parent; 0 is the root) in the order a tree is read, with the lines
 * that connect them. Rows whose parent is missing are shown as roots.
 */
#ifndef SONDE_RENDER_TREE_H
#define SONDE_RENDER_TREE_H

#include "reply.h"

struct tree;

int tree_new(reply_t *reply, const char *key, struct tree **ret); /* 0, -ENOMEM */
struct tree *tree_free(struct tree *t);
DEFINE_CLEANUP(struct tree *, tree_free)

/*
 * The next row, depth first, children as they came; NULL at the end. prefix is replaced by the
 * lines to draw before it.
 */
reply_t *tree_next(struct tree *t, struct strbuf *prefix);

#endif

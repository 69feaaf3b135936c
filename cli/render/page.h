/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the pages (flame_html, timeline_html) have in common. */
#ifndef SONDE_RENDER_PAGE_H
#define SONDE_RENDER_PAGE_H

#include "sonde/base/strbuf.h"

/* Appends JSON as the content of a <script> element, which nothing in it can end. */
void page_append_json(struct strbuf *out, const struct strbuf *json);

#endif

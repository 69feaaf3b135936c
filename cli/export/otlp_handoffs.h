/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that one thread has begun and another one goes on with. What is known of it: spans that are
 * no scopes, which one span began and another one ended, wherever that was; and trace contexts.
 * Which spans those are is known when all of them have been seen: as they come, and, where there
 * are some that are no scopes, once more in their order. Then each span gets its links.
 */
#ifndef SONDE_EXPORT_OTLP_HANDOFFS_H
#define SONDE_EXPORT_OTLP_HANDOFFS_H

#include "otlp_nest.h"

/* As many links as a span has at most; more are counted. */
enum { OTLP_MAX_LINKS = 128 };

struct otlp_handoffs;

struct otlp_handoffs *otlp_handoffs_new(void);
struct otlp_handoffs *otlp_handoffs_free(struct otlp_handoffs *h);

/* A span as it comes. 0 or -ENOMEM. */
int otlp_handoffs_see(struct otlp_handoffs *h, const struct span_source *source,
		      const struct exported_span *span);
/* Whether they must be seen in order, by otlp_handoffs_follow(). */
bool otlp_handoffs_have_any(const struct otlp_handoffs *h);
int otlp_handoffs_follow(struct otlp_handoffs *h, const struct span_source *source,
			 const struct exported_span *span);

/*
 * The place of the next span, in order. The links are good until the next one's. 0 or -ENOMEM.
 */
int otlp_handoffs_place(struct otlp_handoffs *h, const struct span_source *source,
			const struct exported_span *span, struct otlp_place *ret);
/* How many there were no room for. */
uint64_t otlp_handoffs_left_out(const struct otlp_handoffs *h);

#endif

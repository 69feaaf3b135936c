/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A span as a line of text: wall-clock time, duration, thread (and the number of its process in
 * another PID namespace), process name, function indented by
 * its depth, arguments, result.
 */
#ifndef SONDE_RENDER_SPAN_H
#define SONDE_RENDER_SPAN_H

#include "output.h"

void span_text_head(struct output *o);
void span_text(struct output *o, reply_t *span, bool args);
/* "name(arguments) = result", in the colours of the output. */
void span_call(struct output *o, struct strbuf *out, reply_t *span, bool args);

/* The value of a counter, exactly, of a Span or its details; nothing where there is none. */
void span_value(struct strbuf *out, reply_t *span);
/* A return value as people read it: small numbers (and small negative int) decimal, else hex. */
void span_result(struct strbuf *out, uint64_t value);

#endif

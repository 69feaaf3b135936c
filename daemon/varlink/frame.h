/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing: bytes in as they arrive, whole messages out. A message ends with a NUL byte; half a
 * message waits for the rest. Every byte is looked at once, however the messages are cut.
 */
#ifndef SONDE_VARLINK_FRAME_H
#define SONDE_VARLINK_FRAME_H

#include "sonde/base/util.h"

struct frame_buffer;

/* max_message: the longest message taken, in bytes without its NUL. NULL: out of memory. */
struct frame_buffer *frame_new(size_t max_message);
struct frame_buffer *frame_free(struct frame_buffer *f);
DEFINE_CLEANUP(struct frame_buffer *, frame_free)

/*
 * Adds received bytes. 0 or -ENOMEM. Callers take out the messages after each feed; what is
 * kept is then never more than one message and one feed.
 */
int frame_feed(struct frame_buffer *f, const void *data, size_t len);

/*
 * Takes out the next message: 1 with a NUL-terminated text that is good until the next call of
 * frame_feed() or frame_free(), 0 when there is none yet, -EMSGSIZE (from then on always) when a
 * message grew past the limit. Messages before the long one are still handed out.
 */
int frame_next(struct frame_buffer *f, const char **ret_text, size_t *ret_len);

/* Is a whole message waiting (or an error to be reported), so that frame_next() has something? */
bool frame_ready(struct frame_buffer *f);

/* Bytes kept: whole messages not yet taken and the half one behind them. */
size_t frame_pending(const struct frame_buffer *f);

#endif

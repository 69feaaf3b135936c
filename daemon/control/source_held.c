/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_held.h"

#include "control/session_source_private.h"
#include "sonde/base/format.h"

enum { MAX_BYTES = 8 << 20, LONGEST_MS = 6 * SONDE_FLUSH_MS };

static bool is_span(const struct record_header *h)
{
	return h->kind == RECORD_SPAN || h->kind == RECORD_CALL;
}

/* Whether it is a call, and what is around or inside it is still to come. */
static bool must_wait(struct session *s, const struct record_header *h)
{
	return is_span(h) && session_sources_waits(s, (const struct record_span *)h);
}

bool source_held_take(struct session *s, const struct record_header *h, size_t size)
{
	struct source_held *held = s->sources ? &s->sources->held : NULL;
	bool is_call = is_span(h) || h->kind == RECORD_THROW || h->kind == RECORD_STACK ||
		       h->kind == RECORD_PYTHON;
	uint64_t length = size;
	size_t need = sizeof(length) + ((size + 7) & ~(size_t)7);

	if (held && is_span(h))
		session_sources_arrived(s, (const struct record_span *)h);
	if (!held || !is_call || (held->len == 0 && !must_wait(s, h)))
		return false;
	if (held->len + need > MAX_BYTES ||
	    array_reserve(&held->data, &held->cap, held->len + need, 1) < 0)
		return false;
	if (held->len == 0)
		held->since_ns = now_monotonic_ns();
	memcpy(held->data + held->len, &length, sizeof(length));
	memcpy(held->data + held->len + sizeof(length), h, size);
	held->len += need;
	return true;
}

void source_held_release(struct session *s, bool all,
			 void (*each)(void *arg, const void *record, size_t size), void *arg)
{
	struct source_held *held = &s->sources->held;
	size_t pos = 0;

	if (held->len == 0)
		return;
	all |= now_monotonic_ns() - held->since_ns > LONGEST_MS * NSEC_PER_MSEC;
	while (pos < held->len) {
		const uint8_t *record = held->data + pos + sizeof(uint64_t);
		uint64_t size;

		memcpy(&size, held->data + pos, sizeof(size));
		if (!all && must_wait(s, (const struct record_header *)record))
			break;
		each(arg, record, size);
		pos += sizeof(uint64_t) + ((size + 7) & ~(size_t)7);
	}
	/* Else the time of what still waits runs on. */
	if (pos > 0)
		held->since_ns = now_monotonic_ns();
	held->len -= pos;
	memmove(held->data, held->data + pos, held->len);
}

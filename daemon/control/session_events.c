/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_events.h"

#include "control/keeper.h"
#include "control/methods.h"
#include "sonde/base/strbuf.h"

static void say(struct keeper *k, const struct session *s, const char *kind, int64_t detail,
		const struct strbuf *text)
{
	/* Out of memory: it is not said. */
	if (strbuf_error(text) >= 0)
		keeper_event(k, s, kind, detail, text->data);
}

void session_event_attached(struct daemon *d, const struct session *s, uid_t uid)
{
	_cleanup_(strbuf_release) struct strbuf text = {};

	if (!d->keeper)
		return;
	strbuf_printf(&text, "%s: %zu probes, %u Hz, %s", s->name, s->probes ? s->probes->n : 0,
		      s->options.frequency_hz, s->targets);
	say(d->keeper, NULL, "attach", uid, &text);
}

void session_event_detached(struct daemon *d, struct session *s)
{
	_cleanup_(strbuf_release) struct strbuf text = {};
	uint64_t losses[LOSS_COUNTERS];
	struct coverage c;

	if (!d->keeper)
		return;
	methods_coverage(s, &c, losses);
	strbuf_printf(&text, "%s: %llu spans, %llu samples, %llu lost", s->name,
		      (unsigned long long)(c.spans_seen - c.spans_lost),
		      (unsigned long long)s->n_samples,
		      (unsigned long long)(c.spans_lost + c.samples_lost));
	say(d->keeper, NULL, "detach", 0, &text);
}

void session_event_losses(struct keeper *k, const struct session *s, const struct window *w)
{
	/* Of the others nothing is missing, but some is not as good as it might be. */
	static const enum loss_kind kinds[] = {LOSS_RING_SPAN, LOSS_RING_SAMPLE, LOSS_RING_EVENT,
					       LOSS_TOO_DEEP,  LOSS_NO_MEMORY,	 LOSS_PROGRAM,
					       LOSS_BATCH};
	_cleanup_(strbuf_release) struct strbuf text = {};
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t n = w->losses[kinds[i]];

		if (!n)
			continue;
		strbuf_printf(&text, "%s%s %llu", sum ? ", " : "", loss_name(kinds[i]),
			      (unsigned long long)n);
		sum += n;
	}
	if (sum)
		say(k, s, "loss", (int64_t)MIN(sum, (uint64_t)INT64_MAX), &text);
}

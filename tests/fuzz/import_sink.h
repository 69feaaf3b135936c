/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers of importers share: whatever the bytes are, a parser says only what a recording
 * can hold, and an error has a message; what it says goes through the recorder, so that names,
 * order and nesting are met with it, too.
 */
#ifndef SONDE_FUZZ_IMPORT_SINK_H
#define SONDE_FUZZ_IMPORT_SINK_H

#include "formats.h"
#include "recorder.h"

struct checked {
	struct import_sink *recorder;
	const struct import_sink *sink; /* the parser's */
	bool kind_known, waits;
};

static int checked_process(void *arg, uint32_t pid, const char *name)
{
	struct checked *c = arg;

	if (pid > INT32_MAX || !name)
		abort();
	return c->recorder->process(c->recorder->arg, pid, name);
}

static int checked_span(void *arg, const struct import_span *s)
{
	struct checked *c = arg;

	if (s->start_ns > IMPORT_MAX_US * 1000 || s->start_ns < -IMPORT_MAX_US * 1000 ||
	    s->duration_ns > IMPORT_MAX_SPAN || s->pid > INT32_MAX || s->tid > INT32_MAX ||
	    !s->name || (s->flags & IMPORT_INSTANT && s->duration_ns) ||
	    (s->flags & IMPORT_COUNTER && !(s->flags & IMPORT_INSTANT)))
		abort();
	return c->recorder->span(c->recorder->arg, s);
}

static int checked_sample(void *arg, const struct import_sample *s,
			  const struct import_frame *frames, size_t n)
{
	struct checked *c = arg;
	bool cpu_too = c->sink->cpu_too, waits_too = c->sink->waits_too;

	if (!s->count || s->count > IMPORT_MAX_SPAN || s->total_ns > IMPORT_MAX_SPAN ||
	    s->pid > INT32_MAX || s->tid > INT32_MAX || s->time_us > IMPORT_MAX_US ||
	    (c->kind_known && c->waits != s->waits && !(s->waits ? waits_too : cpu_too)))
		abort();
	for (size_t i = 0; i < n; i++)
		if (frames[i].kernel && frames[i].build_id)
			abort();
	c->kind_known = true;
	c->waits = s->waits;
	c->recorder->cpu_too = cpu_too;
	c->recorder->waits_too = waits_too;
	c->recorder->epoch_us = c->sink->epoch_us;
	return c->recorder->sample(c->recorder->arg, s, frames, n);
}

static int ignore_begin(void *arg, const struct import_begin *b)
{
	(void)arg;
	if (b->frequency > NSEC_PER_SEC || b->started_us > 1ULL << 52)
		abort();
	return 0;
}

static int check_batch(void *arg, const char *params)
{
	(void)arg;
	if (params[0] != '{' || strlen(params) > 1024 * 1024)
		abort();
	return 0;
}

static void import_bytes(const char *format, const uint8_t *data, size_t size)
{
	const struct import_recorder_ops ops = {.begin = ignore_begin, .send = check_batch};
	struct error e = {};
	_cleanup_(import_recorder_freep) struct import_recorder *r =
		import_recorder_new(&ops, 1, &e);
	_cleanup_(import_input_freep) struct import_input *in = import_input_of("fuzz", data, size);
	struct checked c = {.recorder = import_recorder_sink(r)};
	struct import_sink sink = {.arg = &c,
				   .process = checked_process,
				   .span = checked_span,
				   .sample = checked_sample};
	const struct import_format *detected;
	uint64_t ended;
	int n = import_format_detect(in, &detected, &e);

	c.sink = &sink;
	if (n < 0 && !e.name[0])
		abort();
	e = (struct error){};
	n = import_format_find(format)->read(in, &sink, &e);
	c.recorder->period_ns = sink.period_ns;
	c.recorder->epoch_us = sink.epoch_us;
	if (n < 0 ? !e.name[0] : import_recorder_finish(r, &ended) < 0)
		abort();
}

#endif

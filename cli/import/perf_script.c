/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `perf script` prints: a line that says who was sampled, then a line a frame, innermost
 * first, then an empty one; without call chains the frame is on the first line.
 */
#include "../arena.h"
#include "formats.h"
#include "lines.h"
#include "perf_header.h"

/* Of software clocks a period is a time. */
static bool is_clock(const char *event)
{
	return streq(event, "cpu-clock") || streq(event, "task-clock");
}

/* Of these it is how long the thread waited: of perf record --off-cpu, and of sonde. */
static bool is_wait(const char *event)
{
	return streq(event, "offcpu-time") || streq(event, "off-cpu-ns");
}

struct reader {
	struct import_sink *sink;
	char *event; /* the first one: that is imported */
	bool open;   /* a sample that frames belong to */
	bool skip;   /* frames of a sample that is left out */
	struct import_sample sample;
	struct import_frame *frames;
	size_t n, cap;
	struct arena texts; /* of the sample and its frames */
};

static void reader_release(struct reader *p)
{
	arena_release(&p->texts);
	free(p->frames);
	free(p->event);
}

static int end_sample(struct reader *p)
{
	int r = 0;

	if (p->open)
		r = p->sink->sample(p->sink->arg, &p->sample, p->frames, p->n);
	p->open = p->skip = false;
	arena_reset(&p->texts);
	p->n = 0;
	return r;
}

static bool is_kernel(const struct perf_frame *f)
{
	return f->address >> 63 || (f->binary && startswith(f->binary, "[kernel"));
}

static int add_frame(struct reader *p, const struct perf_frame *f)
{
	struct import_frame *to;

	if (array_reserve(&p->frames, &p->cap, p->n + 1, sizeof(*p->frames)) < 0)
		return -ENOMEM;
	to = &p->frames[p->n];
	*to = (struct import_frame){.kernel = is_kernel(f)};
	to->name = arena_text(&p->texts, f->symbol);
	if (!to->name)
		return -ENOMEM;
	if (f->binary && !streq(f->binary, "[unknown]") && !streq(f->binary, "inlined")) {
		to->binary = arena_text(&p->texts, f->binary);
		if (!to->binary)
			return -ENOMEM;
	}
	p->n++;
	return 0;
}

static int begin_sample(struct reader *p, const struct perf_header *h)
{
	struct perf_frame frame;
	const char *comm;

	if (!p->event) {
		p->event = strdup(h->event);
		if (!p->event)
			return -ENOMEM;
		if (is_clock(h->event))
			p->sink->period_ns = h->period;
	}
	if (!streq(p->event, h->event)) {
		p->sink->notes[NOTE_EVENT]++;
		p->skip = true;
		return 0;
	}
	comm = arena_text(&p->texts, h->comm);
	if (!comm)
		return -ENOMEM;
	p->sample = (struct import_sample){
		.has_time = h->has_time,
		.time_us = h->time_us,
		.pid = h->pid,
		.tid = h->tid,
		.comm = comm,
		.thread = comm,
		.count = 1,
	};
	if (is_wait(h->event)) {
		p->sample.waits = true;
		p->sample.total_ns = h->period;
	}
	p->open = true;
	return perf_frame_parse(h->rest, &frame) ? add_frame(p, &frame) : 0;
}

static int take_line(struct reader *p, char *line)
{
	bool indented = line[0] == ' ' || line[0] == '\t';
	struct perf_header header;
	struct perf_frame frame;
	int r;

	if (!line[strspn(line, " \t")])
		return end_sample(p);
	if (line[0] == '#')
		return 0;
	/* Names of processes are aligned to the right: only a sample has frames. */
	if (indented && (p->open || p->skip) && perf_frame_parse(line, &frame))
		return p->open ? add_frame(p, &frame) : 0;
	r = end_sample(p);
	if (r < 0)
		return r;
	if (!perf_header_parse(line, &header)) {
		p->sink->notes[NOTE_LINE]++;
		return 0;
	}
	if ((header.has_time && header.time_us > IMPORT_MAX_US) ||
	    header.period > IMPORT_MAX_SPAN) {
		p->sink->notes[NOTE_HUGE]++;
		p->skip = true;
		return 0;
	}
	return begin_sample(p, &header);
}

int import_perf_script(struct import_input *in, struct import_sink *sink, struct error *error)
{
	_cleanup_(import_lines_release) struct import_lines lines = {.in = in};
	_cleanup_(reader_release) struct reader p = {.sink = sink};
	size_t len;
	char *line;
	int r;

	while ((r = import_lines_next(&lines, &line, &len, error)) > 0) {
		r = take_line(&p, line);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : end_sample(&p);
}

bool import_is_perf_script(const char *head, size_t len)
{
	const char *end;

	/* What --header puts first may be longer than a head. */
	if (memmem(head, len, "\n# captured on", 14))
		return true;
	while ((end = memchr(head, '\n', len))) {
		_cleanup_(freep) char *line = strndup(head, (size_t)(end - head));
		struct perf_header header;

		len -= (size_t)(end + 1 - head);
		head = end + 1;
		if (!line)
			return false;
		if (line[0] && line[0] != '#')
			return perf_header_parse(line, &header);
	}
	return false;
}

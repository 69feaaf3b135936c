/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sink that writes down what a parser says, a line each, and reading from memory with it. */
#ifndef SONDE_TESTS_IMPORT_HELP_H
#define SONDE_TESTS_IMPORT_HELP_H

#include <criterion/criterion.h>

#include "formats.h"
#include "sonde/base/strbuf.h"

static const char *const import_note_names[] = {
#define NOTE(name, singular, plural) #name,
#include "notes.def"
#undef NOTE
};

static inline int heard_process(void *arg, uint32_t pid, const char *name)
{
	strbuf_printf(arg, "process %u %s\n", pid, name);
	return 0;
}

static inline int heard_span(void *arg, const struct import_span *s)
{
	strbuf_printf(arg, "span %lld+%llu %u/%u %s [%s]%s%s\n", (long long)s->start_ns,
		      (unsigned long long)s->duration_ns, s->pid, s->tid, s->name,
		      s->category ? s->category : "", s->flags & IMPORT_INSTANT ? " instant" : "",
		      s->lane >> 63 ? " async" : "");
	if (s->flags & IMPORT_COUNTER)
		strbuf_printf(arg, "^ counts %a\n", s->value);
	if (s->binary)
		strbuf_printf(arg, "^ of %s\n", s->binary);
	if (s->flags & (IMPORT_ERROR | IMPORT_UNWOUND))
		strbuf_printf(arg, "^ flags %x\n", s->flags);
	return 0;
}

static inline int heard_sample(void *arg, const struct import_sample *s,
			       const struct import_frame *frames, size_t n)
{
	struct strbuf *out = arg;

	strbuf_printf(out, "sample %u/%u %s|%s", s->pid, s->tid, s->comm, s->thread);
	if (s->has_time)
		strbuf_printf(out, " at %lld", (long long)s->time_us);
	strbuf_printf(out, " x%llu", (unsigned long long)s->count);
	if (s->waits)
		strbuf_printf(out, " waited %llu", (unsigned long long)s->total_ns);
	strbuf_puts(out, ":");
	for (size_t i = 0; i < n; i++) {
		const struct import_frame *f = &frames[i];

		strbuf_printf(out, " %s", f->name ? f->name : "?");
		if (f->binary || f->kernel)
			strbuf_printf(out, "@%s", f->kernel ? "kernel" : f->binary);
		if (f->build_id)
			strbuf_printf(out, "#%s+%llx", f->build_id, (unsigned long long)f->offset);
	}
	strbuf_putc(out, '\n');
	return 0;
}

/* Reads it; what was heard, and what was left out, is appended to out. */
static inline int import_text(const struct import_format *format, const void *data, size_t len,
			      struct strbuf *out, struct error *e)
{
	struct import_sink sink = {
		.arg = out, .process = heard_process, .span = heard_span, .sample = heard_sample};
	struct import_input *in = import_input_of("t", data, len);
	int r;

	cr_assert_not_null(in);
	cr_assert_not_null(format);
	r = format->read(in, &sink, e);
	if (sink.period_ns)
		strbuf_printf(out, "period %llu\n", (unsigned long long)sink.period_ns);
	if (sink.epoch_us)
		strbuf_printf(out, "epoch %lld\n", (long long)sink.epoch_us);
	for (size_t i = 0; i < IMPORT_NOTES; i++)
		if (sink.notes[i])
			strbuf_printf(out, "%s %llu\n", import_note_names[i],
				      (unsigned long long)sink.notes[i]);
	import_input_free(in);
	cr_assert_eq(strbuf_error(out), 0);
	return r;
}

#endif

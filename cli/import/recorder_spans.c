/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans: kept in order of their start until the parser is at its end, then nested and sent. */
#include "recorder_private.h"

/*
 * Many programs write times in whole microseconds, start and duration each cut off: the end of a
 * span is then up to two of them before the true one, and not by the same amount as that of
 * another in it.
 */
static uint32_t slack(const struct import_span *span)
{
	return span->start_ns % 1000 || span->duration_ns % 1000 ? 0 : 1999;
}

static uint32_t keep_name(struct import_recorder *r, const char *name)
{
	bool is_new;

	return import_strings_put(&r->names, name, strlen(name), &is_new);
}

int recorder_note_process(void *arg, uint32_t pid, const char *name)
{
	struct import_recorder *r = arg;
	uint32_t text = keep_name(r, name), *slot = text ? table_put(&r->comms, pid, NULL) : NULL;

	if (!slot)
		return -ENOMEM;
	*slot = text;
	return 0;
}

/* What a span belongs to, as a number; 0: nothing. */
static int keep_kind(struct import_recorder *r, const struct import_span *span, uint32_t *ret)
{
	struct import_span_kind kind = {};
	bool is_new;

	*ret = 0;
	if (!span->category)
		return 0;
	kind.category = keep_name(r, span->category);
	if (span->binary)
		kind.binary = keep_name(r, span->binary);
	if (!kind.category || (span->binary && !kind.binary))
		return -ENOMEM;
	*ret = import_keys_put(&r->belongs, &kind, &is_new);
	return *ret ? 0 : -ENOMEM;
}

int recorder_keep_span(void *arg, const struct import_span *span)
{
	struct import_recorder *r = arg;
	struct import_begun begun = {
		.start_ns = span->start_ns,
		.duration_ns = span->duration_ns,
		.lane = span->lane,
		.order = r->n_spans++,
		.value = span->value,
		.pid = span->pid,
		.tid = span->tid,
		.flags = span->flags,
		.slack_ns = slack(span),
		.name = keep_name(r, span->name),
	};

	if (!begun.name || keep_kind(r, span, &begun.category) < 0)
		return -ENOMEM;
	r->first_ns = begun.order ? MIN(r->first_ns, span->start_ns) : span->start_ns;
	return import_sorter_add(r->spans, &begun, r->error);
}

/* Numbers of names to those of what is sent: 0 is none. */
static int put_probe(struct import_recorder *r, uint32_t name, uint32_t kind)
{
	const struct import_span_kind none = {}, *k = &none;
	uint32_t text = recorder_string(r, import_strings_get(&r->names, name)), file = 0;
	uint32_t category = 0, belongs;

	if (kind)
		k = (const struct import_span_kind *)r->belongs.items + kind - 1;
	belongs = k->binary ? k->binary : k->category;
	if (belongs)
		file = recorder_file(r, import_strings_get(&r->names, belongs), NULL);
	if (k->binary)
		category = recorder_string(r, import_strings_get(&r->names, k->category));
	if (!text || (belongs && !file) || (k->binary && !category))
		return -ENOMEM;
	import_batch_add(&r->batch, COLUMN_probes_name, text);
	import_batch_add(&r->batch, COLUMN_probes_file, file);
	import_batch_add(&r->batch, COLUMN_probes_category, category);
	return 0;
}

static int put_path(void *arg, uint32_t parent, uint32_t name, uint32_t kind, uint32_t *ret)
{
	struct import_recorder *r = arg;
	uint32_t key[2] = {name, kind};
	bool is_new = false;

	key[1] = import_keys_put(&r->probes, key, &is_new);
	if (!key[1])
		return -ENOMEM;
	if (is_new && put_probe(r, name, kind) < 0)
		return -ENOMEM;
	key[0] = parent;
	*ret = import_keys_put(&r->paths, key, &is_new);
	if (!*ret)
		return -ENOMEM;
	if (is_new) {
		import_batch_add(&r->batch, COLUMN_paths_parent, parent);
		import_batch_add(&r->batch, COLUMN_paths_probe, key[1]);
	}
	return 0;
}

const char *recorder_comm(const struct import_recorder *r, uint32_t pid)
{
	const uint32_t *text = table_get(&r->comms, pid);

	return text ? import_strings_get(&r->names, *text) : NULL;
}

static int send_span(void *arg, const struct import_ended *s)
{
	struct import_recorder *r = arg;
	int64_t end_ns = s->end_ns + r->shift_ns, end_us = end_ns / 1000;
	uint32_t thread;
	uint64_t value;

	thread = recorder_thread(r, s->pid, s->tid, recorder_comm(r, s->pid), NULL);
	if (!thread)
		return -ENOMEM;
	import_batch_add(&r->batch, COLUMN_spans_thread, thread);
	import_batch_add(&r->batch, COLUMN_spans_path, s->path);
	import_batch_add(&r->batch, COLUMN_spans_end_us, end_us - r->last_us);
	import_batch_add(&r->batch, COLUMN_spans_end_ns, end_ns % 1000);
	import_batch_add(&r->batch, COLUMN_spans_duration_ns, (int64_t)s->duration_ns);
	import_batch_add(&r->batch, COLUMN_spans_self_ns, (int64_t)s->self_ns);
	import_batch_add(&r->batch, COLUMN_spans_flags, s->flags);
	memcpy(&value, &s->value, sizeof(value));
	import_batch_add(&r->batch, COLUMN_spans_value_high, value >> 32);
	import_batch_add(&r->batch, COLUMN_spans_value_low, value & UINT32_MAX);
	r->last_us = end_us;
	r->ended_us = MAX(r->ended_us, end_us);
	return recorder_send(r, false);
}

static int begin_spans(struct import_recorder *r, const struct import_begun *first)
{
	struct import_begin begin = {.kinds = IMPORT_SPANS};

	/* Times of spans follow each other, and not those of samples. */
	r->last_us = 0;
	r->shift_ns = r->sink.epoch_us * 1000;
	if (first->start_ns + r->shift_ns < 0) {
		r->shift_ns = -first->start_ns;
		r->sink.notes[NOTE_SHIFT] = r->n_spans;
	}
	begin.started_us = (uint64_t)(first->start_ns + r->shift_ns) / 1000;
	return recorder_begin(r, &begin);
}

int recorder_send_spans(struct import_recorder *r)
{
	const struct import_nest_ops ops = {
		.path = put_path,
		.ended = send_span,
		.arg = r,
		.overlaps = &r->sink.notes[NOTE_OVERLAP],
		.deep = &r->sink.notes[NOTE_DEEP],
	};
	_cleanup_(import_nest_freep) struct import_nest *nest = NULL;
	struct import_begun span;
	bool begun = false;
	int k = 0;

	if (!r->n_spans)
		return 0;
	nest = import_nest_new(&ops);
	if (!nest)
		return -ENOMEM;
	while ((k = import_sorter_next(r->spans, &span, r->error)) > 0) {
		if (!begun)
			k = begin_spans(r, &span);
		begun = true;
		if (k >= 0)
			k = import_nest_add(nest, &span);
		if (k < 0)
			return k;
	}
	return k < 0 ? k : import_nest_finish(nest);
}

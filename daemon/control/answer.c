/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/answer.h"

#include "query/group.h"
#include "sonde/base/hex.h"
#include "varlink/params.h"

void answer_int(struct json_writer *w, const char *key, uint64_t value)
{
	json_u64(w, key, MIN(value, (uint64_t)PARAM_INT_MAX));
}

/* The file name of a path; names in brackets have no slash and stay. */
static const char *base_name(const char *path)
{
	return path ? path_base(path) : "";
}

const char *answer_frame_kind(enum frame_kind kind)
{
	switch (kind) {
	case FRAME_KERNEL:
		return "kernel";
	case FRAME_SPAN:
		return "span";
	case FRAME_USER:
		break;
	}
	return "user";
}

void answer_raw_coverage(struct json_writer *w, const struct coverage *c)
{
	if (!c->has_raw)
		return;
	answer_int(w, "raw_spans", c->raw_spans);
	answer_int(w, "raw_dropped", c->raw_dropped);
}

void answer_coverage(struct json_writer *w, const char *key, const struct coverage *c)
{
	json_object_begin(w, key);
	answer_int(w, "spans_seen", c->spans_seen);
	answer_int(w, "spans_lost", c->spans_lost);
	answer_int(w, "samples_seen", c->samples_seen);
	answer_int(w, "samples_lost", c->samples_lost);
	if (c->has_stacks) {
		answer_int(w, "samples_partial", c->samples_partial);
		answer_int(w, "samples_pointers", c->samples_pointers);
	}
	answer_int(w, "throttled", c->throttled);
	answer_int(w, "windows", c->windows);
	answer_int(w, "windows_missing", c->windows_missing);
	answer_raw_coverage(w, c);
	json_object_end(w);
}

void answer_losses(struct json_writer *w, const char *key, const uint64_t losses[LOSS_COUNTERS])
{
	json_array_begin(w, key);
	for (size_t i = 0; i < LOSS_COUNTERS; i++) {
		if (!losses[i] || !loss_name(i))
			continue;
		json_object_begin(w, NULL);
		json_string(w, "kind", loss_name(i));
		answer_int(w, "count", losses[i]);
		json_object_end(w);
	}
	json_array_end(w);
}

/* Of calls only; what the steps are: io.sonde.varlink. */
static void answer_histogram(struct json_writer *w, const struct hist *h)
{
	uint32_t first, n = hist_steps(h, &first);

	if (!n)
		return;
	json_object_begin(w, "histogram");
	answer_int(w, "low_ns", hist_lower(first * HIST_STEP_BUCKETS));
	json_array_begin(w, "counts");
	for (uint32_t i = 0; i < n; i++)
		answer_int(w, NULL, hist_step_count(h, first + i));
	json_array_end(w);
	json_object_end(w);
}

void answer_report_rows(struct json_writer *w, const char *key, const struct report *r)
{
	json_array_begin(w, key);
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct report_row *row = &r->rows[i];

		json_object_begin(w, NULL);
		json_string(w, "key", row->key ? row->key : "");
		json_string(w, "binary", base_name(row->binary));
		answer_int(w, "calls", row->calls);
		answer_int(w, "errors", row->errors);
		answer_int(w, "total_ns", row->total_ns);
		answer_int(w, "self_ns", row->self_ns);
		answer_int(w, "avg_ns", row->avg_ns);
		answer_int(w, "p50_ns", row->p50_ns);
		answer_int(w, "p99_ns", row->p99_ns);
		answer_int(w, "max_ns", row->max_ns);
		answer_int(w, "samples", row->samples);
		answer_int(w, "self_samples", row->self_samples);
		if (row->inlined_samples)
			answer_int(w, "inlined_samples", row->inlined_samples);
		answer_histogram(w, &row->hist);
		json_object_end(w);
	}
	json_array_end(w);
}

void answer_graph_rows(struct json_writer *w, const char *key, const struct graph *g)
{
	json_array_begin(w, key);
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct graph_row *row = &g->rows[i];

		json_object_begin(w, NULL);
		answer_int(w, "id", row->id);
		answer_int(w, "parent", row->parent);
		answer_int(w, "depth", row->depth);
		json_string(w, "func", row->func ? row->func : "");
		json_string(w, "binary", base_name(row->binary));
		json_string(w, "kind", answer_frame_kind(row->kind));
		if (row->inlined)
			json_bool(w, "inlined", true);
		answer_int(w, "calls", row->calls);
		answer_int(w, "errors", row->errors);
		answer_int(w, "total_ns", row->total_ns);
		answer_int(w, "self_ns", row->self_ns);
		answer_int(w, "avg_ns", row->avg_ns);
		answer_int(w, "p50_ns", row->p50_ns);
		answer_int(w, "p99_ns", row->p99_ns);
		answer_int(w, "max_ns", row->max_ns);
		answer_int(w, "samples", row->samples);
		answer_int(w, "self_samples", row->self_samples);
		answer_histogram(w, &row->hist);
		json_object_end(w);
	}
	json_array_end(w);
}

/* Where a process is, if that is another PID namespace, or a container. */
void answer_place(struct json_writer *w, uint32_t ns_pid, const char *container)
{
	if (ns_pid)
		answer_int(w, "ns_pid", ns_pid);
	if (container && *container)
		json_string(w, "container", container);
}

static void answer_stack(struct json_writer *w, const struct snapshot *snapshot,
			 const struct stack_row *row, bool by_comm)
{
	const struct snapshot_process *process = &snapshot->processes[row->process];

	json_object_begin(w, NULL);
	answer_int(w, "pid", by_comm ? 0 : process->pid);
	json_string(w, "comm", process->comm ? process->comm : "");
	if (!by_comm)
		answer_place(w, process->ns_pid, process->container);
	json_string(w, "thread", row->thread ? row->thread : "");
	json_array_begin(w, "frames");
	for (size_t i = 0; i < row->n_frames; i++)
		json_u64(w, NULL, row->frames[i]);
	json_array_end(w);
	answer_int(w, "value", row->value);
	json_object_end(w);
}

void answer_stacks(struct json_writer *w, const struct snapshot *snapshot, const struct stacks *s)
{
	json_array_begin(w, "frames");
	for (size_t i = 0; i < s->n_frames; i++) {
		const struct snapshot_frame *f = s->frames[i];

		json_object_begin(w, NULL);
		json_string(w, "func", frame_function(f));
		json_string(w, "binary", frame_binary(f));
		json_string(w, "kind", answer_frame_kind(f->kind));
		if (f->inlined)
			json_bool(w, "inlined", true);
		if (f->source)
			json_string(w, "file", f->source);
		if (f->line)
			answer_int(w, "line", f->line);
		json_object_end(w);
	}
	json_array_end(w);
	json_array_begin(w, "stacks");
	for (size_t i = 0; i < s->n_rows; i++)
		answer_stack(w, snapshot, &s->rows[i], s->by_comm);
	json_array_end(w);
}

/*
 * How long a build-id is that was padded with zeros is not known: linkers make those of 20, 16 and
 * 8 bytes, and one in 2^32 ends in four zeros by chance.
 */
static size_t build_id_len(const uint8_t build_id[static BUILD_ID_LEN])
{
	static const uint8_t zeros[BUILD_ID_LEN];
	static const size_t shorter[] = {8, 16};

	for (size_t i = 0; i < ARRAY_SIZE(shorter); i++)
		if (memcmp(build_id + shorter[i], zeros, BUILD_ID_LEN - shorter[i]) == 0)
			return shorter[i];
	return BUILD_ID_LEN;
}

void answer_build_id(struct json_writer *w, const char *key,
		     const uint8_t build_id[static BUILD_ID_LEN])
{
	size_t len = build_id_len(build_id);
	char hex[2 * BUILD_ID_LEN + 1];

	hex_encode(build_id, len, hex);
	json_string(w, key, hex);
}

void answer_missing(struct json_writer *w, const char *key, const struct missing *m)
{
	json_array_begin(w, key);
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct missing_row *row = &m->rows[i];

		json_object_begin(w, NULL);
		answer_build_id(w, "build_id", row->file->build_id);
		json_string(w, "path", row->path);
		answer_int(w, "samples", row->samples);
		json_string(w, "missing", missing_name(row->what));
		json_object_end(w);
	}
	json_array_end(w);
}

static void answer_args(struct json_writer *w, const uint64_t *args)
{
	static const char *const names[RECORD_ARGS] = {"arg0", "arg1", "arg2",
						       "arg3", "arg4", "arg5"};

	for (size_t i = 0; i < RECORD_ARGS; i++)
		json_hex(w, names[i], args[i]);
}

/* Points in time before the epoch come only from a clock that is not set. */
static uint64_t epoch_us(uint64_t monotonic_ns, int64_t offset_ns)
{
	__int128 ns = (__int128)monotonic_ns + offset_ns;

	return ns < 0 ? 0 : (uint64_t)MIN(ns / 1000, (__int128)UINT64_MAX);
}

void answer_span(struct json_writer *w, const struct span_row *row,
		 const struct answer_span_options *options)
{
	const struct raw_span *span = &row->span;

	json_object_begin(w, NULL);
	answer_int(w, "time_us", epoch_us(span->start_ns, options->monotonic_to_epoch_ns));
	answer_int(w, "duration_ns", span->duration_ns);
	answer_int(w, "self_ns", span->self_ns);
	answer_int(w, "pid", row->pid);
	answer_int(w, "tid", span->tid);
	json_string(w, "comm", row->comm ? row->comm : "");
	answer_place(w, row->ns_pid, row->container);
	if (row->host && *row->host)
		json_string(w, "host", row->host);
	json_string(w, "name", row->name ? row->name : "");
	json_string(w, "binary", base_name(row->binary));
	answer_int(w, "depth", span->depth);
	json_hex(w, "ret", span->ret);
	json_object_begin(w, "args");
	if (options->texts && (options->args || span_texts_has_attributes(options->texts, row)))
		span_texts_write_args(options->texts, w, row);
	else if (options->args && row->more.args)
		answer_args(w, row->more.args);
	json_object_end(w);
	json_array_begin(w, "flags");
	if (span->flags & SPAN_UNWOUND)
		json_string(w, NULL, "unwound");
	if (span->flags & SPAN_ERROR)
		json_string(w, NULL, "error");
	if (span->flags & SPAN_TAIL)
		json_string(w, NULL, "tail");
	if (span->flags & SPAN_KERNEL)
		json_string(w, NULL, "kernel");
	if (span->flags & SPAN_INSTANT)
		json_string(w, NULL, "instant");
	if (span->flags & SPAN_COUNTER)
		json_string(w, NULL, "counter");
	if (span->flags & SPAN_ASYNC)
		json_string(w, NULL, "async");
	json_array_end(w);
	if (options->texts)
		span_texts_write(options->texts, w, row);
	json_object_end(w);
}

void answer_span_rows(struct json_writer *w, const char *key, const struct span_row *rows, size_t n,
		      const struct answer_span_options *options)
{
	json_array_begin(w, key);
	for (size_t i = 0; i < n; i++)
		answer_span(w, &rows[i], options);
	json_array_end(w);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorder_private.h"

#include "sonde/base/json.h"

enum { FRAMES_MAX = 4095, OFFSET_BITS = 53, SPANS_MEMORY = 16 << 20 };

static int add_sample(void *arg, const struct import_sample *sample,
		      const struct import_frame *frames, size_t n);

struct import_recorder *import_recorder_new(const struct import_recorder_ops *ops, uint64_t now_us,
					    struct error *error)
{
	struct import_recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct import_recorder){
		.ops = *ops,
		.error = error,
		.now_us = now_us,
		.sink = {.arg = r,
			 .process = recorder_note_process,
			 .span = recorder_keep_span,
			 .sample = add_sample},
		.processes.size = 2 * sizeof(uint32_t),
		.threads.size = 3 * sizeof(uint32_t),
		.files.size = 2 * sizeof(uint32_t),
		.frames.size = 2 * sizeof(uint32_t) + sizeof(uint64_t),
		.stacks.size = 2 * sizeof(uint32_t),
		.probes.size = 2 * sizeof(uint32_t),
		.paths.size = 2 * sizeof(uint32_t),
		.belongs.size = sizeof(struct import_span_kind),
		.spans = import_sorter_new(sizeof(struct import_begun), SPANS_MEMORY,
					   import_begun_compare),
	};
	return r->spans ? r : import_recorder_free(r);
}

struct import_recorder *import_recorder_free(struct import_recorder *r)
{
	if (!r)
		return NULL;
	import_sorter_free(r->spans);
	import_batch_release(&r->batch);
	import_strings_release(&r->strings);
	import_strings_release(&r->names);
	strbuf_release(&r->clean);
	import_keys_release(&r->processes);
	import_keys_release(&r->threads);
	import_keys_release(&r->files);
	import_keys_release(&r->frames);
	import_keys_release(&r->stacks);
	import_keys_release(&r->probes);
	import_keys_release(&r->paths);
	import_keys_release(&r->belongs);
	table_release(&r->comms);
	free(r);
	return NULL;
}

struct import_sink *import_recorder_sink(struct import_recorder *r)
{
	return &r->sink;
}

int recorder_begin(struct import_recorder *r, const struct import_begin *begin)
{
	if (r->begun)
		return 0;
	r->begun = true;
	r->kinds = begin->kinds;
	return r->ops.begin(r->ops.arg, begin);
}

int recorder_send(struct import_recorder *r, bool now)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	int n;

	if (!r->batch.size || (!now && r->batch.size < IMPORT_BATCH_SIZE))
		return 0;
	n = import_batch_write(&r->batch, &params);
	if (n < 0)
		return n;
	import_batch_clear(&r->batch);
	return r->ops.send(r->ops.arg, params.data);
}

/* Valid UTF-8 of a bounded length, so that what is sent is what the daemon stores. */
static const char *clean(struct import_recorder *r, const char *text, size_t *len)
{
	size_t n = 0, at = 0;

	while (at < *len && at < IMPORT_TEXT_MAX && (n = utf8_sequence(text + at, *len - at)))
		at += n;
	if (at == *len)
		return text;
	strbuf_reset(&r->clean);
	for (at = 0; at < *len && r->clean.len < IMPORT_TEXT_MAX - 4; at += MAX(n, 1U)) {
		n = utf8_sequence(text + at, *len - at);
		strbuf_append(&r->clean, n ? text + at : "\xef\xbf\xbd", n ? n : 3);
	}
	*len = r->clean.len;
	return r->clean.data;
}

uint32_t recorder_string(struct import_recorder *r, const char *text)
{
	size_t len = strlen(text);
	const char *use = clean(r, text, &len);
	bool is_new = false;
	uint32_t number;

	if (strbuf_error(&r->clean) < 0)
		return 0;
	number = import_strings_put(&r->strings, use, len, &is_new);
	if (number && is_new) {
		r->sink.notes[NOTE_TEXT] += use != text;
		import_batch_string(&r->batch, use, len);
	}
	return number;
}

static uint32_t put_process(struct import_recorder *r, uint32_t pid, const char *comm)
{
	uint32_t key[2] = {pid, comm && comm[0] ? recorder_string(r, comm) : 0}, number;
	bool is_new = false;

	if (comm && comm[0] && !key[1])
		return 0;
	number = import_keys_put(&r->processes, key, &is_new);
	if (number && is_new) {
		import_batch_add(&r->batch, COLUMN_processes_pid, pid);
		import_batch_add(&r->batch, COLUMN_processes_comm, key[1]);
	}
	return number;
}

uint32_t recorder_thread(struct import_recorder *r, uint32_t pid, uint32_t tid, const char *comm,
			 const char *thread)
{
	uint32_t key[3] = {put_process(r, pid, comm), tid, 0}, number;
	bool is_new = false;

	if (thread && thread[0])
		key[2] = recorder_string(r, thread);
	if (!key[0] || (thread && thread[0] && !key[2]))
		return 0;
	number = import_keys_put(&r->threads, key, &is_new);
	if (number && is_new) {
		import_batch_add(&r->batch, COLUMN_threads_process, key[0]);
		import_batch_add(&r->batch, COLUMN_threads_tid, tid);
		import_batch_add(&r->batch, COLUMN_threads_name, key[2]);
	}
	return number;
}

uint32_t recorder_file(struct import_recorder *r, const char *path, const char *build_id)
{
	uint32_t key[2] = {recorder_string(r, path), build_id ? recorder_string(r, build_id) : 0};
	bool is_new = false;
	uint32_t number;

	if (!key[0] || (build_id && !key[1]))
		return 0;
	number = import_keys_put(&r->files, key, &is_new);
	if (number && is_new) {
		import_batch_add(&r->batch, COLUMN_files_path, key[0]);
		import_batch_add(&r->batch, COLUMN_files_build_id, key[1]);
	}
	return number;
}

static uint32_t put_frame(struct import_recorder *r, const struct import_frame *f)
{
	struct {
		uint32_t file, name;
		uint64_t offset;
	} key = {};
	bool is_new = false;
	uint32_t number;

	if (!f->kernel) {
		key.file = recorder_file(r, f->binary ? f->binary : "", f->build_id);
		key.offset = f->offset >> OFFSET_BITS ? 0 : f->offset;
	}
	key.name = f->name ? recorder_string(r, f->name) : 0;
	if ((!f->kernel && !key.file) || (f->name && !key.name))
		return 0;
	number = import_keys_put(&r->frames, &key, &is_new);
	if (number && is_new) {
		import_batch_add(&r->batch, COLUMN_frames_file, key.file);
		import_batch_add(&r->batch, COLUMN_frames_name, key.name);
		import_batch_add(&r->batch, COLUMN_frames_offset, (int64_t)key.offset);
	}
	return number;
}

/* The outermost ones of a stack that is too deep stay: what is below them is theirs. */
static int put_stack(struct import_recorder *r, const struct import_frame *frames, size_t n,
		     uint32_t *ret)
{
	size_t from = n > FRAMES_MAX ? n - FRAMES_MAX : 0;
	uint32_t stack = 0;

	r->sink.notes[NOTE_DEEP] += from > 0;
	for (size_t i = n; i-- > from;) {
		uint32_t key[2] = {stack, put_frame(r, &frames[i])};
		bool is_new = false;

		if (!key[1])
			return -ENOMEM;
		stack = import_keys_put(&r->stacks, key, &is_new);
		if (!stack)
			return -ENOMEM;
		if (is_new) {
			import_batch_add(&r->batch, COLUMN_stacks_parent, key[0]);
			import_batch_add(&r->batch, COLUMN_stacks_frame, key[1]);
			/* Deep stacks of long names, each of which may be new. */
			int sent = recorder_send(r, false);

			if (sent < 0)
				return sent;
		}
	}
	*ret = stack;
	return 0;
}

static int begin_samples(struct import_recorder *r, const struct import_sample *s)
{
	bool cpu = !s->waits || r->sink.cpu_too, waits = s->waits || r->sink.waits_too;
	int64_t first_us = r->sink.epoch_us + r->first_ns / 1000, start_us = MAX(s->time_us, 0);
	uint64_t period = r->sink.period_ns;
	struct import_begin begin = {
		.kinds = (cpu ? IMPORT_CPU : 0U) | (waits ? IMPORT_WAITS : 0U) |
			 (r->n_spans ? IMPORT_SPANS : 0U),
		.frequency = cpu && period && period <= NSEC_PER_SEC
				     ? (NSEC_PER_SEC + period / 2) / period
				     : 0,
	};

	r->timed = s->has_time;
	if (r->n_spans)
		start_us = MAX(MIN(start_us, first_us), 0);
	begin.started_us = s->has_time ? (uint64_t)start_us : r->now_us;
	return recorder_begin(r, &begin);
}

/* perf's times are those of a clock that begins with the machine: never below 0. */
static int64_t sample_time(struct import_recorder *r, const struct import_sample *s)
{
	return s->has_time ? MAX(s->time_us, 0) : r->last_us;
}

static int add_sample(void *arg, const struct import_sample *sample,
		      const struct import_frame *frames, size_t n)
{
	struct import_recorder *r = arg;
	uint32_t thread, stack = 0;
	int k = begin_samples(r, sample);

	if (k >= 0)
		k = put_stack(r, frames, n, &stack);
	if (k < 0)
		return k;
	thread = recorder_thread(r, sample->pid, sample->tid,
				 sample->comm ? sample->comm : recorder_comm(r, sample->pid),
				 sample->thread);
	if (!thread)
		return -ENOMEM;
	import_batch_add(&r->batch, COLUMN_samples_thread, thread);
	import_batch_add(&r->batch, COLUMN_samples_stack, stack);
	import_batch_add(&r->batch, COLUMN_samples_count, (int64_t)sample->count);
	import_batch_add(&r->batch, COLUMN_samples_total_ns,
			 sample->waits ? (int64_t)MAX(sample->total_ns, 1U) : 0);
	if (r->timed) {
		int64_t us = sample_time(r, sample);

		import_batch_add(&r->batch, COLUMN_samples_time_us, us - r->last_us);
		r->last_us = us;
		r->ended_us = MAX(r->ended_us, us);
	}
	return recorder_send(r, false);
}

int import_recorder_finish(struct import_recorder *r, uint64_t *ret_ended_us)
{
	int k = recorder_send_spans(r);

	if (k >= 0)
		k = recorder_send(r, true);
	if (k < 0)
		return k;
	if (!r->begun)
		*ret_ended_us = 0;
	else
		*ret_ended_us = !(r->kinds & IMPORT_SPANS) && !r->timed
					? r->now_us
					: (uint64_t)MAX(r->ended_us, (int64_t)1);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/answer_export.h"

#include "query/group.h"

static void write_processes(struct json_writer *w, const struct snapshot *s)
{
	bool several = snapshot_has_several_hosts(s);

	json_array_begin(w, "processes");
	for (size_t i = 0; i < s->n_processes; i++) {
		const struct snapshot_process *p = &s->processes[i];

		json_object_begin(w, NULL);
		answer_int(w, "pid", p->pid);
		json_string(w, "comm", p->comm ? p->comm : "");
		answer_place(w, p->ns_pid, p->container);
		if (several)
			json_string(w, "host", p->host ? p->host : "");
		json_object_end(w);
	}
	json_array_end(w);
}

static bool has_build_id(const struct model_file *file)
{
	return !(file->flags & FILE_CONTENT_HASH) && model_file_has_id(file);
}

static void write_frame(struct json_writer *w, const struct snapshot_frame *f)
{
	json_object_begin(w, NULL);
	json_string(w, "func", frame_function(f));
	json_string(w, "path",
		    f->kind == FRAME_KERNEL ? "[kernel]"
		    : f->file_path	    ? f->file_path
					    : "");
	json_string(w, "kind", answer_frame_kind(f->kind));
	if (f->mapped && has_build_id(&f->file))
		answer_build_id(w, "build_id", f->file.build_id);
	if (f->kind != FRAME_SPAN)
		json_hex(w, "offset", f->offset);
	if (f->inlined)
		json_bool(w, "inlined", true);
	if (f->source)
		json_string(w, "file", f->source);
	if (f->line)
		answer_int(w, "line", f->line);
	json_object_end(w);
}

static void write_frames(struct json_writer *w, const struct snapshot *s)
{
	json_array_begin(w, "frames");
	for (size_t i = 0; i < s->n_frames; i++)
		write_frame(w, &s->frames[i]);
	json_array_end(w);
}

/* Stacks, or the paths of spans: nodes with a parent, which comes before them. */
static void write_nodes(struct json_writer *w, const struct snapshot *s, bool samples)
{
	size_t n = samples ? s->n_stacks : s->n_paths;

	json_array_begin(w, "parents");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, samples ? s->stacks[i].parent : s->paths[i].parent);
	json_array_end(w);
	json_array_begin(w, "leaves");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, samples ? s->stacks[i].frame : s->paths[i].frame);
	json_array_end(w);
}

static void write_samples(struct json_writer *w, const struct snapshot *s)
{
	json_array_begin(w, "samples");
	for (size_t i = 0; i < s->n_samples; i++) {
		const struct snapshot_sample *sample = &s->samples[i];

		json_object_begin(w, NULL);
		json_u64(w, "process", sample->process);
		json_string(w, "thread", sample->thread ? sample->thread : "");
		json_u64(w, "stack", sample->stack);
		answer_int(w, "count", sample->count);
		answer_int(w, "ns", sample->ns);
		json_object_end(w);
	}
	json_array_end(w);
}

static void write_histogram(struct json_writer *w, const struct hist *h)
{
	json_array_begin(w, "histogram");
	for (uint32_t i = 0; i < h->len; i++) {
		if (!h->counts[i])
			continue;
		json_u64(w, NULL, h->first + i);
		answer_int(w, NULL, h->counts[i]);
	}
	json_array_end(w);
}

static void write_calls(struct json_writer *w, const struct snapshot *s)
{
	json_array_begin(w, "calls");
	for (size_t i = 0; i < s->n_stats; i++) {
		const struct snapshot_stat *row = &s->stats[i];

		json_object_begin(w, NULL);
		json_u64(w, "process", row->process);
		json_u64(w, "stack", row->path);
		answer_int(w, "calls", row->stat.calls);
		answer_int(w, "errors", row->stat.errors);
		answer_int(w, "unwound", row->stat.unwound);
		answer_int(w, "total_ns", row->stat.total_ns);
		answer_int(w, "self_ns", row->stat.self_ns);
		answer_int(w, "min_ns", row->stat.min_ns);
		answer_int(w, "max_ns", row->stat.max_ns);
		write_histogram(w, &row->stat.hist);
		json_object_end(w);
	}
	json_array_end(w);
}

void answer_export_places(struct json_writer *w, const struct snapshot *s, enum query_kind kind)
{
	write_processes(w, s);
	write_frames(w, s);
	write_nodes(w, s, query_is_about_samples(kind));
}

void answer_export_stacks(struct json_writer *w, const struct snapshot *s, enum query_kind kind)
{
	bool samples = query_is_about_samples(kind);

	answer_export_places(w, s, kind);
	if (samples)
		write_samples(w, s);
	else
		write_calls(w, s);
}

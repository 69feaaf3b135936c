/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample_source.h"

#include "sonde/base/varint.h"

struct cursor {
	struct column columns[SAMPLE_COLUMNS];
	uint64_t last_time;
};

void sample_source_begin(struct sample_source *s)
{
	s->first_process = s->names.n_processes;
	s->first_thread = s->names.n_threads;
	s->first_frame = s->n_frames;
	s->first_stack = s->n_stacks;
}

static int take_frames(struct sample_source *s, reply_t *reply)
{
	reply_foreach(f, reply, "frames")
	{
		struct exported_frame *to;

		if (array_reserve(&s->frames, &s->frames_cap, s->n_frames + 1, sizeof(*to)) < 0)
			return -ENOMEM;
		to = &s->frames[s->n_frames++];
		to->line = (uint32_t)reply_u64(f, "line");
		to->inlined = reply_bool(f, "inlined");
		to->kernel = streq(reply_str(f, "kind"), "kernel");
		if (strdup_to(&to->func, reply_str(f, "func")) < 0 ||
		    strdup_to(&to->path, reply_str(f, "path")) < 0 ||
		    (reply_get(f, "file") && strdup_to(&to->file, reply_str(f, "file")) < 0))
			return -ENOMEM;
	}
	return 0;
}

static int take_stacks(struct sample_source *s, reply_t *reply)
{
	reply_t *leaf = reply_first(reply, "leaves");

	reply_foreach(parent, reply, "parents")
	{
		uint64_t up = reply_value(parent), frame = leaf ? reply_value(leaf) : UINT64_MAX;

		if (up > s->n_stacks - s->first_stack || frame >= s->n_frames - s->first_frame)
			return -EBADMSG;
		if (array_reserve(&s->stacks, &s->stacks_cap, s->n_stacks + 1, sizeof(*s->stacks)) <
		    0)
			return -ENOMEM;
		s->stacks[s->n_stacks++] = (struct exported_stack){
			.parent = up ? (uint32_t)(s->first_stack + up) : 0,
			.frame = (uint32_t)(s->first_frame + frame),
		};
		leaf = reply_next(leaf);
	}
	return leaf ? -EBADMSG : 0;
}

static int take_columns(struct sample_source *s, reply_t *columns, struct cursor *c)
{
	static const char *const names[SAMPLE_COLUMNS] = {
#define COLUMN(id, name) [SAMPLE_COLUMN_##id] = name,
#include "sonde/sample_columns.def"
#undef COLUMN
	};
	int r = 0;

	for (size_t i = 0; i < SAMPLE_COLUMNS && r >= 0; i++)
		r = column_open(columns, names[i], &s->columns[i], &c->columns[i]);
	return r;
}

static bool next_sample(const struct sample_source *s, struct cursor *c,
			struct exported_sample *ret)
{
	uint64_t v[SAMPLE_COLUMNS];

	for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
		if (!varint_get(&c->columns[i].at, c->columns[i].end, &v[i]))
			return false;
	if (v[SAMPLE_COLUMN_THREAD] >= s->names.n_threads - s->first_thread ||
	    v[SAMPLE_COLUMN_STACK] > s->n_stacks - s->first_stack)
		return false;
	c->last_time += unzigzag(v[SAMPLE_COLUMN_TIME]);
	*ret = (struct exported_sample){
		.time_ns = c->last_time,
		.ns = v[SAMPLE_COLUMN_NS],
		.thread = (uint32_t)(s->first_thread + v[SAMPLE_COLUMN_THREAD]),
		.stack = v[SAMPLE_COLUMN_STACK]
				 ? (uint32_t)(s->first_stack + v[SAMPLE_COLUMN_STACK])
				 : 0,
	};
	return true;
}

int sample_source_take(struct sample_source *s, reply_t *reply,
		       int (*each)(void *arg, const struct exported_sample *sample), void *arg,
		       struct error *e)
{
	reply_t *columns = reply_get(reply, "columns");
	uint64_t n = reply_u64(columns, "count");
	bool waits = streq(reply_str(reply, "kind"), "offcpu");
	struct cursor c = {};
	int r = span_source_take_threads(&s->names, reply, s->first_process);

	if (r >= 0)
		r = take_frames(s, reply);
	if (r >= 0)
		r = take_stacks(s, reply);
	if (r >= 0)
		r = take_columns(s, columns, &c);
	if (r < 0)
		return r == -ENOMEM
			       ? error_set(e, ENOMEM, "Internal", "out of memory")
			       : source_malformed(e, "samples", "a table or a column is damaged");
	for (uint64_t i = 0; i < n; i++) {
		struct exported_sample sample;

		if (!next_sample(s, &c, &sample))
			return source_malformed(e, "samples",
						"a column ends too soon, or a table lacks an "
						"entry");
		sample.waits = waits;
		s->n_samples++;
		r = each(arg, &sample);
		if (r < 0)
			return r;
	}
	return 0;
}

void sample_source_release(struct sample_source *s)
{
	span_source_release(&s->names);
	for (size_t i = 0; i < s->n_frames; i++) {
		free(s->frames[i].func);
		free(s->frames[i].path);
		free(s->frames[i].file);
	}
	for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
		strbuf_release(&s->columns[i]);
	free(s->frames);
	free(s->stacks);
	*s = (struct sample_source){};
}

const char *exported_frame_binary(const struct exported_frame *f)
{
	return path_base(f->path);
}

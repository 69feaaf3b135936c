/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stacks.h"

void stacks_release(struct stacks *s)
{
	free(s->processes);
	free(s->frames);
	free(s->parents);
	free(s->leaves);
	free(s->depths);
	free(s->samples);
	free(s->chain);
	*s = (struct stacks){};
}

static int read_processes(struct stacks *s, reply_t *reply)
{
	s->processes = calloc(reply_count(reply, "processes") + 1, sizeof(*s->processes));
	if (!s->processes)
		return -ENOMEM;
	reply_foreach(p, reply, "processes") s->processes[s->n_processes++] =
		(struct stacks_process){
			.pid = (uint32_t)reply_u64(p, "pid"),
			.ns_pid = (uint32_t)reply_u64(p, "ns_pid"),
			.comm = reply_str(p, "comm"),
			.container = reply_str(p, "container"),
			.host = reply_get(p, "host") ? reply_str(p, "host") : NULL,
		};
	return 0;
}

static int read_frames(struct stacks *s, reply_t *reply)
{
	s->frames = calloc(reply_count(reply, "frames") + 1, sizeof(*s->frames));
	if (!s->frames)
		return -ENOMEM;
	reply_foreach(f, reply, "frames")
	{
		struct stacks_frame *to = &s->frames[s->n_frames++];

		*to = (struct stacks_frame){
			.func = reply_str(f, "func"),
			.path = reply_str(f, "path"),
			.build_id = reply_str(f, "build_id"),
			.file = reply_str(f, "file"),
			.line = (uint32_t)reply_u64(f, "line"),
			.inlined = reply_bool(f, "inlined"),
			.kind = flame_kind_of(reply_str(f, "kind")),
		};
		reply_hex(f, "offset", &to->offset);
	}
	return 0;
}

static int read_stacks(struct stacks *s, reply_t *reply)
{
	size_t n = reply_count(reply, "parents");
	reply_t *leaf = reply_first(reply, "leaves");

	s->parents = calloc(n + 1, sizeof(*s->parents));
	s->leaves = calloc(n + 1, sizeof(*s->leaves));
	s->depths = calloc(n + 1, sizeof(*s->depths));
	if (!s->parents || !s->leaves || !s->depths)
		return -ENOMEM;
	reply_foreach(parent, reply, "parents")
	{
		uint64_t up = reply_value(parent), frame = leaf ? reply_value(leaf) : UINT64_MAX;
		size_t i = s->n_stacks;

		if (up > i || frame >= s->n_frames)
			return -EBADMSG;
		s->parents[i] = (uint32_t)up;
		s->leaves[i] = (uint32_t)frame;
		s->depths[i] = up ? s->depths[up - 1] + 1 : 1;
		s->max_depth = MAX(s->max_depth, s->depths[i]);
		s->n_stacks++;
		leaf = reply_next(leaf);
	}
	s->chain = calloc((size_t)s->max_depth + 1, sizeof(*s->chain));
	return s->chain ? 0 : -ENOMEM;
}

static int read_samples(struct stacks *s, reply_t *reply)
{
	const char *key = s->kind == ANSWER_SPANS ? "calls" : "samples";

	s->samples = calloc(reply_count(reply, key) + 1, sizeof(*s->samples));
	if (!s->samples)
		return -ENOMEM;
	reply_foreach(row, reply, key)
	{
		uint64_t process = reply_u64(row, "process"), stack = reply_u64(row, "stack");

		if (process >= s->n_processes || stack >= s->n_stacks)
			return -EBADMSG;
		s->samples[s->n_samples++] = (struct stacks_sample){
			.process = (uint32_t)process,
			.stack = (uint32_t)stack,
			.thread = reply_str(row, "thread"),
			.count = reply_u64(row, s->kind == ANSWER_SPANS ? "calls" : "count"),
			.ns = reply_u64(row, s->kind == ANSWER_SPANS ? "self_ns" : "ns"),
			.calls = s->kind == ANSWER_SPANS ? row : NULL,
		};
	}
	return 0;
}

int stacks_read(reply_t *reply, struct stacks *ret, struct error *e)
{
	struct stacks s = {.kind = answer_kind(reply), .period_ns = reply_u64(reply, "period_ns")};
	int r = read_processes(&s, reply);

	if (r >= 0)
		r = read_frames(&s, reply);
	if (r >= 0)
		r = read_stacks(&s, reply);
	if (r >= 0)
		r = read_samples(&s, reply);
	if (r >= 0) {
		*ret = s;
		return 0;
	}
	stacks_release(&s);
	if (r == -ENOMEM)
		return r;
	error_set(e, EBADMSG, "Internal", "the daemon sent stacks that cannot be read");
	error_fix(e, "command and daemon are of different versions: systemctl restart sonded");
	return -EBADMSG;
}

const uint32_t *stacks_chain(const struct stacks *s, uint32_t stack, size_t *ret_n)
{
	size_t n = s->depths[stack];

	*ret_n = n;
	for (uint32_t at = stack + 1; at; at = s->parents[at - 1])
		s->chain[--n] = s->leaves[at - 1];
	return s->chain;
}

const char *stacks_binary(const struct stacks_frame *f)
{
	return path_base(f->path);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/recorded.h"
#include "control/replay_session.h"
#include "control/session_targets.h"
#include "control/session_waits.h"
#include "control/session_calls.h"
#include "control/session_probes.h"
#include "control/session_source.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"

static void free_strings(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void session_options_release(struct session_options *o)
{
	free(o->name);
	free(o->comm);
	free(o->cgroup);
	free(o->container);
	free_strings(o->specs, o->n_specs);
	free_strings(o->files, o->n_files);
	free_strings(o->inside, o->n_inside);
	free_strings(o->captures, o->n_captures);
	free_strings(o->redact, o->n_redact);
	free(o->where);
	free(o->begin);
	free(o->stack_if);
	free(o->pids);
	memset(o, 0, sizeof(*o));
}

const char *session_strategy(const struct session *s)
{
	if (!s->program)
		return "";
	if (span_program_fd(s->program, SPAN_PART_SESSION) >= 0)
		return "session";
	return s->context->can_multi ? "multi" : "perf";
}

const char *session_probe_strategy(const struct session *s, size_t point)
{
	return s->kernel_attachment && s->probes->points[point].kernel
		       ? kernel_attachment_strategy(s->kernel_attachment, point)
		       : session_strategy(s);
}

size_t session_n_probes(const struct session *s)
{
	return s->probes ? s->probes->n : s->n_replayed;
}

size_t session_recorded_probes(const struct session *s)
{
	const struct model *m = s->context->model;
	struct model_counts counts;
	size_t n = 0;

	if (!s->reader && !s->replay && !s->n_parts)
		return 0;
	/* The file has the probes of everything the daemon knew at the time. */
	model_counts(m, &counts);
	for (uint32_t id = 1; id <= counts.probes; id++) {
		const char *spec = model_string_get(m, model_probe_get(m, id)->spec);
		bool own = false;

		for (size_t i = 0; i < s->options.n_specs && !own; i++)
			own = streq(spec, s->options.specs[i]);
		n += own;
	}
	return n;
}

void session_describe_row(const struct session *s, struct store_session *ret)
{
	const struct session_options *o = &s->options;

	*ret = (struct store_session){
		.name = s->name,
		.targets = s->targets,
		.specs = o->specs,
		.n_specs = o->n_specs,
		.frequency = o->frequency_hz,
		.where = o->where,
		.begin = o->begin,
		.host = s->host,
		.boot = s->boot,
		.started_us = s->started_us,
		.flags = (o->args ? STORE_SESSION_ARGS : 0U) |
			 (o->stats_only ? STORE_SESSION_STATS_ONLY : 0U) |
			 (o->offcpu ? STORE_SESSION_OFFCPU : 0U),
		.monotonic_to_epoch_ns = s->context->monotonic_to_epoch_ns,
	};
}

static int create_recording(struct session *s, const char *path, struct error *error)
{
	struct store_session row;

	int r = frame_lines_new(s->context->symbolizer, &s->lines);

	session_describe_row(s, &row);
	return r < 0 ? r : store_create(path, &row, error, &s->writer);
}

/* Stacks of processes that are known by now can be whole from the first on. */
static void prepare_unwinding(const struct session *s)
{
	const struct session_options *o = &s->options;

	if (o->frequency_hz == 0 && !o->offcpu && !o->stack_if)
		return;
	for (size_t i = 0; i < o->n_pids; i++)
		unwinding_want(s->context->unwinding,
			       processes_find_mapped(s->context->processes, o->pids[i]));
	unwinding_refresh(s->context->unwinding);
}

const struct hit_costs *session_context_costs(struct session_context *c)
{
	if (!c->costs_measured && c->kernel) {
		c->costs_measured = true;
		(void)calibrate_hits(&c->costs, NULL);
	}
	return &c->costs;
}

int session_start(struct session_context *context, struct session_options *options,
		  enum session_kind kind, const char *recording, struct error *error,
		  struct session **ret)
{
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->context = context;
	s->kind = kind;
	s->options = *options;
	memset(options, 0, sizeof(*options));
	s->name = TAKE_PTR(s->options.name);
	s->targets = session_describe_targets(&s->options);
	/* By the clock that its spans are told by. */
	s->began_by_ns = context->monotonic_to_epoch_ns;
	s->started_us = (uint64_t)((int64_t)now_monotonic_ns() + s->began_by_ns) / NSEC_PER_USEC;
	if (!s->name || !s->targets)
		return -ENOMEM;
	window_reset(&s->window, now_monotonic_ns());
	s->total.start_ns = s->window.start_ns;
	r = kernel_side_take_slot(context->kernel, &s->slot);
	if (r < 0) {
		error_set(error, -r, "TooMany", "there are %d sessions already",
			  RECORD_MAX_SESSIONS);
		error_fix(error, "detach one: sonde list, sonde detach NAME");
		return r;
	}
	s->has_slot = true;
	r = session_add_targets(s, error);
	if (r < 0)
		return r;
	if (s->options.n_specs > 0) {
		r = session_start_spans(s, error);
		if (r < 0)
			return r;
	}
	if (recording) {
		r = create_recording(s, recording, error);
		if (r < 0)
			return r;
	}
	prepare_unwinding(s);
	if (s->options.frequency_hz > 0) {
		r = sampler_start(context->kernel, s->slot, s->options.frequency_hz,
				  session_has_targets(&s->options), error, &s->sampler);
		if (r < 0)
			return r;
	}
	if (s->options.offcpu) {
		r = offcpu_start(context->kernel, s->slot, s->options.offcpu_period_ns,
				 session_switch_function(context), session_has_targets(&s->options),
				 error, &s->offcpu);
		if (r < 0)
			return r;
	}
	s->active = true;
	*ret = TAKE_PTR(s);
	return 0;
}

void session_stop(struct session *s)
{
	replay_stop(s->replay);
	if (s->active && s->sources)
		session_sources_look(s);
	if (s->program)
		span_program_set_active(s->program, false);
	s->attachment = attachment_free(s->attachment);
	s->kernel_attachment = kernel_attachment_free(s->kernel_attachment);
	s->sampler = sampler_free(s->sampler);
	s->offcpu = offcpu_free(s->offcpu);
	s->active = false;
}

void session_release_slot(struct session *s)
{
	if (s->has_slot)
		kernel_side_release_slot(s->context->kernel, s->slot);
	s->has_slot = false;
	s->program = span_program_free(s->program);
	s->calls = session_calls_free(s->calls);
	s->sources = session_sources_free(s->sources);
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	session_stop(s);
	session_release_slot(s);
	session_release_kernel_seen(s);
	probe_set_free(s->probes);
	for (size_t i = 0; i < s->chunks.n; i++)
		chunk_release(&s->chunks.items[i]);
	free(s->chunks.items);
	session_samples_release(&s->samples);
	store_writer_free(s->writer);
	recorded_free(s->recorded);
	frame_lines_free(s->lines);
	store_reader_free(s->reader);
	window_release(&s->window);
	window_release(&s->total);
	past_free(s->past);
	table_release(&s->paths);
	session_waits_release(&s->waits);
	session_options_release(&s->options);
	free(s->name);
	free(s->targets);
	free(s->host);
	free(s->boot);
	free(s->parts);
	free(s->ahead.python);
	replay_free(s->replay); /* the session's context is its */
	free(s);
	return NULL;
}

int session_take_row(struct session *s, const struct store_session *stored)
{
	struct session_options *o = &s->options;

	s->targets = strdup(stored->targets);
	s->started_us = stored->started_us;
	o->frequency_hz = stored->frequency;
	o->args = stored->flags & STORE_SESSION_ARGS;
	o->stats_only = stored->flags & STORE_SESSION_STATS_ONLY;
	o->offcpu = stored->flags & STORE_SESSION_OFFCPU;
	o->specs = calloc(MAX(stored->n_specs, 1U), sizeof(char *));
	if (!s->targets || !o->specs || strdup_to(&s->host, stored->host) < 0 ||
	    strdup_to(&s->boot, stored->boot) < 0 || strdup_to(&o->where, stored->where) < 0 ||
	    strdup_to(&o->begin, stored->begin) < 0)
		return -ENOMEM;
	for (; o->n_specs < stored->n_specs; o->n_specs++) {
		o->specs[o->n_specs] = strdup(stored->specs[o->n_specs]);
		if (!o->specs[o->n_specs])
			return -ENOMEM;
	}
	return 0;
}

int session_from_recording(struct session_context *context, const char *path, bool apart,
			   struct error *error, struct session **ret)
{
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));
	const struct store_session *stored;
	const struct window *total;
	int r;

	if (!s)
		return -ENOMEM;
	s->context = context;
	s->kind = SESSION_REPLAY;
	r = (apart ? store_open_apart : store_open)(path, context->model, error, &s->reader);
	if (r < 0)
		return r;
	stored = store_reader_session(s->reader);
	total = store_reader_total(s->reader);
	context->monotonic_to_epoch_ns = stored->monotonic_to_epoch_ns;
	/* Two recordings may have the same name inside. */
	s->name = strdup(apart ? path : stored->name);
	r = s->name ? session_take_row(s, stored) : -ENOMEM;
	if (r < 0)
		return r;
	for (size_t i = 0; i < total->n_samples; i++)
		s->n_samples += total->samples[i].count;
	s->n_spans = window_calls(total);
	s->windows = store_reader_windows(s->reader);
	*ret = TAKE_PTR(s);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_targets.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "symbol/demangle.h"

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
	free_strings(o->specs, o->n_specs);
	free_strings(o->files, o->n_files);
	free(o->pids);
	memset(o, 0, sizeof(*o));
}

static void free_specs(struct spec **specs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spec_free(specs[i]);
	free(specs);
}

int session_resolve(const struct session_options *options, struct error *error,
		    struct probe_set **ret)
{
	struct spec **specs = calloc(MAX(options->n_specs, 1U), sizeof(*specs));
	_cleanup_(freep) pid_t *pids = calloc(MAX(options->n_pids, 1U), sizeof(*pids));
	struct probe_target target = {0};
	size_t n = 0;
	int r = 0;

	if (!specs || !pids) {
		free(specs);
		return -ENOMEM;
	}
	for (; n < options->n_specs && r >= 0; n++)
		r = spec_parse(options->specs[n], &specs[n], error);
	if (r >= 0) {
		for (size_t i = 0; i < options->n_pids; i++)
			pids[i] = (pid_t)options->pids[i];
		if (options->n_files > 0) {
			target.files = (const char *const *)options->files;
			target.n_files = options->n_files;
		} else if (options->n_pids > 0) {
			target.pids = pids;
			target.n_pids = options->n_pids;
		} else {
			target.all = true;
		}
		r = probe_resolve(&target, specs, n, ret, error);
	}
	free_specs(specs, n);
	return r;
}

const char *session_strategy(const struct session *s)
{
	if (!s->program)
		return "";
	if (span_program_session_fd(s->program) >= 0)
		return "session";
	return s->context->can_multi ? "multi" : "perf";
}

size_t session_recorded_probes(const struct session *s)
{
	const struct model *m = s->context->model;
	struct model_counts counts;
	size_t n = 0;

	if (!s->reader)
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

/*
 * Links that hold for one process leave forked children out, and a child's first calls are missed
 * until its own are made. Functions of the executable itself are probed for every process that
 * runs it instead, with a filter in the kernel that knows children from their birth: few others
 * run the same program. A library is everybody's: there only the targets may pay.
 */
static bool probe_by_filter(const struct session *s)
{
	const struct probe_set *set = s->probes;

	if (!session_has_targets(&s->options))
		return false;
	if (s->options.n_pids == 0)
		return true;
	for (size_t i = 0; i < set->n_files; i++) {
		const char *base = strrchr(set->files[i].path, '/');

		if (strstr(base ? base : set->files[i].path, ".so"))
			return false;
	}
	return true;
}

static int register_probes(struct session *s)
{
	struct model *m = s->context->model;
	const struct probe_set *set = s->probes;
	uint32_t strategy = model_string(m, session_strategy(s));
	_cleanup_(freep) uint32_t *files = calloc(MAX(set->n_files, 1U), sizeof(*files));

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_files; i++)
		files[i] = model_file(m, NULL, set->files[i].path, 0);
	for (size_t i = 0; i < set->n; i++) {
		const struct probe_point *point = &set->points[i];
		_cleanup_(freep) char *name = demangle_short(point->symbol);
		struct model_probe probe = {
			.spec = model_string(m, s->options.specs[point->spec]),
			.symbol = model_string(m, point->symbol),
			.name = model_string(m, name ? name : point->symbol),
			.file = files[point->file],
			.offset = point->offset,
			.strategy = strategy,
			.skipped = point->skipped,
		};
		uint32_t id = model_probe(m, &probe);

		if (!id)
			return -ENOMEM;
		if (i == 0)
			s->first_probe = id;
	}
	return 0;
}

static int attach_all(struct session *s, bool by_filter, struct error *error)
{
	struct attach_programs programs = {
		.entry = span_program_entry_fd(s->program),
		.ret = span_program_return_fd(s->program),
		.session = span_program_session_fd(s->program),
	};
	enum attach_mode mode = programs.session >= 0	? ATTACH_SESSION
				: s->context->can_multi ? ATTACH_MULTI
							: ATTACH_PERF;
	const struct session_options *o = &s->options;
	pid_t pid = by_filter || o->n_pids == 0 ? 0 : (pid_t)o->pids[0];
	int r;

	r = attachment_new(&programs, mode, s->probes, pid, &s->attachment, error);
	if (r < 0)
		return r;
	s->follows_forks = o->n_pids > 0 && !by_filter;
	for (size_t i = 1; i < o->n_pids && s->follows_forks; i++) {
		r = attachment_add_pid(s->attachment, (pid_t)o->pids[i], error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int start_spans(struct session *s, struct error *error)
{
	const struct session_options *o = &s->options;
	struct span_options options = {
		.slot = s->slot,
		.path_seed = now_monotonic_ns() * 0x9E3779B97F4A7C15ULL + s->slot,
		.multi = s->context->can_multi,
		.session_link = s->context->can_session_link,
		.want_args = o->args,
		.errors_only = o->errors_only,
		.null_is_error = o->null_is_error,
		.stats_only = o->stats_only,
		.max_depth = o->max_depth,
		.min_duration_ns = o->min_duration_ns,
	};
	int r;

	r = session_resolve(o, error, &s->probes);
	if (r < 0)
		return r;
	options.n_probes = (uint32_t)s->probes->n;
	options.filter_targets = probe_by_filter(s);
	r = span_program_load(s->context->kernel, &options, error, &s->program);
	if (r < 0)
		return r;
	r = register_probes(s);
	if (r < 0)
		return r;
	s->first_target = o->n_pids > 0 ? o->pids[0] : 0;
	span_program_set_first_target(s->program, s->first_target);
	r = attach_all(s, options.filter_targets, error);
	if (r >= 0)
		span_program_set_active(s->program, true);
	return r;
}

static int create_recording(struct session *s, const char *path, struct error *error)
{
	const struct session_options *o = &s->options;
	struct store_session stored = {
		.name = s->name,
		.targets = s->targets,
		.specs = o->specs,
		.n_specs = o->n_specs,
		.frequency = o->frequency_hz,
		.started_us = s->started_us,
		.flags = (o->args ? STORE_SESSION_ARGS : 0U) |
			 (o->stats_only ? STORE_SESSION_STATS_ONLY : 0U),
		.monotonic_to_epoch_ns = s->context->monotonic_to_epoch_ns,
	};

	return store_create(path, &stored, error, &s->writer);
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
	s->started_us = now_epoch_us();
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
		r = start_spans(s, error);
		if (r < 0)
			return r;
	}
	if (recording) {
		r = create_recording(s, recording, error);
		if (r < 0)
			return r;
	}
	if (s->options.frequency_hz > 0) {
		r = sampler_start(context->kernel, s->slot, s->options.frequency_hz,
				  session_has_targets(&s->options), error, &s->sampler);
		if (r < 0)
			return r;
	}
	s->active = true;
	*ret = TAKE_PTR(s);
	return 0;
}

void session_stop(struct session *s)
{
	if (s->program)
		span_program_set_active(s->program, false);
	s->attachment = attachment_free(s->attachment);
	s->sampler = sampler_free(s->sampler);
	s->active = false;
}

void session_release_slot(struct session *s)
{
	if (s->has_slot)
		kernel_side_release_slot(s->context->kernel, s->slot);
	s->has_slot = false;
	s->program = span_program_free(s->program);
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	session_stop(s);
	session_release_slot(s);
	probe_set_free(s->probes);
	for (size_t i = 0; i < s->chunks.n; i++)
		chunk_release(&s->chunks.items[i]);
	free(s->chunks.items);
	store_writer_free(s->writer);
	store_reader_free(s->reader);
	window_release(&s->window);
	window_release(&s->total);
	table_release(&s->paths);
	session_options_release(&s->options);
	free(s->name);
	free(s->targets);
	free(s);
	return NULL;
}

int session_from_recording(struct session_context *context, const char *path, struct error *error,
			   struct session **ret)
{
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));
	const struct store_session *stored;
	const struct window *total;
	int r;

	if (!s)
		return -ENOMEM;
	s->context = context;
	s->kind = SESSION_REPLAY;
	r = store_open(path, context->model, error, &s->reader);
	if (r < 0)
		return r;
	stored = store_reader_session(s->reader);
	total = store_reader_total(s->reader);
	context->monotonic_to_epoch_ns = stored->monotonic_to_epoch_ns;
	s->name = strdup(stored->name);
	s->targets = strdup(stored->targets);
	s->started_us = stored->started_us;
	s->options.frequency_hz = stored->frequency;
	s->options.args = stored->flags & STORE_SESSION_ARGS;
	s->options.stats_only = stored->flags & STORE_SESSION_STATS_ONLY;
	s->options.specs = calloc(MAX(stored->n_specs, 1U), sizeof(char *));
	if (!s->name || !s->targets || !s->options.specs)
		return -ENOMEM;
	for (; s->options.n_specs < stored->n_specs; s->options.n_specs++) {
		s->options.specs[s->options.n_specs] = strdup(stored->specs[s->options.n_specs]);
		if (!s->options.specs[s->options.n_specs])
			return -ENOMEM;
	}
	for (size_t i = 0; i < total->n_samples; i++)
		s->n_samples += total->samples[i].count;
	for (size_t i = 0; i < total->n_stats; i++)
		s->n_spans += total->stats[i].calls;
	s->windows = store_reader_windows(s->reader);
	*ret = TAKE_PTR(s);
	return 0;
}

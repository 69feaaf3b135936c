/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/always.h"

#include "control/keeper.h"
#include "control/session_file.h"
#include "control/session_waits.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"

/* What a model may grow to before another is begun: about 25 MB. */
enum { MANY_STACKS = 200000, MANY_FRAMES = 100000, MANY_STRINGS = 50000, MANY_PROCESSES = 20000 };

int always_add(struct daemon *d, struct session_options *o, struct error *error,
	       struct session **ret)
{
	struct session *s = NULL;
	int r = session_start(&d->context, o, SESSION_KEPT, NULL, error, &s);

	session_options_release(o);
	if (r < 0)
		return r;
	r = keeper_add(d->keeper, s);
	if (r < 0) {
		session_free(s);
		return r;
	}
	daemon_add_session(d, s);
	log_info("session %s goes to the history: %zu probes, %u Hz, %s", s->name,
		 s->probes ? s->probes->n : 0, s->options.frequency_hz, s->targets);
	if (ret)
		*ret = s;
	return 0;
}

static int start_sampling(struct daemon *d, struct error *error)
{
	struct session_options o = {
		.name = strdup(ALWAYS_NAME),
		.frequency_hz = (uint32_t)d->config->history_frequency,
	};

	return o.name ? always_add(d, &o, error, NULL) : -ENOMEM;
}

static void start_from_file(void *arg, const char *path, struct session_options *o,
			    struct error *error)
{
	struct daemon *d = arg;
	char text[1024];

	if (!error->name[0] && daemon_find_session(d, o->name))
		error_set(error, EEXIST, "SessionExists", "there is a session \"%s\" already",
			  o->name);
	if (!error->name[0])
		(void)always_add(d, o, error, NULL);
	session_options_release(o);
	if (!error->name[0])
		return;
	/* What is wrong with the file itself names it. */
	if (strstr(error->message, path))
		snprintf(text, sizeof(text), "%s", error->message);
	else
		snprintf(text, sizeof(text), "%s: %s", path, error->message);
	log_error("%s", text);
	keeper_event(d->keeper, NULL, "not-started", 0, text);
}

int always_start(struct daemon *d)
{
	const struct config *c = d->config;
	const struct keeper_options options = {
		.dir = c->store,
		.symbolizer = d->symbolizer,
		.window_ns = c->history_window_ns,
		.limits = {.max_bytes = c->retention_size,
			   .max_age_us = c->retention_time_ns / NSEC_PER_USEC,
			   .fine_us = 600 * 1000000ULL,
			   .medium_us = 2 * 3600 * 1000000ULL},
	};
	struct error error = {};
	int r = keeper_new(d->event, &options, &d->keeper);

	if (r < 0)
		return r;
	d->context.keeper = d->keeper;
	r = start_sampling(d, &error);
	if (r < 0) {
		log_error("the machine is not sampled: %s",
			  error.message[0] ? error.message : strerror(-r));
		return r;
	}
	keeper_event(d->keeper, NULL, "start", getpid(), "sonded " SONDE_VERSION);
	session_files_each(c->sessions, start_from_file, d);
	return 0;
}

void always_settle(struct daemon *d, void (*then)(void *arg), void *arg)
{
	if (d->keeper) {
		daemon_catch_up(d);
		for (struct session *s = d->sessions; s; s = s->next)
			if (s->active && s->kind == SESSION_KEPT)
				session_roll(s, false);
		if (keeper_settle(d->keeper, then, arg) >= 0)
			return;
	}
	then(arg);
}

void always_tick(struct daemon *d)
{
	if (!d->keeper)
		return;
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->active && s->kind == SESSION_KEPT && keeper_is_due(d->keeper, &s->window))
			session_roll(s, false);
	always_renew_model(d);
}

static bool has_grown(const struct daemon *d)
{
	struct model_counts n;

	model_counts(d->model, &n);
	return n.stacks > MANY_STACKS || n.frames > MANY_FRAMES || n.strings > MANY_STRINGS ||
	       n.processes > MANY_PROCESSES;
}

/* Probes and call paths of the session are made again in the new model. */
static uint32_t move_path(struct session *s, const struct model *old, struct model *m,
			  uint32_t old_first, uint32_t path)
{
	const struct model_path *p = model_path_get(old, path);
	uint32_t parent;

	if (!p || p->probe < old_first)
		return 0;
	parent = p->parent ? move_path(s, old, m, old_first, p->parent) : 0;
	return model_path(m, parent, s->first_probe + (p->probe - old_first));
}

static uint32_t move_text(const struct model *old, struct model *m, uint32_t id)
{
	return id ? model_string(m, model_string_get(old, id)) : 0;
}

static void move_probe(const struct model *old, struct model *m, const struct model_probe *from,
		       uint32_t *ret)
{
	const struct model_file *f = model_file_get(old, from->file);
	struct model_probe p = *from;

	p.spec = move_text(old, m, p.spec);
	p.symbol = move_text(old, m, p.symbol);
	p.name = move_text(old, m, p.name);
	p.strategy = move_text(old, m, p.strategy);
	p.signature = move_text(old, m, p.signature);
	p.file = f ? model_file(m, f->build_id, model_string_get(old, f->path), f->flags) : 0;
	*ret = model_probe(m, &p);
}

static void move_session(struct session *s, const struct model *old, struct model *m)
{
	uint32_t old_first = s->first_probe, id;

	for (uint32_t i = 0; s->probes && i < s->probes->n; i++) {
		move_probe(old, m, model_probe_get(old, old_first + i), &id);
		if (i == 0)
			s->first_probe = id;
	}
	for (size_t i = 0; s->paths.slots && i <= s->paths.mask; i++)
		if (s->paths.slots[i].used)
			s->paths.slots[i].value =
				move_path(s, old, m, old_first, s->paths.slots[i].value);
	session_waits_release(&s->waits);
	memset(s->ahead.throws, 0, sizeof(s->ahead.throws));
	s->ahead.stack = 0;
}

void always_renew_model(struct daemon *d)
{
	struct model *old = d->model;

	if (!d->keeper || !has_grown(d) || d->model_users > 0 || d->streams)
		return;
	for (struct session *s = d->sessions; s; s = s->next)
		if (s->kind != SESSION_KEPT)
			return;
	for (struct session *s = d->sessions; s; s = s->next) {
		session_end_all_waits(s, now_monotonic_ns());
		session_roll(s, false);
	}
	keeper_forget_model(d->keeper);
	if (daemon_new_model(d, &old) < 0)
		return;
	for (struct session *s = d->sessions; s; s = s->next)
		move_session(s, old, d->model);
	model_free(old);
	log_debug("a new model");
}

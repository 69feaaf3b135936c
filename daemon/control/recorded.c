/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/recorded.h"

#include "control/session.h"
#include "model/translate.h"

struct recorded {
	struct session *session;
	struct model *model;
	struct translator *translator;
	struct store_marks marks;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint32_t *exited;    /* processes of the session's model */
	size_t n_exited, exited_cap;
};

struct recorded *recorded_free(struct recorded *r)
{
	if (!r)
		return NULL;
	translator_free(r->translator);
	model_free(r->model);
	free(r->exited);
	free(r);
	return NULL;
}

int recorded_new(struct session *s, struct recorded **ret)
{
	_cleanup_(recorded_freep) struct recorded *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return -ENOMEM;
	r->session = s;
	r->started_ns = s->started_us * NSEC_PER_USEC - (uint64_t)s->context->monotonic_to_epoch_ns;
	code = model_new(&r->model);
	if (code >= 0)
		code = translator_new(s->context->model, r->model, &r->translator);
	if (code < 0)
		return code;
	*ret = TAKE_PTR(r);
	return 0;
}

void recorded_exited(struct recorded *r, uint32_t process)
{
	if (!process ||
	    array_reserve(&r->exited, &r->exited_cap, r->n_exited + 1, sizeof(*r->exited)) < 0)
		return;
	r->exited[r->n_exited++] = process;
}

/* A session about everybody: all that have run since it began. */
static int add_everybody(struct recorded *r)
{
	const struct model *m = r->session->context->model;
	struct model_counts have;
	uint32_t unused;
	int code = 0;

	model_counts(m, &have);
	for (uint32_t id = 1; id <= have.processes && code >= 0; id++) {
		const struct model_process *p = model_process_peek(m, id);

		if (!(p->flags & PROCESS_EXITED) || p->exit_ns >= r->started_ns)
			code = translate_process(r->translator, id, &unused);
	}
	return code;
}

static int add_processes(struct recorded *r)
{
	const struct session_options *o = &r->session->options;
	uint32_t unused;
	int code = 0;

	if (!o->n_pids && !session_selects(o))
		return add_everybody(r);
	for (size_t i = 0; i < o->n_pids && code >= 0; i++)
		code = translate_process(r->translator,
					 model_process_find(r->session->context->model, o->pids[i]),
					 &unused);
	for (size_t i = 0; i < r->n_exited && code >= 0; i++)
		code = translate_process(r->translator, r->exited[i], &unused);
	if (code >= 0)
		r->n_exited = 0;
	return code;
}

/* Those that nothing has called, too. */
static int add_probes(struct recorded *r)
{
	const struct session *s = r->session;
	uint32_t unused;
	int code = 0;

	for (uint32_t i = 0; s->first_probe && i < session_n_probes(s) && code >= 0; i++)
		code = translate_probe(r->translator, s->first_probe + i, &unused);
	return code;
}

int recorded_batch(struct recorded *r, struct window *w, struct store_batch **ret)
{
	_cleanup_(window_release) struct window own = {.start_ns = w->start_ns,
						       .end_ns = w->end_ns};
	int code = translator_catch_up(r->translator);

	if (code >= 0)
		code = add_probes(r);
	if (code >= 0)
		code = add_processes(r);
	if (code >= 0)
		code = translate_window(r->translator, w, &own);
	window_move_spans(&own, w);
	window_move_raw(&own, w);
	if (code >= 0)
		code = translate_spans(r->translator, own.spans, own.n_spans, &own.more);
	if (code >= 0)
		code = translate_raw_samples(r->translator, own.raw, own.n_raw);
	return code < 0 ? code : store_batch_new(r->model, &own, &r->marks, ret);
}

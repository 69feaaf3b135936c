/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where records, live ones and those of a replay, meet the model and the sessions. */
#include "control/daemon.h"
#include "control/keeper.h"
#include "control/session_source.h"
#include "control/session_waits.h"

static void note_life(struct daemon *d, uint32_t pid, uint64_t time_ns, const char *kind,
		      int64_t detail)
{
	uint32_t process = d->keeper ? model_process_find(d->model, pid) : 0;

	if (process)
		keeper_note_life(d->keeper, process, time_ns, kind, detail);
}

static void on_exit_record(struct daemon *d, const struct record_exit *r)
{
	jit_gone(d->jit, model_process_find(d->model, r->pid));
	unwinding_gone(d->unwinding, model_process_find(d->model, r->pid));
	note_life(d, r->pid, r->time_ns, "exit", r->status);
	processes_exit(d->processes, r);
	daemon_sources_exited(d, r->pid);
	for (struct session *s = d->sessions; s; s = s->next) {
		struct stream *t;

		if (!s->active || !session_exited(s, r->pid))
			continue;
		t = stream_of(d, s);
		if (t)
			stream_finish(d, t);
	}
}

/* Of processes a session was asked about by number, or has started, the first stack is near. */
static bool is_about_stacks_of(const struct daemon *d, uint32_t pid)
{
	for (const struct session *s = d->sessions; s; s = s->next)
		if (s->active && (s->sampler || s->offcpu || s->options.stack_if) &&
		    session_has_pid(s, pid))
			return true;
	return false;
}

static void on_mmap_record(struct daemon *d, const struct record_mmap *r)
{
	uint32_t process;

	processes_mmap(d->processes, r);
	process = model_process_find(d->model, r->pid);
	if (is_about_stacks_of(d, r->pid))
		unwinding_want(d->unwinding, process);
	unwinding_mapped(d->unwinding, process);
	jit_mapped(d->jit, process, r->address);
	daemon_sources_mapped(d, r->pid);
}

/* The one place where records meet the model. Everything in a batch has been checked. */
void daemon_take_record(void *arg, const void *record, size_t size)
{
	struct daemon *d = arg;
	const struct record_header *h = record;
	struct session *s = d->by_slot[h->session];

	switch (h->kind) {
	case RECORD_SPAN:
		if (s)
			session_add_span(s, record);
		break;
	case RECORD_CALL:
		if (s)
			session_add_call(s, record, size);
		break;
	case RECORD_THROW:
		if (s)
			session_add_throw(s, record);
		break;
	case RECORD_STACK:
		if (s)
			session_add_stack(s, record);
		break;
	case RECORD_PYTHON:
		if (s)
			session_add_python(s, record);
		break;
	case RECORD_PYTHON_CODE:
		python_add_code(unwinding_python(d->unwinding), record);
		break;
	case RECORD_SOURCE:
		if (s)
			session_add_source(s, record);
		break;
	case RECORD_AROUND:
		if (s && s->sources)
			session_sources_around(s, record);
		break;
	case RECORD_PATH:
		if (s)
			session_add_path(s, record);
		break;
	case RECORD_SAMPLE:
		if (s)
			session_add_sample(s, record);
		break;
	case RECORD_WAIT:
		if (s)
			session_add_wait(s, record);
		break;
	case RECORD_WAIT_END:
		if (s)
			session_end_wait(s, record);
		break;
	case RECORD_FORK: {
		const struct record_fork *fork = record;

		processes_fork(d->processes, fork);
		unwinding_forked(d->unwinding, model_process_find(d->model, fork->parent_pid),
				 model_process_find(d->model, fork->pid));
		for (s = d->sessions; s && fork->h.flags & FORK_FOLLOWED; s = s->next)
			session_forked(s, fork->parent_pid, fork->pid);
		daemon_sources_mapped(d, fork->pid);
		break;
	}
	case RECORD_EXEC:
		processes_exec(d->processes, record);
		note_life(d, ((const struct record_exec *)record)->pid,
			  ((const struct record_exec *)record)->time_ns, "exec", 0);
		for (s = d->sessions; s; s = s->next)
			session_execed(s, ((const struct record_exec *)record)->pid);
		daemon_sources_execed(d, ((const struct record_exec *)record)->pid);
		break;
	case RECORD_EXIT:
		on_exit_record(d, record);
		break;
	case RECORD_IMAGE: {
		const struct record_image *image = record;

		jit_gone(d->jit, model_process_find(d->model, image->pid));
		unwinding_gone(d->unwinding, model_process_find(d->model, image->pid));
		processes_image(d->processes, image);
		break;
	}
	case RECORD_MMAP:
		on_mmap_record(d, record);
		break;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_samples.h"

#include "connect.h"
#include "debuginfo.h"
#include "export/sample_source.h"
#include "query.h"
#include "render/timeline_spans.h"
#include "request.h"
#include "sonde/base/table.h"

struct asking {
	struct cli *cli;
	struct timeline *timeline;
	struct sample_source source;
	struct table *pids;
	struct table processes, threads; /* those of the timeline, by number and host */
	uint32_t *thread_of;		 /* of each thread of the source */
	size_t n_threads, threads_cap;
};

static void asking_release(struct asking *a)
{
	sample_source_release(&a->source);
	table_release(&a->processes);
	table_release(&a->threads);
	free(a->thread_of);
}

static uint64_t key_of(const struct exported_process *p, uint32_t tid)
{
	const char *host = p->host ? p->host : "";

	return hash_mix(hash_bytes(host, strlen(host), p->pid), tid);
}

static int put(struct table *table, uint64_t key, uint32_t value)
{
	uint32_t *slot = table_put(table, key, NULL);

	if (!slot)
		return -ENOMEM;
	*slot = value;
	return 0;
}

/* Of processes that had one number after the other it is the last one. */
static int know_spans(struct asking *a, const struct span_source *spans)
{
	int r = 0;

	for (size_t i = 0; i < spans->n_processes && r >= 0; i++)
		r = put(&a->processes, key_of(&spans->processes[i], 0), (uint32_t)i);
	for (size_t i = 0; i < spans->n_threads && r >= 0; i++) {
		const struct exported_thread *t = &spans->threads[i];

		r = put(&a->threads, key_of(&spans->processes[t->process], t->tid), (uint32_t)i);
	}
	return r;
}

static int find_process(struct asking *a, const struct exported_process *p)
{
	const uint32_t *known = table_get(&a->processes, key_of(p, 0));
	int process;

	if (known)
		return (int)*known;
	process = timeline_add_process(a->timeline, p->pid, p->comm);
	if (process < 0 || put(&a->processes, key_of(p, 0), (uint32_t)process) < 0 ||
	    put(a->pids, p->pid, (uint32_t)process) < 0)
		return -ENOMEM;
	return process;
}

static int find_thread(struct asking *a, const struct exported_thread *t)
{
	const struct exported_process *p = &a->source.names.processes[t->process];
	const uint32_t *known = table_get(&a->threads, key_of(p, t->tid));
	int process = known ? 0 : find_process(a, p), thread;

	if (process < 0)
		return process;
	thread = known ? (int)*known : timeline_add_thread(a->timeline, (uint32_t)process, t->tid);
	if (thread < 0 || put(&a->threads, key_of(p, t->tid), (uint32_t)thread) < 0)
		return -ENOMEM;
	if (t->name && timeline_name_thread(a->timeline, (uint32_t)thread, t->name) < 0)
		return -ENOMEM;
	return thread;
}

static int take_frame(struct timeline_samples *to, const struct exported_frame *f)
{
	_cleanup_(freep) char *place = NULL;

	if (f->file && asprintf(&place, "%s:%u", f->file, f->line) < 0)
		return -ENOMEM;
	return timeline_add_frame(to, f->func, exported_frame_binary(f), place);
}

/* What has been named since: frames and stacks of the timeline have the numbers of the source. */
static int take_names(struct asking *a)
{
	const struct sample_source *s = &a->source;
	struct timeline_samples *to = &a->timeline->samples;
	int r = 0;

	for (size_t i = to->n_frames; i < s->n_frames && r >= 0; i++)
		r = take_frame(to, &s->frames[i]);
	for (size_t i = to->n_stacks; i < s->n_stacks && r >= 0; i++)
		r = timeline_add_stack(to, s->stacks[i].parent, s->stacks[i].frame);
	if (r < 0 || array_reserve(&a->thread_of, &a->threads_cap, s->names.n_threads,
				   sizeof(*a->thread_of)) < 0)
		return -ENOMEM;
	for (; a->n_threads < s->names.n_threads; a->n_threads++) {
		int thread = find_thread(a, &s->names.threads[a->n_threads]);

		if (thread < 0)
			return thread;
		a->thread_of[a->n_threads] = (uint32_t)thread;
	}
	return 0;
}

static int add_sample(void *arg, const struct exported_sample *sample)
{
	struct asking *a = arg;
	int r = take_names(a);

	return r < 0 ? r
		     : timeline_add_sample(a->timeline,
					   sample->waits ? TIMELINE_WAITS : TIMELINE_CPU,
					   &(struct timeline_sample){
						   .time_ns = sample->time_ns,
						   .ns = sample->ns,
						   .thread = a->thread_of[sample->thread],
						   .stack = sample->stack,
					   });
}

static int take_reply(void *arg, reply_t *reply, bool last)
{
	struct asking *a = arg;
	uint64_t period_ns = reply_u64(reply, "period_ns");

	(void)last;
	if (period_ns)
		a->timeline->samples.period_ns = period_ns;
	return sample_source_take(&a->source, reply, add_sample, a, &a->cli->error);
}

/* Those of a range only, as far as microseconds tell. Waits may begin before it. */
static int write_request(struct json_writer *w, const struct asking *a, const char *kind)
{
	struct options only = *a->cli->options;

	if (a->timeline->from_ns && !only.since.set && streq(kind, "cpu"))
		only.since =
			(struct number){.set = true, .value = a->timeline->from_ns / NSEC_PER_USEC};
	if (a->timeline->until_ns && !only.until.set)
		only.until = (struct number){.set = true,
					     .value = a->timeline->until_ns / NSEC_PER_USEC + 1};
	return request_samples(w, &only, kind);
}

static int ask(struct asking *a, struct connection *c, const char *kind)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	r = write_request(&w, a, kind);
	if (r >= 0)
		r = request_end(&w, &a->cli->error);
	sample_source_begin(&a->source);
	return r < 0 ? r
		     : connection_each(c, "ExportSamples", params.data, take_reply, a,
				       &a->cli->error);
}

int timeline_ask_samples(struct cli *cli, struct connection *c, struct timeline_kinds kinds,
			 const struct span_source *spans, struct table *pids, struct timeline *t)
{
	_cleanup_(asking_release) struct asking a = {.cli = cli, .timeline = t, .pids = pids};
	int r = know_spans(&a, spans);

	if (r >= 0 && (kinds.cpu || kinds.waits))
		r = debuginfo_prepare(cli, c);
	if (r >= 0 && kinds.cpu)
		r = ask(&a, c, "cpu");
	if (r >= 0 && kinds.waits)
		r = ask(&a, c, "offcpu");
	if (r < 0 && r != -ENOMEM && query_goes_without(cli))
		r = 0;
	return r == -ENOMEM ? error_set(&cli->error, ENOMEM, "Internal", "out of memory") : r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `sonde report --json`, `graph --json` and `spans --json` say: of spans a line each. */
#include "answer.h"
#include "formats.h"

static int json_answer(struct export *x, reply_t *reply)
{
	struct json_writer w;

	json_begin(&w, x->out);
	json_object_begin(&w, NULL);
	json_u64(&w, "schema", 1);
	reply_write_members(&w, reply, "key", x->options->by ? x->options->by : "func");
	json_object_end(&w);
	strbuf_putc(x->out, '\n');
	return 0;
}

static void write_flags(struct json_writer *w, uint32_t flags)
{
	_cleanup_(strbuf_release) struct strbuf names = {};

	json_array_begin(w, "flags");
	answer_flags(&names, flags, "\",\"");
	if (names.len) {
		strbuf_putc(&names, '"');
		json_raw(w, NULL, "\"", 1);
		strbuf_append(w->out, names.data, names.len);
	}
	json_array_end(w);
}

static int json_span(struct export *x, const struct exported_span *span)
{
	const struct exported_thread *thread = &x->source->threads[span->thread];
	const struct exported_process *p = &x->source->processes[thread->process];
	const struct exported_function *f = &x->source->functions[span->function];
	struct json_writer w;

	json_begin(&w, x->out);
	json_object_begin(&w, NULL);
	json_u64(&w, "time_us", span->start_ns / NSEC_PER_USEC);
	json_u64(&w, "duration_ns", span->duration_ns);
	json_u64(&w, "self_ns", span->self_ns);
	json_u64(&w, "pid", p->pid);
	json_u64(&w, "tid", thread->tid);
	json_string(&w, "comm", p->comm);
	if (p->ns_pid)
		json_u64(&w, "ns_pid", p->ns_pid);
	if (*p->container)
		json_string(&w, "container", p->container);
	json_string(&w, "name", f->name);
	json_string(&w, "binary", f->binary);
	json_u64(&w, "depth", span->depth);
	json_hex(&w, "ret", span->ret);
	json_object_begin(&w, "args");
	reply_write_members(&w, reply_get(span->details, "args"), NULL, NULL);
	json_object_end(&w);
	write_flags(&w, span->flags);
	for (reply_t *m = reply_child(span->details); m; m = reply_next(m))
		if (!streq(reply_name(m), "at") && !streq(reply_name(m), "args"))
			reply_write(&w, reply_name(m), m, NULL, NULL);
	json_object_end(&w);
	strbuf_putc(x->out, '\n');
	return 0;
}

const struct export_format export_json = {
	.name = "json",
	.extensions = ".report.json|.jsonl",
	.summary = "as --json of report (default), graph or spans: --answer",
	.carries = EXPORT_SPANS | EXPORT_ANSWER,
	.order = ORDER_START,
	.begin = export_nothing,
	.span = json_span,
	.answer = json_answer,
	.end = export_nothing,
	.free = export_free_state,
};

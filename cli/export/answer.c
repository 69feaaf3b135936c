/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer.h"

#include "sonde/base/hex.h"

static const struct answer_column report_columns[] = {
	{"key", COLUMN_TEXT},	  {"binary", COLUMN_TEXT},   {"calls", COLUMN_COUNT},
	{"errors", COLUMN_COUNT}, {"total_ns", COLUMN_NS},   {"self_ns", COLUMN_NS},
	{"avg_ns", COLUMN_NS},	  {"p50_ns", COLUMN_NS},     {"p99_ns", COLUMN_NS},
	{"max_ns", COLUMN_NS},	  {"samples", COLUMN_COUNT}, {"self_samples", COLUMN_COUNT},
};

static const struct answer_column graph_columns[] = {
	{"id", COLUMN_COUNT},		{"parent", COLUMN_COUNT}, {"depth", COLUMN_COUNT},
	{"func", COLUMN_TEXT},		{"binary", COLUMN_TEXT},  {"kind", COLUMN_TEXT},
	{"calls", COLUMN_COUNT},	{"errors", COLUMN_COUNT}, {"total_ns", COLUMN_NS},
	{"self_ns", COLUMN_NS},		{"avg_ns", COLUMN_NS},	  {"p50_ns", COLUMN_NS},
	{"p99_ns", COLUMN_NS},		{"max_ns", COLUMN_NS},	  {"samples", COLUMN_COUNT},
	{"self_samples", COLUMN_COUNT},
};

static const struct answer_column span_columns[] = {
	{"start_ns", COLUMN_COUNT}, {"duration_ns", COLUMN_NS}, {"self_ns", COLUMN_NS},
	{"pid", COLUMN_COUNT},	    {"tid", COLUMN_COUNT},	{"comm", COLUMN_TEXT},
	{"name", COLUMN_TEXT},	    {"binary", COLUMN_TEXT},	{"depth", COLUMN_COUNT},
	{"ret", COLUMN_TEXT},	    {"flags", COLUMN_TEXT},	{"call", COLUMN_TEXT},
	{"result", COLUMN_TEXT},
};

const struct answer_column *answer_columns(reply_t *reply, size_t *ret_n)
{
	if (reply_get(reply_first(reply, "rows"), "id")) {
		*ret_n = ARRAY_SIZE(graph_columns);
		return graph_columns;
	}
	*ret_n = ARRAY_SIZE(report_columns);
	return report_columns;
}

const char *answer_title(const struct options *o, const struct answer_column *c)
{
	return !streq(c->name, "key") ? c->name : o->by ? o->by : "func";
}

const struct answer_column *answer_span_columns(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(span_columns);
	return span_columns;
}

void answer_flags(struct strbuf *out, uint32_t flags, const char *separator)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} known[] = {{EXPORTED_UNWOUND, "unwound"}, {EXPORTED_ERROR, "error"},
		     {EXPORTED_TAIL, "tail"},	    {EXPORTED_KERNEL, "kernel"},
		     {EXPORTED_INSTANT, "instant"}, {EXPORTED_COUNTER, "counter"},
		     {EXPORTED_ASYNC, "async"}};
	bool first = true;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!(flags & known[i].flag))
			continue;
		strbuf_puts(out, first ? "" : separator);
		strbuf_puts(out, known[i].name);
		first = false;
	}
}

void answer_span_cells(const struct span_source *source, const struct exported_span *span,
		       void (*put)(void *arg, size_t i, const char *text), void *arg)
{
	const struct exported_thread *thread = &source->threads[span->thread];
	const struct exported_process *process = &source->processes[thread->process];
	const struct exported_function *function = &source->functions[span->function];
	uint64_t numbers[] = {span->start_ns, span->duration_ns, span->self_ns, process->pid,
			      thread->tid};
	_cleanup_(strbuf_release) struct strbuf text = {};
	char hex[HEX_U64_SIZE];
	size_t i = 0;

	for (; i < ARRAY_SIZE(numbers); i++) {
		strbuf_reset(&text);
		strbuf_u64(&text, numbers[i]);
		put(arg, i, text.data ? text.data : "");
	}
	put(arg, i++, process->comm);
	put(arg, i++, function->name);
	put(arg, i++, function->binary);
	strbuf_reset(&text);
	strbuf_u64(&text, span->depth);
	put(arg, i++, text.data ? text.data : "");
	hex_u64(span->ret, hex);
	put(arg, i++, hex);
	strbuf_reset(&text);
	answer_flags(&text, span->flags, " ");
	put(arg, i++, text.data && text.len ? text.data : "");
	put(arg, i++, reply_str(span->details, "call"));
	put(arg, i, reply_str(span->details, "result"));
}

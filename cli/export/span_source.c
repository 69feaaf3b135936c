/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "span_source.h"

#include "sonde/base/base64.h"
#include "sonde/base/varint.h"

/* Where reading stands. */
struct cursor {
	struct column columns[SPAN_COLUMNS];
	uint64_t last_start;
};

int source_malformed(struct error *e, const char *what, const char *why)
{
	error_set(e, EBADMSG, "Internal", "the daemon sent %s that cannot be read: %s", what, why);
	error_fix(e, "command and daemon are of different versions: systemctl restart sonded");
	return -EBADMSG;
}

static int take_processes(struct span_source *s, reply_t *reply)
{
	reply_foreach(p, reply, "processes")
	{
		struct exported_process *to;

		if (array_reserve(&s->processes, &s->processes_cap, s->n_processes + 1,
				  sizeof(*s->processes)) < 0)
			return -ENOMEM;
		to = &s->processes[s->n_processes++];
		to->pid = (uint32_t)reply_u64(p, "pid");
		to->ns_pid = (uint32_t)reply_u64(p, "ns_pid");
		if (strdup_to(&to->comm, reply_str(p, "comm")) < 0 ||
		    strdup_to(&to->container, reply_str(p, "container")) < 0 ||
		    (reply_get(p, "host") && strdup_to(&to->host, reply_str(p, "host")) < 0))
			return -ENOMEM;
	}
	return 0;
}

static int take_threads(struct span_source *s, reply_t *reply, size_t first_process)
{
	reply_foreach(t, reply, "threads")
	{
		uint64_t process = reply_u64(t, "process");
		struct exported_thread *to;

		if (process >= s->n_processes - first_process)
			return -EBADMSG;
		if (array_reserve(&s->threads, &s->threads_cap, s->n_threads + 1,
				  sizeof(*s->threads)) < 0)
			return -ENOMEM;
		to = &s->threads[s->n_threads++];
		to->process = (uint32_t)(first_process + process);
		to->tid = (uint32_t)reply_u64(t, "tid");
		if (reply_get(t, "name") && strdup_to(&to->name, reply_str(t, "name")) < 0)
			return -ENOMEM;
	}
	return 0;
}

int span_source_take_threads(struct span_source *s, reply_t *reply, size_t first_process)
{
	int r = take_processes(s, reply);

	return r < 0 ? r : take_threads(s, reply, first_process);
}

static int take_functions(struct span_source *s, reply_t *reply)
{
	reply_foreach(f, reply, "functions")
	{
		struct exported_function *to;

		if (array_reserve(&s->functions, &s->functions_cap, s->n_functions + 1,
				  sizeof(*s->functions)) < 0)
			return -ENOMEM;
		to = &s->functions[s->n_functions++];
		if (strdup_to(&to->name, reply_str(f, "name")) < 0 ||
		    strdup_to(&to->binary, reply_str(f, "binary")) < 0 ||
		    (reply_get(f, "cat") && strdup_to(&to->category, reply_str(f, "cat")) < 0))
			return -ENOMEM;
	}
	return 0;
}

int column_open(reply_t *columns, const char *name, struct strbuf *bytes, struct column *ret)
{
	const char *text = reply_str(columns, name);
	int r;

	strbuf_reset(bytes);
	r = base64_decode(bytes, text, strlen(text));
	if (r < 0)
		return r;
	ret->at = (const uint8_t *)bytes->data;
	ret->end = ret->at + bytes->len;
	return 0;
}

static int take_columns(struct span_source *s, reply_t *columns, struct cursor *c)
{
	static const char *const names[SPAN_COLUMNS] = {
#define COLUMN(id, name) [SPAN_COLUMN_##id] = name,
#include "sonde/span_columns.def"
#undef COLUMN
	};

	for (size_t i = 0; i < SPAN_COLUMNS; i++) {
		int r = column_open(columns, names[i], &s->columns[i], &c->columns[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool next_span(const struct span_source *s, struct cursor *c, struct exported_span *ret)
{
	uint64_t v[SPAN_COLUMNS];

	for (size_t i = 0; i < SPAN_COLUMNS; i++)
		if (!varint_get(&c->columns[i].at, c->columns[i].end, &v[i]))
			return false;
	if (v[SPAN_COLUMN_THREAD] >= s->n_threads || v[SPAN_COLUMN_FUNCTION] >= s->n_functions)
		return false;
	c->last_start += unzigzag(v[SPAN_COLUMN_START]);
	*ret = (struct exported_span){
		.start_ns = c->last_start,
		.duration_ns = v[SPAN_COLUMN_DURATION],
		.self_ns = v[SPAN_COLUMN_SELF],
		.ret = unzigzag(v[SPAN_COLUMN_RET]),
		.thread = (uint32_t)v[SPAN_COLUMN_THREAD],
		.function = (uint32_t)v[SPAN_COLUMN_FUNCTION],
		.depth = (uint32_t)v[SPAN_COLUMN_DEPTH],
		.flags = (uint32_t)v[SPAN_COLUMN_FLAGS],
	};
	return true;
}

int span_source_take(struct span_source *s, reply_t *reply,
		     int (*each)(void *arg, const struct exported_span *span), void *arg,
		     struct error *e)
{
	reply_t *columns = reply_get(reply, "columns"), *details = reply_first(reply, "details");
	uint64_t n = reply_u64(columns, "count");
	struct cursor c = {};
	int r = span_source_take_threads(s, reply, 0);

	if (r >= 0)
		r = take_functions(s, reply);
	if (r >= 0)
		r = take_columns(s, columns, &c);
	if (r < 0)
		return r == -ENOMEM
			       ? error_set(e, ENOMEM, "Internal", "out of memory")
			       : source_malformed(e, "spans", "a table or a column is damaged");
	for (uint64_t i = 0; i < n; i++) {
		struct exported_span span;

		if (!next_span(s, &c, &span))
			return source_malformed(
				e, "spans", "a column ends too soon, or a table lacks an entry");
		if (details && reply_u64(details, "at") == i) {
			span.details = details;
			details = reply_next(details);
		}
		s->n_spans++;
		r = each(arg, &span);
		if (r < 0)
			return r;
	}
	return 0;
}

void span_source_release(struct span_source *s)
{
	for (size_t i = 0; i < s->n_processes; i++) {
		free(s->processes[i].comm);
		free(s->processes[i].container);
		free(s->processes[i].host);
	}
	for (size_t i = 0; i < s->n_threads; i++)
		free(s->threads[i].name);
	for (size_t i = 0; i < s->n_functions; i++) {
		free(s->functions[i].name);
		free(s->functions[i].binary);
		free(s->functions[i].category);
	}
	for (size_t i = 0; i < SPAN_COLUMNS; i++)
		strbuf_release(&s->columns[i]);
	free(s->processes);
	free(s->threads);
	free(s->functions);
	*s = (struct span_source){};
}

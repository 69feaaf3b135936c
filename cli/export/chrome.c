/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace Event JSON, as chrome://tracing and Perfetto read it. Times are microseconds since the
 * session began, with the nanoseconds behind the point: since the epoch they would have more digits
 * than the numbers of JavaScript. otherData says when that was. Samples are instants and waits
 * complete events: what a thread waits in is among its spans, which go on all the while, so waits
 * nest in them. Both have a stack, a node of "stackFrames", which comes last as it grows meanwhile.
 */
#include "formats.h"
#include "members.h"
#include "sonde/base/table.h"

struct chrome {
	struct json_writer w;
	uint64_t base_ns;
	struct members members, sample_members;
	size_t n_processes, n_sample_processes;
	struct table named; /* enum named, by pid and tid; of processes by NAMED_PROCESS */
};

enum named { BY_PROCESS = 1, BY_ITSELF };
#define NAMED_PROCESS UINT32_MAX

static int chrome_begin(struct export *x)
{
	struct chrome *c = calloc(1, sizeof(*c));

	x->state = c;
	if (!c)
		return -ENOMEM;
	c->base_ns = reply_u64(x->session, "started_us") * NSEC_PER_USEC;
	json_begin(&c->w, x->out);
	json_object_begin(&c->w, NULL);
	json_string(&c->w, "displayTimeUnit", "ns");
	json_object_begin(&c->w, "otherData");
	json_string(&c->w, "producer", "sonde");
	json_string(&c->w, "session", reply_str(x->session, "name"));
	json_string(&c->w, "targets", reply_str(x->session, "targets"));
	json_u64(&c->w, "epoch_us", c->base_ns / NSEC_PER_USEC);
	if (reply_u64(x->session, "frequency"))
		json_u64(&c->w, "frequency", reply_u64(x->session, "frequency"));
	json_object_end(&c->w);
	json_array_begin(&c->w, "traceEvents");
	return 0;
}

/* Microseconds with three decimals: exactly the nanoseconds. */
static void write_us(struct json_writer *w, const char *key, uint64_t ns)
{
	char text[32];
	size_t at = sizeof(text);

	for (int i = 0; i < 3; i++, ns /= 10)
		text[--at] = (char)('0' + ns % 10);
	text[--at] = '.';
	do {
		text[--at] = (char)('0' + ns % 10);
		ns /= 10;
	} while (ns);
	json_raw(w, key, text + at, sizeof(text) - at);
}

static void write_time(struct chrome *c, uint64_t epoch_ns)
{
	char text[40];

	if (epoch_ns >= c->base_ns) {
		write_us(&c->w, "ts", epoch_ns - c->base_ns);
		return;
	}
	/* The history may reach back behind the start of the session that is asked. */
	snprintf(text, sizeof(text), "-%llu.%03u",
		 (unsigned long long)((c->base_ns - epoch_ns) / NSEC_PER_USEC),
		 (unsigned int)((c->base_ns - epoch_ns) % NSEC_PER_USEC));
	json_raw(&c->w, "ts", text, strlen(text));
}

static void write_name(struct chrome *c, const char *what, uint32_t pid, uint32_t tid,
		       const char *name)
{
	json_object_begin(&c->w, NULL);
	json_string(&c->w, "ph", "M");
	json_string(&c->w, "name", what);
	json_u64(&c->w, "pid", pid);
	json_u64(&c->w, "tid", tid);
	json_object_begin(&c->w, "args");
	json_string(&c->w, "name", name);
	json_object_end(&c->w);
	json_object_end(&c->w);
}

static uint32_t *named(struct chrome *c, uint32_t pid, uint32_t tid)
{
	return table_put(&c->named, (uint64_t)pid << 32 | tid, NULL);
}

/* The process of a thread is a name until there is one of its own: viewers take the last one. */
static int introduce_thread(struct chrome *c, const struct span_source *s,
			    const struct exported_thread *t)
{
	const struct exported_process *p = &s->processes[t->process];
	uint32_t *by = named(c, p->pid, t->tid), is = t->name ? BY_ITSELF : BY_PROCESS;

	if (!by)
		return -ENOMEM;
	if (!*by || (*by < is && !streq(t->name, p->comm)))
		write_name(c, "thread_name", p->pid, t->tid, t->name ? t->name : p->comm);
	*by = MAX(*by, is);
	return 0;
}

/* Threads and processes that have been named since: each is introduced once. */
static int introduce(struct chrome *c, const struct span_source *s, struct members *m,
		     size_t *n_processes)
{
	for (; *n_processes < s->n_processes; ++*n_processes) {
		const struct exported_process *p = &s->processes[*n_processes];
		uint32_t *by = named(c, p->pid, NAMED_PROCESS);

		if (!by)
			return -ENOMEM;
		/* A number may be that of several processes, one after the other. */
		if (m == &c->members || !*by)
			write_name(c, "process_name", p->pid, 0, p->comm);
		*by = BY_ITSELF;
	}
	for (size_t i = m->n_threads; i < s->n_threads; i++)
		if (introduce_thread(c, s, &s->threads[i]) < 0)
			return -ENOMEM;
	return members_update(m, s, NULL);
}

/* Members of details that stand elsewhere, or say nothing. */
static bool is_left_out(reply_t *m)
{
	const char *name = reply_name(m);

	return streq(name, "at") || streq(name, "cat") || (streq(name, "args") && !reply_child(m));
}

static void write_args(struct json_writer *w, const struct exported_span *span,
		       const struct exported_function *function)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{EXPORTED_ERROR, "error"}, {EXPORTED_UNWOUND, "unwound"}, {EXPORTED_TAIL, "tail"}};

	json_object_begin(w, "args");
	if (function->category)
		json_string(w, "binary", function->binary);
	if (!(span->flags & (EXPORTED_UNWOUND | EXPORTED_TAIL | EXPORTED_INSTANT)))
		json_hex(w, "ret", span->ret);
	if (span->self_ns != span->duration_ns)
		json_u64(w, "self_ns", span->self_ns);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (span->flags & flags[i].flag)
			json_bool(w, flags[i].name, true);
	for (reply_t *m = reply_child(span->details); m; m = reply_next(m))
		if (!is_left_out(m))
			reply_write(w, reply_name(m), m, NULL, NULL);
	json_object_end(w);
}

/*
 * Counters of a process are told apart by their names alone: the category is a part of it. A value
 * that JSON has no number for is a text, as the daemon has it.
 */
static void write_counter(struct export *x, struct chrome *c, const struct exported_span *span)
{
	const struct strbuf *thread = &c->members.threads[span->thread];
	const struct exported_function *f = &x->source->functions[span->function];
	const char *category = reply_str(span->details, "cat");
	_cleanup_(strbuf_release) struct strbuf name = {};

	strbuf_printf(&name, "%s%s%s", category, *category ? "/" : "", f->name);
	json_object_begin(&c->w, NULL);
	json_string(&c->w, "ph", "C");
	json_string(&c->w, "name", name.data);
	json_string(&c->w, "cat", f->binary);
	json_raw(&c->w, NULL, thread->data, thread->len);
	write_time(c, span->start_ns);
	json_object_begin(&c->w, "args");
	reply_write(&c->w, "value", reply_get(span->details, "value"), NULL, NULL);
	json_object_end(&c->w);
	json_object_end(&c->w);
	strbuf_putc(c->w.out, '\n');
}

static int chrome_span(struct export *x, const struct exported_span *span)
{
	struct chrome *c = x->state;
	bool instant = span->flags & EXPORTED_INSTANT;
	int r = introduce(c, x->source, &c->members, &c->n_processes);

	if (r < 0)
		return r;
	if (span->flags & EXPORTED_COUNTER && reply_get(span->details, "value")) {
		write_counter(x, c, span);
		return 0;
	}
	json_object_begin(&c->w, NULL);
	json_string(&c->w, "ph", instant ? "i" : "X");
	if (instant)
		json_string(&c->w, "s", "t");
	members_put(&c->members, &c->w, span);
	write_time(c, span->start_ns);
	if (!instant)
		write_us(&c->w, "dur", span->duration_ns);
	write_args(&c->w, span, &x->source->functions[span->function]);
	json_object_end(&c->w);
	strbuf_putc(x->out, '\n');
	return 0;
}

static const struct exported_frame *frame_of(const struct sample_source *s, uint32_t stack)
{
	return stack ? &s->frames[s->stacks[stack - 1].frame] : NULL;
}

/* The function of the program that waits: below it are those of the kernel that do it. */
static const char *waiter(const struct sample_source *s, uint32_t stack)
{
	while (stack && frame_of(s, stack)->kernel)
		stack = s->stacks[stack - 1].parent;
	return stack ? frame_of(s, stack)->func : NULL;
}

static int chrome_sample(struct export *x, const struct exported_sample *sample)
{
	const struct sample_source *s = x->samples;
	const struct exported_frame *leaf = frame_of(s, sample->stack);
	const char *in = sample->waits ? waiter(s, sample->stack) : NULL;
	struct chrome *c = x->state;
	struct json_writer *w = &c->w;
	int r = introduce(c, &s->names, &c->sample_members, &c->n_sample_processes);

	if (r < 0)
		return r;
	json_object_begin(w, NULL);
	json_string(w, "ph", sample->ns ? "X" : "i");
	if (!sample->ns)
		json_string(w, "s", "t");
	json_string(w, "name", sample->waits ? "off CPU" : leaf ? leaf->func : "[unknown]");
	json_string(w, "cat", sample->waits ? "offcpu" : "cpu");
	members_put_thread(&c->sample_members, w, sample->thread);
	write_time(c, sample->time_ns);
	if (sample->ns)
		write_us(w, "dur", sample->ns);
	if (sample->stack)
		json_u64(w, "sf", sample->stack);
	if (in) {
		json_object_begin(w, "args");
		json_string(w, "in", in);
		json_object_end(w);
	}
	json_object_end(w);
	strbuf_putc(x->out, '\n');
	return 0;
}

static int write_stacks(struct export *x, struct chrome *c)
{
	const struct sample_source *s = x->samples;
	int r = 0;

	json_object_begin(&c->w, "stackFrames");
	for (size_t i = 0; i < s->n_stacks && r >= 0; i++) {
		const struct exported_frame *f = &s->frames[s->stacks[i].frame];
		char number[24];

		snprintf(number, sizeof(number), "%zu", i + 1);
		json_object_begin(&c->w, number);
		json_string(&c->w, "name", f->func);
		json_string(&c->w, "category", exported_frame_binary(f));
		if (s->stacks[i].parent)
			json_u64(&c->w, "parent", s->stacks[i].parent);
		json_object_end(&c->w);
		r = export_relieve(x);
	}
	json_object_end(&c->w);
	return r;
}

static int chrome_end(struct export *x)
{
	struct chrome *c = x->state;
	int r;

	json_array_end(&c->w);
	r = x->samples && x->samples->n_samples ? write_stacks(x, c) : 0;
	if (r < 0)
		return r;
	json_object_end(&c->w);
	strbuf_putc(x->out, '\n');
	return 0;
}

static void chrome_free(struct export *x)
{
	struct chrome *c = x->state;

	if (!c)
		return;
	members_release(&c->members);
	members_release(&c->sample_members);
	table_release(&c->named);
	free(c);
}

const struct export_format export_chrome = {
	.name = "chrome",
	.extensions = ".json",
	.summary = "Trace Event JSON (Perfetto, chrome://tracing)",
	.carries = EXPORT_SPANS | EXPORT_SAMPLES,
	.order = ORDER_START,
	.begin = chrome_begin,
	.span = chrome_span,
	.sample = chrome_sample,
	.end = chrome_end,
	.free = chrome_free,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace_samples.h"

#include "intern.h"
#include "number.h"
#include "sorter.h"

enum { MEMORY = 16 << 20, DEPTH_MAX = 4096 };

struct sample {
	int64_t start_ns;
	uint64_t ns, order;
	uint32_t pid, tid;
	uint32_t stack; /* a number of ids; 0: none */
	uint32_t waits;
};

struct node {
	uint32_t name, binary, parent; /* texts; parent: a number of ids. 0: none */
	uint32_t is_known;
};

struct import_trace_samples {
	struct import_sink *sink;
	struct import_sorter *sorter;
	uint64_t n, n_of[2];	   /* samples; of the CPU, and waits */
	struct import_strings ids; /* of nodes, as they are written */
	struct node *nodes;	   /* by number of ids - 1 */
	size_t n_nodes, nodes_cap;
	struct import_strings texts;
	struct table threads; /* what they are called: a number of texts */
	struct import_frame *frames;
	size_t frames_cap;
};

static int compare(const void *pa, const void *pb)
{
	const struct sample *a = pa, *b = pb;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

struct import_trace_samples *import_trace_samples_new(struct import_sink *sink)
{
	struct import_trace_samples *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sink = sink;
	t->sorter = import_sorter_new(sizeof(struct sample), MEMORY, compare);
	return t->sorter ? t : import_trace_samples_free(t);
}

struct import_trace_samples *import_trace_samples_free(struct import_trace_samples *t)
{
	if (!t)
		return NULL;
	import_sorter_free(t->sorter);
	import_strings_release(&t->ids);
	import_strings_release(&t->texts);
	table_release(&t->threads);
	free(t->nodes);
	free(t->frames);
	free(t);
	return NULL;
}

/* The number of a node, which need not have come yet. 0: out of memory. */
static uint32_t put_id(struct import_trace_samples *t, const char *text, size_t len)
{
	bool is_new = false;
	uint32_t id = import_strings_put(&t->ids, text, len, &is_new);

	if (!id || array_reserve(&t->nodes, &t->nodes_cap, t->ids.n, sizeof(*t->nodes)) < 0)
		return 0;
	t->n_nodes = t->ids.n;
	return id;
}

static uint32_t put_text(struct import_trace_samples *t, const struct import_value *v)
{
	bool is_new;

	return import_strings_put(&t->texts, v->text, v->len, &is_new);
}

static bool is_called(const struct import_value *v, const char *name)
{
	return v->kind == IMPORT_JSON_STRING && streq(v->text, name);
}

/* Others have categories of these names, too: but neither a stack nor one of these names. */
static bool is_sample(const struct import_value v[IMPORT_FIELDS], bool waits)
{
	const char *ph = v[FIELD_PH].text;

	if (v[FIELD_ARGS_BINARY].kind || !strchr(waits ? "iIX" : "iI", ph[0]))
		return false;
	return import_is_text(&v[FIELD_SF]) ||
	       is_called(&v[FIELD_NAME], waits ? "off CPU" : "[unknown]");
}

int import_trace_samples_add(struct import_trace_samples *t,
			     const struct import_value v[IMPORT_FIELDS],
			     const struct import_span *span, struct error *error)
{
	bool waits = is_called(&v[FIELD_CAT], "offcpu");
	const struct import_value *sf = &v[FIELD_SF], *dur = &v[FIELD_DUR];
	struct sample s = {.start_ns = span->start_ns, .pid = span->pid, .tid = span->tid};
	int64_t ns = 0;
	int r;

	if ((!waits && !is_called(&v[FIELD_CAT], "cpu")) || !is_sample(v, waits))
		return 0;
	if (waits && import_is_text(dur) && import_number(dur->text, dur->len, 3, &ns) < 0)
		ns = INT64_MAX;
	if (ns < 0 || ns > (int64_t)IMPORT_MAX_SPAN) {
		t->sink->notes[ns < 0 ? NOTE_NEGATIVE : NOTE_HUGE]++;
		return 1;
	}
	s.waits = waits;
	s.ns = (uint64_t)ns;
	s.order = t->n++;
	if (import_is_text(sf)) {
		s.stack = put_id(t, sf->text, sf->len);
		if (!s.stack)
			return -ENOMEM;
	}
	t->n_of[waits]++;
	r = import_sorter_add(t->sorter, &s, error);
	return r < 0 ? r : 1;
}

int import_trace_samples_name(struct import_trace_samples *t, uint32_t pid, uint32_t tid,
			      const char *name)
{
	const struct import_value v = {.text = name, .len = strlen(name)};
	uint32_t text = put_text(t, &v), *slot = NULL;

	if (text)
		slot = table_put(&t->threads, (uint64_t)pid << 32 | tid, NULL);
	if (!slot)
		return -ENOMEM;
	*slot = text;
	return 0;
}

int import_trace_samples_frame(void *arg, const char *id,
			       const struct import_value v[IMPORT_FIELDS])
{
	struct import_trace_samples *t = arg;
	struct node node = {.is_known = true};
	uint32_t at = put_id(t, id, strlen(id));

	if (!at)
		return -ENOMEM;
	if (v[FIELD_NAME].kind == IMPORT_JSON_STRING && v[FIELD_NAME].len) {
		node.name = put_text(t, &v[FIELD_NAME]);
		if (!node.name)
			return -ENOMEM;
	}
	if (v[FIELD_CATEGORY].kind == IMPORT_JSON_STRING && v[FIELD_CATEGORY].len) {
		node.binary = put_text(t, &v[FIELD_CATEGORY]);
		if (!node.binary)
			return -ENOMEM;
	}
	if (import_is_text(&v[FIELD_PARENT])) {
		node.parent = put_id(t, v[FIELD_PARENT].text, v[FIELD_PARENT].len);
		if (!node.parent)
			return -ENOMEM;
	}
	t->nodes[at - 1] = node;
	return 0;
}

/* Innermost first. What goes round in circles ends where all nodes would have been passed. */
static int take_frames(struct import_trace_samples *t, uint32_t stack, size_t *ret_n)
{
	size_t n = 0;

	for (; stack && n < MIN(t->n_nodes, (size_t)DEPTH_MAX);
	     stack = t->nodes[stack - 1].parent) {
		const struct node *node = &t->nodes[stack - 1];
		const char *binary = import_strings_get(&t->texts, node->binary);

		if (!node->is_known)
			break;
		if (array_reserve(&t->frames, &t->frames_cap, n + 1, sizeof(*t->frames)) < 0)
			return -ENOMEM;
		t->frames[n++] = (struct import_frame){
			.name = node->name ? import_strings_get(&t->texts, node->name) : NULL,
			.binary = node->binary ? binary : NULL,
			.kernel = streq(binary, "[kernel]"),
		};
	}
	*ret_n = n;
	return 0;
}

static int hand_on(struct import_trace_samples *t, const struct sample *s)
{
	const uint32_t *thread = table_get(&t->threads, (uint64_t)s->pid << 32 | s->tid);
	struct import_sample sample = {
		.has_time = true,
		.waits = s->waits,
		.time_us = t->sink->epoch_us + (s->start_ns - (s->start_ns < 0 ? 999 : 0)) / 1000,
		.pid = s->pid,
		.tid = s->tid,
		.thread = thread ? import_strings_get(&t->texts, *thread) : NULL,
		.count = 1,
		.total_ns = s->ns,
	};
	size_t n = 0;
	int r;

	if (sample.time_us > IMPORT_MAX_US) {
		t->sink->notes[NOTE_HUGE]++;
		return 0;
	}
	r = take_frames(t, s->stack, &n);
	return r < 0 ? r : t->sink->sample(t->sink->arg, &sample, t->frames, n);
}

int import_trace_samples_finish(struct import_trace_samples *t, struct error *error)
{
	struct sample s;
	int r;

	t->sink->cpu_too = t->n_of[0] > 0;
	t->sink->waits_too = t->n_of[1] > 0;
	while ((r = import_sorter_next(t->sorter, &s, error)) > 0) {
		r = hand_on(t, &s);
		if (r < 0)
			return r;
	}
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_source_private.h"

#include "control/source_control.h"
#include "sonde/base/format.h"

/* How long threads that have ended are known. */
enum { KNOWN_MS = 10000 };

bool session_wants_sources(const struct session *s)
{
	for (size_t i = 0; s->probes && i < s->probes->n; i++)
		if (s->probes->points[i].role == ROLE_SOURCE)
			return true;
	return false;
}

static int check_options(const struct session *s, struct error *error)
{
	const struct session_options *o = &s->options;
	int r;

	if (!o->begin && !o->stack_if && !o->n_inside)
		return 0;
	for (size_t i = 0; i < s->probes->n; i++)
		if (s->probes->points[i].role == ROLE_SPAN)
			return 0;
	r = error_set(error, EINVAL, "BadArgument",
		      "spans written in source code are known when they have ended: there is no %s",
		      o->begin	    ? "--begin"
		      : o->stack_if ? "--stack-if"
				    : "--inside");
	error_fix(error, "use --where");
	return r;
}

int session_sources_start(struct session *s, struct error *error)
{
	struct session_sources *sources;
	int r = check_options(s, error);

	if (r < 0)
		return r;
	sources = calloc(1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	sources->started_ns = now_monotonic_ns();
	r = source_tree_new(s, &sources->tree, error);
	if (r < 0) {
		session_sources_free(sources);
		return r;
	}
	for (size_t i = 0; i < s->probes->n && !s->options.stats_only; i++)
		sources->mixed |= s->probes->points[i].role == ROLE_SPAN;
	s->sources = sources;
	return 0;
}

static void release_thread(struct source_thread *t)
{
	free(t->called);
	free(t->marks);
}

struct session_sources *session_sources_free(struct session_sources *s)
{
	if (!s)
		return NULL;
	source_tree_free(s->tree);
	source_async_release(&s->async);
	table_release(&s->index);
	table_release(&s->by_tid);
	table_release(&s->path_index);
	free(s->paths);
	free(s->settled);
	free(s->held.data);
	for (size_t i = 0; i < s->n_threads; i++)
		release_thread(&s->threads[i]);
	free(s->threads);
	free(s);
	return NULL;
}

int session_sources_set_where(struct session *s, const char *where, struct error *error)
{
	return source_tree_set_where(s->sources->tree, where, error);
}

/* The only object that has spans, or that of the control's address. */
static uint32_t file_of(struct session *s, uint32_t pid, uint64_t control)
{
	const char *path = source_control_file(s->probes, pid, control);

	return path ? model_file(s->context->model, NULL, path, 0) : 0;
}

static uint64_t thread_key(uint32_t pid, uint32_t tid, uint64_t control)
{
	return hash_mix(hash_mix(source_tid_key(pid, tid), control), tid);
}

struct source_thread *session_sources_thread(struct session *s, uint32_t pid, uint32_t tid,
					     uint64_t control)
{
	struct session_sources *sources = s->sources;
	const uint64_t key = thread_key(pid, tid, control);
	struct source_thread *t;
	uint32_t *slot = table_get(&sources->index, key);

	if (slot) {
		t = &sources->threads[*slot];
		/* Controls are what programs say: one may be made to have the key of another. */
		return t->pid == pid && t->tid == tid && t->control == control ? t : NULL;
	}
	if (sources->n_threads >= SOURCE_MAX_THREADS ||
	    array_reserve(&sources->threads, &sources->cap, sources->n_threads + 1,
			  sizeof(*sources->threads)) < 0)
		return NULL;
	slot = table_put(&sources->index, key, NULL);
	if (!slot)
		return NULL;
	*slot = (uint32_t)sources->n_threads;
	t = &sources->threads[sources->n_threads++];
	*t = (struct source_thread){
		.pid = pid,
		.tid = tid,
		.control = control,
		.file = file_of(s, pid, control),
		.idle_ns = FLUSH_NS,
	};
	return t;
}

uint64_t session_sources_missed(struct session *s, bool ring_was_full)
{
	struct session_sources *sources = s->sources;
	uint64_t missed = sources->missed;

	sources->missed = 0;
	/* A batch may be missed some time after it was lost. */
	if (ring_was_full)
		sources->full_ns = now_monotonic_ns();
	return now_monotonic_ns() - sources->full_ns < 10 * NSEC_PER_SEC ? 0 : missed;
}

void session_sources_heard(struct session *s, const struct source_thread *t)
{
	uint32_t *slot = table_put(&s->sources->by_tid, source_tid_key(t->pid, t->tid), NULL);

	if (slot)
		*slot = (uint32_t)(t - s->sources->threads) + 1;
}

/* What it has left is on its way still, so it is known for a while. */
void session_sources_gone(struct session_sources *sources, struct source_thread *t,
			  uint64_t time_ns)
{
	t->block = 0;
	if (t->gone_ns)
		return;
	t->gone_ns = time_ns;
	if (!sources->first_gone_ns)
		sources->first_gone_ns = t->gone_ns;
}

void session_sources_begin_again(struct source_thread *t)
{
	t->sequence = t->drained = t->gone_ns = 0;
}

void session_sources_exited(struct session *s, uint32_t pid)
{
	struct session_sources *sources = s->sources;

	for (size_t i = 0; i < sources->n_threads; i++)
		if (sources->threads[i].pid == pid)
			session_sources_gone(sources, &sources->threads[i], now_monotonic_ns());
}

void session_sources_forget(struct session *s)
{
	struct session_sources *sources = s->sources;
	_cleanup_(table_release) struct table heard = {};
	uint64_t now = now_monotonic_ns();
	size_t kept = 0;

	if (!sources->first_gone_ns || now - sources->first_gone_ns < KNOWN_MS * NSEC_PER_MSEC)
		return;
	sources->first_gone_ns = 0;
	table_clear(&sources->index);
	heard = sources->by_tid;
	sources->by_tid = (struct table){};
	for (size_t i = 0; i < sources->n_threads; i++) {
		struct source_thread *t = &sources->threads[i];
		uint32_t *slot, *last;

		if (t->gone_ns && now - t->gone_ns >= KNOWN_MS * NSEC_PER_MSEC) {
			release_thread(t);
			continue;
		}
		if (t->gone_ns && !sources->first_gone_ns)
			sources->first_gone_ns = t->gone_ns;
		sources->threads[kept] = *t;
		slot = table_put(&sources->index, thread_key(t->pid, t->tid, t->control), NULL);
		if (!slot) {
			release_thread(t);
			continue;
		}
		*slot = (uint32_t)kept;
		/* Calls that come before its next batch are in the same object still. */
		last = table_get(&heard, source_tid_key(t->pid, t->tid));
		if (last && *last == i + 1)
			session_sources_heard(s, &sources->threads[kept]);
		kept++;
	}
	sources->n_threads = kept;
}

static void learn_name(struct session *s, uint32_t pid, const struct source_item *item)
{
	const struct model_process *p =
		model_process_peek(s->context->model, processes_find(s->context->processes, pid));

	/* Of nobody that is known: of nobody. */
	source_names_learn(s->context->source_names, pid, p ? p->uid : UINT32_MAX, item);
}

/* Names, and which site each path ends in: also of what ends behind what is inside it. */
static void learn(struct session *s, struct source_batch b, const struct source_origin *from,
		  uint32_t file)
{
	struct source_tree *tree = s->sources->tree;
	struct source_item item;

	while (source_batch_next(&b, &item) > 0) {
		if (item.kind == SONDE_RECORD_SITE || item.kind == SONDE_RECORD_KEY)
			learn_name(s, from->pid, &item);
		else if (item.kind == SONDE_RECORD_SPAN)
			source_tree_note(tree, item.path, item.site, file);
	}
	for (size_t i = 0; i < from->n_open; i++)
		source_tree_note(tree, from->open[i].path, from->open[i].site, file);
}

/*
 * Where to go on in a batch; false: all of it is known. A batch that has left counts what went
 * missing before it.
 */
static bool place_in(struct session *s, struct source_thread *t, const struct source_batch *b,
		     bool has_left, size_t *ret_offset)
{
	uint64_t sequence = b->head.sequence;

	*ret_offset = 0;
	if (b->head.flags & SONDE_BATCH_SIMPLE)
		return true;
	/* Blocks are taken over by threads that come later, and so may their numbers be. */
	if (sequence < t->sequence && sequence == 1)
		t->sequence = t->drained = 0;
	if (sequence <= t->sequence)
		return false;
	if (sequence == t->drained)
		*ret_offset = t->drained_bytes;
	if (!has_left) {
		t->drained = sequence;
		t->drained_bytes = (uint32_t)b->size;
		return true;
	}
	if (t->sequence && sequence > t->sequence + 1)
		s->sources->missed += sequence - t->sequence - 1;
	t->sequence = sequence;
	return true;
}

/* Where a record of the batch is among all of the thread's. */
static uint64_t place_of(const struct source_batch *b)
{
	return b->head.flags & SONDE_BATCH_SIMPLE ? 0 : source_at(b->head.sequence, b->pos);
}

void session_sources_take(struct session *s, const struct source_origin *from, const void *data,
			  size_t size)
{
	struct sonde_anchor now = source_control_clock();
	struct source_item item;
	struct source_thread *t;
	struct source_batch b;
	uint64_t at;
	size_t offset;
	uint32_t tid = from->tid;
	int r;

	if (source_batch_open(data, size, &now, &b) < 0) {
		s->window.losses[LOSS_BATCH]++;
		return;
	}
	/* One that another thread has sent is known by the number it has in its own namespace. */
	if (b.head.flags & SONDE_BATCH_EXIT && b.head.pid == from->pid)
		tid = b.head.tid;
	t = session_sources_thread(s, from->pid, tid, b.head.control);
	if (!t) {
		s->window.losses[LOSS_NO_MEMORY]++;
		return;
	}
	if (t->gone_ns && from->time_ns > t->gone_ns && !(b.head.flags & SONDE_BATCH_EXIT))
		session_sources_begin_again(t);
	t->heard_ns = from->time_ns;
	t->idle_ns = FLUSH_NS;
	if (from->block) {
		t->block = from->block;
		t->block_tid = b.head.tid;
	}
	s->sources->last_file = t->file;
	session_sources_heard(s, t);
	learn(s, b, from, t->file);
	if (place_in(s, t, &b, b.head.bytes != 0, &offset)) {
		source_batch_seek(&b, offset);
		while (at = place_of(&b), (r = source_batch_next(&b, &item)) > 0)
			session_sources_add(s, t, from, &item, at);
		session_sources_taken(t, place_of(&b));
		s->window.losses[LOSS_BATCH] += r < 0;
		s->window.losses[LOSS_PROGRAM] += b.dropped;
	}
	if (from->ended) {
		session_sources_add_open(s, t, from, &b);
		session_sources_gone(s->sources, t, from->time_ns);
	}
}

void session_add_source(struct session *s, const struct record_source *r)
{
	size_t batch = ((size_t)r->bytes + 7) & ~(size_t)7;
	struct source_origin from = {
		.pid = r->pid,
		.tid = r->tid,
		.time_ns = r->time_ns,
		.block = r->block,
		.ended = r->h.flags & SOURCE_ENDED,
		.n_open = r->n_open,
	};
	struct sonde_open open[SONDE_MAX_OPEN];

	if (!s->sources)
		return;
	if (!r->bytes) {
		session_sources_found(s, r->pid, r->tid, r->block, r->time_ns);
		return;
	}
	memcpy(open, r->data + batch, r->n_open * sizeof(open[0]));
	from.open = open;
	session_sources_take(s, &from, r->data, r->bytes);
}

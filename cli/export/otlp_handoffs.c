/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "otlp_handoffs.h"

/* Of spans that are no scopes: what is kept of them takes 20 MiB at most, and 8 MiB what is kept of
 * trace contexts. */
enum { MAX_HANDOFFS = 1 << 18 };

/* A span that is no scope. */
struct handoff {
	uint32_t process, thread, end_tid;
	bool is_known; /* the span was seen in order: id is set */
	bool goes_on;  /* another span has ended it: number is set */
	uint64_t start_ns, end_ns;
	uint64_t number; /* of the span that ended it */
	struct otlp_id id;
};

enum phase { SEEING, FOLLOWING, PLACING };

struct otlp_handoffs {
	enum phase phase;
	struct handoff *items; /* in the order in which they end, by process and thread, … */
	size_t n, cap;	       /* … then those that link, in the order of numbers */
	uint64_t left_out;
	struct table contexts; /* key of the span → index of its process */
	struct otlp_nest nest;
	size_t next, end; /* of the thread that is followed: those whose end is to come; of places:
			     those that are to come */
	struct otlp_link links[OTLP_MAX_LINKS];
};

struct otlp_handoffs *otlp_handoffs_new(void)
{
	return calloc(1, sizeof(struct otlp_handoffs));
}

struct otlp_handoffs *otlp_handoffs_free(struct otlp_handoffs *h)
{
	if (!h)
		return NULL;
	otlp_nest_release(&h->nest);
	table_release(&h->contexts);
	free(h->items);
	free(h);
	return NULL;
}

static int see_context(struct otlp_handoffs *h, uint32_t process, const struct otlp_context *c)
{
	uint32_t *slot;

	if (h->contexts.len >= OTLP_MAX_CONTEXTS)
		return 0;
	slot = table_put(&h->contexts, otlp_span_key(c->id.span), NULL);
	if (!slot)
		return -ENOMEM;
	*slot = process;
	return 0;
}

/* The thread that ended it; as numbers are text in the details. */
static bool read_end_tid(const struct exported_span *span, uint32_t *ret)
{
	const char *text = reply_str(reply_get(span->details, "args"), "end_tid");
	char *end;
	unsigned long tid = strtoul(text, &end, 10);

	if (!*text || *end || tid > UINT32_MAX)
		return false;
	*ret = (uint32_t)tid;
	return true;
}

int otlp_handoffs_see(struct otlp_handoffs *h, const struct span_source *source,
		      const struct exported_span *span)
{
	struct handoff item = {.process = source->threads[span->thread].process,
			       .thread = span->thread,
			       .start_ns = span->start_ns,
			       .end_ns = otlp_end_ns(span)};
	struct otlp_context context;

	if (!span->details)
		return 0;
	if (otlp_context_of(span, &context))
		return see_context(h, item.process, &context);
	if (!(span->flags & EXPORTED_ASYNC) || !read_end_tid(span, &item.end_tid))
		return 0;
	if (h->n >= MAX_HANDOFFS) {
		h->left_out++;
		return 0;
	}
	if (array_reserve(&h->items, &h->cap, h->n + 1, sizeof(*h->items)) < 0)
		return -ENOMEM;
	h->items[h->n++] = item;
	return 0;
}

bool otlp_handoffs_have_any(const struct otlp_handoffs *h)
{
	return h->n > 0;
}

#define COMPARE(a, b)                                                                              \
	do {                                                                                       \
		if ((a) != (b))                                                                    \
			return (a) < (b) ? -1 : 1;                                                 \
	} while (0)

static int compare_ends(const void *pa, const void *pb)
{
	const struct handoff *a = pa, *b = pb;

	COMPARE(a->process, b->process);
	COMPARE(a->end_tid, b->end_tid);
	COMPARE(a->end_ns, b->end_ns);
	COMPARE(a->start_ns, b->start_ns);
	return 0;
}

static int compare_numbers(const void *pa, const void *pb)
{
	const struct handoff *a = pa, *b = pb;

	COMPARE(!a->goes_on, !b->goes_on);
	COMPARE(a->number, b->number);
	return compare_ends(pa, pb);
}

/* The first that is not before it. */
static size_t find(const struct otlp_handoffs *h, const struct handoff *item)
{
	size_t low = 0, high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_ends(&h->items[middle], item) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Those that end before that time, on the thread that is followed: the span that is open then goes
 * on with what they are. */
static void end_until(struct otlp_handoffs *h, uint64_t ns)
{
	for (; h->next < h->end && h->items[h->next].end_ns < ns; h->next++) {
		struct handoff *item = &h->items[h->next];
		const struct otlp_open *open = otlp_nest_at(&h->nest, item->end_ns);

		/* What is around its beginning, too, is its parent or around that: nobody else. */
		if (!open ||
		    (item->thread + 1 == h->nest.thread && open->start_ns <= item->start_ns))
			continue;
		item->goes_on = true;
		item->number = open->number;
	}
}

static void follow_thread(struct otlp_handoffs *h, const struct span_source *source,
			  uint32_t thread)
{
	const struct exported_thread *t = &source->threads[thread];
	struct handoff key = {.process = t->process, .end_tid = t->tid};

	h->next = find(h, &key);
	key.end_ns = key.start_ns = UINT64_MAX;
	h->end = find(h, &key);
}

static void learn_id(struct otlp_handoffs *h, const struct span_source *source,
		     const struct exported_span *span, const struct otlp_id *id)
{
	struct handoff key = {.process = source->threads[span->thread].process,
			      .start_ns = span->start_ns,
			      .end_ns = otlp_end_ns(span)};
	size_t i;

	if (!read_end_tid(span, &key.end_tid))
		return;
	for (i = find(h, &key); i < h->n && compare_ends(&h->items[i], &key) == 0; i++) {
		if (h->items[i].is_known || h->items[i].thread != span->thread)
			continue;
		h->items[i].is_known = true;
		h->items[i].id = *id;
		return;
	}
}

int otlp_handoffs_follow(struct otlp_handoffs *h, const struct span_source *source,
			 const struct exported_span *span)
{
	struct otlp_place place;
	struct otlp_open around;
	int r;

	if (h->phase == SEEING) {
		h->phase = FOLLOWING;
		qsort(h->items, h->n, sizeof(*h->items), compare_ends);
	}
	if (h->nest.thread != span->thread + 1) {
		end_until(h, UINT64_MAX);
		follow_thread(h, source, span->thread);
	}
	end_until(h, span->start_ns);
	r = otlp_nest_span(&h->nest, source, &h->contexts, span, &place, &around);
	if (r >= 0 && span->flags & EXPORTED_ASYNC)
		learn_id(h, source, span, &place.id);
	return r;
}

/* All is known: those that link, in the order of the spans that have the links. */
static void begin_places(struct otlp_handoffs *h)
{
	if (h->phase == FOLLOWING) {
		end_until(h, UINT64_MAX);
		for (size_t i = 0; i < h->n; i++)
			h->items[i].goes_on &= h->items[i].is_known;
		qsort(h->items, h->n, sizeof(*h->items), compare_numbers);
	}
	otlp_nest_release(&h->nest);
	h->next = 0;
	h->phase = PLACING;
}

static void add_link(struct otlp_handoffs *h, struct otlp_place *place, const struct otlp_id *to,
		     const char *kind)
{
	if (place->n_links == OTLP_MAX_LINKS) {
		place->dropped_links++;
		return;
	}
	h->links[place->n_links++] = (struct otlp_link){.to = *to, .kind = kind};
}

int otlp_handoffs_place(struct otlp_handoffs *h, const struct span_source *source,
			const struct exported_span *span, struct otlp_place *ret)
{
	struct otlp_open around;
	uint64_t number;
	int r;

	if (h->phase != PLACING)
		begin_places(h);
	number = h->nest.n;
	r = otlp_nest_span(&h->nest, source, &h->contexts, span, ret, &around);
	if (r < 0)
		return r;
	ret->links = h->links;
	if (around.end_ns)
		add_link(h, ret, &around.id, "around");
	for (; h->next < h->n && h->items[h->next].goes_on && h->items[h->next].number == number;
	     h->next++)
		add_link(h, ret, &h->items[h->next].id, "async");
	return 0;
}

uint64_t otlp_handoffs_left_out(const struct otlp_handoffs *h)
{
	return h->left_out;
}

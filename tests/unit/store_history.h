/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rolling store against a model of it: a table of texts. Random windows go in, by several
 * sessions and several models of the daemon; what comes out must be equal.
 */
#ifndef SONDE_TESTS_STORE_HISTORY_H
#define SONDE_TESTS_STORE_HISTORY_H

#include "store/history.h"
#include "store/history_load.h"
#include "store_help.h"

#define EPOCH_US   1700000400000000ULL /* at a full ten minutes */
#define WINDOW_NS  (10 * NSEC_PER_SEC)
#define MINUTE_US  60000000ULL
#define NOTHING_US (1000000 * MINUTE_US)

static const struct history_limits wide = {
	.max_bytes = 1 << 30,
	.max_age_us = NOTHING_US,
	.fine_us = NOTHING_US,
	.medium_us = NOTHING_US,
};

struct live {
	struct history *h;
	struct recorded rec;
	struct history_sent sent;
	int64_t session;
	uint64_t clock_ns; /* of windows */
};

static inline struct history *open_history(const struct history_limits *limits,
					   struct history_found *found)
{
	struct history_found ours = {};
	struct history *h = NULL;
	struct error e = {};

	cr_assert_eq(history_open(dir, limits, &e, found ? found : &ours, &h), 0, "%s", e.message);
	free(ours.set_aside);
	return h;
}

static inline void begin_live(struct live *l, const struct history_limits *limits)
{
	struct store_session session = a_session();
	struct error e = {};

	*l = (struct live){.h = open_history(limits, NULL), .clock_ns = 600 * NSEC_PER_SEC};
	session.monotonic_to_epoch_ns = (int64_t)(EPOCH_US * 1000);
	begin(&l->rec);
	l->rec.lives_are_long = true;
	l->rec.frames_stay = true; /* what is compared is a text of the moment */
	cr_assert_eq(history_begin_session(l->h, &session, &e, &l->session), 0, "%s", e.message);
}

static inline void end_live(struct live *l)
{
	l->h = history_free(l->h);
	history_sent_release(&l->sent);
	end(&l->rec);
}

/* As when the daemon begins a new model: ids start again. */
static inline void renew_model(struct live *l)
{
	model_free(l->rec.model);
	cr_assert_eq(model_new(&l->rec.model), 0);
	history_sent_reset(&l->sent);
}

/* What a window says, without ids: lines of text with numbers, sorted, equal lines added up. */
struct line {
	char *text;
	uint64_t a, b;
};

struct lines {
	struct line *items;
	size_t n, cap;
};

static inline void lines_release(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].text);
	free(l->items);
}

static inline void add_line(struct lines *l, char *text, uint64_t a, uint64_t b)
{
	cr_assert_eq(array_reserve(&l->items, &l->cap, l->n + 1, sizeof(*l->items)), 0);
	l->items[l->n++] = (struct line){text, a, b};
}

static inline int by_text(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->text, ((const struct line *)b)->text);
}

static inline void settle(struct lines *l)
{
	size_t n = 0;

	qsort(l->items, l->n, sizeof(*l->items), by_text);
	for (size_t i = 0; i < l->n; i++) {
		if (n > 0 && streq(l->items[n - 1].text, l->items[i].text)) {
			l->items[n - 1].a += l->items[i].a;
			l->items[n - 1].b += l->items[i].b;
			free(l->items[i].text);
		} else {
			l->items[n++] = l->items[i];
		}
	}
	l->n = n;
}

static inline void print_frame(FILE *out, struct model *m, uint32_t id)
{
	const struct model_frame *f = model_frame_peek(m, id);
	const struct model_file *mapped = model_file_get(m, f->file);
	const char *path = mapped ? model_string_get(m, mapped->path) : "";
	_cleanup_(freep) char *name = NULL;

	if (f->function)
		name = strdup(model_string_get(m, f->function));
	else if (mapped)
		name = name_of(&rng, mapped, path, f->offset);
	fprintf(out, ";%s:%s:%llx", path, name ? name : "", (unsigned long long)f->offset);
}

static inline char *sample_text(struct model *m, const struct sample_row *row)
{
	const struct model_process *p = model_process_peek(m, row->process);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "s %u %llu %s %u", p->pid, (unsigned long long)p->start_ns,
		model_string_get(m, row->thread), row->kind);
	for (uint32_t id = row->stack; id; id = model_stack_get(m, id)->parent)
		print_frame(out, m, model_stack_get(m, id)->frame);
	fclose(out);
	return text;
}

static inline char *path_text(struct model *m, uint32_t process, uint32_t path, const char *prefix)
{
	const struct model_process *p = model_process_peek(m, process);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "%s %u %llu", prefix, p->pid, (unsigned long long)p->start_ns);
	for (; path; path = model_path_get(m, path)->parent) {
		const struct model_probe *probe =
			model_probe_get(m, model_path_get(m, path)->probe);

		fprintf(out, ";%s %s %llx", model_string_get(m, probe->spec),
			model_string_get(m, probe->symbol), (unsigned long long)probe->offset);
	}
	fclose(out);
	return text;
}

static inline void describe(struct lines *l, struct model *m, const struct window *w)
{
	for (size_t i = 0; i < w->n_samples; i++)
		add_line(l, sample_text(m, &w->samples[i]), w->samples[i].count,
			 w->samples[i].kind == SAMPLE_OFFCPU ? w->samples[i].total_ns : 0);
	for (size_t i = 0; i < w->n_stats; i++) {
		const struct span_stat *s = &w->stats[i];

		add_line(l, path_text(m, s->process, s->path, "c"), s->calls, s->total_ns);
		add_line(l, path_text(m, s->process, s->path, "q"), s->errors,
			 hist_count(&s->hist));
	}
	for (int i = 0; i < LOSS_COUNTERS; i++) {
		char *text;

		if (w->losses[i] && asprintf(&text, "l %d", i) > 0)
			add_line(l, text, w->losses[i], 0);
	}
}

static inline void describe_spans(struct lines *l, struct model *m, const struct raw_span *spans,
				  size_t n, const struct more_pool *pool)
{
	for (size_t i = 0; i < n; i++) {
		struct span_more more = more_pool_get(pool, i);
		_cleanup_(freep) char *path = path_text(m, spans[i].process, spans[i].path, "");
		char *text;

		cr_assert(asprintf(&text, "r %llu %llu %u %u %s|%s|%s",
				   (unsigned long long)spans[i].start_ns,
				   (unsigned long long)spans[i].duration_ns, spans[i].tid,
				   more.stack ? model_stack_get(m, more.stack)->depth : 0, path,
				   model_string_get(m, more.exception_type),
				   model_string_get(m, more.exception_message)) > 0);
		add_line(l, text, spans[i].ret >> 1, 1);
	}
}

static inline void next_window(struct live *l, struct window *w)
{
	grow_model(&l->rec);
	random_window(&l->rec, w);
	w->start_ns = l->clock_ns;
	l->clock_ns += WINDOW_NS;
	w->end_ns = l->clock_ns - 1;
}

/* Writes a random window, and adds what it says. */
static inline void write_next(struct live *l, struct lines *want)
{
	_cleanup_(history_batch_freep) struct history_batch *b = NULL;
	struct window w = {};
	struct error e = {};

	next_window(l, &w);
	if (want) {
		describe(want, l->rec.model, &w);
		describe_spans(want, l->rec.model, w.spans, w.n_spans, &w.more);
	}
	cr_assert_eq(history_batch_new(l->rec.model, &w, &l->sent, &b), 0);
	cr_assert_eq(write_announced(l->h, l->session, b, &e), 0, "%s", e.message);
}

/* What is asked for at once: samples of a kind, with or without the rest. */
static inline void load_kind(enum sample_kind kind, bool rest, uint64_t since_us, uint64_t until_us,
			     struct lines *ret, uint64_t *ret_windows)
{
	const struct history_range range = {.since_us = since_us,
					    .until_us = until_us,
					    .samples = true,
					    .kind = kind,
					    .spans = rest,
					    .raw = rest};
	struct history_part part = {};
	struct model *m = NULL;
	struct error e = {};
	char path[64];

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	cr_assert_eq(model_new(&m), 0);
	cr_assert_eq(history_load(path, &range, m, &e, &part), 0, "%s", e.message);
	if (!rest) /* they are asked for with the rest */
		memset(part.total.losses, 0, sizeof(part.total.losses));
	describe(ret, m, &part.total);
	for (size_t i = 0; i < part.n_sets; i++)
		describe_spans(ret, m, part.sets[i].spans, part.sets[i].n, &part.sets[i].more);
	if (ret_windows)
		*ret_windows = part.windows;
	history_part_release(&part);
	model_free(m);
}

static inline void load_lines(uint64_t since_us, uint64_t until_us, struct lines *ret,
			      uint64_t *ret_windows)
{
	load_kind(SAMPLE_CPU, true, since_us, until_us, ret, ret_windows);
	load_kind(SAMPLE_OFFCPU, false, since_us, until_us, ret, NULL);
	settle(ret);
}

static inline void compare_lines(struct lines *want, struct lines *got)
{
	settle(want);
	settle(got);
	for (size_t i = 0; i < MIN(want->n, got->n); i++)
		cr_assert(streq(want->items[i].text, got->items[i].text) &&
				  want->items[i].a == got->items[i].a &&
				  want->items[i].b == got->items[i].b,
			  "%s: %llu %llu\n%s: %llu %llu", want->items[i].text,
			  (unsigned long long)want->items[i].a,
			  (unsigned long long)want->items[i].b, got->items[i].text,
			  (unsigned long long)got->items[i].a, (unsigned long long)got->items[i].b);
	cr_assert_eq(want->n, got->n);
}

static inline void check_equal(struct lines *want, uint64_t since_us, uint64_t until_us)
{
	_cleanup_(lines_release) struct lines got = {};

	load_lines(since_us, until_us, &got, NULL);
	compare_lines(want, &got);
}

static inline uint64_t now_of(const struct live *l)
{
	return EPOCH_US + l->clock_ns / 1000;
}

#endif

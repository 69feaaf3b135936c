/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two sides of planted calls and samples, compared: what the tests of compare and gate share. */
#ifndef TEST_COMPARE_HELP_H
#define TEST_COMPARE_HELP_H

#include <criterion/criterion.h>

#include "query/compare.h"

enum { MAX_WINDOWS = 64 };

struct side {
	struct model *m;
	struct window windows[MAX_WINDOWS];
	size_t n;
	struct snapshot *s;
	uint32_t probes[128]; /* by the letter that is their name */
};

struct two {
	struct side sides[COMPARE_SIDES];
	struct comparison *c;
};

static inline void two_init(struct two *t, size_t before, size_t after)
{
	*t = (struct two){};
	t->sides[0].n = before;
	t->sides[1].n = after;
	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		cr_assert_eq(model_new(&t->sides[i].m), 0);
		for (size_t w = 0; w < t->sides[i].n; w++) {
			t->sides[i].windows[w].start_ns = w * NSEC_PER_SEC;
			t->sides[i].windows[w].end_ns = (w + 1) * NSEC_PER_SEC;
		}
	}
}

static inline void two_release(struct two *t)
{
	comparison_free(t->c);
	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		snapshot_free(t->sides[i].s);
		for (size_t w = 0; w < t->sides[i].n; w++)
			window_release(&t->sides[i].windows[w]);
		model_free(t->sides[i].m);
	}
}

static inline uint32_t process_of(struct side *s)
{
	uint32_t id = model_process(s->m, 7, 7000);

	model_process_get(s->m, id)->comm = model_string(s->m, "app");
	return id;
}

/* "f", or "f>g" for g called by f. */
static inline uint32_t path_of(struct side *s, const char *path)
{
	uint32_t id = 0;

	for (; *path; path++) {
		char name[] = {*path, '\0'};
		uint32_t *probe = &s->probes[(uint8_t)*path];

		if (*path == '>')
			continue;
		if (!*probe)
			*probe = model_probe(
				s->m, &(struct model_probe){
					      .spec = model_string(s->m, "*"),
					      .symbol = model_string(s->m, name),
					      .file = model_file(s->m, NULL, "/bin/app", 0)});
		id = model_path(s->m, id, *probe);
	}
	cr_assert_neq(id, 0);
	return id;
}

static inline void calls(struct side *s, size_t window, const char *path, size_t n, uint64_t ns,
			 uint16_t flags)
{
	struct raw_span span = {.process = process_of(s),
				.path = path_of(s, path),
				.duration_ns = ns,
				.self_ns = ns,
				.flags = flags};

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(window_add_span(&s->windows[window], &span, NULL, false), 0);
}

static inline void samples(struct side *s, size_t window, const char *stack, uint64_t n)
{
	uint32_t file = model_file(s->m, NULL, "/bin/app", 0), id = 0;

	for (; *stack; stack++)
		id = model_stack(s->m, id, model_frame(s->m, file, (uint8_t)*stack));
	cr_assert_eq(window_add_sample(&s->windows[window], process_of(s), model_string(s->m, "t"),
				       id, n),
		     0);
}

static inline uint32_t stack_of(struct side *s, const char *stack)
{
	uint32_t file = model_file(s->m, NULL, "/bin/app", 0), id = 0;

	for (; *stack; stack++)
		id = model_stack(s->m, id, model_frame(s->m, file, (uint8_t)*stack));
	return id;
}

static inline void waits(struct side *s, size_t window, const char *stack, uint64_t n, uint64_t ns)
{
	cr_assert_eq(window_add_row(&s->windows[window],
				    &(struct sample_row){.process = process_of(s),
							 .thread = model_string(s->m, "t"),
							 .stack = stack_of(s, stack),
							 .kind = SAMPLE_OFFCPU,
							 .count = n,
							 .total_ns = ns}),
		     0);
}

static inline char *resolve(void *arg, const struct model_file *file, const char *path,
			    uint64_t offset)
{
	char name[] = {(char)offset, '\0'};

	(void)arg;
	(void)file;
	(void)path;
	return strdup(name);
}

static inline struct comparison *compare_at(struct two *t, enum query_kind kind, enum compare_by by,
					    double drift)
{
	const struct snapshot *snapshots[COMPARE_SIDES];

	for (size_t i = 0; i < COMPARE_SIDES; i++) {
		struct side *s = &t->sides[i];
		const struct window *windows[MAX_WINDOWS];

		for (size_t w = 0; w < s->n; w++)
			windows[w] = &s->windows[w];
		s->s = snapshot_free(s->s);
		cr_assert_eq(snapshot_take_apart(s->m, windows, s->n, NULL, query_parts(kind),
						 NSEC_PER_SEC / 100, &s->s),
			     0);
		cr_assert_eq(snapshot_name_frames(s->s, resolve, NULL), 0);
		snapshots[i] = s->s;
	}
	t->c = comparison_free(t->c);
	cr_assert_eq(query_compare(snapshots, kind, by, 0.95, drift, &t->c), 0);
	return t->c;
}

static inline struct comparison *compare(struct two *t, enum query_kind kind, enum compare_by by)
{
	return compare_at(t, kind, by, 0);
}

static inline const struct compare_row *row(const struct two *t, const char *key)
{
	for (size_t i = 0; i < t->c->n_rows; i++)
		if (streq(t->c->rows[i].key, key))
			return &t->c->rows[i];
	cr_assert_fail("no row %s", key);
	return NULL;
}

#endif

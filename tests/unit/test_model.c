/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model against naive ones: linear searches and arrays that cannot be wrong in the same way. */
#include <criterion/criterion.h>
#include <math.h>

#include "model/model.h"
#include "model/window.h"
#include "sonde/base/format.h"

/* SONDE_TEST_SEED repeats a run that failed. */
static uint64_t rng;

static void seed_rng(void)
{
	const char *fixed = getenv("SONDE_TEST_SEED");

	rng = fixed ? strtoull(fixed, NULL, 0) : now_monotonic_ns() ^ ((uint64_t)getpid() << 32);
	fprintf(stderr, "seed 0x%llx\n", (unsigned long long)rng);
}

static uint64_t next_random(void)
{
	uint64_t z = (rng += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return next_random() % n;
}

static struct model *new_model(void)
{
	struct model *m = NULL;

	cr_assert_eq(model_new(&m), 0);
	return m;
}

Test(model, strings_match_a_linear_search)
{
	enum { ROUNDS = 20000, MAX = 3000 };
	static char naive[MAX][12];
	struct model *m = new_model();
	uint32_t n = 1;

	seed_rng();
	strcpy(naive[0], "[kernel]");
	for (int i = 0; i < ROUNDS; i++) {
		char s[12] = "";
		size_t len = below(6);
		uint32_t want = 0, id;

		for (size_t j = 0; j < len; j++)
			s[j] = (char)('a' + below(4));
		for (uint32_t j = 0; j < n && !want; j++)
			want = streq(naive[j], s) ? j + 1 : 0;
		if (!want) {
			cr_assert_lt(n, MAX);
			memcpy(naive[n], s, sizeof(s));
			want = ++n;
		}
		id = below(2) ? model_string(m, s) : model_stringn(m, s, sizeof(s));
		cr_assert_eq(id, want, "'%s' is %u, not %u", s, id, want);
	}
	for (uint32_t j = 0; j < n; j++)
		cr_assert_str_eq(model_string_get(m, j + 1), naive[j]);
	cr_assert_str_eq(model_string_get(m, 0), "");
	cr_assert_str_eq(model_string_get(m, n + 1), "");
	model_free(m);
}

Test(model, strings_have_limits)
{
	struct model *m = new_model();
	size_t len = (1 << 20) + 1;
	char *s = malloc(len + 1);
	const char *first;
	uint32_t id;

	memset(s, 'x', len);
	s[len] = '\0';
	cr_assert_eq(model_string(m, s), 0, "longer than the limit");
	id = model_stringn(m, s, len - 1);
	cr_assert_neq(id, 0);
	cr_assert_eq(model_stringn(m, s, len - 1), id);
	cr_assert_eq(model_string(m, NULL), 0);
	cr_assert_eq(model_stringn(m, "ab\0cd", 5), model_string(m, "ab"), "NUL ends it");
	/* Text never moves, however many strings follow. */
	first = model_string_get(m, id);
	for (int i = 0; i < 20000; i++) {
		snprintf(s, len, "string %d", i);
		model_string(m, s);
	}
	cr_assert_eq(model_string_get(m, id), first);
	free(s);
	model_free(m);
}

Test(model, kernel_file_and_files)
{
	static const uint8_t id_a[BUILD_ID_LEN] = {1}, id_b[BUILD_ID_LEN] = {2};
	struct model *m = new_model();
	uint32_t a = model_file(m, id_a, "/bin/a", 0), b = model_file(m, id_b, "/bin/a", 0);
	uint32_t none = model_file(m, NULL, "/bin/a", 0);

	cr_assert_eq(model_file_get(m, FILE_ID_KERNEL)->flags, FILE_KERNEL);
	cr_assert_str_eq(model_string_get(m, model_file_get(m, FILE_ID_KERNEL)->path), "[kernel]");
	cr_assert(a && b && none && a != b && b != none && a != none);
	cr_assert_eq(model_file(m, id_a, "/bin/a", 0), a);
	cr_assert_eq(model_file(m, NULL, "/bin/a", 0), none);
	cr_assert_null(model_file_get(m, 0));
	cr_assert_null(model_file_get(m, none + 1));
	model_free(m);
}

Test(model, frames_whose_hashes_collide_stay_apart)
{
	struct model *m = new_model();
	uint32_t file = model_file(m, NULL, "/bin/a", 0);
	/* The hash of (file, offset) mixes the offset into that of the file by xor. */
	uint64_t twist = hash_mix(0, FILE_ID_KERNEL) ^ hash_mix(0, file);

	seed_rng();
	for (int i = 0; i < 1000; i++) {
		uint64_t offset = next_random();
		uint32_t a = model_frame(m, FILE_ID_KERNEL, offset);
		uint32_t b = model_frame(m, file, offset ^ twist);

		cr_assert_neq(a, b);
		cr_assert_eq(model_frame(m, FILE_ID_KERNEL, offset), a);
		cr_assert_eq(model_frame(m, file, offset ^ twist), b);
		cr_assert_eq(model_frame_get(m, b)->file, file);
		cr_assert_eq(model_frame_get(m, b)->offset, offset ^ twist);
	}
	cr_assert_eq(model_frame(m, file + 1, 0), 0, "no such file");
	model_free(m);
}

Test(model, one_place_may_have_several_names)
{
	_cleanup_(model_freep) struct model *m = NULL;
	struct model_counts counts;
	uint32_t file, jit, one, two, none, other;

	cr_assert_eq(model_new(&m), 0);
	file = model_file(m, NULL, "//anon", FILE_SPECIAL);
	jit = model_file(m, NULL, "[jit]", FILE_SPECIAL);
	one = model_named_frame(m, jit, 5, model_string(m, "one"));
	two = model_named_frame(m, jit, 5, model_string(m, "two"));
	cr_assert(one && two && one != two);
	cr_assert_eq(model_named_frame(m, jit, 5, model_string(m, "one")), one);
	cr_assert_neq(model_frame(m, jit, 5), one);
	cr_assert_eq(model_named_frame(m, jit, 5, 0), model_frame(m, jit, 5));
	cr_assert_eq(model_named_frame(m, jit, 5, 999), 0, "no such string");

	none = model_frame(m, file, 7);
	model_frame_become(m, none, model_frame_peek(m, one));
	cr_assert_eq(model_frame_peek(m, none)->file, jit);
	cr_assert_str_eq(model_string_get(m, model_frame_peek(m, none)->function), "one");
	other = model_frame(m, file, 7);
	cr_assert_neq(other, none, "what comes later at that place is something else");
	cr_assert_eq(model_frame(m, file, 7), other);
	model_frame_become(m, none, model_frame_peek(m, two));
	cr_assert_str_eq(model_string_get(m, model_frame_peek(m, none)->function), "one");
	model_counts(m, &counts);
	cr_assert_eq(counts.late, 1);
	cr_assert_eq(model_late_frame(m, 1), none);
	cr_assert_eq(model_late_frame(m, 2), 0);
}

Test(model, stacks_and_paths_match_a_linear_search)
{
	enum { ROUNDS = 4000 };
	static struct model_stack stacks[ROUNDS + 1];
	static struct model_path paths[ROUNDS + 1];
	uint32_t n_stacks = 0, n_paths = 0;
	struct model *m = new_model();

	seed_rng();
	for (uint64_t i = 0; i < 10; i++) {
		model_frame(m, FILE_ID_KERNEL, i);
		model_probe(m, &(struct model_probe){.offset = i});
	}
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t parent = below(MIN(n_stacks, 300) + 1), frame = 1 + below(10), want = 1;

		while (want <= n_stacks &&
		       (stacks[want].parent != parent || stacks[want].frame != frame))
			want++;
		n_stacks = MAX(n_stacks, want);
		stacks[want] = (struct model_stack){parent, frame, stacks[parent].depth + 1};
		cr_assert_eq(model_stack(m, parent, frame), want);
		cr_assert_eq(model_stack_get(m, want)->depth, stacks[want].depth);

		parent = below(MIN(n_paths, 300) + 1);
		for (want = 1; want <= n_paths; want++)
			if (paths[want].parent == parent && paths[want].probe == frame)
				break;
		n_paths = MAX(n_paths, want);
		paths[want] =
			(struct model_path){parent, frame, parent ? paths[parent].depth + 1 : 0};
		cr_assert_eq(model_path(m, parent, frame), want);
		cr_assert_eq(model_path_get(m, want)->depth, paths[want].depth);
	}
	cr_assert_eq(model_stack(m, n_stacks + 1, 1), 0);
	cr_assert_eq(model_stack(m, 0, 0), 0);
	cr_assert_eq(model_stack(m, 0, 11), 0);
	cr_assert_eq(model_path(m, 0, 11), 0);
	cr_assert_eq(model_path(m, n_paths + 1, 1), 0);
	model_free(m);
}

Test(model, depth_is_limited)
{
	struct model *m = new_model();
	uint32_t frame = model_frame(m, FILE_ID_KERNEL, 1), stack = 0, id;
	int depth = 0;

	while ((id = model_stack(m, stack, frame))) {
		stack = id;
		depth++;
	}
	cr_assert_eq(depth, MODEL_MAX_DEPTH);
	model_free(m);
}

/* An address space of 256 pages, page by page. */
enum { PAGES = 256, PAGE = 4096 };
struct naive_space {
	uint32_t file[PAGES];
	uint64_t offset[PAGES], since[PAGES];
};

static void check_space(struct model *m, uint32_t process, const struct naive_space *naive)
{
	const struct model_process *p = model_process_peek(m, process);

	for (size_t i = 1; i < p->n_mappings; i++)
		cr_assert_leq(p->mappings[i - 1].end, p->mappings[i].start);
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t in_page = below(PAGE), address = page * PAGE + in_page;
		uint64_t want = naive->file[page] ? naive->offset[page] + in_page : address;
		const struct model_frame *f =
			model_frame_get(m, model_frame_at(m, process, address));

		cr_assert_eq(f->file, naive->file[page], "page %u", (unsigned)page);
		cr_assert_eq(f->offset, want, "page %u", (unsigned)page);
	}
}

static void map_both(struct model *m, uint32_t process, struct naive_space *naive, uint64_t now)
{
	uint64_t first = below(PAGES), n = 1 + below(below(4) ? 8 : PAGES - first);
	uint64_t since = below(8) ? now : now - below(MIN(now, 200)), exec;
	struct model_mapping map = {
		.start = first * PAGE,
		.end = MIN(first + n, PAGES) * PAGE,
		.offset = below(1000) * PAGE,
		.since_ns = since,
		.file = 2 + below(5),
	};

	exec = model_process_peek(m, process)->exec_ns;
	cr_assert_eq(model_process_map(m, process, &map), 0);
	if (since < exec)
		return;
	for (uint64_t page = first; page < map.end / PAGE; page++) {
		naive->file[page] = map.file;
		naive->offset[page] = map.offset + (page - first) * PAGE;
		naive->since[page] = since;
	}
}

Test(model, mappings_match_a_page_table)
{
	enum { PROCESSES = 4 };
	static struct naive_space naive[PROCESSES];
	struct model *m = new_model();
	uint32_t ids[PROCESSES];

	seed_rng();
	for (int i = 0; i < 5; i++)
		model_file(m, NULL, (char[]){'f', (char)('a' + i), 0}, 0);
	for (int i = 0; i < PROCESSES; i++)
		ids[i] = model_process(m, 100 + i, NSEC_PER_SEC * (i + 1));
	for (uint64_t now = 1000; now < 6000; now++) {
		uint32_t i = below(PROCESSES), parent = below(PROCESSES);

		map_both(m, ids[i], &naive[i], now);
		if (below(100) == 0) {
			uint64_t exec = now - below(100);

			if (exec >= model_process_peek(m, ids[i])->exec_ns)
				for (int page = 0; page < PAGES; page++)
					if (naive[i].since[page] < exec)
						naive[i].file[page] = 0;
			model_process_exec(m, ids[i], exec);
		}
		if (below(50) == 0 && parent != i) {
			struct naive_space child = naive[i];

			cr_assert_eq(model_process_inherit(m, ids[i], ids[parent]), 0);
			if (!model_process_peek(m, ids[i])->exec_ns) {
				naive[i] = naive[parent];
				for (int page = 0; page < PAGES; page++) {
					if (!child.file[page])
						continue;
					naive[i].file[page] = child.file[page];
					naive[i].offset[page] = child.offset[page];
					naive[i].since[page] = child.since[page];
				}
			}
		}
		if (now % 16 == 0)
			check_space(m, ids[i], &naive[i]);
	}
	model_process_forget_mappings(m, ids[0]);
	cr_assert_eq(model_frame_get(m, model_frame_at(m, ids[0], 5))->file, 0);
	model_free(m);
}

Test(model, bad_mappings_are_refused)
{
	struct model *m = new_model();
	uint32_t p = model_process(m, 1, 1);
	struct model_mapping map = {.start = 10, .end = 10, .file = 1};

	cr_assert_eq(model_process_map(m, p, &map), -EINVAL);
	map.end = 9;
	cr_assert_eq(model_process_map(m, p, &map), -EINVAL);
	map = (struct model_mapping){.start = 1, .end = 2, .file = 2};
	cr_assert_eq(model_process_map(m, p, &map), -EINVAL, "no such file");
	map.file = 1;
	cr_assert_eq(model_process_map(m, p + 1, &map), -EINVAL, "no such process");
	cr_assert_eq(model_process_map(m, p, &map), 0);
	map = (struct model_mapping){.start = 0, .end = UINT64_MAX, .file = 1};
	cr_assert_eq(model_process_map(m, p, &map), 0);
	cr_assert_eq(model_process_peek(m, p)->n_mappings, 1);
	model_free(m);
}

Test(model, a_reused_pid_is_another_process)
{
	const uint64_t s = NSEC_PER_SEC, ms = NSEC_PER_MSEC;
	struct model *m = new_model();
	uint32_t a = model_process(m, 7, 100 * s), b, c, d;

	cr_assert_eq(model_process(m, 7, 100 * s), a);
	cr_assert_eq(model_process(m, 7, 0), a, "unknown start: the live one");
	cr_assert_eq(model_process(m, 7, 100 * s - 9 * ms), a, "a clock tick apart");
	cr_assert_eq(model_process_peek(m, a)->start_ns, 100 * s, "the exact one is kept");
	b = model_process(m, 7, 200 * s);
	cr_assert_neq(b, a);
	cr_assert_eq(model_process_find(m, 7), b);
	cr_assert_eq(model_process(m, 7, 100 * s), a, "the older one is still known");
	cr_assert_eq(model_process_find(m, 7), b, "and asking for it changes nothing");
	cr_assert_eq(model_process(m, 7, 0), b);
	c = model_process(m, 8, 0);
	cr_assert_eq(model_process(m, 8, 300 * s), c, "an unknown start becomes known");
	cr_assert_eq(model_process_peek(m, c)->start_ns, 300 * s);
	d = model_process(m, 9, 0);
	model_process_get(m, d)->flags |= PROCESS_EXITED;
	cr_assert_neq(model_process(m, 9, 400 * s), d, "but not that of one that has exited");
	cr_assert_eq(model_process_find(m, 10), 0);
	model_free(m);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t random_duration(void)
{
	return next_random() >> (20 + below(44));
}

Test(hist, quantiles_match_the_sorted_values)
{
	enum { N = 5000 };
	static uint64_t values[N];
	static const double qs[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};

	seed_rng();
	for (int round = 0; round < 20; round++) {
		struct hist h = {}, halves[2] = {};
		size_t n = 1 + below(N);

		for (size_t i = 0; i < n; i++) {
			values[i] = random_duration() & ((1ULL << 42) - 1);
			cr_assert_eq(hist_add(&h, values[i], 1), 0);
			cr_assert_eq(hist_add(&halves[i % 2], values[i], 1), 0);
		}
		cr_assert_eq(hist_merge(&halves[0], &halves[1]), 0);
		qsort(values, n, sizeof(*values), compare_u64);
		cr_assert_eq(hist_count(&h), n);
		cr_assert_eq(hist_count(&halves[0]), n);
		for (size_t i = 0; i < ARRAY_SIZE(qs); i++) {
			double rank = ceil(qs[i] * (double)n);
			uint64_t want = values[rank < 1 ? 0 : (size_t)rank - 1];
			uint64_t got = hist_quantile(&h, qs[i]);
			double off = fabs((double)got - (double)want);

			cr_assert_leq(off, (double)want / 64 + 0.5, "q %g: %llu, not %llu", qs[i],
				      (unsigned long long)got, (unsigned long long)want);
			cr_assert_eq(hist_quantile(&halves[0], qs[i]), got);
		}
		hist_release(&h);
		hist_release(&halves[0]);
		hist_release(&halves[1]);
	}
}

Test(hist, steps_are_half_octaves)
{
	static const uint64_t values[] = {3, 15, 16, 31, 47, 48, 95, 96, 127, 128};
	static const uint64_t wanted[] = {2, 2, 1, 1, 1, 2, 1};
	struct hist h = {}, empty = {};
	uint32_t first;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		cr_assert_eq(hist_add(&h, values[i], 1), 0);
	cr_assert_eq(hist_steps(&h, &first), ARRAY_SIZE(wanted));
	cr_expect_eq(first, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(wanted); i++)
		cr_expect_eq(hist_step_count(&h, i), wanted[i], "step %u", i);
	hist_release(&h);
	cr_expect_eq(hist_steps(&empty, &first), 0);
	cr_assert_eq(hist_add(&h, 1000, 5), 0);
	cr_expect_eq(hist_steps(&h, &first), 1);
	cr_expect_eq(hist_lower(first * HIST_STEP_BUCKETS), 768);
	cr_assert_eq(hist_add(&h, UINT64_MAX, 1), 0);
	cr_expect_eq(hist_steps(&h, &first), HIST_BUCKETS / HIST_STEP_BUCKETS - 11);
	hist_release(&h);
}

Test(hist, edges)
{
	struct hist h = {};

	cr_assert_eq(hist_quantile(&h, 0.5), 0);
	cr_assert_eq(hist_add_bucket(&h, HIST_BUCKETS, 1), -EINVAL);
	cr_assert_eq(hist_add(&h, UINT64_MAX, 1), 0);
	cr_assert_eq(hist_add(&h, 0, 1), 0);
	cr_assert_eq(hist_quantile(&h, 0), 0);
	cr_assert_eq(hist_quantile(&h, NAN), 0);
	cr_assert_eq(hist_quantile(&h, 5), hist_lower(HIST_BUCKETS - 1));
	hist_release(&h);
	for (uint32_t b = 0; b < HIST_BUCKETS; b++) {
		cr_assert_eq(hist_bucket(hist_lower(b)), b);
		if (b + 1 < HIST_BUCKETS)
			cr_assert_eq(hist_bucket(hist_lower(b + 1) - 1), b);
	}
}

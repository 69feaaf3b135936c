/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a recording. The input is a series of changes (position, byte) to a small good file that
 * is made at the start, so that the fuzzer begins behind SQLite's header; an input that begins with
 * "SQLite format 3" is taken as the whole file.
 */
#include "model/translate.h"
#include "recording_file.h"
#include "store/history_load.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct model *m, struct window *w)
{
	const uint8_t build_id[BUILD_ID_LEN] = {1};
	uint32_t p = model_process(m, 5, 7), f = model_file(m, build_id, "/bin/x", 0), stack = 0;
	uint32_t path_id = 0, probe;

	for (uint32_t i = 0; i < 20; i++) {
		stack = model_stack(m, stack, model_frame(m, f, i * 16));
		for (uint64_t k = 0; k < 3; k++)
			window_add_raw_sample(
				w,
				&(struct raw_sample){.time_ns = i * 40 + k,
						     .ns = i % 4,
						     .total_ns = i % 4 * k,
						     .process = p,
						     .tid = 5 + k,
						     .thread = model_string(m, "x"),
						     .stack = stack,
						     .kind = i % 4 ? SAMPLE_OFFCPU : SAMPLE_CPU,
						     .count = 1},
				true);
		probe = model_probe(m, &(struct model_probe){.file = f, .offset = i});
		path_id = model_path(m, path_id, probe);
		for (uint64_t k = 0; k < 20; k++)
			window_add_span(w,
					&(struct raw_span){.start_ns = i * 1000 + k,
							   .duration_ns = k << i,
							   .process = p,
							   .path = path_id},
					&(struct span_more){.args = (uint64_t[RECORD_ARGS]){k % 3}},
					true);
	}
	w->losses[LOSS_STACK] = 1;
	w->end_ns = 100;
}

static char *name_of(void *arg, const struct model_file *file, const char *name, uint64_t offset)
{
	char *s = NULL;

	(void)arg;
	(void)file;
	return asprintf(&s, "%s+%u", name, (unsigned)offset) < 0 ? NULL : s;
}

static int prepare(void *arg, const struct model_file *file, const char *name,
		   const uint64_t *offsets, size_t n)
{
	(void)arg, (void)file, (void)name, (void)offsets, (void)n;
	return 0;
}

static int get(void *arg, const struct model_file *file, uint64_t offset, size_t depth,
	       struct source_line *ret)
{
	(void)arg, (void)file;
	if (depth > offset / 16 % 3)
		return 0;
	*ret = (struct source_line){strdup(depth ? "f" : "in"), strdup("x.c"), 7};
	return ret->function && ret->file ? 1 : -ENOMEM;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct source_lines lines = {.prepare = prepare, .get = get};
	const struct store_names names = {.resolve = name_of, .symbol = name_of, .lines = &lines};
	const struct store_session session = {.name = "s", .targets = "t"};

	(void)argc;
	(void)argv;
	make_good(&session, &names, fill);
	return 0;
}

static int unpack(void *arg, const struct span_chunk *chunk)
{
	struct span_set set;

	if (store_unpack_chunk(arg, chunk, &set, NULL) == 0)
		span_set_release(&set);
	return 0;
}

static void check_lines(const struct model *m)
{
	struct model_counts have;

	model_counts(m, &have);
	for (uint32_t id = 0; id <= have.frames; id++) {
		size_t n = 0;
		const struct model_line *lines = model_lines_get(m, id, &n);

		if (n > MODEL_MAX_LINES || !lines != !n)
			abort();
		for (size_t i = 0; i < n; i++)
			if (lines[i].level != i || lines[i].function > have.strings ||
			    lines[i].source > have.strings)
				abort();
	}
}

static int each_window(void *arg, struct window *w)
{
	*(uint64_t *)arg += w->n_samples + w->n_raw;
	return 0;
}

static int each_event(void *arg, const struct history_event_row *row)
{
	*(uint64_t *)arg += row->time_us;
	return 0;
}

/* The other way to read a file: by parts. */
static void read_parts(void)
{
	const struct history_range range = {
		.samples = true, .spans = true, .raw = true, .raw_samples = true};
	struct history_part part = {};
	uint64_t sum = 0;

	for (int i = 0; i < 3; i++) {
		struct error e = {};
		struct model *m;
		int code;

		if (model_new(&m) < 0)
			return;
		code = i == 0	? history_load(bad_path, &range, m, &e, &part)
		       : i == 1 ? history_each_window(bad_path, &range, m, each_window, &sum, &e,
						      &part)
				: history_each_event(bad_path, &(struct history_events){},
						     each_event, &sum, &e);
		if (code < 0 && code != -ENOMEM && !e.name[0])
			abort();
		history_part_release(&part);
		model_free(m);
	}
}

static void read_samples(struct store_reader *r, struct translator *t)
{
	for (size_t i = 0; i < store_reader_sample_chunks(r); i++) {
		struct raw_sample_set set = {};
		struct error e = {};

		if (!store_reader_window(r, store_sample_chunk_window(r, i)))
			abort();
		if (store_read_samples(r, i, &set, &e) < 0 && !e.name[0])
			abort();
		if (translate_raw_samples(t, set.samples, set.n) < 0)
			abort();
		raw_sample_set_release(&set);
	}
}

/* As a replay reads it, and into a model that holds other recordings, too. */
static void read_whole(struct store_reader *r, const struct model *m)
{
	struct store_chunk_place *places = NULL;
	struct translator *t = NULL;
	struct model *to = NULL;
	struct window sum = {};
	struct error e = {};
	size_t n = 0;

	if (store_reader_places(r, &places, &n) < 0 || model_new(&to) < 0 ||
	    translator_new(m, to, &t) < 0)
		abort();
	for (size_t i = 0; i < n; i++) {
		struct span_set set = {};

		if (!store_reader_window(r, places[i].window))
			abort();
		if (store_read_place(r, &places[i], &set, &e) < 0 && !e.name[0])
			abort();
		for (size_t j = 0; j < set.n; j++) {
			struct span_more more = more_pool_get(&set.more, j);
			uint32_t process, path;

			if (translate_process(t, set.spans[j].process, &process) < 0 || !process ||
			    translate_path(t, set.spans[j].path, &path) < 0 || !path ||
			    translate_more(t, &more) < 0)
				abort();
		}
		span_set_release(&set);
	}
	read_samples(r, t);
	if (translate_window(t, store_reader_total(r), &sum) < 0 || translate_all_stacks(t) < 0)
		abort();
	check_lines(to);
	window_release(&sum);
	translator_free(t);
	model_free(to);
	free(places);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char magic[] = "SQLite format 3";
	struct store_reader *r = NULL;
	struct error e = {};
	struct model *m;
	int code;

	if (size >= sizeof(magic) && memcmp(data, magic, sizeof(magic)) == 0) {
		write_bad(data, size);
	} else {
		uint8_t *copy = malloc(good_size);

		if (!copy)
			return 0;
		memcpy(copy, good, good_size);
		for (; size >= 4; data += 4, size -= 4) {
			size_t at = data[0] | data[1] << 8 | (size_t)data[2] << 16;

			copy[at % good_size] = data[3];
		}
		write_bad(copy, good_size);
		free(copy);
	}
	if (model_new(&m) < 0)
		return 0;
	/* As store_open(), and windows besides. */
	code = store_open_apart(bad_path, m, &e, &r);
	if (code < 0 && (!e.name[0] || !e.message[0]))
		abort();
	if (code == 0) {
		check_lines(m);
		if (store_reader_window(r, store_reader_windows(r)) ||
		    !store_reader_window(r, 0) != !store_reader_windows(r))
			abort();
		store_each_chunk(r, unpack, r, &e);
		read_whole(r, m);
	}
	store_reader_free(r);
	model_free(m);
	read_parts();
	return 0;
}

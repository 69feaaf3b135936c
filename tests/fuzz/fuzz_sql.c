/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQL of a recording. The input is a query and, behind a NUL, a series of changes (position, byte)
 * to a small good file: neither what is asked nor what is asked of is trusted.
 */
#include "query/sql.h"
#include "recording_file.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct model *m, struct window *w)
{
	uint32_t p = model_process(m, 5, 7), f = model_file(m, NULL, "/bin/x", 0), stack = 0;
	uint32_t path_id = 0, probe;
	char name[] = "fa";

	for (uint32_t i = 0; i < 8; i++, name[1]++) {
		stack = model_stack(m, stack, model_frame(m, f, i * 16));
		window_add_raw_sample(w,
				      &(struct raw_sample){.time_ns = i * 1000,
							   .ns = i % 2 * 7,
							   .total_ns = i % 2 * 9,
							   .process = p,
							   .tid = 5,
							   .thread = model_string(m, "x"),
							   .stack = stack,
							   .kind = i % 2,
							   .count = 3},
				      true);
		probe = model_probe(m, &(struct model_probe){.file = f,
							     .offset = i,
							     .name = model_string(m, name)});
		path_id = model_path(m, path_id, probe);
		for (uint64_t k = 0; k < 9; k++)
			window_add_span(w,
					&(struct raw_span){.start_ns = i * 1000 + k,
							   .duration_ns = k << i,
							   .process = p,
							   .path = path_id},
					&(struct span_more){.args = (uint64_t[RECORD_ARGS]){k % 3},
							    .stack = stack},
					true);
	}
	w->losses[LOSS_STACK] = 1;
	w->end_ns = 10000;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct store_session session = {.name = "s", .targets = "t", .frequency = 99};
	const struct store_names names = {};

	(void)argc;
	(void)argv;
	make_good(&session, &names, fill);
	return 0;
}

/* Of three bytes each: where and what. */
static void change(const uint8_t *changes, size_t size)
{
	_cleanup_(freep) char *file = malloc(good_size);

	if (!file)
		abort();
	memcpy(file, good, good_size);
	for (size_t i = 0; i + 2 < size; i += 3)
		file[(changes[i] << 8 | changes[i + 1]) % good_size] = (char)changes[i + 2];
	write_bad(file, good_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sql_options options = {.timeout_ms = 100, .rows = 1000, .memory = 64 << 20};
	size_t len = strnlen((const char *)data, size);
	_cleanup_(freep) char *text = strndup((const char *)data, len);
	_cleanup_(sql_freep) struct sql *q = NULL;
	struct error e = {};
	size_t bytes = 0;
	int r;

	if (size > len + 1)
		change(data + len + 1, size - len - 1);
	if (!text || sql_open(size > len + 1 ? bad_path : good_path, &options, &e, &q) < 0)
		return 0;
	r = sql_prepare(q, text, &e);
	while (r >= 0 && (r = sql_step(q, &e)) > 0)
		for (size_t i = 0; i < sql_columns(q); i++) {
			struct sql_value v = sql_value(q, i);

			bytes += strnlen(sql_column_name(q, i), 1) + v.len;
		}
	/* Whatever is wrong is said, and nothing is told twice. */
	if ((r < 0 && r != -ENOMEM && !e.name[0]) || bytes > (size_t)SQL_MAX_BYTES + 1000000)
		abort();
	return 0;
}

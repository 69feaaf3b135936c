/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_html.h"

#include <zlib.h>

#include "page.h"
#include "sonde/base/base64.h"
#include "sonde/base/format.h"
#include "sonde/base/json.h"
#include "sonde/base/varint.h"
#include "timeline_lod.h"
#include "timeline_page.h"

struct writer {
	struct timeline *t;
	struct json_writer *rows;
	struct strbuf numbers;
	struct timeline_box *boxes; /* of the row at hand */
	size_t boxes_cap;
};

static void writer_release(struct writer *w)
{
	strbuf_release(&w->numbers);
	free(w->boxes);
}

static void put(struct strbuf *out, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];

	strbuf_append(out, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static void add_level(struct writer *w, unsigned int shift, size_t n)
{
	json_array_begin(w->rows, NULL);
	json_u64(w->rows, NULL, shift);
	json_u64(w->rows, NULL, n);
	json_array_end(w->rows);
}

static void write_boxes(struct strbuf *out, const struct timeline_box *boxes, size_t n)
{
	uint64_t end = 0;

	for (size_t i = 0; i < n; i++) {
		put(out, boxes[i].start_ns - end);
		end = boxes[i].end_ns;
	}
	for (size_t i = 0; i < n; i++)
		put(out, boxes[i].end_ns - boxes[i].start_ns);
	for (size_t i = 0; i < n; i++)
		put(out, boxes[i].function);
}

static int each_level(void *arg, unsigned int shift, const struct timeline_box *boxes, size_t n)
{
	struct writer *w = arg;

	add_level(w, shift, n);
	write_boxes(&w->numbers, boxes, n);
	for (size_t i = 0; i < n; i++) {
		double length = (double)(boxes[i].end_ns - boxes[i].start_ns);

		put(&w->numbers,
		    length > 0 ? (uint64_t)((double)boxes[i].covered_ns / length * 255) : 255);
	}
	for (size_t i = 0; i < n; i++)
		put(&w->numbers, boxes[i].count);
	return 0;
}

static int each_row(void *arg, uint32_t thread, const struct timeline_span *spans, size_t n)
{
	struct writer *w = arg;
	int r;

	if (array_reserve(&w->boxes, &w->boxes_cap, n, sizeof(*w->boxes)) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t start = spans[i].start_ns - w->t->zero_ns;

		w->boxes[i] = (struct timeline_box){
			.start_ns = start,
			.end_ns = start + spans[i].duration_ns,
			.covered_ns = spans[i].duration_ns,
			.function = spans[i].function,
			.count = 1,
		};
	}
	json_object_begin(w->rows, NULL);
	json_u64(w->rows, "thread", thread);
	json_array_begin(w->rows, "levels");
	add_level(w, 0, n);
	write_boxes(&w->numbers, w->boxes, n);
	for (size_t i = 0; i < n; i++)
		strbuf_putc(&w->numbers, (char)spans[i].flags);
	for (size_t i = 0; i < n && w->t->has_offcpu; i++)
		put(&w->numbers, spans[i].offcpu_ns);
	r = lod_levels(w->boxes, n, each_level, w);
	json_array_end(w->rows);
	json_object_end(w->rows);
	return r;
}

/* Of waits the gaps are between starts: those that a clock has moved may overlap. */
static int each_thread(void *arg, uint32_t thread, const struct timeline_sample *const *samples,
		       const size_t *n)
{
	const struct timeline_sample *cpu = samples[TIMELINE_CPU], *waits = samples[TIMELINE_WAITS];
	struct writer *w = arg;

	json_object_begin(w->rows, NULL);
	json_u64(w->rows, "thread", thread);
	json_u64(w->rows, "cpu", n[TIMELINE_CPU]);
	json_u64(w->rows, "waits", n[TIMELINE_WAITS]);
	json_object_end(w->rows);
	for (size_t k = 0; k < TIMELINE_SAMPLE_KINDS; k++) {
		uint64_t last = w->t->zero_ns;

		for (size_t i = 0; i < n[k]; i++) {
			put(&w->numbers, samples[k][i].time_ns - last);
			last = samples[k][i].time_ns;
		}
	}
	for (size_t i = 0; i < n[TIMELINE_WAITS]; i++)
		put(&w->numbers, waits[i].ns);
	for (size_t i = 0; i < n[TIMELINE_CPU]; i++)
		put(&w->numbers, cpu[i].stack);
	for (size_t i = 0; i < n[TIMELINE_WAITS]; i++)
		put(&w->numbers, waits[i].stack);
	return 0;
}

static void write_stacks(struct writer *w, const struct timeline_samples *s)
{
	json_u64(w->rows, "stacks", s->n_stacks);
	for (size_t i = 0; i < s->n_stacks; i++)
		put(&w->numbers, s->stacks[i].parent);
	for (size_t i = 0; i < s->n_stacks; i++)
		put(&w->numbers, s->stacks[i].frame);
	json_array_begin(w->rows, "frames");
	for (size_t i = 0; i < s->n_frames; i++) {
		const struct timeline_frame *f = &s->frames[i];

		json_array_begin(w->rows, NULL);
		json_string(w->rows, NULL, *f->name ? f->name : "[unknown]");
		json_string(w->rows, NULL, f->binary);
		if (f->place)
			json_string(w->rows, NULL, f->place);
		json_array_end(w->rows);
	}
	json_array_end(w->rows);
}

static int write_samples(struct writer *w, struct timeline *t)
{
	int r;

	json_array_begin(w->rows, "samples");
	r = timeline_samples_each(&t->samples, each_thread, w);
	json_array_end(w->rows);
	write_stacks(w, &t->samples);
	json_u64(w->rows, "period", t->samples.period_ns);
	return r;
}

static void write_names(struct json_writer *w, const struct timeline *t)
{
	json_array_begin(w, "names");
	for (size_t i = 0; i < t->n_functions; i++)
		json_string(w, NULL, *t->functions[i].name ? t->functions[i].name : "[unknown]");
	json_array_end(w);
	json_array_begin(w, "binaries");
	for (size_t i = 0; i < t->n_functions; i++)
		json_string(w, NULL, t->functions[i].binary);
	json_array_end(w);
	json_array_begin(w, "processes");
	for (size_t i = 0; i < t->n_processes; i++) {
		json_object_begin(w, NULL);
		json_u64(w, "pid", t->processes[i].pid);
		json_string(w, "comm", t->processes[i].comm);
		json_object_end(w);
	}
	json_array_end(w);
	json_array_begin(w, "threads");
	for (size_t i = 0; i < t->n_threads; i++) {
		json_object_begin(w, NULL);
		json_u64(w, "process", t->threads[i].process);
		json_u64(w, "tid", t->threads[i].tid);
		if (t->threads[i].name)
			json_string(w, "name", t->threads[i].name);
		json_object_end(w);
	}
	json_array_end(w);
}

/* Offsets may be negative: a window may have begun before the first span. */
static void write_uses(struct json_writer *w, const struct timeline *t)
{
	json_array_begin(w, "uses");
	for (size_t i = 0; i < t->n_uses; i++) {
		const struct timeline_use *u = &t->uses[i];

		json_object_begin(w, NULL);
		json_u64(w, "process", u->process);
		json_i64(w, "start", (int64_t)(u->start_us * NSEC_PER_USEC) - (int64_t)t->zero_ns);
		json_u64(w, "length", (u->end_us - u->start_us) * NSEC_PER_USEC);
		json_u64(w, "cpu", u->cpu_ns);
		json_u64(w, "wait", u->wait_ns);
		json_object_end(w);
	}
	json_array_end(w);
}

static void write_info(struct json_writer *w, const struct timeline *t,
		       const struct timeline_info *info)
{
	json_u64(w, "schema", 1);
	json_string(w, "title", info->title ? info->title : "Timeline");
	json_string(w, "target", info->target ? info->target : "");
	/* Nanoseconds since the epoch do not fit a number of JavaScript. */
	json_u64(w, "zero_us", t->zero_ns / NSEC_PER_USEC);
	json_u64(w, "zero_ns", t->zero_ns % NSEC_PER_USEC);
	json_u64(w, "length", t->end_ns - t->zero_ns);
	json_u64(w, "spans", t->n_spans - t->too_deep - t->beyond_limit);
	json_u64(w, "too_deep", t->too_deep);
	json_u64(w, "lost", info->lost);
	json_u64(w, "more", info->more + t->beyond_limit);
	json_u64(w, "more_samples", t->more_samples);
	json_bool(w, "offcpu", t->has_offcpu);
}

static int append_numbers(struct strbuf *out, const struct strbuf *numbers)
{
	uLongf size = compressBound(numbers->len);
	_cleanup_(freep) uint8_t *packed = malloc(size);

	if (!packed ||
	    compress2(packed, &size, (const uint8_t *)(numbers->len ? numbers->data : ""),
		      numbers->len, Z_DEFAULT_COMPRESSION) != Z_OK)
		return -ENOMEM;
	base64_encode(out, packed, size);
	return 0;
}

int timeline_html_write(struct strbuf *out, struct timeline *t, const struct timeline_info *info)
{
	_cleanup_(strbuf_release) struct strbuf json = {0};
	_cleanup_(writer_release) struct writer w = {.t = t};
	struct json_writer head;
	int r;

	json_begin(&head, &json);
	json_object_begin(&head, NULL);
	json_array_begin(&head, "rows");
	w.rows = &head;
	r = timeline_arrange(t, each_row, &w);
	if (r < 0)
		return r;
	json_array_end(&head);
	r = write_samples(&w, t);
	if (r < 0)
		return r;
	write_info(&head, t, info);
	write_names(&head, t);
	write_uses(&head, t);
	timeline_counters_write(&t->counters, t->zero_ns, &head, &w.numbers);
	json_object_end(&head);
	if (strbuf_error(&json) < 0 || strbuf_error(&w.numbers) < 0)
		return -ENOMEM;

	strbuf_append(out, timeline_page_before, sizeof(timeline_page_before) - 1);
	strbuf_puts(out, "<script type=\"application/json\" id=\"data\">");
	page_append_json(out, &json);
	strbuf_puts(out, "</script>\n<script type=\"application/octet-stream\" id=\"numbers\">");
	r = append_numbers(out, &w.numbers);
	if (r < 0)
		return r;
	strbuf_puts(out, "</script>");
	strbuf_append(out, timeline_page_after, sizeof(timeline_page_after) - 1);
	return strbuf_error(out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spark.h"

#include "lanes.h"

/* More than a histogram of 64 bits has: what lies beyond is not believed. */
enum { STEPS_MAX = 122 };

/* Where a step begins: 0, 16, 32, 48, 64, 96, 128 … */
static uint64_t lower(uint32_t step)
{
	return step < 2 ? step * 16U : (uint64_t)(2 + step % 2) << (step / 2 + 3);
}

static uint32_t step_of(uint64_t low_ns)
{
	uint32_t step = 0;

	while (step < STEPS_MAX && lower(step + 1) <= low_ns)
		step++;
	return step;
}

struct spark_axis spark_axis_of(reply_t *reply, const char *key)
{
	struct spark_axis axis = {0};

	reply_foreach(row, reply, key)
	{
		reply_t *histogram = reply_get(row, "histogram");
		size_t n = MIN(reply_count(histogram, "counts"), (size_t)STEPS_MAX);
		uint32_t first = step_of(reply_u64(histogram, "low_ns"));
		uint32_t end = MIN(first + (uint32_t)n, (uint32_t)STEPS_MAX);

		if (!n)
			continue;
		axis.first = axis.end ? MIN(axis.first, first) : first;
		axis.end = MAX(axis.end, end);
	}
	return axis;
}

const char *spark_title(const struct spark_axis *axis, char buf[static 2 * FORMAT_MAX])
{
	char low[FORMAT_MAX], high[FORMAT_MAX];

	if (axis->first == axis->end)
		return NULL;
	snprintf(buf, 2 * FORMAT_MAX, "%s~%s", format_duration(low, lower(axis->first)),
		 format_duration(high, lower(axis->end)));
	return buf;
}

void spark_append(struct strbuf *out, const struct spark_axis *axis, reply_t *row, bool plain)
{
	reply_t *histogram = reply_get(row, "histogram");
	uint32_t steps = axis->end - axis->first, width = MIN(steps, (uint32_t)SPARK_WIDTH);
	uint32_t at = step_of(reply_u64(histogram, "low_ns"));
	double shares[SPARK_WIDTH] = {0}, most = 0;

	reply_foreach(count, histogram, "counts")
	{
		if (at >= axis->first && at < axis->end) {
			double *share = &shares[(at - axis->first) * width / steps];

			*share += (double)reply_value(count);
			most = MAX(most, *share);
		}
		at++;
	}
	for (uint32_t i = 0; i < width && most > 0; i++)
		shares[i] /= most;
	if (most > 0)
		lanes_bar(out, shares, width, plain);
}

void grid_spark(struct grid *g, struct output *o, const struct spark_axis *axis, reply_t *row)
{
	_cleanup_(strbuf_release) struct strbuf bars = {0};

	spark_append(&bars, axis, row, output_is_plain(o));
	if (strbuf_error(&bars) < 0)
		output_data(o)->failed = true;
	grid_text(g, bars.data ? bars.data : "");
}

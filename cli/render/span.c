/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "span.h"

#include <inttypes.h>
#include <math.h>

#include "sonde/base/format.h"
#include "text.h"

enum { COMM_WIDTH = 15, DURATION_WIDTH = 9, INDENT_MAX = 40, STACK_COLUMN = 58 };

void span_text_head(struct output *o)
{
	struct strbuf *out = output_data(o);

	strbuf_printf(out, "%s%-15s  %*s  %7s  %-*s  %s%s\n", output_style(o, STYLE_HEAD), "TIME",
		      DURATION_WIDTH, "DURATION", "TID", COMM_WIDTH, "COMM", "FUNCTION",
		      output_style_end(o, STYLE_HEAD));
}

void span_result(struct strbuf *out, uint64_t value)
{
	int64_t wide = (int64_t)value;
	int32_t narrow = (int32_t)value;

	if (wide > -1000000 && wide < 1000000)
		strbuf_printf(out, "%" PRId64, wide);
	/* An int of -1 comes back with the upper half of the register zero. */
	else if (value <= UINT32_MAX && narrow < 0 && narrow >= -4095)
		strbuf_printf(out, "%" PRId32, narrow);
	else
		strbuf_printf(out, "0x%" PRIx64, value);
}

void span_value(struct strbuf *out, reply_t *span)
{
	double value = reply_double(span, "value");

	if (!isnan(value))
		strbuf_double(out, value);
	else
		text_append_safe(out, reply_str(span, "value"));
}

static void append_args(struct strbuf *out, reply_t *span)
{
	bool first = true;

	strbuf_putc(out, '(');
	reply_foreach(arg, span, "args")
	{
		strbuf_puts(out, first ? "" : ", ");
		text_append_safe(out, reply_text(arg));
		first = false;
	}
	strbuf_putc(out, ')');
}

static bool is_error(reply_t *span, bool has_ret, uint64_t ret)
{
	if (reply_has_text(span, "flags", "error"))
		return true;
	return has_ret && ((int64_t)ret < 0 ||
			   (ret <= UINT32_MAX && (int32_t)ret < 0 && (int32_t)ret >= -4095));
}

/* " (unwound: std::runtime_error: "no such table")" */
static void append_unwound(struct output *o, struct strbuf *out, reply_t *span)
{
	reply_t *exception = reply_get(span, "exception");
	const char *type = reply_str(exception, "type"), *message = reply_str(exception, "message");

	strbuf_printf(out, " %s(unwound", output_style(o, STYLE_WARM));
	if (*type) {
		strbuf_puts(out, ": ");
		text_append_safe(out, type);
	}
	if (*message) {
		strbuf_puts(out, ": \"");
		text_append_safe(out, message);
		strbuf_putc(out, '"');
	}
	strbuf_printf(out, ")%s", output_style_end(o, STYLE_WARM));
}

static void append_result(struct output *o, struct strbuf *out, reply_t *span)
{
	reply_t *result = reply_get(span, "result");
	uint64_t ret = 0;
	bool has_ret = reply_hex(span, "ret", &ret);
	enum style style = is_error(span, has_ret && !result, ret) ? STYLE_BAD : STYLE_NONE;

	if (reply_has_text(span, "flags", "unwound")) {
		append_unwound(o, out, span);
		return;
	}
	if (result && !*reply_text(result) && reply_has_text(span, "flags", "error"))
		strbuf_printf(out, " %s(error)%s", output_style(o, STYLE_BAD),
			      output_style_end(o, STYLE_BAD));
	/* Nothing is known of the result of a call that ended as another one's. */
	if (result ? !*reply_text(result) : !has_ret || reply_has_text(span, "flags", "tail"))
		return;
	strbuf_printf(out, " = %s", output_style(o, style));
	if (result)
		text_append_safe(out, reply_text(result));
	else
		span_result(out, ret);
	strbuf_puts(out, output_style_end(o, style));
}

/* Below its call, a frame a line. */
static void append_stack(struct output *o, reply_t *span, size_t indent)
{
	struct strbuf *out = output_data(o);

	reply_foreach(frame, span, "stack")
	{
		text_spaces(out, indent);
		strbuf_puts(out, output_style(o, STYLE_DIM));
		text_append_safe(out, reply_text(frame));
		strbuf_puts(out, output_style_end(o, STYLE_DIM));
		strbuf_putc(out, '\n');
	}
}

void span_call(struct output *o, struct strbuf *out, reply_t *span, bool args)
{
	reply_t *call = reply_get(span, "call");
	const char *category = reply_str(span, "cat");

	if (*category) {
		text_append_safe(out, category);
		strbuf_putc(out, '/');
	}
	text_append_safe(out, reply_str(span, "name"));
	if (reply_has_text(span, "flags", "counter")) {
		strbuf_puts(out, " = ");
		span_value(out, span);
		return;
	}
	if (call) {
		strbuf_putc(out, '(');
		text_append_safe(out, reply_text(call));
		strbuf_putc(out, ')');
	} else if (args && reply_first(span, "args")) {
		append_args(out, span);
	}
	append_result(o, out, span);
}

void span_text(struct output *o, reply_t *span, bool args)
{
	struct strbuf *out = output_data(o);
	_cleanup_(strbuf_release) struct strbuf comm = {0};
	char clock[FORMAT_MAX], duration[FORMAT_MAX];
	size_t width, indent = 2 * MIN(reply_u64(span, "depth"), (uint64_t)INDENT_MAX);

	text_append_safe(&comm, reply_str(span, "comm"));
	width = comm.data ? text_width(comm.data) : 0;
	strbuf_printf(out, "%s  %*s  %7" PRIu64, format_clock(clock, reply_u64(span, "time_us")),
		      DURATION_WIDTH, format_duration(duration, reply_u64(span, "duration_ns")),
		      reply_u64(span, "tid"));
	if (reply_u64(span, "ns_pid"))
		strbuf_printf(out, " (%" PRIu64 ")", reply_u64(span, "ns_pid"));
	text_spaces(out, 2);
	strbuf_puts(out, comm.data ? comm.data : "");
	text_spaces(out, (width < COMM_WIDTH ? COMM_WIDTH - width : 0) + 2);
	text_spaces(out, indent);
	span_call(o, out, span, args);
	strbuf_putc(out, '\n');
	append_stack(o, span, STACK_COLUMN + indent);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "pager.h"
#include "sink.h"
#include "span.h"
#include "text.h"

enum { DEFAULT_COLUMNS = 80, MAX_COLUMNS = 10000 };

/* What differs between text and JSON. */
struct output_ops {
	void (*answer)(struct output *o, reply_t *reply, const struct view *view, const void *arg);
	void (*span_head)(struct output *o);
	void (*span)(struct output *o, reply_t *span, bool args);
	void (*error)(struct output *o, const struct error *e);
};

struct output {
	const struct output_ops *ops;
	struct output_config config;
	struct strbuf data;
	struct json_writer json;
	struct sink *sink;
	bool color, streaming, head_shown;
};

static void text_answer(struct output *o, reply_t *reply, const struct view *view, const void *arg)
{
	view->text(o, reply, arg);
}

static void text_span_head(struct output *o)
{
	if (!o->head_shown)
		span_text_head(o);
	o->head_shown = true;
}

static void text_span(struct output *o, reply_t *span, bool args)
{
	text_span_head(o);
	span_text(o, span, args);
}

static void text_error(struct output *o, const struct error *e)
{
	_cleanup_(strbuf_release) struct strbuf line = {0};

	(void)o;
	strbuf_puts(&line, "sonde: ");
	text_append_safe(&line, e->message);
	if (startswith(e->fix, "see sonde "))
		strbuf_puts(&line, "; ");
	else if (e->fix[0])
		strbuf_puts(&line, "\n       ");
	text_append_safe(&line, e->fix);
	fprintf(stderr, "%s\n", strbuf_error(&line) < 0 ? e->message : line.data);
}

static void json_answer(struct output *o, reply_t *reply, const struct view *view, const void *arg)
{
	(void)arg;
	reply_write_members(output_document(o), reply, view->key_name ? "key" : NULL,
			    view->key_name);
	output_document_end(o);
}

static void json_span_head(struct output *o)
{
	(void)o;
}

static void json_span(struct output *o, reply_t *span, bool args)
{
	(void)args;
	json_begin(&o->json, &o->data);
	reply_write(&o->json, NULL, span, NULL, NULL);
	strbuf_putc(&o->data, '\n');
}

/* Whatever was collected before is dropped: half an answer is none. Always on standard output. */
static void json_error(struct output *o, const struct error *e)
{
	struct json_writer *w;

	strbuf_reset(&o->data);
	w = output_document(o);
	json_object_begin(w, "error");
	json_string(w, "name", e->name);
	json_string(w, "message", e->message);
	json_string(w, "fix", e->fix);
	json_object_end(w);
	output_document_end(o);
	if (strbuf_error(&o->data) == 0)
		fputs(o->data.data, stdout);
	fflush(stdout);
	strbuf_reset(&o->data);
}

static const struct output_ops text_ops = {text_answer, text_span_head, text_span, text_error};
static const struct output_ops json_ops = {json_answer, json_span_head, json_span, json_error};

static bool want_color(const struct output_config *config, bool terminal)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (config->color && streq(config->color, "always"))
		return true;
	if (config->color && streq(config->color, "never"))
		return false;
	return terminal && !(no_color && *no_color) && !(term && streq(term, "dumb"));
}

struct output *output_new(const struct output_config *config)
{
	_cleanup_(output_freep) struct output *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->config = *config;
	o->ops = config->json ? &json_ops : &text_ops;
	o->sink = sink_new(config->path);
	if (!o->sink)
		return NULL;
	o->color = !config->json && want_color(config, sink_is_terminal(o->sink));
	return TAKE_PTR(o);
}

struct output *output_free(struct output *o)
{
	if (!o)
		return NULL;
	sink_free(o->sink);
	strbuf_release(&o->data);
	free(o);
	return NULL;
}

void output_answer(struct output *o, reply_t *reply, const struct view *view, const void *arg)
{
	o->ops->answer(o, reply, view, arg);
}

void output_span(struct output *o, reply_t *span, bool args)
{
	o->ops->span(o, span, args);
}

void output_span_head(struct output *o)
{
	o->ops->span_head(o);
}

struct json_writer *output_document(struct output *o)
{
	if (!o->config.json)
		return NULL;
	json_begin(&o->json, &o->data);
	json_object_begin(&o->json, NULL);
	json_u64(&o->json, "schema", 1);
	return &o->json;
}

void output_document_end(struct output *o)
{
	json_object_end(&o->json);
	strbuf_putc(&o->data, '\n');
}

int output_flush(struct output *o, struct error *e)
{
	int r;

	if (strbuf_error(&o->data) < 0)
		return error_set(e, ENOMEM, "Internal", "out of memory while printing");
	r = sink_write(o->sink, o->data.data, o->data.len,
		       !o->config.json && !o->config.no_pager && !o->streaming, e);
	strbuf_reset(&o->data);
	return r;
}

void output_streaming(struct output *o)
{
	o->streaming = true;
}

int output_finish(struct output *o, struct error *e)
{
	int r = output_flush(o, e);

	return r < 0 ? r : sink_finish(o->sink, e);
}

void output_note(struct output *o, const char *fmt, ...)
{
	_cleanup_(strbuf_release) struct strbuf line = {0}, safe = {0};
	va_list ap;

	if (o->config.quiet)
		return;
	va_start(ap, fmt);
	strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	text_append_safe(&safe, line.data);
	strbuf_putc(&safe, '\n');
	if (strbuf_error(&line) == 0 && strbuf_error(&safe) == 0)
		fputs(safe.data, stderr);
}

void output_error(struct output *o, const struct error *e)
{
	o->ops->error(o, e);
}

bool output_is_json(const struct output *o)
{
	return o->config.json;
}

struct strbuf *output_data(struct output *o)
{
	return &o->data;
}

/* 0: it is none, or does not know. */
static size_t terminal_width(const struct output *o)
{
	struct winsize size = {0};

	return sink_is_terminal(o->sink) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0
		       ? size.ws_col
		       : 0;
}

static size_t wanted_columns(void)
{
	const char *columns = getenv("COLUMNS");
	uint64_t n;

	return columns && parse_u64(columns, &n) == 0 && n > 0 && n <= MAX_COLUMNS ? (size_t)n : 0;
}

static bool is_paged(const struct output *o)
{
	return sink_is_terminal(o->sink) && !o->config.no_pager && !o->streaming &&
	       pager_is_wanted();
}

/* A pager scrolls sideways; but what fits onto the terminal it writes there, and is gone. */
static bool scrolls(const struct output *o, size_t lines)
{
	struct winsize size = {0};

	return is_paged(o) && (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || lines >= size.ws_row);
}

size_t output_width(const struct output *o)
{
	return is_paged(o) ? 0 : terminal_width(o);
}

size_t output_room(const struct output *o, size_t lines, bool *ret_scrolls)
{
	bool to_file = o->config.path && !streq(o->config.path, "-");

	*ret_scrolls = scrolls(o, lines);
	if (sink_is_terminal(o->sink))
		return terminal_width(o);
	return to_file ? 0 : wanted_columns();
}

size_t output_columns(const struct output *o)
{
	size_t width = terminal_width(o);

	if (!width)
		width = wanted_columns();
	return width ? width : DEFAULT_COLUMNS;
}

bool output_is_plain(const struct output *o)
{
	locale_t locale;
	bool utf8;

	if (o->config.color && streq(o->config.color, "never"))
		return true;
	/* The program's own locale stays "C": numbers are written with a point everywhere. */
	locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	utf8 = locale && streq(nl_langinfo_l(CODESET, locale), "UTF-8");
	if (locale)
		freelocale(locale);
	return !utf8;
}

const char *output_style(const struct output *o, enum style style)
{
	static const char *const codes[STYLE_COUNT] = {
		[STYLE_NONE] = "",	   [STYLE_HEAD] = "\033[1m", [STYLE_HOT] = "\033[1;31m",
		[STYLE_WARM] = "\033[33m", [STYLE_DIM] = "\033[2m",  [STYLE_GOOD] = "\033[32m",
		[STYLE_BAD] = "\033[31m",
	};

	return o->color ? codes[style] : "";
}

const char *output_style_end(const struct output *o, enum style style)
{
	return o->color && style != STYLE_NONE ? "\033[0m" : "";
}

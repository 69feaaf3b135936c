/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"
#include "query.h"
#include "render/rows.h"
#include "sonde/base/format.h"
#include "varlink/message.h"

enum {
	MAX_QUERY = 1 << 20, /* far more than the daemon takes: it is to say so */
	MAX_TIMEOUT_S = 600, /* as much as the daemon takes */
};

static void say_truncated(struct output *o, const struct rows *rows, const char *what)
{
	char n[FORMAT_MAX];

	format_count(n, rows_count(rows));
	if (streq(what, "rows"))
		output_note(o, "sonde: cut after %s rows; --limit N shows more", n);
	else if (*what)
		output_note(o, "sonde: cut after %s rows: an answer has at most 64 MiB", n);
	else if (!rows_count(rows))
		output_note(o, "sonde: no rows");
}

static enum rows_form form(const struct options *o)
{
	if (!o->csv)
		return ROWS_TABLE;
	return !o->output && isatty(STDOUT_FILENO) ? ROWS_CSV_TO_TERMINAL : ROWS_CSV;
}

/* An answer comes in several replies; what can be shown is written out before the next is taken. */
static int show(struct cli *cli, struct connection *c)
{
	_cleanup_(rows_freep) struct rows *rows = rows_new(cli->output, form(cli->options));
	char truncated[16] = "";
	bool continues = true;
	int r = rows ? 0 : -ENOMEM;

	while (continues && r >= 0) {
		_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;

		r = connection_next(c, -1, &reply, &continues, &cli->error);
		if (r >= 0)
			r = rows_add(rows, reply);
		if (r < 0)
			break;
		snprintf(truncated, sizeof(truncated), "%s", reply_str(reply, "truncated"));
		if (!continues)
			rows_end(rows, truncated);
		r = continues ? output_flush(cli->output, &cli->error)
			      : output_finish(cli->output, &cli->error);
	}
	if (r < 0)
		return r;
	say_truncated(cli->output, rows, truncated);
	return EXIT_OK;
}

static int read_stdin(const struct options *o, struct strbuf *out, struct error *e)
{
	char buffer[4096];
	ssize_t n = 0;

	while (out->len <= MAX_QUERY &&
	       ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			strbuf_append(out, buffer, n);
	if (n < 0)
		return error_set(e, errno, "Internal", "cannot read standard input: %m");
	if (strbuf_error(out) < 0)
		return -ENOMEM;
	if (out->len > MAX_QUERY || (out->data && memchr(out->data, '\0', out->len)))
		return usage_error(o, e, "what standard input has is no query");
	return 0;
}

static int ask(struct cli *cli, const char *text)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	json_string(&w, "query", text);
	if (o->timeout.set)
		json_u64(&w, "timeout_ms", MAX(o->timeout.value / NSEC_PER_MSEC, 1ULL));
	if (o->count.set)
		json_u64(&w, "limit", o->count.value);
	request_selectors(&w, o);
	r = request_end(&w, &cli->error);
	if (r >= 0)
		r = connection_open(o, &c, &cli->error);
	if (r >= 0)
		r = connection_stream(c, "Sql", params.data, &cli->error);
	return r < 0 ? r : show(cli, c);
}

int cmd_sql(struct cli *cli)
{
	_cleanup_(strbuf_release) struct strbuf input = {0};
	const struct options *o = cli->options;
	int r;

	if (o->n_operands != 1)
		return usage_error(o, &cli->error,
				   "give one query in quotes: sonde sql 'SELECT ...', or - for "
				   "standard input");
	if (o->csv && o->json)
		return usage_error(o, &cli->error, "either --csv or --json");
	if (o->timeout.set && o->timeout.value > MAX_TIMEOUT_S * NSEC_PER_SEC)
		return usage_error(o, &cli->error, "--timeout is at most 10m");
	if (!streq(o->operands[0], "-"))
		return ask(cli, o->operands[0]);
	r = read_stdin(o, &input, &cli->error);
	return r < 0 ? r : ask(cli, input.data ? input.data : "");
}

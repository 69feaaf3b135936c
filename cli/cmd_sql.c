/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"
#include "query.h"
#include "render/rows.h"
#include "sonde/base/format.h"

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

struct answer {
	struct cli *cli;
	struct rows *rows;
};

/* An answer comes in several replies; what can be shown is written out before the next is taken. */
static int show(void *arg, reply_t *reply, bool last)
{
	struct answer *a = arg;
	struct output *output = a->cli->output;
	const char *truncated = reply_str(reply, "truncated");
	int r = rows_add(a->rows, reply);

	if (r < 0)
		return r;
	if (!last)
		return output_flush(output, &a->cli->error);
	rows_end(a->rows, truncated);
	r = output_finish(output, &a->cli->error);
	if (r >= 0)
		say_truncated(output, a->rows, truncated);
	return r;
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
	_cleanup_(rows_freep) struct rows *rows = rows_new(cli->output, form(o));
	struct json_writer w;
	int r;

	if (!rows)
		return -ENOMEM;
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
		r = connection_each(c, "Sql", params.data, show, &(struct answer){cli, rows},
				    &cli->error);
	return r < 0 ? r : EXIT_OK;
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

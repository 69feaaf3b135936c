/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorded.h"
#include "render/session.h"
#include "request.h"
#include "span_stream.h"

static int check(const struct options *o, struct error *e)
{
	if (o->n_operands != 1)
		return usage_error(o, e, "name one recording: sonde replay FILE");
	if (o->output && streq(o->output, "-"))
		return usage_error(o, e, "a recording is a file: name it with -o FILE");
	if (o->output && o->count.set)
		return usage_error(o, e,
				   "-n counts the spans that are shown: leave it out, or -o, which "
				   "writes them to a recording");
	return 0;
}

static int write_params(const struct options *o, const char *path, struct strbuf *out,
			struct error *e)
{
	struct json_writer w;

	request_begin(&w, out);
	request_spans(&w, o);
	if (o->max_depth.set)
		json_u64(&w, "max_depth", o->max_depth.value);
	if (o->exceptions)
		json_bool(&w, "exceptions", true);
	if (o->speed.set)
		json_double(&w, "speed", o->speed.value);
	if (path)
		json_string(&w, "path", path);
	return request_end(&w, e);
}

int cmd_replay(struct cli *cli)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	_cleanup_(freep) char *path = NULL;
	const struct options *o = cli->options;
	/* Processes of a recording are not to be waited for. */
	_cleanup_(span_stream_release) struct span_stream stream = {.cli = cli,
								    .silent = o->output};
	int r = check(o, &cli->error);

	if (r < 0)
		return r;
	if (o->output && !(path = absolute_path(o->output)))
		return error_set(&cli->error, errno, "Internal", "cannot name the recording: %m");
	output_streaming(cli->output);
	r = write_params(o, path, &params, &cli->error);
	if (r >= 0)
		r = connection_open_files(o, o->operands[0], NULL, &c, &cli->error);
	if (r >= 0)
		r = connection_stream(c, "Replay", params.data, &cli->error);
	stream.connection = c;
	if (r >= 0)
		r = span_stream_run(&stream);
	if (r < 0)
		return r;
	if (path)
		recorded_show(cli, stream.last, path, o->output);
	else
		span_stream_totals(&stream);
	notes_note(cli->output, stream.last);
	return EXIT_OK;
}

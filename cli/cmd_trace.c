/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/output.h"
#include "request.h"
#include "span_stream.h"

int cmd_trace(struct cli *cli)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(command_freep) struct command *command = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	_cleanup_(span_stream_release) struct span_stream stream = {.cli = cli,
								    .watches_processes = true};
	struct json_writer w;
	int r = request_check(o, &cli->error);

	output_streaming(cli->output);
	if (r >= 0 && o->command)
		r = command_new(o->command, &command, &cli->exit_status, &cli->error);
	if (r >= 0)
		r = connection_open(o, &c, &cli->error);
	if (r < 0)
		return r;
	request_begin(&w, &params);
	request_session_options(&w, o, command);
	r = request_end(&w, &cli->error);
	if (r >= 0)
		r = connection_stream(c, "Trace", params.data, &cli->error);
	stream.connection = c;
	stream.command = command;
	if (r >= 0)
		r = span_stream_run(&stream);
	if (r >= 0)
		span_stream_totals(&stream);
	return r;
}

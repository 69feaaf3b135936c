/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"
#include "query.h"
#include "render/session.h"
#include "varlink/message.h"

/* An answer comes in several replies; each is written out before the next one is taken. */
static int show(struct cli *cli, struct connection *c)
{
	bool continues = true, any = false;

	while (continues) {
		_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
		int r = connection_next(c, -1, &reply, &continues, &cli->error);

		if (r < 0)
			return r;
		reply_foreach(span, reply, "spans")
		{
			output_span(cli->output, span, true);
			any = true;
		}
		if (!continues && !any)
			output_note(cli->output, "sonde: no such spans in this session");
		r = continues ? output_flush(cli->output, &cli->error)
			      : output_finish(cli->output, &cli->error);
		if (r < 0)
			return r;
		if (!continues) {
			notes_note(cli->output, reply);
			coverage_note(cli->output, reply);
		}
	}
	return EXIT_OK;
}

int cmd_spans(struct cli *cli)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query(&w, o);
	if (o->min_duration.set)
		json_u64(&w, "min_duration_ns", o->min_duration.value);
	if (o->name)
		json_string(&w, "name", o->name);
	if (o->errors)
		json_bool(&w, "errors_only", true);
	if (o->sort)
		json_string(&w, "sort", o->sort);
	if (o->count.set)
		json_u64(&w, "limit", o->count.value);
	r = request_end(&w, &cli->error);
	if (r < 0)
		return r;
	r = connection_open(o, &c, &cli->error);
	if (r >= 0)
		r = connection_stream(c, "Spans", params.data, &cli->error);
	return r < 0 ? r : show(cli, c);
}

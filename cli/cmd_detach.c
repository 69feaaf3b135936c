/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/session.h"
#include "render/text.h"

static void detach_text(struct output *o, reply_t *reply, const void *arg)
{
	struct strbuf *out = output_data(o);
	reply_t *session = reply_get(reply, "session");

	(void)arg;
	text_append_safe(out, reply_str(session, "name"));
	strbuf_puts(out, ": ended, ");
	text_counted(out, reply_u64(session, "spans"), "span");
	strbuf_puts(out, ", ");
	text_counted(out, reply_u64(session, "samples"), "sample");
	strbuf_puts(out, ", ");
	losses_text(out, session, "losses");
	strbuf_putc(out, '\n');
}

int cmd_detach(struct cli *cli)
{
	static const struct view view = {.text = detach_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct json_writer w;
	int r;

	if (o->n_operands != 1)
		return usage_error(o, &cli->error,
				   "name one session (sonde list shows them): sonde detach NAME");
	request_begin(&w, &params);
	json_string(&w, "name", o->operands[0]);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run(cli, "Detach", params.data, &view, NULL);
}

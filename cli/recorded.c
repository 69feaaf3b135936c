/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorded.h"

#include "render/session.h"
#include "render/text.h"
#include "sonde/base/format.h"

static void write_document(struct output *o, reply_t *reply, const char *path)
{
	struct json_writer *w = output_document(o);

	if (!w)
		return;
	json_string(w, "path", path);
	reply_write(w, "session", reply_get(reply, "session"), NULL, NULL);
	json_u64(w, "bytes", reply_u64(reply, "bytes"));
	output_document_end(o);
}

void recorded_show(struct cli *cli, reply_t *reply, const char *path, const char *shown)
{
	_cleanup_(strbuf_release) struct strbuf line = {0};
	reply_t *session = reply_get(reply, "session");
	char buf[FORMAT_MAX];

	write_document(cli->output, reply, path);
	text_counted(&line, reply_u64(session, "spans"), "span");
	strbuf_puts(&line, ", ");
	text_counted(&line, reply_u64(session, "samples"), "sample");
	strbuf_printf(&line, ", %s, ", format_size(buf, reply_u64(reply, "bytes")));
	losses_text(&line, session, "losses");
	if (strbuf_error(&line) == 0)
		output_note(cli->output, "%s: %s", shown, line.data);
}

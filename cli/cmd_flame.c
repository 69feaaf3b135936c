/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/picture.h"

struct picture {
	enum picture_format format;
	const char *title;
	struct error *error;
};

static void flame_text(struct output *o, reply_t *reply, const void *arg)
{
	const struct picture *p = arg;
	int r = picture_write(output_data(o), reply, p->format, p->title);

	if (r < 0)
		error_set(p->error, -r, "Internal", "cannot draw the flame graph: %s",
			  strerror(-r));
	if (!reply_first(reply, "stacks"))
		output_note(o, "sonde: no stacks in this session yet");
}

int cmd_flame(struct cli *cli)
{
	static const struct view view = {.text = flame_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const struct options *o = cli->options;
	struct picture p = {.title = o->title, .error = &cli->error};
	struct json_writer w;
	int r;

	if (!o->json && picture_format_of(o->output, &p.format) < 0)
		return usage_error(o, &cli->error,
				   "-o %s: its name must end in .html, .svg, .folded or .txt",
				   o->output);
	request_begin(&w, &params);
	request_query(&w, o);
	r = request_end(&w, &cli->error);
	if (r >= 0)
		r = query_run_samples(cli, "Stacks", params.data, &view, &p);
	return cli->error.name[0] ? -EIO : r;
}

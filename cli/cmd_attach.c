/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/text.h"

static void attach_text(struct output *o, reply_t *reply, const void *arg)
{
	struct strbuf *out = output_data(o);
	reply_t *session = reply_get(reply, "session");
	uint64_t hz = reply_u64(session, "frequency");

	(void)arg;
	text_append_safe(out, reply_str(session, "name"));
	strbuf_puts(out, ": ");
	text_counted(out, reply_u64(session, "probes"), "probe");
	if (hz)
		strbuf_printf(out, ", CPU samples at %llu Hz", (unsigned long long)hz);
	if (reply_has_text(session, "kinds", "offcpu"))
		strbuf_puts(out, ", waits");
	strbuf_puts(out, ", ");
	text_append_safe(out, reply_str(session, "targets"));
	strbuf_putc(out, '\n');
}

/* Without anything to collect, but with a name and a condition: that of a session that goes on. */
static bool is_replacement(const struct options *o)
{
	return !o->n_operands && !o->frequency.set && !o->off_cpu && o->name &&
	       (o->where || o->begin || o->stack_if);
}

static int replace_conditions(struct cli *cli, const struct view *view)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	json_string(&w, "name", cli->options->name);
	request_conditions(&w, cli->options);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run(cli, "SetConditions", params.data, view, NULL);
}

int cmd_attach(struct cli *cli)
{
	static const struct view view = {.text = attach_text};
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	if (is_replacement(cli->options))
		return replace_conditions(cli, &view);
	r = request_check(cli->options, &cli->error);
	if (r < 0)
		return r;
	request_begin(&w, &params);
	request_session_options(&w, cli->options, NULL);
	if (cli->options->persist)
		json_bool(&w, "persist", true);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : query_run(cli, "Attach", params.data, &view, NULL);
}

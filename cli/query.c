/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"

#include "connect.h"
#include "debuginfo.h"
#include "render/session.h"
#include "varlink/message.h"

int query_call(struct cli *cli, const char *method, const char *params, struct cJSON **ret_reply)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	int r = connection_open(cli->options, &c, &cli->error);

	return r < 0 ? r : connection_call(c, method, params, ret_reply, &cli->error);
}

int query_show(struct cli *cli, reply_t *reply, const struct view *view, const void *arg)
{
	int r;

	output_answer(cli->output, reply, view, arg);
	/* The notes come behind the answer, also when a pager shows it. */
	r = output_finish(cli->output, &cli->error);
	if (r < 0)
		return r;
	left_out_note(cli->output, reply);
	notes_note(cli->output, reply);
	coverage_note(cli->output, reply);
	return EXIT_OK;
}

int query_run(struct cli *cli, const char *method, const char *params, const struct view *view,
	      const void *arg)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	int r = query_call(cli, method, params, &reply);

	return r < 0 ? r : query_show(cli, reply, view, arg);
}

int query_run_samples(struct cli *cli, const char *method, const char *params,
		      const struct view *view, const void *arg)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	int r = connection_open(cli->options, &c, &cli->error);

	if (r >= 0)
		r = debuginfo_prepare(cli, c);
	if (r >= 0)
		r = connection_call(c, method, params, &reply, &cli->error);
	return r < 0 ? r : query_show(cli, reply, view, arg);
}

bool query_goes_without(struct cli *cli)
{
	if (!streq(cli->error.name, "BadArgument"))
		return false;
	output_note(cli->output, "sonde: %s", cli->error.message);
	cli->error = (struct error){};
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "connect.h"
#include "query.h"
#include "recorded.h"
#include "render/output.h"
#include "render/session.h"
#include "render/text.h"
#include "request.h"
#include "sonde/base/format.h"
#include "varlink/message.h"
#include "watch.h"

#define DEFAULT_FILE "out.sonde"

static int begin(struct cli *cli, struct connection *c, const char *path, struct command *command,
		 struct cJSON **ret)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_session_options(&w, cli->options, command);
	json_string(&w, "path", path);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : connection_call(c, "Record", params.data, ret, &cli->error);
}

/* Until the time is over, what was watched has ended, a signal, or the daemon hangs up. */
static int wait_for_end(struct cli *cli, struct connection *c, struct watch *w)
{
	int r = 0;

	while (r == 0)
		r = watch_wait(w, connection_fd(c), -1);
	return r < 0 ? error_set(&cli->error, -r, "Internal", "cannot wait: %s", strerror(-r)) : 0;
}

/* Writing the end of a long recording may take a while: whoever loses patience may interrupt it. */
static int stop(struct cli *cli, struct connection *c, struct watch *w, reply_t *session,
		struct cJSON **ret)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	uint64_t begun_ns = now_monotonic_ns();
	struct json_writer writer;
	bool continues;
	int r, events;

	request_begin(&writer, &params);
	json_string(&writer, "name", reply_str(session, "name"));
	r = request_end(&writer, &cli->error);
	if (r >= 0)
		r = connection_stream(c, "Stop", params.data, &cli->error);
	if (r < 0)
		return r;
	while ((r = connection_next(c, 0, ret, &continues, &cli->error)) == -ETIMEDOUT) {
		events = watch_wait(w, connection_fd(c), -1);
		if (events > 0 && (events & WATCH_SIGNAL) &&
		    now_monotonic_ns() - begun_ns > WATCH_GRACE_NS)
			return error_set(&cli->error, EINTR, "Interrupted",
					 "interrupted before the recording was complete");
	}
	return r;
}

static int record(struct cli *cli, struct connection *c, struct command *command, const char *path)
{
	_cleanup_(message_free_jsonp) struct cJSON *begun = NULL, *ended = NULL;
	_cleanup_(watch_freep) struct watch *w = NULL;
	const char *shown = cli->options->output ? cli->options->output : DEFAULT_FILE;
	int r = begin(cli, c, path, command, &begun);

	if (r >= 0)
		r = watch_new(cli->options, true, command, &w, &cli->error);
	if (r < 0)
		return r;
	left_out_note(cli->output, begun);
	notes_note(cli->output, begun);
	if (!cli->options->output)
		output_note(cli->output, "sonde: no -o FILE: recording to %s", shown);
	if (command)
		r = command_start(command, &cli->exit_status, &cli->error);
	if (r >= 0)
		r = wait_for_end(cli, c, w);
	if (r >= 0)
		r = stop(cli, c, w, reply_get(begun, "session"), &ended);
	if (r < 0)
		return r;
	recorded_show(cli, ended, path, shown);
	return command ? command_finish(command) : EXIT_OK;
}

/* Of what has been: nothing is collected, the daemon writes what its history has. */
static int check_past(const struct options *o, struct error *e)
{
	if (o->n_operands || request_names_whom(o) || o->frequency.set || o->off_cpu ||
	    o->duration.set)
		return usage_error(o, e,
				   "with --since and --until the recording is a part of the "
				   "history: of the session that --session names, or of the "
				   "machine's samples, and of all processes");
	return 0;
}

/* As JSON, where that is asked for. */
static void write_past(struct output *o, reply_t *reply, const char *path)
{
	struct json_writer *w = output_document(o);

	if (!w)
		return;
	json_string(w, "path", path);
	reply_write_members(w, reply, NULL, NULL);
	output_document_end(o);
}

static int record_past(struct cli *cli, const char *path)
{
	_cleanup_(strbuf_release) struct strbuf params = {0}, line = {0};
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	const struct options *o = cli->options;
	const char *shown = o->output ? o->output : DEFAULT_FILE;
	char buf[FORMAT_MAX];
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query(&w, o);
	json_string(&w, "path", path);
	r = request_end(&w, &cli->error);
	if (r >= 0)
		r = query_call(cli, "RecordPast", params.data, &reply);
	if (r < 0)
		return r;
	write_past(cli->output, reply, path);
	text_counted(&line, reply_u64(reply, "windows"), "window");
	strbuf_puts(&line, ", ");
	text_counted(&line, reply_u64(reply, "samples"), "sample");
	strbuf_puts(&line, ", ");
	text_counted(&line, reply_u64(reply, "spans"), "raw span");
	if (strbuf_error(&line) == 0)
		output_note(cli->output, "%s: %s, %s", shown, line.data,
			    format_size(buf, reply_u64(reply, "bytes")));
	return EXIT_OK;
}

int cmd_record(struct cli *cli)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(command_freep) struct command *command = NULL;
	_cleanup_(freep) char *path = NULL;
	const struct options *o = cli->options;
	bool past = o->since.set || o->until.set;
	int r = past ? check_past(o, &cli->error) : request_check(o, &cli->error);

	if (r < 0)
		return r;
	if (!past && o->session)
		return usage_error(o, &cli->error,
				   "--session goes with --since: --name names a "
				   "new recording's session");
	if (o->output && streq(o->output, "-"))
		return usage_error(o, &cli->error, "a recording is a file: name it with -o FILE");
	path = absolute_path(o->output ? o->output : DEFAULT_FILE);
	if (!path)
		return error_set(&cli->error, errno, "Internal", "cannot name the recording: %m");
	if (past)
		return record_past(cli, path);
	if (o->command)
		r = command_new(o->command, &command, &cli->exit_status, &cli->error);
	if (r >= 0)
		r = connection_open(o, &c, &cli->error);
	return r < 0 ? r : record(cli, c, command, path);
}

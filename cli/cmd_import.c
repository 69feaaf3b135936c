/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file is parsed here, with no more rights than the user has and never as root; a private
 * daemon writes the recording, and checks all that it is sent.
 */
#include "connect.h"
#include "import/formats.h"
#include "import/privilege.h"
#include "import/recorder.h"
#include "render/output.h"
#include "render/text.h"
#include "request.h"
#include "sonde/base/format.h"
#include "varlink/message.h"

#define DEFAULT_FILE "out.sonde"

static const struct {
	const char *one, *several;
} note_texts[] = {
#define NOTE(name, singular, plural) {singular, plural},
#include "import/notes.def"
#undef NOTE
};

struct importing {
	struct cli *cli;
	const struct import_format *format;
	char *path; /* absolute */
	struct connection *connection;
	bool waiting; /* for the answer to the batch before */
};

static void importing_release(struct importing *i)
{
	connection_free(i->connection);
	free(i->path);
}

/* The name of the session: that of the file. */
static const char *session_name(const struct cli *cli)
{
	const char *name = cli->options->operands[0];

	return streq(name, "-") ? "import" : path_base(name);
}

static int begin(void *arg, const struct import_begin *b)
{
	static const char *const kinds[] = {"span", "cpu", "offcpu"};
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {};
	struct importing *i = arg;
	struct error *e = &i->cli->error;
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	json_string(&w, "path", i->path);
	json_string(&w, "name", session_name(i->cli));
	json_string(&w, "source", i->format->name);
	json_array_begin(&w, "kinds");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		if (b->kinds & 1U << k)
			json_string(&w, NULL, kinds[k]);
	json_array_end(&w);
	json_u64(&w, "frequency", b->frequency);
	json_u64(&w, "started_us", b->started_us);
	r = request_end(&w, e);
	return r < 0 ? r : connection_call(i->connection, "ImportBegin", params.data, &reply, e);
}

static int take_answer(struct importing *i)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	bool continues;

	if (!i->waiting)
		return 0;
	i->waiting = false;
	return connection_next(i->connection, -1, &reply, &continues, &i->cli->error);
}

/* The daemon works on a batch while the next one is being made. */
static int send_batch(void *arg, const char *params)
{
	struct importing *i = arg;
	int r = take_answer(i);

	if (r >= 0)
		r = connection_stream(i->connection, "ImportBatch", params, &i->cli->error);
	i->waiting = r >= 0;
	return r;
}

static int end(struct importing *i, uint64_t ended_us, struct cJSON **ret)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	struct json_writer w;
	int r = take_answer(i);

	request_begin(&w, &params);
	json_u64(&w, "ended_us", ended_us);
	if (r >= 0)
		r = request_end(&w, &i->cli->error);
	return r < 0 ? r
		     : connection_call(i->connection, "ImportEnd", params.data, ret,
				       &i->cli->error);
}

static void note_text(char buf[static 256], size_t note, uint64_t n)
{
	char count[FORMAT_MAX];

	snprintf(buf, 256, "%s %s", format_count(count, n),
		 n == 1 ? note_texts[note].one : note_texts[note].several);
}

static void show_document(struct output *o, const struct importing *i, reply_t *reply,
			  const uint64_t notes[IMPORT_NOTES])
{
	struct json_writer *w = output_document(o);
	char text[256];

	if (!w)
		return;
	json_string(w, "path", i->path);
	json_string(w, "format", i->format->name);
	reply_write_members(w, reply, NULL, NULL);
	json_array_begin(w, "notes");
	for (size_t n = 0; n < IMPORT_NOTES; n++) {
		if (!notes[n])
			continue;
		note_text(text, n, notes[n]);
		json_string(w, NULL, text);
	}
	json_array_end(w);
	output_document_end(o);
}

static void say_notes(struct output *o, const uint64_t notes[IMPORT_NOTES])
{
	char text[256];

	for (size_t n = 0; n < IMPORT_NOTES; n++) {
		if (!notes[n])
			continue;
		note_text(text, n, notes[n]);
		output_note(o, "sonde: %s", text);
	}
}

static void show(const struct importing *i, reply_t *reply, const uint64_t notes[IMPORT_NOTES])
{
	_cleanup_(strbuf_release) struct strbuf line = {};
	struct output *o = i->cli->output;
	char size[FORMAT_MAX];

	show_document(o, i, reply, notes);
	say_notes(o, notes);
	text_counted(&line, reply_u64(reply, "spans"), "span");
	strbuf_puts(&line, ", ");
	text_counted(&line, reply_u64(reply, "samples"), "sample");
	if (strbuf_error(&line) == 0)
		output_note(o, "%s: %s, %s",
			    i->cli->options->output ? i->cli->options->output : DEFAULT_FILE,
			    line.data, format_size(size, reply_u64(reply, "bytes")));
}

static int import(struct importing *i, struct import_input *in, uint64_t now_us)
{
	const struct import_recorder_ops ops = {.begin = begin, .send = send_batch, .arg = i};
	struct error *e = &i->cli->error;
	_cleanup_(import_recorder_freep) struct import_recorder *recorder =
		import_recorder_new(&ops, now_us, e);
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	struct import_sink *sink;
	uint64_t ended_us;
	int r;

	if (!recorder)
		return -ENOMEM;
	sink = import_recorder_sink(recorder);
	r = i->format->read(in, sink, e);
	if (r >= 0)
		r = import_recorder_finish(recorder, &ended_us);
	if (r < 0)
		return r;
	if (!ended_us) {
		say_notes(i->cli->output, sink->notes);
		return error_set(e, EBADMSG, "BadFile",
				 "%s: there are neither spans nor samples in it (read as %s)",
				 import_input_name(in), i->format->name);
	}
	r = end(i, ended_us, &reply);
	if (r < 0)
		return r;
	show(i, reply, sink->notes);
	return EXIT_OK;
}

int cmd_import(struct cli *cli)
{
	_cleanup_(import_input_freep) struct import_input *in = NULL;
	_cleanup_(importing_release) struct importing i = {.cli = cli};
	const struct options *o = cli->options;
	int r;

	if (o->n_operands != 1)
		return usage_error(o, &cli->error,
				   "name one file to import, or - for standard "
				   "input");
	if (o->output && streq(o->output, "-"))
		return usage_error(o, &cli->error, "a recording is a file: name it with -o FILE");
	i.path = absolute_path(o->output ? o->output : DEFAULT_FILE);
	if (!i.path)
		return error_set(&cli->error, errno, "Internal", "cannot name the recording: %m");
	r = import_input_open(o->operands[0], &in, &cli->error);
	if (r < 0)
		return r;
	/* The daemon writes as whoever runs this; nothing of the file is looked at before. */
	r = connection_open_import(o, &i.connection, &cli->error);
	if (r >= 0)
		r = import_drop_privilege(&cli->error);
	if (r < 0)
		return r;
	if (o->format)
		i.format = import_format_find(o->format);
	else
		r = import_format_detect(in, &i.format, &cli->error);
	if (r < 0)
		return r;
	if (!o->output)
		output_note(cli->output, "sonde: no -o FILE: importing to %s", DEFAULT_FILE);
	return import(&i, in, import_input_time(in));
}

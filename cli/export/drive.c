/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drive.h"

#include "../connect.h"
#include "../debuginfo.h"
#include "../query.h"
#include "../render/output.h"
#include "../render/session.h"
#include "../request.h"
#include "../watch.h"
#include "gzip.h"
#include "spool.h"
#include "varlink/message.h"

struct drive {
	struct cli *cli;
	const struct export_format *format;
	struct export x;
	struct connection *connection;
	struct watch *watch; /* NULL: signals end the command as they do others */
	struct span_source source;
	struct sample_source samples;
	struct spool *spool;
	struct gzip *gzip;
	struct strbuf text;  /* what is to be compressed */
	struct cJSON *first; /* the reply that has the session */
	bool either;	     /* of a session without spans: samples */
	bool begun, noted;
};

static void drive_release(struct drive *d)
{
	if (d->begun)
		d->format->free(&d->x);
	connection_free(d->connection);
	watch_free(d->watch);
	span_source_release(&d->source);
	sample_source_release(&d->samples);
	spool_free(d->spool);
	gzip_free(d->gzip);
	strbuf_release(&d->text);
	message_free_json(d->first);
}

static int no_memory(struct drive *d)
{
	return error_set(&d->cli->error, ENOMEM, "Internal", "out of memory");
}

static int interrupted(struct drive *d)
{
	d->cli->exit_status = EXIT_INTERRUPTED;
	return error_set(&d->cli->error, EINTR, "WriteFailed",
			 "interrupted: nothing was written to %s", d->cli->options->output);
}

/* A file that is not finished is removed, also when it was a signal that ended the export. */
static int check_signals(struct drive *d, int fd, int timeout_ms)
{
	int r = d->watch ? watch_wait(d->watch, fd, timeout_ms) : 0;

	if (r < 0)
		return error_set(&d->cli->error, -r, "Internal", "cannot wait: %s", strerror(-r));
	return r & WATCH_SIGNAL ? interrupted(d) : 0;
}

static int drain(void *arg)
{
	struct drive *d = arg;
	struct output *output = d->cli->output;
	int r = strbuf_error(d->x.out);

	if (r >= 0 && d->gzip) {
		r = gzip_write(d->gzip, d->text.data, d->text.len, output_data(output));
		strbuf_reset(&d->text);
	}
	if (r < 0)
		return no_memory(d);
	r = output_flush(output, &d->cli->error);
	return r < 0 ? r : check_signals(d, -1, 0);
}

static int emit(void *arg, const struct exported_span *span)
{
	struct drive *d = arg;
	int r = d->format->span(&d->x, span);

	return r < 0 ? r : export_relieve(&d->x);
}

static int spool_failed(struct drive *d, int r)
{
	if (r == -ENOMEM)
		return no_memory(d);
	error_set(&d->cli->error, -r, "WriteFailed",
		  "cannot keep spans in a temporary file while they are sorted: %s", strerror(-r));
	error_fix(&d->cli->error, "name a directory with room for it: TMPDIR=/path sonde export …");
	return r;
}

static int keep(void *arg, const struct exported_span *span)
{
	struct drive *d = arg;
	int r = spool_add(d->spool, span);

	if (r < 0)
		return spool_failed(d, r);
	r = d->format->look ? d->format->look(&d->x, span, false) : 0;
	return r < 0 ? no_memory(d) : 0;
}

static int look(void *arg, const struct exported_span *span)
{
	struct drive *d = arg;

	return d->format->look(&d->x, span, true);
}

static int begin(struct drive *d)
{
	int r;

	d->begun = true;
	r = d->format->begin(&d->x);
	return r == -ENOMEM ? no_memory(d) : r;
}

/* The next reply; signals are looked at while there is none. */
static int next_reply(struct drive *d, struct cJSON **ret, bool *ret_continues)
{
	while (d->watch && !connection_has_message(d->connection)) {
		int r = check_signals(d, connection_fd(d->connection), -1);

		if (r >= 0)
			r = connection_next(d->connection, 0, ret, ret_continues, &d->cli->error);
		if (r != -ETIMEDOUT)
			return r;
	}
	return connection_next(d->connection, -1, ret, ret_continues, &d->cli->error);
}

/* Of the first answer only. */
static void note(struct drive *d, reply_t *reply)
{
	if (d->noted)
		return;
	d->noted = true;
	notes_note(d->cli->output, reply);
	coverage_note(d->cli->output, reply);
}

static int take_spans(struct drive *d, bool *ret_continues)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	struct cli *cli = d->cli;
	int r = next_reply(d, &reply, ret_continues);

	if (r < 0)
		return r;
	if (!d->begun && d->either &&
	    !reply_has_text(reply_get(reply, "session"), "kinds", "span")) {
		d->first = TAKE_PTR(reply);
		return 0;
	}
	if (!d->begun) {
		d->x.session = reply_get(reply, "session");
		r = begin(d);
	}
	if (r >= 0)
		r = span_source_take(&d->source, reply, d->spool ? keep : emit, d, &cli->error);
	if (!*ret_continues && r >= 0)
		note(d, reply);
	if (!d->first)
		d->first = TAKE_PTR(reply);
	return r;
}

static int open_spans(struct drive *d)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_spans(&w, d->cli->options);
	json_bool(&w, "details", true);
	r = request_end(&w, &d->cli->error);
	return r < 0 ? r
		     : connection_stream(d->connection, "ExportSpans", params.data, &d->cli->error);
}

static int ask_spans(struct drive *d)
{
	bool continues = true;
	int r = open_spans(d);

	while (r >= 0 && continues)
		r = take_spans(d, &continues);
	if (r >= 0 && d->x.look_again)
		r = spool_each(d->spool, look, d);
	if (r >= 0 && d->spool && d->begun)
		r = spool_each(d->spool, emit, d);
	if (r < 0)
		return r == -EPIPE || d->cli->error.name[0] ? r : spool_failed(d, r);
	if (d->source.n_spans || !d->begun || d->format->everything)
		return 0;
	if (!(d->format->carries & EXPORT_STACKS) && !reply_has_text(d->x.session, "kinds", "span"))
		output_note(d->cli->output,
			    "sonde: this session has no spans: samples go to other formats, such "
			    "as pprof and speedscope");
	else
		output_note(d->cli->output, "sonde: no such spans in this session");
	return 0;
}

static int emit_sample(void *arg, const struct exported_sample *sample)
{
	struct drive *d = arg;
	int r = d->format->sample(&d->x, sample);

	return r < 0 ? r : export_relieve(&d->x);
}

static int take_samples(struct drive *d, bool *ret_continues)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	int r = next_reply(d, &reply, ret_continues);

	if (r < 0)
		return r;
	if (!d->begun) {
		message_free_json(d->first);
		d->first = TAKE_PTR(reply);
		d->x.session = reply_get(d->first, "session");
		r = begin(d);
	}
	if (r >= 0)
		r = sample_source_take(&d->samples, reply ? reply : d->first, emit_sample, d,
				       &d->cli->error);
	if (r >= 0 && !*ret_continues)
		note(d, reply ? reply : d->first);
	return r == -ENOMEM ? no_memory(d) : r;
}

static int ask_samples(struct drive *d, const char *kind)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	bool continues = true;
	struct json_writer w;
	int r = debuginfo_prepare(d->cli, d->connection);

	request_begin(&w, &params);
	if (r >= 0 && request_samples(&w, d->cli->options, kind) < 0)
		return no_memory(d);
	if (r >= 0)
		r = request_end(&w, &d->cli->error);
	if (r >= 0)
		r = connection_stream(d->connection, "ExportSamples", params.data, &d->cli->error);
	sample_source_begin(&d->samples);
	while (r >= 0 && continues)
		r = take_samples(d, &continues);
	return r;
}

/* Spans, and the samples and waits that were taken meanwhile; or one kind that is asked for. */
static int ask_in_time(struct drive *d, const char *kind)
{
	static const char *const kinds[] = {"cpu", "offcpu"};
	int r = !kind || streq(kind, "span") ? ask_spans(d) : 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(kinds); i++)
		if (kind ? streq(kind, kinds[i])
			 : reply_has_text(reply_get(d->first, "session"), "kinds", kinds[i]))
			r = ask_samples(d, kinds[i]);
	if (r < 0 && (kind || d->cli->options->in || !query_goes_without(d->cli)))
		return r;
	r = 0;
	if (!d->begun) {
		d->x.session = reply_get(d->first, "session");
		r = begin(d);
	}
	if (!d->source.n_spans && !d->samples.n_samples && (d->either || kind))
		output_note(d->cli->output,
			    "sonde: there is nothing in this session whose time is known");
	return r;
}

/* One question, and its answer handed to take(). */
static int ask_once(struct drive *d, const char *method, const char *params,
		    int (*take)(struct export *x, reply_t *reply))
{
	struct cli *cli = d->cli;
	int r = debuginfo_prepare(cli, d->connection);

	d->first = message_free_json(d->first);
	d->x.session = NULL;
	if (r >= 0)
		r = connection_call(d->connection, method, params, &d->first, &cli->error);
	if (r < 0)
		return r;
	d->x.session = reply_get(d->first, "session");
	r = d->begun ? 0 : begin(d);
	if (r >= 0)
		r = take(&d->x, d->first);
	note(d, d->first);
	return r == -ENOMEM ? no_memory(d) : r;
}

static int ask_stacks(struct drive *d, const char *kind)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query_of(&w, d->cli->options, kind);
	r = request_end(&w, &d->cli->error);
	if (r >= 0)
		r = ask_once(d, "ExportStacks", params.data, d->format->stacks);
	if (r >= 0 && !reply_first(d->first, "samples") && !reply_first(d->first, "calls"))
		output_note(d->cli->output, "sonde: no stacks in this session yet");
	return r;
}

static int ask_answer(struct drive *d)
{
	_cleanup_(strbuf_release) struct strbuf params = {};
	const struct options *o = d->cli->options;
	bool graph = o->answer && streq(o->answer, "graph");
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query(&w, o);
	if (o->by && !graph)
		json_string(&w, "by", o->by);
	if (o->sort && !graph)
		json_string(&w, "sort", o->sort);
	if (o->count.set && !graph)
		json_u64(&w, "limit", o->count.value);
	r = request_end(&w, &d->cli->error);
	if (r >= 0)
		r = ask_once(d, graph ? "Graph" : "Report", params.data, d->format->answer);
	if (r >= 0 && !reply_first(d->first, "rows"))
		output_note(d->cli->output, "sonde: nothing in this session yet");
	return r;
}

/* Raw spans beside what they were added up to: a session that has none of them is whole without. */
static int add_spans(struct drive *d)
{
	int r = ask_spans(d);

	if (r >= 0 || !streq(d->cli->error.name, "BadArgument"))
		return r;
	d->cli->error = (struct error){};
	return 0;
}

/* Of each kind that the session has, or of the one that is asked for; then raw spans. */
static int ask_everything(struct drive *d, const char *kind)
{
	static const char *const kinds[] = {"span", "cpu", "offcpu"};
	/* A condition is about spans. */
	int r = ask_stacks(d, kind ? kind : d->cli->options->where ? "span" : NULL);
	bool has[ARRAY_SIZE(kinds)] = {}, first[ARRAY_SIZE(kinds)] = {};

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(kinds); i++) {
		has[i] = reply_has_text(d->x.session, "kinds", kinds[i]);
		first[i] = streq(reply_str(d->first, "kind"), kinds[i]);
	}
	for (size_t i = 0; r >= 0 && !kind && !d->cli->options->where && i < ARRAY_SIZE(kinds); i++)
		if (has[i] && !first[i])
			r = ask_stacks(d, kinds[i]);
	return r >= 0 && (first[0] || (has[0] && !kind)) ? add_spans(d) : r;
}

/* What nobody has asked for by its kind is spans, if the session has any, as for all questions. */
static int ask(struct drive *d)
{
	unsigned int carries = d->format->carries;
	const char *kind = d->cli->options->kind;
	bool spans;
	int r;

	/* Samples in spans are asked for: CPU samples, unless it is said which. */
	if (!kind && d->cli->options->in && carries & EXPORT_STACKS)
		kind = "cpu";
	spans = carries & EXPORT_SPANS && (!kind || streq(kind, "span"));
	if (carries & EXPORT_ANSWER &&
	    !(d->cli->options->answer && streq(d->cli->options->answer, "spans")))
		return ask_answer(d);
	d->either = !kind && carries & (EXPORT_STACKS | EXPORT_SAMPLES);
	if (d->format->everything)
		return ask_everything(d, kind);
	if (carries & EXPORT_SAMPLES)
		return ask_in_time(d, kind);
	if (!spans && carries & EXPORT_STACKS)
		return ask_stacks(d, kind);
	r = ask_spans(d);
	return r >= 0 && !d->begun ? ask_stacks(d, NULL) : r;
}

static int finish(struct drive *d)
{
	int r = d->format->end(&d->x);

	if (r >= 0)
		r = drain(d);
	if (r >= 0 && d->gzip)
		r = gzip_finish(d->gzip, output_data(d->cli->output));
	if (r >= 0 && *d->x.note)
		output_note(d->cli->output, "sonde: %s", d->x.note);
	return r == -ENOMEM ? no_memory(d) : r;
}

static int prepare(struct drive *d)
{
	const struct options *o = d->cli->options;
	int r = 0;

	/* Processes that are looked at may end: the export goes on all the same. */
	if (options_to_file(o))
		r = watch_new(o, false, NULL, &d->watch, &d->cli->error);
	if (r >= 0)
		r = connection_open(o, &d->connection, &d->cli->error);
	if (r >= 0 && d->format->order != ORDER_ANY)
		r = spool_new(0, d->format->order == ORDER_THREAD, &d->spool);
	if (r >= 0 && (d->format->gzipped || (options_to_file(o) && export_is_gzip(o->output))))
		r = gzip_new(&d->gzip);
	return r == -ENOMEM ? no_memory(d) : r;
}

int export_drive(struct cli *cli, const struct export_format *format)
{
	_cleanup_(drive_release) struct drive d = {.cli = cli, .format = format};
	int r = prepare(&d);

	d.x = (struct export){
		.options = cli->options,
		.out = d.gzip ? &d.text : output_data(cli->output),
		.source = &d.source,
		.samples = &d.samples,
		.error = &cli->error,
		.write = drain,
		.write_arg = &d,
	};
	if (r >= 0)
		r = ask(&d);
	return r < 0 ? r : finish(&d);
}

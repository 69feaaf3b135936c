/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Import: a client that has parsed a file of another tool sends what it found, and the daemon
 * writes a recording of it. Only a daemon that does nothing else takes part in it, as the command
 * starts one for itself; it has no more rights than the command.
 */
#include "control/import.h"
#include "control/methods.h"
#include "varlink/params.h"

/* A batch, or the end, on its way through the writer's thread. */
struct job {
	struct daemon *daemon;
	struct call *call;
	struct import *import; /* taken from the daemon meanwhile */
	bool ends;
	uint64_t ended_us;
	struct import_totals totals;
	struct error error;
};

int daemon_take_import(struct daemon *d)
{
	d->imports = true;
	error_set(&d->kernel_error, EOPNOTSUPP, "NotSupported", "this sonded imports files only");
	return 0;
}

static void fail(struct call *call, int r, struct error *error)
{
	error_set(error, -r, "Internal", "importing failed: %s", strerror(-r));
	methods_fail(call, error);
}

static void reply(struct job *job)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct json_writer w;

	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	if (job->ends) {
		json_u64(&w, "windows", job->totals.windows);
		json_u64(&w, "samples", job->totals.samples);
		json_u64(&w, "spans", job->totals.spans);
		json_u64(&w, "bytes", job->totals.bytes);
	}
	json_object_end(&w);
	methods_reply(job->call, &out);
}

static void run(void *arg)
{
	struct job *job = arg;
	int r = import_write(job->import, &job->error);

	if (r >= 0 && job->ends)
		r = import_complete(job->import, job->ended_us, &job->error, &job->totals);
	if (r < 0)
		error_set(&job->error, -r, "WriteFailed", "the recording cannot be written: %s",
			  strerror(-r));
}

/* After an error nothing more can be added: the file is given up. */
static void done(void *arg, bool cancelled)
{
	struct job *job = arg;

	if (cancelled)
		error_set(&job->error, ECANCELED, "Internal", "the daemon is ending");
	if (job->error.name[0] || job->ends)
		import_free(job->import);
	else
		job->daemon->import = job->import;
	if (job->error.name[0])
		methods_fail(job->call, &job->error);
	else
		reply(job);
	free(job);
}

static int submit(struct daemon *d, struct call *call, bool ends, uint64_t ended_us)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){
		.daemon = d, .call = call, .import = d->import, .ends = ends, .ended_us = ended_us};
	r = worker_submit(d->writer, run, done, job);
	if (r < 0) {
		free(job);
		return r;
	}
	d->import = NULL;
	return 0;
}

/* What a session of such kinds looks like. spec: that of spans. */
static int read_kinds(const cJSON *params, struct store_session *row, char **spec,
		      struct error *error)
{
	_cleanup_(freep) const char **kinds = NULL;
	size_t n = 0;
	int r = param_strings(params, "kinds", PARAM_REQUIRED, &kinds, &n, error);

	if (r < 0)
		return r;
	row->specs = spec;
	for (size_t i = 0; i < n; i++) {
		if (streq(kinds[i], "span"))
			row->n_specs = 1;
		else if (streq(kinds[i], "offcpu"))
			row->flags |= STORE_SESSION_OFFCPU;
	}
	return 0;
}

static int begin(struct daemon *d, const cJSON *params, struct error *error)
{
	const char *path = NULL, *name = NULL, *source = NULL;
	char *spec = NULL;
	int64_t frequency = 0, started_us = 0;
	struct store_session row = {};
	int r;

	r = param_string(params, "path", PARAM_REQUIRED, &path, error);
	if (r >= 0)
		r = param_string(params, "name", PARAM_REQUIRED, &name, error);
	if (r >= 0)
		r = param_string(params, "source", PARAM_REQUIRED, &source, error);
	if (r >= 0)
		r = param_int(params, "frequency", PARAM_REQUIRED, 0, NSEC_PER_SEC, &frequency,
			      error);
	if (r >= 0)
		r = param_int(params, "started_us", PARAM_REQUIRED, 0, (int64_t)1 << 52,
			      &started_us, error);
	if (r >= 0)
		r = read_kinds(params, &row, &spec, error);
	if (r >= 0 && path[0] != '/')
		r = error_set(error, EINVAL, "BadArgument", "path: \"%.200s\" is not absolute",
			      path);
	if (r < 0)
		return r;
	spec = (char *)source;
	row.name = (char *)name;
	row.targets = (char *)source;
	row.frequency = (uint32_t)frequency;
	row.started_us = (uint64_t)started_us;
	return import_new(path, &row, error, &d->import);
}

/* What is asked of a daemon that cannot, or not now. */
static int refuse(const struct daemon *d, bool begins, struct error *error)
{
	if (!d->imports)
		return error_set(error, EOPNOTSUPP, "NotSupported",
				 "only a sonded that was started with --import imports files");
	if (begins == !d->import)
		return 0;
	return error_set(error, EINVAL, "BadArgument", "%s",
			 begins ? "another import is not at its end"
				: "there is no import: ImportBegin comes first, and after an error "
				  "it is over");
}

void method_import_begin(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct error error = {};
	int r = refuse(d, true, &error);

	if (r >= 0)
		r = begin(d, call_params(call), &error);
	if (r < 0) {
		fail(call, r, &error);
		return;
	}
	strbuf_puts(&out, "{}");
	methods_reply(call, &out);
}

void method_import_batch(struct daemon *d, struct call *call)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct error error = {};
	bool due = false;
	int r = refuse(d, false, &error);

	if (r < 0) {
		fail(call, r, &error);
		return;
	}
	r = import_take(d->import, call_params(call), &due, &error);
	if (r >= 0 && due)
		r = submit(d, call, false, 0);
	if (r < 0) {
		d->import = import_free(d->import);
		fail(call, r, &error);
	} else if (!due) {
		strbuf_puts(&out, "{}");
		methods_reply(call, &out);
	}
}

void method_import_end(struct daemon *d, struct call *call)
{
	struct error error = {};
	int64_t ended_us = 0;
	int r = refuse(d, false, &error);

	if (r >= 0)
		r = param_int(call_params(call), "ended_us", PARAM_REQUIRED, 0, (int64_t)1 << 52,
			      &ended_us, &error);
	if (r >= 0)
		r = import_roll(d->import);
	if (r >= 0)
		r = submit(d, call, true, (uint64_t)ended_us);
	if (r < 0)
		fail(call, r, &error);
}

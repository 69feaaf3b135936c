/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Save: what there is of an attached session as a recording; what the rolling store has is written
 * by RecordPast's handler. Batches are made on the main
 * thread, which owns the model; the writer's thread writes them. The file is made as for Record:
 * who may call it is root or the daemon's own user (server.c), and so could make it himself.
 */
#include "control/frame_names.h"
#include "control/methods.h"
#include "control/recorded.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "varlink/params.h"

struct save {
	struct daemon *daemon;
	struct call *call;
	struct store_writer *writer;
	struct store_batch **batches;
	size_t n, cap;
	uint64_t samples, first_us, bytes;
	struct error error;
};

static struct save *save_free(struct save *s)
{
	for (size_t i = 0; i < s->n; i++)
		store_batch_free(s->batches[i]);
	free(s->batches);
	store_writer_free(s->writer);
	free(s);
	return NULL;
}

static char *name_symbol(void *arg, const struct model_file *file, const char *path,
			 uint64_t offset)
{
	return processes_name_frame_as(arg, file, path, offset, DEMANGLE_NONE);
}

/* No lines of source: it is looked at now, where the files are. */
static void save_run(void *arg)
{
	struct save *s = arg;
	const struct store_names names = {.resolve = processes_name_frame,
					  .symbol = name_symbol,
					  .arg = s->daemon->symbolizer};
	int r = 0;

	for (size_t i = 0; i < s->n && r >= 0; i++) {
		_cleanup_(frame_names_release) struct frame_names shown = {
			.symbolizer = s->daemon->symbolizer};

		store_each_unnamed(s->writer, s->batches[i], frame_names_note, &shown);
		frame_names_prepare(&shown, DEMANGLE_SHORT);
		r = store_write(s->writer, s->batches[i], &names, &s->error);
	}
	if (r >= 0)
		r = store_close(TAKE_PTR(s->writer), now_epoch_us(), &s->error, &s->bytes);
	if (r < 0)
		error_set(&s->error, -r, "WriteFailed", "the recording cannot be written: %s",
			  strerror(-r));
}

static void save_done(void *arg, bool cancelled)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};
	struct save *s = arg;
	struct json_writer w;

	if (cancelled)
		error_set(&s->error, ECANCELED, "Internal", "the daemon is ending");
	if (s->error.name[0]) {
		methods_fail(s->call, &s->error);
		save_free(s);
		return;
	}
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	json_u64(&w, "windows", s->n);
	json_u64(&w, "samples", s->samples);
	json_u64(&w, "spans", 0);
	json_u64(&w, "bytes", s->bytes);
	json_u64(&w, "first_us", s->first_us);
	json_u64(&w, "last_us", now_epoch_us());
	json_object_end(&w);
	methods_reply(s->call, &out);
	save_free(s);
}

/* A batch of a copy of the window: the session goes on with it. */
static int add_window(struct save *save, struct recorded *recorded, const struct window *w)
{
	_cleanup_(window_release) struct window copy = {};
	int r = window_merge(&copy, w);

	copy.start_ns = w->start_ns;
	copy.end_ns = w->end_ns ? w->end_ns : now_monotonic_ns();
	if (r >= 0)
		r = array_reserve(&save->batches, &save->cap, save->n + 1, sizeof(*save->batches));
	if (r >= 0)
		r = recorded_batch(recorded, &copy, &save->batches[save->n]);
	if (r >= 0)
		save->n++;
	return r;
}

/* The past, what has come since, and what only the kernel has. */
static int add_windows(struct save *save, struct session *s)
{
	_cleanup_(recorded_freep) struct recorded *recorded = NULL;
	struct window kernel;
	int r = recorded_new(s, &recorded);

	for (size_t i = 0; s->past && i < s->past->n && r >= 0; i++)
		r = add_window(save, recorded, &s->past->windows[i]);
	if (r >= 0 && s->active)
		r = add_window(save, recorded, &s->window);
	if (r >= 0 && session_kernel_window(s, &kernel) == 0) {
		r = add_window(save, recorded, &kernel);
		window_release(&kernel);
	}
	return r;
}

static int find(struct daemon *d, struct call *call, struct asked *asked, const char **ret_path,
		struct error *error)
{
	int r = param_string(call_params(call), "path", PARAM_REQUIRED, ret_path, error);

	if (r >= 0)
		r = methods_read_query(d, call, asked, error);
	if (r < 0)
		return r;
	if ((*ret_path)[0] != '/')
		return error_set(error, EINVAL, "BadArgument", "path: \"%s\" is not absolute",
				 *ret_path);
	if (asked->session->kind == SESSION_ATTACHED)
		return 0;
	error_set(error, EINVAL, "BadArgument",
		  "session \"%s\" cannot be saved: it is not attached", asked->session->name);
	error_fix(error, "name another one (sonde list shows them), or compare the file that it is "
			 "recorded in");
	return -EINVAL;
}

/* Whether it is about the rolling store: what attached sessions have is theirs as a whole. */
static bool is_about_past(struct daemon *d, struct call *call)
{
	_cleanup_(asked_release) struct asked asked = {};
	struct error error = {0};

	return methods_read_query(d, call, &asked, &error) >= 0 &&
	       (asked.until_us || asked.session->kind == SESSION_KEPT);
}

static int start(struct daemon *d, struct call *call, struct save *save)
{
	_cleanup_(asked_release) struct asked asked = {};
	struct store_session stored;
	const char *path = NULL;
	struct session *s;
	int r = find(d, call, &asked, &path, &save->error);

	if (r < 0)
		return r;
	s = asked.session;
	daemon_catch_up(d);
	save->samples = s->n_samples;
	save->first_us = s->started_us;
	r = add_windows(save, s);
	if (r < 0)
		return r;
	session_describe_row(s, &stored);
	r = store_create(path, &stored, &save->error, &save->writer);
	if (r < 0)
		return r;
	log_info("uid %u saves session %s: %s", call_uid(call), s->name, path);
	return worker_submit(d->writer, save_run, save_done, save);
}

void method_save(struct daemon *d, struct call *call)
{
	struct save *save = calloc(1, sizeof(*save));
	int r;

	if (save && is_about_past(d, call)) {
		free(save);
		method_record_past(d, call);
		return;
	}
	if (!save) {
		methods_fail_memory(call);
		return;
	}
	save->daemon = d;
	save->call = call;
	r = start(d, call, save);
	if (r >= 0)
		return;
	error_set(&save->error, -r, "Internal", "%s", strerror(-r));
	methods_fail(call, &save->error);
	save_free(save);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/methods.h"

#include "control/merged.h"
#include "control/view.h"
#include "varlink/params.h"

static const struct {
	const char *name;
	void (*handler)(struct daemon *d, struct call *call);
	bool live;    /* needs the kernel side */
	bool history; /* may be about a part of a file: see view.h */
	bool opens;   /* opens the file for itself: one that is no recording, as of several sessions
		       */
	bool raw;     /* a part of a file is answered with raw spans */
} methods[] = {
	{"Status", method_status, false},
	{"Doctor", method_doctor, false},
	{"List", method_list, false},
	{"Probes", method_probes, false},
	{"Attach", method_attach, true},
	{"Detach", method_detach, true},
	{"Trace", method_trace, true},
	{"Record", method_record, true},
	{"Replay", method_replay, false},
	{"Stop", method_stop, false},
	{"Report", method_report, false, true},
	{"Graph", method_graph, false, true},
	{"Stacks", method_stacks, false, true},
	{"Spans", method_spans, false, true, .raw = true},
	{"ExportSpans", method_export_spans, false, true, .raw = true},
	{"ExportStacks", method_export_stacks, false, true},
	{"ExportSamples", method_export_samples, false},
	{"SetConditions", method_set_conditions, true},
	{"Events", method_events, false},
	{"RecordPast", method_record_past, true},
	{"Sql", method_sql, false, false, true},
	{"MissingDebugInfo", method_missing_debug_info, false, true},
	{"ForgetSymbols", method_forget_symbols, false},
	{"Diff", method_diff, false},
	{"Save", method_save, true},
	{"ImportBegin", method_import_begin, false},
	{"ImportBatch", method_import_batch, false},
	{"ImportEnd", method_import_end, false},
};

void daemon_dispatch(void *arg, struct call *call)
{
	struct daemon *d = arg;
	struct error error = {0};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (!streq(methods[i].name, call_method(call)))
			continue;
		if (d->recording_error.name[0] && !methods[i].opens) {
			methods_fail(call, &d->recording_error);
		} else if (methods[i].live && daemon_is_replay(d)) {
			error_set(&error, EROFS, "ReplayOnly",
				  "%s needs a running system: a recording is open",
				  methods[i].name);
			error_fix(&error, "leave out -i FILE");
			methods_fail(call, &error);
		} else if (methods[i].live && !d->kernel) {
			methods_fail(call, &d->kernel_error);
		} else if (!methods[i].history ||
			   !view_begin(d, call, methods[i].raw, methods[i].handler)) {
			methods[i].handler(d, call);
		}
		return;
	}
	/* The server has checked the name against the interface: every method must be above. */
	error_set(&error, ENOSYS, "Internal", "the method %s is not in the daemon's table",
		  call_method(call));
	methods_fail(call, &error);
}

void methods_reply(struct call *call, const struct strbuf *out)
{
	call_reply(call, out, false);
	call_unref(call);
}

void methods_fail(struct call *call, const struct error *error)
{
	call_fail(call, error);
	call_unref(call);
}

void methods_fail_memory(struct call *call)
{
	struct error error = {};

	error_set(&error, ENOMEM, "Internal", "out of memory");
	methods_fail(call, &error);
}

static bool tells_of_stacks(const struct session *s)
{
	for (size_t i = 0; i < s->n_parts; i++)
		if (store_reader_version(s->parts[i]->reader) < 3)
			return false;
	return !s->reader || store_reader_version(s->reader) >= 3;
}

void methods_coverage(struct session *s, struct coverage *ret,
		      uint64_t losses[static LOSS_COUNTERS])
{
	uint64_t now[LOSS_COUNTERS], spans = s->n_spans - s->n_counted;
	struct window kernel;

	for (size_t i = 0; i < LOSS_COUNTERS; i++)
		losses[i] = s->total.losses[i] + s->window.losses[i];
	if (s->reader)
		memcpy(losses, store_reader_total(s->reader)->losses, sizeof(now));
	if (s->has_slot && kernel_side_losses(s->context->kernel, s->slot, now) == 0)
		for (size_t i = 0; i < LOSS_COUNTERS; i++)
			losses[i] += now[i] - s->losses_seen[i];
	if (session_kernel_window(s, &kernel) == 0) {
		spans += window_calls(&kernel);
		window_release(&kernel);
	} else if (s->options.stats_only && s->kind != SESSION_REPLAY) {
		spans = window_calls(&s->total);
	}
	*ret = (struct coverage){
		.spans_lost = losses[LOSS_RING_SPAN] + losses[LOSS_TOO_DEEP] +
			      losses[LOSS_NO_MEMORY] + losses[LOSS_PROGRAM],
		.samples_lost = losses[LOSS_RING_SAMPLE],
		.windows = s->windows,
		.windows_missing = s->windows_missing,
	};
	ret->spans_seen = spans + losses[FILTERED_SPAN] + ret->spans_lost;
	ret->samples_seen = s->n_samples + ret->samples_lost;
	/* Older recordings do not say. */
	ret->has_stacks = s->n_samples && tells_of_stacks(s);
	ret->samples_partial = losses[PARTIAL_STACK];
	ret->samples_pointers = losses[POINTERS_STACK];
}

void methods_write_session(struct json_writer *w, const char *key, struct session *s)
{
	uint64_t losses[LOSS_COUNTERS];
	struct coverage coverage;

	methods_coverage(s, &coverage, losses);
	json_object_begin(w, key);
	json_string(w, "name", s->name);
	json_string(w, "state", s->active ? "active" : "closed");
	json_array_begin(w, "kinds");
	if (s->options.n_specs > 0)
		json_string(w, NULL, "span");
	if (s->options.frequency_hz > 0)
		json_string(w, NULL, "cpu");
	if (s->options.offcpu)
		json_string(w, NULL, "offcpu");
	json_array_end(w);
	json_array_begin(w, "specs");
	for (size_t i = 0; i < s->options.n_specs; i++)
		json_string(w, NULL, s->options.specs[i]);
	json_array_end(w);
	json_string(w, "targets", s->targets);
	json_u64(w, "probes", s->probes ? s->probes->n : session_recorded_probes(s));
	json_u64(w, "frequency", s->options.frequency_hz);
	json_u64(w, "started_us", s->started_us);
	json_u64(w, "spans", coverage.spans_seen - coverage.spans_lost - losses[FILTERED_SPAN]);
	json_u64(w, "samples", s->n_samples);
	answer_coverage(w, "coverage", &coverage);
	answer_losses(w, "losses", losses);
	if (s->host && *s->host)
		json_string(w, "host", s->host);
	json_object_end(w);
}

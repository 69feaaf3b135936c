/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The methods of io.sonde, one function each. A handler owns a reference of the call and ends it
 * with a reply or an error, now or later. methods.c has the table.
 */
#ifndef SONDE_CONTROL_METHODS_H
#define SONDE_CONTROL_METHODS_H

#include "control/answer.h"
#include "control/daemon.h"
#include "query/query.h"
#include "sonde/base/json.h"

void method_status(struct daemon *d, struct call *call);
void method_doctor(struct daemon *d, struct call *call);
void method_list(struct daemon *d, struct call *call);
void method_probes(struct daemon *d, struct call *call);
void method_attach(struct daemon *d, struct call *call);
void method_detach(struct daemon *d, struct call *call);
void method_trace(struct daemon *d, struct call *call);
void method_replay(struct daemon *d, struct call *call);
void method_record(struct daemon *d, struct call *call);
void method_stop(struct daemon *d, struct call *call);
void method_report(struct daemon *d, struct call *call);
void method_graph(struct daemon *d, struct call *call);
void method_stacks(struct daemon *d, struct call *call);
void method_spans(struct daemon *d, struct call *call);
void method_export_spans(struct daemon *d, struct call *call);
void method_export_stacks(struct daemon *d, struct call *call);
void method_export_samples(struct daemon *d, struct call *call);
void method_missing_debug_info(struct daemon *d, struct call *call);
void method_forget_symbols(struct daemon *d, struct call *call);
void method_set_conditions(struct daemon *d, struct call *call);
void method_events(struct daemon *d, struct call *call);
void method_record_past(struct daemon *d, struct call *call);
void method_sql(struct daemon *d, struct call *call);
void method_diff(struct daemon *d, struct call *call);
void method_save(struct daemon *d, struct call *call);
void method_import_begin(struct daemon *d, struct call *call);
void method_import_batch(struct daemon *d, struct call *call);
void method_import_end(struct daemon *d, struct call *call);

/* The one and last answer to a call, and the end of the handler's reference. */
void methods_reply(struct call *call, const struct strbuf *out);
void methods_fail(struct call *call, const struct error *error);
void methods_fail_memory(struct call *call); /* as out of memory */

/* The last answer of a session that daemon_finish_session() has finished: to Detach, Stop, and
 * Replay into a file. arg: the call. */
void methods_reply_finished(void *arg, struct session *s, uint64_t bytes,
			    const struct error *error);

/* SessionOptions from a call's parameters. On failure the call has been answered and ended. */
int methods_session_options(struct call *call, struct session_options *ret);
/* The same from the JSON alone, checked; the caller releases *ret. */
int methods_read_session_options(const struct cJSON *options, struct session_options *ret,
				 struct error *error);
/* The members where, begin and stack_if. */
int methods_read_conditions(const struct cJSON *params, struct session_options *o,
			    struct error *error);

/* What a call's Query names. Texts are borrowed from the call. */
struct asked {
	struct session *session;
	bool names_session; /* the question does */
	bool of_times;	    /* the session is a part of a file: a view */
	enum query_kind kind;
	struct selectors selectors;
	uint32_t *pids;	   /* the selectors' */
	const char *where; /* a condition on spans; NULL: none */
	const char *in;	   /* which spans samples are to be taken in (expr/within.h); NULL: any */
	enum demangle_style demangle;
	bool no_inlined;
	/* Only what began from … to before; 0: no such limit. Microseconds since the epoch. */
	uint64_t since_us, until_us;
};
/* ret starts as all zero and is released by the caller, also on failure. */
int methods_read_query(struct daemon *d, struct call *call, struct asked *ret, struct error *error);
/* The member selectors alone. */
int methods_read_selectors(const struct cJSON *params, struct asked *a, struct error *error);
/* NULL when all processes are asked about. */
const struct selectors *asked_selectors(const struct asked *a);
void asked_release(struct asked *a);
/* min_duration_ns, name and errors_only. The name is borrowed from the call. */
int methods_read_filter(const struct cJSON *params, struct spans_filter *f, struct error *error);
/* Microseconds since the epoch on the clock of spans; what is before its start is its first. */
uint64_t methods_span_clock(const struct session *s, uint64_t us);
/* Has the raw spans that were taken be limited to the times that are asked about. */
struct raw_spans;
void asked_limit(const struct asked *a, struct raw_spans *raw);
/* For answers that are added up when data comes, and have no times: -EOPNOTSUPP with the error set
 * when times are asked about. */
int asked_refuse_times(const struct asked *a, struct error *error);

/* Coverage and the object {"session"} as they are now, for methods_write_end(). */
int methods_take_session(struct session *s, struct coverage *ret_coverage, struct strbuf *out);
/* The members "coverage", "session" (unless NULL) and "notes" (if the condition has any). */
struct span_condition;
void methods_write_end(struct json_writer *w, const struct coverage *coverage,
		       const struct strbuf *session, const struct span_condition *condition);
/* The same of what is made of raw spans: the notes also say of how many calls there are none. */
void methods_write_raw_end(struct json_writer *w, const struct coverage *coverage,
			   const struct strbuf *session, const struct raw_spans *raw);
/* These "notes" alone; NULL: no condition. */
void methods_write_condition_notes(struct json_writer *w, const struct span_condition *condition);
/* Names frames for answers: kernel addresses only where they are those of the running kernel. arg:
 * the daemon. */
char *methods_name_frame(void *arg, const struct model_file *file, const char *path,
			 uint64_t offset);
/* Names frames of spans' stacks, on the asker's thread. 0 or -errno. */
int methods_name_unnamed(struct daemon *d, struct unnamed_frames *u);
/* Has the frames of a span's stack be named. On the main thread: for the few of spans that are
 * sent as they end. */
void methods_name_stack(struct daemon *d, struct span_texts *texts, const struct span_row *row);
/* False: the caller did not ask for a stream, and has been told so. */
bool methods_need_stream(struct call *call);
/* Names all of a snapshot's frames, on the asker's thread. named_too: frames that have a name are
 * looked at, too, for what is inlined there: those of a file. */
int methods_name_snapshot(struct daemon *d, struct snapshot *s, enum query_kind kind,
			  enum demangle_style demangle, bool inlined, bool named_too);
/* Report by thread of spans: made of raw spans, in methods_spans.c. */
void methods_report_threads(struct daemon *d, struct call *call, enum report_sort sort,
			    size_t limit);

/* Makes a session of the call's options and adds it to the daemon's; NULL: the call has been
 * answered. */
struct session *methods_start_session(struct daemon *d, struct call *call, enum session_kind kind,
				      const char *recording);
/* What is good to know, as "notes", if there is anything. */
void methods_write_notes(struct json_writer *w, const struct call_plan *plan);
/* Notes and functions that were left out, as "left_out". s: NULL when nothing is attached. */
void methods_write_left_out(struct json_writer *w, const struct probe_set *set,
			    const struct session *s);

/* A Session and the coverage and losses of a session, as they are now. */
void methods_write_session(struct json_writer *w, const char *key, struct session *s);
void methods_coverage(struct session *s, struct coverage *ret,
		      uint64_t losses[static LOSS_COUNTERS]);

#endif

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
void method_record(struct daemon *d, struct call *call);
void method_stop(struct daemon *d, struct call *call);
void method_report(struct daemon *d, struct call *call);
void method_graph(struct daemon *d, struct call *call);
void method_stacks(struct daemon *d, struct call *call);
void method_spans(struct daemon *d, struct call *call);

/* The one and last answer to a call, and the end of the handler's reference. */
void methods_reply(struct call *call, const struct strbuf *out);
void methods_fail(struct call *call, const struct error *error);

/* SessionOptions from a call's parameters. On failure the call has been answered and ended. */
int methods_session_options(struct call *call, struct session_options *ret);

/*
 * What a call's Query names. The selectors borrow *ret_pids, which the caller frees on success and
 * on failure.
 */
int methods_read_query(struct daemon *d, struct call *call, struct session **ret_session,
		       enum query_kind *ret_kind, struct selectors *ret_selectors,
		       uint32_t **ret_pids, struct error *error);

/* Appends {"coverage", "session"} as they are now. */
void methods_write_tail(struct session *s, struct strbuf *out);
/* Report by thread of spans: made of raw spans, in methods_spans.c. */
void methods_report_threads(struct daemon *d, struct call *call, enum report_sort sort,
			    size_t limit);

/* Makes a session of the call's options and adds it to the daemon's; NULL: the call has been
 * answered. */
struct session *methods_start_session(struct daemon *d, struct call *call, enum session_kind kind,
				      const char *recording);
/* Notes and functions that were left out, as "left_out". */
void methods_write_left_out(struct json_writer *w, const struct probe_set *set,
			    const struct attachment *a);

/* A Session and the coverage and losses of a session, as they are now. */
void methods_write_session(struct json_writer *w, const char *key, struct session *s);
void methods_coverage(struct session *s, struct coverage *ret,
		      uint64_t losses[static LOSS_COUNTERS]);

#endif

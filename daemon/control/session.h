/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session: probes and samples that were asked for together, and what they have yielded. It
 * lives in three ways: attached until detached; with a connection (trace, record); or closed, with
 * its data still there to be asked. All on the main thread.
 *
 * Data flows: ingest adds to the open window; session_roll() merges it into the total, hands raw
 * spans to the worker to be packed (into memory, or into the recording's file).
 */
#ifndef SONDE_CONTROL_SESSION_H
#define SONDE_CONTROL_SESSION_H

#include "collect/kernel_side.h"
#include "collect/offcpu.h"
#include "collect/sampler.h"
#include "collect/span_program.h"
#include "control/call_plan.h"
#include "control/frame_lines.h"
#include "control/jit.h"
#include "control/past.h"
#include "control/processes.h"
#include "control/unwinding.h"
#include "control/worker.h"
#include "model/window.h"
#include "probe/attach.h"
#include "probe/calibrate.h"
#include "probe/kernel_attach.h"
#include "store/raw_sample_chunk.h"
#include "store/store.h"

/* What a session is asked to collect: SessionOptions of io.sonde.varlink. Owns its strings. */
struct session_options {
	char *name; /* NULL: one is made */
	char **specs;
	size_t n_specs;
	uint32_t *pids;
	size_t n_pids;
	bool pids_found; /* they were not named, but are what the others select: some may have ended
			  */
	/* Globs (query/selectors.h), processes that start later included; or NULL. */
	char *comm, *cgroup, *container;
	bool has_uid;
	uint32_t uid;
	char **files; /* of a command about to start */
	size_t n_files;
	uint32_t frequency_hz;
	bool offcpu;
	uint64_t offcpu_period_ns;
	uint64_t min_duration_ns;
	uint32_t max_depth;
	bool errors_only, null_is_error, args, stats_only;
	bool single_spans;		/* of those written in source code, each is a hit */
	bool unwound_only;		/* only calls that an exception or a longjmp has ended */
	char *where, *begin, *stack_if; /* conditions; NULL: none */
	char **inside;			/* specifications: spans only below calls of these */
	size_t n_inside;
	char **captures, **redact;
	size_t n_captures, n_redact;
	enum return_mode returns;
};
void session_options_release(struct session_options *o);
/* By what they are, that is, and not by their numbers: others may come. */
static inline bool session_selects(const struct session_options *o)
{
	return o->comm || o->has_uid || o->cgroup || o->container;
}

struct call;
struct daemon;
struct merged_part;
struct replay;
struct session;

enum session_kind {
	SESSION_ATTACHED,
	SESSION_TRACE,
	SESSION_RECORD,
	SESSION_REPLAY,
	SESSION_KEPT, /* its windows go to the rolling store, see keeper.h */
};

/* What sessions share; owned by the daemon. */
struct session_context {
	struct kernel_side *kernel;
	struct model *model;
	struct processes *processes;
	struct symbolizer *symbolizer;
	struct reader *reader;	     /* what probes' files are read with */
	struct jit *jit;	     /* NULL: code without a file has no names */
	struct unwinding *unwinding; /* NULL: nothing is collected here */
	struct worker *writer;	     /* packs raw spans, writes recordings */
	struct keeper *keeper;	     /* NULL: there is no rolling store */
	struct source_names *source_names;
	struct source_control *source_control; /* NULL: nothing is collected here */
	struct span_texts *texts;	       /* of the model */
	bool can_multi, can_session_link;
	struct hit_costs costs; /* see session_context_costs(); zero until measured */
	bool costs_measured;
	/* Ways to probe kernel functions, found out when a session first wants to. */
	bool kernel_ways_known, can_kernel_multi, can_kernel_perf, can_kernel_tracing;
	struct switch_function switches; /* zeros: not looked for yet */
	/* Raw spans are about to leave the window, the last ones when final; NULL: nobody wants to
	 * know. */
	void (*before_roll)(void *arg, struct session *s, bool final);
	void *before_roll_arg;
	size_t raw_memory; /* bytes of packed raw spans kept a session; of samples half as many */
	int64_t monotonic_to_epoch_ns;
};

/* What comes before the call it belongs to. */
enum { AHEAD_THROWS = 64 };
struct thrown {
	uint32_t tid, type, message; /* strings of the model */
	uint64_t time_ns;
};
struct session_ahead {
	struct thrown throws[AHEAD_THROWS]; /* by thread */
	uint32_t stack, stack_tid;
	uint64_t stack_ns;
	/* Of a replay: the next call's, where they are more than a record has; borrowed, else NULL.
	 */
	const uint8_t *values;
	uint32_t values_len;
	struct python_ahead *python; /* NULL: there were none yet */
};

struct session_calls;
struct session_sources;

struct wait;
struct session_waits { /* threads that wait or have waited; see session_waits.h */
	struct wait *items;
	size_t n, cap;
	struct table by_tid;
};

struct session_chunks { /* packed raw spans, oldest first; shared with the questions that read them
			 */
	struct span_chunk *items;
	size_t n, cap, bytes;
};
struct session_samples { /* likewise raw samples, of all kinds */
	struct raw_sample_chunk *items;
	size_t n, cap, bytes;
};
/* What raw_sample_chunk_encode() hands its chunks to; arg: the struct session_samples. */
int session_samples_put(void *arg, struct raw_sample_chunk *chunk);
void session_samples_release(struct session_samples *s);

struct session {
	char *name, *targets;
	char *host, *boot; /* of a recording, as it says them; else NULL */
	enum session_kind kind;
	bool active; /* probes and samples are in place */
	bool ending; /* its file is being completed */
	struct session_options options;
	uint64_t started_us;
	int64_t began_by_ns; /* the context's monotonic_to_epoch_ns then: that of a recording */
	uint64_t n_spans, n_samples; /* received */
	uint64_t n_counted;	     /* of n_spans: values of counters, which are no calls */

	struct session_context *context;
	struct probe_set *probes;
	struct attachment *attachment;		     /* of user functions; NULL: there are none */
	struct kernel_attachment *kernel_attachment; /* of kernel functions, likewise */
	struct span_program *program;
	struct session_calls *calls;	 /* NULL: no functions are probed */
	struct session_sources *sources; /* NULL: no spans written in source code are asked for */
	struct session_ahead ahead;
	bool takes_conditions, takes_offcpu; /* the loaded programs can be given others */
	struct sampler *sampler;
	struct offcpu *offcpu;
	struct session_waits waits;
	uint32_t slot;
	uint32_t first_target; /* what the kernel side takes for a target without looking it up */
	bool selects_by_name;  /* or what else they are: those that start later may be targets, too
				*/
	bool has_slot, follows_forks;
	size_t live_pids;     /* of options.pids: those that have not ended */
	uint32_t first_probe; /* model id of probe 0; the others follow */
	uint32_t n_replayed;  /* of a replay: as many, in place of probes */
	struct table paths;   /* the kernel side's hash → model path id */

	struct window window, total;
	struct past *past; /* of attached sessions: windows one by one; NULL: none yet */
	uint64_t losses_seen[LOSS_COUNTERS];
	/* Of a kept session with stats_only, by probe: what earlier windows have; NULL: none. */
	struct span_stat *kernel_seen;
	uint64_t windows, windows_missing;
	/* Raw spans and raw samples that the memory bound has pushed out. */
	uint64_t raw_dropped, raw_samples_dropped;
	struct session_chunks chunks;
	struct session_samples samples;
	size_t packing; /* jobs under way */

	struct store_writer *writer; /* SESSION_RECORD; used by the worker while packing > 0 */
	struct frame_lines *lines;   /* for the above, as it is used */
	struct store_marks marks;    /* of a replay that is recorded */
	struct recorded *recorded;   /* of all others; NULL: nothing was written yet */
	struct error write_error;
	struct store_reader *reader; /* SESSION_REPLAY */
	/* SESSION_REPLAY of several recordings, see merged.h. The parts are borrowed. */
	const struct merged_part **parts;
	size_t n_parts;
	struct replay *replay; /* a recording is fed through it; NULL: it is of now */
	struct daemon *daemon;
	struct call *owner; /* of a recording: when its connection closes, the session ends */
	struct session *next;
};

/* The slot, programs, probes and samples of a session, attached. left_out: notes for the user,
 * owned by the session's probes. */
int session_start(struct session_context *context, struct session_options *options,
		  enum session_kind kind, const char *recording, struct error *error,
		  struct session **ret);
/* What probes cost here; measured once, soon after the start or when it matters before. */
const struct hit_costs *session_context_costs(struct session_context *c);
/* Only resolves: what session_start() would probe, and what it would ask of each call. */
int session_resolve(const struct session_options *options, struct session_context *context,
		    struct call_plan **ret_plan, struct probe_set **ret, struct error *error);
/*
 * Puts the conditions of o into force instead of those there are, while the session goes on; takes
 * their texts from o. The old ones stay when it fails.
 */
int session_set_conditions(struct session *s, struct session_options *o, struct error *error);
const char *session_strategy(const struct session *s);
/* How that function is attached. */
const char *session_probe_strategy(const struct session *s, size_t point);
/* What each CPU sample stands for; 0: it takes none, or nobody knows. */
static inline uint64_t session_period_ns(const struct session *s)
{
	return s->options.frequency_hz ? NSEC_PER_SEC / s->options.frequency_hz : 0;
}
/* How many probes its records may name. */
size_t session_n_probes(const struct session *s);
/* How many probes a recording has; 0 for a session of this daemon. */
size_t session_recorded_probes(const struct session *s);

/* A followed process has forked: links that hold for one process are made for the child. */
void session_forked(struct session *s, uint32_t parent, uint32_t child);
/* A process runs a new program: the session may be about it by its name or user. */
void session_execed(struct session *s, uint32_t pid);
/* A process has ended. True when it was the last one of those the session is about. */
bool session_exited(struct session *s, uint32_t pid);
/* True when a process of that pid is one of the session's own targets. */
bool session_has_pid(const struct session *s, uint32_t pid);

/* Records of the session's slot. */
void session_add_path(struct session *s, const struct record_path *r);
void session_add_span(struct session *s, const struct record_span *r);
void session_add_call(struct session *s, const struct record_call *r, size_t size);
void session_add_throw(struct session *s, const struct record_throw *r);
void session_add_stack(struct session *s, const struct record_stack *r);
/* Adds a span to the open window: process and path are of the model. */
void session_keep_raw(struct session *s, struct raw_span *span, const struct span_more *more);
/* The same from a record, whose path is looked up. more: NULL for nothing. */
void session_keep_span(struct session *s, const struct record_span *r,
		       const struct span_more *more);
/* The user's part of a stack, as far as it can be true: a stack of the model. flags: the record's;
 * python: its Python frames, NULL: none. ret_whole: it is known to be so; NULL: nobody asks. */
uint32_t session_user_stack(struct session *s, uint32_t process, uint16_t flags, const __u64 *ips,
			    uint32_t n, const struct record_python *python, bool *ret_whole);
void session_add_python(struct session *s, const struct record_python *r);
/* The Python frames that were sent for the record of that thread and time, or NULL. */
const struct record_python *session_take_python(struct session *s, uint32_t tid, uint64_t time_ns);
void session_add_sample(struct session *s, const struct record_sample *r);
/* Of a user stack: it is not known to be whole; it has frames found by frame pointers. */
struct stack_flaws {
	bool partial, pointers;
};
void session_add_source(struct session *s, const struct record_source *r);
/* Counts them with the sample that the stack is of. */
void session_count_flaws(struct session *s, const struct stack_flaws *flaws);
/* What samples and waits have in common: the stack, user's and kernel's, and the thread's name.
 * *ret_process is 0 when the process is not known. */
uint32_t session_stack_of(struct session *s, const struct record_sample *r, uint32_t *ret_process,
			  struct stack_flaws *ret_flaws);
uint32_t session_thread_of(struct session *s, const struct record_sample *r);

/* Whether samples are kept one by one, with their times, as raw spans are. */
bool session_keeps_raw_samples(const struct session *s);
/* When a window has as much that is raw as is packed at a time: closes it, as session_roll(). */
void session_roll_when_full(struct session *s);
/* Closes the open window, losses included, and hands it on. final: statistics that the kernel keeps
 * are taken too. */
void session_roll(struct session *s, bool final);
/* Takes everything of the session out of the kernel. Data stays; the caller then drains the
 * collector and rolls. */
void session_stop(struct session *s);
/* Gives up the slot and the programs; what the kernel counted has been taken by the last roll. */
void session_release_slot(struct session *s);
/* Statistics that so far only the kernel has (stats_only), as a window the caller releases. */
int session_kernel_window(struct session *s, struct window *ret);
/* The same of what has come since the last call, once: of sessions that are kept by windows. */
int session_take_kernel_window(struct session *s, struct window *ret);
void session_release_kernel_seen(struct session *s);

struct session *session_free(struct session *s);
DEFINE_CLEANUP(struct session *, session_free)

/* Takes over what a recording says of its session, but for the name. */
int session_take_row(struct session *s, const struct store_session *stored);
/* The row that a file has of it; texts are the session's. */
void session_describe_row(const struct session *s, struct store_session *ret);

/* A session whose data is a recording's. apart: with its windows one by one, to be compared; it
 * then has the name of the file. */
int session_from_recording(struct session_context *context, const char *path, bool apart,
			   struct error *error, struct session **ret);

#endif

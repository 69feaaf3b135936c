/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's parts, tied together: what main.c builds and the method handlers work on. Live, it
 * has the kernel side and a collector; with a recording open, one closed session and a model.
 */
#ifndef SONDE_CONTROL_DAEMON_H
#define SONDE_CONTROL_DAEMON_H

#include <stdatomic.h>

#include "collect/collector.h"
#include "control/config.h"
#include "control/frame_lines.h"
#include "control/server.h"
#include "control/session.h"
#include "control/span_text.h"

/* Spans of a Trace session on their way to its caller. */
struct daemon;
struct stream {
	struct daemon *daemon;
	struct session *session;
	struct call *call;
	uint64_t skipped;  /* spans not sent, as the reader was slow */
	uint64_t reported; /* of those, what replies have said */
	bool finishing;
	struct error error; /* what has ended it otherwise; its answer */
	struct stream *next;
};

struct daemon {
	sd_event *event;
	const struct config *config;
	struct server *server;
	struct model *model;
	struct span_texts *texts; /* of the model */
	unsigned int model_users; /* see daemon_hold_model() */
	bool wants_new_model;
	struct reader *reader;	    /* what the symbolizer reads files with */
	struct symbol_cache *cache; /* NULL: the directory cannot be used */
	struct symbolizer *symbolizer;
	char *fetched; /* directory of debug files that a client may have fetched; "": none */
	struct frame_lines *lines; /* the asker's */
	struct processes *processes;
	struct jit *jit;	      /* of the model */
	struct unwinding *unwinding;  /* NULL: no kernel side */
	struct kernel_side *kernel;   /* NULL: replay, or not permitted */
	struct error kernel_error;    /* why there is no kernel side */
	struct error recording_error; /* why the recording could not be opened */
	struct collector *collector;
	atomic_bool ending;    /* long questions are given up */
	struct worker *writer; /* packing and writing */
	/*
	 * Answering. Only the asker names frames, and what it does takes no longer than the reader
	 * process is given. Whatever goes through raw spans or through files is the searcher's, and
	 * SQL, whose length is its author's choice, has a worker of its own: short questions do not
	 * wait for long ones.
	 */
	struct worker *asker, *searcher, *sql;
	struct keeper *keeper; /* NULL: there is no rolling store */
	struct session_context context;
	struct session *sessions; /* newest first */
	struct session *by_slot[RECORD_MAX_SESSIONS];
	struct stream *streams;
	struct follower *followers;
	/* Open recordings, none of a live daemon; borrowed. */
	const char *const *recordings;
	size_t n_recordings;
	struct merged *merged; /* of several; NULL: of one, or none */
	/* A second one, to be compared with the first: it has a model of its own and is only found
	 * by daemon_find_compared(). */
	struct session_context second_context;
	struct session *second;
	/* What a client sends is written to a recording; nothing else is done here. */
	bool imports;
	struct import *import; /* the one that is being written, or NULL */
	uint64_t started_us;
	unsigned int name_counter;
	sd_event_source *sources_timer;
	uint32_t sources_pending[64]; /* processes that are to be told what is asked of them */
	size_t n_sources_pending;
};

/* config is borrowed. Starts nothing yet. */
int daemon_new(sd_event *event, const struct config *config, struct daemon **ret);
/* Loads the kernel side and starts collecting. A failure is kept in kernel_error, too: Doctor still
 * answers. */
int daemon_go_live(struct daemon *d, struct error *error);
/* Has a model of what is collected here say so. */
int daemon_set_host(struct model *m);
/* Has users' files read by a process without privileges, from now on. */
int daemon_use_reader(struct daemon *d);
/*
 * Answers from these recordings, several as one, from now on. A failure is kept in recording_error,
 * too: every question is answered with it. compared: NULL, or another one to compare the only one
 * with. Paths are borrowed.
 */
int daemon_open_recordings(struct daemon *d, const char *const *paths, size_t n,
			   const char *compared, struct error *error);
static inline bool daemon_is_replay(const struct daemon *d)
{
	return d->n_recordings > 0;
}
/* Imports, and nothing else: nothing is read here, no kernel side is loaded. */
int daemon_take_import(struct daemon *d);
/* Ends sessions (recordings are completed), then everything in reverse. */
struct daemon *daemon_free(struct daemon *d);
DEFINE_CLEANUP(struct daemon *, daemon_free)

/*
 * Begins a new model and all that goes with one; *ret_old is the caller's to free. -ENOMEM: the old
 * one stays.
 */
int daemon_new_model(struct daemon *d, struct model **ret_old);

/* The one place where records meet the model: live ones, and those of a replay. They have been
 * checked. */
void daemon_take_record(void *daemon, const void *record, size_t size);
/* Makes everything that happened until now part of the sessions' windows. */
void daemon_catch_up(struct daemon *d);

/* By name, NULL for the newest; a session being ended is not found. */
struct session *daemon_find_session(struct daemon *d, const char *name);
/* By name, the second recording included; its model is that of its context. */
struct session *daemon_find_compared(struct daemon *d, const char *name);
void daemon_add_session(struct daemon *d, struct session *s);
void daemon_remove_session(struct daemon *d, struct session *s);
/*
 * Ids of the model are good as long as it is held, though all sessions may end: with the last one
 * the daemon begins a new model, which waits until nobody holds the old one.
 */
void daemon_hold_model(struct daemon *d);
void daemon_release_model(struct daemon *d);
/*
 * Ends a session: takes it out of the kernel, catches up, completes its file, then calls done()
 * on the main loop. A closed attached session keeps its data and stays listed; others are freed
 * after done().
 */
int daemon_finish_session(struct daemon *d, struct session *s,
			  void (*done)(void *arg, struct session *s, uint64_t bytes,
				       const struct error *error),
			  void *arg);

/* The stream of a trace session, or NULL; this and the next are defined with the Trace method. */
struct stream *stream_of(struct daemon *d, const struct session *s);
/* Begins to send what the session yields, as answers to the call; takes over the handler's
 * reference of it. NULL: out of memory. */
struct stream *stream_begin(struct daemon *d, struct session *s, struct call *call);
/* Opens the first reply, which says that all is in place; the caller ends and sends it. */
struct json_writer;
void stream_open_reply(struct session *s, struct json_writer *w, struct strbuf *out);
/* Sends what a trace session has gathered. */
void stream_flush(struct daemon *d, struct stream *s);
/* Ends a trace by itself: all its targets have exited. */
void stream_finish(struct daemon *d, struct stream *s);

/* Spans written in source code, see session_source.h. */
/* As daemon_take_record(), but what is about calls inside such spans may wait for these. */
void daemon_sources_record(void *daemon, const void *record, size_t size);
/* The session is out of the kernel, and all that it has sent has been taken: the rest. */
void daemon_sources_finish(struct daemon *d, struct session *s);
int daemon_sources_start(struct daemon *d);
/* A session has begun to ask for some (asking), or to ask something else, or has ended (NULL). */
void daemon_sources_changed(struct daemon *d, const struct session *asking);
/* A process has mapped a file, or is new. */
void daemon_sources_mapped(struct daemon *d, uint32_t pid);
void daemon_sources_exited(struct daemon *d, uint32_t pid);
/* It runs another program. */
void daemon_sources_execed(struct daemon *d, uint32_t pid);
void daemon_sources_free(struct daemon *d);

/* The dispatcher to be given to server_new(), with the daemon as its argument. */
void daemon_dispatch(void *arg, struct call *call);

#endif

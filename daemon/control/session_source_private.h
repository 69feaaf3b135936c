/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of session_source.h share. */
#ifndef SONDE_CONTROL_SESSION_SOURCE_PRIVATE_H
#define SONDE_CONTROL_SESSION_SOURCE_PRIVATE_H

#include "control/session_source.h"
#include "control/source_async.h"
#include "control/source_held.h"

enum {
	SOURCE_MAX_THREADS = 1 << 14,
	SOURCE_MAX_CALLED = 1 << 14, /* calls inside spans that have not come, of a thread */
};

/* When a thread that says nothing is first looked at. */
#define FLUSH_NS (SONDE_FLUSH_MS * NSEC_PER_MSEC)

/* The time that spans inside an open one have taken. */
struct source_level {
	uint64_t path, child_ns;
};

/* A call of a probed function inside a span that has not ended, as far as is known. */
struct source_called {
	uint64_t path; /* the span's */
	uint64_t middle_ns, ns;
};

/* A call of a probed function with spans inside: see struct record_around. */
struct source_mark {
	uint64_t from, to, path, start_ns;
	bool open; /* when it was looked at */
};

/* What the kernel side has said of a call path. */
struct source_call_path {
	uint64_t path, parent, source;
	uint32_t probe;
	bool in_source;
};

/* A thread of a process, in one of its objects that have spans. */
struct source_thread {
	uint32_t pid, tid;	/* as the kernel knows them */
	uint64_t control;	/* address: which object it is */
	uint64_t block;		/* address; 0: not known */
	uint32_t block_tid;	/* the thread's number in there: of its own namespace */
	uint32_t file;		/* of the model: the object's */
	uint64_t sequence;	/* of the last batch that came as a whole; 0: none has */
	uint64_t drained;	/* sequence of the batch that was read before it came, … */
	uint32_t drained_bytes; /* … so many of its bytes */
	uint64_t ahead_ns; /* since when its memory has more than the batch after the last one */
	uint64_t gone_ns;  /* 0: it is there, as far as is known */
	uint64_t heard_ns, idle_ns; /* when something came; how long is waited for the next look */
	struct source_level levels[SONDE_MAX_OPEN]; /* by depth of what is around */
	uint32_t deepest;			    /* of these, that have something */
	struct source_called *called;
	size_t n_called, called_cap;
	struct source_mark *marks; /* of batches that have not come */
	size_t n_marks, marks_cap;
	uint64_t noted;		     /* how far it had come when it was looked at; 0: it was not */
	unsigned int asked, answers; /* what calls there were then: equal when all is known */
	unsigned int n_waits;	     /* for an answer, which may have been lost */
	size_t first_mark;	     /* the first that what is looked at now can be in */
	struct source_mark single;   /* of the batch without a number that comes next */
};

struct session_sources {
	struct source_tree *tree;
	bool mixed; /* calls are followed, too */
	struct source_thread *threads;
	size_t n_threads, cap;
	struct table index;	 /* (pid, tid, control) → index */
	struct table by_tid;	 /* (pid, tid) → index + 1 of the object that had spans last */
	struct table path_index; /* path of calls → index in paths */
	struct source_call_path *paths;
	size_t n_paths, paths_cap;
	struct source_settled *settled; /* NULL: none is yet */
	uint64_t stamp;			/* of these, the last */
	struct source_async async;
	struct source_held held;
	uint64_t first_gone_ns;	 /* of the threads; 0: none is */
	uint64_t missed;	 /* batches, of which nothing else is known */
	uint64_t full_ns;	 /* when the ring was found to have been full */
	uint64_t started_ns;	 /* what ended before is none of the session's */
	struct record_call call; /* the span at hand, for conditions */
	uint32_t last_file;	 /* for calls inside spans: the object that had spans last */
};

/* What a batch has been read by. */
struct source_origin {
	uint32_t pid, tid;
	uint64_t time_ns;
	uint64_t block;
	bool ended; /* its thread has */
	const struct sonde_open *open;
	size_t n_open;
};

/* A thread, whichever of its objects. */
static inline uint64_t source_tid_key(uint32_t pid, uint32_t tid)
{
	return (uint64_t)pid << 32 | tid;
}

/* NULL: out of memory, or there are too many. */
struct source_thread *session_sources_thread(struct session *s, uint32_t pid, uint32_t tid,
					     uint64_t control);
/* Of a thread's objects it is this one that has spans now. */
void session_sources_heard(struct session *s, const struct source_thread *t);
/* It has ended, or executed another program: nothing is looked for in its memory any more. time_ns:
 * when, or when that was found out, of CLOCK_MONOTONIC. */
void session_sources_gone(struct session_sources *sources, struct source_thread *t,
			  uint64_t time_ns);
/* The number is another thread's now, or the same one's in another program. */
void session_sources_begin_again(struct source_thread *t);
/* Forgets the threads that have ended a while ago. */
void session_sources_forget(struct session *s);
/* A thread has said where its block is; time_ns: when, of CLOCK_MONOTONIC. */
void session_sources_found(struct session *s, uint32_t pid, uint32_t tid, uint64_t block,
			   uint64_t time_ns);
/* A record; names mean nothing here. at: its place in the thread's batches; 0: it has none. */
void session_sources_add(struct session *s, struct source_thread *t,
			 const struct source_origin *from, const struct source_item *item,
			 uint64_t at);
/* What was open when the thread ended. */
void session_sources_add_open(struct session *s, struct source_thread *t,
			      const struct source_origin *from, const struct source_batch *b);
/* The bytes of a batch, from a record or from the program's memory. */
void session_sources_take(struct session *s, const struct source_origin *from, const void *data,
			  size_t size);

/* session_source_calls.c */

/* The model's path of a call, and what spans inside it are below; 0: not known. */
uint32_t session_sources_call(struct session *s, uint64_t path, struct source_below *ret);
/* Whether the path of a call can be told, or will never be. */
bool session_sources_knows(struct session *s, uint64_t path);
/* What calls inside the span that ended then have taken: once. */
uint64_t session_sources_take_called(struct source_thread *t, uint64_t path, uint64_t end_ns);

/* session_source_mixed.c */

/* A place in the batches of a thread: see struct record_around. */
static inline uint64_t source_at(uint64_t sequence, uint64_t used)
{
	return sequence << SOURCE_AT_SHIFT | used;
}

/* The innermost call around what is at that place, for as long as t is; NULL: none. */
const struct source_mark *session_sources_mark(const struct source_thread *t, uint64_t at);
/* Nothing before that place is asked for any more, in this batch, or at all. */
void session_sources_pass(struct source_thread *t, uint64_t at);
void session_sources_taken(struct source_thread *t, uint64_t at);
/* Asks the kernel side which calls are around what the thread has in its memory now. */
void session_sources_note(struct session *s, struct source_thread *t, uint64_t at);
/* Whether it has not answered, but for one that takes too long. */
bool session_sources_must_wait(struct source_thread *t);
/* Forgets the answer. */
void session_sources_unnote(struct source_thread *t);
/* So much of the call's time is that of spans right inside. */
void session_sources_owe(struct session *s, const struct source_thread *t,
			 const struct source_mark *mark, uint64_t ns);
/* How much is; once. */
uint64_t session_sources_settle(struct session *s, const struct record_span *r);

#endif

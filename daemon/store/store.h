/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file: SQLite, one schema for recordings and for the rolling store. Written by windows, each
 * in one transaction, so that a file whose writer was killed is readable up to the last window.
 * A writer and a reader each belong to one thread at a time.
 */
#ifndef SONDE_STORE_STORE_H
#define SONDE_STORE_STORE_H

#include "chunk.h"
#include "model/model.h"
#include "model/source_lines.h"
#include "model/window.h"
#include "raw_sample_chunk.h"
#include "sonde/base/error.h"

enum { STORE_VERSION = 5, STORE_APPLICATION_ID = 0x736f6e64 /* "sond" */ };

/* A session as the file keeps it. Strings are owned by whoever filled the struct. */
struct store_session {
	char *name, *targets;
	char **specs;
	size_t n_specs;
	uint32_t frequency;	       /* CPU samples a second on a CPU; 0: none */
	uint64_t started_us, ended_us; /* ended 0: the writer was killed or still runs */
	uint32_t flags;		       /* STORE_SESSION_* */
	int64_t monotonic_to_epoch_ns; /* adds a CLOCK_MONOTONIC time up to the epoch's */
	char *where, *begin;	       /* conditions it kept spans by, as text; NULL: none */
	/* The machine and its run (sonde/base/host.h). To be written: NULL is this one, host ""
	 * is not known. Of a file: NULL is not known. */
	char *host, *boot;
};
enum {
	STORE_SESSION_ARGS = 1 << 0,
	STORE_SESSION_STATS_ONLY = 1 << 1,
	STORE_SESSION_OFFCPU = 1 << 2, /* waits were kept */
};
void store_session_release(struct store_session *s);

/*
 * What one transaction adds, self-contained so that a worker thread can write it while the model
 * goes on: built from the model by the thread that owns it, then handed over. Holds everything
 * in the model that the file does not have yet, the window's rows and what it has raw.
 */
struct store_batch;
struct store_marks { /* what the file has already; starts at zero */
	uint32_t strings, files, processes, frames, stacks, probes, paths, late;
};
/*
 * Takes the window's content over (the window is left empty). Marks are advanced. -EINVAL when the
 * window names a process, path, stack or thread that the model does not have (process and path may
 * not be 0); then, as when out of memory, window and marks are as they were.
 */
int store_batch_new(const struct model *m, struct window *w, struct store_marks *marks,
		    struct store_batch **ret);
struct store_batch *store_batch_free(struct store_batch *b);
DEFINE_CLEANUP(struct store_batch *, store_batch_free)

/* Names a frame that has no name in the model: the function at (build_id, path, offset), a malloc'd
 * string, or NULL. */
typedef char *(*store_resolve_t)(void *arg, const struct model_file *file, const char *path,
				 uint64_t offset);
/* Where names and lines of frames come from. What is NULL is not in the recording. */
struct store_names {
	store_resolve_t resolve;
	store_resolve_t symbol; /* likewise, but as the function is called in its file */
	void *arg;
	/* Names as their files have them. Its answers are asked for at once. */
	const struct source_lines *lines;
	/* Frames that have a name are asked about, too, but for their name: those of a recording,
	 * which have all. Else they are code that is no file's. */
	bool named_too;
};

struct store_writer;
/* Calls resolve for each frame that store_write() will call it for, and drops what it returns. */
void store_each_unnamed(const struct store_writer *w, const struct store_batch *b,
			store_resolve_t resolve, void *arg);
/*
 * Creates the file, readable by its owner only. A recording that exists is replaced by
 * store_close(): until then FILE.new is written. Anything else of that name that is not empty is
 * refused (BadFile).
 */
int store_create(const char *path, const struct store_session *session, struct error *error,
		 struct store_writer **ret);
/* The same, but until store_close() it is always FILE.new that is written: what is not complete is
 * never found under the file's name. */
int store_create_unseen(const char *path, const struct store_session *session, struct error *error,
			struct store_writer **ret);
/*
 * Writes one batch in one transaction, with the names of its new frames and the lines of those that
 * are in its stacks, as far as there is time to read them. -ENOSPC and others set the
 * error; the file stays good. The caller keeps the batch and may try it again; a batch that follows
 * one that was not written is refused (-EINVAL), as it names what the file lacks.
 */
int store_write(struct store_writer *w, struct store_batch *b, const struct store_names *names,
		struct error *error);
/*
 * Notes the end of the session and closes the file so that one file is left (no -wal, -shm). Frees
 * the writer in any case. When it fails for want of space what was written is good, but in two
 * files.
 */
int store_close(struct store_writer *w, uint64_t ended_us, struct error *error,
		uint64_t *ret_bytes);
/* Closes without noting an end, as if the writer had been killed; a FILE.new is left when it has
 * windows. */
struct store_writer *store_writer_free(struct store_writer *w);
/* Removes what was written, too; a recording that was to be replaced stays. */
void store_discard(struct store_writer *w);
DEFINE_CLEANUP(struct store_writer *, store_writer_free)

/*
 * Opens a recording read-only and loads it into a new model: names and lines of frames included,
 * all windows merged into the total. What is raw stays packed in the file. When it fails the model
 * may hold a part of the file and should be freed.
 */
struct store_reader;
int store_open(const char *path, struct model *m, struct error *error, struct store_reader **ret);
/* The same, with each window kept beside the total: twice the memory, for comparisons. */
int store_open_apart(const char *path, struct model *m, struct error *error,
		     struct store_reader **ret);
/* Window i, from 0 on, without raw spans; NULL behind the last one, and of a recording that was
 * opened by store_open(). */
const struct window *store_reader_window(const struct store_reader *r, size_t i);
const struct store_session *store_reader_session(const struct store_reader *r);
const struct window *store_reader_total(const struct store_reader *r);
uint64_t store_reader_windows(const struct store_reader *r);
int store_reader_version(const struct store_reader *r); /* STORE_VERSION of its writer */
/*
 * Unpacks a chunk and checks that all it names is in the model; the caller releases *ret. BadFile
 * and -EBADMSG otherwise.
 */
int store_unpack_chunk(const struct store_reader *r, const struct span_chunk *chunk,
		       struct span_set *ret, struct error *error);
/* Calls back with each packed chunk in order of its first start until it returns nonzero; returns
 * that, or -errno. */
int store_each_chunk(struct store_reader *r, int (*each)(void *arg, const struct span_chunk *chunk),
		     void *arg, struct error *error);
/* The same one by one: chunk i, from 0 on, of as many as there are. */
size_t store_reader_chunks(const struct store_reader *r);
int store_chunk(struct store_reader *r, size_t i,
		int (*each)(void *arg, const struct span_chunk *chunk), void *arg,
		struct error *error);
/* Where packed raw spans are. */
struct store_chunk_place {
	size_t window; /* from 0 on */
	uint32_t count;
	int64_t id;
};
/* Those of all windows, a window's in the order in which they were written; malloc'd. */
int store_reader_places(const struct store_reader *r, struct store_chunk_place **ret,
			size_t *ret_n);
/* As store_unpack_chunk() what is at a place. */
int store_read_place(struct store_reader *r, const struct store_chunk_place *place,
		     struct span_set *ret, struct error *error);
/* Packed raw samples, in order of their first times, from 0 on, of as many as there are. */
size_t store_reader_sample_chunks(const struct store_reader *r);
/* What is known of chunk i without reading it: all but the data, which is NULL. */
struct raw_sample_chunk store_sample_chunk(const struct store_reader *r, size_t i);
/* The window that it is of, from 0 on; a window's are in the order in which they were written. */
size_t store_sample_chunk_window(const struct store_reader *r, size_t i);
/*
 * Reads and unpacks chunk i and checks that all it names is in the model; the caller releases *ret.
 * BadFile and -EBADMSG otherwise.
 */
int store_read_samples(struct store_reader *r, size_t i, struct raw_sample_set *ret,
		       struct error *error);
struct store_reader *store_reader_free(struct store_reader *r);
DEFINE_CLEANUP(struct store_reader *, store_reader_free)

#endif

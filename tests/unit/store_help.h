/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the store share: random recordings, and what must come back of them. */
#ifndef SONDE_TESTS_STORE_HELP_H
#define SONDE_TESTS_STORE_HELP_H

#include <criterion/criterion.h>

#include "store/chunk.h"
#include "store/history.h"
#include "store/store.h"

extern uint64_t rng;
extern char dir[32], file[64]; /* a directory of the test's own and the recording in it */

void seed_rng(void); /* prints the seed; $SONDE_TEST_SEED repeats a run that failed */
uint64_t next_random(void);
uint64_t below(uint64_t n);

/* To begin and end a test with: makes the directory, removes it with what is in it. */
void make_dir(void);
void remove_dir(void);
bool exists(const char *suffix); /* whether there is a file named file + suffix */

/* What was given to a writer. */
struct recorded {
	struct model *model;
	struct window total;
	struct raw_span *spans;
	struct more_pool more;
	size_t n_spans, spans_cap;
	struct store_marks marks;
	uint64_t clock;
	int windows;
	bool frames_stay;    /* none becomes another */
	bool lives_are_long; /* of processes: the rolling store never adds them up by program */
};

void begin(struct recorded *rec);
void end(struct recorded *rec);
void grow_model(struct recorded *rec); /* random things */
/* Random rows and spans of them; w is empty. */
void random_window(struct recorded *rec, struct window *w);
/* Adds to the model and makes a window of it: the same ones again for the same rng. */
struct store_batch *next_batch(struct recorded *rec);
struct store_session a_session(void);
struct store_writer *create(void);
/* A resolver; the name depends on everything that is handed to it. */
char *name_of(void *arg, const struct model_file *f, const char *path, uint64_t offset);
/* The same, but notes what it is asked for. */
char *note_asked(void *arg, const struct model_file *f, const char *path, uint64_t offset);
extern struct asked {
	uint64_t sum;
	size_t n;
} asked;
/* With the first of them, and with lines that depend on the file and the offset. */
const struct store_names *names_of(void);
extern bool out_of_time;					 /* those lines cannot be had now */
void write_batch(struct store_writer *w, struct store_batch *b); /* frees b */
void record(struct recorded *rec, int windows);			 /* a whole recording in file */

/* history_write(), which is to ask for the names that are announced, and no others. */
int write_announced(struct history *h, int64_t session, const struct history_batch *b,
		    struct error *e);

void check_windows(const struct window *want, const struct window *total);
void check_recording(const struct recorded *rec); /* that file holds exactly this */
/* That file cannot be opened: the error's name, a part of its message, the code. */
void check_error(const char *name, const char *part, int code);
/* For store_each_chunk(), arg is the reader: unpacks, or fails as it should. */
int try_unpack(void *arg, const struct span_chunk *chunk);
void change(const char *sql);			      /* runs SQL on file as anyone may */
int64_t number_in(const char *path, const char *sql); /* the first column of its first row */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small good recording and what an input makes of it, for fuzzers that read recordings. */
#ifndef SONDE_FUZZ_RECORDING_FILE_H
#define SONDE_FUZZ_RECORDING_FILE_H

#include <fcntl.h>

#include "store/store.h"

static char dir[64], good_path[80], bad_path[80];
static char *good; /* what is in good_path */
static size_t good_size;

static inline void remove_dir(void)
{
	unlink(good_path);
	unlink(bad_path);
	rmdir(dir);
}

/* Until the fuzzer ends; of one window, which fill() fills. */
static inline void make_good(const struct store_session *session, const struct store_names *names,
			     void (*fill)(struct model *m, struct window *w))
{
	struct store_marks marks = {};
	struct store_writer *writer;
	struct store_batch *batch;
	struct window w = {};
	struct model *m;

	strcpy(dir, "/tmp/sonde-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(good_path, sizeof(good_path), "%s/r", dir);
	snprintf(bad_path, sizeof(bad_path), "%s/b", dir);
	if (model_new(&m) < 0)
		abort();
	fill(m, &w);
	if (store_create(good_path, session, NULL, &writer) < 0 ||
	    store_batch_new(m, &w, &marks, &batch) < 0 ||
	    store_write(writer, batch, names, NULL) < 0 || store_close(writer, 1, NULL, NULL) < 0 ||
	    read_file(good_path, 1 << 20, &good, &good_size) < 0)
		abort();
	store_batch_free(batch);
	window_release(&w);
	model_free(m);
	atexit(remove_dir);
}

static inline void write_bad(const void *data, size_t size)
{
	int fd = open(bad_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write_fully(fd, data, size) < 0)
		abort();
	close(fd);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_marks.h"

#include <sys/stat.h>

#include "sonde/base/format.h"
#include "sonde/base/table.h"

static void unlockp(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static pthread_mutex_t *lock(struct reader_marks *marks)
{
	pthread_mutex_lock(&marks->mutex);
	return &marks->mutex;
}

void reader_marks_init(struct reader_marks *marks)
{
	pthread_mutex_init(&marks->mutex, NULL);
}

void reader_marks_release(struct reader_marks *marks)
{
	pthread_mutex_destroy(&marks->mutex);
}

/* What stat says of a file, as it is now, and what it was read for. */
static uint64_t file_key(int fd, enum reader_kind kind)
{
	struct stat st;
	uint64_t key;

	if (fstat(fd, &st) < 0)
		return 0;
	key = hash_mix(hash_mix(kind, st.st_dev), st.st_ino);
	key = hash_mix(hash_mix(key, (uint64_t)st.st_size), (uint64_t)st.st_mtim.tv_sec);
	return hash_mix(key, (uint64_t)st.st_mtim.tv_nsec);
}

int reader_marks_find(struct reader_marks *marks, int fd, enum reader_kind kind,
		      struct error *error)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(marks);
	uint64_t file = file_key(fd, kind);

	for (size_t i = 0; i < MIN(marks->n, READER_FAILURES_MAX); i++)
		if (marks->items[i].file == file && marks->items[i].result < 0)
			return error_set(error, -marks->items[i].result, "BadFile", "%s",
					 marks->items[i].failure.reason);
	return 0;
}

void reader_marks_add(struct reader_marks *marks, int fd, enum reader_kind kind, const char *path,
		      const char *reason, int result)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(marks);
	struct reader_mark *m = &marks->items[marks->n++ % READER_FAILURES_MAX];
	size_t len = strlen(path), size = sizeof(m->failure.path);

	*m = (struct reader_mark){.file = file_key(fd, kind), .result = result};
	m->failure.time_us = now_epoch_us();
	snprintf(m->failure.path, size, "%s", len < size ? path : path + len - size + 1);
	snprintf(m->failure.reason, sizeof(m->failure.reason), "%s", reason);
}

size_t reader_marks_list(struct reader_marks *marks, struct reader_failure *ret, size_t max)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(marks);
	size_t n = MIN(MIN(marks->n, READER_FAILURES_MAX), max);

	for (size_t i = 0; i < n; i++)
		ret[i] = marks->items[(marks->n - 1 - i) % READER_FAILURES_MAX].failure;
	return n;
}

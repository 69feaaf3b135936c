/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_private.h"

#include "symbol/debug_dirs.h"
#include "symbol/debug_file.h"

int reader_open_by_id(const uint8_t *id, size_t len, const char *debug_dir)
{
	int fd;

	return debug_dirs_open(debug_dir, id, len, &fd) < 0 ? -EBADF : fd;
}

/* The candidate is not read here: the reader process says whether it belongs to the file. */
static int open_linked(struct reader *r, struct lane *lane, const struct question *id,
		       const char *debug_dir)
{
	const char *name = id->answer.link;

	for (unsigned i = 0; i < DEBUG_LINK_PLACES; i++) {
		struct question q _cleanup_(reader_question_donep) =
			reader_question(READ_IDENTITY, id->fd, id->path);

		q.debug_fd = debug_file_open_link(name, id->path, debug_dir, i);
		if (q.debug_fd >= 0 && reader_ask(r, lane, &q, NULL) >= 0 &&
		    q.answer.identity.flags & READER_FILE_HAS_DEBUG)
			return TAKE_FD(q.debug_fd);
	}
	return -EBADF;
}

int reader_open_debug(struct reader *r, struct lane *lane, const struct question *id,
		      const char *debug_dir)
{
	const struct reader_identity *found = &id->answer.identity;
	int fd = reader_open_by_id(found->build_id, found->build_id_len, debug_dir);

	return fd >= 0 || !id->answer.link[0] ? fd : open_linked(r, lane, id, debug_dir);
}

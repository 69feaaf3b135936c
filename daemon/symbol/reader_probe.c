/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_probe.h"

#include <sys/mman.h>

#include "sonde/base/strbuf.h"
#include "symbol/landing_image.h"
#include "symbol/reader_private.h"
#include "symbol/reader_serve.h"
#include "symbol/usdt_image.h"

/* Opens what the answer's file has become; one of these is not NULL. */
struct wanted {
	struct file_image **file;
	size_t n_symbols; /* that it must have */
	struct landing_table **landings;
	struct usdt_notes **notes;
};

static int open_answer(int fd, struct error *error, const struct wanted *ret)
{
	struct file_image *file _cleanup_(file_image_freep) = NULL;
	int r;

	if (ret->file) {
		r = file_image_open(fd, error, &file);
		if (r < 0 || file->n_symbols != ret->n_symbols)
			return r < 0 ? r : -EBADMSG;
		*ret->file = TAKE_PTR(file);
		return 0;
	}
	if (ret->landings)
		return landing_image_open(fd, error, ret->landings);
	return usdt_image_open(fd, error, ret->notes);
}

static int ask_here(struct question *q, struct error *error, const struct wanted *ret)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	int r;

	r = elf_image_open(q->fd, error, &image);
	if (r < 0)
		return r;
	q->answer_fd = memfd_create("sonde-answer", MFD_CLOEXEC);
	if (q->answer_fd < 0)
		return -errno;
	r = write_fully(q->answer_fd, q->data, q->size);
	if (r >= 0)
		r = reader_serve_file(q->kind, image, q->answer_fd, error);
	return r < 0 ? r : open_answer(q->answer_fd, error, ret);
}

static int ask(struct reader *r, struct question *q, struct error *error, const struct wanted *ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = NULL;
	struct error why = {};
	int x;

	if (!r)
		return ask_here(q, error, ret);
	held = reader_lock(&r->probes.mutex);
	x = reader_ask(r, &r->probes, q, error);
	if (x < 0)
		return x;
	x = open_answer(q->answer_fd, &why, ret);
	return x < 0 ? reader_check(r, &r->probes, q, x, &why, error) : 0;
}

int reader_file(struct reader *r, int fd, const char *path, const char *const *names, size_t n,
		struct error *error, struct file_image **ret)
{
	struct question q _cleanup_(reader_question_donep) = reader_question(READ_FILE, fd, path);
	const struct wanted wanted = {.file = ret, .n_symbols = n};
	struct strbuf text _cleanup_(strbuf_release) = {};

	for (size_t i = 0; i < n; i++)
		strbuf_append(&text, names[i], strlen(names[i]) + 1);
	if (n > FILE_IMAGE_SYMBOLS_MAX || text.len > FILE_IMAGE_NAMES_MAX)
		return -EINVAL;
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	q.data = text.data;
	q.size = text.len;
	return ask(r, &q, error, &wanted);
}

int reader_functions(struct reader *r, int fd, const char *path, const char *debug_dir,
		     struct error *error, struct symtab **ret)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct reader_identity id;
	int x;

	if (r)
		return reader_symbols_in(r, &r->probes, fd, path, debug_dir, error, &id, ret);
	x = elf_image_open(fd, error, &image);
	return x < 0 ? x : symtab_load(image, path, debug_dir, error, ret);
}

int reader_landings(struct reader *r, int fd, const char *path, struct error *error,
		    struct landing_table **ret)
{
	struct question q _cleanup_(reader_question_donep) =
		reader_question(READ_LANDINGS, fd, path);

	return ask(r, &q, error, &(struct wanted){.landings = ret});
}

int reader_notes(struct reader *r, int fd, const char *path, struct error *error,
		 struct usdt_notes **ret)
{
	struct question q _cleanup_(reader_question_donep) = reader_question(READ_NOTES, fd, path);

	return ask(r, &q, error, &(struct wanted){.notes = ret});
}

bool reader_gave_up(int result)
{
	switch (result) {
	case -EPIPE:
	case -ETIMEDOUT:
	case -EPROTO:
	case -EBADMSG:
	case -EUCLEAN:
		return true;
	default:
		return false;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_private.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "symbol/name_image.h"

/* Of one question: then the names that are left are not demangled. */
enum { DEATHS_MAX = 4 };

struct batch {
	const char *const *names;
	size_t n;
	enum demangle_style style;
	char **texts;
};

static int take(const struct batch *b, const struct name_image *image)
{
	for (size_t i = 0; i < b->n; i++) {
		const char *text = name_image_get(image, i);

		if (text && !(b->texts[i] = strdup(text)))
			return -ENOMEM;
	}
	return 0;
}

/* What was written is an answer, unless the process still keeps it writable. */
static int use(const struct batch *b, int fd, struct error *error)
{
	struct name_image image _cleanup_(name_image_release) = {};
	int r;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		error_set(error, EUCLEAN, "BadFile", "The reader kept its answer writable.");
		return -EUCLEAN;
	}
	r = name_image_open(fd, b->n, NULL, &image);
	if (r == -EBADMSG)
		error_set(error, EBADMSG, "BadFile", "The reader answered nonsense.");
	return r < 0 ? r : take(b, &image);
}

/* ret_begun: where it died, how many names were begun. */
static int ask_once(struct reader *r, const struct batch *b, struct error *error, size_t *ret_begun)
{
	int fd _cleanup_(closep) = memfd_create("sonde-names", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct reader_answer answer;
	int x;

	*ret_begun = 0;
	if (fd < 0)
		return -errno;
	x = name_question_write(b->names, b->n, b->style, fd);
	if (x < 0)
		return x;
	x = reader_process_ask(&r->names.process, r->program, READ_NAMES, (const int[]){fd, fd},
			       READER_FD_ANSWER + 1, reader_quick_limit(r), error, &answer);
	if (x < 0)
		*ret_begun = name_question_begun(b->names, b->n, fd);
	else
		x = answer.result < 0 ? answer.result : use(b, fd, error);
	return x;
}

/* A second time when it was killed from outside. */
static int ask(struct reader *r, const struct batch *b, struct error *error, size_t *ret_begun)
{
	int x = ask_once(r, b, error, ret_begun);

	if (x == -EOWNERDEAD) {
		*error = (struct error){};
		x = ask_once(r, b, error, ret_begun);
	}
	return x;
}

static bool is_death(int x)
{
	return x == -EPIPE || x == -ETIMEDOUT || x == -EPROTO || x == -EOWNERDEAD ||
	       x == -EBADMSG || x == -EUCLEAN;
}

static void blame(struct reader *r, const char *name, const struct error *why, int x)
{
	char text[READER_MESSAGE_MAX];

	snprintf(text, sizeof(text), "%.*s while demangling %s", (int)strcspn(why->message, "."),
		 why->message, name);
	reader_marks_add(&r->marks, -EBADF, READ_NAMES, "", text, x);
}

/* All names of a batch, but those that it dies of. */
static int ask_all(struct reader *r, struct batch b)
{
	for (int deaths = 0; b.n > 0 && deaths < DEATHS_MAX; deaths++) {
		struct batch before = b;
		struct error why = {};
		size_t begun, guilty;
		int x = ask(r, &b, &why, &begun);

		if (!is_death(x))
			return x;
		reader_process_stop(&r->names.process);
		guilty = begun > 0 ? begun - 1 : 0;
		blame(r, b.names[guilty], &why, x);
		/* Those before it did no harm, but their answer was lost. */
		before.n = guilty;
		if (guilty > 0 && is_death(ask(r, &before, &why, &begun)))
			reader_process_stop(&r->names.process);
		b.names += guilty + 1;
		b.texts += guilty + 1;
		b.n -= guilty + 1;
	}
	return 0;
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
}

int reader_names(struct reader *r, const char *const *names, size_t n, enum demangle_style style,
		 char ***ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->names.mutex);
	char **texts = calloc(n + 1, sizeof(*texts));
	int x;

	if (!texts)
		return -ENOMEM;
	x = n > NAMES_MAX ? -EINVAL : ask_all(r, (struct batch){names, n, style, texts});
	if (x < 0) {
		free_texts(texts, n);
		return x;
	}
	*ret = texts;
	return 0;
}
